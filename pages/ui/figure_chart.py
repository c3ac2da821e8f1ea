"""Any plotly figure in the live chart's component: zoom and hidden curves stay when its data change, and it follows the theme."""

from __future__ import annotations

import json
from typing import Any

import plotly.graph_objects as go

from pages.ui import alternative
from pages.ui.live_chart import component
from resnet_core.figures.narrow import narrow_layout

#: What differs between the figures for the two themes is everything but the data, which travel once.
_DATA = ("x", "y", "z", "text", "customdata", "source")


def figure_chart(light: go.Figure, dark: go.Figure, key: str, *, fixed: bool = False, said: str = "", passing: bool = False) -> None:
    """Draws a figure, or updates the one that stands under ``key``.

    Args:
        light, dark: the same figure for the two themes: equal traces but for their colours.
        key: the chart's identity; while it stays, zoom and hidden curves stay, as far as the figures' ``uirevision`` goes.
        fixed: it has the figure's own height; else it is as high as the window allows.
        said: what the page has found in it, if anything, for those who do not see the chart.
        passing: it makes room for another chart in a moment.

    Raises:
        UserError: plotly.min.js cannot be put where the app serves it from.
    """
    component(
        key,
        {
            "figure": payload(light, dark) | ({"height": light.layout.height} if fixed else {}),
            "alt": alternative.of_figure(json.loads(light.to_json()), said),
            "table": alternative.words(),
        },
        passing,
    )


def payload(light: go.Figure, dark: go.Figure) -> dict[str, Any]:
    """Plain JSON values; arrays in plotly's base64 encoding. ``looks`` are what each theme puts over ``traces``."""
    # With their uids: by these plotly knows a hidden curve again when others come or go.
    figures = {"light": json.loads(light.to_json(remove_uids=False)), "dark": json.loads(dark.to_json(remove_uids=False))}
    narrow = {theme: narrow_layout(figure) for theme, figure in figures.items()}
    for figure in figures.values():
        figure["layout"].pop("height", None)  # that of a file; on the page charts are as high as the window allows
    return {
        "traces": figures["light"]["data"],
        "looks": {"light": [{} for _ in light.data], "dark": [_look(trace) for trace in figures["dark"]["data"]]},
        "layouts": {theme: figure["layout"] for theme, figure in figures.items()},
        "narrow": narrow,  # on a phone
    }


def _look(trace: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in trace.items() if name not in _DATA}
