"""Slices of a loss surface: a map with contour lines for each net, and the same as a surface in three dimensions."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from resnet_core.figures import style
from resnet_core.language import tr

#: Pixels of a row of maps, and of surfaces.
ROW = 420
#: Nets beside each other.
ACROSS = 3
#: The colour scale is logarithmic where the highest loss is more than so many times the lowest.
WIDE = 10.0
#: Losses lower than this look alike on a logarithmic scale.
_LOWEST = 1e-4
_LEVELS = 14


@dataclass(frozen=True, eq=False)
class Slice:
    """Of one net: ``loss`` (A, B) in nats at the places ``a`` (A,) and ``b`` (B,); nan where it is not finite."""

    label: str
    a: np.ndarray
    b: np.ndarray
    loss: np.ndarray


def needs_log(losses: Sequence[np.ndarray]) -> bool:
    """Whether losses span so much that a linear scale would show the highest alone."""
    finite = np.concatenate([loss[np.isfinite(loss)] for loss in losses])
    return bool(len(finite) and finite.max() > WIDE * max(float(finite.min()), _LOWEST))


def surfaces_figure(slices: Sequence[Slice], dark: bool = False) -> go.Figure:
    """Draw a map for each slice, and below it the surface, all on one colour scale."""
    log = needs_log([each.loss for each in slices])
    heights = [_heights(each.loss, log) for each in slices]
    finite = np.concatenate([each[np.isfinite(each)] for each in heights])
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    high = max(high, low + 1e-6)
    across = min(ACROSS, len(slices))
    down = -(-len(slices) // across)
    kinds = [[{"type": kind}] * across for _ in range(down) for kind in ("xy", "scene")]
    titles = []
    for row in range(down):
        labels = [html.escape(each.label, quote=False) for each in slices[row * across : (row + 1) * across]]
        titles += [*labels, *[""] * (across - len(labels)), *[""] * across]
    figure = make_subplots(
        2 * down, across, specs=kinds, subplot_titles=titles, horizontal_spacing=0.2 / across, vertical_spacing=0.16 / (2 * down)
    )
    ticks, few = _ticks(low, high, log, 3), _ticks(low, high, log, 1)
    for index, (each, z) in enumerate(zip(slices, heights, strict=True)):
        row, column = 2 * (index // across) + 1, index % across + 1
        shared: dict[str, Any] = {"x": each.a, "y": each.b, "z": z.T, "coloraxis": "coloraxis", "customdata": each.loss.T}
        hover = tr(
            "<b>{escape}</b><br>a %{{x:.3g}}, b %{{y:.3g}}<br>loss %{{customdata:.4g}}<extra></extra>",
            escape=html.escape(each.label, quote=False),
        )
        # With bands of colour plotly would not share the scale with a surface.
        contours = {"start": low, "end": high, "size": (high - low) / _LEVELS, "coloring": "heatmap"}
        line = {"color": style.rgba("#ffffff", 0.5), "width": 1}
        figure.add_trace(
            go.Contour(**shared, hovertemplate=hover, contours=contours, line=line, connectgaps=False, uid=f"map-{index}"), row, column
        )
        figure.add_trace(go.Surface(**shared, hovertemplate=hover, connectgaps=False, uid=f"surface-{index}"), row + 1, column)
        figure.update_xaxes(title="a", row=row, col=column)
        figure.update_yaxes(title="b" if column == 1 else None, row=row, col=column)
    base = style.layout(dark)
    axes = {name: base.pop(name) for name in ("xaxis", "yaxis")}
    figure.update_xaxes(**{name: value for name, value in axes["xaxis"].items() if name != "title"})
    figure.update_yaxes(**{name: value for name, value in axes["yaxis"].items() if name != "title"})
    wall = {"gridcolor": style.GRID[dark], "color": style.MUTED[dark], "showbackground": False, "nticks": 5, "tickfont": {"size": 12}}
    figure.update_scenes(
        xaxis={**wall, "title": "a"}, yaxis={**wall, "title": "b"}, zaxis={**wall, **few, "title": "", "range": [low, high]},
        aspectmode="cube", camera={"eye": {"x": 2.0, "y": -2.15, "z": 1.05}, "center": {"x": 0, "y": 0, "z": -0.15}}, uirevision="viewer",
    )  # fmt: skip
    base["margin"] |= {"t": 44}
    bar = {**ticks, "title": {"text": tr("training loss (nats)"), "side": "right"}, "outlinewidth": 0}
    figure.update_layout(
        **base, height=2 * down * ROW, uirevision="viewer",
        coloraxis={"colorscale": "Cividis", "cmin": low, "cmax": high, "colorbar": bar},
    )  # fmt: skip
    return figure


def _heights(loss: np.ndarray, log: bool) -> np.ndarray:
    """What is drawn of losses: themselves or their logarithm; nan where they are not finite."""
    finite = np.where(np.isfinite(loss), loss, np.nan)
    return np.log10(np.maximum(finite, _LOWEST)) if log else finite


def _ticks(low: float, high: float, log: bool, decades: float) -> dict[str, Any]:
    """Losses beside a logarithmic scale: powers of ten, with 2 and 5 times them where it has less than so many decades."""
    if not log:
        return {}
    powers = range(math.floor(low), math.ceil(high) + 1)
    factors = (1, 2, 5) if high - low < decades else (1,)
    losses = [factor * 10.0**power for power in powers for factor in factors]
    told = [loss for loss in losses if low - 1e-9 <= math.log10(loss) <= high + 1e-9]
    return {"tickvals": [math.log10(loss) for loss in told], "ticktext": [f"{loss:g}" for loss in told]}
