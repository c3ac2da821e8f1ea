"""Parts that only some families have: other activations, other poolings, and what else they put between their layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resnet_core.architectures.parts import Part, Shape, sides

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Tanh(Part):
    """The hyperbolic tangent, the common choice before ReLU."""

    is_kept = True

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Tanh()


@dataclass(frozen=True)
class Sigmoid(Part):
    """The logistic function: how open a gate is, 0 to 1."""

    is_kept = True

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Sigmoid()


@dataclass(frozen=True)
class AvgPool(Part):
    """Average pooling without padding."""

    kernel: int
    stride: int
    is_kept = True

    def output(self, shape: Shape) -> Shape:
        return (shape[0], *sides(shape, self.kernel, self.stride, 0))

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.AvgPool2d(self.kernel, self.stride)


@dataclass(frozen=True)
class AveragedTo(Part):
    """Maps of ``side`` pixels, each the average of its part of the input, whatever the size of that."""

    side: int

    def output(self, shape: Shape) -> Shape:
        return (shape[0], self.side, self.side)

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.AdaptiveAvgPool2d(self.side)


@dataclass(frozen=True)
class Shift(Part):
    """One learned number that is added to all values; it starts at 0 (Fixup, Zhang et al. 2019)."""

    kind = "shift"

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        return {"bias": ()}

    def module(self, shape: Shape) -> nn.Module:
        from resnet_core.architectures.modules import Shifting

        return Shifting()


@dataclass(frozen=True)
class Dropout(Part):
    """Sets values to 0 in training, each by chance, and divides the others by the share that is left (Srivastava et al. 2014)."""

    percent: int
    is_kept = True
    is_random = True

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Dropout(self.percent / 100)


@dataclass(frozen=True)
class LocalResponseNorm(Part):
    """Local response normalisation over 5 neighbouring channels, with the constants of Krizhevsky et al. 2012, section 3.3.

    Their formula multiplies the sum of the squares by alpha = 1e-4. torch divides alpha by the number of channels: hence 5e-4.
    """

    is_kept = True

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
