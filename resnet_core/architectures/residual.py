"""The blocks of He et al. 2016 (CVPR, section 3.3 and Fig. 5) and of He et al. 2016b (ECCV, Fig. 4e), plain and residual."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from resnet_core.architectures.parts import Add, BatchNorm, Conv, Join, Part, Relu, Scale, Shape, ZeroPad
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
        rezero: the branch is multiplied by a learned number that starts at 0.
        stride_in_3x3: of a bottleneck, as in torchvision; else in its first 1x1, as in the paper.
    """

    shortcut: str
    block: str = "basic"
    norm: bool = True
    preact: bool = False
    rezero: bool = False
    stride_in_3x3: bool = False

    def conv(self, name: str, filters: int, kernel: int, stride: int = 1) -> Conv:
        return Conv(name, filters, kernel, stride, bias=not self.norm)

    def normed(self, name: str) -> list[Part]:
        return [BatchNorm(name)] if self.norm else []

    def unit(self, stage: int, index: int, channels: int, filters: int) -> Unit:
        """Describe one block.

        Args:
            stage: counted from 1; index: of the block within it, from 0. The first block of later stages halves the maps.
            channels: that come in; filters: of the stage, inside of a bottleneck.
        """
        stride, out = 2 if stage > 1 and index == 0 else 1, filters * EXPANSION[self.block]
        changes = stride != 1 or channels != out
        convs = self._convolutions(filters, stride)
        branch: list[Part] = []
        for number, conv in enumerate(convs, start=1):
            around = [*self.normed(f"bn{number}"), Relu(f"relu{number}")]
            branch += [*around, conv] if self.preact else [conv, *around]
        before, after = [], []
        if not self.preact:
            after = [branch.pop()]
        elif changes:  # branch and shortcut share the first activation
            before = branch[: branch.index(convs[0])]
            branch = branch[len(before) :]
        if self.rezero:
            branch.append(Scale("scale"))
        skip = self._skip(channels, out, stride, changes)
        join = Join() if skip is None else Add()
        return Unit(f"layer{stage}.{index}", stage, index, tuple(branch), skip, join, tuple(before), tuple(after), changes)

    def _convolutions(self, filters: int, stride: int) -> list[Conv]:
        if self.block == "basic":
            return [self.conv("conv1", filters, 3, stride), self.conv("conv2", filters, 3)]
        first, second = (1, stride) if self.stride_in_3x3 else (stride, 1)
        return [self.conv("conv1", filters, 1, first), self.conv("conv2", filters, 3, second), self.conv("conv3", 4 * filters, 1)]

    def _skip(self, channels: int, out: int, stride: int, changes: bool) -> tuple[Part, ...] | None:
        if self.shortcut == "none":
            return None
        if self.shortcut == "C" or (self.shortcut == "B" and changes):
            bn = [] if self.preact else self.normed("bn")  # the shared activation is normalised already
            return (self.conv("conv", out, 1, stride), *bn)
        return (ZeroPad("pad", out, stride),) if changes else ()

    def units(self, width: int, counts: tuple[int, ...]) -> tuple[Unit, ...]:
        """Describe the blocks of all stages: ``counts`` in each; filters double from stage to stage, beginning with ``width``."""
        units, channels = [], width
        for stage, count in enumerate(counts, start=1):
            filters = width * 2 ** (stage - 1)
            for index in range(count):
                units.append(self.unit(stage, index, channels, filters))
                channels = filters * EXPANSION[self.block]
        return tuple(units)
