"""Building blocks: convolutions with batch normalisation, and the shortcut that is injected into them.

BN stands after each convolution and before the activation, as in He et al. 2016, section 3.4. One ``nn.ReLU(inplace=False)`` per
call site and an out-of-place addition: attribution methods and hooks need every value to stay as it was computed.
"""

from __future__ import annotations

import torch
from torch import nn

from resnet_core.models.shortcuts import make_shortcut


class Block(nn.Module):
    """Convolutions, each followed by BN; the sum with the shortcut, if there is one; ReLU.

    Attributes:
        shortcut: None in a plain net.
        dimensions_change: the output has another shape than the input (a dotted shortcut in Fig. 3).
    """

    expansion = 1
    shortcut: nn.Module | None

    def __init__(self, in_channels: int, out_channels: int, stride: int, shortcut: str):
        super().__init__()
        self.dimensions_change = stride != 1 or in_channels != out_channels
        self._add_layers(in_channels, out_channels, stride)
        self.shortcut = make_shortcut(shortcut, in_channels, out_channels, stride)

    def _add_layers(self, in_channels: int, out_channels: int, stride: int) -> None:
        raise NotImplementedError

    def branch(self, x: torch.Tensor) -> torch.Tensor:
        """F(x), the residual branch: up to the last BN, before the addition."""
        raise NotImplementedError

    def convolutions(self) -> list[tuple[str, nn.Conv2d, nn.BatchNorm2d]]:
        """The branch's convolutions with their names and their BN, in order."""
        raise NotImplementedError

    @property
    def last_relu(self) -> nn.ReLU:
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.branch(x)
        if self.shortcut is not None:
            y = y + self.shortcut(x)
        return self.last_relu(y)


class BasicBlock(Block):
    """Two 3x3 convolutions (Fig. 5, left). Shapes: (B, in, H, W) -> (B, out, H / stride, W / stride)."""

    def _add_layers(self, in_channels, out_channels, stride):
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.relu1 = nn.ReLU(inplace=False)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.relu2 = nn.ReLU(inplace=False)

    def branch(self, x):
        return self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))

    def convolutions(self):
        return [("conv1", self.conv1, self.bn1), ("conv2", self.conv2, self.bn2)]

    @property
    def last_relu(self):
        return self.relu2


class Bottleneck(Block):
    """1x1, 3x3 and 1x1 convolutions; the outer ones have 4 times the filters of the inner (Fig. 5, right).

    The stride is in the first 1x1, as in the paper. Shapes: (B, in, H, W) -> (B, out, H / stride, W / stride).
    """

    expansion = 4
    stride_in_3x3 = False

    def _add_layers(self, in_channels, out_channels, stride):
        inner = out_channels // self.expansion
        first, second = (1, stride) if self.stride_in_3x3 else (stride, 1)
        self.conv1 = nn.Conv2d(in_channels, inner, 1, first, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.relu1 = nn.ReLU(inplace=False)
        self.conv2 = nn.Conv2d(inner, inner, 3, second, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.relu2 = nn.ReLU(inplace=False)
        self.conv3 = nn.Conv2d(inner, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu3 = nn.ReLU(inplace=False)

    def branch(self, x):
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.relu2(self.bn2(self.conv2(y)))
        return self.bn3(self.conv3(y))

    def convolutions(self):
        return [("conv1", self.conv1, self.bn1), ("conv2", self.conv2, self.bn2), ("conv3", self.conv3, self.bn3)]

    @property
    def last_relu(self):
        return self.relu3


class BottleneckStride3x3(Bottleneck):
    """A bottleneck whose stride is in the 3x3 convolution, as in torchvision's ResNets."""

    stride_in_3x3 = True


BLOCKS: dict[str, type[Block]] = {"basic": BasicBlock, "bottleneck": Bottleneck}
