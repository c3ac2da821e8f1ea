"""What a file is by its first bytes, whatever it is called, and how large an image its header declares. Nothing is decoded."""

from __future__ import annotations

import re
import struct
import zlib

PNG = b"\x89PNG\r\n\x1a\n"
#: The formats that are read, under Pillow's names.
READ = ("PNG", "JPEG", "WEBP")
#: What they are called by people, and the ends of their files' names.
LABELS = {"PNG": "PNG", "JPEG": "JPEG", "WEBP": "WebP"}
EXTENSIONS = {"png": "PNG", "apng": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "jpe": "JPEG", "jfif": "JPEG", "webp": "WEBP"}

#: Beginnings of files that people take for images, or that pretend to be some; what they are, with the article.
_OTHERS = (
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"II*\x00", "a TIFF image (or a camera's raw file)"),
    (b"MM\x00*", "a TIFF image (or a camera's raw file)"),
    (b"II+\x00", "a TIFF image"),
    (b"MM\x00+", "a TIFF image"),
    (b"\x00\x00\x01\x00", "an ICO icon"),
    (b"8BPS", "a Photoshop file"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 image"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL image"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"%!PS", "a PostScript file"),
    (b"PK\x03\x04", "a ZIP archive (or an office document)"),
    (b"\x1f\x8b", "a gzip archive"),
)
#: ``ftyp`` brands of ISO media files (ISO/IEC 14496-12).
_BRANDS = {b"avif": "an AVIF image", b"avis": "an AVIF image"} | dict.fromkeys(
    (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"), "a HEIC image"
)
#: A byte FF that is followed by neither 0 (data) nor a restart nor another FF begins a segment of a JPEG file (ITU-T T.81, B.1.1).
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_WITHOUT_LENGTH = (0x01, 0xD8)
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
        return "a BMP image"
    if content[4:8] == b"ftyp":
        return _BRANDS.get(content[8:12], "a video")
    head = content[:2048].lstrip(_BLANK).lower()
    if content[:1024].find(b"%PDF-") >= 0:
        return "a PDF document"
    if b"<svg" in head and head.startswith(b"<"):
        return "an SVG drawing"
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in head[:512]:
        return "an HTML page"
    if head.startswith(b"<?xml"):
        return "an XML document"
    try:
        text = content[:2048].decode("utf-8")
    except UnicodeDecodeError:
        return None
    return "a text" if all(c.isprintable() or c.isspace() for c in text) else None


def declared_size(content: bytes, kind: str) -> tuple[int, int] | None:
    """Width and height as the header of a PNG, JPEG or WebP file says; None where it does not say so in the usual place.

    Pillow gives the size too, but for WebP only after memory was taken for all of the picture.
    """
    try:
        if kind == "PNG":
            return struct.unpack_from(">II", content, 16) if content[12:16] == b"IHDR" else None
        return _webp_size(content) if kind == "WEBP" else _jpeg_size(content)
    except (struct.error, IndexError):
        return None


def png_damage(content: bytes) -> str | None:
    """What is wrong with the frame of a PNG file, or None. Pillow does not look at the checksums of pixels that it decodes."""
    at, name = len(PNG), None
    while name != b"IEND":
        if len(content) < at + 12:
            return "it ends before its end"
        length, name = struct.unpack_from(">I4s", content, at)
        label = ascii(name.decode("latin-1"))[1:-1]
        if at == len(PNG) and (name != b"IHDR" or length != 13):
            return "it does not begin with its header (IHDR)"
        end = at + 8 + length
        if len(content) < end + 4:
            return f"it ends within its part {label}"
        if zlib.crc32(memoryview(content)[at + 4 : end]) != struct.unpack_from(">I", content, end)[0]:
            return f"the checksum of its part {label} is wrong"
        at = end + 4
    return None


def png_bits(content: bytes) -> int:
    """Bits of a sample of a PNG file."""
    return content[24] if len(content) > 24 and content[12:16] == b"IHDR" else 8


def jpeg_scans(content: bytes) -> int:
    """How often the decoder would go over a JPEG picture: its scans up to its end (ITU-T T.81, B.1.1).

    What lies within a segment (a thumbnail) or behind the end (the film of a telephone's motion photo) is not the picture.
    """
    scans, at = 0, 2
    while found := _JPEG_MARKER.search(content, at):
        at, marker = found.end(), content[found.end() - 1]
        if marker == _END_OF_IMAGE:
            break
        scans += marker == _START_OF_SCAN
        if marker not in _WITHOUT_LENGTH:
            at += max(int.from_bytes(content[at : at + 2], "big"), 2)
    return scans


def _webp_size(content: bytes) -> tuple[int, int] | None:
    """RFC 9649, sections 2.5 to 2.7."""
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


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Of the first frame header (SOF), past the segments before it."""
    at = 2
    while content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # fill
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", content, at + 5)
            return width, height
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # no length
            at += 2
        else:
            at += 2 + struct.unpack_from(">H", content, at + 2)[0]
    return None
