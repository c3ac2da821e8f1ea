"""Highway networks (Srivastava, Greff, Schmidhuber 2015): gates decide how much of a branch and how much of its input goes on."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from resnet_core.architectures import choices
from resnet_core.architectures.base import Family, Field, ModelConfig
from resnet_core.architectures.further_parts import Dropout
from resnet_core.architectures.joins import gate
from resnet_core.architectures.parts import Conv, Flatten, GlobalPool, Linear, MaxPool, Part, Relu, Shape
from resnet_core.architectures.plan import Plan, Unit
from resnet_core.architectures.resnet import ResNetConfig
from resnet_core.errors import ConfigError
from resnet_core.language import mark

GATE_BIAS = Field(
    "gate_bias", mark("bias of the gates"),
    mark("What the gates' biases start at. The more negative, the more of its input a block passes on at "
"first: of -2, 88 %; of -4, 98 %."),
    low=-10, high=0, prefix="b", sign=-1,
)  # fmt: skip


@dataclass(frozen=True)
class HighwayConfig(ModelConfig):
    """The CIFAR net of He et al. 2016 with a gate in the place of each shortcut: only the join differs from plain and residual nets.

    The branches have the tensors of the plain net's, and so its initial weights. A gate is the sigmoid of a convolution of the block's
    input, with the kernel, the stride and the channels of the branch; where dimensions change, what is carried is option A's shortcut.

    Attributes:
        depth: 6n+2 weighted layers of the main path.
        gate_bias: what the biases of the gates start at, -10 to 0.
        width: filters of the first stage; the others have 2 and 4 times as many.
        num_classes: outputs of the fully connected layer.

    Raises:
        ConfigError: a field is out of its range.
    """

    depth: int = 20
    gate_bias: int = -2
    width: int = 16
    num_classes: int = 10

    family = "highway"
    fields = (GATE_BIAS, choices.width(), choices.CLASSES)
    head = "Highway"

    def __post_init__(self) -> None:
        self.check_fields()
        self.twin()  # whose depths are these

    @classmethod
    def read(cls, head: str, depth: int, tokens: list[str]) -> HighwayConfig | None:
        return cls(depth, **cls.values(tokens)) if head == "highway" and depth != Highway19Config.depth else None

    @classmethod
    def propose(cls, shapes: Mapping[str, Shape]) -> Iterator[HighwayConfig]:
        first, last = shapes.get("conv1.weight", ()), shapes.get("fc.weight", ())
        blocks = sum(key.startswith("layer3.") and key.endswith(".gate.conv.weight") for key in shapes)
        if len(first) == 4 and len(last) == 2 and blocks:
            with contextlib.suppress(ConfigError):
                yield cls(6 * blocks + 2, width=first[0], num_classes=last[0])

    def twin(self) -> ResNetConfig:
        return ResNetConfig(self.depth, "none", self.width, num_classes=self.num_classes)

    def describe(self) -> Plan:
        residual = dataclasses.replace(self.twin(), shortcut="A").plan()
        units = []
        for unit in residual.units:
            filters, strides = 0, 1
            for part in unit.branch:
                if isinstance(part, Conv):
                    filters, strides = part.filters, strides * part.stride
            units.append(dataclasses.replace(unit, join=gate(filters, 3, strides, self.gate_bias)))
        return dataclasses.replace(residual, units=tuple(units))


#: Filters of each stage of the 19-layer net, and its highway layers.
_STAGES = ((32, 4), (80, 5), (128, 5))


@dataclass(frozen=True)
class Highway19Config(ModelConfig):
    """The 19-layer Highway net for CIFAR that its authors released (flukeskywalker/highway-networks, cifar10-19layers). Without BN.

    Each stage begins with a plain 3x3 convolution; a highway layer is y = H T + x (1 - T), H = ReLU(conv(x)), T = sigmoid(conv(x)).

    Attributes:
        gate_bias: what the biases of the gates start at, -10 to 0; theirs is -2.
        dropout: percent, of the image and behind each stage; theirs is 20.
        num_classes: outputs of the fully connected layer.

    Raises:
        ConfigError: a field is out of its range.
    """

    gate_bias: int = -2
    dropout: int = 20
    num_classes: int = 10

    family = "highway_19"
    fields = (GATE_BIAS, choices.dropout(mark("of the image and behind each stage")), choices.CLASSES)
    head = "Highway"
    depth = 19

    def __post_init__(self) -> None:
        self.check_fields()

    @classmethod
    def read(cls, head: str, depth: int, tokens: list[str]) -> Highway19Config | None:
        return cls(**cls.values(tokens)) if (head, depth) == ("highway", cls.depth) else None

    def describe(self) -> Plan:
        def dropped(name: str) -> list[Part]:
            return [Dropout(name, self.dropout)] if self.dropout else []

        units = []
        for stage, (filters, layers) in enumerate(_STAGES, start=1):
            first = stage > 1  # of the first stage it is the stem
            if first:
                plain = (Conv("conv", filters, 3, bias=True),)
                units.append(Unit(f"layer{stage}.0", stage, 0, plain, after=(Relu("relu"),), dimensions_change=True))
            for index in range(first, layers + first):
                branch = (Conv("conv", filters, 3, bias=True), Relu("relu"))
                units.append(Unit(f"layer{stage}.{index}", stage, index, branch, (), gate(filters, 3, 1, self.gate_bias)))
            if stage < len(_STAGES):
                pool = (MaxPool("pool", 2, 2, 0), *dropped("dropout"))
                units[-1] = dataclasses.replace(units[-1], after=pool, dimensions_change=True)
        stem = (*dropped("dropout1"), Conv("conv1", _STAGES[0][0], 3, bias=True), Relu("relu1"))
        end = (Conv("conv2", 100, 1, bias=True), Relu("relu2"), GlobalPool("avgpool"), Flatten("flatten"), *dropped("dropout2"))
        return Plan((3, 32, 32), stem, tuple(units), (*end, Linear("fc", self.num_classes)))


_PAPER = mark("Srivastava, Greff, Schmidhuber: Training Very Deep Networks (NIPS 2015)")
FAMILIES = (
    Family(
        "highway",
        mark("Highway nets of the ResNets' form"),
        mark("{paper}; the form of He et al. 2016, section 4.2", paper=_PAPER),
        HighwayConfig,
        tuple(HighwayConfig(depth) for depth in (20, 32, 44, 56, 110)),
    ),
    Family("highway_19", mark("The 19-layer Highway net"), _PAPER, Highway19Config, (Highway19Config(),)),
)
