"""What people see of augmentation: made by the code of the batches, of images as they are, with padding of the mean colour."""

from __future__ import annotations

import pytest
import torch

from resnet_core.config import AUGMENTATIONS, DataConfig, Recipe
from resnet_core.data import Batches, Split, load
from resnet_core.data.views import stored, views


@pytest.fixture(scope="module")
def train() -> Split:
    return load(DataConfig("sample")).train


def test_without_augmentation_it_is_the_image(train):
    assert torch.equal(stored(7, 32), train.images[7])
    assert torch.equal(views(7, Recipe(augmentation="none"), 32, 3), train.images[7].expand(3, 3, 32, 32))


def test_standard_views_are_shifted_images_between_the_mean_colour(train):
    seen = views(7, Recipe(augmentation="standard"), 32, 20)
    image = train.images[7]
    mean = (train.images.double().mean((0, 2, 3))).round().to(torch.uint8)
    crops = Batches(Split(image[None], torch.zeros(1, dtype=torch.int64)), torch.zeros(3, 1, 1), 20, 0, "cpu").crops(0)
    for view, (top, left, flip) in zip(seen, crops.T.tolist(), strict=True):
        padded = mean[:, None, None].expand(3, 40, 40).clone()
        padded[:, 4:36, 4:36] = image
        expected = padded[:, top : top + 32, left : left + 32]
        assert (view.int() - (expected.flip(2) if flip else expected).int()).abs().max() <= 1


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
@pytest.mark.parametrize("side", [32, 224])
def test_views_have_the_size_of_the_nets_input_and_repeat(augmentation, side):
    recipe = Recipe(augmentation=augmentation, pca_colour=0.3, colour_jitter=0.4)
    seen = views(3, recipe, side, 4)
    assert seen.shape == (4, 3, side, side) and seen.dtype == torch.uint8
    assert torch.equal(seen, views(3, recipe, side, 4)) and not torch.equal(seen, views(3, recipe, side, 4, iteration=1))
    assert len({view.numpy().tobytes() for view in seen}) == 4
    assert stored(3, side).shape == ((3, 32, 32) if side == 32 else (3, 256, 256))
