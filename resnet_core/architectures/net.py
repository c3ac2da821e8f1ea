"""From a net's description to the module that is trained, and how it is initialised.

>>> from resnet_core.architectures import parse
>>> net = build_model(parse("ResNet-56"), seed=0)
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import nn

from resnet_core.architectures.base import ModelConfig
from resnet_core.architectures.modules import Scaling
from resnet_core.architectures.parts import Part, Shape
from resnet_core.architectures.plan import Unit


class Block(nn.Module):
    """One unit: ``after(join(branch(before(x)), shortcut(before(x))))``.

    Attributes:
        unit: its description.
        shortcut: None in a plain net.
    """

    shortcut: nn.Module | None
    join: nn.Module | None

    def __init__(self, unit: Unit, shape: Shape):
        super().__init__()
        self.unit = unit
        shape = _add(self, unit.before, shape)
        joined = _add(self, unit.branch, shape)
        self.shortcut = self.join = None
        if unit.skip is not None:
            self.shortcut = nn.Sequential() if unit.skip else nn.Identity()
            joined = unit.join.output(joined, _add(self.shortcut, unit.skip, shape))
            self.join = unit.join.module()
        self.output = _add(self, unit.after, joined)

    def branch(self, x: torch.Tensor) -> torch.Tensor:
        """F(x), the residual branch: what is joined with the shortcut."""
        for part in self.unit.branch:
            x = getattr(self, part.name)(x)
        return x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for part in self.unit.before:
            x = getattr(self, part.name)(x)
        y = self.branch(x)
        if self.shortcut is not None and self.join is not None:
            y = self.join(y, self.shortcut(x))
        for part in self.unit.after:
            y = getattr(self, part.name)(y)
        return y


def _add(module: nn.Module, parts: Sequence[Part], shape: Shape) -> Shape:
    """Add the modules of parts that follow one another; return the shape that comes out of the last."""
    for part in parts:
        module.add_module(part.name, part.module(shape))
        shape = part.output(shape)
    return shape


class Net(nn.Module):
    """The net of a configuration: its stem, its units in one container a stage, its head, by the names of the plan.

    Shapes: (B, 3, H, W) -> logits (B, num_classes).
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        plan = self.plan = config.plan()
        shape = _add(self, plan.stem, plan.input)
        for unit in plan.units:
            stage, _, index = unit.name.rpartition(".")
            if stage not in self._modules:
                self.add_module(stage, nn.Sequential())
            block = Block(unit, shape)
            self.get_submodule(stage).add_module(index, block)
            shape = block.output
        _add(self, plan.head, shape)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """The last hidden layer: (B, 3, H, W) -> (B, inputs of the classifier)."""
        for name, module in self.named_children():
            if name != self.plan.classifier:
                x = module(x)
        return x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = getattr(self, self.plan.classifier)(self.features(x))
        return logits

    def taps(self) -> list[tuple[str, nn.Module, nn.Module]]:
        """The weighted layers of the main path: name, the module that has the weight, the module whose output is the response.

        See ``plan.Tap``; there are ``depth - 1`` of them, as the classifier is none.
        """
        return [(tap.name, self.get_submodule(tap.name), self.get_submodule(tap.response)) for tap in self.plan.taps]

    def blocks(self) -> list[Block]:
        """The units' modules in order; ``block.unit`` describes each."""
        return cast(list[Block], [self.get_submodule(unit.name) for unit in self.plan.units])


def _generator(seed: int, name: str) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


@torch.no_grad()
def initialize(model: nn.Module, seed: int) -> None:
    """He initialisation: convolutions from N(0, 2 / fan_in), BN the identity (He et al. 2015, section 2.2), biases 0.

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
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, nn.Linear):
            draw = 2.0 * torch.rand(module.weight.shape, generator=generator) - 1.0
            module.weight.copy_(draw / math.sqrt(module.in_features))
            module.bias.zero_()
        elif isinstance(module, (nn.BatchNorm2d, Scaling)):
            module.reset_parameters()


def build_model(config: ModelConfig, seed: int = 0) -> Net:
    """Build the net of ``config``, initialised from ``seed``, on the CPU, in training mode."""
    with torch.device("meta"):
        model = Net(config)
    model.to_empty(device="cpu")
    initialize(model, seed)
    return model
