"""Pictures of one block: who reads whom in a DenseNet, and the three equal forms of a ResNeXt's block."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from resnet_core.architectures.joins import Concat
from resnet_core.architectures.parts import Conv
from resnet_core.architectures.resnext_forms import FORMS, example
from resnet_core.architectures.table import complexity
from resnet_core.figures.diagram_canvas import ARC, GAP, SHORTCUT_COLOR, STEM_COLOR, Canvas, height_of, layout, stage_color
from resnet_core.figures.diagram_parts import Bars, Path
from resnet_core.figures.diagram_steps import sketches
from resnet_core.language import tr

if TYPE_CHECKING:
    from resnet_core.architectures import ModelConfig
    from resnet_core.architectures.plan import Unit

# In pixels: the highest arc of a dense block, and a layer's box.
ARCS, NODE = 250, 36
ARC_POINTS = 24


def dense_blocks(config: ModelConfig) -> dict[int, list[Unit]]:
    """Return the layers of each block whose layers read all before them, by stage."""
    found: dict[int, list[Unit]] = {}
    for unit in config.plan().units:
        if isinstance(unit.join, Concat):
            found.setdefault(unit.stage, []).append(unit)
    return found


def dense_words(config: ModelConfig, stage: int) -> str:
    """Count the connections of a net's dense blocks."""
    blocks = {number: len(units) for number, units in dense_blocks(config).items()}
    count = blocks[stage]
    each = {number: layers * (layers + 1) // 2 for number, layers in blocks.items()}
    total = " + ".join(f"{number:,}" for number in each.values())
    return tr(
        "Who reads whom in dense block {stage}: each of its {count} layers reads the block's input and the "
        "outputs of all layers before it. These are {count} × {count2} / 2 = {each:,} connections, where a "
        "chain has {count}. In all {blocks} blocks: {total} = {values:,}. Point at the top of an arc for its "
        "two ends.",
        stage=stage,
        count=count,
        count2=count + 1,
        each=each[stage],
        blocks=len(blocks),
        total=total,
        values=sum(each.values()),
    )


def dense_figure(config: ModelConfig, stage: int) -> go.Figure:
    """Draw one dense block's L layers in a row, with an arc for each of the L(L+1)/2 connections."""
    units = dense_blocks(config)[stage]
    incoming = {shortcut.name: shortcut.output_shape[0] for shortcut in complexity(config).shortcuts}
    reads = [incoming[f"{unit.name}.shortcut"] for unit in units]
    adds = [next(part.filters for part in reversed(unit.branch) if isinstance(part, Conv)) for unit in units]
    count, arcs, tops, nodes, stem = len(units), Path(), Path(), Bars(), Bars()
    y, width = -ARCS - NODE / 2 - 14, 0.86
    stem.add(
        -width / 2,
        y,
        width,
        NODE,
        "in",
        tr("<b>the block's input</b><br>{reads} channels, read by all {count} layers", reads=reads[0], count=count),
    )
    for reader, unit in enumerate(units, start=1):
        hover = tr(
            "<b>{name}</b>: layer {reader}<br>reads {reads} channels of {reader} sources<br>adds {adds}",
            name=unit.name,
            reader=reader,
            reads=reads[reader - 1],
            adds=adds[reader - 1],
        )
        nodes.add(reader - width / 2, y, width, NODE, str(reader), hover)
        for source in range(reader):
            height, middle = ARCS * (reader - source) / count, (reader + source) / 2
            angles = [math.pi * step / ARC_POINTS for step in range(ARC_POINTS + 1)]
            half = (reader - source) / 2 - 0.12  # apart from the next layer's
            foot = y + NODE / 2
            arcs.stroke([(middle - half * math.cos(angle), foot + height * math.sin(angle)) for angle in angles])
            what = (
                tr("layer {source} adds: {adds}", source=source, adds=adds[source - 1])
                if source
                else tr("came into the block: {reads}", reads=reads[0])
            )
            tops.point(
                middle,
                foot + height,
                tr("layer {reader} reads what {what} of its {reads} channels", reader=reader, what=what, reads=reads[reader - 1]),
            )
    lines = arcs.lines("", SHORTCUT_COLOR, showlegend=False, zorder=0)
    lines.line.width = 2 if count <= 16 else 1
    figure = go.Figure(
        [
            lines,
            stem.trace(STEM_COLOR, 16, zorder=2),
            nodes.trace(stage_color(stage), 16, zorder=2),
            tops.points("circle", 7 if count <= 16 else 4, SHORTCUT_COLOR, zorder=3, showlegend=False),
        ]
    )
    figure.update_layout(**layout(count + 0.6, ARCS + NODE + 28, 0))
    figure.update_xaxes(range=[-0.6, count + 0.6])
    return figure


def forms_figure(config: Any) -> go.Figure:
    """Draw one block of a ResNeXt in the three forms of Fig. 3 of Xie et al. 2017, side by side.

    Args:
        config: of a ResNeXt of more than one path, in any form.
    """
    number, paths = example(config), config.cardinality
    titles = {
        "a": tr("<b>(a)</b> {paths} paths, added", paths=paths),
        "b": tr("<b>(b)</b> {paths} paths, then one 1×1", paths=paths),
        "c": tr("<b>(c)</b> a 3×3 in {paths} groups", paths=paths),
    }
    nets = {form: complexity(dataclasses.replace(config, form=form)) for form in FORMS}
    units = {form: [unit for found in sketches(net).units.values() for unit in found][number] for form, net in nets.items()}
    lead = 1.1
    width = sum(unit.width + 2 * lead for unit in units.values())
    canvas = Canvas(width < 22)
    middle = -34 - ARC - height_of(max(unit.lanes for unit in units.values())) / 2
    x, headings = 0.0, []
    for form, sketch in units.items():
        shortcut = next(each for each in nets[form].shortcuts if each.name == f"{sketch.unit.name}.shortcut")
        canvas.begin(x + 0.2, middle)
        canvas.arrow(x + lead, sketch.steps[0])
        canvas.unit(sketch, shortcut, x + lead, stage_color(sketch.unit.stage))
        canvas.line_to((x + lead + sketch.width + GAP * 0.9, middle))
        headings.append({"x": x + 0.2, "y": -14, "text": titles[form], "showarrow": False, "xanchor": "left", "font": {"size": 16}})
        x += sketch.width + 2 * lead
    figure = go.Figure(canvas.traces(any(each.normed for each in nets["c"].shortcuts)))
    height = -middle + height_of(max(unit.lanes for unit in units.values())) / 2 + 12
    figure.update_layout(annotations=headings, **layout(width, height, 40))
    return figure
