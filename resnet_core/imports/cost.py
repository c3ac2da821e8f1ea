"""What it takes to compute with a net, told before it is done. Without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from resnet_core.activations import config_of, side_of
from resnet_core.architectures import ResNetConfig
from resnet_core.architectures.table import complexity
from resnet_core.language import tr

#: MACs from which somebody should be asked first: about a minute on two cores, where a trial of a ResNet-56 takes half of one.
HEAVY = 5e12
_YARDSTICK = ResNetConfig(56, "A")


@dataclass(frozen=True)
class Cost:
    """The work of so many images through a net.

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
        times = tr("{yardstick:.0f} times", yardstick=self.yardstick) if self.yardstick >= 1.5 else "about"
        return tr(
            "{passes:,} passes of an image, each {times} the work of a ResNet-56: {macs:,.0f} trillion multiply-adds",
            passes=self.passes,
            times=times,
            macs=self.macs / 1000000000000.0,
        )


def said_before(macs: float) -> str:
    """A sentence for whoever is about to begin that many multiply-adds, of one net or several; empty where they are soon done."""
    if macs <= HEAVY:
        return ""
    return tr("This takes long: {in_images}. It ends when you leave.", in_images=in_images(macs))


def in_images(macs: float, digits: int = 0) -> str:
    """A clause that says how much work so many multiply-adds are."""
    images = macs / macs_per_image(_YARDSTICK)
    return tr(
        "{macs:,.{digits}f} trillion multiply-adds, those of {images:,.0f} images through a ResNet-56",
        macs=macs / 1000000000000.0,
        digits=digits,
        images=images,
    )


def cost(model: Any, passes: int) -> Cost:
    """Of ``passes`` images of the net's size through ``model``."""
    macs = macs_per_image(model)
    return Cost(float(macs) * passes, macs / macs_per_image(_YARDSTICK), passes)


def macs_per_image(model: Any) -> int:
    """Multiply-adds of convolutions and fully connected layers, for one image of the net's size (see ``activations.side_of``)."""
    return complexity(config_of(model), side_of(model)).macs
