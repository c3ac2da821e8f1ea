"""DenseNets (Huang, Liu, van der Maaten, Weinberger 2017): each layer reads the outputs of all layers of its block."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from resnet_core.architectures import choices, projects
from resnet_core.architectures.base import Family, Field, ModelConfig
from resnet_core.architectures.further_parts import AvgPool, Dropout
from resnet_core.architectures.joins import Concat
from resnet_core.architectures.parts import BatchNorm, Conv, Flatten, GlobalPool, Linear, MaxPool, Part, Relu, Shape
from resnet_core.architectures.plan import Plan, Unit
from resnet_core.checks import check_whole
from resnet_core.errors import ConfigError
from resnet_core.language import mark, together

GROWTH = Field("growth", mark("growth rate"), mark("The paper's k: channels that each layer adds."), low=1, high=128, prefix="k")


def _dense(stage: int, index: int, growth: int, bottleneck: bool, dropout: int) -> Unit:
    """Describe one layer: its output is put behind its input."""
    dropped: list[list[Part]] = [[Dropout(f"dropout{number}", dropout)] if dropout else [] for number in (1, 2)]
    if bottleneck:
        branch = [
            BatchNorm("bn1"), Relu("relu1"), Conv("conv1", 4 * growth, 1), *dropped[0],
            BatchNorm("bn2"), Relu("relu2"), Conv("conv2", growth, 3), *dropped[1],
        ]  # fmt: skip
    else:
        branch = [BatchNorm("bn1"), Relu("relu1"), Conv("conv1", growth, 3), *dropped[0]]
    return Unit(f"layer{stage}.{index}", stage, index, tuple(branch), (), Concat(), dimensions_change=True)


def _transition(stage: int, index: int, channels: int, dropout: int) -> Unit:
    """Describe what is between two blocks: a 1x1 convolution and average pooling."""
    dropped = [Dropout("dropout", dropout)] if dropout else []
    branch = (BatchNorm("bn"), Relu("relu"), Conv("conv", channels, 1), *dropped)
    return Unit(f"layer{stage}.{index}", stage, index, branch, after=(AvgPool("pool", 2, 2),), dimensions_change=True)


def _blocks(channels: int, counts: tuple[int, ...], growth: int, bottleneck: bool, compression: float, dropout: int = 0) -> list[Unit]:
    """Describe the blocks and what is between them; ``channels`` come in."""
    units = []
    for stage, count in enumerate(counts, start=1):
        units += [_dense(stage, index, growth, bottleneck, dropout) for index in range(count)]
        channels += count * growth
        if stage < len(counts):
            channels = int(channels * compression)
            units.append(_transition(stage, count, channels, dropout))
    return units


def _head(outputs: int) -> tuple[Part, ...]:
    return (BatchNorm("bn2"), Relu("relu2"), GlobalPool("avgpool"), Flatten("flatten"), Linear("fc", outputs))


@dataclass(frozen=True)
class DenseNetConfig(ModelConfig):
    """A DenseNet for CIFAR: three blocks of as many layers.

    Attributes:
        depth: weighted layers: 3n+4, with ``bottleneck`` 6n+4.
        growth: the paper's k.
        bottleneck: ``none``, or ``BC``: each layer begins with a 1x1 convolution of 4 k filters, and the transitions halve the channels.
        num_classes: outputs of the fully connected layer.
        dropout: percent, after each convolution but the first (the paper: 20 where images are not augmented).

    Raises:
        ConfigError: a field is out of its range.
    """

    depth: int = 40
    growth: int = 12
    bottleneck: str = "none"
    num_classes: int = 10
    dropout: int = 0

    family = "densenet"
    fields = (
        GROWTH,
        Field("bottleneck", mark("bottleneck and compression"),
            mark("BC: a 1x1 convolution before each 3x3, and half of the channels between blocks."),
              ("none", "BC"), tokens={"BC": "bc"}),
        choices.dropout(mark("after each convolution but the first")),
        choices.CLASSES,
    )  # fmt: skip

    def __post_init__(self) -> None:
        self.check_fields()
        check_whole("depth", self.depth, 4 + self._step, 1000)
        if (self.depth - 4) % self._step:
            below = (self.depth - 4) // self._step * self._step + 4
            nearest = together(depth for depth in (below, below + self._step) if depth > 4)
            raise ConfigError(
                "depth",
                "{depth} is not of the form {step}n+4; the nearest valid depths are {nearest}.",
                depth=self.depth,
                step=self._step,
                nearest=nearest,
            )

    @property
    def _step(self) -> int:
        """Weighted layers of one layer in each of the three blocks."""
        return 6 if self.bottleneck == "BC" else 3

    @property
    def head(self) -> str:
        return "DenseNet-BC" if self.bottleneck == "BC" else "DenseNet"

    @property
    def name(self) -> str:
        """``DenseNet-40-k12``, ``DenseNet-BC-100-k12``: always with the growth rate, which tells them from those for ImageNet."""
        return "-".join([f"{self.head}-{self.depth}-k{self.growth}", *self.tokens("growth", "bottleneck")])

    @classmethod
    def read(cls, head: str, depth: int, tokens: list[str]) -> DenseNetConfig | None:
        if head != "densenet" or {"imagenet", "cifar"} & set(tokens):
            return None
        values = cls.values(tokens)
        return cls(depth, **values) if "growth" in values or depth not in LAYERS else None

    @classmethod
    def propose(cls, shapes: Mapping[str, Shape]) -> Iterator[DenseNetConfig]:
        layers = sum(key.startswith("layer3.") and key.endswith(".conv1.weight") for key in shapes)
        last, bottleneck = shapes.get("fc.weight", ()), "layer1.0.conv2.weight" in shapes
        growth = shapes.get(f"layer1.0.conv{2 if bottleneck else 1}.weight", (0,))[0]
        if len(last) == 2 and layers and "layer1.0.bn1.weight" in shapes:
            with contextlib.suppress(ConfigError):
                yield cls(4 + layers * (6 if bottleneck else 3), growth, "BC" if bottleneck else "none", last[0])

    def describe(self) -> Plan:
        is_bottleneck = self.bottleneck == "BC"
        channels = 2 * self.growth if is_bottleneck else 16
        counts = ((self.depth - 4) // self._step,) * 3
        units = _blocks(channels, counts, self.growth, is_bottleneck, 0.5 if is_bottleneck else 1.0, self.dropout)
        return Plan((3, 32, 32), (Conv("conv1", channels, 3),), tuple(units), _head(self.num_classes))


#: Depth -> the layers of each block, and the growth rate.
LAYERS: dict[int, tuple[tuple[int, ...], int]] = {
    121: ((6, 12, 24, 16), 32),
    161: ((6, 12, 36, 24), 48),
    169: ((6, 12, 32, 32), 32),
    201: ((6, 12, 48, 32), 32),
}


@dataclass(frozen=True)
class DenseNetImageNetConfig(ModelConfig):
    """A DenseNet-BC for ImageNet (Table 1 of the paper), as torchvision has them.

    Attributes:
        depth: 121, 161, 169 or 201 weighted layers.
        growth: 0 is that of the paper: 48 in DenseNet-161, else 32.
        num_classes: outputs of the fully connected layer.

    Raises:
        ConfigError: a field is out of its range.
    """

    depth: int = 121
    growth: int = 0
    num_classes: int = 1000

    images: ClassVar[str] = "ImageNet"
    family = "densenet_imagenet"
    fields = (
        Field("growth", mark("growth rate"), mark("Channels that each layer adds; 0 is the paper's."), low=0, high=128, prefix="k"),
        choices.CLASSES,
    )
    head = "DenseNet"

    def __post_init__(self) -> None:
        if self.depth not in LAYERS:
            raise ConfigError(
                "depth",
                "{depth} is not that of a DenseNet for ImageNet; they have {map} layers.",
                depth=self.depth,
                map=", ".join(map(str, LAYERS)),
            )
        self.check_fields()
        if self.growth == LAYERS[self.depth][1]:
            object.__setattr__(self, "growth", 0)  # one net, one configuration

    @property
    def name(self) -> str:
        """``DenseNet-121``; ``DenseNet-121-k12-ImageNet`` with another growth rate than the paper's; ``DenseNet-121-CIFAR``."""
        return super().name + (f"-{self.images}" if self.growth or self.images == "CIFAR" else "")

    @classmethod
    def read(cls, head: str, depth: int, tokens: list[str]) -> Self | None:
        growth = any(GROWTH.read(token) is not None for token in tokens)
        if head != "densenet" or {"bc", "cifar"} & set(tokens) or ("imagenet" not in tokens and (growth or depth not in LAYERS)):
            return None
        return cls(depth, **cls.values([token for token in tokens if token != "imagenet"]))

    @classmethod
    def propose(cls, shapes: Mapping[str, Shape]) -> Iterator[Self]:
        last, grown = shapes.get("fc.weight", ()), shapes.get("layer1.0.conv2.weight", ())
        for depth in LAYERS:
            if len(last) == 2 and len(grown) == 4:
                with contextlib.suppress(ConfigError):
                    yield cls(depth, grown[0], last[0])

    def describe(self) -> Plan:
        counts, growth = LAYERS[self.depth]
        growth = self.growth or growth
        units = tuple(_blocks(2 * growth, counts, growth, True, 0.5))
        if self.images == "CIFAR":
            return Plan((3, 32, 32), (Conv("conv1", 2 * growth, 3),), units, _head(self.num_classes))
        stem = (Conv("conv1", 2 * growth, 7, 2), BatchNorm("bn1"), Relu("relu1"), MaxPool("maxpool", 3, 2))
        return Plan((3, 224, 224), stem, units, _head(self.num_classes))


@dataclass(frozen=True)
class FourBlocksCifarConfig(DenseNetImageNetConfig):
    """The same four blocks behind a first 3x3 convolution, for 32x32 images, as in kuangliu/pytorch-cifar.

    Attributes:
        depth, growth, num_classes: as of ``DenseNetImageNetConfig``.
    """

    num_classes: int = 10

    family = "densenet_cifar"
    images = "CIFAR"

    @classmethod
    def read(cls, head: str, depth: int, tokens: list[str]) -> Self | None:
        if head != "densenet" or "bc" in tokens or "cifar" not in tokens:
            return None
        return cls(depth, **cls.values([token for token in tokens if token != "cifar"]))


_PAPER = mark("Huang, Liu, van der Maaten, Weinberger: Densely Connected Convolutional Networks (CVPR 2017)")
FAMILIES = (
    Family(
        "densenet",
        mark("DenseNets for CIFAR"),
        _PAPER,
        DenseNetConfig,
        (
            *(DenseNetConfig(depth, growth) for depth, growth in ((40, 12), (100, 12), (100, 24))),
            *(DenseNetConfig(depth, growth, "BC") for depth, growth in ((100, 12), (250, 24), (190, 40))),
        ),
        layouts=projects.DENSENETS,
    ),
    Family(
        "densenet_imagenet",
        mark("DenseNets for ImageNet"),
        _PAPER,
        DenseNetImageNetConfig,
        tuple(DenseNetImageNetConfig(depth) for depth in (121, 161, 169, 201)),
        layouts=projects.IMAGENET_DENSENETS,
    ),
    Family(
        "densenet_cifar",
        mark("DenseNets of four blocks for CIFAR"),
        mark("{paper}, as kuangliu/pytorch-cifar has them", paper=_PAPER),
        FourBlocksCifarConfig,
        (FourBlocksCifarConfig(121, 12), *(FourBlocksCifarConfig(depth) for depth in LAYERS)),
        layouts=projects.FOUR_BLOCKS_CIFAR,
    ),
)
