"""Training batches as tensor arithmetic on whole batches, from a data set that lies on the device as one uint8 tensor.

Preparation and augmentation are those of section 4.2 of He et al. 2016: the per-pixel mean is subtracted, 4 pixels of zeros are
padded on each side, a 32 x 32 crop is taken at random, and it is flipped horizontally at random.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from resnet_core.config import AUGMENTATIONS
from resnet_core.data.dataset import Split

PADDING = 4


def per_pixel_mean(split: Split) -> Tensor:
    """The mean image: float32 (3, 32, 32), in units of pixel / 255. Summed in whole numbers, so it is the same everywhere."""
    pixels = split.images.permute(0, 2, 3, 1).numpy()
    total = pixels.sum(axis=0, dtype=np.int64)  # numpy: 50 times as fast here as torch's reduction, which is made for floats
    mean = total / (255 * len(split))
    return torch.from_numpy(mean.astype(np.float32)).permute(2, 0, 1).contiguous()


def _centred(images: Tensor, mean: Tensor) -> Tensor:
    """uint8 -> float32, pixel / 255 - mean, in any layout."""
    return images.float().div_(255).sub_(mean)


def normalize(images_uint8: Tensor, mean: Tensor) -> Tensor:
    """Pixel / 255 - mean: uint8 (N, 3, 32, 32) and float32 (3, 32, 32) -> float32 (N, 3, 32, 32), channels last in memory."""
    return _centred(images_uint8.contiguous(memory_format=torch.channels_last), mean)


def _generator(seed: int, purpose: str, number: int) -> torch.Generator:
    """Random numbers that depend on the arguments only. They come from the CPU, so that every device sees the same batches."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{number}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


class Batches:
    """The batches of a training, each a pure function of (seed, iteration): a resumed training, and a net and its twin, see the same.

    The images go round in epochs, each a new permutation of all of them, one after the other; a batch may straddle two epochs,
    so that every batch is full and each image is seen once an epoch.

    Args:
        split: the images and labels; copied to ``device`` (on the CPU, used where they are).
        mean: float32 (3, 32, 32), of ``per_pixel_mean``.
        batch_size: images in a batch, B.
        seed: of the order and the augmentation; not of the weights.
        device: where the batches are made and returned.
        augmentation: ``standard`` (padding by 4, random crop, random horizontal flip) or ``none``.
    """

    def __init__(self, split: Split, mean: Tensor, batch_size: int, seed: int, device: torch.device | str, augmentation: str = "standard"):
        if augmentation not in AUGMENTATIONS:
            raise ValueError(f"augmentation {augmentation!r} is not one of {AUGMENTATIONS}")
        if len(split) == 0 or batch_size < 1:
            raise ValueError("batches need at least one image and a batch size of at least 1")
        self.batch_size, self.seed, self.augmentation = batch_size, seed, augmentation
        self._images = split.images.to(device).permute(0, 2, 3, 1).contiguous()  # uint8 (N, 32, 32, 3)
        self._labels = split.labels.to(device)
        self._mean = mean.to(device).permute(1, 2, 0).contiguous()  # float32 (32, 32, 3)
        self._orders: dict[int, Tensor] = {}
        side = torch.arange(32, device=device)
        self._rows, self._columns = side[None, :, None], side[None, None, :]

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
        """The augmentation of batch ``iteration``: int64 (3, B), on the CPU: the first row and the first column of the crop in
        the padded image (0 to 8; 4 is the middle), and whether it is flipped (0 or 1)."""
        generator = _generator(self.seed, "crop", iteration)
        corners = torch.randint(0, 2 * PADDING + 1, (2, self.batch_size), generator=generator)
        return torch.cat([corners, torch.randint(0, 2, (1, self.batch_size), generator=generator)])

    def __call__(self, iteration: int) -> tuple[Tensor, Tensor]:
        """Batch ``iteration`` (counted from 0): images, float32 (B, 3, 32, 32), channels last in memory, and labels, int64 (B,)."""
        device, count = self._images.device, self.batch_size
        if self.augmentation == "none":
            index = self.indices(iteration).to(device)
            images = _centred(self._images.index_select(0, index), self._mean)
        else:
            # One small copy to the device a batch.
            index, top, left, flip = torch.cat([self.indices(iteration)[None], self.crops(iteration)]).to(device).view(4, count, 1, 1)
            index = index.view(count)
            centred = _centred(self._images.index_select(0, index), self._mean)
            padded = F.pad(centred, (0, 0, PADDING, PADDING, PADDING, PADDING))  # (B, 40, 40, 3)
            # Each pixel of the crops by its place among all padded pixels; a flipped crop reads its columns backwards.
            width = 32 + 2 * PADDING
            columns = left + torch.where(flip == 1, 31 - self._columns, self._columns)  # (B, 1, 32)
            rows = (torch.arange(count, device=device).view(count, 1, 1) * width + top + self._rows) * width  # (B, 32, 1)
            images = padded.view(-1, 3).index_select(0, (rows + columns).view(-1)).view(count, 32, 32, 3)
        return images.permute(0, 3, 1, 2), self._labels.index_select(0, index)
