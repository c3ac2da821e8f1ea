"""A net drawn with its shortcuts, as in Fig. 3 of He et al. 2016: solid where dimensions match, dotted where they change.

A net is read like a text: from left to right, a new row for each stage, long stages folded into several rows. Each box is a convolution
with its BN and ReLU; a shortcut leaves the line before its block and joins it again at the block's circled plus. A stage that would take
more than ``MAX_ROWS`` rows is not drawn in full: its first and last blocks are, and one wide box says how many more are between them.

Text has the colour of the template and backgrounds are transparent, so that a figure fits a light and a dark page alike.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from resnet_core.figures.diagram_parts import Bars, Path, join_text, layer_hover, layer_text, shape_text, shortcut_hover
from resnet_core.figures.style import rgba

if TYPE_CHECKING:
    from resnet_core.architectures.table import Complexity, Layer, Shortcut

#: Okabe and Ito's green, orange and reddish purple, lightened: told apart by colour-blind viewers, and neither the blue nor the
#: vermillion that say residual and plain elsewhere. Black text on them has a contrast of 7:1 or more.
STAGE_COLORS = {1: "#45b896", 2: "#e6a51f", 3: "#d792b9", 4: "#9fb35a", 5: "#c9a184"}
STEM_COLOR = "#b4bcc8"
#: A grey and a blue with a contrast of 3:1 or more on the light page and on the dark one.
LINE_COLOR = "#7f8896"
SHORTCUT_COLOR = "#2b88cf"
MARK_COLOR = "#8ec3ea"

#: Boxes that one row takes, and rows that one stage takes, before blocks are left out.
MAX_BOXES, MAX_ROWS = 18, 3
#: Blocks drawn at the start and at the end of a stage that is not drawn in full.
SHOWN_FIRST, SHOWN_LAST = 3, 2

# Horizontal lengths are in boxes: the figure is as wide as its container.
GAP, START, STEM, LEFT_OUT, MARK_WIDTH, MIN_WIDTH = 0.72, 0.35, 1.3, 6.0, 1.1, 15.0
#: Where in the gap between two blocks the line turns back, a block's sum stands and the next shortcut leaves; 0 to 1.
PLUS, BRANCH, TURN = 0.36, 0.76, 0.13
# Vertical lengths are in pixels.
BOX_HEIGHT, HEADING, ARC, PAD, MARK = 54, 32, 22, 12, 22
#: Below this width in boxes a box has room for words.
ROOMY = 20.0


def _color(stage: int) -> str:
    return STAGE_COLORS[(stage - 1) % len(STAGE_COLORS) + 1]


def diagram(net: Complexity) -> go.Figure:
    """The net as a figure that is as wide as its container; its height in pixels is set."""
    return _Drawing(net).figure()


def is_drawn_in_full(net: Complexity) -> bool:
    """Whether every block has its boxes: so up to 164 layers, with basic blocks and with bottlenecks."""
    return all(len(blocks) <= MAX_ROWS * (MAX_BOXES // max(blocks)) for blocks in _layers(net).values())


def _layers(net: Complexity) -> dict[int, list[int]]:
    """Stage -> the weighted layers of the main path in each of its blocks."""
    found: dict[int, dict[int, int]] = {}
    for row in net.rows:
        if row.stage is not None and row.block is not None:
            blocks = found.setdefault(row.stage, {})
            blocks[row.block] = blocks.get(row.block, 0) + (row.kind == "conv")
    return {stage: list(blocks.values()) for stage, blocks in found.items()}


def _fold(layers: list[int]) -> list[list[int | range]]:
    """The blocks of a stage by index, row by row, the rows as even as can be; a range stands for blocks that are left out."""
    count, most = len(layers), MAX_BOXES // max(layers)
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
    def __init__(self, net: Complexity):
        self.net = net
        self.layers: dict[tuple[int | None, int | None], list[Layer]] = {}
        for layer in net.rows:
            self.layers.setdefault((layer.stage, layer.block), []).append(layer)
        self.shortcuts = {(shortcut.stage, shortcut.block): shortcut for shortcut in net.shortcuts}

        self.blocks = _layers(net)
        folded = {stage: _fold(layers) for stage, layers in self.blocks.items()}
        self.first = START + STEM + GAP / 2 + 1 + GAP
        longest = max(sum(self._block_width(stage, block) + GAP for block in row) for stage, rows in folded.items() for row in rows)
        self.width = max(self.first + longest + 2 + GAP / 2 + START, MIN_WIDTH)

        self.boxes = {color: Bars() for color in (*STAGE_COLORS.values(), STEM_COLOR)}
        self.marks = Bars()
        self.chain, self.solid, self.dotted, self.arrows, self.sums, self.arches = Path(), Path(), Path(), Path(), Path(), Path()
        self.panels: list[dict] = []
        self.headings: list[dict] = []
        self.height = 0.0
        rows = self._stack(folded)
        for row, following in zip(rows, [*rows[1:], None], strict=True):
            self._row(row, following)

    def _block_width(self, stage: int, block: int | range) -> float:
        return LEFT_OUT if isinstance(block, range) else self.blocks[stage][block]

    def _stack(self, folded: dict[int, list[list[int | range]]]) -> list[_Row]:
        """Places the stages below one another, each in a panel with its heading."""
        above = ARC + MARK / 2 if self.net.shortcuts else PAD / 2
        rows, y = [], 0.0
        for stage, lines in folded.items():
            top = y
            y -= HEADING
            for blocks in lines:
                middle = y - above - BOX_HEIGHT / 2
                y = middle - BOX_HEIGHT / 2 - PAD
                rows.append(_Row(stage, blocks, middle, y - PAD / 2 if blocks is lines[-1] else y + PAD / 2))
            self._panel(stage, top, y)
            y -= PAD
        self.height = -y - PAD
        return rows

    def _panel(self, stage: int, top: float, bottom: float) -> None:
        place = {"x0": 0, "x1": self.width, "y0": bottom, "y1": top}
        fill = rgba(_color(stage), 0.13)
        self.panels.append({"type": "rect", "layer": "below", "fillcolor": fill, "line": {"width": 0}, **place})
        shapes = [layer.output_shape for layer in self.layers[stage, 0] if layer.kind == "conv"]
        filters = " and ".join(str(number) for number in dict.fromkeys((shapes[0][0], shapes[-1][0])))
        count = len(self.blocks[stage])
        blocks = f"{count} block{'s' if count > 1 else ''} of {len(shapes)} layers"
        text = f"<b>Stage {stage}:</b> {blocks}, {filters} filters, {shapes[-1][1]}×{shapes[-1][2]} maps"
        style = {"showarrow": False, "xanchor": "left", "font": {"size": 16}}
        self.headings.append({"x": START, "y": top - HEADING / 2 - 1, "text": text, **style})

    def _row(self, row: _Row, following: _Row | None) -> None:
        x, begin = self.first, TURN
        if row.blocks[0] == 0 and row.stage == 1:
            begin = START
            self._stem(row.middle)
        self.arrows.point(x - 0.04, row.middle)
        for block in row.blocks:
            if isinstance(block, range):
                self._blocks_left_out(row, block, x)
            else:
                self._block(row, block, x)
            x += self._block_width(row.stage, block) + GAP
        if following is None:
            self._head(x, row.middle)
            self.chain.stroke([(begin, row.middle), (x + 2, row.middle)])
        else:
            end = x - 0.1 * GAP
            back = [(end, row.middle), (end, row.turn), (TURN, row.turn), (TURN, following.middle)]
            self.chain.stroke([(begin, row.middle), *back])

    def _stem(self, middle: float) -> None:
        conv1, following = self.net.rows[:2]
        bn1 = following if (following.kind, following.stage) == ("bn", None) else None
        image = self.net.config.plan().input
        boxes = self.boxes[STEM_COLOR]
        boxes.add(START, middle, STEM, BOX_HEIGHT, f"image<br>{image[1]}×{image[2]}", f"<b>image</b><br>{shape_text(image)}")
        boxes.add(START + STEM + GAP / 2, middle, 1, BOX_HEIGHT, layer_text(conv1, self.width < ROOMY), layer_hover(conv1, bn1))

    def _head(self, x: float, middle: float) -> None:
        fc, channels = self.net.rows[-1], next(row for row in reversed(self.net.rows) if row.kind == "conv").output_shape[0]
        boxes = self.boxes[STEM_COLOR]
        boxes.add(x, middle, 1, BOX_HEIGHT, "avg<br>pool", f"<b>global average pooling</b><br>output {channels} × 1 × 1<br>no parameters")
        boxes.add(x + 1 + GAP / 2, middle, 1, BOX_HEIGHT, f"fc<br>{fc.output_shape[0]}", layer_hover(fc))

    def _block(self, row: _Row, block: int, x: float) -> None:
        layers = self.layers[row.stage, block]
        pairs = [(a, b if b and b.kind == "bn" else None) for a, b in itertools.zip_longest(layers, layers[1:]) if a.kind == "conv"]
        for index, (layer, bn) in enumerate(pairs):
            text, hover = layer_text(layer, self.width < ROOMY), layer_hover(layer, bn)
            self.boxes[_color(row.stage)].add(x + index + 0.05, row.middle, 0.9, BOX_HEIGHT, text, hover)
        if shortcut := self.shortcuts.get((row.stage, block)):
            self._shortcut(shortcut, x, x + len(pairs), row.middle)

    def _shortcut(self, shortcut: Shortcut, left: float, right: float, middle: float) -> None:
        start, end = left - (1 - BRANCH) * GAP, right + PLUS * GAP
        top, center = middle + BOX_HEIGHT / 2 + ARC, (start + end) / 2
        (self.dotted if shortcut.dimensions_change else self.solid).arch(start, end, middle, top)
        unit = shortcut.name.removesuffix(".shortcut")
        self.sums.point(end, middle, f"<b>{unit}</b>: {join_text(shortcut)}<br>no parameters")
        if shortcut.kind == "identity":
            self.arches.point(center, top, shortcut_hover(shortcut))
        else:
            text = {"projection": "1×1", "zero-padded": "zeros"}[shortcut.kind]
            self.marks.add(center - MARK_WIDTH / 2, top, MARK_WIDTH, MARK, text, shortcut_hover(shortcut))

    def _blocks_left_out(self, row: _Row, blocks: range, x: float) -> None:
        of_one = self.layers[row.stage, blocks[0]]
        count, layers = len(blocks), sum(layer.kind == "conv" for layer in of_one)
        params, macs = (count * sum(getattr(layer, name) for layer in of_one) for name in ("params", "macs"))
        text = f"<b>… {count} more blocks …</b><br>{count * layers} layers like these"
        first, last = (self.layers[row.stage, block][0].name.rpartition(".")[0] for block in (blocks[0], blocks[-1]))
        hover = f"<b>{first} to {last}</b><br>{params:,} parameters<br>{macs:,} MACs"
        self.boxes[_color(row.stage)].add(x + 0.05, row.middle, LEFT_OUT - 0.1, BOX_HEIGHT, text, hover)
        # One shortcut over them all would be another net: a train of small ones says that each block has its own.
        if self.net.shortcuts:
            for index in range(int(LEFT_OUT)):
                bottom = row.middle + BOX_HEIGHT / 2
                self.solid.arch(x + index + 0.12, x + index + 0.88, bottom, bottom + ARC)

    def figure(self) -> go.Figure:
        figure = go.Figure(self.chain.lines("", LINE_COLOR, showlegend=False, zorder=0))
        for dash, path, name in (("solid", self.solid, "dimensions match"), ("2px,3px", self.dotted, "dimensions change")):
            if path.x:
                figure.add_trace(path.lines(f"shortcut, {name}", SHORTCUT_COLOR, dash=dash, zorder=1))
        figure.add_traces([bars.trace(color, 16, zorder=2) for color, bars in self.boxes.items()])
        if self.marks.text:
            normed = any(shortcut.normed for shortcut in self.net.shortcuts)
            name = {"1×1": f"1×1 projection{' with BN' * normed}", "zeros": "zeros for the new channels"}[self.marks.text[0]]
            figure.add_trace(self.marks.trace(MARK_COLOR, 14, zorder=3, name=name))
        figure.add_trace(self.arrows.points("triangle-right", 10, LINE_COLOR, zorder=3, showlegend=False))
        if self.net.shortcuts:
            figure.add_trace(self.arches.points("square", 14, "rgba(0,0,0,0)", zorder=3, showlegend=False))
            name = join_text(self.net.shortcuts[0]).removeprefix("the ")
            figure.add_trace(self.sums.points("circle-cross", 14, "#ffffff", SHORTCUT_COLOR, zorder=3, name=name))
        legend = 40 if self.net.shortcuts else 0
        hidden = {"visible": False}
        figure.update_layout(
            barmode="overlay",
            shapes=self.panels,
            annotations=self.headings,
            xaxis={"range": [0, self.width], **hidden},
            yaxis={"range": [-self.height, 0], **hidden},
            height=self.height + legend,
            margin={"l": 0, "r": 0, "t": legend, "b": 0},
            paper_bgcolor="rgba(0,0,0,0)",
            plot_bgcolor="rgba(0,0,0,0)",
            legend={
                "orientation": "h",
                "x": 0,
                "y": 1,
                "yanchor": "bottom",
                "font": {"size": 16},
                "itemclick": False,
                "itemdoubleclick": False,
            },
            hoverlabel={"font": {"size": 16}, "align": "left"},
            hovermode="closest",
            dragmode=False,
        )
        return figure
