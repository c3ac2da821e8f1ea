"""How a branch and its skip become one, and rows of parts side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resnet_core.architectures.further_parts import Sigmoid
from resnet_core.architectures.parts import Conv, Join, Part, Shape

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Add(Join):
    """The sum, out of place (He et al. 2016, equation 1).

    Attributes:
        survival: with this probability the branch is there, drawn once for each training batch; after training it is multiplied by it
            (stochastic depth, Huang et al. 2016).
    """

    survival: float = 1.0
    name = "add"

    @property
    def is_random(self) -> bool:
        return self.survival < 1

    def module(self) -> nn.Module:
        from resnet_core.architectures.modules import Sum, SurvivingSum

        return SurvivingSum(self.survival) if self.is_random else Sum()


@dataclass(frozen=True)
class Concat(Join):
    """The channels of the skip, then those of the branch (Huang et al. 2017)."""

    name = "concat"
    maps_kept = 1

    def output(self, branch: Shape, skip: Shape) -> Shape:
        return (skip[0] + branch[0], *branch[1:])

    def module(self) -> nn.Module:
        from resnet_core.architectures.modules import Concatenation

        return Concatenation()


@dataclass(frozen=True)
class Gate(Join):
    """H T + x (1 - T): the gate T lets the branch H through, and the skip x as far as it is closed (Srivastava et al. 2015)."""

    name = "gate"
    maps_kept = 2

    def module(self) -> nn.Module:
        from resnet_core.architectures.modules import GatedSum

        return GatedSum()


def gate(filters: int, kernel: int, stride: int, bias: float) -> Gate:
    """Make the join whose gate is the sigmoid of a convolution with biases that start at ``bias``."""
    return Gate((Conv("conv", filters, kernel, stride, bias=True, bias_start=bias), Sigmoid("sigmoid")))


@dataclass(frozen=True)
class Parallel(Part):
    """Rows of parts side by side on the same input.

    Attributes:
        paths: the rows; the modules that hold them are called ``branch1``, ``branch2``, ...
        combine: ``concat`` (the channels of the first row, then those of the second, ...) or ``sum``.
    """

    paths: tuple[tuple[Part, ...], ...]
    combine: str = "concat"
    is_kept = True

    def rows(self) -> Iterator[tuple[str, tuple[Part, ...]]]:
        return ((f"branch{number}", path) for number, path in enumerate(self.paths, start=1))

    def output(self, shape: Shape) -> Shape:
        outputs = []
        for path in self.paths:
            out = shape
            for part in path:
                out = part.output(out)
            outputs.append(out)
        return outputs[0] if self.combine == "sum" else (sum(out[0] for out in outputs), *outputs[0][1:])

    def module(self, shape: Shape) -> nn.Module:
        from resnet_core.architectures.modules import SideBySide

        return SideBySide(dict(self.rows()), self.combine == "sum", shape)
