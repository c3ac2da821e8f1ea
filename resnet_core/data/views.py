"""What a training is given of an image, for people to look at: made by ``Batches``, the very code that makes its batches."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

from resnet_core.config import DataConfig, Recipe
from resnet_core.data.augment import IMAGENET_AXES, PAPER_CROP, PAPER_SCALES, ColourAxes, colour_axes
from resnet_core.data.batches import Batches
from resnet_core.data.dataset import Split, load


@functools.cache
def _sample() -> tuple[Split, ColourAxes, Tensor]:
    """The sample's training images, the axes of their colours, and their mean colour, float32 (3, 1, 1)."""
    train = load(DataConfig("sample")).train
    return train, colour_axes(train), (train.images.double().mean((0, 2, 3)) / 255).float().view(3, 1, 1)


def stored(number: int, side: int) -> Tensor:
    """A training image of the sample, uint8 (3, S, S): for nets of larger images than that enlarged, as theirs are stored for crops."""
    image = _sample()[0].images[number]
    if side <= image.shape[-1]:
        return image
    size = round(side * PAPER_SCALES[0] / PAPER_CROP)
    large = F.interpolate(image[None].float(), size=(size, size), mode="bicubic", antialias=True)[0]
    return large.round().clamp(0, 255).to(torch.uint8)


def views(number: int, recipe: Recipe, side: int, count: int, iteration: int = 0) -> Tensor:
    """That image as a training sees it ``count`` times: uint8 (count, 3, side, side). Padding has the mean colour.

    Args:
        recipe: its augmentation and its seed.
        iteration: which draws.
    """
    _, axes, mean = _sample()
    batches = Batches(
        Split(stored(number, side)[None], torch.zeros(1, dtype=torch.int64)), mean, count, recipe.seed, "cpu", recipe.augmentation,
        side=side, scale_range=recipe.scale_range, pca_colour=recipe.pca_colour, colour_jitter=recipe.colour_jitter,
        axes=IMAGENET_AXES if side >= PAPER_CROP else axes,
    )  # fmt: skip
    images, _ = batches(iteration)
    return ((images + mean) * 255).round().clamp(0, 255).to(torch.uint8)
