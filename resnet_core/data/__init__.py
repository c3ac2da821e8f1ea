"""CIFAR-10: the embedded sample, the full set in both official layouts, its download, and training batches on the device.

    from resnet_core.data import Batches, check, load, per_pixel_mean

Names are resolved on first use: ``check``, ``resolve_data_dir`` and ``download`` work without torch, which takes seconds to
import and which the command line and the web pages do not need before a training starts.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from resnet_core.data.folders import CLASSES, check, resolve_data_dir

if TYPE_CHECKING:
    from resnet_core.data.batches import Batches, normalize, per_pixel_mean
    from resnet_core.data.dataset import Cifar10, Split, load
    from resnet_core.data.downloading import download

__all__ = [
    "CLASSES", "Batches", "Cifar10", "Split", "check", "download", "load", "normalize", "per_pixel_mean", "resolve_data_dir",
]  # fmt: skip

_LAZY = {
    "Batches": "batches",
    "normalize": "batches",
    "per_pixel_mean": "batches",
    "Cifar10": "dataset",
    "Split": "dataset",
    "load": "dataset",
    "download": "downloading",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
