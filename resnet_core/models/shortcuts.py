"""The shortcut connections of He et al. 2016, section 3.3: what a block adds to its residual branch.

``make_shortcut`` is the only place where a plain net and a residual one part ways.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class ZeroPad(nn.Module):
    """Option A where dimensions change: every ``stride``-th pixel, and zeros for the new channels. No parameters.

    Shapes: (B, in_channels, H, W) -> (B, out_channels, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.stride = stride
        self.new_channels = out_channels - in_channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # The new channels follow the old ones, as in fb.resnet.torch (Facebook's re-implementation); many public copies pad on both sides.
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new_channels))

    def extra_repr(self) -> str:
        return f"stride={self.stride}, new_channels={self.new_channels}"


class Projection(nn.Module):
    """Options B and C: a 1x1 convolution with batch normalisation.

    Shapes: (B, in_channels, H, W) -> (B, out_channels, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn(self.conv(x))


def make_shortcut(option: str, in_channels: int, out_channels: int, stride: int) -> nn.Module | None:
    """The shortcut of one block: None for ``none`` (plain), else a module that maps the block's input to its output's shape.

    Args:
        option: one of ``resnet_core.config.SHORTCUTS``.
    """
    if option == "none":
        return None
    if option == "C":
        return Projection(in_channels, out_channels, stride)
    if in_channels == out_channels and stride == 1:
        return nn.Identity()
    return ZeroPad(in_channels, out_channels, stride) if option == "A" else Projection(in_channels, out_channels, stride)
