"""Parameters and MACs of a net, layer by layer, from its description: without torch, so that 1202 layers are answered at once.

One multiply-add counts once (MACs; the paper says FLOPs for the same). Those of convolutions, projections included, and of the fully
connected layer are counted, for one image; those of BN, ReLU, pooling and the additions are not: so count He et al. 2016 and the
table of exact counts of their CIFAR nets. ``resnet_core.analysis.measured`` takes the same numbers from the built net.

    >>> from resnet_core.architectures import parse
    >>> net = complexity(parse("ResNet-56"))
    >>> net.params, net.macs
    (853018, 125485696)
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

from resnet_core.architectures.base import ModelConfig
from resnet_core.architectures.further_parts import Tanh
from resnet_core.architectures.parts import Relu, Shape
from resnet_core.architectures.plan import AUXILIARY, BEFORE, BRANCH, GATE, SHORTCUT, SKIP, Placed, Unit
from resnet_core.csv_text import csv_text


@dataclass(frozen=True)
class Layer:
    """One module that has parameters.

    Attributes:
        name: of the module in the built net, e.g. ``layer2.0.conv1``.
        kind: ``conv`` (on the main path), ``projection`` (the 1x1 convolution of a shortcut), ``gate`` (that of a Highway net's gate),
            ``bn``, ``fc``, ``scale`` or ``shift``.
        output_shape: (channels, height, width) for one image; (classes,) of the fully connected layer.
        kernel: side of the kernel in pixels; None for bn and fc.
        stride: in pixels; None for bn and fc.
        params: weights and biases.
        macs: multiply-adds for one image; 0 for bn, whose work is not counted, and in auxiliary classifiers, which only train.
        share: of the net's MACs, 0 to 1.
        stage: from 1 on; None for the first convolution, its BN and the fully connected layer.
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
        normed: a BN follows the projection.
        join: how it is joined with the branch: ``add``, or what a family calls it.
        activation: what follows the join: ``ReLU``, ``tanh`` or nothing.
        stage, block: as in ``Layer``.
    """

    name: str
    kind: str
    dimensions_change: bool
    output_shape: Shape
    stride: int
    params: int
    macs: int
    normed: bool
    join: str
    activation: str
    stage: int
    block: int


@dataclass(frozen=True)
class Complexity:
    """Parameters and MACs of one net.

    Attributes:
        config: the net.
        params: all of them: convolutions, BN, projections, fully connected layer with its bias.
        macs: of convolutions, projections and the fully connected layer, for one image.
        layers: weighted layers as the paper counts them (BN and projections do not count).
        activations: values that are kept for the backward pass of one image: outputs of convolutions, ReLU and pooling.
        rows: every module with parameters, in the order of the built net.
        shortcuts: one per block; empty for a plain net.
    """

    config: ModelConfig
    params: int
    macs: int
    layers: int
    activations: int
    rows: tuple[Layer, ...]
    shortcuts: tuple[Shortcut, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: ``params``, ``macs`` and ``layers``, the list of ``rows`` as dictionaries."""
        rows = [{**dataclasses.asdict(row), "output_shape": list(row.output_shape)} for row in self.rows]
        return {"params": self.params, "macs": self.macs, "layers": rows}


@lru_cache(maxsize=64)
def complexity(config: ModelConfig, side: int | None = None) -> Complexity:
    """Count the parameters and MACs of a net from its description.

    Args:
        side: of the image in pixels, where it is not that which the net is made for.
    """
    plan = config.plan()
    counted: list[tuple[Placed, str, int, int]] = []
    activations = 0
    skipped: dict[str, Shape] = {}
    for placed in plan.walk((plan.input[0], side, side) if side else None):
        unit, part = placed.unit, placed.part
        activations += prod(placed.output) if part.is_kept and placed.place != AUXILIARY else 0
        if unit is not None and (placed.place in (BEFORE, SKIP) or unit.name not in skipped):
            skipped[unit.name] = placed.shape if placed.place == BRANCH else placed.output
        if not part.kind:
            continue
        kind = {SKIP: "projection", GATE: "gate"}.get(placed.place, "conv") if part.kind == "conv" else part.kind
        params = sum(map(prod, part.parameters(placed.shape).values()))
        macs = 0 if placed.place == AUXILIARY else part.macs(placed.shape)  # it is not there when the net is used
        counted.append((placed, kind, params, macs))
    total = sum(macs for *_, macs in counted)
    rows = []
    skips: dict[str, list[Layer]] = {unit.name: [] for unit in plan.units if unit.skip is not None}
    for placed, kind, params, macs in counted:
        geometry = (getattr(placed.part, "kernel", None), getattr(placed.part, "stride", None))
        where = (placed.unit.stage, placed.unit.index) if placed.unit else (None, None)
        row = Layer(placed.name, kind, placed.output, *geometry, params, macs, macs / total, *where)
        rows.append(row)
        if placed.unit is not None and placed.place == SKIP:
            skips[placed.unit.name].append(row)
    shortcuts = tuple(_shortcut(unit, skipped[unit.name], skips[unit.name]) for unit in plan.units if unit.skip is not None)
    return Complexity(config, sum(row.params for row in rows), total, config.weighted_layers, activations, tuple(rows), shortcuts)


def _shortcut(unit: Unit, shape: Shape, rows: list[Layer]) -> Shortcut:
    """Describe the shortcut of a unit, whose output has that shape; ``rows`` are its own."""
    kind = "projection" if any(row.kind == "projection" for row in rows) else "zero-padded" if unit.skip else "identity"
    stride = max((getattr(part, "stride", 1) for part in unit.skip or ()), default=1)
    params, macs = sum(row.params for row in rows), sum(row.macs for row in rows)
    first = unit.after[0] if unit.after else None
    activation = "ReLU" if isinstance(first, Relu) else "tanh" if isinstance(first, Tanh) else ""
    end = (any(row.kind == "bn" for row in rows), unit.join.name, activation, unit.stage, unit.index)
    changes = unit.dimensions_change and kind != "identity"  # where it is, what follows the join changes them
    return Shortcut(f"{unit.name}.{SHORTCUT}", kind, changes, shape, stride, params, macs, *end)


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
