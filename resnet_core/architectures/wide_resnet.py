"""Wide ResNets (Zagoruyko and Komodakis 2016): for CIFAR, with pre-activation; and torchvision's for ImageNet."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from resnet_core.architectures import choices, projects
from resnet_core.architectures.base import Family, Field, ModelConfig
from resnet_core.architectures.parts import Shape
from resnet_core.architectures.plan import Plan
from resnet_core.architectures.residual import Style, seen
from resnet_core.architectures.resnet_imagenet import DROPOUT, SHORTCUT_IN_WORDS, TABLE_1, FourStages
from resnet_core.checks import check_whole
from resnet_core.errors import ConfigError
from resnet_core.language import mark

MIN_DEPTH, MAX_DEPTH = 10, 1000


def _factor(tokens: list[str]) -> tuple[int | None, list[str]]:
    """The widening factor among a name's words, and the other words."""
    numbers = [token for token in tokens if token.isascii() and token.isdigit()]
    if len(numbers) != 1:
        return None, tokens
    return int(numbers[0]), [token for token in tokens if token != numbers[0]]


@dataclass(frozen=True)
class WideResNetConfig(ModelConfig):
    """A Wide ResNet for CIFAR: basic blocks, BN and ReLU before each convolution, ``factor`` times the filters.

    Attributes:
        depth: 6n+4, as the paper counts: the convolutions, with three projections, without the fully connected layer.
        factor: the paper's k: the stages have 16 k, 32 k and 64 k filters.
        num_classes: outputs of the fully connected layer.
        shortcuts: ``projection`` where dimensions change, else the identity; or ``none``.
        dropout: percent, between the two convolutions of each block.

    Raises:
        ConfigError: a field is out of its range.
    """

    depth: int = 16
    factor: int = 4
    num_classes: int = 10
    shortcuts: str = "projection"
    dropout: int = 0

    family = "wide_resnet"
    fields = (
        Field("factor", mark("widening factor"), mark("The stages have 16, 32 and 64 times as many filters."), low=1, high=32),
        choices.WITH_SHORTCUTS,
        choices.dropout(mark("between the two convolutions of a block")),
        choices.CLASSES,
    )
    head = "WRN"

    def __post_init__(self) -> None:
        check_whole("depth", self.depth, MIN_DEPTH, MAX_DEPTH)
        if self.depth % 6 != 4:
            below = max(MIN_DEPTH, (self.depth - 4) // 6 * 6 + 4)
            raise ConfigError(
                "depth",
                "{depth} is not of the form 6n+4; the nearest valid depths are {below} and {below2}.",
                depth=self.depth,
                below=below,
                below2=below + 6,
            )
        self.check_fields()

    @property
    def name(self) -> str:
        return "-".join([f"WRN-{self.depth}-{self.factor}", *self.tokens()])

    @classmethod
    def read(cls, head: str, depth: int, tokens: list[str]) -> WideResNetConfig | None:
        factor, left = _factor(tokens)
        if head != "wrn" or factor is None or TABLE_1.get(depth, ("basic",))[0] == "bottleneck":
            return None
        return cls(depth, factor, **cls.values(left))

    @classmethod
    def propose(cls, shapes: Mapping[str, Shape]) -> Iterator[WideResNetConfig]:
        first, last = shapes.get("layer1.0.conv1.weight", ()), shapes.get("fc.weight", ())
        blocks = sum(key.startswith("layer3.") and key.endswith(".conv1.weight") for key in shapes)
        if len(first) == 4 and len(last) == 2 and first[0] % 16 == 0 and blocks:
            for shortcuts in ("projection", "none"):
                with contextlib.suppress(ConfigError):
                    yield cls(6 * blocks + 4, first[0] // 16, last[0], shortcuts)

    def twin(self) -> WideResNetConfig | None:
        return None if self.shortcuts == "none" else dataclasses.replace(self, shortcuts="none")

    def describe(self) -> Plan:
        style = Style("none" if self.shortcuts == "none" else "B", preact=True, dropout=self.dropout)
        units = style.units(16 * self.factor, ((self.depth - 4) // 6,) * 3, 16)
        head = (*style.normed("bn1"), style.active("relu"), *style.classifier(self.num_classes))
        return Plan((3, 32, 32), (style.conv("conv1", 16, 3),), units, head)


@dataclass(frozen=True)
class WideImageNetConfig(FourStages):
    """A ResNet for ImageNet whose bottlenecks have ``factor`` times the filters inside, as torchvision has them (stride in the 3x3).

    Attributes:
        layers, block, num_classes, width, shortcut, dropout: as of ``FourStages``; the blocks are bottlenecks.
        factor: 2 in the nets of Zagoruyko and Komodakis 2016, section 3.3.
    """

    layers: tuple[int, ...] = (3, 4, 6, 3)
    block: str = "bottleneck"
    factor: int = 2

    family = "wide_resnet_imagenet"
    fields = (
        Field("factor", mark("widening factor"), mark("A bottleneck has so many times a ResNet's filters inside."), low=1, high=16),
        SHORTCUT_IN_WORDS,
        DROPOUT,
        choices.CLASSES,
    )
    head = "WRN"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.block != "bottleneck" or self.width != 64 or self.depth not in TABLE_1:
            raise ConfigError("layers", "a Wide ResNet for ImageNet has the bottlenecks of ResNet-50, -101 or -152.")

    @property
    def name(self) -> str:
        return "-".join([f"WRN-{self.depth}-{self.factor}", *self.tokens()])

    @classmethod
    def read(cls, head: str, depth: int, tokens: list[str]) -> Self | None:
        factor, left = _factor(tokens)
        if head != "wrn" or factor is None or TABLE_1.get(depth, ("basic",))[0] == "basic":
            return None
        return cls.made(depth, left, {"factor": factor})

    @classmethod
    def propose(cls, shapes: Mapping[str, Shape]) -> Iterator[Self]:
        found, first = seen(shapes, 4), shapes.get("layer1.0.conv1.weight", ())
        if found is not None and len(first) == 4 and first[0] > 64 and first[0] % 64 == 0:
            for shortcut in ("B", "none", "A", "C"):
                with contextlib.suppress(ConfigError):
                    yield cls(found[0], found[1], found[3], found[2], shortcut, first[0] // 64)

    def style(self) -> Style:
        return dataclasses.replace(super().style(), base_width=64 * self.factor)


_PAPER = mark("Zagoruyko, Komodakis: Wide Residual Networks (BMVC 2016)")
FAMILIES = (
    Family(
        "wide_resnet",
        mark("Wide ResNets for CIFAR"),
        _PAPER,
        WideResNetConfig,
        (
            *(WideResNetConfig(depth, factor) for depth, factor in ((16, 4), (16, 8), (40, 4), (28, 10))),
            WideResNetConfig(28, 10, dropout=30),
        ),
        layouts=projects.WIDE_RESNETS,
    ),
    Family(
        "wide_resnet_imagenet",
        mark("Wide ResNets for ImageNet"),
        mark("{paper}, as torchvision has them", paper=_PAPER),
        WideImageNetConfig,
        tuple(WideImageNetConfig(TABLE_1[depth][1]) for depth in (50, 101)),
        layouts=projects.IMAGENET_RESNETS,
        also=projects.STEMS,
    ),
)
