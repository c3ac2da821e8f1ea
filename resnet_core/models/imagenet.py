"""The ImageNet ResNets of He et al. 2016, section 4.1, as torchvision has them: for its weights to be looked into.

Made of the CIFAR nets' blocks, so that hooks and attribution find the same parts in all nets. The function is torchvision's.
"""

from __future__ import annotations

import torch
from torch import nn

from resnet_core.config import ImageNetConfig
from resnet_core.models.blocks import BasicBlock, Block, BottleneckStride3x3

BLOCKS: dict[str, type[Block]] = {"basic": BasicBlock, "bottleneck": BottleneckStride3x3}


class ImageNetResNet(nn.Module):
    """A 7x7 convolution with stride 2, max pooling, four stages of blocks, global average pooling, a fully connected layer.

    Made for images of 224x224; those of 32x32 are on maps of 8, 4, 2 and 1 in the four stages.

    Shapes: (B, 3, H, W) -> logits (B, num_classes).
    """

    stages = (1, 2, 3, 4)

    def __init__(self, config: ImageNetConfig):
        super().__init__()
        self.config = config
        block = BLOCKS[config.block]
        channels = config.width
        self.conv1 = nn.Conv2d(3, channels, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=False)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for stage, count in zip(self.stages, config.layers, strict=True):
            out_channels = config.width * 2 ** (stage - 1) * block.expansion
            blocks = []
            for index in range(count):
                blocks.append(block(channels, out_channels, 2 if stage > 1 and index == 0 else 1, config.shortcut))
                channels = out_channels
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, config.num_classes)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """The last hidden layer: (B, 3, H, W) -> (B, channels of the last stage)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return torch.flatten(self.avgpool(x), 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.features(x))
