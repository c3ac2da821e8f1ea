"""The curves of a sanity check, and attribution maps as CSV; the pictures themselves are made in ``overlay``."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import plotly.graph_objects as go

from resnet_core.csv_text import csv_text
from resnet_core.figures import style
from resnet_core.language import mark, tr

#: The two rank correlations of a step, and what a chart calls them.
KINDS = {"signed": mark("with signs"), "absolute": mark("of magnitudes")}


@dataclass(frozen=True, eq=False)
class Panel:
    """One map as numbers.

    Attributes:
        image, net, target: names.
        method: its key.
        map: (32, 32).
        parameters: of the method.
        delta, difference: the convergence delta and what it is a part of, where the method has one.
    """

    image: str
    net: str
    method: str
    target: str
    map: np.ndarray
    parameters: Mapping[str, Any]
    delta: float | None = None
    difference: float | None = None


@dataclass(frozen=True, eq=False)
class SanityCurve:
    """Rank correlations of one map under cascading randomisation.

    Attributes:
        key: unique in a chart.
        label: e.g. the net, or the method.
        model: the net's configuration.
        method: key of the method.
        image, target: names of what the map is of.
        seed: of the random weights.
        steps: labels, the first one is the net as it is.
        signed, absolute: a value a step; None where there is none.
        level: of each kind the correlation of two nets with all weights random; empty or None where there is none.
    """

    key: str
    label: str
    model: Any
    method: str
    image: str
    target: str
    seed: int
    steps: Sequence[str]
    signed: Sequence[float | None]
    absolute: Sequence[float | None]
    level: Mapping[str, float | None] = field(default_factory=dict)


def tick_labels(curves: Sequence[SanityCurve]) -> list[str]:
    """Label the steps that all curves have: their common label, or for nets of different depths what their labels share (``layer3``)."""
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
                hovertemplate=tr("%{fullData.name}: <b>%{y:.2f}</b><br>%{customdata}<extra></extra>"),
                showlegend=True,
            )
        )
        if (level := curve.level.get(kind)) is not None:
            lowest = min(lowest, level)
            figure.add_hline(y=level, line={"color": color, "width": 1.6, "dash": "dot"})
    labels = tick_labels(curves)
    figure.update_layout(
        base,
        height=420,
        hovermode="closest",
        legend={**base["legend"], "orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        uirevision="viewer",
    )
    figure.update_xaxes(title_text=tr("randomised from the top down to"), tickvals=list(range(len(labels))), ticktext=labels)
    figure.update_yaxes(
        title_text=tr("rank correlation {kinds}", kinds=KINDS[kind]),
        range=[min(-0.25, lowest - 0.08), 1.06],
        zeroline=True,
        zerolinewidth=2,
        zerolinecolor=style.MUTED[dark],
    )
    return figure


MAP_COLUMNS = ("image", "net", "method", "parameters", "target", "convergence_delta", "difference", "row", "column", "value")


def maps_csv(panels: Sequence[Panel]) -> str:
    """A row a map and pixel (row and column from 0, from the top left), with all that the map is of."""
    rows = []
    for panel in panels:
        parameters = ", ".join(f"{name} {value}" for name, value in panel.parameters.items())
        numbers = ["" if value is None else f"{value:.6g}" for value in (panel.delta, panel.difference)]
        of = (panel.image, panel.net, panel.method, parameters, panel.target, *numbers)
        rows += [(*of, y, x, f"{value:.6g}") for (y, x), value in np.ndenumerate(panel.map)]
    return csv_text(MAP_COLUMNS, rows)


SANITY_COLUMNS = (
    "image", "net", "label", "method", "target", "seed", "step", "randomised", "rank_correlation", "rank_correlation_absolute",
    "of_two_random_nets", "of_two_random_nets_absolute",
)  # fmt: skip


def sanity_csv(curves: Sequence[SanityCurve]) -> str:
    """A row a curve and step; a correlation that does not exist is empty."""
    rows = []
    for curve in curves:
        of = (curve.image, curve.model.name, curve.label, curve.method, curve.target, curve.seed)
        for index, (step, *values) in enumerate(zip(curve.steps, curve.signed, curve.absolute, strict=True)):
            values += [curve.level.get(kind) for kind in KINDS]
            rows.append((*of, index, step, *("" if v is None else f"{v:.6g}" for v in values)))
    return csv_text(SANITY_COLUMNS, rows)
