"""Training batches as tensor arithmetic on whole batches, from a data set that lies on the device as one uint8 tensor.

A set too large for that stays where it is, in memory or mapped from a disk, and each batch's images alone go to the device.

Preparation and ``standard`` augmentation are those of section 4.2 of He et al. 2016: the per-pixel mean is subtracted, 4 pixels of zeros
are padded on each side, a 32 x 32 crop is taken at random, and it is flipped horizontally at random. The others are in ``augment``.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from resnet_core.config import AUGMENTATIONS
from resnet_core.data import augment
from resnet_core.data.augment import ColourAxes, Stretch, centre
from resnet_core.data.dataset import Split

PADDING = 4
#: The images lie on the device where they take no more than this part of its free memory: the net, its maps and gradients need the rest.
RESIDENT = 0.25


def per_pixel_mean(split: Split, side: int | None = None) -> Tensor:
    """The mean image: float32 (3, 32, 32), in units of pixel / 255. Summed in whole numbers, so it is the same everywhere.

    Args:
        side: of the middle of larger images, which is what a net sees of them; the mean is then float32 (3, side, side).
    """
    images = split.images if side is None else centre(split.images, side)
    pixels = images.permute(0, 2, 3, 1).numpy()
    total = pixels.sum(axis=0, dtype=np.int64)  # numpy: 50 times as fast here as torch's reduction, which is made for floats
    mean = total / (255 * len(split))
    return torch.from_numpy(mean.astype(np.float32)).permute(2, 0, 1).contiguous()


def normalize(images_uint8: Tensor, mean: Tensor, std: Tensor | None = None) -> Tensor:
    """(Pixel / 255 - mean) / std: uint8 (N, 3, S, S), anywhere -> float32 (N, 3, S, S) on the device of the mean, channels last in memory.

    Of images that are larger than the mean image, the middle.

    Args:
        mean: float32 (3, S, S) or (3, 1, 1); std: float32 (3, 1, 1), or None: nothing is divided.
    """
    images_uint8 = images_uint8.to(mean.device)
    if 1 < mean.shape[-1] < images_uint8.shape[-1]:
        images_uint8 = centre(images_uint8, mean.shape[-1])
    x = images_uint8.contiguous(memory_format=torch.channels_last).float().div_(255).sub_(mean)
    return x if std is None else x.div_(std)


def _generator(seed: int, purpose: str, number: int) -> torch.Generator:
    """Random numbers that depend on the arguments only. They come from the CPU, so that every device sees the same batches."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{number}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def _free(device: torch.device) -> float:
    """Bytes that are free on a device; on the CPU nothing is copied, and none are short."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return float("inf")


class Batches:
    """The batches of a training, each a pure function of (seed, iteration): a resumed training, and a net and its twin, see the same.

    The images go round in epochs, each a new permutation of all of them, one after the other; a batch may straddle two epochs,
    so that every batch is full and each image is seen once an epoch.

    Args:
        split: the images, squares of S pixels, and labels; the images are copied to ``device`` where they fit (``RESIDENT``) and used where
            they are otherwise, as they always are on the CPU. The batches are the same.
        mean: float32 (3, side, side), of ``per_pixel_mean``; or (3, 1, 1).
        batch_size: images in a batch, B.
        seed: of the order and the augmentation; not of the weights.
        device: where the batches are made and returned.
        augmentation: ``standard`` (padding by 4, random crop, random horizontal flip), ``none``, ``crop`` (a random crop of the larger
            image), ``scale`` (a crop of the image at a random scale) or ``resized`` (a random part of the image); the last three are
            flipped too. The first two see the middle of larger images.
        side: of the images in a batch, at most S; S where it is not given.
        scale_range: the smallest and the largest side of ``scale``; see ``augment.scaled``.
        pca_colour: standard deviation of the shift along the axes of the colours; 0 is none.
        colour_jitter: how far brightness, contrast and saturation may go from 1; 0 leaves them.
        axes: of the colours; of the split's own where they are not given.

    Raises:
        ValueError: the images are too few, or smaller than what is to be cut out of them.
    """

    def __init__(
        self,
        split: Split,
        mean: Tensor,
        batch_size: int,
        seed: int,
        device: torch.device | str,
        augmentation: str = "standard",
        *,
        side: int | None = None,
        scale_range: tuple[int, ...] = (),
        pca_colour: float = 0.0,
        colour_jitter: float = 0.0,
        axes: ColourAxes | None = None,
    ):
        if augmentation not in AUGMENTATIONS:
            raise ValueError(f"augmentation {augmentation!r} is not one of {AUGMENTATIONS}")
        if len(split) == 0 or batch_size < 1:
            raise ValueError("batches need at least one image and a batch size of at least 1")
        stored = split.images.shape[-1]
        self.side = side or stored
        if self.side > stored:
            raise ValueError(f"images of {stored} pixels are too small for {self.side}")
        self.batch_size, self.seed, self.augmentation = batch_size, seed, augmentation
        self.scale_range, self.pca_colour, self.colour_jitter = scale_range, pca_colour, colour_jitter
        self.device = torch.device(device)
        self._images = split.images.permute(0, 2, 3, 1).contiguous()  # uint8 (N, S, S, 3); of data sets, and so of mapped files, no copy
        self._streams = self._images.nbytes > RESIDENT * _free(self.device)
        if not self._streams:
            self._images = self._images.to(self.device)
        self._labels = split.labels.to(device)
        self._mean = mean.to(device).permute(1, 2, 0).contiguous()  # float32 (side, side, 3)
        self._axes = axes or (augment.colour_axes(split) if pca_colour else None)
        self._orders: dict[int, Tensor] = {}
        places = torch.arange(self.side, device=device)
        self._rows, self._columns = places[None, :, None], places[None, None, :]

    def _order(self, epoch: int) -> Tensor:
        """The permutation of ``epoch``, int64 (N,); the last two are kept."""
        if epoch not in self._orders:
            if len(self._orders) > 1:
                self._orders.pop(next(iter(self._orders)))
            self._orders[epoch] = torch.randperm(len(self._labels), generator=_generator(self.seed, "order", epoch))
        return self._orders[epoch]

    def indices(self, iteration: int) -> Tensor:
        """Which images batch ``iteration`` (counted from 0) is made of: int64 (B,), on the CPU."""
        position, stop = iteration * self.batch_size, (iteration + 1) * self.batch_size
        parts = []
        while position < stop:
            epoch, start = divmod(position, len(self._labels))
            parts.append(self._order(epoch)[start : start + stop - position])
            position += len(parts[-1])
        return torch.cat(parts)

    def crops(self, iteration: int) -> Tensor:
        """Where batch ``iteration`` is cut out, and what is flipped: int64 (3, B), on the CPU: the first row and the first column of the
        crop (``standard``: in the padded image, 0 to 8; 4 is the middle; ``crop``: in the image), and whether it is flipped (0 or 1)."""
        generator = _generator(self.seed, "crop", iteration)
        most = 2 * PADDING if self.augmentation == "standard" else self._images.shape[1] - self.side
        corners = torch.randint(0, most + 1, (2, self.batch_size), generator=generator)
        return torch.cat([corners, torch.randint(0, 2, (1, self.batch_size), generator=generator)])

    def parts(self, iteration: int) -> tuple[Stretch, Stretch, Tensor]:
        """The same of ``scale`` and ``resized``: rows and columns, on the CPU, and whether it is flipped, int64 (B,)."""
        generator = _generator(self.seed, "crop", iteration)
        count, source = self.batch_size, self._images.shape[1]
        if self.augmentation == "scale":
            rows, columns = augment.scaled(count, source, self.side, self.scale_range, generator)
        else:
            rows, columns = augment.resized(count, source, self.side, generator)
        return rows, columns, augment.flips(count, generator)

    def shifts(self, iteration: int) -> Tensor | None:
        """What is added to all pixels of each image of batch ``iteration``: float32 (B, 3), on the CPU; None where nothing is."""
        if not self.pca_colour or self._axes is None:
            return None
        return augment.colour_shifts(self.batch_size, self.pca_colour, self._axes, _generator(self.seed, "pca", iteration))

    def jitters(self, iteration: int) -> tuple[Tensor, Tensor] | None:
        """The factors and the order of the changes of colour of batch ``iteration`` (``augment.jitters``); None where there are none."""
        if not self.colour_jitter:
            return None
        return augment.jitters(self.batch_size, self.colour_jitter, _generator(self.seed, "jitter", iteration))

    def __call__(self, iteration: int) -> tuple[Tensor, Tensor]:
        """Batch ``iteration`` (counted from 0): images, float32 (B, 3, side, side), channels last in memory, and labels, int64 (B,)."""
        chosen = self.indices(iteration)
        if self.augmentation in ("standard", "crop"):
            # One small copy to the device a batch.
            index, *places = torch.cat([chosen[None], self.crops(iteration)]).to(self.device).view(4, self.batch_size, 1, 1)
            index = index.view(self.batch_size)
            pixels = self._pixels(chosen, index)
            if self.augmentation == "standard":
                centred = self._coloured(pixels, iteration).sub_(self._mean)
                images = self._window(F.pad(centred, (0, 0, PADDING, PADDING, PADDING, PADDING)), *places)
            else:
                images = self._coloured(self._window(pixels, *places), iteration).sub_(self._mean)
        else:
            index = chosen.to(self.device)
            pixels = self._pixels(chosen, index)
            if self.augmentation != "none":
                pixels = augment.resample(pixels.float(), *self.parts(iteration), self.side)
            images = self._coloured(pixels, iteration).sub_(self._mean)
        if (shifts := self.shifts(iteration)) is not None:
            images = images + shifts.to(self.device)[:, None, None, :]
        return images.permute(0, 3, 1, 2), self._labels.index_select(0, index)

    def _pixels(self, chosen: Tensor, index: Tensor) -> Tensor:
        """The images of a batch, uint8 (B, S, S, 3) on the device; of ``standard`` and ``none`` their middles, (B, side, side, 3).

        Args:
            chosen, index: which images, int64 (B,), on the CPU and on the device.
        """
        if self._streams:
            # Pinned, the batch travels while the device still computes the one before; its memory is used again only after that.
            pinned = self.device.type == "cuda"
            pixels = torch.empty((len(chosen), *self._images.shape[1:]), dtype=torch.uint8, pin_memory=pinned)
            pixels = torch.index_select(self._images, 0, chosen, out=pixels).to(self.device, non_blocking=pinned)
        else:
            pixels = self._images.index_select(0, index)
        if self.augmentation in ("standard", "none") and self.side < pixels.shape[1]:
            pixels = centre(pixels.permute(0, 3, 1, 2), self.side).permute(0, 2, 3, 1)
        return pixels

    def _coloured(self, pixels: Tensor, iteration: int) -> Tensor:
        """Pixel / 255 in new memory, with the changes of colour that are no addition: (B, H, W, 3) -> float32 (B, H, W, 3)."""
        floats = pixels.to(torch.float32).div_(255)  # of bytes a copy; of resampled pixels their own memory
        drawn = self.jitters(iteration)
        return floats if drawn is None else augment.jitter(floats, *drawn)

    def _window(self, pixels: Tensor, top: Tensor, left: Tensor, flip: Tensor) -> Tensor:
        """Cut a window out of each image: (B, W, W, 3) -> (B, side, side, 3); the places are int64 (B, 1, 1), on the device."""
        count, width = self.batch_size, pixels.shape[1]
        # Each pixel of the crops by its place among all pixels; a flipped crop reads its columns backwards.
        columns = left + torch.where(flip == 1, self.side - 1 - self._columns, self._columns)  # (B, 1, side)
        rows = (torch.arange(count, device=pixels.device).view(count, 1, 1) * width + top + self._rows) * width  # (B, side, 1)
        return pixels.view(-1, 3).index_select(0, (rows + columns).view(-1)).view(count, self.side, self.side, 3)
