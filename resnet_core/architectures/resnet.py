"""The CIFAR nets of He et al. 2016, section 4.2, plain and residual, with the options of the papers that followed."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from resnet_core.architectures.base import Field, ModelConfig
from resnet_core.architectures.parts import Flatten, GlobalPool, Linear, Relu, Shape
from resnet_core.architectures.plan import Plan
from resnet_core.architectures.residual import Style, seen
from resnet_core.checks import check_choice, check_whole
from resnet_core.errors import ConfigError

#: ``none`` is the plain net; A, B and C are the options of section 3.3 and Table 3 of the paper.
SHORTCUTS = ("none", "A", "B", "C")
BLOCKS = ("basic", "bottleneck")
MIN_DEPTH, MAX_DEPTH = 8, 1202
MIN_WIDTH, MAX_WIDTH = 1, 256
#: Weighted layers in one round of blocks, one block a stage: 2 (basic) or 3 (bottleneck) layers in each of 3 stages.
LAYERS_PER_ROUND = {"basic": 6, "bottleneck": 9}
#: The fields that runs had before there were families: their fingerprints are made of these.
_FIRST = ("depth", "shortcut", "width", "block", "num_classes")


def valid_depths(block: str = "basic", low: int = MIN_DEPTH, high: int = MAX_DEPTH) -> list[int]:
    """List every depth from ``low`` to ``high`` that the family has: 6n+2 for basic blocks, 9n+2 for bottlenecks."""
    step = LAYERS_PER_ROUND[block]
    return [depth for depth in range(step + 2, MAX_DEPTH + 1, step) if low <= depth <= high]


def nearest_depths(depth: int, block: str = "basic") -> list[int]:
    """Find the valid depths on both sides of ``depth`` (one, where it lies beyond the ends)."""
    step = LAYERS_PER_ROUND[block]
    if step + 2 <= depth <= MAX_DEPTH and (depth - 2) % step == 0:
        return [depth]
    depths = valid_depths(block)
    below = [d for d in depths if d <= depth][-1:]
    above = [d for d in depths if d >= depth][:1]
    return sorted(set(below + above))


@dataclass(frozen=True)
class ResNetConfig(ModelConfig):
    """A net of the CIFAR family of section 4.2 of He et al. 2016. The defaults leave it as it is there.

    Attributes:
        depth: weighted layers (the 3x3 convolutions, or the bottlenecks' convolutions, and the fully connected one; projections
            do not count): 6n+2 for basic blocks, 9n+2 for bottlenecks; 8 to 1202.
        shortcut: ``none`` (plain), ``A`` (identity, zero-padded, stride 2), ``B`` (projection where dimensions change),
            ``C`` (all shortcuts are projections).
        width: filters of the first stage; the others have 2 and 4 times as many.
        block: ``basic`` (two 3x3 convolutions) or ``bottleneck`` (1x1, 3x3, 1x1 with 4 times the filters).
        num_classes: outputs of the fully connected layer.
        norm: ``batch``, or ``none``: without BN, every convolution has a bias.
        activation: ``post`` (BN and ReLU behind each convolution), or ``pre`` (before it, He et al. 2016b).
        branch: ``plain``, or ``rezero``: multiplied by a learned number that starts at 0 (Bachlechner et al. 2020).

    Raises:
        ConfigError: a field is out of its range; for a depth, the message names the nearest valid ones.
    """

    depth: int = 20
    shortcut: str = "A"
    width: int = 16
    block: str = "basic"
    num_classes: int = 10
    norm: str = "batch"
    activation: str = "post"
    branch: str = "plain"

    family = "resnet"
    fields = (
        Field("shortcut", "shortcut",
              "Shortcut none is a plain net. A adds a block's input to its output, zeros for new channels; B does so with projections "
              "(1x1 convolutions) where dimensions change; C has them everywhere.", SHORTCUTS,
              tokens={"A": "A", "B": "B", "C": "C"}),
        Field("block", "block", "Two 3x3 convolutions, or a bottleneck of 1x1, 3x3 and 1x1.", BLOCKS,
              tokens={"basic": "basic", "bottleneck": "bottleneck"}),
        Field("norm", "normalisation", "Batch normalisation, or none: then every convolution has a bias.", ("batch", "none"),
              tokens={"none": "nobn"}),
        Field("activation", "activation order", "BN and ReLU behind each convolution, or before it (He et al. 2016b).", ("post", "pre"),
              tokens={"pre": "preact"}),
        Field("branch", "branch scale", "As it is, or times a learned number that starts at 0 (ReZero).", ("plain", "rezero"),
              tokens={"rezero": "rezero"}),
        Field("width", "width", "Filters of the first stage; the others have 2 and 4 times as many.", low=MIN_WIDTH, high=MAX_WIDTH,
              prefix="w"),
        Field("num_classes", "classes", "Outputs of the fully connected layer.", low=2, high=1000, prefix="c"),
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_choice("block", self.block, BLOCKS)
        check_choice("shortcut", self.shortcut, SHORTCUTS)
        self._check_depth()
        self.check_fields()
        if self.branch == "rezero" and self.is_plain:
            raise ConfigError("branch", "rezero needs a shortcut: a plain net whose blocks are multiplied by 0 passes nothing on.")

    def _check_depth(self) -> None:
        if isinstance(self.depth, bool) or not isinstance(self.depth, int):
            check_whole("depth", self.depth, MIN_DEPTH, MAX_DEPTH)
        nearest = nearest_depths(self.depth, self.block)
        if self.depth not in nearest:
            form = f"{LAYERS_PER_ROUND[self.block]}n+2"
            names = " and ".join(str(d) for d in nearest)
            raise ConfigError(
                "depth",
                f"{self.depth} is not of the form {form} ({self.block} blocks, up to {valid_depths(self.block)[-1]}); "
                f"the nearest valid {'depths are' if len(nearest) > 1 else 'depth is'} {names}.",
            )

    @property
    def blocks_per_stage(self) -> int:
        """The paper's n."""
        return (self.depth - 2) // LAYERS_PER_ROUND[self.block]

    @property
    def is_plain(self) -> bool:
        return self.shortcut == "none"

    @property
    def head(self) -> str:
        return "plain" if self.is_plain else "ResNet"

    @classmethod
    def read(cls, head: str, depth: int, tokens: list[str]) -> ResNetConfig | None:
        if head not in ("plain", "resnet", ""):
            return None
        values = cls.values(tokens)
        if head == "plain":
            if "shortcut" in values:
                raise ConfigError(values["shortcut"].lower(), "is a shortcut, and a plain net has none.")
            values["shortcut"] = "none"
        return cls(depth, **values)

    @classmethod
    def propose(cls, shapes: Mapping[str, Shape]) -> Iterator[ResNetConfig]:
        if (found := seen(shapes, 3)) is None:
            return
        blocks, block, width, classes = found
        depth = max(blocks) * LAYERS_PER_ROUND[block] + 2
        norm = "batch" if any(key.endswith(".running_mean") for key in shapes) else "none"
        branch = "rezero" if "layer1.0.scale.weight" in shapes else "plain"
        for activation, shortcut in itertools.product(("post", "pre"), SHORTCUTS):
            if (branch, shortcut) != ("rezero", "none"):
                yield cls(depth, shortcut, width, block, classes, norm, activation, branch)

    def twin(self) -> ResNetConfig | None:
        return None if self.is_plain else dataclasses.replace(self, shortcut="none", branch="plain")

    def describe(self) -> Plan:
        style = Style(self.shortcut, self.block, self.norm == "batch", self.activation == "pre", self.branch == "rezero")
        first = style.conv("conv1", self.width, 3)
        units = style.units(self.width, (self.blocks_per_stage,) * 3)
        activation = (*style.normed("bn1"), Relu("relu"))
        classifier = (GlobalPool("avgpool"), Flatten("flatten"), Linear("fc", self.num_classes))
        if style.preact:  # the first convolution is bare, and what the last block leaves is activated
            return Plan((3, 32, 32), (first,), units, (*activation, *classifier))
        return Plan((3, 32, 32), (first, *activation), units, classifier)

    def identity(self) -> dict[str, Any]:
        added = super().identity()
        del added["family"]
        return {name: getattr(self, name) for name in _FIRST} | added
