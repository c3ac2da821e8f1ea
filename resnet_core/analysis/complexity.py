"""Parameters and MACs of a net, layer by layer: by plain arithmetic, without torch, so that 1202 layers are answered at once.

One multiply-add counts once (MACs; the paper says FLOPs for the same). Those of convolutions, projections included, and of the fully
connected layer are counted, for one 3x32x32 image; those of BN, ReLU, pooling and the additions are not: so count He et al. 2016 and the
table of exact counts of their CIFAR nets. ``resnet_core.analysis.measured`` takes the same numbers from the built net.

    >>> from resnet_core.config import ModelConfig
    >>> net = complexity(ModelConfig(depth=56, shortcut="A"))
    >>> net.params, net.macs
    (853018, 125485696)
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from resnet_core.config import ModelConfig
from resnet_core.csv_text import csv_text

#: Side of the images of CIFAR-10, in pixels.
IMAGE_SIZE = 32
STAGES = (1, 2, 3)


@dataclass(frozen=True)
class Layer:
    """One module that has parameters.

    Attributes:
        name: of the module in the built net, e.g. ``layer2.0.conv1``.
        kind: ``conv`` (on the main path), ``projection`` (the 1x1 convolution of a shortcut), ``bn`` or ``fc``.
        output_shape: (channels, height, width) for one image; (classes,) of the fully connected layer.
        kernel: side of the kernel in pixels; None for bn and fc.
        stride: in pixels; None for bn and fc.
        params: weights and biases.
        macs: multiply-adds for one image; 0 for bn, whose work is not counted.
        share: of the net's MACs, 0 to 1.
        stage: 1 to 3; None for the first convolution, its BN and the fully connected layer.
        block: index within the stage, from 0; None outside of the stages.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    kernel: int | None
    stride: int | None
    params: int
    macs: int
    share: float = 0.0
    stage: int | None = None
    block: int | None = None


@dataclass(frozen=True)
class Shortcut:
    """The shortcut of one block (section 3.3 and Fig. 3 of He et al. 2016).

    Attributes:
        name: e.g. ``layer2.0.shortcut``.
        kind: ``identity``, ``zero-padded`` (option A where dimensions change) or ``projection``.
        dimensions_change: dotted in Fig. 3; else solid.
        output_shape: (channels, height, width) for one image.
        stride: in pixels.
        params: of the projection and its BN.
        macs: of the projection, for one image.
        stage, block: as in ``Layer``.
    """

    name: str
    kind: str
    dimensions_change: bool
    output_shape: tuple[int, int, int]
    stride: int
    params: int
    macs: int
    stage: int
    block: int


@dataclass(frozen=True)
class Complexity:
    """Parameters and MACs of one net.

    Attributes:
        config: the net.
        params: all of them: convolutions, BN, projections, fully connected layer with its bias.
        macs: of convolutions, projections and the fully connected layer, for one image.
        layers: weighted layers as the paper counts them, which is the depth (BN and projections do not count).
        rows: every module with parameters, in the order of the built net.
        shortcuts: one per block; empty for a plain net.
    """

    config: ModelConfig
    params: int
    macs: int
    layers: int
    rows: tuple[Layer, ...]
    shortcuts: tuple[Shortcut, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: ``params``, ``macs`` and ``layers``, the list of ``rows`` as dictionaries."""
        rows = [{**dataclasses.asdict(row), "output_shape": list(row.output_shape)} for row in self.rows]
        return {"params": self.params, "macs": self.macs, "layers": rows}


def _conv(name: str, kind: str, channels: int, filters: int, kernel: int, stride: int, size: int, **place: int) -> list[Layer]:
    """A convolution without bias whose output is ``size`` pixels wide; the BN that follows it is the second of the two rows."""
    weights = channels * filters * kernel * kernel
    shape = (filters, size, size)
    bn = name.removesuffix("conv") + "bn" if name.endswith("conv") else name.replace("conv", "bn")
    return [
        Layer(name, kind, shape, kernel, stride, weights, weights * size * size, **place),
        Layer(bn, "bn", shape, None, None, 2 * filters, 0, **place),
    ]


def _branch(config: ModelConfig, name: str, channels: int, filters: int, stride: int, size: int, **place: int) -> tuple[list[Layer], int]:
    """The rows of a block's main path, and the channels that come out of it."""
    if config.block == "basic":
        first = _conv(f"{name}.conv1", "conv", channels, filters, 3, stride, size, **place)
        return first + _conv(f"{name}.conv2", "conv", filters, filters, 3, 1, size, **place), filters
    first = _conv(f"{name}.conv1", "conv", channels, filters, 1, stride, size, **place)
    second = _conv(f"{name}.conv2", "conv", filters, filters, 3, 1, size, **place)
    return first + second + _conv(f"{name}.conv3", "conv", filters, 4 * filters, 1, 1, size, **place), 4 * filters


def _shortcut(config: ModelConfig, name: str, channels: int, filters: int, stride: int, size: int, **place: int):
    """The shortcut of a block of a residual net, and its rows (none unless it is a projection)."""
    changes = stride != 1 or channels != filters
    rows: list[Layer] = []
    kind = "identity"
    if config.shortcut == "C" or (config.shortcut == "B" and changes):
        kind = "projection"
        rows = _conv(f"{name}.shortcut.conv", "projection", channels, filters, 1, stride, size, **place)
    elif changes:
        kind = "zero-padded"
    params, macs = sum(row.params for row in rows), sum(row.macs for row in rows)
    return Shortcut(f"{name}.shortcut", kind, changes, (filters, size, size), stride, params, macs, **place), rows


@lru_cache(maxsize=64)
def complexity(config: ModelConfig) -> Complexity:
    """Count the parameters and MACs of a net of section 4.2 of He et al. 2016, by arithmetic."""
    size, channels = IMAGE_SIZE, config.width
    rows = _conv("conv1", "conv", 3, channels, 3, 1, size)
    shortcuts = []
    for stage in STAGES:
        filters = config.width * 2 ** (stage - 1)
        for block in range(config.blocks_per_stage):
            stride = 2 if stage > 1 and block == 0 else 1
            size //= stride
            name, place = f"layer{stage}.{block}", {"stage": stage, "block": block}
            branch, out = _branch(config, name, channels, filters, stride, size, **place)
            rows += branch
            if not config.is_plain:
                shortcut, projection = _shortcut(config, name, channels, out, stride, size, **place)
                shortcuts.append(shortcut)
                rows += projection
            channels = out
    weights = channels * config.num_classes
    rows.append(Layer("fc", "fc", (config.num_classes,), None, None, weights + config.num_classes, weights))
    params, macs = sum(row.params for row in rows), sum(row.macs for row in rows)
    shared = tuple(dataclasses.replace(row, share=row.macs / macs) for row in rows)
    return Complexity(config, params, macs, config.depth, shared, tuple(shortcuts))


def rows_as_csv(net: Complexity) -> str:
    """The rows as CSV with a header; one line per module with parameters, the name of the net in its first column."""
    rows = []
    for row in net.rows:
        shape = (*row.output_shape, 1, 1)[:3]
        rows.append((net.config.name, row.name, row.kind, *shape, row.kernel, row.stride, row.params, row.macs, row.share))
    return csv_text(
        ("net", "layer", "kind", "output_channels", "output_height", "output_width", "kernel", "stride", "params", "macs", "share_of_macs"),
        rows,
    )
