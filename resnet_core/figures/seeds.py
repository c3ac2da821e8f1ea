"""Charts of many seeds: one's own curves before those of all, a dot a seed, and the power of the sign test by the number of seeds."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from resnet_core.architectures import ModelConfig, ResNetConfig
from resnet_core.figures import style
from resnet_core.figures.responses import two_panels
from resnet_core.figures.series import Points, RunRecords, mean_over_runs, run_curve
from resnet_core.language import mark, tr

HEIGHT, GAPS_HEIGHT = 460, 400
#: The curve of the power is of no net: it has the hue of residual ones.
_ANY = ResNetConfig(20, "A")
_TITLES = (mark("<b>Plain nets</b>"), mark("<b>Residual nets</b>"))
#: Of the training error: a moving mean over this part of a training.
SMOOTHED = 0.05
#: Height that the dots of a row take at most, and of one more dot, where rows are 1 apart.
_ROW, _STEP = 0.8, 0.07


@dataclass(frozen=True, eq=False)
class ClassCurves:
    """The training errors of one net with many seeds: their mean, with ``low`` and ``high`` of all of them, and each seed's own."""

    model: ModelConfig
    mean: Points
    own: dict[int, Points]


def class_curves(runs: Sequence[RunRecords]) -> list[ClassCurves]:
    """Smooth the curves, and take mean and range over the seeds, net by net; the same whoever looks."""
    by_net: dict[ModelConfig, dict[int, Points]] = {}
    for run in runs:
        smoothed = run_curve(run, "error", "training", SMOOTHED * run.config.recipe.iterations)
        by_net.setdefault(run.config.model, {})[run.config.recipe.seed] = smoothed
    return [ClassCurves(model, mean_over_runs(list(own.values()), "range"), own) for model, own in by_net.items()]


def class_figure(curves: Sequence[ClassCurves], seed: int, dark: bool = False) -> go.Figure:
    """Draw the training error of ``seed``'s nets before mean and range over all seeds: plain nets left, residual ones beside them."""
    figure = two_panels((tr(_TITLES[0]), tr(_TITLES[1])), dark)
    for each in curves:
        model, mean = each.model, each.mean
        column, color = (1 if model.is_plain else 2), style.net_color(model, dark)
        shared: dict[str, Any] = {"legendgroup": model.name, "mode": "lines"}
        if mean.low is not None and mean.high is not None:
            around = {"x": np.concatenate([mean.iteration, mean.iteration[::-1]]), "y": np.concatenate([mean.high, mean.low[::-1]])}
            fill = {"fill": "toself", "fillcolor": style.rgba(color, 0.18), "line": {"width": 0}, "hoverinfo": "skip"}
            figure.add_scatter(**around, **fill, **shared, uid=f"{model.name}-band", showlegend=False, row=1, col=column)
        figure.add_scatter(
            x=mean.iteration, y=mean.y, **shared, uid=f"{model.name}-mean", showlegend=False,
            name=tr("{net}, mean of {count} seeds", net=model.name, count=len(each.own)),
            line={"color": color, "width": 1.8, "dash": "5px,3px"},
            hovertemplate="%{fullData.name}: <b>%{y:.1f} %</b><extra></extra>", row=1, col=column,
        )  # fmt: skip
        if seed in each.own:
            curve = each.own[seed]
            figure.add_scatter(
                x=curve.iteration, y=curve.y, **shared, uid=f"{model.name}-own", name=model.name, line={"color": color, "width": 3.4},
                hovertemplate=tr("{net}, seed {seed}: <b>%{{y:.1f}} %</b><extra></extra>", net=model.name, seed=seed), row=1, col=column,
            )  # fmt: skip
    key = "\u2003".join((tr("<b>━━</b> seed {seed}", seed=seed), tr("╌╌ mean of all seeds"), tr("▒ lowest to highest")))
    figure.update_layout(legend_title={"text": key + "\u2003", "font": style.layout(dark)["font"]}, height=HEIGHT)
    figure.update_xaxes(title_text=tr("iteration"), rangemode="tozero")
    figure.update_yaxes(range=[0, 100])
    figure.update_yaxes(title_text=tr("training error (%)"), col=1)
    return figure


def gaps_figure(
    gaps: Mapping[tuple[ModelConfig, ModelConfig], Mapping[int, float]], error: str, seed: int, dark: bool = False
) -> go.Figure:
    """Draw a dot for each seed, at the points by which the deeper net ended above the shallower one; ``seed``'s is ringed.

    Args:
        gaps: (shallow, deep) -> seed -> points; a row each, the first at the top.
        error: which one, in words.
    """
    figure = go.Figure()
    spread = max([abs(gap) for row in gaps.values() for gap in row.values()] or [1.0]) or 1.0
    places = range(len(gaps) - 1, -1, -1)
    for place, ((_, deep), row) in zip(places, gaps.items(), strict=True):
        seeds = sorted(row, key=lambda each: (row[each], each))
        x, color = np.array([row[each] for each in seeds]), style.net_color(deep, dark)
        y = place + _stacked(x, 2 * spread / 40)
        figure.add_scatter(
            x=x, y=y, uid=deep.name, showlegend=False, mode="markers",
            marker={"color": style.rgba(color, 0.75), "size": 11, "line": {"color": style.BACKGROUNDS[dark], "width": 1}},
            customdata=seeds, hovertemplate=tr("seed %{customdata}: <b>%{x:+.1f} points</b><extra></extra>"),
        )  # fmt: skip
        figure.add_scatter(
            x=[x.mean()], y=[place - 0.46], uid=f"{deep.name}-mean", showlegend=False, mode="markers",
            marker={"color": color, "size": 13, "symbol": "triangle-up"}, hovertemplate=tr("mean: <b>%{x:+.1f} points</b><extra></extra>"),
        )  # fmt: skip
        if seed in row:
            at = seeds.index(seed)
            figure.add_scatter(
                x=[x[at]], y=[y[at]], uid=f"{deep.name}-own", name=tr("seed {seed}", seed=seed), showlegend=place == 0, mode="markers",
                marker={"color": style.TEXT[dark], "size": 18, "symbol": "circle-open", "line": {"width": 3}}, hoverinfo="skip",
            )  # fmt: skip
    figure.add_vline(0, line={"color": style.MUTED[dark], "dash": "dot", "width": 1.5})
    _lay_out(figure, dark, None, top=44)
    figure.update_layout(showlegend=True, height=GAPS_HEIGHT, margin_b=76)
    figure.update_xaxes(title_text=f"{html.escape(error)}<br>{tr('deeper minus shallower net (points)')}", zeroline=False)
    names = [f"{html.escape(deep.name)}<br>− {html.escape(shallow.name)}" for shallow, deep in gaps]
    figure.update_yaxes(tickvals=list(places), ticktext=names, range=[-0.6, len(names) - 0.5], showgrid=False, zeroline=False)
    return figure


def _stacked(x: np.ndarray, width: float) -> np.ndarray:
    """Heights around 0 for dots at ``x``, ascending, so that those of one interval of ``width`` stand above one another."""
    y = np.zeros(len(x))
    bins = np.floor(x / width + 0.5)
    most = max([int((bins == each).sum()) for each in set(bins)] or [1])
    step = min(_STEP, _ROW / most)
    for each in set(bins):
        found = np.flatnonzero(bins == each)
        y[found] = step * (np.arange(len(found)) - (len(found) - 1) / 2)
    return y


def power_figure(powers: Sequence[float], target: float, lasting: int, guess: float | None = None, dark: bool = False) -> go.Figure:
    """Draw the power of the sign test for 1, 2, ... seeds, and the number from which on it stays above ``target``."""
    figure, color = go.Figure(), style.net_color(_ANY, dark)
    figure.add_scatter(
        x=np.arange(1, len(powers) + 1), y=100 * np.array(powers), uid="power", name=tr("power"), mode="lines+markers",
        line={"color": color, "width": 2}, marker={"size": 6, "color": color},
        hovertemplate=tr("%{x} seeds: <b>%{y:.1f} %</b><extra></extra>"), showlegend=False,
    )  # fmt: skip
    muted = {"color": style.MUTED[dark], "size": 14}
    figure.add_hline(
        100 * target, line={"color": style.MUTED[dark], "dash": "dot", "width": 1.5},
        annotation={"text": tr("wanted: {target:.0f} %", target=100 * target), "font": muted, "x": 0.01, "xanchor": "left"},
    )  # fmt: skip
    marks = [(float(lasting), tr("{count} seeds", count=lasting), style.TEXT[dark], 0.02)]
    if guess is not None and 0 < guess <= len(powers):
        marks.append((guess, tr("your guess: {guess:g}", guess=guess), style.MUTED[dark], 0.14))
    for x, text, shade, y in marks:
        figure.add_vline(x, line={"color": shade, "dash": "dash", "width": 2})
        figure.add_annotation(
            x=x,
            y=y,
            yref="paper",
            yanchor="bottom",
            xanchor="left",
            xshift=5,
            text=text,
            showarrow=False,
            font={"color": shade, "size": 15},
        )
    _lay_out(figure, dark, tr("power (%)"), top=24)
    figure.update_xaxes(title_text=tr("number of seeds that differ"), range=[0, len(powers) + 0.5])
    figure.update_yaxes(range=[0, 103])
    return figure


def _lay_out(figure: go.Figure, dark: bool, y_title: str | None, top: int) -> None:
    base = style.layout(dark)
    axes = {name: base.pop(name) for name in ("xaxis", "yaxis")}
    figure.update_xaxes(**axes["xaxis"])
    figure.update_yaxes(**axes["yaxis"])
    if y_title:
        figure.update_yaxes(title_text=y_title)
    legend = {**base.pop("legend"), "orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"}
    margin = {**base.pop("margin"), "t": top}
    figure.update_layout(**base, legend=legend, margin=margin, height=HEIGHT, hovermode="closest", uirevision="viewer")
