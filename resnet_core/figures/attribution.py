"""The curves of a sanity check, and attribution maps as CSV; the pictures themselves are made in ``overlay``."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from resnet_core.csv_text import csv_text
from resnet_core.figures import style

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


def tick_labels(curves: Sequence[SanityCurve]) -> list[str]:
    """Of the steps that all curves have: their common label, or of nets of different depths what their labels share (``layer3``)."""
    shared = []
    for labels in zip(*(curve.steps for curve in curves), strict=False):
        same = len(set(labels)) == 1
        shared.append(labels[0] if same else labels[0].partition(".")[0])
    return shared


def sanity_figure(curves: Sequence[SanityCurve], kind: str = "signed", dark: bool = False) -> go.Figure:
    """Rank correlation with the map of the net as it is, step by step. A map that shows what the net has learned falls to about 0.

    Args:
        kind: one of ``KINDS``.
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is not one of {list(KINDS)}")
    base = style.layout(dark)
    figure = go.Figure()
    looks = style.told_apart([curve.model for curve in curves], dark)
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
