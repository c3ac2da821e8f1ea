"""Heat maps through a training: a panel a net, two in a row, with iterations to the right and all to one scale of colours."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from resnet_core.figures import style
from resnet_core.language import tr

#: Perceptually uniform, for viewers with any common form of colour blindness, and legible on light and dark pages.
SCALE = "Cividis"
#: Pixels of a single row.
HEIGHT = 480


def place(index: int, count: int) -> tuple[int, int]:
    """Give the row and the column of a panel of ``count``, counted from 1."""
    columns = min(2, max(1, count))
    return index // columns + 1, index % columns + 1


def heat_panels(
    maps: Sequence[tuple[str, dict[str, Any]]], upwards: str, bar: dict[str, Any], dark: bool = False, **scale: Any
) -> go.Figure:
    """Draw the maps. What comes first in a net is at the bottom.

    Args:
        maps: of each net its label, and what its ``go.Heatmap`` is made of.
        upwards: what is counted there; bar: of the colours: its title, and further keys of plotly's.
        scale: further keys of plotly's ``coloraxis``.
    """
    rows, columns = place(max(0, len(maps) - 1), len(maps))[0], min(2, max(1, len(maps)))
    labels = [html.escape(label, quote=False) for label, _ in maps]
    gap = {"vertical_spacing": 0.26 / rows if rows > 1 else 0.0, "horizontal_spacing": 0.09}
    figure = make_subplots(rows=rows, cols=columns, subplot_titles=[f"<b>{label}</b>" for label in labels] or None, **gap)
    base = style.layout(dark)
    for index, (label, (_, made)) in enumerate(zip(labels, maps, strict=True)):
        figure.add_trace(go.Heatmap(coloraxis="coloraxis", name=label, **made), *place(index, len(maps)))
    figure.update_layout(
        {key: value for key, value in base.items() if key not in ("xaxis", "yaxis")},
        height=rows * (HEIGHT - 60) + 60,
        margin={**base["margin"], "t": 40},
        coloraxis={
            "colorscale": SCALE,
            "colorbar": {**bar, "title": {"text": bar["title"], "side": "right"}, "outlinewidth": 0, "thickness": 18},
            **scale,
        },
        uirevision="viewer",
    )
    figure.update_xaxes({**base["xaxis"], "showgrid": False, "title": {"text": tr("iteration"), "standoff": 6}})
    figure.update_yaxes({**base["yaxis"], "showgrid": False, "title": {"text": upwards, "standoff": 6}})
    return figure
