"""The modules that torch does not have."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from resnet_core.architectures.parts import Part, Shape


class ZeroPadding(nn.Module):
    """Option A where dimensions change: every ``stride``-th pixel, and zeros for the new channels. No parameters.

    Shapes: (B, C, H, W) -> (B, C + new_channels, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, new_channels: int, stride: int):
        super().__init__()
        self.new_channels, self.stride = new_channels, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # The new channels follow the old ones, as in fb.resnet.torch (Facebook's re-implementation); many public copies pad on both sides.
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new_channels))

    def extra_repr(self) -> str:
        return f"stride={self.stride}, new_channels={self.new_channels}"


class Scaling(nn.Module):
    """Multiplies by one learned number, which starts at ``start``."""

    def __init__(self, start: float = 0.0) -> None:
        super().__init__()
        self.start = start
        self.weight = nn.Parameter(torch.zeros(()))

    def reset_parameters(self) -> None:
        nn.init.constant_(self.weight, self.start)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight


class Shifting(nn.Module):
    """Adds one learned number, which starts at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(()))

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.bias


class Sum(nn.Module):
    """(branch, skip) -> their sum."""

    def forward(self, branch: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        return branch + skip


class SurvivingSum(nn.Module):
    """(branch, skip) -> their sum; in training the branch is there with a probability, drawn once for the batch, else multiplied by it.

    The branch is computed in either case: its BN sees every batch, and its weights decay at every update.
    """

    def __init__(self, survival: float) -> None:
        super().__init__()
        self.survival = survival

    def forward(self, branch: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return self.survival * branch + skip
        there = torch.rand((), device=branch.device) < self.survival
        return there.to(branch.dtype) * branch + skip

    def extra_repr(self) -> str:
        return f"survival={self.survival:.4g}"


class Concatenation(nn.Module):
    """(branch, skip) -> the channels of the skip, then those of the branch."""

    def forward(self, branch: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        return torch.cat((skip, branch), 1)


class GatedSum(nn.Module):
    """(branch, skip, gate) -> branch * gate + skip * (1 - gate), all of one shape."""

    def forward(self, branch: torch.Tensor, skip: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
        return branch * gate + skip * (1 - gate)


class SideBySide(nn.Module):
    """Rows of parts on the same input, whose outputs are added, or concatenated: (B, C, H, W) -> (B, C', H', W')."""

    def __init__(self, rows: Mapping[str, Sequence[Part]], is_sum: bool, shape: Shape) -> None:
        super().__init__()
        self.is_sum = is_sum
        for name, parts in rows.items():
            self.add_module(name, row := nn.Sequential())
            add_parts(row, parts, shape)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs = [row(x) for row in self.children()]
        return functools.reduce(torch.add, outputs) if self.is_sum else torch.cat(outputs, 1)


def add_parts(module: nn.Module, parts: Sequence[Part], shape: Shape) -> Shape:
    """Add the modules of parts that follow one another; return the shape that comes out of the last."""
    for part in parts:
        module.add_module(part.name, part.module(shape))
        shape = part.output(shape)
    return shape
