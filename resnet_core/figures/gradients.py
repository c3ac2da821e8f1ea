"""Gradients layer by layer: over a training (heat map), at one moment (lines), and at initialisation with and without BN."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from resnet_core.csv_text import csv_text
from resnet_core.figures import style
from resnet_core.figures.heat import HEIGHT, heat_panels, place
from resnet_core.figures.responses import number_text, traced, two_panels
from resnet_core.language import mark, tr

WEIGHT_GRADIENT = mark("gradient norm (L2, weights)")
RESPONSE_GRADIENT = mark("gradient of the responses (root mean square)")
X_AXES = (mark("position"), mark("layer"))
#: What the records of a training tell of each layer, as it stands on the page and in the URL -> its name in charts.
QUANTITIES = {"|g|": WEIGHT_GRADIENT, "|w|": mark("weight norm (L2)"), "|g| / |w|": mark("gradient norm / weight norm")}
#: The colours of the heat maps span these percentiles: the few values at initialisation would use up the scale.
CLIPPED = (2, 98)


@dataclass(frozen=True, eq=False)
class GradientHistory:
    """Gradient norms of one training as plain data.

    Attributes:
        key, label, model, note: as in ``ResponseCurve``.
        names: of the L layers in order.
        iterations: (T,), ascending.
        norms: (T, L), of the gradients; NaN and inf where a training has diverged.
        weights: (T, L), norms of the layers' weights; None where they were not recorded.
    """

    key: str
    label: str
    model: Any
    names: Sequence[str]
    iterations: np.ndarray
    norms: np.ndarray
    note: str = ""
    weights: np.ndarray | None = None

    def of(self, quantity: str) -> np.ndarray:
        """(T, L), one of ``QUANTITIES``."""
        weights = np.full_like(self.norms, math.nan) if self.weights is None else self.weights
        with np.errstate(divide="ignore", invalid="ignore"):
            return {"|g|": self.norms, "|w|": weights, "|g| / |w|": self.norms / weights}[quantity]


@dataclass(frozen=True, eq=False)
class GradientCurve:
    """The gradients of one net at one moment; ``values``: (L,), in the layers' order. The rest as in ``ResponseCurve``."""

    key: str
    label: str
    model: Any
    names: Sequence[str]
    values: np.ndarray
    note: str = ""


@dataclass(frozen=True, eq=False)
class InitializationCurve:
    """The gradients of one net before its first update (see ``analysis.gradients.AtInitialization``); ``values``: (L,)."""

    model: Any
    batch_norm: bool
    seed: int
    names: Sequence[str]
    values: np.ndarray


def history(key: str, label: str, model: Any, records: Iterable[dict[str, Any]], note: str = "") -> GradientHistory | None:
    """The ``layers`` records of a training as a history, or None if it has none. The newest record of an iteration counts."""
    rows = {record["iteration"]: record for record in records if record["kind"] == "layers"}
    if not rows:
        return None
    iterations = sorted(rows)
    norms, weights = (
        np.array([[math.nan if value is None else float(value) for value in rows[i][name]] for i in iterations], dtype=float)
        if all(name in row for row in rows.values())
        else None
        for name in ("gradient_norm", "weight_norm")
    )
    assert norms is not None  # each of these rows has them
    return GradientHistory(key, label, model, rows[iterations[0]]["names"], np.array(iterations), norms, note, weights)


def at_iteration(one: GradientHistory, iteration: int, quantity: str = "|g|") -> tuple[int, np.ndarray]:
    """The snapshot nearest to ``iteration``: its own iteration, and (L,) values of the quantity."""
    nearest = int(np.argmin(np.abs(one.iterations - iteration)))
    return int(one.iterations[nearest]), one.of(quantity)[nearest]


def _positive(values: np.ndarray) -> np.ndarray:
    """What a logarithmic axis can show; NaN for the rest."""
    values = np.asarray(values, dtype=float)
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def decades(low: float, high: float) -> tuple[list[float], list[str]]:
    """Marks between two powers (log10) and their texts: powers of ten; with 2 and 5 between where there are few;
    both ends and the middle where there are none."""
    steps = (1, 2, 5) if high - low < 3 else (1,)
    every = max(1, math.ceil((high - low) / 8))
    marks = [
        (step, power)
        for power in range(math.floor(low), math.ceil(high) + 1)
        for step in steps
        if low <= math.log10(step) + power <= high and power % every == 0
    ]
    if len(marks) < 2:
        values = np.linspace(low, high, 3)
        return list(values), [f"{10**value:.3g}" for value in values]
    return [math.log10(step) + power for step, power in marks], [_mark(step, power) for step, power in marks]


def _mark(step: int, power: int) -> str:
    if -4 < power < 4:
        return f"{step * 10.0**power:.3g}"
    return f"{'' if step == 1 else f'{step}·'}10<sup>{power}</sup>".replace("-", "−")


def gradient_heatmap(
    histories: Sequence[GradientHistory], dark: bool = False, quantity: str = "|g|", iteration: int | None = None
) -> go.Figure:
    """Layer by iteration, one panel a net, two in a row, all to one logarithmic colour scale. The first layer is at the bottom.

    The scale spans the ``CLIPPED`` percentiles of all values; what lies beyond has the colour of its end.

    Args:
        quantity: one of ``QUANTITIES``.
        iteration: a moment to be marked, as chosen for ``gradient_lines``.
    """
    logs = [np.log10(_positive(one.of(quantity))) for one in histories]
    found = np.concatenate([values[np.isfinite(values)] for values in logs]) if logs else np.empty(0)
    low, high = map(float, np.percentile(found, CLIPPED)) if len(found) else (-1.0, 0.0)
    if high - low < 0.1:
        low, high = low - 0.05, high + 0.05
    maps = []
    for one, values in zip(histories, logs, strict=True):
        layers = np.arange(1, len(one.names) + 1)
        text = [[f"{name}<br>{_hover(value)}" for value in one.of(quantity)[:, i]] for i, name in enumerate(one.names)]
        hover = tr(
            "%{{fullData.name}}: layer %{{y}} of {layers}, %{{text}}<br>iteration %{{x:,}}{note}<extra></extra>",
            layers=len(layers),
            note=style.hover_note(one.note),
        )
        made = {"uid": f"{one.key}-heat", "x": one.iterations, "y": layers, "z": values.T, "text": text, "hovertemplate": hover}
        maps.append((one.label, made))
    marks, texts = decades(low, high)
    bar = {"title": tr(QUANTITIES[quantity]), "tickvals": marks, "ticktext": texts}
    figure = heat_panels(maps, tr("layer"), bar, dark, cmin=low, cmax=high)
    for index, one in enumerate(histories):
        if iteration is None:
            break
        row, column = place(index, len(histories))
        moment = at_iteration(one, iteration)[0]
        # White on black: one of them shows on any colour of the scale.
        figure.add_vline(x=moment, line={"color": "#000000", "width": 4}, row=row, col=column)
        figure.add_vline(x=moment, line={"color": "#ffffff", "width": 2}, row=row, col=column)
    return figure


def _hover(value: float) -> str:
    return f"<b>{value:.3g}</b>" if math.isfinite(value) else f"<b>{value}</b>"


def _places(count: int, x: str) -> np.ndarray:
    """Place the layers on the x axis: 1 to L, or from 0 (the first) to 1 (the last)."""
    if x not in X_AXES:
        raise ValueError(f"x {x!r} is not one of {X_AXES}")
    return np.linspace(0, 1, count) if x == "position" else np.arange(1, count + 1)


_X_TITLES = {"position": mark("position of the layer (0: the first, 1: the last)"), "layer": "layer"}


def gradient_lines(
    curves: Sequence[GradientCurve], dark: bool = False, x: str = "position", quantity: str = WEIGHT_GRADIENT, log: bool = True
) -> go.Figure:
    """The gradients of several nets at one moment, plain against residual; on a common axis from the first layer to the last."""
    base = style.layout(dark)
    figure = go.Figure()
    for curve, (color, symbol) in zip(curves, style.told_apart([curve.model for curve in curves], dark), strict=True):
        figure.add_trace(_line(curve.key, curve.label, curve.names, curve.values, curve.note, color, symbol, x, log))
    figure.update_layout(
        base,
        height=HEIGHT - 20,
        hovermode="closest",
        showlegend=True,
        legend={**base["legend"], "orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        uirevision="viewer",
    )
    figure.update_xaxes(title_text=tr(_X_TITLES[x]), uirevision=x)
    figure.update_yaxes(
        title_text=tr("{quantity}, log scale", quantity=quantity) if log else tr(quantity),
        rangemode="normal" if log else "tozero",
        uirevision=str(log),
        **_y_axis(log),
    )
    return figure


def _y_axis(log: bool) -> dict[str, Any]:
    return {"type": "log", "exponentformat": "power", "dtick": None} if log else {"type": "linear"}


def _line(
    key: str, label: str, names: Sequence[str], values: np.ndarray, note: str, color: str, symbol: str | None, x: str, log: bool
) -> go.Scatter:
    values = np.asarray(values, dtype=float)
    count = len(values)
    note = style.hover_note(note)
    return go.Scatter(
        **traced(key, "gradient", label, color, symbol, count),
        x=_places(count, x),
        y=_positive(values) if log else np.where(np.isfinite(values), values, np.nan),
        customdata=np.stack([np.asarray(names, dtype=object), np.arange(1, count + 1).astype(object)], axis=1),
        hovertemplate=tr(
            "%{{fullData.name}}: <b>%{{y:.3g}}</b><br>layer %{{customdata[1]}} of {count}, %{{customdata[0]}}{note}<extra></extra>",
            count=count,
            note=note,
        ),
        showlegend=True,
    )


def initialization_figure(
    curves: Sequence[InitializationCurve], dark: bool = False, x: str = "position", quantity: str = WEIGHT_GRADIENT, shared_y: bool = True
) -> go.Figure:
    """Before the first update: with BN on the left, without on the right. What overflows fp32 is named in its panel."""
    figure = two_panels((tr("<b>with BN</b>"), tr("<b>without BN</b>")), dark, shared_y=shared_y)
    models = list(dict.fromkeys(curve.model for curve in curves))
    looks = dict(zip(models, style.told_apart(models, dark), strict=True))
    named = set()
    for curve in curves:
        column = 1 if curve.batch_norm else 2
        name, (color, symbol) = curve.model.name, looks[curve.model]
        line = _line(name, name, curve.names, curve.values, tr("seed {seed}", seed=curve.seed), color, symbol, x, True)
        line.update(uid=f"{curve.model.name}-{column}", showlegend=curve.model not in named)
        named.add(curve.model)
        figure.add_trace(line, 1, column)
    for column, batch_norm in ((1, True), (2, False)):
        broken = [curve for curve in curves if curve.batch_norm == batch_norm and not np.isfinite(curve.values).all()]
        if broken:
            text = "<br>".join(f"{curve.model.name}: {overflow_text(curve.values)}" for curve in broken)
            figure.add_annotation(
                text=text, showarrow=False, align="left", x=0.02, y=0.98, xref="x domain", yref="y domain", xanchor="left", yanchor="top",
                bgcolor=style.BACKGROUNDS[dark], font={"size": 14, "color": style.TEXT[dark]}, row=1, col=column,
            )  # fmt: skip
    figure.update_xaxes(title_text=tr(_X_TITLES[x]), uirevision=x)
    figure.update_yaxes(uirevision="log", **_y_axis(True))
    figure.update_yaxes(title_text=tr("{quantity}, log scale", quantity=quantity), col=1)
    return figure


def overflow_text(values: np.ndarray) -> str:
    """``overflows fp32 in 12 of 109 layers``."""
    bad = int((~np.isfinite(np.asarray(values, dtype=float))).sum())
    if bad == len(values):
        return tr("overflows fp32 in all {layers:,} layers", layers=bad)
    return tr("overflows fp32 in {bad:,} of {layers:,} layers", bad=bad, layers=len(values))


def history_csv(histories: Sequence[GradientHistory]) -> str:
    """A row a net, iteration and layer."""
    rows = []
    for one in histories:
        for iteration, norms, weights in zip(one.iterations, one.norms, one.of("|w|"), strict=True):
            for i, (name, norm, weight) in enumerate(zip(one.names, norms, weights, strict=True)):
                values = (number_text(norm), number_text(weight))
                rows.append((one.model.name, one.label, int(iteration), i + 1, name, *values, one.note))
    return csv_text(("net", "label", "iteration", "layer", "name", "gradient_norm", "weight_norm", "conditions"), rows)


def gradients_csv(curves: Sequence[GradientCurve], column: str = "gradient_norm") -> str:
    """A row a net and layer; ``column`` is the name of the quantity."""
    rows = []
    for curve in curves:
        for i, (name, value) in enumerate(zip(curve.names, curve.values, strict=True)):
            rows.append((curve.model.name, curve.label, i + 1, name, number_text(value), curve.note))
    return csv_text(("net", "label", "layer", "name", column, "conditions"), rows)


def initialization_csv(curves: Sequence[InitializationCurve], column: str = "gradient_norm") -> str:
    """A row a net, BN and layer; overflow is ``inf`` or ``nan``."""
    rows = []
    for curve in curves:
        for i, (name, value) in enumerate(zip(curve.names, curve.values, strict=True)):
            rows.append((curve.model.name, curve.model.depth, curve.batch_norm, curve.seed, i + 1, name, number_text(value)))
    return csv_text(("net", "depth", "batch_norm", "seed", "layer", "name", column), rows)
