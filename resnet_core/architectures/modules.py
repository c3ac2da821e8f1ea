"""The modules that torch does not have."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


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
    """Multiplies by one learned number, which starts at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight


class Sum(nn.Module):
    """(branch, skip) -> their sum."""

    def forward(self, branch: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        return branch + skip
