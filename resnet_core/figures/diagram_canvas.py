"""What a net's diagram is drawn on: units with their boxes, rows side by side, shortcuts and joins, as the traces of a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from resnet_core.architectures.parts import Conv
from resnet_core.figures.diagram_parts import Bars, Path, join_name, join_text, shortcut_hover
from resnet_core.figures.diagram_steps import FORK, JOINT, Box, Rows, Sketch, Step
from resnet_core.language import tr

if TYPE_CHECKING:
    from resnet_core.architectures.table import Shortcut

#: Okabe and Ito's green, orange and reddish purple, lightened: told apart by colour-blind viewers, and neither the blue nor the
#: vermillion that say residual and plain elsewhere. Black text on them has a contrast of 7:1 or more.
STAGE_COLORS = {1: "#45b896", 2: "#e6a51f", 3: "#d792b9", 4: "#9fb35a", 5: "#c9a184"}
STEM_COLOR = "#b4bcc8"
#: A grey and a blue with a contrast of 3:1 or more on the light page and on the dark one.
LINE_COLOR = "#7f8896"
SHORTCUT_COLOR = "#2b88cf"
MARK_COLOR = "#8ec3ea"
#: What is not there any more: white, in a red that neither a stage nor a kind of net has.
GONE_COLOR, GONE_LINE = "#ffffff", "#d1242f"

# Horizontal lengths are in boxes: the figure is as wide as its container.
GAP, MARK_WIDTH = 0.72, 1.1
#: Where in the gap between two blocks a block's sum stands and the next shortcut leaves; 0 to 1.
PLUS, BRANCH = 0.36, 0.76
# Vertical lengths are in pixels. A lane is one of several boxes under one another.
BOX_HEIGHT, SMALL_HEIGHT, GROUPED_HEIGHT, LANE_HEIGHT, LANE_GAP, ARC, MARK, AUXILIARY = 54, 42, 68, 46, 8, 22, 22, 30


def stage_color(stage: int) -> str:
    """The colour of a stage's boxes, counted from 1."""
    return STAGE_COLORS[(stage - 1) % len(STAGE_COLORS) + 1]


def height_of(lanes: int) -> float:
    """How high boxes under one another are, in pixels."""
    return BOX_HEIGHT if lanes == 1 else lanes * LANE_HEIGHT + (lanes - 1) * LANE_GAP


class Canvas:
    """Boxes and lines, added one after the other.

    Attributes:
        roomy: boxes have room for words.
        towers: it is a net of two towers: what belongs to both is as high as they are.
        deleted: the name of the unit whose branch is deleted; note: what its frame says.
    """

    def __init__(self, roomy: bool, towers: bool = False, deleted: str = "", note: str = ""):
        self.roomy, self.towers = roomy, towers
        self.deleted, self.note = deleted, note
        self.gone, self._unit = Bars(), ""  # the unit that is being drawn
        self.boxes = {color: Bars() for color in (*STAGE_COLORS.values(), STEM_COLOR)}
        self.marks, self.gates, self.joints, self.training = Bars(), Bars(), Bars(), Bars()
        self.chain, self.solid, self.dotted, self.passed = Path(), Path(), Path(), Path()
        self.arrows, self.arches, self.aside = Path(), Path(), Path()
        self.sums: dict[tuple[str, str], Path] = {}  # by join, and how the legend calls it
        self._pen = self._middle = 0.0
        self._parted: float | None = None  # where the lines of two towers have begun
        self._last = 0.0  # the middle of the last box

    def begin(self, x: float, middle: float) -> None:
        """Start a line through what follows."""
        self._pen, self._middle, self._last = x, middle, x

    def line_to(self, *points: tuple[float, float]) -> None:
        """Draw the line up to the last point."""
        self._meet(points[0][0])
        self.chain.stroke([(self._pen, self._middle), *points])
        self._pen = points[-1][0]

    def _meet(self, x: float) -> None:
        """End the lines of two towers at ``x``."""
        if self._parted is not None:
            for y in self._lanes(2):
                self.chain.stroke([(self._parted, y), (x, y)])
            self._parted, self._pen = None, x

    def _lanes(self, count: int) -> list[float]:
        """The heights of so many boxes under one another."""
        top = self._middle + height_of(count) / 2 - LANE_HEIGHT / 2 if count > 1 else self._middle
        return [top - index * (LANE_HEIGHT + LANE_GAP) for index in range(count)]

    def step(self, step: Step, x: float, color: str) -> float:
        """Draw a step that begins at ``x``; return where it ends."""
        if isinstance(step, Rows):
            self._rows(step, x, color)
        elif step.halves:
            if self._parted is None:
                self.line_to((self._last, self._middle))
                self._parted = self._last
            for y, (text, hover) in zip(self._lanes(2), step.halves, strict=True):
                self.boxes[color].add(x + 0.05, y, step.width - 0.1, LANE_HEIGHT, text, hover, self._unit)
        else:
            self._meet(x + step.width / 2)
            self.box(step, x, color)
        self._last = x + step.width / 2
        return x + step.width

    def box(self, box: Box, x: float, color: str) -> None:
        """Draw one box on the line."""
        height = height_of(2) if self.towers else SMALL_HEIGHT if box.width < 1 else GROUPED_HEIGHT if box.width > 1 else BOX_HEIGHT
        inset = 0.0 if color == STEM_COLOR else 0.05  # before and behind the stages boxes have gaps between them
        bars = self.boxes[color if box.is_layer else STEM_COLOR]
        text = box.roomy if self.roomy else box.text
        bars.add(x + inset, self._middle, box.width - 2 * inset, height, text, box.hover, self._unit)

    def _rows(self, rows: Rows, x: float, color: str) -> None:
        heights, part, join = self._lanes(len(rows.rows)), x + FORK * 0.4, x + rows.width - JOINT
        self.line_to((part, self._middle))
        self.chain.stroke([(part, heights[0]), (part, heights[-1])])
        for y, row in zip(heights, rows.rows, strict=True):
            self.chain.stroke([(part, y), (join + 0.1, y)])
            at = x + FORK
            for box in row:
                bars = self.boxes[color if box.is_layer else STEM_COLOR]
                text = box.roomy if self.roomy else box.text
                bars.add(at + 0.05, y, box.width - 0.1, LANE_HEIGHT, text, box.hover, self._unit)
                at += box.width
        text = tr("sum") if rows.combine == "sum" else rows.combine
        self.joints.add(join + 0.06, self._middle, JOINT - 0.12, height_of(len(rows.rows)), text, rows.hover, self._unit)
        self._pen = x + rows.width - 0.1

    def arrow(self, x: float, step: Step) -> None:
        """Draw the arrow into the first step of a row, which begins at ``x``; into both towers, where it is in two."""
        for y in self._lanes(2 if isinstance(step, Box) and step.halves else 1):
            self.arrows.point(x - 0.04, y)

    def unit(self, sketch: Sketch, shortcut: Shortcut | None, x: float, color: str) -> None:
        """Draw a unit that begins at ``x``, on the line that was begun."""
        left, start, self._unit = x, self._middle, sketch.unit.name
        if self._unit == self.deleted:
            x = self._deleted(sketch, x)
        else:
            for step in sketch.steps:
                x = self.step(step, x, color)
        if sketch.gate:
            text = sketch.gate.text
            self.gates.add(x + 0.05, self._middle, sketch.gate.width - 0.1, BOX_HEIGHT, text, sketch.gate.hover, self._unit)
            x += sketch.gate.width
        if shortcut:
            self._shortcut(sketch, shortcut, left, x, start)
        x += sketch.gap
        for step in sketch.after:
            x = self.step(step, x, color)
        if sketch.auxiliary:
            self._auxiliary(sketch.auxiliary, left, x)
        self._unit = ""

    def _deleted(self, sketch: Sketch, x: float) -> float:
        """Draw a frame in the place of a branch; where there is a shortcut, the line ends before it."""
        width = sum(step.width for step in sketch.steps)
        self._meet(x)
        if sketch.unit.skip is not None:
            self.line_to((x - (1 - BRANCH) * GAP, self._middle))
            self._pen = x + width + (0.0 if sketch.gate else PLUS * GAP)
        words, left = (
            ("deleted", tr("its shortcut stays")) if sketch.unit.skip is not None else ("identity", tr("the identity stands in its place"))
        )
        text = "<br>".join(filter(None, (words, self.note)))
        hover = tr("<b>{name}</b>: deleted; {left}<br>{note}", name=sketch.unit.name, left=left, note=self.note)
        self.gone.add(x + 0.05, self._middle, width - 0.1, height_of(sketch.lanes), text, hover, self._unit)
        self._last = x + width / 2
        return x + width

    def _shortcut(self, sketch: Sketch, shortcut: Shortcut, left: float, right: float, middle: float) -> None:
        start, end = left - (1 - BRANCH) * GAP, right - sketch.gate.width / 2 if sketch.gate else right + PLUS * GAP
        top, center = middle + height_of(sketch.lanes) / 2 + ARC, (start + end) / 2
        path = self.passed if shortcut.join == "concat" else self.dotted if shortcut.dimensions_change else self.solid
        path.arch(start, end, middle, top)
        unit = shortcut.name.removesuffix(".shortcut")
        if not sketch.gate:
            told = tr("<br>no parameters")
            if shortcut.join == "concat":
                adds = next(part.filters for part in reversed(sketch.unit.branch) if isinstance(part, Conv))
                told = tr(
                    "<br>{output_shape} channels came in; {adds} are put behind them{told}",
                    output_shape=shortcut.output_shape[0],
                    adds=adds,
                    told=told,
                )
            self.sums.setdefault((shortcut.join, join_name(shortcut)), Path()).point(
                end, middle, f"<b>{unit}</b>: {join_text(shortcut)}{told}"
            )
        if shortcut.kind == "identity":
            self.arches.point(center, top, shortcut_hover(shortcut))
        else:
            text = {"projection": "1×1", "zero-padded": tr("zeros")}[shortcut.kind]
            self.marks.add(center - MARK_WIDTH / 2, top, MARK_WIDTH, MARK, text, shortcut_hover(shortcut), unit)

    def _auxiliary(self, box: Box, left: float, right: float) -> None:
        y = self._middle - height_of(4) / 2 - 6 - AUXILIARY / 2
        at = right + 0.12
        self.aside.stroke([(at, self._middle), (at, y), (right, y)])
        self.training.add(left, y, right - left, AUXILIARY - 4, box.roomy, box.hover, self._unit)

    def more(self, text: str, hover: str, x: float, width: float, color: str, arches: bool) -> None:
        """Draw the wide box that stands for units that are left out."""
        self.boxes[color].add(x + 0.05, self._middle, width - 0.1, BOX_HEIGHT, text, hover)
        # One shortcut over them all would be another net: a train of small ones says that each block has its own.
        for index in range(int(width) if arches else 0):
            bottom = self._middle + BOX_HEIGHT / 2
            self.solid.arch(x + index + 0.12, x + index + 0.88, bottom, bottom + ARC)

    def traces(self, normed: bool = False) -> list[go.Bar | go.Scatter]:
        """All of it, the lines behind the boxes; ``normed``: projections have a BN."""
        found: list[go.Bar | go.Scatter] = [self.chain.lines("", LINE_COLOR, showlegend=False, zorder=0)]
        named = (("solid", self.solid, tr("dimensions match")), ("2px,3px", self.dotted, tr("dimensions change")))
        for dash, path, name in (*named, ("solid", self.passed, tr("passes on all channels"))):
            if path.x:
                found.append(path.lines(tr("shortcut, {name}", name=name), SHORTCUT_COLOR, dash=dash, zorder=1))
        if self.aside.x:
            found.append(self.aside.lines("", LINE_COLOR, dash="2px,3px", showlegend=False, zorder=1))
        letters_size = 15 if self.roomy else 16  # with the word conv there is little room beside them
        found += [bars.trace(color, letters_size, zorder=2) for color, bars in self.boxes.items()]
        if self.gone.text:
            frame = self.gone.trace(GONE_COLOR, 16, zorder=2, name=tr("deleted"))
            found.append(frame.update(marker={"line": {"width": 2, "color": GONE_LINE}}))
        if self.joints.text:
            found.append(self.joints.trace(MARK_COLOR, 14, zorder=3).update(textangle=-90))
        if self.gates.text:
            found.append(self.gates.trace(MARK_COLOR, 14, zorder=3, name=tr("gate T: H·T + x·(1−T)")))
        if self.training.text:
            found.append(
                self.training.trace(STEM_COLOR, 14, zorder=3).update(
                    marker={"pattern": {"shape": "/", "fillmode": "overlay", "fgcolor": "#d3d8df"}}
                )
            )
        for text, name in (
            ("1×1", tr("1×1 projection with BN") if normed else tr("1×1 projection")),
            (tr("zeros"), tr("zeros for the new channels")),
        ):
            if text in self.marks.text:
                found.append(self._marked(text).trace(MARK_COLOR, 14, zorder=3, name=name))
        if self.arrows.x:
            found.append(self.arrows.points("triangle-right", 10, LINE_COLOR, zorder=3, showlegend=False))
        if self.arches.x:
            found.append(self.arches.points("square", 14, "rgba(0,0,0,0)", zorder=3, showlegend=False))
        for (join, name), path in self.sums.items():
            symbol = "square" if join == "concat" else "circle-cross"
            found.append(path.points(symbol, 14, "#ffffff", SHORTCUT_COLOR, zorder=3, name=name))
            if symbol == "square":
                letters = go.Scatter(
                    x=path.x, y=path.y, mode="text", text=["C"] * len(path.x), hoverinfo="skip", zorder=4, showlegend=False
                )
                found.append(letters.update(textfont={"size": 11, "color": "#12151b"}))
        return found

    def _marked(self, text: str) -> Bars:
        rows = zip(*vars(self.marks).values(), strict=True)
        return Bars(*(list(column) for column in zip(*(row for row in rows if row[4] == text), strict=True)))


def layout(width: float, height: float, legend: float) -> dict[str, object]:
    """The layout of such a figure: transparent, without axes, the legend above it."""
    hidden = {"visible": False}
    return {
        "barmode": "overlay",
        "xaxis": {"range": [0, width], **hidden},
        "yaxis": {"range": [-height, 0], **hidden},
        "height": height + legend,
        "margin": {"l": 0, "r": 0, "t": legend, "b": 0},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "legend": {
            "orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "font": {"size": 16}, "itemclick": False, "itemdoubleclick": False,
        },
        "hoverlabel": {"font": {"size": 16}, "align": "left"},
        "hovermode": "closest",
        "dragmode": False,
    }  # fmt: skip
