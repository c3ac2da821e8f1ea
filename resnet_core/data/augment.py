"""What is done to images before they are trained on: where a crop is taken, how it is resized, how its colours are changed.

What is drawn by chance is drawn on the CPU, and what is done is done to whole batches on their device. Pixels lie with the channels last,
float32 (B, height, width, 3); where colours are changed, from 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from resnet_core.data.dataset import Split

#: Of a random resized crop (Szegedy et al. 2015): the part of the image's area, and width divided by height; and how often one that does
#: not fit is drawn anew before the whole image is taken.
AREA, RATIO, TRIES = (0.08, 1.0), (3 / 4, 4 / 3), 10
#: The sides that an image is scaled to, for a crop of 224 pixels (He et al. 2016, section 3.4).
PAPER_SCALES, PAPER_CROP = (256, 480), 224
#: What red, green and blue add to the grey of a pixel (ITU-R BT.601).
GREY = (0.299, 0.587, 0.114)
#: Pixels that colours are summed over at once: 1,000 images of CIFAR-10, 24 MB in double precision.
_PIXELS_AT_ONCE = 1 << 20


# -- where: crops, scales ----------------------------------------------------------------------------------------------------


def centre(images: Tensor, side: int) -> Tensor:
    """The middle of larger images: (N, C, H, W) -> (N, C, side, side), no copy; images of that size are given back."""
    top, left = ((length - side) // 2 for length in images.shape[-2:])
    return images[..., top : top + side, left : left + side]


@dataclass(frozen=True)
class Stretch:
    """Along one axis and for each image of a batch: the stretch that is resized, and the part of the result that is taken.

    Attributes:
        start, length: of the stretch in the image, int64 (B,), in pixels; nothing outside of it is seen.
        size: pixels that it is resized to; offset: the first of these that is taken. int64 (B,).
    """

    start: Tensor
    length: Tensor
    size: Tensor
    offset: Tensor

    def weights(self, source: int, side: int, device: torch.device | str) -> Tensor:
        """How much of each of ``source`` pixels is in each of ``side``: float32 (B, side, source).

        Linear interpolation; where the image shrinks, of all the pixels that fall on one (antialiasing, as in Pillow).
        """
        start, length, size, offset = (
            each.to(device, torch.float32).view(-1, 1, 1) for each in (self.start, self.length, self.size, self.offset)
        )
        step = length / size
        middles = start + (offset + torch.arange(side, device=device).view(1, -1, 1) + 0.5) * step
        pixels = torch.arange(source, device=device).view(1, 1, -1) + 0.5
        weights = (1 - (pixels - middles).abs() / step.clamp(min=1)).clamp(min=0)
        weights = weights * ((pixels > start) & (pixels < start + length))
        return weights / weights.sum(2, keepdim=True)


def _up_to(most: Tensor, generator: Generator) -> Tensor:
    """A whole number from 0 to ``most``, each as likely: int64, of the same shape."""
    return (torch.rand(most.shape, generator=generator, dtype=torch.float64) * (most + 1)).long()


def scaled(count: int, source: int, side: int, scales: tuple[int, ...], generator: Generator) -> tuple[Stretch, Stretch]:
    """Draw a scale for each of ``count`` images of ``source`` pixels, and a crop of ``side`` from it: its rows and its columns.

    Args:
        scales: the smallest and the largest side that an image is resized to; empty: as in the paper, 256 to 480 for a crop of 224.
    """
    low, high = scales or (round(side * scale / PAPER_CROP) for scale in PAPER_SCALES)
    size = torch.randint(low, high + 1, (count,), generator=generator)
    whole = torch.full((count,), source)
    rows, columns = (Stretch(torch.zeros_like(whole), whole, size, _up_to(size - side, generator)) for _ in range(2))
    return rows, columns


def resized(count: int, source: int, side: int, generator: Generator) -> tuple[Stretch, Stretch]:
    """Draw a part of each of ``count`` images of ``source`` pixels that is resized to ``side``: its rows and its columns.

    Area and ratio are drawn uniformly, the ratio on a logarithmic scale, until the part fits into the image.
    """
    draws = torch.rand((2, count, TRIES), generator=generator, dtype=torch.float64)
    area = (AREA[0] + (AREA[1] - AREA[0]) * draws[0]) * source**2
    low, high = (math.log(end) for end in RATIO)
    ratio = torch.exp(low + (high - low) * draws[1])
    heights, widths = (area / ratio).sqrt().round().long(), (area * ratio).sqrt().round().long()
    fits = (heights >= 1) & (widths >= 1) & (heights <= source) & (widths <= source)
    first = fits.int().argmax(1, keepdim=True)  # of equals, argmax gives the first
    found = fits.any(1)
    height, width = (torch.where(found, sides.gather(1, first)[:, 0], source) for sides in (heights, widths))
    size, offset = torch.full((count,), side), torch.zeros(count, dtype=torch.int64)
    rows, columns = (Stretch(_up_to(source - length, generator), length, size, offset) for length in (height, width))
    return rows, columns


def flips(count: int, generator: Generator) -> Tensor:
    """Whether each of ``count`` images is mirrored: int64 (B,), 0 or 1."""
    return torch.randint(0, 2, (count,), generator=generator)


def resample(pixels: Tensor, rows: Stretch, columns: Stretch, flip: Tensor, side: int) -> Tensor:
    """Resize, crop and mirror each image: (B, H, W, 3) -> (B, side, side, 3). ``flip``: as of ``flips``."""
    count, height, width, _ = pixels.shape
    down, across = rows.weights(height, side, pixels.device), columns.weights(width, side, pixels.device)
    across = torch.where(flip.to(pixels.device).view(-1, 1, 1) == 1, across.flip(1), across)
    lines = torch.bmm(down, pixels.reshape(count, height, width * 3)).view(count, side, width, 3)
    # The columns of a line are summed as its rows were: the lines of an image side by side, of three channels each.
    turned = lines.permute(0, 2, 1, 3).reshape(count, width, side * 3)
    return torch.bmm(across, turned).view(count, side, side, 3).permute(0, 2, 1, 3).contiguous()


# -- colours -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ColourAxes:
    """The principal axes of the colours of a set of images (Krizhevsky et al. 2012, section 4.1), of pixels from 0 to 1.

    Attributes:
        variances: along each axis, the largest first: (3,). vectors: the axes of length 1, as the columns of (3, 3); rows are R, G, B.
    """

    variances: tuple[float, ...]
    vectors: tuple[tuple[float, ...], ...]


#: Of ImageNet's training images, as fb.resnet.torch has them (datasets/imagenet.lua).
IMAGENET_AXES = ColourAxes((0.2175, 0.0188, 0.0045), ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203)))


def colour_axes(split: Split) -> ColourAxes:
    """Compute the axes of all pixels of a split. The sums are whole numbers, so they are the same everywhere."""
    sums, products, count = np.zeros(3), np.zeros((3, 3)), 0
    at_once = max(1, _PIXELS_AT_ONCE // split.images.shape[-1] ** 2)
    for start in range(0, len(split), at_once):
        pixels = split.images[start : start + at_once].permute(0, 2, 3, 1).reshape(-1, 3).numpy().astype(np.float64)
        sums, products, count = sums + pixels.sum(0), products + pixels.T @ pixels, count + len(pixels)
    mean = sums / count
    variances, vectors = np.linalg.eigh((products / count - np.outer(mean, mean)) / 255**2)
    variances, vectors = variances[::-1], vectors[:, ::-1]
    # An axis has two directions; that in which its largest part is positive is as good as the other, and always the same.
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(0), range(3)])
    return ColourAxes(tuple(variances.tolist()), tuple(map(tuple, vectors.tolist())))


def colour_shifts(count: int, strength: float, axes: ColourAxes, generator: Generator) -> Tensor:
    """Draw what is added to all pixels of each of ``count`` images: float32 (B, 3); N(0, strength) along each axis, times its variance."""
    along = torch.randn((count, 3), generator=generator, dtype=torch.float64) * strength
    variances, vectors = (torch.tensor(values, dtype=torch.float64) for values in (axes.variances, axes.vectors))
    return ((along * variances) @ vectors.T).float()


def _towards(pixels: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    """``factor`` of the pixels and the rest of the other; within 0 to 1."""
    return (factor * pixels + (1 - factor) * other).clamp(0, 1)


def _grey(pixels: Tensor) -> Tensor:
    return (pixels * torch.tensor(GREY, device=pixels.device)).sum(-1, keepdim=True)


def _brightness(pixels: Tensor, factor: Tensor) -> Tensor:
    return _towards(pixels, torch.zeros_like(pixels), factor)


def _contrast(pixels: Tensor, factor: Tensor) -> Tensor:
    return _towards(pixels, _grey(pixels).mean((1, 2), keepdim=True), factor)


def _saturation(pixels: Tensor, factor: Tensor) -> Tensor:
    return _towards(pixels, _grey(pixels), factor)


_JITTERS: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (_brightness, _contrast, _saturation)


def jitters(count: int, strength: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Draw for each image the factors of brightness, contrast and saturation, and in which order they are changed.

    Returns:
        factors from 1 - strength to 1 + strength, float64 (B, 3); and permutations of 0, 1 and 2, int64 (B, 3).
    """
    draws = torch.rand((2, count, 3), generator=generator, dtype=torch.float64)
    return 1 + strength * (2 * draws[0] - 1), draws[1].argsort(1)


def jitter(pixels: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """Change brightness, contrast and saturation of each image, as ``jitters`` drew it: the same shape, within 0 to 1."""
    changed = pixels.clone()
    on_device = factors.to(pixels.device, torch.float32)
    for turn in range(3):
        for number, change in enumerate(_JITTERS):
            which = torch.nonzero(order[:, turn] == number)[:, 0].to(pixels.device)
            if len(which):
                changed[which] = change(changed[which], on_device[which, number].view(-1, 1, 1, 1))
    return changed
