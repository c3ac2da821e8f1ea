"""What it takes to compute with a net, told before it is done. Without torch."""

from __future__ import annotations

from dataclasses import dataclass

from resnet_core.analysis.complexity import complexity
from resnet_core.config import ImageNetConfig, ModelConfig
from resnet_core.imports.layouts import STAGED, Skeleton, tensors

#: MACs from which somebody should be asked first: about a minute on two cores, where a trial of a ResNet-56 takes half of one.
HEAVY = 5e12
_YARDSTICK = ModelConfig(56, "A")


@dataclass(frozen=True)
class Cost:
    """Of so many images through a net.

    Attributes:
        macs: multiply-adds in all.
        yardstick: as many times the work of a ResNet-56, image by image.
        passes: images.
    """

    macs: float
    yardstick: float
    passes: int

    @property
    def is_heavy(self) -> bool:
        return self.macs > HEAVY

    def __str__(self) -> str:
        times = f"{self.yardstick:.0f} times" if self.yardstick >= 1.5 else "about"
        return f"{self.passes:,} passes of an image, each {times} the work of a ResNet-56: {self.macs / 1e12:,.0f} trillion multiply-adds"


def said_before(macs: float) -> str:
    """A sentence for whoever is about to begin that many multiply-adds, of one net or several; empty where they are soon done."""
    if macs <= HEAVY:
        return ""
    images = macs / macs_per_image(_YARDSTICK)
    work = f"{macs / 1e12:,.0f} trillion multiply-adds, those of {images:,.0f} images through a ResNet-56"
    return f"This takes long: {work}. It ends when you leave."


def cost(model: ModelConfig | ImageNetConfig, passes: int) -> Cost:
    """Of ``passes`` images of 32x32 pixels through ``model``."""
    macs = macs_per_image(model)
    return Cost(float(macs) * passes, macs / macs_per_image(_YARDSTICK), passes)


def macs_per_image(model: ModelConfig | ImageNetConfig) -> int:
    """Multiply-adds of convolutions and the fully connected layer, for one image of 32x32 pixels."""
    if isinstance(model, ModelConfig):
        return complexity(model).macs
    # Of torchvision's nets: the first convolution halves the side, the pooling after it and the first 3x3 of later stages do so again.
    skeleton = Skeleton(7, model.layers, model.block, model.width, model.num_classes, frozenset())
    total = 0
    halving = "conv1" if model.block == "basic" else "conv2"
    for key, (_, shape) in tensors(skeleton, "torchvision").items():
        side, match = (1 if key.startswith("fc") else 16), STAGED.fullmatch(key)
        if match:
            stage, first = int(match[1]), match[2] == "0"
            before = stage > 1 and first and match[3].partition(".")[0] < halving  # a 1x1 convolution ahead of the one with the stride
            side = 8 >> (stage - 1 - before)
        if len(shape) > 1:
            values = 1
            for size in shape:
                values *= size
            total += values * side**2
    return total
