"""AlexNet (Krizhevsky, Sutskever, Hinton 2012): with its two towers, as torchvision has it, and small forms for CIFAR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from resnet_core.architectures import choices, projects
from resnet_core.architectures.base import CifarForm, Family, Field, ModelConfig
from resnet_core.architectures.further_parts import AveragedTo, Dropout, LocalResponseNorm
from resnet_core.architectures.parts import Conv, Flatten, Linear, MaxPool, Part
from resnet_core.architectures.plan import Plan, Unit
from resnet_core.architectures.vgg import active
from resnet_core.errors import ConfigError
from resnet_core.language import mark

_TOWERS = Field(
    "towers", "towers", mark("Two: convolutions 2, 4 and 5 see their own half of the channels only; or one."), ("two", "one"),
    tokens={"one": "onetower"},
)  # fmt: skip
_LRN = Field(
    "lrn", mark("local response normalisation"), mark("Behind the first two convolutions, or not."), ("yes", "no"), tokens={"no": "nolrn"}
)
_POOLING = Field(
    "pooling", "pooling", mark("Of 3x3 pixels every 2 (they overlap), or of 2x2."), ("overlapping", "plain"), tokens={"plain": "pool2"},
)  # fmt: skip


@dataclass(frozen=True)
class _Sizes:
    """The numbers of one form of the net.

    Attributes:
        filters: of the five convolutions; hidden: outputs of the two hidden fully connected layers.
        first: kernel, stride and padding of the first convolution.
        side: of the maps that the first fully connected layer reads.
    """

    filters: Sequence[int]
    hidden: int
    first: tuple[int, int, int]
    side: int


_PAPERS = _Sizes((96, 256, 384, 384, 256), 4096, (11, 4, 2), 6)
_TORCHVISIONS = _Sizes((64, 192, 384, 256, 256), 4096, (11, 4, 2), 6)
_SMALL = _Sizes((48, 128, 192, 192, 128), 1024, (5, 1, 2), 3)


def _five_convolutions(config: Any, sizes: _Sizes, side: int, pool_margin: int = 0) -> Plan:
    """Describe five convolutions and three fully connected layers. With N(0, 0.01), biases start at 1 where the paper's do (section 5)."""
    groups = 2 if config.towers == "two" else 1
    one = 1.0 if config.initialization == "normal" else 0.0
    window = 3 if config.pooling == "overlapping" else 2

    def conv(name: str, number: int, kernel: int, groups: int, bias: float) -> Conv:
        return Conv(name, sizes.filters[number - 1], kernel, bias=True, groups=groups, bias_start=bias)

    def after(end: str = "", normed: bool = False, pooled: bool = False) -> list[Part]:
        lrn: list[Part] = [LocalResponseNorm(f"lrn{end}")] if normed and config.lrn == "yes" else []
        pool: list[Part] = [MaxPool(f"pool{end}", window, 2, pool_margin)] if pooled else []
        return [active(f"relu{end}", config.nonlinearity), *lrn, *pool]

    kernel, stride, padding = sizes.first
    first = Conv("conv1", sizes.filters[0], kernel, stride, bias=True, padding=padding)
    units = (
        Unit("layer1.0", 1, 0, (conv("conv", 2, 5, groups, one),), after=tuple(after("", True, True)), dimensions_change=True),
        Unit("layer2.0", 2, 0, (conv("conv", 3, 3, 1, 0.0),), after=tuple(after()), dimensions_change=True),
        Unit("layer2.1", 2, 1, (conv("conv", 4, 3, groups, one),), after=tuple(after())),
        Unit("layer2.2", 2, 2, (conv("conv", 5, 3, groups, one),), after=tuple(after("", False, True)), dimensions_change=True),
    )
    head: list[Part] = [AveragedTo("avgpool", sizes.side), Flatten("flatten")]  # at the size that it is made for, the average of one value
    for number in (6, 7):
        head += [Dropout(f"dropout{number}", config.dropout)] if config.dropout else []
        head += [Linear(f"fc{number}", sizes.hidden, bias_start=one), active(f"relu{number}", config.nonlinearity)]
    stem = (first, *after("1", True, True))
    return Plan((3, side, side), stem, units, (*head, Linear("fc8", config.num_classes)), (), config.initialization)


@dataclass(frozen=True)
class AlexNetConfig(ModelConfig):
    """AlexNet for ImageNet, at 224 pixels with a padding of 2, which gives the paper's maps of 55.

    Attributes:
        version: ``paper``, or ``torchvision``: one tower, fewer filters, no LRN ("One weird trick", Krizhevsky 2014).
        towers: ``two``: convolutions 2, 4 and 5 see their own half of the channels only; or ``one``.
        lrn: ``yes`` or ``no``: local response normalisation behind the first two convolutions.
        pooling: ``overlapping`` (3x3 every 2 pixels) or ``plain`` (2x2).
        nonlinearity: ``relu`` or ``tanh``.
        initialization: ``he``, ``xavier`` or ``normal``: N(0, 0.01), biases of 1 in convolutions 2, 4, 5 and the hidden layers, as theirs.
        dropout: percent, before each hidden fully connected layer; theirs is 50.
        num_classes: outputs of the last layer.

    Raises:
        ConfigError: a field is out of its range.
    """

    version: str = "paper"
    num_classes: int = 1000
    towers: str = "two"
    lrn: str = "yes"
    pooling: str = "overlapping"
    nonlinearity: str = "relu"
    initialization: str = "he"
    dropout: int = 50

    family = "alexnet"
    is_numbered = False
    fields = (
        Field("version", "version", mark("The paper's, or torchvision's: one tower, fewer filters, no local response normalisation."),
              ("paper", "torchvision"), tokens={"torchvision": "torchvision"}),
        _TOWERS, _LRN, _POOLING, choices.NONLINEARITY, choices.INITIALIZATION,
        choices.dropout(mark("before each hidden fully connected layer")), choices.CLASSES,
    )  # fmt: skip
    head = "AlexNet"
    depth = 8

    def __post_init__(self) -> None:
        if self.version == "torchvision" and (self.towers, self.lrn) == ("two", "yes"):
            object.__setattr__(self, "towers", "one")  # it has neither; said or not, it is one net
            object.__setattr__(self, "lrn", "no")
        self.check_fields()
        if self.version == "torchvision" and (self.towers, self.lrn) != ("one", "no"):
            raise ConfigError("version", "torchvision's AlexNet has one tower and no local response normalisation.")

    @property
    def name(self) -> str:
        leave_out = ("towers", "lrn") if self.version == "torchvision" else ()
        return "-".join([self.head, *self.tokens(*leave_out)])

    @classmethod
    def read(cls, head: str, depth: int, tokens: list[str]) -> AlexNetConfig | None:
        if head != "alexnet" or {"cifar", "figure1"} & set(tokens):
            return None
        return cls(**cls.values([token for token in tokens if token != "imagenet"]))

    def describe(self) -> Plan:
        return _five_convolutions(self, _PAPERS if self.version == "paper" else _TORCHVISIONS, 224)


@dataclass(frozen=True)
class AlexNetCifarConfig(CifarForm):
    """AlexNet's parts at the size of 32x32 images: a first convolution of 5x5, half of the filters, 1024 hidden outputs.

    Attributes:
        towers, lrn, pooling, nonlinearity, initialization, dropout: as of ``AlexNetConfig``.
        num_classes: outputs of the last layer.

    Raises:
        ConfigError: a field is out of its range.
    """

    num_classes: int = 10
    towers: str = "two"
    lrn: str = "yes"
    pooling: str = "overlapping"
    nonlinearity: str = "relu"
    initialization: str = "he"
    dropout: int = 50

    family = "alexnet_cifar"
    fields = AlexNetConfig.fields[1:]
    head = "AlexNet"
    depth = 8

    def __post_init__(self) -> None:
        self.check_fields()

    def describe(self) -> Plan:
        return _five_convolutions(self, _SMALL, 32)


@dataclass(frozen=True)
class FourLayersConfig(ModelConfig):
    """A net as that of AlexNet's Fig. 1: four layers on CIFAR-10, ReLU against tanh, without any regularisation.

    The paper says no more about it. This one has three 5x5 convolutions of 32, 32 and 64 filters, overlapping pooling behind each, and a
    fully connected layer.

    Attributes:
        nonlinearity: ``relu`` or ``tanh``; initialization: ``he``, ``xavier`` or ``normal``.
        num_classes: outputs of the fully connected layer.

    Raises:
        ConfigError: a field is out of its range.
    """

    nonlinearity: str = "relu"
    initialization: str = "he"
    num_classes: int = 10

    family = "alexnet_figure1"
    is_numbered = False
    fields = (choices.NONLINEARITY, choices.INITIALIZATION, choices.CLASSES)
    head = "AlexNet-Figure1"
    depth = 4

    def __post_init__(self) -> None:
        self.check_fields()

    @classmethod
    def read(cls, head: str, depth: int, tokens: list[str]) -> FourLayersConfig | None:
        if head != "alexnet" or "figure1" not in tokens:
            return None
        return cls(**cls.values([token for token in tokens if token not in ("figure1", "cifar")]))

    def describe(self) -> Plan:
        def layer(filters: int, end: str = "") -> tuple[Part, Part, Part]:
            return Conv(f"conv{end}", filters, 5, bias=True), active(f"relu{end}", self.nonlinearity), MaxPool(f"pool{end}", 3, 2)

        units = []
        for stage, filters in enumerate((32, 64), start=1):
            conv, *after = layer(filters)
            units.append(Unit(f"layer{stage}.0", stage, 0, (conv,), after=tuple(after), dimensions_change=True))
        head = (Flatten("flatten"), Linear("fc", self.num_classes))
        return Plan((3, 32, 32), layer(32, "1"), tuple(units), head, (), self.initialization)


_PAPER = mark("Krizhevsky, Sutskever, Hinton: ImageNet Classification with Deep Convolutional Neural Networks (NIPS 2012)")
FAMILIES = (
    Family(
        "alexnet",
        "AlexNet",
        _PAPER,
        AlexNetConfig,
        (AlexNetConfig(), AlexNetConfig("torchvision"), AlexNetConfig(towers="one")),
        layouts=projects.ALEXNETS,
    ),
    Family("alexnet_cifar", mark("AlexNet for CIFAR"), _PAPER, AlexNetCifarConfig, (AlexNetCifarConfig(),)),
    Family(
        "alexnet_figure1",
        mark("AlexNet's Figure 1"),
        mark("{paper}, section 3.1", paper=_PAPER),
        FourLayersConfig,
        tuple(FourLayersConfig(nonlinearity) for nonlinearity in ("relu", "tanh")),
    ),
)
