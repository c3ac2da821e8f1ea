"""What a lecture's charts show at each moment of the trainings, as plain data for its script."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from resnet_core.figures.captions import grouped, labels
from resnet_core.figures.curves import View, learning_curves
from resnet_core.figures.lines import Line, lines_figure
from resnet_core.figures.narrow import narrow_layout
from resnet_core.figures.series import RunRecords, run_curve
from resnet_core.language import mark, tr

#: Of trainings without records of their layers: the moments of the slider.
STEPS = 40
#: The part of a training that its training error is a moving mean over.
SMOOTHED = 0.05
#: Quantity of the layers -> heading, and the title of its axis.
LAYERS = {
    "response_std": (mark("Layer responses"), mark("standard deviation of the responses")),
    "gradient_norm": (mark("Gradients"), mark("gradient norm (L2, weights)")),
}
#: What differs between the figures for the two themes is everything but these.
_DATA = ("x", "y", "text", "customdata")


@dataclass(frozen=True)
class Chart:
    """A chart over the moments.

    Attributes:
        key: of its element; title: its heading.
        head: of its table; rows: first cells of the rows; cells: (moments, rows, columns) as text.
        figure: for the script: traces, what each theme puts over them, layouts, and of the layers ``y`` of each moment.
    """

    key: str
    title: str
    head: tuple[str, ...]
    rows: tuple[str, ...]
    cells: list[list[list[str]]]
    figure: dict[str, Any]


def moments(runs: Sequence[RunRecords]) -> list[int]:
    """The iterations that the slider stops at: those at which some training's layers were recorded, else even steps."""
    found = {record["iteration"] for run in runs for record in run.records if record["kind"] == "layers"}
    last = max(record["iteration"] for run in runs for record in run.records)
    return sorted(found or {round(last * step / STEPS) for step in range(STEPS + 1)})


def charts(runs: Sequence[RunRecords], at: Sequence[int]) -> list[Chart]:
    """The learning curves, and responses and gradients of the layers where they were recorded."""
    ordered = [group.runs[0] for group in grouped(runs)]
    names = labels(grouped(runs))
    found = [_curves(ordered, names, at)]
    for quantity in LAYERS:
        having = [(run, name) for run, name in zip(ordered, names, strict=True) if _layers(run, quantity)]
        if having:
            found.append(_of_layers(quantity, [run for run, _ in having], [name for _, name in having], at))
    return found


def _curves(runs: Sequence[RunRecords], names: Sequence[str], at: Sequence[int]) -> Chart:
    view = View(smoothing=SMOOTHED)
    columns = []
    for run in runs:
        training = run_curve(run, "error", "training", SMOOTHED * run.config.recipe.iterations)
        tests = run_curve(run, "error", "test")
        columns.append([(_before(curve.iteration, curve.y, i), _before(tests.iteration, tests.y, i)) for curve in (training,) for i in at])
    cells = [[[_percent(value) for value in column[i]] for column in columns] for i in range(len(at))]
    head = (tr("net"), tr("training error (%)"), tr("test error (%)"))
    return Chart(
        "curves",
        tr("Learning curves"),
        head,
        tuple(names),
        cells,
        _payload(lambda dark: learning_curves(runs, view, dark)) | {"line": True},
    )


def _before(x: np.ndarray, y: np.ndarray, iteration: int) -> float:
    """The last value up to an iteration; NaN before the first."""
    index = int(np.searchsorted(x, iteration, side="right")) - 1
    return float(y[index]) if index >= 0 else math.nan


def _percent(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "–"


def _layers(run: RunRecords, quantity: str) -> dict[int, list[float | None]]:
    return {record["iteration"]: record[quantity] for record in run.records if record["kind"] == "layers" and quantity in record}


def _of_layers(quantity: str, runs: Sequence[RunRecords], names: Sequence[str], at: Sequence[int]) -> Chart:
    title, y_title = LAYERS[quantity]
    rows = [_layers(run, quantity) for run in runs]
    # At each moment the newest snapshot up to it, or the first one.
    snapshots = [
        [[_number(value) for value in row[max((i for i in row if i <= moment), default=min(row))]] for row in rows] for moment in at
    ]
    lines = [
        Line(run.run_id, name, run.config.model, np.arange(1, len(y) + 1), np.array(y))
        for run, name, y in zip(runs, names, snapshots[-1], strict=True)
    ]
    log = quantity == "gradient_norm"
    positive = [value for moment in snapshots for y in moment for value in y if math.isfinite(value) and (value > 0 or not log)]
    high, low = max(positive, default=1.0), min(positive, default=0.1)
    span = [math.log10(low) - 0.1, math.log10(high) + 0.1] if log else [0, 1.05 * high]

    def figure(dark: bool) -> go.Figure:
        made = lines_figure(lines, tr("layer, from the image on"), tr(y_title), dark, log=log)
        return made.update_yaxes(range=span, autorange=False)

    deepest = max(len(y) for y in snapshots[-1])
    cells = [
        [[f"{y[row]:.3g}" if row < len(y) and math.isfinite(y[row]) else "–" for y in moment] for row in range(deepest)]
        for moment in snapshots
    ]
    ys = [[[value if math.isfinite(value) and (value > 0 or not log) else None for value in y] for y in moment] for moment in snapshots]
    numbers = tuple(str(row + 1) for row in range(deepest))
    return Chart(quantity, tr(title), (tr("layer"), *names), numbers, cells, _payload(figure) | {"ys": ys})


def _number(value: float | None) -> float:
    """To four digits: more are not seen."""
    return math.nan if value is None else float(f"{value:.4g}")


def _payload(make: Callable[[bool], go.Figure]) -> dict[str, Any]:
    """A figure for both themes and for a narrow window as plain JSON values; the data are there once."""
    figures = {"light": json.loads(make(False).to_json()), "dark": json.loads(make(True).to_json())}
    narrow = {theme: narrow_layout(figure) for theme, figure in figures.items()}
    looks = {
        theme: [{name: value for name, value in trace.items() if name not in _DATA} for trace in each["data"]]
        for theme, each in figures.items()
    }
    data = [{name: value for name, value in trace.items() if name in _DATA} for trace in figures["light"]["data"]]
    return {"data": data, "looks": looks, "layouts": {theme: each["layout"] for theme, each in figures.items()}, "narrow": narrow}
