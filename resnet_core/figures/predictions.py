"""What several nets say of one image, side by side: the five most likely classes as bars, as in Figure 4 of Krizhevsky et al. 2012."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from resnet_core.csv_text import csv_text
from resnet_core.figures import style
from resnet_core.language import tr

#: Classes shown of each net.
COUNT = 5
#: Red for the true class, as in the paper, and a neutral colour for the others: hues of nets (style.py) say plain or residual.
TRUE = {False: "#c4122f", True: "#ff6f7d"}
OTHER = {False: "#76829a", True: "#8d9ab0"}
#: Size of the letters in layout pixels, and of each class's row with its name above its bar.
FONT_SIZE, ROW, HEAD = 17, 46, 66
_BAR, _BAR_BELOW = 0.3, 0.12
#: Letters of a net's name that fit where four nets share 1,000 pixels.
_NAME = 22
#: Before the true class's name: colour alone is not for everybody, and words would not fit where four nets stand beside a sidebar.
MARK = "✓ "
#: As parts of the whole width, between the columns and for ">99.9 %" beside a bar: 70 of 640 pixels.
SPACING, _VALUE = 0.04, 0.11


@dataclass(frozen=True, eq=False)
class Prediction:
    """What one net says of the image.

    Attributes:
        name: of the net.
        probabilities: float (C,), 0 to 1.
        classes: the names of its C classes.
        true: the image's class among them, or None: it is not known, or the net has other classes.
    """

    name: str
    probabilities: np.ndarray
    classes: Sequence[str]
    true: int | None = None

    def order(self) -> np.ndarray:
        """All classes, the most likely first; of equal ones the lower first."""
        return np.argsort(-np.asarray(self.probabilities, np.float64), kind="stable")

    def rank(self, index: int) -> int:
        """1 for the most likely class."""
        return int(np.flatnonzero(self.order() == index)[0]) + 1


def percent(probability: float) -> str:
    """``97.3 %``; what would round to nothing is ``<0.1 %``, what would round to all ``>99.9 %``: a softmax is never all, but in fp32."""
    if 0 < probability < 0.0005:
        return "<0.1 %"
    return ">99.9 %" if probability >= 0.9995 else f"{100 * probability:.1f} %"


def predictions_figure(predictions: Sequence[Prediction], dark: bool = False) -> go.Figure:
    """A column for each net; each class has its name above a bar from 0 to 100 %, and its probability beside that.

    The true class is red and bold and has a tick. Where it is not among the five, a line below them tells its place.
    """
    columns = max(1, len(predictions))
    width = (1 - SPACING * (columns - 1)) / columns
    right = width / (width - _VALUE)  # the column's edge on an axis on which 1 is the end of the bar of 100 %
    figure = make_subplots(rows=1, cols=columns, horizontal_spacing=SPACING)
    rows = max((min(COUNT, len(net.classes)) for net in predictions), default=COUNT)
    missed = any(net.true is not None and net.rank(net.true) > COUNT for net in predictions)
    for column, net in enumerate(predictions, start=1):
        for trace in _bars(net, dark):
            figure.add_trace(trace, row=1, col=column)
        _words(figure, net, column, right, dark)
    figure.update_layout(style.layout(dark, FONT_SIZE))
    figure.update_layout(
        height=HEAD + ROW * (rows + missed),
        margin={"l": 8, "r": 8, "t": HEAD - 22, "b": 8},
        barmode="overlay",
        showlegend=False,
        uirevision="viewer",
        hovermode="closest",
    )
    hidden = {"visible": False, "fixedrange": True}
    figure.update_xaxes(range=[0, right], **hidden)
    figure.update_yaxes(range=[rows - 0.35 + missed * 0.85, -0.65], **hidden)
    return figure


def _bars(net: Prediction, dark: bool) -> list[go.Bar]:
    shown = net.order()[:COUNT]
    values = np.asarray(net.probabilities, np.float64)[shown]
    places = np.arange(len(shown)) + _BAR_BELOW
    colors = [TRUE[dark] if i == net.true else OTHER[dark] for i in shown]
    names = [html.escape(str(net.classes[i]), quote=False) + (tr(" (true class)") if i == net.true else "") for i in shown]
    common = {"y": places, "orientation": "h", "width": _BAR}
    whole = go.Bar(x=np.ones(len(shown)), marker={"color": style.GRID[dark], "line": {"width": 0}}, hoverinfo="skip", **common)
    part = go.Bar(
        x=values,
        marker={"color": colors, "line": {"width": 0}},
        customdata=names,
        name=html.escape(net.name, quote=False),
        hovertemplate=tr("%{customdata}: %{x:.3%}<extra>%{fullData.name}</extra>"),
        **common,
    )
    return [whole, part]


def _words(figure: go.Figure, net: Prediction, column: int, right: float, dark: bool) -> None:
    """The net's name, and each class's with its probability. Annotations, since they are never cut off at the edge of a column.

    Args:
        right: the column's right edge, on the axis of its bars.
    """
    at = {"showarrow": False, "xref": f"x{column if column > 1 else ''}", "yref": f"y{column if column > 1 else ''}"}
    above = {"x": 0, "xanchor": "left", "xshift": -2, "yanchor": "bottom"}
    beside = {"x": right, "xanchor": "right", "yanchor": "middle"}
    title = net.name if len(net.name) <= _NAME else net.name[: _NAME - 1] + "…"
    bold = {"size": FONT_SIZE + 2, "color": style.TEXT[dark]}
    head = {"yref": "paper", "y": 1, "yshift": 6}
    figure.add_annotation(text=f"<b>{html.escape(title, quote=False)}</b>", font=bold, **{**at, **above, **head})
    lines: list[tuple[float, Any, str]] = [(row, i, "") for row, i in enumerate(net.order()[:COUNT])]
    if net.true is not None and (rank := net.rank(net.true)) > COUNT:
        lines.append((len(lines) + 0.16, net.true, f", {ordinal(rank)}"))
    for y, i, place in lines:
        is_true = i == net.true
        name, value = html.escape(str(net.classes[i]), quote=False), percent(float(net.probabilities[i]))
        if is_true:
            name, value = f"<b>{MARK}{name}</b>{place}", f"<b>{value}</b>"
        font = {"color": TRUE[dark] if is_true else style.TEXT[dark]}
        figure.add_annotation(text=name, y=y - 0.06, font=font, **at, **above)
        figure.add_annotation(text=value, y=y + _BAR_BELOW, font=font, **at, **beside)


def ordinal(number: int) -> str:
    """``7th``, ``22nd``."""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


CSV_COLUMNS = ("image", "net", "rank", "class", "probability", "true")


def predictions_csv(images: Sequence[tuple[str, Sequence[Prediction]]]) -> str:
    """A row for each class of each net and image, the most likely first. ``true`` is 1 for the true class, 0 for others, empty if unknown.

    Args:
        images: the name of each with what the nets say of it.
    """
    rows = []
    for image, predictions in images:
        for net in predictions:
            for rank, i in enumerate(net.order(), start=1):
                true = "" if net.true is None else int(i == net.true)
                rows.append((image, net.name, rank, net.classes[i], f"{net.probabilities[i]:.6g}", true))
    return csv_text(CSV_COLUMNS, rows)
