"""Figure 6 of He et al. 2016 from our own trainings: plain nets on the left, residual ones on the right, one y axis for both.

Training error is dashed, test error bold, depth goes by colour, and each net's name stands at the end of its curve.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from resnet_core import paper
from resnet_core.config import ModelConfig
from resnet_core.figures import style
from resnet_core.figures.series import RunRecords, decimate, final_errors, points, smoothed, spread_out

#: The nets of the figure, by depth.
DEPTHS = (20, 32, 44, 56, 110)
#: The y axis goes from 0 to at least this, as in the paper; in percent.
_TOP = 20.0
#: A net that ends above this is not drawn into the other curves: the paper leaves plain-110 out. Its name stands at the top.
_OFF = 40.0
#: Distance of two names, and the free part above the highest end, as parts of the height.
_LABEL_GAP, _HEADROOM = 0.075, 0.08
_TITLES = ("plain nets", "residual nets (option A)")
_KEY = "<b>━━</b> test error\u2003╌╌ training error"


def wanted() -> list[ModelConfig]:
    """The ten nets of the figure: plain and residual, in the order of their depths."""
    return [ModelConfig(depth, shortcut) for shortcut in ("none", "A") for depth in DEPTHS]


def missing(runs: Iterable[RunRecords]) -> list[str]:
    """Names of the figure's nets that are not among the runs."""
    found = {run.config.model for run in runs}
    return [model.name for model in wanted() if model not in found]


def missing_text(runs: Iterable[RunRecords]) -> str:
    """``Not yet trained: plain-32, ResNet-32.``; empty where all ten are there."""
    names = missing(runs)
    return f"Not yet trained: {', '.join(names)}." if names else ""


def epoch(run: RunRecords) -> float:
    """Iterations in an epoch of this run: the window of the moving mean of its training error."""
    return run.config.data.train_images / run.config.recipe.batch_size


def off_the_picture(runs: Iterable[RunRecords]) -> list[RunRecords]:
    """The runs whose training or test error ends too high to be drawn with the others."""
    return [run for run in runs if max((e for e in final_errors(run) if e is not None), default=0.0) > _OFF]


def top_of_axis(runs: Sequence[RunRecords]) -> float:
    """Percent: 20 as in the paper, or a multiple of 5 that leaves room above every end that is drawn."""
    high = off_the_picture(runs)
    ends = [error for run in runs if run not in high for error in final_errors(run) if error is not None]
    return max(_TOP, 5 * math.ceil(max(ends, default=0.0) * (1 + _HEADROOM) / 5))


def figure6(runs: Sequence[RunRecords], dark: bool = False, font_size: int = 16) -> go.Figure:
    """Both panels; nets that the figure does not have are left out.

    Training error is a moving mean over one epoch. Vertical lines mark where the learning rate drops.
    """
    nets = wanted()
    drawn = sorted((run for run in runs if run.config.model in nets), key=lambda run: nets.index(run.config.model))
    top = top_of_axis(drawn)
    made = make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.115)
    length = max((run.config.recipe.iterations for run in drawn), default=0)
    for column, plain in ((1, True), (2, False)):
        panel = [run for run in drawn if run.config.model.is_plain is plain]
        for run in panel:
            made.add_traces(_curves(run, dark), rows=1, cols=column)
        made.add_traces(_names(panel, top, dark), rows=1, cols=column)
    _lay_out(made, drawn, top, length, dark, font_size)
    return made


def _curves(run: RunRecords, dark: bool) -> list[go.Scatter]:
    """The dashed training and the bold test curve of one net."""
    color = style.net_color(run.config.model, dark)
    train = decimate(smoothed(points(run.records, "error", "training"), epoch(run)))
    test = decimate(points(run.records, "error", "test"))
    return [
        go.Scatter(
            uid=f"figure6-{run.run_id}-{kind}", legendgroup=run.run_id, name=run.config.model.name, showlegend=False, mode="lines",
            meta=kind, x=curve.iteration, y=curve.y, line={**line, "color": color},
            hovertemplate=f"{run.config.model.name}: {kind} error <b>%{{y:.1f}} %</b><br>iteration %{{x:,.0f}}<extra></extra>",
        )
        for kind, curve, line in (("training", train, style.TRAIN_LINE), ("test", test, style.TEST_LINE))
    ]  # fmt: skip


def _names(runs: Sequence[RunRecords], top: float, dark: bool) -> list[go.Scatter]:
    """The nets' names to the right of where their test curves end, moved apart; of those above the picture at its upper edge."""
    high = off_the_picture(runs)
    ends = []
    for run in runs:
        test = points(run.records, "error", "test")
        if run not in high and len(test) and np.isfinite(test.y[-1]):
            ends.append((run, test.iteration[-1], test.y[-1]))
    placed = spread_out(np.array([y for _, _, y in ends]), _LABEL_GAP * top) if ends else []
    return [
        go.Scatter(
            uid=f"figure6-{run.run_id}-label", x=[x], y=[y], mode="text", text=[f"\u2009<b>{run.config.model.name}</b>"], showlegend=False,
            textposition="middle right", textfont={"color": style.net_color(run.config.model, dark)}, cliponaxis=False, hoverinfo="skip",
        )
        for (run, x, _), y in zip(ends, placed, strict=True)
    ]  # fmt: skip


def _lay_out(made: go.Figure, runs: Sequence[RunRecords], top: float, length: int, dark: bool, font_size: int) -> None:
    base = style.layout(dark, font_size)
    axes = {name: base.pop(name) for name in ("xaxis", "yaxis")}
    base["margin"] = {"l": 60, "r": 92, "t": 34, "b": 52}
    made.update_layout(**base, showlegend=False, hovermode="closest", uirevision="figure6")
    # Numbers of iterations in full would run into each other at the panels' edges.
    ticks = {"tickvals": [length * i / 4 for i in range(5)], "ticktext": [_thousands(length * i / 4) for i in range(5)]} if length else {}
    made.update_xaxes(**{**axes["xaxis"], "title": {"text": "iterations", "standoff": 4}}, range=[0, length or 1], **ticks)
    made.update_yaxes(**axes["yaxis"], range=[0, top])
    made.update_yaxes(title_text="error (%)", col=1)
    for column, (x, title) in enumerate(zip(("x", "x2"), _TITLES, strict=True), start=1):
        domain = made.layout[x.replace("x", "xaxis")].domain
        made.add_annotation(
            text=f"<b>{title}</b>", xref="paper", yref="paper", x=domain[0], y=1, xanchor="left", yanchor="bottom", showarrow=False,
            font={"size": font_size + 1},
        )  # fmt: skip
        panel = [run for run in runs if run.config.model.is_plain is (column == 1)]
        _mark_drops(made, panel, x, column, dark, font_size)
        for row, run in enumerate(off_the_picture(panel)):
            error = max(e for e in final_errors(run) if e is not None)
            made.add_annotation(
                text=f"<b>{run.config.model.name}</b> ends above the picture, at {error:.0f} %", showarrow=False,
                xref=f"{x} domain", x=0.98, xanchor="right", yref="y domain", y=0.99 - 0.08 * row, yanchor="top",
                font={"color": style.net_color(run.config.model, dark)},
            )  # fmt: skip
    right = made.layout.xaxis2.domain
    made.add_annotation(text=_KEY, xref="paper", yref="paper", x=right[1], y=1, xanchor="right", yanchor="bottom", showarrow=False)


def _mark_drops(made: go.Figure, panel: Sequence[RunRecords], x: str, column: int, dark: bool, font_size: int) -> None:
    """A dotted line where the rate is divided, once for all nets of the panel that were trained by one schedule."""
    recipes = [run.config.recipe for run in panel if run.config.recipe.schedule == "step"]
    drops = {(milestone * recipe.iterations, 1 / recipe.gamma) for recipe in recipes for milestone in recipe.milestones}
    for iteration, factor in sorted(drops):
        made.add_vline(iteration, row=1, col=column, line={"dash": "dot", "width": 1, "color": style.MUTED[dark]}, layer="below")
        made.add_annotation(
            text=f"rate ÷ {factor:.0f}", showarrow=False, textangle=-90, font={"size": font_size - 3, "color": style.MUTED[dark]},
            xref=x, x=iteration, xanchor="left", yref="paper", y=0.98, yanchor="top",
        )  # fmt: skip


def _thousands(iterations: float) -> str:
    return f"{iterations / 1000:g}k" if iterations >= 1000 else f"{iterations:g}"


def note(runs: Sequence[RunRecords]) -> str:
    """What must be read with the picture beside its conditions: the smoothing, and the paper's own."""
    above = " and ".join(run.config.model.name for run in off_the_picture(runs))
    left_out = f" {above} ends too high to be drawn with the others." if above else ""
    return (
        f"Training error of the augmented batches as seen, a moving mean over one epoch.{left_out} The paper's own Figure 6 is of the full "
        f"schedule; its {paper.PLAIN_110.name} {paper.PLAIN_110.note}."
    )
