"""What stands above a stage of a net's diagram, and under the whole of it, in plain English."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from resnet_core.architectures.further_parts import AvgPool, Dropout, LocalResponseNorm, Tanh
from resnet_core.architectures.joins import Parallel
from resnet_core.architectures.parts import Conv, MaxPool
from resnet_core.architectures.plan import AUXILIARY
from resnet_core.figures.diagram_steps import Box, Rows, Sketch, sketches
from resnet_core.language import together, tr, tr_n

if TYPE_CHECKING:
    from resnet_core.architectures.table import Complexity, Layer


def heading(units: Sequence[Sketch], layers: Sequence[Layer], stem: Sequence[Layer] = ()) -> str:
    """What a stage is made of: its units, their filters, its maps.

    Args:
        layers: all of it; stem: those drawn before its first unit. Of VGG's first stage they are a layer like the others.
    """
    every = [layer for layer in layers if layer.kind == "conv"]
    shapes = [layer.output_shape for layer in every if layer.block == units[0].unit.index]
    first, last = shapes[0][0], shapes[-1][0]
    maps = tr("{shapes}×{shapes2} maps", shapes=shapes[-1][1], shapes2=shapes[-1][2])
    dense = [unit for unit in units if unit.unit.join.name == "concat"]
    rows = [step for step in units[0].steps if isinstance(step, Rows)]
    if dense:
        transition = tr(", then a transition") if len(dense) < len(units) else ""
        each = (
            tr(" of {shapes} and {shapes2} filters", shapes=first, shapes2=last)
            if len(shapes) > 1
            else tr(" of {shapes} filters", shapes=first)
        )
        return tr_n(
            len(dense),
            "dense block, {number} layer{each}, which reads all before it{transition}; {maps}",
            "dense block, {number} layers{each}, each reads all before it{transition}; {maps}",
            each=each,
            transition=transition,
            maps=maps,
        )
    if rows and rows[0].combine == "concat" and units[0].unit.skip is None:
        return tr_n(
            len(units),
            "{number} module of {count} rows side by side, {maps}",
            "{number} modules of {count} rows side by side, {maps}",
            count=rows[0].count,
            maps=maps,
        )
    if rows:
        return tr_n(
            len(units),
            "{number} block of {layers} layers, {count} rows side by side of {first} filters, {last} in all, {maps}",
            "{number} blocks of {layers} layers, {count} rows side by side of {first} filters, {last} in all, {maps}",
            layers=units[0].layers,
            count=rows[0].count,
            first=first,
            last=last,
            maps=maps,
        )
    if units[0].layers == 1:
        alike = [layer for layer in stem if layer.kind == "conv" and layer.output_shape == shapes[0]]
        return tr_n(
            len(units) + len(alike),
            "{number} layer, {filters} filters, {maps}{towers}",
            "{number} layers, {filters} filters, {maps}{towers}",
            filters=together(dict.fromkeys(layer.output_shape[0] for layer in every)),
            maps=maps,
            towers=tr(", in two towers where their channels are parted") if any(_is_parted(unit) for unit in units) else "",
        )
    return tr_n(
        len(units),
        "{number} block of {layers} layers, {filters} filters, {maps}",
        "{number} blocks of {layers} layers, {filters} filters, {maps}",
        layers=units[0].layers,
        filters=together(dict.fromkeys((first, last))),
        maps=maps,
    )


def _is_parted(unit: Sketch) -> bool:
    return any(isinstance(step, Box) and bool(step.halves) for step in unit.steps)


def note(net: Complexity, in_full: bool) -> str:
    """What is drawn of this net, in plain English.

    Args:
        in_full: every block has its boxes.
    """
    plan, joins = net.config.plan(), {unit.join.name for unit in net.config.plan().units if unit.skip is not None}
    used = [placed for placed in plan.walk() if placed.place != AUXILIARY]
    parts = [placed.part for placed in used]
    grouped = [part for part in parts if isinstance(part, Conv) and part.groups > 1]
    rows = [part for part in parts if isinstance(part, Parallel)]
    towers = [unit for units in sketches(net).units.values() for unit in units if _is_parted(unit)]
    norm = tr("BN and ") if any(row.kind == "bn" for row in net.rows) else ""
    active = "tanh" if any(isinstance(part, Tanh) for part in parts) else "ReLU"
    said = [
        tr(
            "Each box is a convolution with its {norm}{active}: kernel, filters, and /2 where it takes every second pixel.",
            norm=norm,
            active=active,
        )
    ]
    small: dict[str, tuple[type, ...]] = {
        tr("pooling (max or avg)"): (MaxPool, AvgPool),
        tr("local response normalisation (LRN)"): (LocalResponseNorm,),
        tr("dropout (drop)"): (Dropout,),
    }
    if there := [words for words, kinds in small.items() if any(isinstance(placed.part, kinds) for placed in used)]:
        said.append(tr("Small grey boxes are {there}.", there=", ".join(there)))
    if towers:
        said.append(
            tr(
                "Where a layer has two boxes, its channels are in two towers that do not see each other; in the high "
                "boxes between they meet."
            )
        )
    elif grouped:
        said.append(tr("A convolution in groups reads and makes its channels in as many separate parts."))
    if rows:
        end = tr("their channels are put one behind the other") if rows[0].combine == "concat" else tr("their outputs are added")
        said.append(tr("Rows under one another read the same input, and {end}.", end=end))
    if plan.auxiliary:
        said.append(tr("The hatched boxes are auxiliary classifiers: they are there in training only."))
    if "add" in joins:
        said.append(tr("Solid shortcuts where dimensions match, dotted where they change, as in Fig. 3 of the paper."))
    elif "gate" in joins:
        said.append(
            tr(
                "In the place of an addition stands a gate T, which reads the block's input x: it lets the branch H "
                "through as far as it is open, and x as far as it is closed. The line over a block is x: solid where "
                "dimensions match, dotted where they change."
            )
        )
    elif "concat" in joins:
        said.append(tr("At each C what a layer makes is put behind all that came in, which the line over it passes on."))
    elif not joins:
        said.append(tr("There are no shortcuts."))
    if not in_full:
        said.append(tr("Of so deep a net the first and the last blocks of each stage are drawn; the wide box stands for those between."))
    return " ".join([*said, tr("Point at anything for its shape, parameters and MACs.")])
