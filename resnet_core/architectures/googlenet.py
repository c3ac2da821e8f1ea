"""GoogLeNet (Szegedy et al. 2015): modules of four rows side by side; as in the paper, as torchvision has it, and for CIFAR."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from resnet_core.architectures import choices, projects
from resnet_core.architectures.base import CifarForm, Family, Field, ModelConfig
from resnet_core.architectures.further_parts import AveragedTo, AvgPool, Dropout, LocalResponseNorm
from resnet_core.architectures.joins import Parallel
from resnet_core.architectures.parts import BatchNorm, Conv, Flatten, GlobalPool, Linear, MaxPool, Part, Relu, Shape
from resnet_core.architectures.plan import Auxiliary, Plan, Unit
from resnet_core.language import mark

#: Table 1 of the paper: of the modules in three stages (3a and 3b; 4a to 4e; 5a and 5b) the filters of the 1x1, of the 3x3 and the 1x1
#: before it, of the 5x5 and the 1x1 before it, and of the 1x1 behind the pooling.
MODULES = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)
#: Weight of an auxiliary classifier's loss (section 5), and the modules (4a and 4d) that they stand behind.
WEIGHT, BEHIND = 0.3, ("layer2.0", "layer2.3")
AUXILIARY = Field(
    "auxiliary", mark("auxiliary classifiers"),
        mark("Two in the middle, whose losses are added in training, with a weight of 0.3; or none."),
    ("none", "two"), tokens={"two": "aux"},
)  # fmt: skip


@dataclass(frozen=True)
class _Form:
    """What the versions differ in.

    Attributes:
        norm: with BN behind each convolution; eps: what it adds to the variance.
        bias: convolutions have biases.
        large: the third row's second kernel: 5 (the paper), 3 (torchvision), or two of 3 in a row (0).
        ceil_mode: poolings count a last window that is only partly on the maps.
    """

    norm: bool
    bias: bool
    large: int
    eps: float = 1e-5
    ceil_mode: bool = True

    def conv(self, filters: int, kernel: int, stride: int = 1, end: str = "") -> list[Part]:
        normed: list[Part] = [BatchNorm(f"bn{end}", self.eps)] if self.norm else []
        return [Conv(f"conv{end}", filters, kernel, stride, self.bias), *normed, Relu(f"relu{end}")]

    def module(self, stage: int, index: int, filters: tuple[int, ...], pool: MaxPool | None) -> Unit:
        one, before3, three, before5, five, pooled = filters
        large = [*self.conv(five, 3, 1, "2"), *self.conv(five, 3, 1, "3")] if not self.large else self.conv(five, self.large, 1, "2")
        rows = (
            self.conv(one, 1),
            [*self.conv(before3, 1, 1, "1"), *self.conv(three, 3, 1, "2")],
            [*self.conv(before5, 1, 1, "1"), *large],
            [MaxPool("pool", 3, 1, ceil_mode=self.ceil_mode), *self.conv(pooled, 1)],
        )
        module = Parallel("module", tuple(tuple(row) for row in rows))
        return Unit(f"layer{stage}.{index}", stage, index, (module,), after=(pool,) if pool else (), dimensions_change=True)

    def modules(self, pools: tuple[MaxPool, MaxPool]) -> tuple[Unit, ...]:
        ends = {(1, len(MODULES[0]) - 1): pools[0], (2, len(MODULES[1]) - 1): pools[1]}
        return tuple(
            self.module(stage, index, filters, ends.get((stage, index)))
            for stage, modules in enumerate(MODULES, start=1)
            for index, filters in enumerate(modules)
        )

    def auxiliary(self, pool: Part, outputs: int) -> tuple[Auxiliary, ...]:
        parts = (pool, *self.conv(128, 1), Flatten("flatten"), Linear("fc1", 1024), Relu("relu1"), Dropout("dropout", 70))
        return tuple(Auxiliary(f"aux{i}", unit, (*parts, Linear("fc2", outputs)), WEIGHT) for i, unit in enumerate(BEHIND, start=1))


def _head(outputs: int, dropout: int) -> tuple[Part, ...]:
    dropped = [Dropout("dropout", dropout)] if dropout else []
    return (GlobalPool("avgpool"), Flatten("flatten"), *dropped, Linear("fc", outputs))


@dataclass(frozen=True)
class GoogLeNetConfig(ModelConfig):
    """GoogLeNet for ImageNet: 22 weighted layers on the longest way through it, 57 convolutions in all.

    Attributes:
        version: ``paper`` (5x5 convolutions, local response normalisation); ``bn``: the same with BN instead; ``torchvision``: with BN,
            and 3x3 convolutions where the paper has 5x5.
        auxiliary: ``two`` auxiliary classifiers, or ``none``.
        dropout: percent, before the fully connected layer; theirs is 40.
        num_classes: outputs of the fully connected layer.

    Raises:
        ConfigError: a field is out of its range.
    """

    version: str = "paper"
    auxiliary: str = "none"
    num_classes: int = 1000
    dropout: int = 40

    family = "googlenet"
    is_numbered = False
    fields = (
        Field("version", "version", mark("The paper's; the same with BN; or torchvision's: BN, and 3x3 in the place of 5x5."),
              ("paper", "bn", "torchvision"), tokens={"bn": "BN", "torchvision": "torchvision"}),
        AUXILIARY,
        choices.dropout(mark("before the fully connected layer")),
        choices.CLASSES,
    )  # fmt: skip
    head = "GoogLeNet"
    depth = 22

    def __post_init__(self) -> None:
        self.check_fields()

    @classmethod
    def read(cls, head: str, depth: int, tokens: list[str]) -> Self | None:
        if head != "googlenet" or "cifar" in tokens:
            return None
        return cls(**cls.values([token for token in tokens if token != "imagenet"]))

    @classmethod
    def propose(cls, shapes: Mapping[str, Shape]) -> Iterator[Self]:
        last = shapes.get("fc.weight", ())
        if "layer1.0.module.branch1.conv.weight" in shapes and len(last) == 2:
            for version in ("paper", "bn", "torchvision"):
                yield cls(version, "two" if "aux1.fc1.weight" in shapes else "none", last[0])

    def describe(self) -> Plan:
        theirs, normed = self.version == "torchvision", self.version != "paper"
        form = _Form(normed, not normed, 3 if theirs else 5, 1e-3 if theirs else 1e-5)
        lrn: list[list[Part]] = [[] if normed else [LocalResponseNorm(f"lrn{number}")] for number in (1, 2)]

        def pool(name: str, window: int = 3) -> MaxPool:
            return MaxPool(name, window, 2, 0, ceil_mode=True)

        stem = (
            *form.conv(64, 7, 2, "1"), pool("pool1"), *lrn[0],
            *form.conv(64, 1, 1, "2"), *form.conv(192, 3, 1, "3"), *lrn[1], pool("pool2"),
        )  # fmt: skip
        units = form.modules((pool("pool"), pool("pool", 2 if theirs else 3)))
        small: Part = AveragedTo("avgpool", 4) if theirs else AvgPool("avgpool", 5, 3)
        auxiliary = form.auxiliary(small, self.num_classes) if self.auxiliary == "two" else ()
        return Plan((3, 224, 224), stem, units, _head(self.num_classes, self.dropout), auxiliary)


@dataclass(frozen=True)
class GoogLeNetCifarConfig(CifarForm):
    """The modules of GoogLeNet behind one 3x3 convolution, for 32x32 images, as in kuangliu/pytorch-cifar.

    With BN; two 3x3 convolutions in a row where the paper has one of 5x5. The biases before BN, which do nothing, are theirs.

    Attributes:
        auxiliary: ``two`` auxiliary classifiers, or ``none``.
        dropout: percent, before the fully connected layer.
        num_classes: outputs of the fully connected layer.

    Raises:
        ConfigError: a field is out of its range.
    """

    auxiliary: str = "none"
    num_classes: int = 10
    dropout: int = 0

    family = "googlenet_cifar"
    fields = (AUXILIARY, *GoogLeNetConfig.fields[2:])
    head = "GoogLeNet"
    depth = 22

    def __post_init__(self) -> None:
        self.check_fields()

    def describe(self) -> Plan:
        form = _Form(True, True, 0, ceil_mode=False)
        units = form.modules((MaxPool("pool", 3, 2), MaxPool("pool", 3, 2)))
        auxiliary = form.auxiliary(AveragedTo("avgpool", 4), self.num_classes) if self.auxiliary == "two" else ()
        return Plan((3, 32, 32), tuple(form.conv(192, 3, 1, "1")), units, _head(self.num_classes, self.dropout), auxiliary)


_PAPER = mark("Szegedy et al.: Going Deeper with Convolutions (CVPR 2015)")
FAMILIES = (
    Family(
        "googlenet",
        "GoogLeNet",
        _PAPER,
        GoogLeNetConfig,
        (*(GoogLeNetConfig(version) for version in ("paper", "bn", "torchvision")), GoogLeNetConfig(auxiliary="two")),
        layouts=projects.GOOGLENETS,
    ),
    Family(
        "googlenet_cifar",
        mark("GoogLeNet for CIFAR"),
        mark("{paper}, as kuangliu/pytorch-cifar has it", paper=_PAPER),
        GoogLeNetCifarConfig,
        (GoogLeNetCifarConfig(), GoogLeNetCifarConfig("two")),
        layouts=projects.CIFAR_GOOGLENETS,
    ),
)
