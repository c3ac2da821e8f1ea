"""ResNeXt (Xie, Girshick, Dollár, Tu, He 2017): bottlenecks of many narrow paths, for CIFAR and for ImageNet, in three equal forms."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from resnet_core.architectures import choices, projects
from resnet_core.architectures.base import Family, Field, ModelConfig
from resnet_core.architectures.parts import Shape
from resnet_core.architectures.plan import Plan
from resnet_core.architectures.residual import Style, seen
from resnet_core.architectures.resnet_imagenet import DROPOUT, SHORTCUT_IN_WORDS, TABLE_1, FourStages
from resnet_core.checks import check_whole
from resnet_core.errors import ConfigError
from resnet_core.language import mark

MIN_DEPTH, MAX_DEPTH = 11, 1001
_PATHS = re.compile(r"(\d{1,4})x(\d{1,4})d", re.ASCII)
CARDINALITY = Field("cardinality", "cardinality", mark("Paths in each block."), low=1, high=128)
BASE_WIDTH = Field("base_width", mark("width of a path"),
    mark("Channels of each path in the first stage; they double from stage to stage."), low=1,
                   high=512)  # fmt: skip
FORM = Field(
    "form", mark("form of the blocks"),
    mark("How the same block is written down (Fig. 3 of the paper): a, each path by itself, and their sum; b, "
"the paths concatenated before the last convolution; c, a convolution in groups."),
    ("c", "b", "a"), tokens={"a": "a", "b": "b"},
)  # fmt: skip
#: Channels out of the blocks for CIFAR.
OUTPUTS = Field(
    "outputs", mark("channels out of blocks"),
    mark("The paper's: 256, 512 and 1024 out of the three stages, whatever the paths. Or twice as many as inside, behind a first "
"convolution of 1x1, as kuangliu/pytorch-cifar has them."),
    ("paper", "double"), tokens={"double": "double"},
)  # fmt: skip


def _paths(tokens: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Cardinality and width among a name's words, as fields, and the other words."""
    found = next((match for token in tokens if (match := _PATHS.fullmatch(token))), None)
    if found is None:
        return {}, tokens
    return {"cardinality": int(found[1]), "base_width": int(found[2])}, [token for token in tokens if token != found[0]]


@dataclass(frozen=True)
class ResNeXtConfig(ModelConfig):
    """A ResNeXt for CIFAR: three stages of bottlenecks with projections.

    Attributes:
        depth: 9n+2 weighted layers.
        cardinality: paths in each block; base_width: channels of each in the first stage, e.g. 8 and 64 ("8x64d").
        num_classes: outputs of the fully connected layer.
        shortcuts: ``projection`` where dimensions change, else the identity; or ``none``.
        form: ``a``, ``b`` or ``c``, which compute the same; ``resnext_forms.reform`` takes the weights of one to another.
        outputs: ``paper``: 256, 512 and 1024 channels come out of the stages; ``double``: twice as many as are inside, and the first
            convolution is 1x1, as in kuangliu/pytorch-cifar.

    Raises:
        ConfigError: a field is out of its range.
    """

    depth: int = 29
    cardinality: int = 8
    base_width: int = 64
    num_classes: int = 10
    shortcuts: str = "projection"
    form: str = "c"
    outputs: str = "paper"

    family = "resnext"
    fields = (CARDINALITY, BASE_WIDTH, FORM, OUTPUTS, choices.WITH_SHORTCUTS, choices.CLASSES)
    head = "ResNeXt"

    def __post_init__(self) -> None:
        check_whole("depth", self.depth, MIN_DEPTH, MAX_DEPTH)
        if self.depth % 9 != 2:
            below = max(MIN_DEPTH, (self.depth - 2) // 9 * 9 + 2)
            raise ConfigError(
                "depth",
                "{depth} is not of the form 9n+2; the nearest valid depths are {below} and {below2}.",
                depth=self.depth,
                below=below,
                below2=below + 9,
            )
        self.check_fields()

    @property
    def name(self) -> str:
        """``ResNeXt-29-8x64d``; ``ResNeXt-101-8x64d-CIFAR`` where there is one for ImageNet of that depth."""
        images = ["CIFAR"] if self.depth in TABLE_1 else []
        return "-".join([f"ResNeXt-{self.depth}-{self.cardinality}x{self.base_width}d", *self.tokens("cardinality", "base_width"), *images])

    @classmethod
    def read(cls, head: str, depth: int, tokens: list[str]) -> ResNeXtConfig | None:
        paths, left = _paths(tokens)
        if head != "resnext" or not paths or (depth in TABLE_1 and "cifar" not in tokens):
            return None
        return cls(depth, **paths, **cls.values([token for token in left if token != "cifar"]))

    @classmethod
    def propose(cls, shapes: Mapping[str, Shape]) -> Iterator[ResNeXtConfig]:
        second, last = shapes.get("layer1.0.conv2.weight", ()), shapes.get("fc.weight", ())
        blocks = sum(key.startswith("layer3.") and key.endswith(".conv1.weight") for key in shapes)
        if len(second) == 4 and len(last) == 2 and 0 < second[1] < second[0] and blocks:
            for shortcuts, outputs in itertools.product(("projection", "none"), ("paper", "double")):
                with contextlib.suppress(ConfigError):
                    yield cls(9 * blocks + 2, second[0] // second[1], second[1], last[0], shortcuts, outputs=outputs)

    def twin(self) -> ResNeXtConfig | None:
        return None if self.shortcuts == "none" else dataclasses.replace(self, shortcuts="none")

    def describe(self) -> Plan:
        style = Style(
            "none" if self.shortcuts == "none" else "B", "bottleneck", stride_in_3x3=True,
            groups=self.cardinality, base_width=self.base_width, form=self.form, doubled=self.outputs == "double",
        )  # fmt: skip
        stem = (style.conv("conv1", 64, 1 if style.doubled else 3), *style.normed("bn1"), style.active("relu"))
        return Plan((3, 32, 32), stem, style.units(64, ((self.depth - 2) // 9,) * 3), style.classifier(self.num_classes))


@dataclass(frozen=True)
class ResNeXtImageNetConfig(FourStages):
    """A ResNeXt for ImageNet: the bottlenecks of ResNet-50, -101 or -152, of many narrow paths (stride in the 3x3).

    Attributes:
        layers, block, num_classes, width, shortcut, dropout: as of ``FourStages``; the blocks are bottlenecks.
        cardinality, base_width, form: as of ``ResNeXtConfig``.
    """

    layers: tuple[int, ...] = (3, 4, 6, 3)
    block: str = "bottleneck"
    cardinality: int = 32
    base_width: int = 4
    form: str = "c"

    family = "resnext_imagenet"
    fields = (CARDINALITY, BASE_WIDTH, FORM, SHORTCUT_IN_WORDS, DROPOUT, choices.CLASSES)
    head = "ResNeXt"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.block != "bottleneck" or self.width != 64 or self.depth not in TABLE_1:
            raise ConfigError("layers", "a ResNeXt for ImageNet has the bottlenecks of ResNet-50, -101 or -152.")

    @property
    def name(self) -> str:
        return "-".join([f"ResNeXt-{self.depth}-{self.cardinality}x{self.base_width}d", *self.tokens("cardinality", "base_width")])

    @classmethod
    def read(cls, head: str, depth: int, tokens: list[str]) -> Self | None:
        paths, left = _paths(tokens)
        if head != "resnext" or not paths or "cifar" in tokens or TABLE_1.get(depth, ("basic",))[0] == "basic":
            return None
        return cls.made(depth, [token for token in left if token != "imagenet"], paths)

    @classmethod
    def propose(cls, shapes: Mapping[str, Shape]) -> Iterator[Self]:
        found, second = seen(shapes, 4), shapes.get("layer1.0.conv2.weight", ())
        if found is not None and len(second) == 4 and 0 < second[1] < second[0]:
            for shortcut in ("B", "none", "A", "C"):
                with contextlib.suppress(ConfigError):
                    yield cls(found[0], found[1], found[3], found[2], shortcut, second[0] // second[1], second[1])

    def style(self) -> Style:
        return dataclasses.replace(super().style(), groups=self.cardinality, base_width=self.base_width, form=self.form)


_PAPER = mark("Xie, Girshick, Dollár, Tu, He: Aggregated Residual Transformations for Deep Neural Networks (CVPR 2017)")
#: The paths and widths of about equal complexity of Tables 2 and 3 in the paper.
EQUAL_COMPLEXITY = ((1, 64), (2, 40), (4, 24), (8, 14), (32, 4))
FAMILIES = (
    Family(
        "resnext",
        mark("ResNeXts for CIFAR"),
        mark("{paper}, section 5.3", paper=_PAPER),
        ResNeXtConfig,
        (
            *(ResNeXtConfig(29, *paths) for paths in ((1, 64), (32, 4), (8, 64), (16, 64), (32, 64))),
            *(ResNeXtConfig(29, *paths, outputs="double") for paths in ((2, 64), (32, 4))),
        ),
        layouts=projects.CIFAR_RESNEXTS,
    ),
    Family(
        "resnext_imagenet",
        mark("ResNeXts for ImageNet"),
        _PAPER,
        ResNeXtImageNetConfig,
        (
            *(ResNeXtImageNetConfig(cardinality=paths, base_width=width) for paths, width in EQUAL_COMPLEXITY),
            *(ResNeXtImageNetConfig(TABLE_1[101][1], cardinality=paths, base_width=width) for paths, width in ((32, 4), (32, 8), (64, 4))),
        ),
        layouts=projects.IMAGENET_RESNETS,
        also=projects.STEMS,
    ),
)
