"""The tensors that a net has in each layout: their keys there, their keys here, their shapes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Shape = tuple[int, ...]

#: How each layout calls a block's projection (a convolution and its BN) and the fully connected layer. Ours comes first.
PROJECTIONS = {
    "resnet-lab": ("shortcut.conv", "shortcut.bn"),
    "akamaster": ("shortcut.0", "shortcut.1"),
    "chenyaofo": ("downsample.0", "downsample.1"),
}
PROJECTIONS["torchvision"] = PROJECTIONS["chenyaofo"]
CLASSIFIER = {"resnet-lab": "fc", "akamaster": "linear", "chenyaofo": "fc", "torchvision": "fc"}
#: A tensor of a block: stage, index and what it is there.
STAGED = re.compile(r"layer(\d{1,4})\.(\d{1,4})\.(.+)")
#: How else the first convolution and its BN are called.
STEMS = (("conv", "bn"), ("conv0", "bn0"), ("stem.0", "stem.1"), ("stem.conv", "stem.bn"), ("stem.conv1", "stem.bn1"))
BN = ("weight", "bias", "running_mean", "running_var")
COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class Skeleton:
    """What the shapes of a net follow from.

    Attributes:
        stem: side of the first convolution's kernel: 3 (CIFAR) or 7 (ImageNet).
        layers: blocks of each stage.
        projected: the blocks with a projection, as (stage, index); stages count from 1, blocks from 0.
    """

    stem: int
    layers: tuple[int, ...]
    block: str
    width: int
    num_classes: int
    projected: frozenset[tuple[int, int]]

    def blocks(self) -> Iterator[tuple[int, int, int, int, int]]:
        """Stage, index, and the channels of the block's input, inside and of its output."""
        expansion = 4 if self.block == "bottleneck" else 1
        channels = self.width
        for stage, count in enumerate(self.layers, start=1):
            inner = self.width * 2 ** (stage - 1)
            for index in range(count):
                yield stage, index, channels, inner, inner * expansion
                channels = inner * expansion

    def changing(self) -> frozenset[tuple[int, int]]:
        """The blocks whose output has another shape than their input."""
        return frozenset((s, i) for s, i, before, _, after in self.blocks() if before != after or (s > 1 and i == 0))


def tensors(skeleton: Skeleton, layout: str) -> dict[str, tuple[str, Shape]]:
    """Every tensor of the net, BN's counters left out: key in ``layout`` -> key here, shape."""
    found: dict[str, tuple[str, Shape]] = {}

    def add(theirs: str, ours: str, shape: Shape) -> None:
        found[theirs] = (ours, shape)

    def add_bn(theirs: str, ours: str, channels: int) -> None:
        for name in BN:
            add(f"{theirs}.{name}", f"{ours}.{name}", (channels,))

    def add_conv(name: str, number: int | str, shape: Shape) -> None:
        add(f"{name}conv{number}.weight", f"{name}conv{number}.weight", shape)
        add_bn(f"{name}bn{number}", f"{name}bn{number}", shape[0])

    add_conv("", 1, (skeleton.width, 3, skeleton.stem, skeleton.stem))
    channels = skeleton.width
    for stage, index, before, inner, after in skeleton.blocks():
        name = f"layer{stage}.{index}."
        if skeleton.block == "basic":
            add_conv(name, 1, (after, before, 3, 3))
            add_conv(name, 2, (after, after, 3, 3))
        else:
            add_conv(name, 1, (inner, before, 1, 1))
            add_conv(name, 2, (inner, inner, 3, 3))
            add_conv(name, 3, (after, inner, 1, 1))
        if (stage, index) in skeleton.projected:
            (conv, bn), (our_conv, our_bn) = PROJECTIONS[layout], PROJECTIONS["resnet-lab"]
            add(f"{name}{conv}.weight", f"{name}{our_conv}.weight", (after, before, 1, 1))
            add_bn(name + bn, name + our_bn, after)
        channels = after
    classifier = CLASSIFIER[layout]
    add(f"{classifier}.weight", "fc.weight", (skeleton.num_classes, channels))
    add(f"{classifier}.bias", "fc.bias", (skeleton.num_classes,))
    return found


def counters(keys: Iterable[str]) -> list[str]:
    """Where BN keeps its count of batches, for all of BN's keys among ``keys``."""
    ending = ".running_mean"
    return [f"{key.removesuffix(ending)}.{COUNTER}" for key in keys if key.endswith(ending)]
