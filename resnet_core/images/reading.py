"""The bytes of an image file -> an RGB picture, upright, of bounded size; or the reason why not.

Only PNG, JPEG and WebP, told by their content, and no larger than ``MAX_PIXELS``: what the header says is checked before anything is
decoded. Pillow's formats are many, and some of their decoders old; those three are what browsers, phones and cameras write.
"""

from __future__ import annotations

import io
import threading
import warnings
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from resnet_core.images import sniff
from resnet_core.images.color import ToSrgb, to_srgb
from resnet_core.images.refusal import ImageRefused, safe_name
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage
    from PIL.Image import Transpose

MIB = 1 << 20
MAX_FILE_BYTES = 32 * MIB
#: A telephone's or a camera's largest pictures have 50 to 61 million.
MAX_PIXELS = 64_000_000
#: A picture with more than these is averaged down to fewer: it ends as 32x32, and lies in a viewer's memory until then.
KEPT_PIXELS = 4_000_000
#: Side of the tiles in which a large picture is averaged down, in pixels of the result.
_TILE = 512
#: One picture of all viewers at a time: the largest takes 256 MB while it is decoded, and 50 MB more while it is averaged down. Of kinds
#: that take more for a pixel, fewer are read.
_DECODING = threading.Lock()
# Pillow tells the terminal about damaged metadata, of which nothing but the orientation is used.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
CONVERT = mark("Save it as PNG, JPEG or WebP with an image editor first.")


@dataclass(frozen=True, eq=False)
class Picture:
    """An image as a person expects it, whatever the file was.

    Attributes:
        name: the file's own name, without folders and control characters; not escaped for HTML or Markdown.
        image: mode RGB, upright, at most ``KEPT_PIXELS``; do not change it.
        notes: what was done beyond decoding, a phrase each: ``EXIF rotation applied``.
        size: width and height in pixels, upright, before it was averaged down.
    """

    name: str
    image: PilImage
    notes: tuple[str, ...]
    size: tuple[int, int]


def read_file(path: Path | str, alone: bool = True, least: int = 0) -> Picture:
    """The image in a file; ``alone`` and ``least`` as in ``read_image``.

    Raises:
        ImageRefused: it cannot be read, or is no image that is read here.
    """
    path = Path(path)
    if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe may never end, nor begin
        raise ImageRefused("{safe_name} is no regular file. Save the image in one, and name that.", safe_name=safe_name(str(path)))
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageRefused(
            "{safe_name} cannot be read: {reason}. Check its path.", safe_name=safe_name(str(path)), reason=reason
        ) from error
    return read_image(content, path.name, alone, least)


def read_image(content: bytes, name: str, alone: bool = True, least: int = 0) -> Picture:
    """The image in the bytes of a file. The name only names it: what it is, its content says.

    Args:
        alone: no other picture is decoded meanwhile. Without it, only those wait for each other that have more than ``KEPT_PIXELS``.
        least: pixels of the shorter side that are enough: a JPEG is then decoded to no more than it takes.

    Raises:
        ImageRefused: it is not PNG, JPEG or WebP, is too large, or is damaged.
    """
    name = safe_name(name)
    kind = _checked_kind(content, name)
    outline = sniff.outline(content, kind)
    most = MAX_PIXELS * 4 // outline.pixel_bytes
    _check_size(outline.size, name, most)
    if outline.damage:
        raise _damaged(name, kind, outline.damage)
    if outline.excess:
        raise ImageRefused("{name} {excess}. Save it anew with an image editor first.", name=name, excess=outline.excess)
    from PIL import Image

    try:
        with _DECODING if alone or outline.size is None or outline.size[0] * outline.size[1] > KEPT_PIXELS else nullcontext():
            return _decode(content, name, kind, most, least)
    except ImageRefused:
        raise
    except Image.DecompressionBombError as error:  # Pillow has found another size than we have
        raise ImageRefused(
            "{name} declares far more than {max_pixels:,} pixels, the most that is read. Save it smaller.", name=name, max_pixels=MAX_PIXELS
        ) from error
    except MemoryError as error:
        raise ImageRefused("{name} takes more memory to decode than there is. Save it with fewer pixels.", name=name) from error
    except Exception as error:  # Pillow's decoders raise nearly everything over a damaged file
        if isinstance(error, ValueError) and "MAX_TEXT" in str(error):  # of a PNG file's texts, and of its colour profile
            raise ImageRefused(
                "{name} holds texts or a colour profile that unpack to megabytes. Save it without metadata.", name=name
            ) from error
        raise _damaged(name, kind, _reason(error)) from error


def _damaged(name: str, kind: str, reason: str) -> ImageRefused:
    return ImageRefused(
        "{name} is a damaged or incomplete {labels} image: {reason}. Save or send it anew.",
        name=name,
        labels=sniff.LABELS[kind],
        reason=reason,
    )


def _reason(error: Exception) -> str:
    """An error's own words, which may hold bytes of the file, as they may stand in a message."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return tr("its beginning makes no sense")
    text = " ".join(ascii(str(error))[1:-1].split()).rstrip(".") or type(error).__name__
    return text if len(text) <= 120 else text[:119] + "…"


def _checked_kind(content: bytes, name: str) -> str:
    if not content:
        raise ImageRefused("{name} is empty: it has 0 bytes. Save or send it anew.", name=name)
    if len(content) > MAX_FILE_BYTES:
        raise ImageRefused(
            "{name} is larger than {max_file_bytes} MiB, the most that is read. Save it smaller.",
            name=name,
            max_file_bytes=MAX_FILE_BYTES // MIB,
        )
    kind = sniff.kind_of(content)
    if kind is None:
        what = sniff.described(content)
        claimed = sniff.EXTENSIONS.get(_extension(name))
        if what is None:
            raise ImageRefused("{name} is not an image: it does not begin like PNG, JPEG or WebP, which are read here.", name=name)
        although = tr(", although its name says {labels}", labels=sniff.LABELS[claimed]) if claimed else ""
        raise ImageRefused(
            "{name} is {what}{although}; only PNG, JPEG and WebP are read. {convert}",
            name=name,
            what=what,
            although=although,
            convert=CONVERT,
        )
    return kind


def _extension(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


def _check_size(size: tuple[int, int] | None, name: str, most: int) -> None:
    if size is None:
        return
    width, height = size
    if width * height > most:
        kind = "" if most == MAX_PIXELS else tr(" of its kind, which takes more memory to decode than others,")
        raise ImageRefused(
            "{name} declares {width:,} x {height:,} = {width2:,} pixels; at most {most:,}{kind} are read, and "
            "nothing of it was decoded. Save it smaller.",
            name=name,
            width=width,
            height=height,
            width2=width * height,
            most=most,
            kind=kind,
        )


def _decode(content: bytes, name: str, kind: str, most: int, least: int) -> Picture:
    from PIL import Image

    notes = []
    claimed = sniff.EXTENSIONS.get(_extension(name))
    if claimed not in (None, kind):
        notes.append(tr("a {labels} image, although its name says {labels2}", labels=sniff.LABELS[kind], labels2=sniff.LABELS[claimed]))
    with Image.open(io.BytesIO(content), formats=[kind]) as image:
        _check_size(image.size, name, most)
        if (frames := getattr(image, "n_frames", 1)) > 1:
            notes.append(
                tr("the first of {frames:,} pictures in the file", frames=frames)
                if kind == "JPEG"
                else tr("animated: the first of {frames:,} frames", frames=frames)
            )
        whole = image.size
        if least and kind == "JPEG":
            image.draft("RGB" if image.mode != "L" else "L", (least, least))
        image.load()
        turn = _orientation(image)
        convert = to_srgb(image, notes)
        rgb = _reduced(image, sniff.png_bits(content) if kind == "PNG" else 8, notes, convert)
        size = whole
    if turn is not None:
        upright = rgb.transpose(turn)
        size = size if upright.size == rgb.size else size[::-1]
        rgb = upright
        notes.append(tr("EXIF rotation applied"))
    return Picture(name, rgb, tuple(notes), size)


def _reduced(image: PilImage, bits: int, notes: list[str], convert: ToSrgb) -> PilImage:
    """A loaded image as RGB of at most ``KEPT_PIXELS``, averaged; ``notes`` and ``convert`` as in ``_rgb``.

    Tile by tile: the conversions make several copies, which of the largest pictures would take a gigabyte.
    """
    from PIL import Image

    width, height = image.size
    factor = 1
    while -(-width // factor) * -(-height // factor) > KEPT_PIXELS:
        factor += 1
    if factor == 1:
        return _rgb(image, bits, notes, convert)
    across, down = min(factor, width), min(factor, height)
    whole = Image.new("RGB", (-(-width // across), -(-height // down)))
    for top in range(0, height, _TILE * down):
        for left in range(0, width, _TILE * across):
            box = (left, top, min(left + _TILE * across, width), min(top + _TILE * down, height))
            said: list[str] = []
            whole.paste(_rgb(image.crop(box), bits, said, convert).reduce((across, down)), (left // across, top // down))
            notes.extend(note for note in said if note not in notes)
    return whole


def _orientation(image: PilImage) -> Transpose | None:
    """How to turn a picture that its camera says lies on its side (EXIF tag 0x0112), as ``Image.transpose`` wants it; None: not at all."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    try:
        return turns.get(image.getexif().get(0x0112) or 0)
    except Exception:  # of damaged metadata; the pixels are whole
        return None


def _rgb(image: PilImage, bits: int, notes: list[str], convert: ToSrgb) -> PilImage:
    """A loaded image of any mode of the three formats as RGB; says in ``notes`` what that took. ``convert`` is for its colours."""
    import numpy as np
    from PIL import Image

    transparency = image.info.get("transparency")
    if bits == 16:
        # Pillow has taken the high byte of each sample of colour; of greyscale it keeps both, and its own conversion may clip.
        notes.append(tr("16 bits a channel: the high byte is used"))
        if image.mode.startswith("I"):
            deep = np.asarray(image)
            image = Image.fromarray((deep >> 8).astype(np.uint8))
            if isinstance(transparency, int):
                image.putalpha(Image.fromarray(np.where(deep == transparency, 0, 255).astype(np.uint8)))
        elif isinstance(transparency, tuple):
            image.info["transparency"] = tuple(value >> 8 for value in transparency)
    if image.mode == "CMYK":
        notes.append(tr("CMYK converted to RGB without its colour profile"))
    elif image.mode in ("1", "L", "I;16", "LA"):
        notes.append(tr("greyscale: the same in all three channels"))
    if image.has_transparency_data:
        image = convert(image.convert("RGBA"))
        if cast(tuple[int, int], image.getchannel("A").getextrema())[0] < 255:
            notes.append(tr("transparency composited on white"))
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    return convert(image.convert("RGB"))
