"""Which images a net can be looked at with: those of data sets that have its classes, its own among them."""

from __future__ import annotations

from pathlib import Path

from resnet_core.config import DATASETS, DataConfig
from resnet_core.datasets import PICTURES
from resnet_core.nets.catalog import Net
from resnet_core.runs import Run


def fitting(net: Net) -> list[DataConfig]:
    """Give the whole data sets of a net's classes, on this machine or not: those that ship, then its own, then the others.

    Of a net of which no classes are known, all that have a name.
    """
    own = net.config.data if net.config else None
    key = own.dataset if own else net.card.get("dataset")
    found = [DataConfig(key) for key in DATASETS]
    if own is not None and own.pictures:
        found.append(DataConfig(PICTURES, pictures=own.pictures))
    fits = [each for each in found if net.class_names in (None, each.class_names)]
    return sorted(fits, key=lambda each: (not each.is_embedded, each.dataset != key))


def pictures_of(net: Net) -> Path | None:
    """Give the folder of the pictures that a run is trained on, if it is still there."""
    found = Run(net.path).data_dir if net.origin == "run" and net.config and net.config.data.pictures else None
    return found if found is not None and found.is_dir() else None
