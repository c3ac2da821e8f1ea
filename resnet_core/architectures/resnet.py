"""The CIFAR nets of He et al. 2016, section 4.2, plain and residual, with the options of the papers that followed."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from resnet_core.architectures import choices, projects
from resnet_core.architectures.base import Family, Field, ModelConfig
from resnet_core.architectures.further_parts import Shift
from resnet_core.architectures.parts import Part, Shape
from resnet_core.architectures.plan import Plan
from resnet_core.architectures.residual import Style, seen
from resnet_core.checks import check_choice, check_whole
from resnet_core.errors import ConfigError
from resnet_core.language import mark, together, tr_n

#: ``none`` is the plain net; A, B and C are the options of section 3.3 and Table 3 of the paper.
SHORTCUTS = ("none", "A", "B", "C")
BLOCKS = ("basic", "bottleneck")
MIN_DEPTH, MAX_DEPTH = 8, 1202
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
        branch: ``plain``; ``rezero``: multiplied by a learned number that starts at 0 (Bachlechner et al. 2020), without BN the SkipInit of
            De and Smith 2020; ``fixup``: without BN, as in Zhang et al. 2019.
        nonlinearity: ``relu`` or ``tanh``.
        initialization: ``he``, ``xavier`` or ``normal``: of the weights.
        survival: percent of the training batches that the last block's branch is there in; of the l-th of L blocks 100 - (l / L)
            (100 - survival) (stochastic depth, Huang et al. 2016; theirs has average pooling in its shortcuts where dimensions change).
        dropout: percent of the fully connected layer's inputs that are set to 0 in training.

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
    nonlinearity: str = "relu"
    initialization: str = "he"
    survival: int = 100
    dropout: int = 0

    family = "resnet"
    fields = (
        Field("shortcut", "shortcut",
              mark("Shortcut none is a plain net. A adds a block's input to its output, zeros for new channels; B does "
"so with projections (1x1 convolutions) where dimensions change; C has them everywhere."), SHORTCUTS,
              tokens={"A": "A", "B": "B", "C": "C"}),
        Field("block", "block", mark("Two 3x3 convolutions, or a bottleneck of 1x1, 3x3 and 1x1."), BLOCKS,
              tokens={"basic": "basic", "bottleneck": "bottleneck"}),
        choices.NORM,
        Field("activation", mark("activation order"), mark("BN and ReLU behind each convolution, or before it (He et al. 2016b)."),
            ("post", "pre"),
              tokens={"pre": "preact"}),
        Field("branch", mark("branch scale"),
              mark("As it is; times a learned number that starts at 0 (ReZero; without normalisation it is SkipInit); "
"or Fixup, without normalisation."), ("plain", "rezero", "fixup"), tokens={"rezero": "rezero", "fixup": "fixup"}),
        choices.width(),
        choices.NONLINEARITY,
        choices.INITIALIZATION,
        Field("survival", mark("survival of the last block"),
              mark("Percent of the training batches that the last block's branch is there in; linearly more before it "
"(stochastic depth)."),
              low=1, high=100, prefix="sd"),
        choices.dropout(mark("before the fully connected layer")),
        choices.CLASSES,
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_choice("block", self.block, BLOCKS)
        check_choice("shortcut", self.shortcut, SHORTCUTS)
        self._check_depth()
        self.check_fields()
        if self.branch == "rezero" and self.is_plain:
            raise ConfigError("branch", "rezero needs a shortcut: a plain net whose blocks are multiplied by 0 passes nothing on.")
        if self.branch == "fixup" and (self.is_plain or (self.norm, self.activation) != ("none", "post")):
            raise ConfigError("branch", "fixup is for nets with shortcuts, without normalisation, with the activation behind (post).")
        if self.survival < 100 and self.is_plain:
            raise ConfigError("survival", "stochastic depth needs shortcuts: a plain net without one of its blocks passes nothing on.")

    def _check_depth(self) -> None:
        if isinstance(self.depth, bool) or not isinstance(self.depth, int):
            check_whole("depth", self.depth, MIN_DEPTH, MAX_DEPTH)
        nearest = nearest_depths(self.depth, self.block)
        if self.depth not in nearest:
            form = f"{LAYERS_PER_ROUND[self.block]}n+2"
            names = together(nearest)
            raise ConfigError(
                "depth",
                tr_n(
                    len(nearest),
                    "{depth} is not of the form {form} ({block} blocks, up to {valid_depths}); the nearest valid depth is {names}.",
                    "{depth} is not of the form {form} ({block} blocks, up to {valid_depths}); the nearest valid depths are {names}.",
                    depth=self.depth,
                    form=form,
                    block=self.block,
                    valid_depths=valid_depths(self.block)[-1],
                    names=names,
                ),
            )

    @property
    def blocks_per_stage(self) -> int:
        """The paper's n."""
        return (self.depth - 2) // LAYERS_PER_ROUND[self.block]

    @property
    def is_plain(self) -> bool:
        return self.shortcut == "none"

    @property
    def may_pad_both_sides(self) -> bool:
        """A quarter of an even number of channels on either side makes up for the missing ones, where blocks do not widen."""
        kind = (self.shortcut, self.block, self.norm, self.activation, self.branch)
        return kind == ("A", "basic", "batch", "post", "plain") and self.width % 2 == 0

    @property
    def head(self) -> str:
        return "plain" if self.is_plain else "ResNet"

    @classmethod
    def read(cls, head: str, depth: int, tokens: list[str]) -> ResNetConfig | None:
        if head not in ("plain", "resnet", ""):
            return None
        norm = ["nobn"] if {"skipinit", "fixup"} & set(tokens) and "nobn" not in tokens else []
        values = cls.values(["rezero" if token == "skipinit" else token for token in [*tokens, *norm]])
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
        branch = "fixup" if "shift1.bias" in shapes else "rezero" if "layer1.0.scale.weight" in shapes else "plain"
        for activation, shortcut in itertools.product(("post", "pre"), SHORTCUTS):
            if branch == "plain" or (shortcut != "none" and (branch, activation) != ("fixup", "pre")):
                yield cls(depth, shortcut, width, block, classes, norm, activation, branch)

    def twin(self) -> ResNetConfig | None:
        if self.is_plain or self.branch == "fixup":  # Fixup's blocks start at 0: there is no plain net with such weights
            return None
        return dataclasses.replace(self, shortcut="none", branch="plain", survival=100)

    def describe(self) -> Plan:
        style = Style(
            self.shortcut, self.block, self.norm == "batch", self.activation == "pre", self.branch,
            tanh=self.nonlinearity == "tanh", survival=self.survival,
        )  # fmt: skip
        first = style.conv("conv1", self.width, 3)
        units = style.units(self.width, (self.blocks_per_stage,) * 3)
        shift: list[Part] = [Shift("shift1")] if self.branch == "fixup" else []
        activation = (*style.normed("bn1"), *shift, style.active("relu"))
        classifier = style.classifier(self.num_classes, self.dropout)
        if style.preact:  # the first convolution is bare, and what the last block leaves is activated
            return Plan((3, 32, 32), (first,), units, (*activation, *classifier), initialization=self.initialization)
        return Plan((3, 32, 32), (first, *activation), units, classifier, initialization=self.initialization)

    def identity(self) -> dict[str, Any]:
        added = super().identity()
        del added["family"]
        return {name: getattr(self, name) for name in _FIRST} | added


FAMILIES = (
    Family(
        "resnet",
        mark("ResNets for CIFAR"),
        mark("He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition (CVPR 2016), section 4.2"),
        ResNetConfig,
        (
            *(ResNetConfig(depth, shortcut) for shortcut in SHORTCUTS for depth in (20, 32, 44, 56, 110)),
            *(ResNetConfig(depth, "A", activation="pre") for depth in (56, 110)),
            ResNetConfig(56, "A", branch="rezero"),
            *(ResNetConfig(56, shortcut, norm="none") for shortcut in ("none", "A")),
            ResNetConfig(56, "A", norm="none", branch="rezero"),
            ResNetConfig(56, "A", norm="none", branch="fixup"),
            ResNetConfig(110, "A", survival=50),
            ResNetConfig(164, "B", block="bottleneck", activation="pre"),
            ResNetConfig(1001, "B", block="bottleneck", activation="pre"),
            ResNetConfig(1202, "A"),
        ),
        aliases=("cifar",),
        layouts=projects.CIFAR_RESNETS,
        also=projects.STEMS,
    ),
)
