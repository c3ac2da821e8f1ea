"""What a net takes for what: the confusion matrix, coloured by row, with the counts as text."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from resnet_core.csv_text import csv_text
from resnet_core.figures import style

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
    names = [html.escape(str(name), quote=False) for name in classes] if len(classes) == size else [str(i) for i in range(size)]
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
        # An empty cell says zero, and leaves the eye to the mistakes.
        text=[[f"{count:,}" if count else "" for count in row] for row in counts.tolist()],
        texttemplate="%{text}" if few else None,
        colorscale=[[i / (len(_SCALES[dark]) - 1), color] for i, color in enumerate(_SCALES[dark])],
        xgap=1 if few else 0,
        ygap=1 if few else 0,
        colorbar={
            "title": {"text": "% of the true class", "side": "right"},
            "tickvals": [mark**0.5 for mark in _MARKS],
            "ticktext": [str(mark) for mark in _MARKS],
            "outlinewidth": 0,
            "thickness": 18,
        },
        hovertemplate="<b>%{customdata[3]:,}</b> of class %{customdata[0]} taken for %{customdata[1]}<br>"
        "%{customdata[2]:.1f} % of the class<extra></extra>",
    )
    figure = go.Figure(heat)
    figure.update_layout(base, height=HEIGHT, uirevision="viewer")
    ticks = {"tickvals": list(range(size)), "ticktext": names} if few else {}
    axis = {"showgrid": False, "zeroline": False, **ticks}
    figure.update_xaxes(title_text="predicted class", **axis)
    figure.update_yaxes(title_text="true class", autorange="reversed", **axis)
    return figure


def confusion_csv(confusion: np.ndarray, classes: Sequence[str] = ()) -> str:
    """The counts with the predicted classes as header and the true class first in each row."""
    counts = np.asarray(confusion)
    names = list(classes) if len(classes) == len(counts) else list(range(len(counts)))
    return csv_text(("true \\ predicted", *names), [(name, *map(int, row)) for name, row in zip(names, counts, strict=True)])
