"""The look of every chart: a net's colour, the lines of training and test error, the layout for a page and a projector.

Hues of the Okabe-Ito palette (Okabe and Ito, "Color Universal Design", 2008) that viewers with any common form of colour
blindness tell apart: vermillion for plain nets, blue for residual ones, green for gates, purple for concatenation. Deeper nets are
darker in all. Shortcuts B and C
carry symbols, as hue says plain or residual and dashes say training or test (Figure 6 of He et al. 2016: training error dashed,
test error bold).
"""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Sequence
from typing import Any

from resnet_core.architectures import ModelConfig
from resnet_core.architectures.resnet import MAX_DEPTH, MIN_DEPTH

#: The page's background in both themes; every colour of a net has a contrast of at least 3:1 against it (WCAG 2.1, 1.4.11).
BACKGROUNDS = {False: "#ffffff", True: "#0e1117"}
TEXT = {False: "#1f2430", True: "#f2f4f8"}
GRID = {False: "#e3e6eb", True: "#2b313c"}
MUTED = {False: "#5b6472", True: "#a6afbd"}

#: Streamlit's own sans first, so that an exported chart looks like the page; unquoted, so no word may begin with a digit.
FONT = "Source Sans, Source Sans Pro, Helvetica, Arial, sans-serif"

#: From the shallowest net to the deepest: the ends and the middle of each family, for a light and a dark background.
_RAMPS = {
    ("plain", False): ("#e6701c", "#c85200", "#642400"),
    ("residual", False): ("#3f9be0", "#0072b2", "#00305c"),
    ("gate", False): ("#1a9c78", "#00795a", "#003d2d"),
    ("concat", False): ("#c064a0", "#a0457f", "#5c2449"),
    ("gate", True): ("#8fe3c9", "#35c39a", "#13876a"),
    ("concat", True): ("#f3c4de", "#dc90bc", "#b35a90"),
    ("plain", True): ("#ffc48f", "#f5873a", "#c04f00"),
    ("residual", True): ("#b5defa", "#56aeea", "#1976bd"),
}
#: Where a depth lies on its ramp (0 to 1). The paper's nets are spread wider than by their logarithms: 20 and 56 must differ at a glance.
_PLACES = ((MIN_DEPTH, 0.0), (20, 0.1), (32, 0.32), (44, 0.5), (56, 0.66), (110, 0.83), (MAX_DEPTH, 1.0))

#: Colours of nets that lie nearer to each other on their ramp are hard to tell apart from the back row; those of 20 and 56 layers are not.
_ALIKE = 0.45

#: Figure 6 of the paper: training error dashed (and thin), test error bold. Used as ``line={**TRAIN_LINE, "color": ...}``.
TRAIN_LINE: dict[str, Any] = {"dash": "5px,3px", "width": 1.6}
TEST_LINE: dict[str, Any] = {"dash": "solid", "width": 3.4}

#: Plain nets and option A have no symbol; B and C do, and so do gates and concatenation, whose hues a deuteranope confuses.
_SYMBOLS = {"none": None, "A": None, "B": "square", "C": "diamond", "gate": "triangle-up", "concat": "x"}
#: Told apart by these, where two curves of one chart would have the colour and symbol of the same net.
# The circle last: a bare line's own points are circles where a chart has points at all.
_SPARE_SYMBOLS = ("triangle-up", "x", "star", "pentagon", "triangle-down", "hexagram", "cross", "circle")


def rgb(color: str) -> tuple[int, int, int]:
    """``"#d55e00"`` -> (213, 94, 0)."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def rgba(color: str, alpha: float) -> str:
    """The colour with an opacity from 0 to 1, as CSS: for bands, and for raw curves behind smoothed ones."""
    red, green, blue = rgb(color)
    return f"rgba({red},{green},{blue},{alpha:g})"


def place_on_ramp(depth: int) -> float:
    """Where a depth lies between the shallowest (0) and the deepest net (1): linear in log(depth) between the paper's depths."""
    for (low, start), (high, end) in itertools.pairwise(_PLACES):
        if depth <= high:
            return start + (end - start) * math.log(depth / low) / math.log(high / low)
    return 1.0


def kind(model: ModelConfig) -> str:
    """What joins the net's blocks with their skips, as far as charts tell it: ``plain``, ``gate``, ``concat``, else ``residual``."""
    if model.is_plain:
        return "plain"
    return model.shortcut if (model.shortcut, False) in _RAMPS else "residual"


def net_color(model: ModelConfig, dark: bool = False) -> str:
    """The colour of a net as ``"#rrggbb"``: plain is vermillion, residual is blue (see ``kind``), darker with depth.

    Args:
        model: the net; only its depth and its kind decide (see ``net_symbol`` for the shortcut).
        dark: for a dark background: lighter as a whole, in the same order.
    """
    light, middle, deep = (rgb(c) for c in _RAMPS[kind(model), dark])
    place = place_on_ramp(model.depth) * 2
    start, end, part = (light, middle, place) if place <= 1 else (middle, deep, place - 1)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(start, end, strict=True))


def net_symbol(model: ModelConfig) -> str | None:
    """The plotly marker symbol that tells B (square), C (diamond), gates and concatenation from A and plain (None: a bare line)."""
    return _SYMBOLS.get(model.shortcut)


def told_apart(models: Sequence[ModelConfig], dark: bool = False) -> list[tuple[str, str | None]]:
    """Colour and symbol of each net of one chart: the shortcut's symbol, or a spare one where an earlier net looks nearly the same."""
    taken: list[tuple[str, str | None, float]] = []
    looks = []
    for model in models:
        symbol, place = net_symbol(model), place_on_ramp(model.depth)
        for spare in _SPARE_SYMBOLS:
            if not any((known, other) == (kind(model), symbol) and abs(at - place) < _ALIKE for known, other, at in taken):
                break
            symbol = spare
        taken.append((kind(model), symbol, place))
        looks.append((net_color(model, dark), symbol))
    return looks


def hover_note(note: str) -> str:
    """The conditions of a curve for its hover text, one a line: a box as wide as all of them would hide half the chart."""
    return "".join(f"<br>{html.escape(part, quote=False)}" for part in note.split(" · ") if part)


def layout(dark: bool = False, font_size: int = 16) -> dict[str, Any]:
    """The plotly layout that all charts share: ``figure.update_layout(**layout(dark))``. Sizes are for a projector."""
    axis = {
        "gridcolor": GRID[dark],
        "linecolor": MUTED[dark],
        "zerolinecolor": GRID[dark],
        "tickcolor": MUTED[dark],
        "ticks": "outside",
        "showline": True,
        "automargin": True,
        "title": {"standoff": 8},
    }
    return {
        "template": "none",
        "paper_bgcolor": BACKGROUNDS[dark],
        "plot_bgcolor": BACKGROUNDS[dark],
        "font": {"family": FONT, "size": font_size, "color": TEXT[dark]},
        "margin": {"l": 64, "r": 16, "t": 16, "b": 56},
        "hoverlabel": {"font": {"size": font_size - 1}, "namelength": -1},
        "legend": {"bgcolor": rgba(BACKGROUNDS[dark], 0), "itemwidth": 40},
        "xaxis": axis,
        "yaxis": dict(axis),
    }
