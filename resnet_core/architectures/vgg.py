"""VGG nets (Simonyan and Zisserman 2015): 3x3 convolutions in a row, without shortcuts; for ImageNet, and their small form for CIFAR."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from resnet_core.architectures import choices, projects
from resnet_core.architectures.base import Family, Field, ModelConfig
from resnet_core.architectures.further_parts import AveragedTo, Dropout, Tanh
from resnet_core.architectures.parts import BatchNorm, Conv, Flatten, Linear, MaxPool, Part, Relu, Shape
from resnet_core.architectures.plan import Plan, Unit
from resnet_core.errors import ConfigError
from resnet_core.language import mark

#: Table 1 of the paper (A, B, D, E): depth -> 3x3 convolutions in each of five stages; and their filters.
CONVOLUTIONS: dict[int, tuple[int, ...]] = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
FILTERS = (64, 128, 256, 512, 512)


def hidden(names: Sequence[str], outputs: int, nonlinearity: str, dropout: int) -> list[Part]:
    """Describe fully connected layers with an activation, and dropout behind each (VGG)."""
    parts: list[Part] = []
    for name in names:
        parts += [Linear(name, outputs), active(f"relu{name[2:]}", nonlinearity)]
        parts += [Dropout(f"dropout{name[2:]}", dropout)] if dropout else []
    return parts


def active(name: str, nonlinearity: str) -> Part:
    """Describe the activation function that a configuration chooses."""
    return Tanh(name) if nonlinearity == "tanh" else Relu(name)


@dataclass(frozen=True)
class VGGConfig(ModelConfig):
    """A VGG net for ImageNet (Table 1 of the paper), as torchvision has them: convolutions have biases, with BN too.

    Attributes:
        depth: 11, 13, 16 or 19 weighted layers.
        norm: ``none`` as in the paper, or ``batch``.
        nonlinearity: ``relu`` or ``tanh``; initialization: ``he``, ``xavier`` or ``normal``.
        kernel: of the third convolution in each of the last three stages of VGG-16: ``3x3`` (the paper's D), or ``1x1`` (its C).
        dropout: percent, behind each of the two hidden fully connected layers; theirs is 50.
        num_classes: outputs of the last layer.

    Raises:
        ConfigError: a field is out of its range.
    """

    depth: int = 16
    norm: str = "none"
    num_classes: int = 1000
    nonlinearity: str = "relu"
    initialization: str = "he"
    kernel: str = "3x3"
    dropout: int = 50

    images: ClassVar[str] = ""
    family = "vgg"
    fields: ClassVar[tuple[Field, ...]] = (
        dataclasses.replace(choices.NORM, help=mark("None, as in the paper, or batch normalisation."), tokens={"batch": "BN"}),
        choices.NONLINEARITY,
        choices.INITIALIZATION,
        Field("kernel", mark("third convolutions"), mark("Of the last three stages of VGG-16: 3x3 (the paper's D), or 1x1 (its C)."),
            ("3x3", "1x1"),
              tokens={"1x1": "C"}),
        choices.dropout(mark("behind the hidden fully connected layers")),
        choices.CLASSES,
    )  # fmt: skip
    head = "VGG"

    def __post_init__(self) -> None:
        if self.depth not in CONVOLUTIONS:
            raise ConfigError(
                "depth",
                "{depth} is not that of a VGG net; they have {map} layers.",
                depth=self.depth,
                map=", ".join(map(str, CONVOLUTIONS)),
            )
        self.check_fields()
        if self.kernel == "1x1" and self.depth != 16:
            raise ConfigError("kernel", "C is a VGG net of 16 layers.")

    @property
    def name(self) -> str:
        return "-".join([super().name, *([self.images] if self.images else [])])

    @classmethod
    def read(cls, head: str, depth: int, tokens: list[str]) -> Self | None:
        if head != "vgg" or ("cifar" in tokens) != bool(cls.images):
            return None
        return cls(depth, **cls.values([token for token in tokens if token not in ("cifar", "imagenet")]))

    @classmethod
    def propose(cls, shapes: Mapping[str, Shape]) -> Iterator[Self]:
        convolutions = sum(len(shape) == 4 for shape in shapes.values())
        last = shapes.get("fc8.weight", shapes.get("fc.weight", ()))
        norm = "batch" if any(key.endswith(".running_mean") for key in shapes) else "none"
        for depth, counts in CONVOLUTIONS.items():
            if convolutions == sum(counts) and len(last) == 2:
                with contextlib.suppress(ConfigError):
                    yield cls(depth, norm, last[0])

    def describe(self) -> Plan:
        def layer(stage: int, index: int) -> tuple[list[Part], list[Part]]:
            is_last = index == CONVOLUTIONS[self.depth][stage] - 1
            kernel = 1 if self.kernel == "1x1" and stage > 1 and index == 2 else 3
            end = "1" if (stage, index) == (0, 0) else ""
            conv: list[Part] = [Conv(f"conv{end}", FILTERS[stage], kernel, bias=True)]
            conv += [BatchNorm(f"bn{end}")] if self.norm == "batch" else []
            pool: list[Part] = [MaxPool(f"pool{end}", 2, 2, 0)] if is_last else []
            return conv, [active(f"relu{end}", self.nonlinearity), *pool]

        conv, after = layer(0, 0)
        stem, units, number, channels = (*conv, *after), [], 0, FILTERS[0]
        for stage, count in enumerate(CONVOLUTIONS[self.depth]):
            indices = range(stage == 0, count)
            number += len(indices) > 0  # of VGG-11 the first convolution is the whole of the first stage
            for place, index in enumerate(indices):
                conv, after = layer(stage, index)
                changes = channels != FILTERS[stage] or index == count - 1
                units.append(Unit(f"layer{number}.{place}", number, place, tuple(conv), after=tuple(after), dimensions_change=changes))
                channels = FILTERS[stage]
        return Plan(self._input, stem, tuple(units), self._head(), (), self.initialization)

    _input: ClassVar[Shape] = (3, 224, 224)

    def _head(self) -> tuple[Part, ...]:
        layers = hidden(("fc6", "fc7"), 4096, self.nonlinearity, self.dropout)
        return AveragedTo("avgpool", 7), Flatten("flatten"), *layers, Linear("fc8", self.num_classes)


@dataclass(frozen=True)
class VGGCifarConfig(VGGConfig):
    """The convolutions of a VGG net with BN, and one fully connected layer, for 32x32 images, as in kuangliu/pytorch-cifar.

    Attributes:
        depth: of the VGG net whose convolutions it has; without ``hidden`` there are two fully connected layers fewer.
        nonlinearity, initialization, kernel: as of ``VGGConfig``; norm: ``batch`` or ``none``.
        dropout: percent, before the last layer, and behind each hidden one.
        num_classes: outputs of the last layer.
        hidden: outputs of each of two fully connected layers before it, 512 in chenyaofo/pytorch-cifar-models; 0: there are none.
    """

    norm: str = "batch"
    num_classes: int = 10
    dropout: int = 0
    hidden: int = 0

    family = "vgg_cifar"
    images = "CIFAR"
    fields = (
        dataclasses.replace(choices.NORM, help=mark("Batch normalisation, or none."), tokens={"none": "nobn"}),
        *VGGConfig.fields[1:4],
        Field("hidden", mark("hidden fully connected layers"),
            mark("Outputs of each of the two; 0: there are none. chenyaofo/pytorch-cifar-models has 512, with 50 % dropout."),
              low=0, high=4096, prefix="h"),
        choices.dropout(mark("before the last layer, and behind each hidden one")),
        choices.CLASSES,
    )  # fmt: skip
    _input = (3, 32, 32)

    @property
    def weighted_layers(self) -> int:
        return self.depth if self.hidden else self.depth - 2

    @classmethod
    def propose(cls, shapes: Mapping[str, Shape]) -> Iterator[Self]:
        width = shapes.get("fc6.bias", (0,))[0]
        for config in super().propose(shapes):
            with contextlib.suppress(ConfigError):
                yield dataclasses.replace(config, hidden=width, dropout=50) if width else config

    def _head(self) -> tuple[Part, ...]:
        if self.hidden:
            layers = hidden(("fc6", "fc7"), self.hidden, self.nonlinearity, self.dropout)
            return Flatten("flatten"), *layers, Linear("fc8", self.num_classes)
        return Flatten("flatten"), *([Dropout("dropout", self.dropout)] if self.dropout else []), Linear("fc", self.num_classes)


_PAPER = mark("Simonyan, Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition (ICLR 2015)")
FAMILIES = (
    Family(
        "vgg",
        mark("VGG nets for ImageNet"),
        _PAPER,
        VGGConfig,
        (*(VGGConfig(depth, norm) for norm in ("none", "batch") for depth in CONVOLUTIONS), VGGConfig(kernel="1x1")),
        layouts=projects.VGGS,
    ),
    Family(
        "vgg_cifar",
        mark("VGG nets for CIFAR"),
        mark("{paper}, as kuangliu/pytorch-cifar has them", paper=_PAPER),
        VGGCifarConfig,
        (*(VGGCifarConfig(depth) for depth in CONVOLUTIONS), VGGCifarConfig(norm="none"), VGGCifarConfig(hidden=512, dropout=50)),
        layouts=projects.CIFAR_VGGS,
    ),
)
