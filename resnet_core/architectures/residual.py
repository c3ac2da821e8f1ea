"""The blocks of He et al. 2016 (CVPR, section 3.3 and Fig. 5) and of He et al. 2016b (ECCV, Fig. 4e), plain and residual.

So too those of the papers that changed one thing in them: ResNeXt, Wide ResNets, ReZero, Fixup, stochastic depth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from resnet_core.architectures.further_parts import Dropout, Shift, Tanh
from resnet_core.architectures.joins import Add, Parallel
from resnet_core.architectures.parts import BatchNorm, Conv, Flatten, GlobalPool, Join, Linear, Part, Relu, Scale, Shape, ZeroPad
from resnet_core.architectures.plan import Unit

#: Channels that come out of a block, as a multiple of those inside.
EXPANSION = {"basic": 1, "bottleneck": 4}


def seen(shapes: Mapping[str, Shape], stages: int) -> tuple[tuple[int, ...], str, int, int] | None:
    """Return what a net's tensors say of it as far as they go: blocks of each stage, their kind, width, classes.

    What is not there is made up: the other tensors may tell what net it would be. None where there is nothing of a residual net.
    """
    highest = dict.fromkeys(range(1, stages + 1), 0)
    for key in shapes:
        if (match := re.match(r"layer([1-9])\.(\d{1,4})\.", key, re.ASCII)) and int(match[1]) in highest:
            highest[int(match[1])] = max(highest[int(match[1])], int(match[2]))
    if not shapes.keys() & {"conv1.weight", "layer1.0.conv1.weight"}:
        return None
    widths = (*shapes.get("conv1.weight", ())[:1], *shapes.get("layer1.0.conv1.weight", ())[1:2])
    classes = shapes.get("fc.weight", ())[:1]
    block = "bottleneck" if any(key.endswith(".conv3.weight") for key in shapes) else "basic"
    return tuple(index + 1 for index in highest.values()), block, _first(widths, 16), _first(classes, 10)


def _first(sizes: Iterable[int], default: int) -> int:
    return next((size for size in sizes if size), default)


@dataclass(frozen=True)
class Style:
    """What all blocks of a net have in common.

    Attributes:
        shortcut: ``none`` (plain), ``A`` (identity, zeros for new channels), ``B`` (projection where dimensions change), ``C``
            (projections only).
        block: ``basic`` (two 3x3 convolutions) or ``bottleneck`` (1x1, 3x3, 1x1 with 4 times the filters).
        norm: with BN; without, every convolution has a bias.
        preact: BN and ReLU before each convolution (He et al. 2016b) instead of behind it.
        scaling: ``plain``; ``rezero``: the branch is multiplied by a learned number that starts at 0; ``fixup``: that, and all else of
            Zhang et al. 2019, starting at 1.
        stride_in_3x3: of a bottleneck, as in torchvision; else in its first 1x1, as in the paper.
        groups, base_width: of a bottleneck: it has ``groups`` paths inside, each of ``base_width`` channels where a ResNet has 64.
        form: how the paths are written down, as in Fig. 3 of Xie et al. 2017: ``a`` (each by itself, added), ``b`` (concatenated before the
            last 1x1) or ``c`` (a convolution in groups).
        tanh: in the place of ReLU.
        survival: percent of the training batches that the last block's branch is there in (stochastic depth).
        dropout: percent, between the convolutions of a basic block (Wide ResNets).
        doubled: a bottleneck has twice as many channels at its end as inside, whatever its paths, instead of 4 times the stage's filters.
    """

    shortcut: str
    block: str = "basic"
    norm: bool = True
    preact: bool = False
    scaling: str = "plain"
    stride_in_3x3: bool = False
    groups: int = 1
    base_width: int = 64
    form: str = "c"
    tanh: bool = False
    survival: int = 100
    dropout: int = 0
    doubled: bool = False

    def inner(self, filters: int) -> int:
        """Return the channels inside of a bottleneck, over all of its paths."""
        return filters * self.base_width // 64 * self.groups

    def out(self, filters: int) -> int:
        """Return the channels that come out of a block."""
        return 2 * self.inner(filters) if self.doubled else filters * EXPANSION[self.block]

    def conv(self, name: str, filters: int, kernel: int, stride: int = 1, groups: int = 1, gain: float = 1.0) -> Conv:
        return Conv(name, filters, kernel, stride, bias=not self.norm and self.scaling != "fixup", groups=groups, gain=gain)

    def normed(self, name: str) -> list[Part]:
        return [BatchNorm(name)] if self.norm else []

    def active(self, name: str) -> Part:
        return Tanh(name) if self.tanh else Relu(name)

    def classifier(self, outputs: int, dropout: int = 0) -> tuple[Part, ...]:
        """Describe what is behind the last block (and its activation): pooling and the fully connected layer."""
        dropped = [Dropout("dropout", dropout)] if dropout else []
        if self.scaling == "fixup":
            return (GlobalPool("avgpool"), Flatten("flatten"), Shift("shift2"), *dropped, Linear("fc", outputs, gain=0.0))
        return (GlobalPool("avgpool"), Flatten("flatten"), *dropped, Linear("fc", outputs))

    def unit(self, stage: int, index: int, channels: int, filters: int, place: int = 1, total: int = 1) -> Unit:
        """Describe one block.

        Args:
            stage: counted from 1; index: of the block within it, from 0. The first block of later stages halves the maps.
            channels: that come in; filters: of the stage, inside of a bottleneck.
            place: of the block in the net, counted from 1; total: of all its blocks.
        """
        stride, out = 2 if stage > 1 and index == 0 else 1, self.out(filters)
        changes = stride != 1 or channels != out
        convs = self._convolutions(filters, stride, total)
        branch: list[Part] = []
        before: list[Part] = []
        after: list[Part] = []
        if self.scaling == "fixup":
            branch = self._fixed_up(convs)
            after = [self.active(f"relu{len(convs)}")]
            if changes:  # branch and shortcut share the first number
                before, branch = branch[:1], branch[1:]
        else:
            for number, conv in enumerate(convs, start=1):
                around = [*self.normed(f"bn{number}"), self.active(f"relu{number}")]
                dropped: list[Part] = [Dropout("dropout", self.dropout)] if self.dropout and number == len(convs) else []
                branch += [*around, *dropped, conv] if self.preact else [*dropped, conv, *around]
            if not self.preact:
                after = [branch.pop()]
            elif changes:  # branch and shortcut share the first activation
                before = branch[: branch.index(convs[0])]
                branch = branch[len(before) :]
        if self.scaling == "rezero":
            branch.append(Scale("scale"))
        skip = self._skip(channels, out, stride, changes)
        join = Join() if skip is None else Add(survival=1 - place / total * (1 - self.survival / 100))
        parts = self._paths(branch, out) if self.groups > 1 and self.form != "c" else branch
        return Unit(f"layer{stage}.{index}", stage, index, tuple(parts), skip, join, tuple(before), tuple(after), changes)

    def _convolutions(self, filters: int, stride: int, total: int) -> list[Conv]:
        # Fixup: the last starts at 0, the others the smaller, the more blocks there are.
        count = 2 if self.block == "basic" else 3
        gain, last = (total ** (-1 / (2 * count - 2)), 0.0) if self.scaling == "fixup" else (1.0, 1.0)
        if self.block == "basic":
            return [self.conv("conv1", filters, 3, stride, gain=gain), self.conv("conv2", filters, 3, gain=last)]
        first, second = (1, stride) if self.stride_in_3x3 else (stride, 1)
        return [
            self.conv("conv1", self.inner(filters), 1, first, gain=gain),
            self.conv("conv2", self.inner(filters), 3, second, self.groups, gain),
            self.conv("conv3", self.out(filters), 1, gain=last),
        ]

    def _fixed_up(self, convs: Sequence[Conv]) -> list[Part]:
        """A branch without BN: a learned number is added before each convolution and each activation, one multiplies the end."""
        branch: list[Part] = []
        for number, conv in enumerate(convs, start=1):
            branch += [Shift(f"shift{number}a"), conv, Shift(f"shift{number}b"), self.active(f"relu{number}")]
        *branch, last, _ = branch
        return [*branch, Scale("scale", 1.0), last]

    def _paths(self, branch: list[Part], out: int) -> list[Part]:
        """The branch of a bottleneck in form a or b: its channels inside in separate rows."""
        end = next(index for index, part in enumerate(branch) if part.name == "conv3")
        row: list[Part] = []
        for part in branch[:end]:
            row.append(
                Conv(part.name, part.filters // self.groups, part.kernel, part.stride, part.bias) if isinstance(part, Conv) else part
            )
        if self.form == "b":
            return [Parallel("paths", (tuple(row),) * self.groups), *branch[end:]]
        return [Parallel("paths", ((*row, branch[end]),) * self.groups, "sum"), *branch[end + 1 :]]

    def _skip(self, channels: int, out: int, stride: int, changes: bool) -> tuple[Part, ...] | None:
        if self.shortcut == "none":
            return None
        if self.shortcut == "C" or (self.shortcut == "B" and changes):
            bn = [] if self.preact else self.normed("bn")  # the shared activation is normalised already
            return (self.conv("conv", out, 1, stride), *bn)
        return (ZeroPad("pad", out, stride),) if changes else ()

    def units(self, width: int, counts: tuple[int, ...], channels: int | None = None) -> tuple[Unit, ...]:
        """Describe the blocks of all stages.

        Args:
            width: filters of the first stage; they double from stage to stage.
            counts: blocks in each stage.
            channels: that come out of the stem, where these are not ``width``.
        """
        units: list[Unit] = []
        channels = channels or width
        for stage, count in enumerate(counts, start=1):
            filters = width * 2 ** (stage - 1)
            for index in range(count):
                units.append(self.unit(stage, index, channels, filters, len(units) + 1, sum(counts)))
                channels = self.out(filters)
        return tuple(units)
