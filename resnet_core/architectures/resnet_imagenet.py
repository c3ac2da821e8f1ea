"""The ImageNet ResNets of He et al. 2016, section 4.1 (Table 1), as torchvision has them: for its weights to be looked into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from resnet_core.architectures.base import Field, ModelConfig
from resnet_core.architectures.parts import Flatten, GlobalPool, Linear, MaxPool, Relu, Shape
from resnet_core.architectures.plan import Plan
from resnet_core.architectures.residual import Style, seen
from resnet_core.architectures.resnet import BLOCKS, MAX_WIDTH, MIN_WIDTH
from resnet_core.checks import check_choice, check_whole
from resnet_core.errors import ConfigError

#: Table 1: depth -> kind and number of the blocks in each stage.
TABLE_1: dict[int, tuple[str, tuple[int, ...]]] = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}


@dataclass(frozen=True)
class ImageNetConfig(ModelConfig):
    """A ResNet of section 4.1 of He et al. 2016 (Table 1), as torchvision has them; imported, not trained here.

    Its shortcuts are option B. In bottlenecks the stride is in the 3x3 convolution, not in the first 1x1 as in the paper.

    Attributes:
        layers: blocks of each of the four stages.
        block: ``basic`` or ``bottleneck``.
        num_classes: outputs of the fully connected layer.
        width: filters of the first stage's 3x3 convolutions; the others have 2, 4 and 8 times as many.

    Raises:
        ConfigError: a field is out of its range.
    """

    layers: tuple[int, ...] = (2, 2, 2, 2)
    block: str = "basic"
    num_classes: int = 1000
    width: int = 64

    family = "resnet_imagenet"
    fields = (
        Field("width", "width", "Filters of the first stage; the others have 2, 4 and 8 times as many.", low=MIN_WIDTH, high=MAX_WIDTH,
              prefix="w"),
        Field("num_classes", "classes", "Outputs of the fully connected layer.", low=2, high=1000, prefix="c"),
    )  # fmt: skip
    shortcut = "B"

    def __post_init__(self) -> None:
        check_choice("block", self.block, BLOCKS)
        if not isinstance(self.layers, tuple) or len(self.layers) != 4:
            raise ConfigError("layers", f"{self.layers!r} are not four numbers of blocks.")
        for blocks in self.layers:
            check_whole("layers", blocks, 1, 100)
        self.check_fields()

    @property
    def depth(self) -> int:  # type: ignore[override]  # it follows from layers and block, and is set in no configuration
        """Weighted layers: the blocks' convolutions, the first convolution and the fully connected layer."""
        return {"basic": 2, "bottleneck": 3}[self.block] * sum(self.layers) + 2

    @property
    def head(self) -> str:
        return "ResNet"

    @property
    def name(self) -> str:
        """``ResNet-18-ImageNet``, ``ResNet-18-w32-ImageNet``; ``ResNet-26-bottleneck-2.2.2.2-ImageNet`` for what is not in Table 1."""
        known = TABLE_1.get(self.depth) == (self.block, self.layers)
        extra = [] if known else [*(["bottleneck"] if self.block == "bottleneck" else []), ".".join(map(str, self.layers))]
        return "-".join([super().name, *extra, "ImageNet"])

    @classmethod
    def read(cls, head: str, depth: int, tokens: list[str]) -> ImageNetConfig | None:
        if head not in ("resnet", "") or "imagenet" not in tokens:
            return None
        left = [token for token in tokens if token != "imagenet"]
        layers = next((token for token in left if "." in token), None)
        block, counts = TABLE_1.get(depth, ("basic", ()))
        if layers is not None:
            block = "bottleneck" if "bottleneck" in left else "basic"
            counts = tuple(int(count) for count in layers.split(".") if count.isascii() and count.isdigit())
            left = [token for token in left if token not in (layers, "bottleneck")]
        if not counts:
            raise ConfigError("depth", f"{depth} is not that of a ResNet for ImageNet; they have {', '.join(map(str, TABLE_1))} layers.")
        config = cls(counts, block, **cls.values(left))
        if config.depth != depth:
            raise ConfigError("depth", f"{depth} is not that of the blocks {layers}, which make {config.depth} layers.")
        return config

    @classmethod
    def propose(cls, shapes: Mapping[str, Shape]) -> Iterator[ImageNetConfig]:
        if (found := seen(shapes, 4)) is not None:
            layers, block, width, classes = found
            yield cls(layers, block, classes, width)

    def describe(self) -> Plan:
        style = Style(self.shortcut, self.block, stride_in_3x3=True)
        stem = (style.conv("conv1", self.width, 7, 2), *style.normed("bn1"), Relu("relu"), MaxPool("maxpool", 3, 2))
        head = (GlobalPool("avgpool"), Flatten("flatten"), Linear("fc", self.num_classes))
        return Plan((3, 224, 224), stem, style.units(self.width, self.layers), head)
