"""Images as people have them, and as those make them who mean harm: read as expected, or refused with what is wrong."""

from __future__ import annotations

import io
import re
import struct
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnet_core.errors import UserError
from resnet_core.images import MAX_FILE_BYTES, MAX_PIXELS, ImageRefused, read_file, read_image, reading, safe_name, sniff
from tests import bad_images, icc_profiles
from tests.bad_images import CASES, Case

READ = {name: case for name, case in CASES.items() if case.refused is None}
REFUSED = {name: case for name, case in CASES.items() if case.refused is not None}


def corners(image: Image.Image) -> np.ndarray:
    """The colours in the middles of the quarters, clockwise from the top left: int (4, 3)."""
    pixels = np.asarray(image).astype(int)
    (top, left), (bottom, right) = np.array(pixels.shape[:2]) // 4, np.array(pixels.shape[:2]) * 3 // 4
    return np.stack([pixels[top, left], pixels[top, right], pixels[bottom, right], pixels[bottom, left]])


@pytest.mark.parametrize("case", READ.values(), ids=list(READ))
def test_read_as_a_person_expects(case: Case):
    picture = read_image(case.content(), case.name)
    assert picture.image.mode == "RGB" and picture.name == case.name
    assert len(picture.notes) == len(case.notes), picture.notes
    for note, part in zip(picture.notes, case.notes, strict=True):
        assert part in note
    if case.corners is not None:
        assert np.abs(corners(picture.image) - np.array(case.corners)).max() <= case.tolerance
    assert picture.size == picture.image.size == ((40, 40) if "animated" in str(case.notes) else (bad_images.WIDTH, bad_images.HEIGHT))


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_refused_with_what_is_wrong(case: Case):
    with pytest.raises(ImageRefused) as refusal:
        read_image(case.content(), case.name)
    message = str(refusal.value)
    assert re.search(case.refused, message), message
    assert message.startswith(case.name) and len(message) < 400 and message.isprintable()
    assert isinstance(refusal.value, UserError)


def test_refusals_are_told_apart():
    """No message is so general that it would fit another file: each case's expression fits its own kind of case only."""
    messages = {}
    kinds = ("empty", "text", "noise", "gif", "truncated png", "wrong checksum of the pixels", "bomb", "text bomb", "hundreds of scans")
    for name in kinds:
        with pytest.raises(ImageRefused) as refusal:
            read_image(CASES[name].content(), CASES[name].name)
        messages[name] = str(refusal.value)
    for name, message in messages.items():
        assert [other for other in messages if re.search(CASES[other].refused, message)] == [name]


def test_the_bomb_is_a_real_one():
    content = bad_images.bomb()
    assert len(content) < 200_000
    at, packed = 8, b""
    while at < len(content):
        length, name = struct.unpack_from(">I4s", content, at)
        data = content[at + 8 : at + 8 + length]
        assert zlib.crc32(name + data) == struct.unpack_from(">I", content, at + 8 + length)[0]
        packed += data if name == b"IDAT" else b""
        at += 12 + length
    unpack, total = zlib.decompressobj(), 0
    while not unpack.eof:
        total += len(unpack.decompress(packed, 1 << 20))
        packed = unpack.unconsumed_tail
    assert total == 30_000 * (1 + 30_000 // 8)  # a filter's byte and a bit a pixel, of each row


@pytest.mark.parametrize("name", ["bomb", "jpeg bomb", "webp bomb"])
def test_a_bomb_is_refused_from_its_header(name, monkeypatch):
    content = CASES[name].content()
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("it was given to a decoder"))
    tracemalloc.start()
    with pytest.raises(ImageRefused, match="nothing of it was decoded"):
        read_image(content, "bomb")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_only_three_decoders_are_ever_asked(monkeypatch):
    asked = []
    real = Image.open
    monkeypatch.setattr(Image, "open", lambda *args, formats=None, **rest: asked.append(formats) or real(*args, formats=formats, **rest))
    for case in CASES.values():
        try:
            read_image(case.content(), case.name)
        except ImageRefused:
            continue
    assert len(asked) > 20 and all(len(formats) == 1 and formats[0] in ("PNG", "JPEG", "WEBP") for formats in asked)


def test_16_bits_keep_their_high_byte():
    samples = np.array([[[0x00FF], [0x0100]], [[0x7FFF], [0xFFFF]]], np.uint16)
    made = np.asarray(read_image(bad_images.png_16(samples, 0), "deep.png").image)
    assert made[..., 0].tolist() == [[0, 1], [127, 255]] and (made == made[..., :1]).all()
    samples = np.array([[[0x1280, 0x34FF, 0x5600], [0xFFFF, 0x0000, 0x00FF]]], np.uint16)
    assert np.asarray(read_image(bad_images.png_16(samples, 2), "deep.png").image).tolist() == [[[0x12, 0x34, 0x56], [255, 0, 0]]]


def test_16_bit_greyscale_with_a_transparent_value():
    samples = np.array([[[0x1234], [0x1235]]], np.uint16)
    content = bad_images.png_16(samples, 0, bad_images.chunk(b"tRNS", struct.pack(">H", 0x1234)))
    picture = read_image(content, "deep.png")
    assert np.asarray(picture.image)[0, :, 0].tolist() == [255, 0x12]
    assert [note.split()[0] for note in picture.notes] == ["16", "greyscale:", "transparency"]


def test_alpha_is_composited_as_by_the_formula():
    pixels = np.array([[[200, 100, 0, 0], [200, 100, 0, 128], [200, 100, 0, 255]]], np.uint8)
    made = np.asarray(read_image(bad_images.saved(pixels, "PNG"), "logo.png").image)[0]
    assert made[0].tolist() == [255, 255, 255] and made[2].tolist() == [200, 100, 0]
    assert np.abs(made[1] - (pixels[0, 1, :3] * (128 / 255) + 255 * (127 / 255))).max() <= 1


@pytest.mark.parametrize("name, shown", bad_images.NAMES.items())
def test_only_the_last_part_of_a_name_is_used(name, shown):
    assert safe_name(name) == shown
    assert read_image(bad_images.saved(bad_images.scene(), "PNG"), name).name == shown
    with pytest.raises(ImageRefused) as refusal:
        read_image(b"", name)
    assert str(refusal.value).startswith(f"{shown} is empty")
    str(refusal.value).encode()  # what cannot be encoded cannot be sent to a browser


def test_a_long_name_keeps_its_end():
    shown = safe_name("a" * 500 + ".final.png")
    assert len(shown) <= 80 and shown.endswith(".final.png") and "…" in shown


def test_the_largest_file(monkeypatch):
    content = bad_images.saved(bad_images.scene(), "PNG")
    monkeypatch.setattr(reading, "MAX_FILE_BYTES", len(content))
    assert read_image(content, "a.png").size == (bad_images.WIDTH, bad_images.HEIGHT)
    with pytest.raises(ImageRefused, match="larger than"):
        read_image(content + b"\x00", "a.png")


def test_the_largest_picture_is_read_and_averaged_down(monkeypatch):
    monkeypatch.setattr(reading, "MAX_PIXELS", bad_images.WIDTH * bad_images.HEIGHT)
    monkeypatch.setattr(reading, "KEPT_PIXELS", bad_images.WIDTH * bad_images.HEIGHT // 4)
    picture = read_image(bad_images.saved(bad_images.scene(), "PNG"), "a.png")
    assert picture.size == (48, 40) and picture.image.size == (24, 20)
    assert np.array_equal(np.asarray(picture.image), bad_images.scene(24, 20))
    with pytest.raises(ImageRefused, match=r"declares 48 x 41 = 1,968 pixels; at most 1,920"):
        read_image(bad_images.saved(bad_images.scene(48, 41), "PNG"), "a.png")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "L", "P", "I;16", "1"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_picture_is_averaged_tile_by_tile_to_the_same_pixels(monkeypatch, mode, orientation):
    """Against all of it at once; sides that are no multiple of anything, so that every edge has a part of a cell."""
    rng = np.random.default_rng(3)
    if mode == "I;16":
        image = Image.fromarray(rng.integers(0, 65536, (67, 101)).astype(np.uint16))
    else:
        image = Image.fromarray(rng.integers(0, 256, (67, 101, 4)).astype(np.uint8), "RGBA").convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = bad_images.saved(image, "PNG", exif=exif)
    whole = read_image(content, "a.png")
    monkeypatch.setattr(reading, "KEPT_PIXELS", 101 * 67 // 9)
    monkeypatch.setattr(reading, "_TILE", 7)
    picture = read_image(content, "a.png")
    assert (picture.size, picture.notes) == (whole.size, whole.notes) and picture.size == ((101, 67) if orientation == 1 else (67, 101))
    upright = np.asarray(whole.image if orientation == 1 else whole.image.transpose(Image.Transpose.ROTATE_90))
    expected = np.asarray(Image.fromarray(upright).reduce(4))
    found = picture.image if orientation == 1 else picture.image.transpose(Image.Transpose.ROTATE_90)
    assert np.array_equal(np.asarray(found), expected)


def test_a_photograph_of_a_telephone_is_read():
    content = bad_images.saved(np.full((6144, 8160, 3), 99, np.uint8), "JPEG")  # 50 million pixels
    picture = read_image(content, "IMG.jpg")
    assert picture.size == (8160, 6144) and picture.image.width * picture.image.height <= reading.KEPT_PIXELS
    assert set(np.unique(np.asarray(picture.image))) == {99}
    assert MAX_PIXELS > 8160 * 6144 and len(content) < MAX_FILE_BYTES


SLOW = [name for name, case in CASES.items() if case.name.startswith("slow.")]


@pytest.mark.parametrize("name", SLOW)
def test_what_would_take_long_is_refused_after_a_few_steps(name, monkeypatch):
    """Not by the clock: none of it comes to a decoder, and of the file at most 20,000 parts are looked at."""
    content = CASES[name].content()
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("it was given to a decoder"))
    steps = 0

    def count(frame, event, _):
        nonlocal steps
        steps += event == "line" and frame.f_code.co_filename == sniff.__file__
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        with pytest.raises(ImageRefused, match=CASES[name].refused):
            read_image(content, CASES[name].name)
    finally:
        sys.settrace(before)
    assert 0 < steps < 20 * sniff.MAX_CHUNKS


LARGEST = {
    "webp": "content = bad_images.large('WEBP', 3_770, quality=10, method=0)",
    "lossless webp": "content = bad_images.large('WEBP', 3_770, lossless=True, quality=0, method=0)",
    "progressive jpeg": "content = bad_images.large('JPEG', 4_618, progressive=True, subsampling=0)",
    "png": "content = bad_images.large('PNG', 8_000)",
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is read from /proc")
@pytest.mark.parametrize("made", LARGEST.values(), ids=list(LARGEST))
def test_the_largest_picture_of_each_kind_is_decoded_in_the_memory_that_was_said(made, root, tmp_path):
    """In a process of its own, whose greatest memory is its own; the file is made in another."""
    path = tmp_path / "picture"
    make = f"import sys\nfrom tests import bad_images\n{made}\nopen(sys.argv[1], 'wb').write(content)"
    subprocess.run([sys.executable, "-c", make, path], check=True, cwd=root)
    read = (
        "import sys\nfrom resnet_core.images import read_image\nimport numpy\nfrom PIL import Image, ImageCms\n"
        "most = lambda: int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) * 1024\n"
        "content = open(sys.argv[1], 'rb').read()\nImage.preinit()\nbefore = most()\npicture = read_image(content, 'a')\n"
        "print(picture.size[0] * picture.size[1], most() - before)"
    )
    told = subprocess.run([sys.executable, "-c", read, path], check=True, cwd=root, capture_output=True, text=True).stdout
    pixels, memory = map(int, told.split())
    assert pixels > 14_000_000 and memory < 256_000_000 + 60_000_000


def test_a_large_picture_is_converted_tile_by_tile_to_the_same_colours(monkeypatch):
    content = bad_images.profiled("Display P3", "PNG")
    whole = read_image(content, "a.png")
    monkeypatch.setattr(reading, "KEPT_PIXELS", bad_images.WIDTH * bad_images.HEIGHT // 4)
    monkeypatch.setattr(reading, "_TILE", 7)
    picture = read_image(content, "a.png")
    assert picture.notes == whole.notes and np.array_equal(np.asarray(picture.image), np.asarray(whole.image.reduce(2)))


def test_the_name_of_a_profile_is_shown_without_what_is_not_made_to_be_seen(monkeypatch):
    monkeypatch.setitem(icc_profiles.SPACES, "evil\u202e\n<b>" + "x" * 100, icc_profiles.SPACES["Display P3"])
    (note,) = read_image(bad_images.profiled("evil\u202e\n<b>" + "x" * 100, "PNG"), "a.png").notes
    assert note.startswith("colours converted from evil<b>xxx") and note.isprintable() and len(note) < 80


def test_files(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(bad_images.saved(bad_images.scene(), "PNG"))
    assert np.array_equal(np.asarray(read_file(path).image), bad_images.scene())
    with pytest.raises(ImageRefused, match=r"none\.png cannot be read: No such file"):
        read_file(tmp_path / "none.png")
    with pytest.raises(ImageRefused, match="Is a directory"):
        read_file(tmp_path)
    with pytest.raises(ImageRefused, match="cannot be read"):
        read_file("a\x00b.png")


def summed_anew(content: bytes) -> bytes:
    """A PNG file with right checksums, as far as its chunks can be followed: damage that comes past them."""
    mended, at = bytearray(content), 8
    while at + 12 <= len(mended):
        end = at + 8 + struct.unpack_from(">I", mended, at)[0]
        if end + 4 > len(mended):
            break
        struct.pack_into(">I", mended, end, zlib.crc32(mended[at + 4 : end]))
        at = end + 4
    return bytes(mended)


@pytest.mark.parametrize("kind, mend", [("PNG", bytes), ("PNG", summed_anew), ("JPEG", bytes), ("WEBP", bytes)])
def test_damage_of_any_kind_is_refused_or_read_but_never_a_traceback(kind, mend):
    """Bytes turned, cut out and put in, anywhere: a Picture or an ImageRefused."""
    random = np.random.default_rng(5)
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = random.integers(0, 256, (16, 16, 4 if kind != "JPEG" else 3), dtype=np.uint8)
    content = bad_images.saved(pixels, kind, exif=exif.tobytes())
    outcomes = {"read": 0, "refused": 0}
    for _ in range(400):
        broken = bytearray(content)
        for _ in range(random.integers(1, 4)):
            at = int(random.integers(0, len(broken)))
            match int(random.integers(0, 3)):
                case 0:
                    broken[at] ^= int(random.integers(1, 256))
                case 1:
                    del broken[at : at + int(random.integers(1, 20))]
                case 2:
                    broken[at:at] = random.bytes(int(random.integers(1, 20)))
        try:
            picture = read_image(mend(bytes(broken)), "fuzz")
            assert picture.image.mode == "RGB" and min(picture.image.size) > 0
            outcomes["read"] += 1
        except ImageRefused:
            outcomes["refused"] += 1
    assert outcomes["refused"] > 20, outcomes
    assert outcomes["read"] > 0 or (mend is bytes and kind == "PNG"), outcomes  # not every change is damage


@pytest.mark.parametrize(
    "kind, options", [("PNG", {}), ("JPEG", {}), ("JPEG", {"progressive": True}), ("WEBP", {}), ("WEBP", {"lossless": True})]
)
def test_the_declared_size_is_pillows(kind, options):
    content = bad_images.saved(bad_images.scene(123, 77), kind, **options)
    assert sniff.kind_of(content) == kind
    assert tuple(sniff.outline(content, kind).size) == Image.open(io.BytesIO(content)).size == (123, 77)
    assert all(sniff.outline(content[:n], kind).size in (None, (123, 77)) for n in range(12, len(content)))
