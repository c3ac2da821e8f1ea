"""Learning curves of any runs together, as in Figure 6 of He et al. 2016: training error dashed, test error bold.

``learning_curves(runs, View(...), dark)`` draws, ``view_note`` says what the drawing adds; what must stand beside every curve is
in ``captions``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
import plotly.graph_objects as go

from resnet_core.config import RunConfig
from resnet_core.figures import style
from resnet_core.figures.captions import Group, conditions, grouped, labels
from resnet_core.figures.series import KINDS, Points, RunRecords, decimate, mean_over_runs, points, smoothed

X_AXES = ("iterations", "epochs", "time")
SEEDS = ("separate", "range", "std")
_LINES = {"training": style.TRAIN_LINE, "test": style.TEST_LINE, "validation": {"dash": "1.5px,3px", "width": 2.4}}
_KEYS = {"training": "dashed: training", "test": "bold: test", "validation": "dotted: validation"}
#: Told apart by these, where two curves of one chart would have the colour and symbol of the same net.
_SPARE_SYMBOLS = ("circle", "triangle-up", "x", "star", "pentagon", "triangle-down", "hexagram", "cross")


@dataclass(frozen=True)
class View:
    """What a chart shows of its runs.

    Attributes:
        metric: ``error`` (percent) or ``loss`` (cross-entropy, nats).
        x: ``iterations``, ``epochs``, or ``time`` (training time, summed over resumptions).
        kinds: any of ``training``, ``test``, ``validation``.
        smoothing: width of the centred moving mean, as a fraction of each run's length; 0 for none.
        log: a logarithmic y axis.
        seeds: each run on its own (``separate``), or those that differ in the seed only as one mean with the ``range`` (lowest to
            highest) or one standard deviation (``std``) around it.
    """

    metric: str = "error"
    x: str = "iterations"
    kinds: tuple[str, ...] = ("training", "test")
    smoothing: float = 0.0
    log: bool = False
    seeds: str = "separate"


def window(config: RunConfig, view: View) -> float:
    """The moving mean's width in iterations of this run."""
    return view.smoothing * config.recipe.iterations


def group_points(group: Group, view: View, kind: str) -> tuple[Points, int]:
    """The curve of a group before decimation, and how many of its runs are in it (one that has no record yet is not)."""
    curves = [smoothed(points(run.records, view.metric, kind), window(run.config, view)) for run in group.runs]
    curves = [curve for curve in curves if len(curve)]
    if not curves:
        empty = np.array([])
        return Points(empty, empty, empty), 0
    return mean_over_runs(curves, view.seeds), len(curves)


def _x(curve: Points, config: RunConfig, axis: str, unit: float) -> np.ndarray:
    if axis == "time":
        return curve.seconds / unit
    return curve.iteration * (config.recipe.batch_size / config.data.train_images if axis == "epochs" else 1.0)


def _time_unit(seconds: float) -> tuple[float, str]:
    return (1.0, "seconds") if seconds < 180 else (60.0, "minutes") if seconds < 3 * 3600 else (3600.0, "hours")


def learning_curves(runs: Sequence[RunRecords], view: View = View(), dark: bool = False) -> go.Figure:
    """One chart of all the runs.

    Every net has one entry in the legend, which hides or shows all its curves. Raw curves stand faint behind smoothed ones; a band is the
    spread over seeds. Curves keep at most 1,000 points, with both ends and all extremes. NaN is a gap.
    """
    groups = grouped(runs, view.seeds)
    drawn = [(group, kind, *group_points(group, view, kind)) for group in groups for kind in KINDS if kind in view.kinds]
    longest = max((np.nanmax(curve.seconds) for _, _, curve, _ in drawn if len(curve) and np.isfinite(curve.seconds).any()), default=0.0)
    unit, unit_name = _time_unit(longest)
    figure = go.Figure()
    symbols = _symbols(groups, dark)
    names = dict(zip(map(id, groups), labels(groups), strict=True))
    in_legend: set[int] = set()
    # The bold curves last, so that they lie on top; bands first.
    drawn.sort(key=lambda item: (item[1] == "test", groups.index(item[0])))
    layers: list[list[go.Scatter]] = [[], [], []]
    for group, kind, whole, count in drawn:
        if not count:
            continue
        curve = decimate(whole)
        x = _x(curve, group.config, view.x, unit)
        color = style.net_color(group.config.model, dark)
        shared = {"legendgroup": names[id(group)], "name": names[id(group)], "x": x}
        if curve.low is not None:
            layers[0].append(_band(curve, shared, color, view.log))
        if curve.raw is not None:
            faint = {**_LINES[kind], "color": style.rgba(color, 0.3), "width": 1.2, "dash": "solid"}
            layers[1].append(go.Scatter(**shared, y=curve.raw, mode="lines", line=faint, hoverinfo="skip", showlegend=False))
        first = kind == "test" or ("test" not in view.kinds and id(group) not in in_legend)
        in_legend.add(id(group))
        layers[2].append(_line(group, kind, curve, shared, color, symbols[id(group)], view, first, unit_name))
    for layer in layers:
        figure.add_traces(layer)
    return _laid_out(figure, view, unit_name, dark, sum(bool(trace.showlegend) for trace in figure.data))


def _symbols(groups: Sequence[Group], dark: bool) -> dict[int, str | None]:
    """A symbol for each group: the shortcut's, or a spare one where an earlier group has the same colour and symbol."""
    taken: set[tuple[str, str | None]] = set()
    chosen = {}
    for group in groups:
        color, symbol = style.net_color(group.config.model, dark), style.net_symbol(group.config.model)
        spare = cycle(_SPARE_SYMBOLS)
        for _ in _SPARE_SYMBOLS:
            if (color, symbol) not in taken:
                break
            symbol = next(spare)
        taken.add((color, symbol))
        chosen[id(group)] = symbol
    return chosen


def _band(curve: Points, shared: dict[str, Any], color: str, log: bool) -> go.Scatter:
    shown = np.isfinite(curve.low) & np.isfinite(curve.high) & ((curve.low > 0) if log else True)
    x, low, high = shared["x"][shown], curve.low[shown], curve.high[shown]
    outline = {"x": np.concatenate([x, x[::-1]]), "y": np.concatenate([high, low[::-1]])}
    return go.Scatter(
        **{**shared, **outline}, fill="toself", fillcolor=style.rgba(color, 0.18), line={"width": 0}, mode="lines", hoverinfo="skip",
        showlegend=False,
    )  # fmt: skip


def _line(
    group: Group, kind: str, curve: Points, shared: dict[str, Any], color: str, symbol: str | None, view: View, in_legend: bool, unit: str
) -> go.Scatter:
    value = "%{y:.1f} %" if view.metric == "error" else "%{y:.3f}"
    where = {"iterations": "iteration %{x:,.0f}", "epochs": "epoch %{x:.2f}", "time": f"%{{x:.1f}} {unit}"}[view.x]
    marker = {"symbol": symbol or "circle", "size": 9 if kind == "test" else 7, "color": color, "maxdisplayed": 12}
    return go.Scatter(
        **shared,
        y=curve.y,
        mode="lines+markers" if symbol or len(curve) == 1 else "lines",
        line={**_LINES[kind], "color": color},
        marker=marker,
        showlegend=in_legend,
        meta=kind,
        hovertemplate=f"{shared['name']}, {kind} {view.metric}: <b>{value}</b><br>{where}<br>{conditions(group)}<extra></extra>",
    )


def _laid_out(figure: go.Figure, view: View, unit: str, dark: bool, entries: int) -> go.Figure:
    figure.update_layout(**style.layout(dark))
    x_title = {"iterations": "iterations", "epochs": "epochs", "time": f"training time ({unit})"}[view.x]
    y_title = "error (%)" if view.metric == "error" else "loss (cross-entropy)"
    key = " · ".join(_KEYS[kind] for kind in ("test", "training", "validation") if kind in view.kinds)
    legend: dict[str, Any] = {"title": {"text": f"<i>{key}</i>"}, "orientation": "v"}
    if entries <= 6:
        legend = {"title": {"text": f"<i>{key}</i>   "}, "orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
    figure.update_layout(
        legend=legend,
        showlegend=True,
        hovermode="closest",
        # Zoom and hidden curves survive new points, and start afresh with other axes.
        uirevision=f"{view.metric}/{view.x}/{view.log}",
    )
    figure.update_xaxes(title_text=x_title, rangemode="tozero")
    figure.update_yaxes(title_text=y_title + (", log scale" if view.log else ""), type="log" if view.log else "linear")
    return figure


def view_note(groups: Sequence[Group], view: View) -> str:
    """What the drawing itself adds to or takes from the records: the smoothing window, the spread; empty for neither."""
    parts = []
    if view.smoothing > 0:
        widths = sorted({window(group.config, view) for group in groups})
        size = f"{widths[0]:,.0f}" if len(widths) == 1 else f"{widths[0]:,.0f} to {widths[-1]:,.0f}" if widths else "0"
        parts.append(
            f"Moving mean over {size} iterations ({view.smoothing:.0%} of each run), centred; the raw curve stands faint behind it."
        )
    if view.seeds != "separate" and any(len(group.runs) > 1 for group in groups):
        band = "lowest to highest" if view.seeds == "range" else "± one standard deviation"
        parts.append(f"Lines are means over seeds, up to where every seed of a net has come; bands are {band}.")
    return " ".join(parts)
