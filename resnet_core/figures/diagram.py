"""A net drawn with its shortcuts, as in Fig. 3 of He et al. 2016: solid where dimensions match, dotted where they change.

A net is read like a text: from left to right, a new row for each stage, long stages folded into several rows. Each box is a convolution
with its BN and ReLU; a shortcut leaves the line before its block and joins it again at the block's circled plus. Rows of boxes that read
the same input stand under one another (the modules of GoogLeNet, ResNeXt's forms a and b, AlexNet's towers). A stage that would take
more than ``MAX_ROWS`` rows is not drawn in full: its first and last blocks are, and one wide box says how many more are between them.

Text has the colour of the template and backgrounds are transparent, so that a figure fits a light and a dark page alike.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from resnet_core.figures.diagram_canvas import (
    ARC,
    AUXILIARY,
    BOX_HEIGHT,
    GAP,
    MARK,
    SHORTCUT_COLOR,
    STAGE_COLORS,
    STEM_COLOR,
    Canvas,
    height_of,
    layout,
    stage_color,
)
from resnet_core.figures.diagram_parts import shape_text
from resnet_core.figures.diagram_steps import Box, Sketch, sketches
from resnet_core.figures.diagram_words import heading
from resnet_core.figures.style import rgba
from resnet_core.language import tr

if TYPE_CHECKING:
    from resnet_core.architectures.table import Complexity, Layer

__all__ = ["SHORTCUT_COLOR", "STAGE_COLORS", "STEM_COLOR", "diagram", "is_drawn_in_full"]

#: Boxes that one row takes, and rows that one stage takes, before blocks are left out.
MAX_BOXES, MAX_ROWS = 18, 3
#: Blocks drawn at the start and at the end of a stage that is not drawn in full.
SHOWN_FIRST, SHOWN_LAST = 3, 2

# Horizontal lengths are in boxes.
START, STEM, STEM_GAP, LEFT_OUT, MIN_WIDTH = 0.35, 1.3, 0.12, 6.0, 15.0
#: Where stages begin that are not behind the stem; where the line turns back.
FIRST, TURN = START + STEM + GAP / 2 + 1 + GAP, 0.13
# Vertical lengths are in pixels.
HEADING, PAD = 32, 12
#: Below this width in boxes a box has room for words.
ROOMY = 20.0


def diagram(net: Complexity, deleted: str = "", note: str = "") -> go.Figure:
    """The net as a figure that is as wide as its container; its height in pixels is set.

    Args:
        deleted: the name of a block whose branch is not there; note: what stands in its place.
    """
    return _Drawing(net, deleted, note).figure()


def is_drawn_in_full(net: Complexity) -> bool:
    """Whether every block has its boxes: so up to 164 layers, with basic blocks and with bottlenecks."""
    return all(len(units) <= MAX_ROWS * _most(units) for units in sketches(net).units.values())


def _most(units: list[Sketch]) -> int:
    """How many units fit into a row. A box that is wider than others, as it has more to say, counts twice."""
    width = max(
        unit.width - unit.gap + sum(2 - step.width for step in unit.steps if isinstance(step, Box) and step.width > 1) for unit in units
    )
    return MAX_BOXES // max(1, int(width))


def _fold(units: list[Sketch]) -> list[list[int | range]]:
    """The blocks of a stage by index, row by row, the rows as even as can be; a range stands for blocks that are left out."""
    count, most = len(units), _most(units)
    if count > MAX_ROWS * most:
        return [[*range(SHOWN_FIRST), range(SHOWN_FIRST, count - SHOWN_LAST), *range(count - SHOWN_LAST, count)]]
    rows = -(-count // most)
    bounds = [-(-count * row // rows) for row in range(rows + 1)]
    return [list(range(start, end)) for start, end in itertools.pairwise(bounds)]


@dataclass(frozen=True)
class _Row:
    """Blocks side by side. ``middle``: height of the line through their boxes; ``turn``: height where it goes back to the left."""

    stage: int
    blocks: list[int | range]
    middle: float
    turn: float


class _Drawing:
    def __init__(self, net: Complexity, deleted: str, note: str):
        self.net = net
        self.sketches = sketches(net)
        self.blocks = self.sketches.units
        self.shortcuts = {(shortcut.stage, shortcut.block): shortcut for shortcut in net.shortcuts}
        self.layers: dict[tuple[int | None, int | None], list[Layer]] = {}
        for layer in net.rows:
            self.layers.setdefault((layer.stage, layer.block), []).append(layer)

        folded = {stage: _fold(units) for stage, units in self.blocks.items()}
        stem, head = self.sketches.stem, self.sketches.head
        self.first = FIRST + sum(step.width + STEM_GAP for step in stem) - 1 - STEM_GAP
        lines = [(stage, line) for stage, found in folded.items() for line in found]
        ends = [
            (FIRST if number else self.first) + sum(self._block_width(stage, block) + GAP for block in line)
            for number, (stage, line) in enumerate(lines)
        ]
        ends[-1] += sum(step.width + GAP / 2 for step in head) - GAP / 2
        self.width = max(*ends, MIN_WIDTH - START) + START
        towers = any(
            unit.lanes == 2 and isinstance(step, Box) and step.halves
            for units in self.blocks.values()
            for unit in units
            for step in unit.steps
        )
        self.canvas = Canvas(self.width < ROOMY, towers, deleted, note)

        self.panels: list[dict] = []
        self.headings: list[dict] = []
        self.height = 0.0
        rows = self._stack(folded)
        for row, following in zip(rows, [*rows[1:], None], strict=True):
            self._row(row, following)

    def _block_width(self, stage: int, block: int | range) -> float:
        return LEFT_OUT if isinstance(block, range) else self.blocks[stage][block].width

    def _stack(self, folded: dict[int, list[list[int | range]]]) -> list[_Row]:
        """Places the stages below one another, each in a panel with its heading."""
        above = ARC + MARK / 2 if self.net.shortcuts else PAD / 2
        rows, y = [], 0.0
        for stage, lines in folded.items():
            top = y
            y -= HEADING
            for blocks in lines:
                shown = [self.blocks[stage][block] for block in blocks if not isinstance(block, range)]
                height = height_of(2 if self.canvas.towers else max(unit.lanes for unit in shown))
                middle = y - above - height / 2
                below = AUXILIARY + 6 if any(unit.auxiliary for unit in shown) else 0
                y = middle - height / 2 - below - PAD
                rows.append(_Row(stage, blocks, middle, y - PAD / 2 if blocks is lines[-1] else y + PAD / 2))
            self._panel(stage, top, y)
            y -= PAD
        self.height = -y - PAD
        return rows

    def _panel(self, stage: int, top: float, bottom: float) -> None:
        place = {"x0": 0, "x1": self.width, "y0": bottom, "y1": top}
        fill = rgba(stage_color(stage), 0.13)
        self.panels.append({"type": "rect", "layer": "below", "fillcolor": fill, "line": {"width": 0}, **place})
        before = {part.name for part in self.net.config.plan().stem} if stage == min(self.blocks) else ()
        made_of = heading(
            self.blocks[stage],
            [layer for layer in self.net.rows if layer.stage == stage],
            [layer for layer in self.net.rows if layer.name in before],
        )
        text = tr("<b>Stage {stage}:</b> {heading}", stage=stage, heading=made_of)
        style = {"showarrow": False, "xanchor": "left", "font": {"size": 16}}
        self.headings.append({"x": START, "y": top - HEADING / 2 - 1, "text": text, **style})

    def _row(self, row: _Row, following: _Row | None) -> None:
        canvas, color = self.canvas, stage_color(row.stage)
        if row.blocks[0] == 0 and row.stage == min(self.blocks):
            canvas.begin(START, row.middle)
            self._stem(row.middle)
            x = self.first
        else:
            canvas.begin(TURN, row.middle)
            x = FIRST
        canvas.arrow(x, self.blocks[row.stage][next(block for block in row.blocks if isinstance(block, int))].steps[0])
        for block in row.blocks:
            if isinstance(block, range):
                self._blocks_left_out(row, block, x)
            else:
                canvas.unit(self.blocks[row.stage][block], self.shortcuts.get((row.stage, block)), x, color)
            x += self._block_width(row.stage, block) + GAP
        if following is None:
            for step in self.sketches.head:
                x = canvas.step(step, x, STEM_COLOR) + GAP / 2
            canvas.line_to((x - GAP / 2 - 0.5, row.middle))
        else:
            end = x - 0.1 * GAP
            canvas.line_to((end, row.middle), (end, row.turn), (TURN, row.turn), (TURN, following.middle))

    def _stem(self, middle: float) -> None:
        image = self.net.config.plan().input
        hover = f"<b>{tr('image')}</b><br>{shape_text(image)}"
        self.canvas.boxes[STEM_COLOR].add(START, middle, STEM, BOX_HEIGHT, f"{tr('image')}<br>{image[1]}×{image[2]}", hover)
        x = START + STEM + GAP / 2
        for step in self.sketches.stem:
            x = self.canvas.step(step, x, STEM_COLOR) + STEM_GAP

    def _blocks_left_out(self, row: _Row, blocks: range, x: float) -> None:
        rows = [layer for block in blocks for layer in self.layers[row.stage, block]]
        layers = sum(self.blocks[row.stage][block].layers for block in blocks)
        params, macs = sum(layer.params for layer in rows), sum(layer.macs for layer in rows)
        text = tr("<b>… {blocks} more blocks …</b><br>{layers} layers like these", blocks=len(blocks), layers=layers)
        first, last = (self.layers[row.stage, block][0].name.rpartition(".")[0] for block in (blocks[0], blocks[-1]))
        hover = tr("<b>{first} to {last}</b><br>{params:,} parameters<br>{macs:,} MACs", first=first, last=last, params=params, macs=macs)
        self.canvas.more(text, hover, x, LEFT_OUT, stage_color(row.stage), bool(self.net.shortcuts))

    def figure(self) -> go.Figure:
        figure = go.Figure(self.canvas.traces(any(shortcut.normed for shortcut in self.net.shortcuts)))
        named = any(trace.name and trace.showlegend is not False for trace in figure.data)
        figure.update_layout(shapes=self.panels, annotations=self.headings, **layout(self.width, self.height, 40 if named else 0))
        return figure
