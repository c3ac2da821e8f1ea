"""What the net sees of a picture: 32x32 pixels, cut or fitted."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import functional

from resnet_core.images import Picture, read_image, shaping, to_input, whole_square
from tests import bad_images


def picture(pixels: np.ndarray) -> Picture:
    image = Image.fromarray(pixels)
    return Picture("a.png", image, (), image.size)


@pytest.mark.parametrize("how", ["crop", "fit"])
def test_32_by_32_is_left_as_it_is(how):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    made = to_input(picture(pixels), how)
    assert made.dtype == np.uint8 and np.array_equal(made, pixels)
    made[:] = 0  # the caller's own
    assert np.array_equal(to_input(picture(pixels), how), pixels)


def test_crop_takes_the_square_in_the_centre():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 52, 3), dtype=np.uint8)
    assert np.array_equal(to_input(picture(pixels), "crop"), pixels[:, 10:42])
    assert np.array_equal(to_input(picture(pixels.swapaxes(0, 1).copy()), "crop"), pixels[:, 10:42].swapaxes(0, 1))


def test_fit_shows_all_of_it_on_a_border():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 32, 3), dtype=np.uint8)
    made = to_input(picture(pixels), "fit")
    assert np.array_equal(made[6:26], pixels)
    assert (made[:6] == shaping.BORDER).all() and (made[26:] == shaping.BORDER).all()


def test_every_pixel_counts_when_it_is_made_smaller():
    """A checkerboard of single pixels becomes grey; taking every twentieth pixel would give black or white."""
    board = np.indices((640, 640)).sum(0) % 2 * 255
    made = to_input(picture(np.repeat(board[..., None], 3, axis=2).astype(np.uint8)))
    assert np.abs(made.astype(int) - 127.5).max() <= 3


def test_a_single_pixel_fills_the_input():
    one = read_image(bad_images.saved(np.full((1, 1, 3), (9, 120, 250), np.uint8), "PNG"), "dot.png")
    assert one.size == (1, 1)
    for how in shaping.HOWS:
        assert (to_input(one, how) == (9, 120, 250)).all()


@pytest.mark.parametrize("size", [(20_000, 1), (1, 20_000), (3_000, 2), (70_000, 60)])
def test_extreme_aspect_ratios(size):
    width, height = size
    strip = read_image(bad_images.saved(np.full((height, width, 3), (200, 40, 90), np.uint8), "PNG"), "strip.png")
    assert strip.size == size
    assert (to_input(strip, "crop") == (200, 40, 90)).all()
    fitted = to_input(strip, "fit")
    inside = (fitted == (200, 40, 90)).all(2)
    assert inside.any(axis=1).sum() == (1 if width > height else 32) and inside.any(axis=0).sum() == (1 if height > width else 32)
    assert (fitted[~inside] == shaping.BORDER).all()


def test_how_is_one_of_two():
    with pytest.raises(ValueError, match="stretch"):
        to_input(picture(bad_images.scene()), "stretch")


def test_the_border_is_the_mean_of_cifar_10():
    from resnet_core.nets import NORMALIZATIONS

    mean = tuple(round(255 * value) for value in NORMALIZATIONS["cifar10"].mean)
    assert mean == shaping.BORDER


def test_images_are_read_without_torch(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(bad_images.saved(bad_images.scene(), "PNG"))
    code = (
        "import sys\nsys.modules['torch'] = None\nfrom resnet_core.images import read_file, to_input\n"
        f"assert to_input(read_file({str(path)!r})).shape == (32, 32, 3)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("size", [(500, 375), (375, 500), (224, 224), (256, 256), (31, 97), (1001, 300), (640, 641)], ids=str)
def test_an_imagenet_net_sees_what_torchvisions_presets_make_of_a_picture(size):
    """Shorter side 256, the 224 in the centre, bilinear with antialiasing; rounded once instead of twice, so 1 of 255 may differ."""
    small = np.random.default_rng(0).integers(0, 256, (size[1] // 7 + 2, size[0] // 7 + 2, 3), dtype=np.uint8)
    one = picture(np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)))
    expected = functional.center_crop(functional.resize(one.image, [256], antialias=True), [224])
    made = to_input(one, "crop", 224)
    assert made.shape == (224, 224, 3)
    assert np.abs(made.astype(int) - np.asarray(expected)).max() <= 1


def test_the_whole_square_holds_the_centre_that_one_view_keeps():
    small = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    one = picture(np.asarray(Image.fromarray(small).resize((600, 400), Image.Resampling.BICUBIC)))
    whole = whole_square(one)
    expected = functional.center_crop(functional.resize(one.image, [256], antialias=True), [256])
    assert whole.shape == (256, 256, 3) and np.abs(whole.astype(int) - np.asarray(expected)).max() <= 1
    assert np.abs(whole[16:240, 16:240].astype(int) - to_input(one, "crop", 224)).max() <= 1
    assert np.array_equal(whole_square(one, "fit"), to_input(one, "fit", 256))


def test_a_larger_one_can_show_all_of_it_too():
    made = to_input(picture(np.full((50, 100, 3), 9, np.uint8)), "fit", 224)
    assert (made[56:168] == 9).all() and (made[:56] == shaping.BORDER_IMAGENET).all() and (made[168:] == shaping.BORDER_IMAGENET).all()


def test_a_long_strip_is_not_enlarged_as_a_whole():
    strip = picture(np.repeat(np.full((1, 3, 3), (200, 40, 90), np.uint8), 60_000, axis=1))
    assert (to_input(strip, "crop", 224) == (200, 40, 90)).all()
