"""Attribution maps in a row with one colour scale, the pictures of a sanity check, its curves, and all of it as CSV."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from resnet_core.csv_text import csv_text
from resnet_core.figures import style
from resnet_core.figures.overlay import Scale, color_scale, common_scale, overlay

#: Side of one picture on a page, in pixels: 9 for one of the image's 32.
PICTURE = 288
#: Colour and symbol of each method in a chart of one net; Okabe and Ito's colours that are no family's, and black or white.
_METHOD_LOOKS = {
    "integrated-gradients": ("#009e73", "#2fd6a5", "circle"),
    "grad-cam": ("#1f2430", "#f2f4f8", "square"),
    "occlusion": ("#a34f86", "#e79fcb", "diamond"),
    "saliency": ("#8a6d00", "#f0e442", "triangle-up"),
    "guided-grad-cam": ("#b3261e", "#ff8a80", "x"),
}
#: The two rank correlations of a step, and what a chart calls them.
KINDS = {"signed": "with signs", "absolute": "of magnitudes"}


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture.

    Attributes:
        label: above it, e.g. the net.
        image: uint8 (32, 32, 3), as the net sees it.
        map: (32, 32), or None: the image itself.
        note: below the label, smaller, e.g. ``cat · Δ 0.02``.
    """

    label: str
    image: np.ndarray
    map: np.ndarray | None
    note: str = ""


@dataclass(frozen=True, eq=False)
class SanityCurve:
    """Rank correlations of one map under cascading randomisation.

    Attributes:
        key: unique in a chart.
        label: e.g. the net, or the method.
        model: the net's configuration.
        method: key of the method.
        steps: labels, the first one is the net as it is.
        signed, absolute: a value a step; None where there is none.
    """

    key: str
    label: str
    model: Any
    method: str
    steps: Sequence[str]
    signed: Sequence[float | None]
    absolute: Sequence[float | None]


def maps_figure(panels: Sequence[Panel], scale: Scale | None, dark: bool = False, columns: int = 0) -> go.Figure:
    """The panels side by side. With a ``scale`` they share it and its colour bar; without one each has its own, to see patterns by.

    Args:
        scale: ``common_scale([panel.map ...], method.signed)``; or None, where magnitudes cannot be compared (random nets).
        columns: panels in a row; 0: all of them.
    """
    columns = columns or max(1, len(panels))
    rows = max(1, math.ceil(len(panels) / columns))
    # ``<br>`` always: pictures with and without a note are of one height.
    titles = [
        f"<b>{html.escape(each.label, quote=False)}</b><br><span style='font-size:13px'>{html.escape(each.note, quote=False) or ' '}</span>"
        for each in panels
    ]
    head = 56
    height = rows * (PICTURE + head) + 12
    figure = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=titles or None,
        horizontal_spacing=0.02,
        vertical_spacing=head / (height - head) if rows > 1 else 0,
    )
    base = style.layout(dark)
    for index, panel in enumerate(panels):
        figure.add_trace(_picture(panel, scale), index // columns + 1, index % columns + 1)
    if scale is not None:
        bar = {"outlinewidth": 0, "thickness": 18, "len": min(1, PICTURE / (height - head)), "y": 1, "yanchor": "top"}
        axis = {"colorscale": color_scale(scale), "cmin": scale.low, "cmax": scale.limit, "colorbar": bar}
        # A colour bar needs a trace; this one shows nothing else.
        hidden = {"x": [None], "y": [None], "mode": "markers", "marker": {"color": [0], "coloraxis": "coloraxis"}, "showlegend": False}
        figure.add_trace(go.Scatter(**hidden, hoverinfo="skip"), 1, 1)
        figure.update_layout(coloraxis=axis)
    figure.update_layout(
        {key: value for key, value in base.items() if key not in ("xaxis", "yaxis")},
        height=height,
        margin={"l": 8, "r": 8, "t": head, "b": 12},
        uirevision="viewer",
    )
    figure.update_annotations(font={"size": 16, "color": style.TEXT[dark]})
    empty = {"showticklabels": False, "showgrid": False, "zeroline": False, "ticks": "", "constrain": "domain", "range": [-0.5, 31.5]}
    figure.update_xaxes(empty)
    figure.update_yaxes({**empty, "range": [31.5, -0.5]})
    return figure


def _picture(panel: Panel, scale: Scale | None) -> go.Image:
    if panel.map is None:
        hover = "row %{y}, column %{x}: %{z}<extra></extra>"
        return go.Image(z=panel.image, name=panel.label, hovertemplate=hover)
    own = scale or common_scale([panel.map], bool((np.asarray(panel.map) < 0).any()))
    text = [[f"{value:.3g}" for value in row] for row in panel.map]
    hover = "<b>%{hovertext}</b><br>row %{y}, column %{x}<extra></extra>"
    return go.Image(z=overlay(panel.image, panel.map, own)[..., :3], hovertext=text, name=panel.label, hovertemplate=hover)


def tick_labels(curves: Sequence[SanityCurve]) -> list[str]:
    """Of the steps that all curves have: their common label, or of nets of different depths what their labels share (``layer3``)."""
    shared = []
    for labels in zip(*(curve.steps for curve in curves), strict=False):
        same = len(set(labels)) == 1
        shared.append(labels[0] if same else labels[0].partition(".")[0])
    return shared


def sanity_figure(curves: Sequence[SanityCurve], kind: str = "signed", dark: bool = False, by: str = "net") -> go.Figure:
    """Rank correlation with the map of the net as it is, step by step. A map that shows what the net has learned falls to about 0.

    Args:
        kind: one of ``KINDS``.
        by: what colours tell apart: ``net`` or ``method``.
    """
    if kind not in KINDS or by not in ("net", "method"):
        raise ValueError(f"kind {kind!r} is not one of {list(KINDS)}, or by {by!r} neither net nor method")
    base = style.layout(dark)
    figure = go.Figure()
    if by == "net":
        looks = style.told_apart([curve.model for curve in curves], dark)
    else:
        looks = [_method_look(curve.method, dark) for curve in curves]
    lowest = 0.0
    for curve, (color, symbol) in zip(curves, looks, strict=True):
        values = [math.nan if value is None else value for value in getattr(curve, kind)]
        lowest = min([lowest, *(value for value in values if not math.isnan(value))])
        figure.add_trace(
            go.Scatter(
                uid=curve.key,
                name=html.escape(curve.label, quote=False),
                x=np.arange(len(values)),
                y=values,
                customdata=np.asarray(curve.steps, dtype=object),
                mode="lines+markers",
                line={"color": color, "width": 2.6},
                marker={"color": color, "size": 9, "symbol": symbol or "circle"},
                hovertemplate="%{fullData.name}: <b>%{y:.2f}</b><br>%{customdata}<extra></extra>",
                showlegend=True,
            )
        )
    labels = tick_labels(curves)
    figure.update_layout(
        base,
        height=420,
        hovermode="closest",
        legend={**base["legend"], "orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        uirevision="viewer",
    )
    figure.update_xaxes(title_text="randomised from the top down to", tickvals=list(range(len(labels))), ticktext=labels)
    figure.update_yaxes(
        title_text=f"rank correlation {KINDS[kind]}",
        range=[min(-0.25, lowest - 0.08), 1.06],
        zeroline=True,
        zerolinewidth=2,
        zerolinecolor=style.MUTED[dark],
    )
    return figure


def _method_look(method: str, dark: bool) -> tuple[str, str]:
    light, bright, symbol = _METHOD_LOOKS[method]
    return bright if dark else light, symbol


def maps_csv(panels: Sequence[Panel]) -> str:
    """A row a panel and pixel: label, note, row, column (from 0, from the top left), value."""
    rows = [
        (panel.label, panel.note, y, x, f"{value:.6g}")
        for panel in panels
        if panel.map is not None
        for (y, x), value in np.ndenumerate(panel.map)
    ]
    return csv_text(("label", "note", "row", "column", "value"), rows)


def sanity_csv(curves: Sequence[SanityCurve]) -> str:
    """A row a curve and step; a correlation that does not exist is empty."""
    rows = [
        (curve.model.name, curve.label, curve.method, index, step, *("" if v is None else f"{v:.6g}" for v in (signed, absolute)))
        for curve in curves
        for index, (step, signed, absolute) in enumerate(zip(curve.steps, curve.signed, curve.absolute, strict=True))
    ]
    return csv_text(("net", "label", "method", "step", "randomised", "rank_correlation", "rank_correlation_absolute"), rows)
