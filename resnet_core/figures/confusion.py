"""What a net takes for what: the confusion matrix, coloured by row, with the counts as text."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from resnet_core.csv_text import csv_text
from resnet_core.figures import style
from resnet_core.language import tr

#: From nothing to everything: the page's background, then the blue of residual nets.
_SCALES = {False: ("#ffffff", "#9ecae9", "#0072b2", "#00305c"), True: ("#0e1117", "#123c5c", "#2a86c4", "#b5defa")}
#: Percent of a row at which the colour bar has a mark.
_MARKS = (0, 1, 5, 10, 25, 50, 100)
#: With more classes than this neither counts nor names can be read; the hover text still tells them.
MOST_NAMED = 24
HEIGHT = 520


def confusion_figure(confusion: np.ndarray, classes: Sequence[str] = (), dark: bool = False) -> go.Figure:
    """The confusion matrix: rows are true classes, columns predicted ones; the diagonal is right.

    A cell's colour is its part of the row, on a square-root scale, so that mistakes of a few percent can be told from none.

    Args:
        confusion: int (C, C), images by true class (row) and predicted class (column).
        classes: their names; numbers where they are missing.
    """
    counts = np.asarray(confusion)
    size = len(counts)
    names = [html.escape(tr(name), quote=False) for name in classes] if len(classes) == size else [str(i) for i in range(size)]
    totals = counts.sum(1, keepdims=True)
    share = 100.0 * counts / np.maximum(totals, 1)
    few = size <= MOST_NAMED
    base = style.layout(dark)
    names_array = np.asarray(names, dtype=object)
    columns = (names_array[:, None], names_array, share, counts)
    hover = np.stack([np.broadcast_to(column, counts.shape).astype(object) for column in columns], axis=2)
    heat = go.Heatmap(
        x=np.arange(size),
        y=np.arange(size),
        z=np.sqrt(share),
        zmin=0,
        zmax=10,
        customdata=hover,
        colorscale=[[i / (len(_SCALES[dark]) - 1), color] for i, color in enumerate(_SCALES[dark])],
        xgap=1 if few else 0,
        ygap=1 if few else 0,
        colorbar={
            "title": {"text": tr("% of the true class"), "side": "right"},
            "tickvals": [mark**0.5 for mark in _MARKS],
            "ticktext": [str(mark) for mark in _MARKS],
            "outlinewidth": 0,
            "thickness": 18,
        },
        hovertemplate=tr(
            "<b>%{customdata[3]:,}</b> of class %{customdata[0]} taken for "
            "%{customdata[1]}<br>%{customdata[2]:.1f} % of the class<extra></extra>"
        ),
    )
    figure = go.Figure(heat)
    if few:
        figure.add_trace(_counts(counts, share, dark))
    figure.update_layout(base, height=HEIGHT, uirevision="viewer")
    ticks = {"tickvals": list(range(size)), "ticktext": names} if few else {}
    axis = {"showgrid": False, "zeroline": False, **ticks}
    figure.update_xaxes(title_text=tr("predicted class"), **axis)
    figure.update_yaxes(title_text=tr("true class"), autorange="reversed", **axis)
    return figure


def _counts(counts: np.ndarray, share: np.ndarray, dark: bool) -> go.Scatter:
    """The counts in black or white, whatever stands out more from the cell. An empty cell says zero, and leaves the eye to the mistakes."""
    rows, columns = np.nonzero(counts)
    cells = _cell_colors(np.sqrt(share[rows, columns]) / 10, dark)
    # Relative luminance (WCAG 2.1); black and white stand out alike at 0.179.
    linear = np.where(cells <= 0.04045, cells / 12.92, ((cells + 0.055) / 1.055) ** 2.4)
    bright = linear @ (0.2126, 0.7152, 0.0722) > 0.179
    return go.Scatter(
        x=columns,
        y=rows,
        mode="text",
        text=[f"{count:,}" for count in counts[rows, columns].tolist()],
        textfont={"color": np.where(bright, "#000000", "#ffffff").tolist()},
        hoverinfo="skip",
        showlegend=False,
    )


def _cell_colors(values: np.ndarray, dark: bool) -> np.ndarray:
    """The colours of ``values``, 0 to 1, on the scale: (N,) -> (N, 3), 0 to 1."""
    stops = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in _SCALES[dark]]) / 255
    return np.stack([np.interp(values, np.linspace(0, 1, len(stops)), channel) for channel in stops.T], axis=1)


def confusion_csv(confusion: np.ndarray, classes: Sequence[str] = ()) -> str:
    """The counts with the predicted classes as header and the true class first in each row."""
    counts = np.asarray(confusion)
    names = [tr(name) for name in classes] if len(classes) == len(counts) else list(range(len(counts)))
    return csv_text((tr("true \\ predicted"), *names), [(name, *map(int, row)) for name, row in zip(names, counts, strict=True)])
