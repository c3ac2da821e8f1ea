"""What a file is, by its content: the name it came with says nothing."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from resnet_core.imports.limits import MAX_FILE_BYTES
from resnet_core.imports.refusal import ImportRefused
from resnet_core.language import mark, tr

#: What ``torch.save`` wrote before it wrote zip archives: a pickle (protocol 2) of this number comes first.
LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_ENDINGS = {".safetensors": ("safetensors",), ".pt": ("zip", "legacy"), ".pth": ("zip", "legacy"), ".th": ("zip", "legacy")}
_TITLES = {
    "safetensors": mark("a safetensors file"),
    "zip": mark("written by torch.save"),
    "legacy": mark("written by torch.save, in its form before 1.6"),
}
EXPECTED = mark("Expected is a safetensors file, or a state_dict written by torch.save (.pt, .pth, .th).")

#: Leading bytes of what is uploaded by mistake.
_OTHERS = (
    (b"\x89HDF\r\n\x1a\n", mark("an HDF5 file (Keras)")),
    (b"\x89PNG\r\n\x1a\n", mark("a PNG image")),
    (b"\xff\xd8\xff", mark("a JPEG image")),
    (b"GIF8", mark("a GIF image")),
    (b"%PDF", mark("a PDF document")),
    (b"\x1f\x8b", mark("gzip-compressed; unpack it first")),
    (b"BZh", mark("bzip2-compressed; unpack it first")),
    (b"\xfd7zXZ", mark("xz-compressed; unpack it first")),
    (b"7z\xbc\xaf", mark("a 7-Zip archive; unpack it first")),
    (b"\x93NUMPY", mark("a numpy array (.npy)")),
    (b"GGUF", mark("a GGUF file (a language model)")),
    (b"\x7fELF", mark("a program")),
    (b"version https://git-lfs", mark("a Git LFS pointer, not the file it points to; fetch that with git lfs pull")),
)


def sniff(path: Path) -> str:
    """``safetensors``, ``zip`` (torch.save since 1.6) or ``legacy`` (torch.save before).

    Raises:
        ImportRefused: it is neither, is empty, or is too large.
    """
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            if size == 0:
                raise ImportRefused("The file is empty. {expected}", expected=EXPECTED)
            if size > MAX_FILE_BYTES:
                raise ImportRefused(
                    "The file has {size:,} bytes; at most {max_file_bytes:,} are read.", size=size, max_file_bytes=MAX_FILE_BYTES
                )
            return _kind(file, size)
    except OSError as error:
        raise ImportRefused("The file cannot be read: {strerror}.", strerror=error.strerror) from error


def _kind(file: BinaryIO, size: int) -> str:
    file.seek(0)
    head = file.read(1024)
    for magic, what in _OTHERS:
        if head.startswith(magic):
            raise ImportRefused("The file is {what}. {expected}", what=what, expected=EXPECTED)
    if head[:4] == b"PK\x03\x04" or head[:4] == b"PK\x05\x06":
        return "zip"
    if head.startswith(LEGACY_MAGIC):
        return "legacy"
    if head[257:262] == b"ustar":
        raise ImportRefused("The file is a tar archive; unpack it first. {expected}", expected=EXPECTED)
    if head[8:9] == b"{" and (b"\0" in head[:8] or b"\xff" in head[:8]):  # a length, which no text begins with
        return "safetensors"
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        raise ImportRefused("The file is a plain pickle, not written by torch.save; it was not run. {expected}", expected=EXPECTED)
    if head[:1] == b"\x08" and any(word in head for word in (b"pytorch", b"onnx", b"tf2onnx")):
        raise ImportRefused("The file is an ONNX graph. {expected}", expected=EXPECTED)
    text = head.lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")):
        raise ImportRefused("The file is a web page: download the file itself, not the page that shows it. {expected}", expected=EXPECTED)
    if text.startswith((b"{", b"[")):
        raise ImportRefused("The file is JSON text. {expected}", expected=EXPECTED)
    if size >= 8 and all(byte >= 32 or byte in b"\t\n\r\f" for byte in head) and _is_text(head):
        raise ImportRefused("The file is plain text. {expected}", expected=EXPECTED)
    if size < 10:
        raise ImportRefused("The file has {size} bytes, too few for any net. {expected}", size=size, expected=EXPECTED)
    raise ImportRefused(
        "The file's first bytes ({hex}) are those of no kind of file that is read here. {expected}",
        hex=head[:8].hex(" "),
        expected=EXPECTED,
    )


def _is_text(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # a character cut in two at the end
    return True


def mismatch(name: str, kind: str) -> str | None:
    """A note where a file's name ends as that of another kind would; None where it does not."""
    ending = Path(name).suffix.lower()
    if kind in _ENDINGS.get(ending, (kind,)):
        return None
    return tr("Its name ends in {ending}, but it is {titles}; it was read as what it is.", ending=ending, titles=_TITLES[kind])
