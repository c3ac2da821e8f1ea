"""What stands above a stage of a net's diagram, and under the whole of it, in plain English."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from resnet_core.architectures.further_parts import AvgPool, Dropout, LocalResponseNorm, Tanh
from resnet_core.architectures.joins import Parallel
from resnet_core.architectures.parts import Conv, MaxPool
from resnet_core.architectures.plan import AUXILIARY
from resnet_core.figures.diagram_steps import Box, Rows, Sketch, sketches

if TYPE_CHECKING:
    from resnet_core.architectures.table import Complexity, Layer


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def heading(units: Sequence[Sketch], layers: Sequence[Layer]) -> str:
    """What a stage is made of: its units, their filters, its maps; ``layers`` are all of it."""
    every = [layer for layer in layers if layer.kind == "conv"]
    shapes = [layer.output_shape for layer in every if layer.block == units[0].unit.index]
    maps = f"{shapes[-1][1]}×{shapes[-1][2]} maps"
    dense = [unit for unit in units if unit.unit.join.name == "concat"]
    rows = [step for step in units[0].steps if isinstance(step, Rows)]
    filters = " and ".join(str(number) for number in dict.fromkeys((shapes[0][0], shapes[-1][0])))
    if dense:
        transition = ", then a transition" if len(dense) < len(units) else ""
        each = f" of {shapes[0][0]} and {shapes[-1][0]} filters" if len(shapes) > 1 else f" of {shapes[0][0]} filters"
        return f"dense block, {_counted(len(dense), 'layer')}{each}, each reads all before it{transition}; {maps}"
    if rows and rows[0].combine == "concat" and units[0].unit.skip is None:
        return f"{_counted(len(units), 'module')} of {rows[0].count} rows side by side, {maps}"
    if rows:
        blocks = f"{_counted(len(units), 'block')} of {units[0].layers} layers"
        return f"{blocks}, {rows[0].count} rows side by side of {shapes[0][0]} filters, {shapes[-1][0]} in all, {maps}"
    if units[0].layers == 1:
        towers = ", in two towers where their channels are parted" if any(_is_parted(unit) for unit in units) else ""
        filters = " and ".join(str(number) for number in dict.fromkeys(layer.output_shape[0] for layer in every))
        return f"{_counted(len(units), 'layer')}, {filters} filters, {maps}{towers}"
    return f"{_counted(len(units), 'block')} of {units[0].layers} layers, {filters} filters, {maps}"


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
    norm = "BN and " if any(row.kind == "bn" for row in net.rows) else ""
    active = "tanh" if any(isinstance(part, Tanh) for part in parts) else "ReLU"
    said = [f"Each box is a convolution with its {norm}{active}: kernel, filters, and /2 where it takes every second pixel."]
    small: dict[str, tuple[type, ...]] = {
        "pooling (max or avg)": (MaxPool, AvgPool),
        "local response normalisation (LRN)": (LocalResponseNorm,),
        "dropout (drop)": (Dropout,),
    }
    if there := [words for words, kinds in small.items() if any(isinstance(placed.part, kinds) for placed in used)]:
        said.append(f"Small grey boxes are {', '.join(there)}.")
    if towers:
        said.append(
            "Where a layer has two boxes, its channels are in two towers that do not see each other; in the high boxes between they meet."
        )
    elif grouped:
        said.append("A convolution in groups reads and makes its channels in as many separate parts.")
    if rows:
        end = "their channels are put one behind the other" if rows[0].combine == "concat" else "their outputs are added"
        said.append(f"Rows under one another read the same input, and {end}.")
    if plan.auxiliary:
        said.append("The hatched boxes are auxiliary classifiers: they are there in training only.")
    if "add" in joins:
        said.append("Solid shortcuts where dimensions match, dotted where they change, as in Fig. 3 of the paper.")
    elif "gate" in joins:
        said.append(
            "In the place of an addition stands a gate T, which reads the block's input x: it lets the branch H through as far as it is "
            "open, and x as far as it is closed. The line over a block is x: solid where dimensions match, dotted where they change."
        )
    elif "concat" in joins:
        said.append("At each C what a layer makes is put behind all that came in, which the line over it passes on.")
    elif not joins:
        said.append("There are no shortcuts.")
    if not in_full:
        said.append("Of so deep a net the first and the last blocks of each stage are drawn; the wide box stands for those between.")
    return " ".join([*said, "Point at anything for its shape, parameters and MACs."])
