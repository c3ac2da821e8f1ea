"""How an image becomes a net's input: what is subtracted from pixel / 255, and what that is divided by.

A checkpoint of another repository does not say what it was trained with; these are the known choices.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnet_core.language import mark

#: The mean image of CIFAR-10's 50,000 training images, float32 (3, 32, 32), in units of pixel / 255; what
#: ``resnet_core.data.per_pixel_mean`` gives for them.
PIXEL_MEAN = Path(__file__).parent / "cifar10_pixel_mean.npy"


@dataclass(frozen=True)
class Normalization:
    """One way to normalise: ``(pixel / 255 - mean) / std``.

    Attributes:
        key: short and stable; stands in files and options.
        label: for people, with who uses it.
        mean, std: per channel (red, green, blue), in units of pixel / 255. ``mean`` is None for the mean image, which has a value for
            each pixel and a ``std`` of 1.
    """

    key: str
    label: str
    mean: tuple[float, float, float] | None
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def arrays(self) -> tuple[Any, Any]:
        """float32 mean (3, 32, 32) or (3, 1, 1), and std (3, 1, 1), or None where nothing is divided."""
        import numpy as np

        def column(values: tuple[float, float, float]) -> Any:
            return np.array(values, dtype=np.float32).reshape(3, 1, 1)

        mean = np.load(PIXEL_MEAN, allow_pickle=False) if self.mean is None else column(self.mean)
        return mean, None if self.std == (1.0, 1.0, 1.0) else column(self.std)


NORMALIZATIONS: dict[str, Normalization] = {
    each.key: each
    for each in (
        Normalization("pixel-mean", mark("per-pixel mean of CIFAR-10 subtracted (He et al. 2016; ResNet Lab)"), None),
        Normalization(
            "cifar10", mark("mean and standard deviation of CIFAR-10, per channel"), (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
        ),
        Normalization(
            "cifar10-short-std",
            mark("mean of CIFAR-10, mean of its images' standard deviations (chenyaofo/pytorch-cifar-models and many others)"),
            (0.4914, 0.4822, 0.4465),
            (0.2023, 0.1994, 0.2010),
        ),
        Normalization(
            "imagenet",
            mark("mean and standard deviation of ImageNet (akamaster/pytorch_resnet_cifar10; torchvision)"),
            (0.485, 0.456, 0.406),
            (0.229, 0.224, 0.225),
        ),
        Normalization(
            "cifar100",
            mark("mean and standard deviation of CIFAR-100 (chenyaofo/pytorch-cifar-models)"),
            (0.5070, 0.4865, 0.4409),
            (0.2673, 0.2564, 0.2761),
        ),
        Normalization("half", mark("from -1 to 1: 0.5 subtracted, divided by 0.5"), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        Normalization("none", mark("from 0 to 1: nothing but pixel / 255"), (0.0, 0.0, 0.0)),
    )
}
