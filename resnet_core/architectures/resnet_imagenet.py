"""ResNets of four stages: those of He et al. 2016, section 4.1 (Table 1), for ImageNet; and their small-image form for CIFAR."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from resnet_core.architectures import choices, projects
from resnet_core.architectures.base import Family, Field, ModelConfig
from resnet_core.architectures.parts import MaxPool, Part, Shape
from resnet_core.architectures.plan import Plan
from resnet_core.architectures.residual import Style, seen
from resnet_core.architectures.resnet import BLOCKS, SHORTCUTS
from resnet_core.checks import check_choice, check_whole
from resnet_core.errors import ConfigError
from resnet_core.language import mark, tr

#: Table 1: depth -> kind and number of the blocks in each stage.
TABLE_1: dict[int, tuple[str, tuple[int, ...]]] = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}
#: The numbers of blocks of a net that is not in Table 1, in its name.
_COUNTS = re.compile(r"\d{1,3}(\.\d{1,3}){3}", re.ASCII)
WIDTH = choices.width(mark("Filters of the first stage; the others have 2, 4 and 8 times as many."))

DROPOUT = choices.dropout(mark("before the fully connected layer"))


@dataclass(frozen=True)
class FourStages(ModelConfig):
    """What ResNets of four stages have in common.

    Attributes:
        layers: blocks of each of the four stages.
        block: ``basic`` or ``bottleneck``.
        num_classes: outputs of the fully connected layer.
        width: filters of the first stage's 3x3 convolutions; the others have 2, 4 and 8 times as many.
        shortcut: ``none`` (plain), ``A``, ``B`` or ``C``, as of ``ResNetConfig``.
        dropout: percent of the fully connected layer's inputs that are set to 0 in training.
        images: what they are made for, the last word of their names: ``ImageNet``, or ``CIFAR`` (a first convolution of 3x3, no pooling).

    Raises:
        ConfigError: a field is out of its range.
    """

    layers: tuple[int, ...] = (2, 2, 2, 2)
    block: str = "basic"
    num_classes: int = 1000
    width: int = 64
    shortcut: str = "B"
    dropout: int = dataclasses.field(default=0, kw_only=True)

    images: ClassVar[str] = "ImageNet"

    def __post_init__(self) -> None:
        check_choice("block", self.block, BLOCKS)
        if not isinstance(self.layers, tuple) or len(self.layers) != 4:
            raise ConfigError("layers", "{layers!r} are not four numbers of blocks.", layers=self.layers)
        for blocks in self.layers:
            check_whole("layers", blocks, 1, 100)
        check_choice("shortcut", self.shortcut, SHORTCUTS)
        self.check_fields()

    @property
    def depth(self) -> int:  # type: ignore[override]  # it follows from layers and block, and is set in no configuration
        """Weighted layers: the blocks' convolutions, the first convolution and the fully connected layer."""
        return {"basic": 2, "bottleneck": 3}[self.block] * sum(self.layers) + 2

    @property
    def is_plain(self) -> bool:
        return self.shortcut == "none"

    @property
    def head(self) -> str:
        return "plain" if self.is_plain else "ResNet"

    @property
    def name(self) -> str:
        """``ResNet-18-ImageNet``, ``ResNet-18-w32-CIFAR``; ``ResNet-26-bottleneck-2.2.2.2-ImageNet`` for what is not in Table 1."""
        known = TABLE_1.get(self.depth) == (self.block, self.layers)
        extra = [] if known else [*(["bottleneck"] if self.block == "bottleneck" else []), ".".join(map(str, self.layers))]
        return "-".join([f"{self.head}-{self.depth}", *self.tokens("stride"), *extra, self.images])

    @classmethod
    def read(cls, head: str, depth: int, tokens: list[str]) -> Self | None:
        if head not in ("resnet", "plain", "") or cls.images.lower() not in tokens:
            return None
        return cls.made(depth, [token for token in tokens if token != cls.images.lower()], {"shortcut": "none"} if head == "plain" else {})

    @classmethod
    def made(cls, depth: int, tokens: list[str], values: dict[str, Any]) -> Self:
        """Return the net of that depth, by Table 1 or by numbers of blocks among the tokens, with values and those of the other tokens."""
        layers = next((token for token in tokens if _COUNTS.fullmatch(token)), None)
        block, counts = TABLE_1.get(depth, ("basic", ()))
        if layers is not None:
            block = "bottleneck" if "bottleneck" in tokens else "basic"
            counts = tuple(map(int, layers.split(".")))
            tokens = [token for token in tokens if token not in (layers, "bottleneck")]
        if not counts:
            kind = "" if cls.images == "ImageNet" else tr(" of four stages")
            known = ", ".join(map(str, TABLE_1))
            raise ConfigError(
                "depth",
                "{depth} is not that of a ResNet for {images}{kind}; they have {known} layers.",
                depth=depth,
                images=cls.images,
                kind=kind,
                known=known,
            )
        read = cls.values(tokens)
        if twice := read.keys() & values.keys():
            raise ConfigError(next(iter(tokens)), "says of {pop} what the beginning of the name says.", pop=twice.pop())
        config = cls(counts, block, **(read | values))
        if config.depth != depth:
            raise ConfigError(
                "depth",
                "{depth} is not that of the blocks {layers}, which make {depth2} layers.",
                depth=depth,
                layers=layers,
                depth2=config.depth,
            )
        return config

    @classmethod
    def propose(cls, shapes: Mapping[str, Shape]) -> Iterator[Self]:
        if (found := seen(shapes, 4)) is not None:
            layers, block, width, classes = found
            for shortcut, variant in itertools.product(("B", "A", "none", "C"), cls.variants(block)):
                yield cls(layers, block, classes, width, shortcut, **variant)

    @classmethod
    def variants(cls, block: str) -> tuple[dict[str, Any], ...]:
        """List what the family's own fields may be in a net of such blocks, the likeliest first."""
        return ({},)

    def twin(self) -> Self | None:
        return None if self.is_plain else dataclasses.replace(self, shortcut="none")

    def style(self) -> Style:
        """Return what the blocks have in common."""
        return Style(self.shortcut, self.block, stride_in_3x3=True)

    def describe(self) -> Plan:
        style = self.style()
        pool: list[Part] = [MaxPool("maxpool", 3, 2)]
        kernel, stride, side = 7, 2, 224
        if self.images == "CIFAR":
            pool, kernel, stride, side = [], 3, 1, 32
        stem = (style.conv("conv1", self.width, kernel, stride), *style.normed("bn1"), style.active("relu"), *pool)
        return Plan((3, side, side), stem, style.units(self.width, self.layers), style.classifier(self.num_classes, self.dropout))


SHORTCUT = Field(
    "shortcut", "shortcut",
    mark("None is a plain net. A pads with zeros where dimensions change, B has projections (1x1 "
"convolutions) there, C has them everywhere."),
    SHORTCUTS, tokens={"A": "A", "B": "B", "C": "C"},
)  # fmt: skip
#: The same of families whose names begin alike with and without shortcuts.
SHORTCUT_IN_WORDS = dataclasses.replace(SHORTCUT, tokens={**SHORTCUT.tokens, "none": "plain"})


@dataclass(frozen=True)
class ImageNetConfig(FourStages):
    """A ResNet of section 4.1 of He et al. 2016 (Table 1).

    Attributes:
        layers, block, num_classes, width, shortcut, dropout: as of ``FourStages``.
        stride: of bottlenecks where the maps shrink: in the first ``1x1``, as in the paper, whose FLOPs come out only so; or in the
            ``3x3``, as in fb.resnet.torch and torchvision ("v1.5"). Files of before there was this field mean the 3x3.
    """

    stride: str = "1x1"

    family = "resnet_imagenet"
    fields = (
        SHORTCUT,
        Field("stride", mark("stride of bottlenecks"),
            mark("Where the maps shrink: in the first 1x1 (the paper), or in the 3x3 (v1.5: torchvision)."),
              ("1x1", "3x3"), tokens={"3x3": "v1.5"}),
        WIDTH,
        DROPOUT,
        choices.CLASSES,
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.block == "basic" and self.stride != "1x1":
            raise ConfigError("stride", "v1.5 moves the stride of bottlenecks; this net has basic blocks.")

    @property
    def name(self) -> str:
        return super().name + ("-v1.5" if self.stride == "3x3" else "")

    @classmethod
    def variants(cls, block: str) -> tuple[dict[str, Any], ...]:
        return ({"stride": "3x3"}, {"stride": "1x1"}) if block == "bottleneck" else ({},)

    @classmethod
    def brought_up(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {"stride": "3x3"} | values if values.get("block") == "bottleneck" else values

    def identity(self) -> dict[str, Any]:
        found = super().identity()
        found.pop("stride", None)
        return found | ({"stride": self.stride} if self.block == "bottleneck" and self.stride == "1x1" else {})

    def style(self) -> Style:
        return dataclasses.replace(super().style(), stride_in_3x3=self.stride == "3x3")


@dataclass(frozen=True)
class FourStageCifarConfig(FourStages):
    """The same four stages behind a first 3x3 convolution, for 32x32 images, as in kuangliu/pytorch-cifar; the stride is in the 3x3.

    Attributes:
        layers, block, num_classes, width, shortcut, dropout: as of ``FourStages``.
        activation: ``post``, or ``pre`` (before each convolution, He et al. 2016b); ``pre-bare``: that, without BN and ReLU behind the last
            block, which the paper has there and kuangliu/pytorch-cifar leaves out.
    """

    num_classes: int = 10
    activation: str = dataclasses.field(default="post", kw_only=True)

    family = "resnet_cifar"
    fields = (
        SHORTCUT,
        Field("activation", mark("activation order"),
            mark("BN and ReLU behind each convolution, or before it (He et al. 2016b); pre-bare has none behind the last block, as "
"kuangliu/pytorch-cifar's PreActResNet."),
              ("post", "pre", "pre-bare"), tokens={"pre": "preact", "pre-bare": "barepreact"}),
        WIDTH,
        DROPOUT,
        choices.CLASSES,
    )  # fmt: skip
    images = "CIFAR"

    @classmethod
    def variants(cls, block: str) -> tuple[dict[str, Any], ...]:
        return tuple({"activation": order} for order in ("post", "pre", "pre-bare"))

    def style(self) -> Style:
        return dataclasses.replace(super().style(), preact=self.activation != "post")

    def describe(self) -> Plan:
        plan = super().describe()
        if self.activation == "post":
            return plan
        conv, *activation = plan.stem  # the first block begins with these
        return dataclasses.replace(plan, stem=(conv,), head=(*(activation if self.activation == "pre" else ()), *plan.head))


_PAPER = mark("He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition (CVPR 2016), section 4.1")
FAMILIES = (
    Family(
        "resnet_imagenet",
        mark("ResNets for ImageNet"),
        _PAPER,
        ImageNetConfig,
        (
            *(ImageNetConfig(*TABLE_1[depth][::-1], shortcut="none") for depth in (18, 34)),
            *(ImageNetConfig(layers, block) for block, layers in TABLE_1.values()),
            *(ImageNetConfig(TABLE_1[34][1], "basic", shortcut=shortcut) for shortcut in ("A", "C")),
            *(ImageNetConfig(layers, block, stride="3x3") for block, layers in TABLE_1.values() if block == "bottleneck"),
        ),
        aliases=("imagenet",),
        layouts=projects.IMAGENET_RESNETS,
        also=projects.STEMS,
    ),
    Family(
        "resnet_cifar",
        mark("ResNets of four stages for CIFAR"),
        mark("{paper}, as kuangliu/pytorch-cifar has them", paper=_PAPER),
        FourStageCifarConfig,
        (
            *(FourStageCifarConfig(layers, block) for block, layers in TABLE_1.values()),
            *(FourStageCifarConfig(TABLE_1[18][1], activation=order) for order in ("pre", "pre-bare")),
        ),
        layouts=projects.FOUR_STAGES_CIFAR,
        also=projects.STEMS,
    ),
)
