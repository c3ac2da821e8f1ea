"""Figure 6 of He et al. 2016 from our own trainings: plain nets on the left, residual ones beside them, one y axis for both.

(The paper has them in the middle, and ResNet-110 with ResNet-1202 once more on its right.)

Training error is dashed, test error bold, depth goes by colour, and each net's name stands at the end of its curve. Of a net that was
trained with several seeds the curves are means, and a band goes from the lowest test error to the highest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from resnet_core import paper
from resnet_core.architectures import ModelConfig, ResNetConfig
from resnet_core.config import RunConfig
from resnet_core.figures import end_names, style
from resnet_core.figures.series import Points, RunRecords, decimate, final_errors, mean_over_runs, points, smoothed
from resnet_core.language import mark, tr
from resnet_core.verdict import trained_alike, without_seed

#: The nets of the figure, by depth.
DEPTHS = (20, 32, 44, 56, 110)
#: The y axis goes from 0 to at least this, as in the paper; in percent.
_TOP = 20.0
#: A net that ends above this is not drawn into the other curves: the paper leaves plain-110 out. Its name stands at the top.
_OFF = 40.0
#: The free part above the highest end, as a part of the height.
_HEADROOM = 0.08
#: Between the panels, as a part of the width: the names at the ends of the left one's curves stand there.
_GAP = 0.115
_AXES = ({"xaxis": "x", "yaxis": "y"}, {"xaxis": "x2", "yaxis": "y2"})
_TITLES = (mark("plain nets"), mark("residual nets"))
_KEY = mark("<b>━━</b> test\u2002╌╌ training")


def wanted() -> list[ModelConfig]:
    """The ten nets of the figure: plain and residual, in the order of their depths."""
    return [ResNetConfig(depth, shortcut) for shortcut in ("none", "A") for depth in DEPTHS]


def missing(runs: Iterable[RunRecords]) -> list[str]:
    """Names of the figure's nets that are not among the runs."""
    found = {run.config.model for run in runs}
    return [model.name for model in wanted() if model not in found]


def missing_text(runs: Iterable[RunRecords]) -> str:
    """``Missing: plain-32, ResNet-32.``; empty where all ten are there."""
    names = missing(runs)
    return tr("Missing: {names}.", names=", ".join(names)) if names else ""


def seeds_of(runs: Iterable[RunRecords]) -> list[list[RunRecords]]:
    """The figure's nets in its order, each with its seeds; of a net that was trained in several ways the one with the most of them."""
    ways: dict[ModelConfig, dict[RunConfig, dict[int, RunRecords]]] = {model: {} for model in wanted()}
    for run in runs:
        if run.config.model in ways:
            ways[run.config.model].setdefault(without_seed(run.config), {}).setdefault(run.config.recipe.seed, run)
    chosen = (max(found.values(), key=len) for found in ways.values() if found)
    return [[seeds[seed] for seed in sorted(seeds)] for seeds in chosen]


def seeds_text(runs: Iterable[RunRecords]) -> str:
    """What lines and bands are where a net has several seeds; empty where none has."""
    several = any(len(seeds) > 1 for seeds in seeds_of(runs))
    return tr("Of several seeds the curves are means, and a band goes from the lowest test error to the highest.") if several else ""


def epoch(run: RunRecords) -> float:
    """Iterations in an epoch of this run: the window of the moving mean of its training error."""
    return run.config.data.train_images / run.config.recipe.batch_size


#: Epochs at which ``gap_over_time`` looks.
_EPOCHS = (5, 20)


def gap_over_time(runs: Sequence[RunRecords]) -> str:
    """How far apart plain-20 and plain-56 are in training error early, late and at the end, as two sentences; empty without both.

    Of the lowest seed that both have.
    """
    by_depth = [{r.config.recipe.seed: r for r in runs if r.config.model == ResNetConfig(depth, "none")} for depth in (20, 56)]
    seed = min(by_depth[0].keys() & by_depth[1].keys(), default=None)
    short, long = (by_depth[0][seed], by_depth[1][seed]) if seed is not None else (None, None)
    if short is None or long is None or trained_alike(short.config) != trained_alike(long.config):
        return ""
    shallow, deep = ([r for r in run.records if r["kind"] == "train" and r.get("train_error") is not None] for run in (short, long))
    if not shallow or [r["iteration"] for r in shallow] != [r["iteration"] for r in deep]:
        return ""

    def apart(when: float) -> float:
        ends = [r["iteration"] / epoch(short) for r in shallow]
        near = [i for i, end in enumerate(ends) if when - 1 < end <= when] or [min(range(len(ends)), key=lambda i: abs(ends[i] - when))]
        return sum(deep[i]["train_error"] - shallow[i]["train_error"] for i in near) / len(near)

    last = shallow[-1]["iteration"] / epoch(short)
    if last < max(_EPOCHS) + 1:
        return ""
    at = ", ".join(tr("{apart:.0f} points after {when:.0f} epochs", apart=apart(when), when=when) for when in (*_EPOCHS, last))
    return tr(
        "A short schedule enlarges the gap: plain-56 is above plain-20 by {at}. The paper's Figure 6, at full length, has less.", at=at
    )


def _worst(run: RunRecords) -> float:
    """The higher one of its final errors, in percent; 0 before it has any."""
    return max((error for error in final_errors(run) if error is not None), default=0.0)


def off_the_picture(runs: Iterable[RunRecords]) -> list[RunRecords]:
    """The runs whose training or test error ends too high to be drawn with the others."""
    return [run for run in runs if _worst(run) > _OFF]


def top_of_axis(runs: Sequence[RunRecords]) -> float:
    """Percent: 20 as in the paper, or a multiple of 5 that leaves room above every end that is drawn."""
    highest = max((worst for run in runs if (worst := _worst(run)) <= _OFF), default=0.0)
    return max(_TOP, 5 * math.ceil(highest * (1 + _HEADROOM) / 5))


def figure6(runs: Sequence[RunRecords], dark: bool = False, font_size: int = 16) -> go.Figure:
    """Both panels; nets that the figure does not have are left out.

    Training error is a moving mean over one epoch. Vertical lines mark where the learning rate drops.
    """
    nets = seeds_of(runs)
    drawn = [run for seeds in nets for run in seeds]
    panels = [[seeds for seeds in nets if seeds[0].config.model.is_plain is plain] for plain in (True, False)]
    top = top_of_axis(drawn)
    length = max((run.config.recipe.iterations for run in drawn), default=0)
    traces = []
    for axes, panel in zip(_AXES, panels, strict=True):
        traces += [trace | axes for seeds in panel for trace in _curves(seeds, dark)]
        traces += [trace | axes for trace in _names(panel, top, length, dark)]
        if not panel:
            traces.append({"type": "scatter", "x": [None], "y": [None], "hoverinfo": "skip"} | axes)  # axes without any trace are not drawn
    # In one step and of plain values: plotly's own subplots and lines take some ten times as long, and this is on the front page.
    return go.Figure(traces, _layout([[run for seeds in panel for run in seeds] for panel in panels], top, length, dark, font_size))


def _test(seeds: Sequence[RunRecords]) -> Points:
    return mean_over_runs([points(run.records, "error", "test") for run in seeds], "range")


def _curves(seeds: Sequence[RunRecords], dark: bool) -> list[dict[str, Any]]:
    """The dashed training and the bold test curve of one net, and the band of several seeds behind them. Where the training curve of one
    seed is a mean, the hover text has the record too.
    """
    model, key = seeds[0].config.model, "-".join(run.run_id for run in seeds)
    color = style.net_color(model, dark)
    train = decimate(mean_over_runs([smoothed(points(run.records, "error", "training"), epoch(run)) for run in seeds], "range"))
    test = decimate(_test(seeds))
    single = "averaged" if train.raw is not None else "training"
    traces: list[dict[str, Any]] = []
    if test.low is not None and test.high is not None:
        traces.append({
            "type": "scatter", "uid": f"figure6-{key}-band", "x": np.concatenate([test.iteration, test.iteration[::-1]]), "mode": "lines",
            "y": np.concatenate([test.high, test.low[::-1]]), "fill": "toself", "fillcolor": style.rgba(color, 0.18),
            "line": {"width": 0}, "hoverinfo": "skip",
        })  # fmt: skip
    for kind, curve, line, hover in (
        ("training", train, style.TRAIN_LINE, single if len(seeds) == 1 else "seeds training"),
        ("test", test, style.TEST_LINE, "test" if len(seeds) == 1 else "seeds test"),
    ):
        record = curve.y if curve.raw is None else curve.raw
        traces.append({
            "type": "scatter", "uid": f"figure6-{key}-{kind}", "name": model.name, "mode": "lines", "meta": kind,
            "x": curve.iteration, "y": curve.y, "line": {**line, "color": color},
            "customdata": record if curve.low is None or curve.high is None else np.stack([curve.low, curve.high], axis=1),
            "hovertemplate": f"{tr(_HOVER[hover], name=model.name, count=len(seeds))}<extra></extra>",
        })  # fmt: skip
    return traces


_HOVER = {
    "training": mark("{name}: training error <b>%{{customdata:.2f}} %</b><br>iteration %{{x:,.0f}}"),
    "averaged": mark("{name}: training error <b>%{{customdata:.2f}} %</b><br>iteration %{{x:,.0f}}<br>mean over one epoch: %{{y:.2f}} %"),
    "test": mark("{name}: test error <b>%{{customdata:.2f}} %</b><br>iteration %{{x:,.0f}}"),
    "seeds training": mark(
        "{name}: training error <b>%{{y:.2f}} %</b>, mean over one epoch and {count} seeds<br>"
        "from %{{customdata[0]:.2f}} to %{{customdata[1]:.2f}} %<br>iteration %{{x:,.0f}}"
    ),
    "seeds test": mark(
        "{name}: test error <b>%{{y:.2f}} %</b>, mean of {count} seeds<br>"
        "from %{{customdata[0]:.2f}} to %{{customdata[1]:.2f}} %<br>iteration %{{x:,.0f}}"
    ),
}


def _names(nets: Sequence[Sequence[RunRecords]], top: float, length: float, dark: bool) -> list[dict[str, Any]]:
    """The nets' names to the right of where their test curves end; none of those above the picture."""
    high = off_the_picture(run for seeds in nets for run in seeds)
    ends = []
    for seeds in nets:
        test = _test(seeds)
        if not any(run in high for run in seeds) and len(test) and np.isfinite(test.y[-1]):
            ends.append((seeds[0], test.iteration[-1], test.y[-1]))
    placed: Iterable[float] = end_names.heights([y for _, _, y in ends], 0, top) if ends else []
    return [
        {
            "uid": f"figure6-{run.run_id}-label",
            **end_names.end_name(
                (x, end), (x + end_names.ROOM * length, y), run.config.model.name, style.net_color(run.config.model, dark)
            ),
        }
        for (run, x, end), y in zip(ends, placed, strict=True)
    ]


def _layout(panels: Sequence[Sequence[RunRecords]], top: float, length: int, dark: bool, font_size: int) -> dict[str, Any]:
    base = style.layout(dark, font_size)
    # In full the numbers would run into each other where the panels meet.
    ticks = {"tickvals": [length * i / 4 for i in range(5)], "ticktext": [_thousands(length * i / 4) for i in range(5)]} if length else {}
    x = {**base["xaxis"], "title": {"text": tr("iterations"), "standoff": 4}, "range": [0, (1 + end_names.ROOM) * (length or 1)], **ticks}
    y = {**base["yaxis"], "range": [0, top]}
    shapes, annotations = [], []
    for axes, title, panel in zip(_AXES, _TITLES, panels, strict=True):
        horizontal, vertical = axes["xaxis"], axes["yaxis"]
        shared = {
            "xref": f"{horizontal} domain",
            "yref": f"{vertical} domain",
            "showarrow": False,
            "yanchor": "bottom",
        }
        annotations.append({**shared, "text": f"<b>{title}</b>", "x": 0, "xanchor": "left", "y": 1, "font": {"size": font_size + 1}})
        annotations.append({**shared, "text": tr(_KEY), "x": 1, "xanchor": "right", "y": 1})
        drops = {(m * r.iterations, r.gamma) for r in (run.config.recipe for run in panel) if r.schedule == "step" for m in r.milestones}
        line = {"dash": "dot", "width": 1, "color": style.MUTED[dark]}
        upright = {
            "type": "line",
            "xref": horizontal,
            "yref": f"{vertical} domain",
            "y0": 0,
            "y1": 1,
            "line": line,
            "layer": "below",
        }
        shapes += [{**upright, "x0": iteration, "x1": iteration} for iteration, _ in sorted(drops)]
        # Low on the left: no net has so small an error before the rate drops for the first time.
        factors = sorted({gamma for _, gamma in drops})
        notes = [(tr("dotted: learning rate divided by {gamma:.0f}", gamma=1 / gamma), style.MUTED[dark]) for gamma in factors]
        notes += [
            (
                tr("<b>{name}</b> ends at {worst:.0f} %,<br>above the picture", name=run.config.model.name, worst=_worst(run)),
                style.net_color(run.config.model, dark),
            )
            for run in {run.config.model: run for run in sorted(off_the_picture(panel), key=_worst)}.values()
        ]
        for row, (text, color) in enumerate(notes):
            place = {"x": 0.02, "xanchor": "left", "y": 0.02 + 0.08 * row, "align": "left"}
            annotations.append({**shared, **place, "text": text, "font": {"size": font_size - 2, "color": color}})
    return {
        **base,
        "margin": {"l": 60, "r": 92, "t": 34, "b": 52},
        "showlegend": False,
        "hovermode": "closest",
        "uirevision": "figure6",
        "xaxis": {**x, "domain": [0, 0.5 - _GAP / 2], "anchor": "y"},
        "xaxis2": {**x, "domain": [0.5 + _GAP / 2, 1], "anchor": "y2"},
        "yaxis": {**y, "anchor": "x", "title": {**y["title"], "text": tr("error (%)")}},
        "yaxis2": {**y, "anchor": "x2", "matches": "y", "showticklabels": False},
        "shapes": shapes,
        "annotations": annotations,
    }


def _thousands(iterations: float) -> str:
    return f"{iterations / 1000:g}k" if iterations >= 1000 else f"{iterations:g}"


#: What must be read with the picture beside its conditions.
NOTE = mark(
    "Training error of augmented batches as seen, a mean over one epoch. The paper's own Figure 6 is of its full schedule; its "
    "{name} {note}.",
    name=paper.PLAIN_110.name,
    note=paper.PLAIN_110.note,
)
