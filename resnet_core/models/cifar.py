"""The CIFAR nets of He et al. 2016, section 4.2, plain and residual, and how they are initialised.

    >>> from resnet_core.config import ModelConfig
    >>> from resnet_core.models import build_model
    >>> net = build_model(ModelConfig(depth=56, shortcut="A"), seed=0)
"""

from __future__ import annotations

import hashlib
import math
from typing import TypeAlias

import torch
from torch import nn

from resnet_core.config import ImageNetConfig, ModelConfig
from resnet_core.models.blocks import BLOCKS, Block
from resnet_core.models.imagenet import ImageNetResNet

Model: TypeAlias = "CifarResNet | ImageNetResNet"


class CifarResNet(nn.Module):
    """A 3x3 convolution, three stages of n blocks on maps of 32, 16 and 8, global average pooling, a fully connected layer.

    The plain net is the same with blocks that have no shortcut. Module names follow torchvision's ResNets.

    Shapes: (B, 3, 32, 32) -> logits (B, num_classes).
    """

    stages = (1, 2, 3)

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        block = BLOCKS[config.block]
        channels = config.width
        self.conv1 = nn.Conv2d(3, channels, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=False)
        for stage in self.stages:
            out_channels = config.width * 2 ** (stage - 1) * block.expansion
            blocks = []
            for index in range(config.blocks_per_stage):
                stride = 2 if stage > 1 and index == 0 else 1
                blocks.append(block(channels, out_channels, stride, config.shortcut))
                channels = out_channels
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, config.num_classes)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """The last hidden layer: (B, 3, 32, 32) -> (B, channels of the last stage)."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return torch.flatten(self.avgpool(x), 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.features(x))


def named_blocks(model: Model) -> list[tuple[str, Block]]:
    """The blocks in order, e.g. ``("layer1.0", block)``."""
    return [(f"layer{stage}.{i}", block) for stage in model.stages for i, block in enumerate(getattr(model, f"layer{stage}"))]


def response_layers(model: Model) -> list[tuple[str, nn.Conv2d, nn.BatchNorm2d]]:
    """The convolutions of the main path with their BN, in order: the layers of Fig. 7, ``depth - 1`` of them.

    The response of a layer, in the sense of that figure, is the output of its BN: before ReLU or the addition.
    """
    layers = [("conv1", model.conv1, model.bn1)]
    for name, block in named_blocks(model):
        layers += [(f"{name}.{conv_name}", conv, bn) for conv_name, conv, bn in block.convolutions()]
    return layers


def _generator(seed: int, name: str) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


@torch.no_grad()
def initialize(model: nn.Module, seed: int) -> None:
    """He initialisation: convolutions from N(0, 2 / fan_in), BN the identity (He et al. 2015, section 2.2).

    The fully connected layer, which no ReLU follows, departs from that: it starts from U(-1, 1) / sqrt(fan_in) with biases 0, as in
    fb.resnet.torch (Facebook's re-implementation; the paper names one rule for all weights). The sums of a residual net gather variance
    from block to block, and with the convolutions' rule its logits would be twice as large: the first loss of ResNet-20, -56 and -110
    would be 3.7, 5.9 and 8.2 instead of 2.6, 3.3 and 4.1 (means of 5 seeds, 128 images of the sample; guessing has ln 10 = 2.3).

    Each tensor has a random stream of its own, made of the seed and its name. So a plain net starts from the very weights of its
    residual twin, whatever the shortcut needs for itself; and drawn on the CPU, they are the same on every device.
    """
    for name, module in model.named_modules():
        generator = _generator(seed, f"{name}.weight")
        if isinstance(module, nn.Conv2d):
            draw = torch.randn(module.weight.shape, generator=generator)
            module.weight.copy_(draw * math.sqrt(2.0 / module.weight[0].numel()))
        elif isinstance(module, nn.Linear):
            draw = 2.0 * torch.rand(module.weight.shape, generator=generator) - 1.0
            module.weight.copy_(draw / math.sqrt(module.in_features))
            module.bias.zero_()
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()


def build_model(config: ModelConfig | ImageNetConfig, seed: int = 0) -> Model:
    """The net of ``config``, initialised from ``seed``, on the CPU, in training mode."""
    with torch.device("meta"):
        model = ImageNetResNet(config) if isinstance(config, ImageNetConfig) else CifarResNet(config)
    model.to_empty(device="cpu")
    initialize(model, seed)
    return model
