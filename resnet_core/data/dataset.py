"""Loading a data set into tensors."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from resnet_core.config import DataConfig
from resnet_core.data import readers, sample
from resnet_core.data.folders import find, require_data_dir
from resnet_core.datasets import DATA_SETS, PICTURES


@dataclass(frozen=True, eq=False)
class Split:
    """Images and their labels, on the CPU.

    Attributes:
        images: uint8 (N, 3, S, S), RGB, 0 to 255; in memory the channels come last (``torch.channels_last``). S is 32 for all but
            folders of pictures, whose images may lie on a disk that is read as they are used.
        labels: int64 (N,), indices into the classes.
    """

    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, start: int, stop: int) -> Split:
        """The images from ``start`` to before ``stop``; no copy."""
        return Split(self.images[start:stop], self.labels[start:stop])


@dataclass(frozen=True, eq=False)
class Cifar10:
    """A data set, ready to train on.

    Attributes:
        train, test: the splits; ``train`` is without the images that are held out.
        validation: the last tenth of the training images (5,000 of the full set, as in section 4.2 of He et al. 2016), or None.
        classes: the names of the labels.
        source: as in ``DataConfig.dataset``.
    """

    train: Split
    test: Split
    validation: Split | None
    classes: tuple[str, ...]
    source: str


def _split(images: np.ndarray, labels: np.ndarray) -> Split:
    """Arrays uint8 (N, S, S, 3) and int64 (N,) as a Split, without a copy."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")  # a mapped file is only read, like all images
        return Split(torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(labels))


def _first_of_each_class(split: Split, count: int, classes: int) -> Split:
    places = [np.flatnonzero(split.labels.numpy() == label)[:count] for label in range(classes)]
    kept = torch.from_numpy(np.sort(np.concatenate(places)))
    # Rows of (N, H, W, C), as they lie in memory: indexing the permuted view would lay the channels first.
    return Split(split.images.permute(0, 2, 3, 1)[kept].permute(0, 3, 1, 2), split.labels[kept])


def load(config: DataConfig, data_dir: Path | str | None = None) -> Cifar10:
    """Read the data set of ``config``; what is not embedded from ``resolve_data_dir(data_dir)``, in any official layout.

    ``images_per_class`` picks the first so many training images of each class, in the set's own order.

    Raises:
        DataError: the set is missing, short or corrupted; names every file concerned and says what to do.
    """
    if config.pictures is not None:
        from resnet_core.data import pictures

        arrays = pictures.read(config.pictures, require_data_dir(data_dir, PICTURES))
    elif DATA_SETS[config.dataset].embedded:
        arrays = [sample.read("train", config.dataset), sample.read("test", config.dataset)]
    else:
        dataset = DATA_SETS[config.dataset]
        arrays = readers.read(*find(require_data_dir(data_dir, config.dataset), dataset), dataset)
    train, test = (_split(*each) for each in arrays)
    if config.images_per_class:
        train = _first_of_each_class(train, config.images_per_class, config.classes)
    validation = None
    if config.validation:
        kept = len(train) - len(train) // 10
        train, validation = train.part(0, kept), train.part(kept, len(train))
    return Cifar10(train, test, validation, config.class_names, config.dataset)


def to_arrays(dataset: Cifar10) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Give the splits as arrays, uint8 (N, S, S, 3) and int64 (N,), without a copy: what goes to another machine as it lies in memory."""
    splits = {"train": dataset.train, "test": dataset.test, "validation": dataset.validation}
    return {name: (split.images.permute(0, 2, 3, 1).numpy(), split.labels.numpy()) for name, split in splits.items() if split is not None}


def from_arrays(config: DataConfig, arrays: dict[str, tuple[np.ndarray, np.ndarray]]) -> Cifar10:
    """Make the data set of ``config`` of what ``to_arrays`` gave, without a copy."""
    splits = {name: _split(*pair) for name, pair in arrays.items()}
    return Cifar10(splits["train"], splits["test"], splits.get("validation"), config.class_names, config.dataset)
