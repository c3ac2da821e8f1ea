"""Files that people upload, and files made to do harm, each with what is to come of it; ``CASES[name].content()`` makes its bytes."""

from __future__ import annotations

import functools
import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

from tests.icc_profiles import in_srgb, profile_of

#: Of the picture in most files: its four quarters, clockwise from the top left; wide enough apart to tell them after JPEG.
RED, GREEN, BLUE, GOLD = (220, 30, 40), (30, 180, 60), (40, 60, 200), (240, 200, 60)
WIDTH, HEIGHT = 48, 40


@dataclass(frozen=True)
class Case:
    """One file.

    Attributes:
        name: what it is called when it is uploaded.
        content: makes its bytes.
        refused: a regular expression that the refusal matches; None: it is read.
        notes: of a file that is read, what each note contains, in order.
        corners: of a file that is read, the colours of the four quarters, clockwise from the top left; None: not those.
        tolerance: by which each channel may be off (JPEG and WebP are lossy).
    """

    name: str
    content: Callable[[], bytes]
    refused: str | None = None
    notes: tuple[str, ...] = ()
    corners: tuple[tuple[int, int, int], ...] | None = (RED, GREEN, BLUE, GOLD)
    tolerance: int = 0


def scene(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """uint8 (height, width, 3): red and green above, gold and blue below."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2], pixels[: height // 2, width // 2 :] = RED, GREEN
    pixels[height // 2 :, width // 2 :], pixels[height // 2 :, : width // 2] = BLUE, GOLD
    return pixels


def saved(image: Image.Image | np.ndarray, kind: str, **options) -> bytes:
    out = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(out, kind, **options)
    return out.getvalue()


def chunk(name: bytes, data: bytes, crc: int | None = None) -> bytes:
    """Of a PNG file; with a wrong checksum if ``crc`` is given."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data) if crc is None else crc)


def png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND", b"")


def ihdr(width: int, height: int, bits: int = 8, color: int = 2, interlace: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlace))


def idat(rows: np.ndarray) -> bytes:
    """Rows of bytes, uint8 (height, bytes), without filters."""
    return chunk(b"IDAT", zlib.compress(np.insert(rows, 0, 0, axis=1).tobytes()))


def png_16(samples: np.ndarray, color: int, *more: bytes) -> bytes:
    """uint16 (height, width, channels) as a PNG with 16 bits a sample; ``more`` chunks go between header and pixels."""
    height, width, _ = samples.shape
    return png(ihdr(width, height, 16, color), *more, idat(samples.astype(">u2").reshape(height, -1).view(np.uint8).reshape(height, -1)))


@functools.cache
def bomb() -> bytes:
    """110 kB that decode to 30,000 x 30,000 pixels (900 million): a real one, whole and with right checksums."""
    squeeze = zlib.compressobj(9)
    row = bytes(1 + 30_000 // 8)
    data = b"".join(squeeze.compress(row * 100) for _ in range(300)) + squeeze.flush()
    return png(ihdr(30_000, 30_000, 1, 0), chunk(b"IDAT", data))


def split_png() -> tuple[bytes, bytes, bytes]:
    """The scene's PNG: all before its IDAT, the IDAT chunk, all after it."""
    content = saved(scene(), "PNG")
    at = content.index(b"IDAT") - 4
    end = at + 12 + struct.unpack_from(">I", content, at)[0]
    return content[:at], content[at:end], content[end:]


def with_chunk(extra: bytes) -> bytes:
    before, data, after = split_png()
    return before + extra + data + after


def wrong_crc(name: bytes) -> bytes:
    content = bytearray(saved(scene(), "PNG"))
    at = content.index(name)
    end = at + 4 + struct.unpack_from(">I", content, at - 4)[0]
    content[end] ^= 0xFF
    return bytes(content)


def jpeg_of(width: int, height: int, progressive: bool = False) -> bytes:
    """A JPEG file whose header declares that size, whatever it holds."""
    content = bytearray(saved(scene(), "JPEG", progressive=progressive))
    struct.pack_into(">HH", content, content.index(b"\xff\xc2" if progressive else b"\xff\xc0") + 5, height, width)
    return bytes(content)


def webp_of(width: int, height: int) -> bytes:
    """A WebP file whose extended header declares that canvas."""
    content = bytearray(saved(Image.fromarray(scene()), "WEBP", exif=b"Exif\x00\x00" + bytes(20)))
    assert content[12:16] == b"VP8X"
    content[24:27], content[27:30] = (width - 1).to_bytes(3, "little"), (height - 1).to_bytes(3, "little")
    return bytes(content)


def motion_photo() -> bytes:
    """What telephones save: a thumbnail before the picture, and 8 MB of film behind its end (here noise, with 120 accidental scans)."""
    film = np.random.default_rng(0).integers(0, 256, 8 << 20, dtype=np.uint8).tobytes()
    assert film.count(b"\xff\xda") > 100
    return saved(scene(), "JPEG", quality=95, comment=saved(scene(), "JPEG")) + film


def scans_jpeg() -> bytes:
    """A progressive JPEG that asks for hundreds of passes: its last scan again and again. An end within a thumbnail is not its end."""
    content = saved(scene(), "JPEG", progressive=True, comment=saved(scene(), "JPEG"))
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * 300 + content[-2:]


def lying(turn: int) -> Image.Image:
    """The scene as a camera held that way stores it: upright again after EXIF's ``turn`` is applied."""
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[turn]  # the inverse, as an Image.Transpose
    return Image.fromarray(scene()).transpose(Image.Transpose(back))


def turned(turn: int, kind: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = turn
    return saved(lying(turn), kind, exif=exif.tobytes(), **({"quality": 95} if kind == "JPEG" else {}))


def animated(kind: str) -> bytes:
    frames = [Image.fromarray(np.ascontiguousarray(np.rot90(scene(40, 40), k))) for k in range(3)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=80, **({"lossless": True} if kind == "WEBP" else {}))


def translucent(kind: str) -> bytes:
    """The scene with its lower half half transparent, or for a palette wholly."""
    alpha = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    alpha[HEIGHT // 2 :] = 51
    return saved(np.concatenate([scene(), alpha], axis=2), kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))


def palette_transparent() -> bytes:
    image = Image.fromarray(scene()).quantize(4)
    return saved(image, "PNG", transparency=image.getpixel((WIDTH - 1, HEIGHT - 1)))


def with_text(length: int) -> bytes:
    """zTXt: a text that unpacks to ``length`` letters."""
    return with_chunk(chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(b"a" * length, 9)))


def multi_picture() -> bytes:
    return saved(Image.fromarray(scene()), "MPO", save_all=True, append_images=[Image.new("RGB", (WIDTH, HEIGHT))], quality=95)


def plain_text(length: int = 500) -> bytes:
    return (b"It was the best of times, it was the worst of times. " * 20)[:length]


def profiled(name: str, kind: str, **options) -> bytes:
    return saved(scene(), kind, icc_profile=profile_of(name), **options)


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def translucent_p3() -> bytes:
    pixels = np.concatenate([scene(), np.full((HEIGHT, WIDTH, 1), 51, np.uint8)], axis=2)
    return saved(pixels, "PNG", icc_profile=profile_of("Display P3"))


def _converted(name: str) -> tuple[tuple[int, ...], ...]:
    return tuple(in_srgb(name, color) for color in (RED, GREEN, BLUE, GOLD))


MIB = 1 << 20


def behind_soi(extra: bytes) -> bytes:
    """The scene's JPEG with something put in before its first segment."""
    content = saved(scene(), "JPEG", quality=95)
    return content[:2] + extra + content[2:]


def segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def large(kind: str, side: int, **options) -> bytes:
    """A picture of one colour."""
    return saved(Image.new("RGB", (side, side), (99, 99, 99)), kind, **options)


def iso_media(major: bytes, *compatible: bytes) -> bytes:
    """The first box of an ISO media file, and some more bytes."""
    box = b"ftyp" + major + bytes(4) + b"".join(compatible)
    return struct.pack(">I", len(box) + 4) + box + bytes(200)


SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script><rect width="9" height="9"/></svg>'
HTML = b"<!DOCTYPE html>\n<html><head><title>404</title></head><body>Not found</body></html>"
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n"
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(200)
WHITISH = tuple(tuple(round(255 + (c - 255) * 51 / 255) for c in color) for color in (BLUE, GOLD))
GREY = tuple((round(c[0] * 0.299 + c[1] * 0.587 + c[2] * 0.114),) * 3 for c in (RED, GREEN, BLUE, GOLD))
LOSSY = 12


def _grey16() -> bytes:
    return png_16((np.arange(HEIGHT * WIDTH, dtype=np.uint16) * 34).reshape(HEIGHT, WIDTH, 1), 0)


def _cmyk() -> bytes:
    return saved(Image.fromarray(scene()).convert("CMYK"), "JPEG", quality=95)


def _deep(color: int) -> bytes:
    samples = scene().astype(np.uint16) * 256 + 77
    if color == 6:
        samples = np.concatenate([samples, np.full((HEIGHT, WIDTH, 1), 65535, np.uint16)], axis=2)
    return png_16(samples, color)


# fmt: off
CASES: dict[str, Case] = {
    # read as they are
    "png": Case("scene.png", lambda: saved(scene(), "PNG")),
    "jpeg": Case("scene.jpg", lambda: saved(scene(), "JPEG", quality=95), tolerance=LOSSY),
    "progressive jpeg": Case("scene.jpeg", lambda: saved(scene(), "JPEG", quality=95, progressive=True), tolerance=LOSSY),
    "motion photo": Case("phone.jpg", motion_photo, tolerance=LOSSY),
    "webp": Case("scene.webp", lambda: saved(scene(), "WEBP", quality=95), tolerance=30),
    "lossless webp": Case("scene.webp", lambda: saved(scene(), "WEBP", lossless=True)),
    "palette": Case("scene.png", lambda: saved(Image.fromarray(scene()).quantize(4), "PNG")),
    "opaque alpha": Case("scene.png", lambda: saved(Image.fromarray(scene()).convert("RGBA"), "PNG")),
    # read, with a note
    "jpeg called png": Case("scene.png", lambda: saved(scene(), "JPEG", quality=95), None, ("a JPEG image, although",), tolerance=LOSSY),
    "16-bit rgb": Case("deep.png", lambda: _deep(2), None, ("16 bits",)),
    "16-bit rgba": Case("deep.png", lambda: _deep(6), None, ("16 bits",)),
    "16-bit grey": Case("deep.png", _grey16, None, ("16 bits", "greyscale"), None),
    "cmyk": Case("print.jpg", _cmyk, None, ("CMYK",), tolerance=LOSSY),
    "greyscale png": Case("grey.png", lambda: saved(Image.fromarray(scene()).convert("L"), "PNG"), None, ("greyscale",), GREY, 1),
    "greyscale jpeg": Case(
        "grey.jpg", lambda: saved(Image.fromarray(scene()).convert("L"), "JPEG", quality=95), None, ("greyscale",), GREY, LOSSY
    ),
    "black and white": Case("fax.png", lambda: saved(Image.fromarray(scene()).convert("1"), "PNG"), None, ("greyscale",), None),
    "alpha png": Case("logo.png", lambda: translucent("PNG"), None, ("composited on white",), (RED, GREEN, *WHITISH), 1),
    "alpha webp": Case("logo.webp", lambda: translucent("WEBP"), None, ("composited on white",), (RED, GREEN, *WHITISH), 1),
    "transparent palette": Case("logo.png", palette_transparent, None, ("composited on white",), (RED, GREEN, (255,) * 3, GOLD)),
    "animated webp": Case("dance.webp", lambda: animated("WEBP"), None, ("animated: the first of 3 frames",)),
    "animated png": Case("dance.png", lambda: animated("PNG"), None, ("animated: the first of 3 frames",)),
    "two pictures": Case("stereo.jpg", multi_picture, None, ("the first of 2 pictures",), tolerance=LOSSY),
    **{
        f"exif {turn} {kind}": Case(
            f"phone.{kind.lower()}",
            functools.partial(turned, turn, kind),
            notes=("EXIF rotation applied",),
            tolerance=LOSSY * (kind == "JPEG"),
        )
        for turn, kind in [*((turn, "JPEG") for turn in range(2, 9)), (6, "PNG")]
    },
    "damaged exif": Case(
        "phone.jpg", lambda: saved(scene(), "JPEG", quality=95, exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xf0" + bytes(9)), tolerance=LOSSY
    ),
    "display p3 jpeg": Case(
        "phone.jpg", lambda: profiled("Display P3", "JPEG", quality=95), None, ("converted from Display P3 to sRGB",),
        _converted("Display P3"), LOSSY,
    ),
    "adobe rgb png": Case(
        "camera.png", lambda: profiled("Adobe RGB (1998)", "PNG"), None, ("converted from Adobe RGB (1998) to sRGB",),
        _converted("Adobe RGB (1998)"), 2,
    ),
    "display p3 webp": Case(
        "web.webp", lambda: profiled("Display P3", "WEBP", lossless=True), None, ("from Display P3",), _converted("Display P3"), 2
    ),
    "translucent display p3": Case(
        "logo.png", translucent_p3, None, ("from Display P3", "composited on white"),
        tuple(tuple(round(255 + (c - 255) * 51 / 255) for c in color) for color in _converted("Display P3")), 2,
    ),
    "srgb profile": Case("scene.png", lambda: saved(scene(), "PNG", icc_profile=srgb_profile())),
    "damaged profile": Case(
        "scene.png", lambda: saved(scene(), "PNG", icc_profile=profile_of("Display P3")[:300]), None, ("profile cannot be used",)
    ),
    "filling": Case("scene.jpg", lambda: behind_soi(b"\xff" * 900 + segment(0xE5, b"") * 20), tolerance=LOSSY),
    # refused: no image of the three formats
    "empty": Case("nothing.png", lambda: b"", r"nothing\.png is empty: it has 0 bytes"),
    "text": Case("notes.png", plain_text, r"notes\.png is a text, although its name says PNG"),
    "noise": Case("noise.jpg", lambda: np.random.default_rng(0).bytes(3000), r"noise\.jpg is not an image"),
    "gif": Case("cat.gif", lambda: saved(scene(), "GIF"), r"cat\.gif is a GIF image; only PNG, JPEG and WebP"),
    "gif called png": Case("cat.png", lambda: saved(scene(), "GIF"), r"cat\.png is a GIF image, although its name says PNG"),
    "bmp called png": Case("cat.png", lambda: saved(scene(), "BMP"), r"a BMP image, although its name says PNG"),
    "tiff called jpg": Case("cat.jpg", lambda: saved(scene(), "TIFF"), r"a TIFF image .*although its name says JPEG"),
    "svg called png": Case("cat.png", lambda: SVG, r"an SVG drawing, although its name says PNG"),
    "pdf called png": Case("cat.png", lambda: PDF, r"a PDF document, although its name says PNG"),
    "html called webp": Case("cat.webp", lambda: HTML, r"an HTML page, although its name says WebP"),
    "heic called jpg": Case("IMG_1.jpg", lambda: HEIC, r"a HEIC image, although its name says JPEG"),
    "heic of a new brand": Case("IMG_2.heic", lambda: iso_media(b"mif3", b"mif3", b"miaf"), r"is a HEIC image"),
    "heic by its compatible brands": Case("IMG_3.heic", lambda: iso_media(b"new1", b"mp42", b"heic"), r"is a HEIC image"),
    "avif that says mif1 first": Case("a.avif", lambda: iso_media(b"mif1", b"mif1", b"miaf", b"avif"), r"is an AVIF image"),
    "film": Case("a.mp4", lambda: iso_media(b"isom", b"isom", b"iso2", b"mp41"), r"is a video; only"),
    "raw file": Case("a.cr3", lambda: iso_media(b"crx ", b"crx ", b"isom"), r"is a camera's raw file"),
    "unknown brand": Case("a.xyz", lambda: iso_media(b"abcd", b"efgh"), r"is a video, or an image of a kind that is not known here"),
    # refused: damaged
    "truncated png": Case("cut.png", lambda: _half(saved(_noise(), "PNG")), r"incomplete PNG image: it ends within its part IDAT"),
    "truncated jpeg": Case("cut.jpg", lambda: _half(saved(_noise(), "JPEG")), r"damaged or incomplete JPEG image: image file is truncated"),
    "truncated webp": Case("cut.webp", lambda: _half(saved(_noise(), "WEBP", lossless=True)), r"damaged or incomplete WebP image"),
    "only the first bytes": Case("cut.png", lambda: saved(scene(), "PNG")[:8], r"incomplete PNG image: it ends before its end"),
    "wrong checksum of the pixels": Case("bad.png", lambda: wrong_crc(b"IDAT"), r"the checksum of its part IDAT is wrong"),
    "wrong checksum of the header": Case("bad.png", lambda: wrong_crc(b"IHDR"), r"the checksum of its part IHDR is wrong"),
    "no pixels": Case("bad.png", lambda: png(ihdr(8, 8)), r"damaged or incomplete PNG image"),
    "zero wide": Case("bad.png", lambda: png(ihdr(0, 8), idat(np.zeros((8, 0), np.uint8))), r"damaged or incomplete PNG image"),
    # refused: too much
    "bomb": Case("bomb.png", bomb, r"bomb\.png declares 30,000 x 30,000 = 900,000,000 pixels; at most 64,000,000"),
    "bomb behind another chunk": Case("bomb.png", lambda: bomb()[:8] + chunk(b"tEXt", b"a") + bomb()[8:], r"not begin with its header"),
    "jpeg bomb": Case("bomb.jpg", lambda: jpeg_of(65_500, 65_500), r"65,500 x 65,500 = 4,290,250,000 pixels"),
    "webp bomb": Case("bomb.webp", lambda: webp_of(16_000, 16_000), r"16,000 x 16,000 = 256,000,000 pixels"),
    "a little too large": Case("big.png", lambda: png(ihdr(8_001, 8_000)), r"8,001 x 8,000 = 64,008,000 pixels"),
    "text bomb": Case("text.png", lambda: with_text(20_000_000), r"texts or a colour profile that unpack to megabytes"),
    "profile bomb": Case("icc.png", lambda: _profile(20_000_000), r"texts or a colour profile that unpack to megabytes"),
    "filling bytes": Case("slow.jpg", lambda: behind_soi(b"\xff" * 30 * MIB), r"has more than 4,096 bytes of filling between its segments"),
    "only filling": Case("slow.jpg", lambda: b"\xff\xd8" + b"\xff" * 30 * MIB, r"has more than 4,096 bytes of filling"),
    "rubbish between segments": Case(
        "slow.jpg", lambda: behind_soi(segment(0xE5, b"") + bytes(30 * MIB)), r"has more than 4,096 bytes of filling"
    ),
    "empty segments": Case("slow.jpg", lambda: behind_soi(segment(0xE5, b"") * (7 * MIB)), r"has more than 600 segments"),
    "restarts": Case("slow.jpg", lambda: behind_soi(b"\xff\xd0" * 15 * MIB), r"has more than 600 segments"),
    "a long exif": Case("slow.jpg", lambda: behind_soi(segment(0xE1, b"Exif\0\0" + bytes(60_000)) * 500), r"more than 8 MiB of metadata"),
    "empty chunks": Case("slow.png", lambda: with_chunk(chunk(b"teSt", b"") * (5 * MIB // 2)), r"more than 500 chunks beside its pixels"),
    "empty pixel chunks": Case("slow.png", lambda: with_chunk(chunk(b"IDAT", b"") * (5 * MIB // 2)), r"has more than 20,000 chunks"),
    "webp of too many pixels": Case("big.webp", lambda: webp_of(8_000, 8_000), r"64,000,000 pixels; at most 14,222,222 of its kind, which"),
    "progressive jpeg of too many pixels": Case(
        "big.jpg", lambda: jpeg_of(8_000, 8_000, progressive=True), r"64,000,000 pixels; at most 21,333,333 of its kind, which"
    ),
    "hundreds of scans": Case("slow.jpg", scans_jpeg, r"decoded in 30\d passes"),
}
# fmt: on


def _profile(length: int) -> bytes:
    """iCCP: a colour profile that unpacks to ``length`` zeros."""
    return with_chunk(chunk(b"iCCP", b"profile\x00\x00" + zlib.compress(bytes(length), 9)))


def _half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _noise() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


#: What files are called by those who want to see what happens, and what is shown of it.
NAMES = {
    "https://example.org/a/b/cat.png": "cat.png",
    "../../../etc/passwd.png": "passwd.png",
    "C:\\Users\\me\\cat.jpg": "cat.jpg",
    "/absolute/cat.webp": "cat.webp",
    "cat\x00.png": "cat.png",
    "cat\r\n\x1b[31m.png": "cat[31m.png",
    "gnp.\u202etac.png": "gnp.tac.png",
    "half \ud800 pair.png": "half pair.png",
    "two\u2028lines.png": "twolines.png",
    "": "image",
    "..": "image",
    "///": "image",
    "\x07\x08": "image",
    "猫 äé.png": "猫 äé.png",
    "<b>cat</b>.png": "b>.png",
}
