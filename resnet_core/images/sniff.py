"""What a file is by its first bytes, whatever it is called, and what its decoder would have to do. Nothing is decoded."""

from __future__ import annotations

import re
import struct
import zlib
from typing import NamedTuple

from resnet_core.language import mark, tr

PNG = b"\x89PNG\r\n\x1a\n"
#: The formats that are read, under Pillow's names.
READ = ("PNG", "JPEG", "WEBP")
#: What they are called by people, and the ends of their files' names.
LABELS = {"PNG": "PNG", "JPEG": "JPEG", "WEBP": "WebP"}
EXTENSIONS = {"png": "PNG", "apng": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "jpe": "JPEG", "jfif": "JPEG", "webp": "WEBP"}

#: Beginnings of files that people take for images, or that pretend to be some; what they are, with the article.
_OTHERS = (
    (b"GIF87a", mark("a GIF image")),
    (b"GIF89a", mark("a GIF image")),
    (b"II*\x00", mark("a TIFF image (or a camera's raw file)")),
    (b"MM\x00*", mark("a TIFF image (or a camera's raw file)")),
    (b"II+\x00", mark("a TIFF image")),
    (b"MM\x00+", mark("a TIFF image")),
    (b"\x00\x00\x01\x00", mark("an ICO icon")),
    (b"8BPS", mark("a Photoshop file")),
    (b"\x00\x00\x00\x0cjP  ", mark("a JPEG 2000 image")),
    (b"\xff\x4f\xff\x51", mark("a JPEG 2000 image")),
    (b"\x00\x00\x00\x0cJXL ", mark("a JPEG XL image")),
    (b"\xff\x0a", mark("a JPEG XL image")),
    (b"%!PS", mark("a PostScript file")),
    (b"PK\x03\x04", mark("a ZIP archive (or an office document)")),
    (b"\x1f\x8b", mark("a gzip archive")),
)
#: ``ftyp`` brands of ISO media files (ISO/IEC 14496-12), what they are, and what is asked first: an AVIF image also says that it is a HEIF
#: one (mif1), and the image of a telephone that it has a film (mp42).
_BRANDS = {
    mark("an AVIF image"): (b"avif", b"avis"),
    mark("a HEIC image"): (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"mif2", b"mif3", b"msf1"),
    mark("a camera's raw file"): (b"crx ",),
    mark("a video"): (b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"qt  ", b"3gp4", b"3gp5", b"dash"),
}
#: Parts of a file that the decoders go through in Python, some of them in quadratic time: as many as no camera writes, in a moment.
MAX_SEGMENTS, MAX_METADATA, MAX_BETWEEN = 600, 8 << 20, 4_096
MAX_CHUNKS, MAX_NOTES = 20_000, 500
#: A progressive JPEG has about 10; each is a pass over all of the picture, however few bytes it takes.
MAX_SCANS = 100
#: Bytes that are taken for a pixel while it is decoded, rounded up. A progressive JPEG keeps its coefficients (measured: 7 to 10 bytes for
#: three colours; CMYK has four); of a WebP there are four copies (16 to 17).
_BYTES = {"PNG": 4, "JPEG": 4, "progressive": 12, "WEBP": 18}
#: FF begins a segment of a JPEG file unless 0 (data) or another FF (fill) follows; among the pixels, restarts (D0 to D7) are none either
#: (ITU-T T.81, B.1.1).
_MARKER, _MARKER_AMONG_PIXELS = re.compile(rb"\xff[^\x00\xff]"), re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_BLANK = b" \t\r\n\x00\xef\xbb\xbf"


def kind_of(content: bytes) -> str | None:
    """``PNG``, ``JPEG`` or ``WEBP``; None for anything else."""
    if content.startswith(PNG):
        return "PNG"
    if content.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    return "WEBP" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None


def described(content: bytes) -> str | None:
    """What a file is that is not read, with the article: ``a GIF image``; None if that is not known."""
    for start, label in _OTHERS:
        if content.startswith(start):
            return label
    if content.startswith(b"BM") and content[6:10] == bytes(4):
        return tr("a BMP image")
    if content[4:8] == b"ftyp":
        return _iso_media(content)
    head = content[:2048].lstrip(_BLANK).lower()
    if content[:1024].find(b"%PDF-") >= 0:
        return tr("a PDF document")
    if b"<svg" in head and head.startswith(b"<"):
        return tr("an SVG drawing")
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in head[:512]:
        return tr("an HTML page")
    if head.startswith(b"<?xml"):
        return tr("an XML document")
    try:
        text = content[:2048].decode("utf-8")
    except UnicodeDecodeError:
        return None
    return tr("a text") if all(c.isprintable() or c.isspace() for c in text) else None


def _iso_media(content: bytes) -> str:
    """By all its brands: the main one may be new, or tell of nothing but its version."""
    end = min(int.from_bytes(content[:4], "big"), 1024)
    brands = {content[8:12], *(content[at : at + 4] for at in range(16, end - 3, 4))}
    for label, known in _BRANDS.items():
        if not brands.isdisjoint(known):
            return label
    return tr("a video, or an image of a kind that is not known here (ISO media)")


class Outline(NamedTuple):
    """What a file declares before anything of it is decoded.

    Attributes:
        size: width and height; None where they are not said in the usual place. Pillow says them too, but of WebP only after memory was
            taken for all of the picture.
        pixel_bytes: what is taken for a pixel while it is decoded.
        damage: what is wrong with its frame, or empty.
        excess: what of it is more than any picture needs, or empty.
    """

    size: tuple[int, int] | None
    pixel_bytes: int
    damage: str = ""
    excess: str = ""


def outline(content: bytes, kind: str) -> Outline:
    """The outline of a PNG, JPEG or WebP file, in a time that is bounded whatever the file holds."""
    if kind == "WEBP":
        return Outline(_webp_size(content), _BYTES["WEBP"])
    return _png_outline(content) if kind == "PNG" else _jpeg_outline(content)


def _png_outline(content: bytes) -> Outline:
    size = struct.unpack_from(">II", content, 16) if content[12:16] == b"IHDR" and len(content) >= 24 else None
    damage, excess = _png_frame(content)
    return Outline(size, _BYTES["PNG"], damage, excess)


def _png_frame(content: bytes) -> tuple[str, str]:
    """What is wrong with the chunks of a PNG file, and what is too much. Pillow does not look at the checksums of the pixels."""
    at, name, chunks, notes = len(PNG), b"", 0, 0
    while name != b"IEND":
        if len(content) < at + 12:
            return tr("it ends before its end"), ""
        length, name = struct.unpack_from(">I4s", content, at)
        label = ascii(name.decode("latin-1"))[1:-1]
        chunks += 1
        notes += name not in (b"IDAT", b"fdAT", b"fcTL")
        if chunks > MAX_CHUNKS or notes > MAX_NOTES:
            most = (
                tr("{max_notes:,} chunks beside its pixels", max_notes=MAX_NOTES)
                if notes > MAX_NOTES
                else tr("{max_chunks:,} chunks", max_chunks=MAX_CHUNKS)
            )
            return "", tr("has more than {most}", most=most)
        if at == len(PNG) and (name != b"IHDR" or length != 13):
            return tr("it does not begin with its header (IHDR)"), ""
        end = at + 8 + length
        if len(content) < end + 4:
            return tr("it ends within its part {label}", label=label), ""
        if zlib.crc32(memoryview(content)[at + 4 : end]) != struct.unpack_from(">I", content, end)[0]:
            return tr("the checksum of its part {label} is wrong", label=label), ""
        at = end + 4
    return "", ""


def png_bits(content: bytes) -> int:
    """Bits of a sample of a PNG file."""
    return content[24] if len(content) > 24 and content[12:16] == b"IHDR" else 8


def _jpeg_outline(content: bytes) -> Outline:
    """From segment to segment up to the end of the picture (ITU-T T.81, B.1.1), with how often the decoder would go over it: its scans.

    What lies within a segment (a thumbnail) or behind the end (the film of a telephone's motion photo) is not the picture.
    """
    size, pixel_bytes, scans, between, at = None, _BYTES["JPEG"], 0, 0, 2
    for _ in range(MAX_SEGMENTS):
        found = (_MARKER_AMONG_PIXELS if scans else _MARKER).search(content, at, len(content) if scans else at + MAX_BETWEEN + 2)
        between += 0 if scans or not found else found.start() - at
        if not scans and (between > MAX_BETWEEN or (not found and len(content) > at + MAX_BETWEEN)):
            return Outline(
                size, pixel_bytes, excess=tr("has more than {max_between:,} bytes of filling between its segments", max_between=MAX_BETWEEN)
            )
        if not scans and at > MAX_METADATA:
            return Outline(
                size,
                pixel_bytes,
                excess=tr("has more than {max_metadata} MiB of metadata before its pixels", max_metadata=MAX_METADATA >> 20),
            )
        marker = content[found.end() - 1] if found else _END_OF_IMAGE
        if found is None or marker == _END_OF_IMAGE:
            too_many = tr(
                "would be decoded in {scans:,} passes (JPEG scans); at most {max_scans} are made", scans=scans, max_scans=MAX_SCANS
            )
            return Outline(size, pixel_bytes, excess=too_many if scans > MAX_SCANS else "")
        at = found.end()
        scans += marker == _START_OF_SCAN
        if marker in _FRAMES and not scans and len(content) >= at + 7:
            height, width = struct.unpack_from(">HH", content, at + 3)
            size, pixel_bytes = (width, height), _BYTES["progressive" if marker in _PROGRESSIVE else "JPEG"]
        if marker not in _WITHOUT_LENGTH:
            at += max(int.from_bytes(content[at : at + 2], "big"), 2)
    return Outline(size, pixel_bytes, excess=tr("has more than {max_segments:,} segments", max_segments=MAX_SEGMENTS))


def _webp_size(content: bytes) -> tuple[int, int] | None:
    """RFC 9649, sections 2.5 to 2.7."""
    if len(content) < 30:
        return None
    chunk = content[12:16]
    if chunk == b"VP8X":
        return int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1
    if chunk == b"VP8L":
        bits = struct.unpack_from("<I", content, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None
