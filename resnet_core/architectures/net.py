"""From a net's description to the module that is trained, and how it is initialised.

>>> from resnet_core.architectures import parse
>>> net = build_model(parse("ResNet-56"), seed=0)
"""

from __future__ import annotations

import hashlib
import math
from typing import Self, cast

import torch
from torch import nn

from resnet_core.architectures.base import ModelConfig
from resnet_core.architectures.modules import Scaling, Shifting, SurvivingSum, add_parts
from resnet_core.architectures.parts import Conv, Linear, Shape
from resnet_core.architectures.plan import Unit


class Block(nn.Module):
    """One unit: ``after(join(branch(before(x)), shortcut(before(x))))``.

    Attributes:
        unit: its description.
        shortcut: None in a plain net.
        gate: the join's own parts, on the same input; None where it has none.
        joined, output: shapes of one image behind the join, and behind what follows it.
    """

    shortcut: nn.Module | None
    gate: nn.Module | None
    join: nn.Module | None

    def __init__(self, unit: Unit, shape: Shape):
        super().__init__()
        self.unit = unit
        shape = add_parts(self, unit.before, shape)
        joined = add_parts(self, unit.branch, shape)
        self.shortcut = self.gate = self.join = None
        if unit.skip is not None:
            self.shortcut = nn.Sequential() if unit.skip else nn.Identity()
            joined = unit.join.output(joined, add_parts(self.shortcut, unit.skip, shape))
            if unit.join.parts:
                self.gate = nn.Sequential()
                add_parts(self.gate, unit.join.parts, shape)
            self.join = unit.join.module()
        self.joined, self.output = joined, add_parts(self, unit.after, joined)

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
            skip = self.shortcut(x)
            y = self.join(y, skip) if self.gate is None else self.join(y, skip, self.gate(x))
        for part in self.unit.after:
            y = getattr(self, part.name)(y)
        return y


class Net(nn.Module):
    """The net of a configuration: its stem, its units in one container a stage, its head, by the names of the plan.

    Shapes: (B, 3, H, W) -> logits (B, num_classes).

    Attributes:
        side: height and width of the images that it takes: those that it is made for, unless it has been trained on others.
        frozen: modules that are not trained; see ``freeze``.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.frozen: tuple[str, ...] = ()
        plan = self.plan = config.plan()
        self.side = plan.input[1]
        shape, middle = add_parts(self, plan.stem, plan.input), {}
        for unit in plan.units:
            stage, _, index = unit.name.rpartition(".")
            if stage not in self._modules:
                self.add_module(stage, nn.Sequential())
            block = Block(unit, shape)
            self.get_submodule(stage).add_module(index, block)
            shape = middle[unit.name] = block.output
        for one in plan.auxiliary:
            self.add_module(one.name, nn.Sequential())
            add_parts(self.get_submodule(one.name), one.parts, middle[one.unit])
        add_parts(self, plan.head, shape)

    def freeze(self, groups: int) -> Self:
        """Keep the first ``groups`` of ``plan.groups`` as they are: no gradients, and always in evaluation mode, BN and dropout too."""
        self.frozen = tuple(name for group in self.plan.groups[:groups] for name in group)
        for name in self.frozen:
            self.get_submodule(name).requires_grad_(False)
        return self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Go into training mode, or evaluation mode: all but what is frozen, which computes as it tests."""
        super().train(mode)
        for name in self.frozen:
            self.get_submodule(name).eval()
        return self

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """The last hidden layer: (B, 3, H, W) -> (B, inputs of the classifier)."""
        apart = {self.plan.classifier, *(one.name for one in self.plan.auxiliary)}
        for name, module in self.named_children():
            if name not in apart:
                x = module(x)
        return x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = getattr(self, self.plan.classifier)(self.features(x))
        return logits

    def training_outputs(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The logits, and those of each auxiliary classifier of the plan: (B, 3, H, W) -> tensors (B, num_classes)."""
        others = []
        for part in self.plan.stem:
            x = self.get_submodule(part.name)(x)
        for unit in self.plan.units:
            x = self.get_submodule(unit.name)(x)
            others += [self.get_submodule(one.name)(x) for one in self.plan.auxiliary if one.unit == unit.name]
        for part in self.plan.head:
            x = self.get_submodule(part.name)(x)
        return x, *others

    def train_without_chance(self) -> Self:
        """Training mode, in which BN takes each batch's own statistics, for all but what depends on chance: that computes as it tests."""
        self.train()
        for module in self.modules():
            if isinstance(module, (nn.Dropout, SurvivingSum)):
                module.eval()
        return self

    def taps(self) -> list[tuple[str, nn.Module, nn.Module]]:
        """The weighted layers of the main path: name, the module that has the weight, the module whose output is the response.

        See ``plan.Plan.taps``. Of a chain of layers there are ``depth - 1`` of them, as the classifier is none.
        """
        return [(tap.name, self.get_submodule(tap.name), self.get_submodule(tap.response)) for tap in self.plan.taps]

    def blocks(self) -> list[Block]:
        """The units' modules in order; ``block.unit`` describes each."""
        return cast(list[Block], [self.get_submodule(unit.name) for unit in self.plan.units])


def _generator(seed: int, name: str) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


class WithAuxiliary(nn.Module):
    """A net as it is trained that has auxiliary classifiers: images -> the logits, and those of each of these."""

    def __init__(self, net: Net):
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.net.training_outputs(x)


def training_form(net: Net) -> nn.Module:
    """Return the module whose outputs a training's loss is made of: the net itself, where it has no auxiliary classifiers."""
    return WithAuxiliary(net) if net.plan.auxiliary else net


def _spread(rule: str, weight: torch.Tensor, outputs: float) -> float:
    """The standard deviation that weights begin with: by ``he`` and ``xavier`` the fewer, the more inputs."""
    inputs = weight[0].numel()
    if rule == "normal":
        return 0.01
    return math.sqrt(2.0 / inputs) if rule == "he" else math.sqrt(2.0 / (inputs + outputs))


@torch.no_grad()
def initialize(model: nn.Module, seed: int) -> None:
    """Draw the weights at the start; BN is the identity, biases are 0 unless a part says otherwise. The plan names the rule:

    - ``he``: from N(0, 2 / fan_in) (He et al. 2015, section 2.2).
    - ``xavier``: from N(0, 2 / (fan_in + fan_out)) (Glorot and Bengio 2010).
    - ``normal``: from N(0, 0.01^2), as AlexNet, whatever the layer's size.

    With ``he`` the classifier, which no ReLU follows, departs from that: it starts from U(-1, 1) / sqrt(fan_in) with biases 0, as in
    fb.resnet.torch (Facebook's re-implementation; the paper names one rule for all weights). The sums of a residual net gather variance
    from block to block, and with the convolutions' rule its logits would be twice as large: the first loss of ResNet-20, -56 and -110
    would be 3.7, 5.9 and 8.2 instead of 2.6, 3.3 and 4.1 (means of 5 seeds, 128 images of the sample; guessing has ln 10 = 2.3).

    Each tensor has a random stream of its own, made of the seed and its name. So a plain net starts from the very weights of its
    residual twin, whatever the shortcut needs for itself; and drawn on the CPU, they are the same on every device.
    """
    plan = getattr(model, "plan", None)
    parts = {placed.name: placed.part for placed in plan.walk()} if plan else {}
    rule = plan.initialization if plan else "he"
    for name, module in model.named_modules():
        generator = _generator(seed, f"{name}.weight")
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            part = parts.get(name)
            gain, bias = (part.gain, part.bias_start) if isinstance(part, (Conv, Linear)) else (1.0, 0.0)
            weight = module.weight
            is_last = isinstance(module, nn.Linear) and (plan is None or name == plan.classifier)
            if is_last and rule == "he":
                draw = 2.0 * torch.rand(weight.shape, generator=generator) - 1.0
                weight.copy_(draw / math.sqrt(weight.shape[1]) * gain)
            else:
                groups = module.groups if isinstance(module, nn.Conv2d) else 1
                outputs = weight.shape[0] // groups * weight[0, 0].numel()
                weight.copy_(torch.randn(weight.shape, generator=generator) * (_spread(rule, weight, outputs) * gain))
            if module.bias is not None:
                module.bias.fill_(bias)
        elif isinstance(module, (nn.BatchNorm2d, Scaling, Shifting)):
            module.reset_parameters()


def build_model(config: ModelConfig, seed: int = 0) -> Net:
    """Build the net of ``config``, initialised from ``seed``, on the CPU, in training mode."""
    with torch.device("meta"):
        model = Net(config)
    model.to_empty(device="cpu")
    initialize(model, seed)
    return model
