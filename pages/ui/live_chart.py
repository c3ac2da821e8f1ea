"""The live chart: training and test error of several runs as they grow, in a component that keeps the viewer's zoom and hidden curves.

``st.plotly_chart`` is mounted anew whenever its data change (Streamlit 1.67), which throws both away and flickers. This component stays
mounted under its key, and hands new data to ``Plotly.react`` with a constant ``uirevision``. plotly.min.js itself never travels in a
message: the browser fetches it once from the app (``plotly_js``). Lines are SVG, as browsers allow few WebGL contexts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from pages.ui import plotly_js
from pages.ui.labels import curve_names
from resnet_core.figures import series, style

#: Training error is smoothed by a moving mean over this part of the run; the caption says so.
SMOOTHED_PART = 1 / 20
#: Points a curve. More cannot be told apart on a screen.
MOST_POINTS = 1000
#: Labels at the ends of two curves that are nearer than this (percentage points) are moved apart.
_LABEL_GAP = 4.0
#: Pixels: that of the page around it.
_FONT_SIZE = 16

CAPTION = (
    "Dashed: training error of the augmented batches as seen, a moving mean over a twentieth of the run (unsmoothed: faint). "
    "Bold: test error. Drag to zoom, double-click to see all again; click a name in the legend to hide its curves."
)

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "resnet_lab_live_chart",
    css=(_HERE / "live_chart.css").read_text(encoding="utf-8"),
    js=(_HERE / "live_chart.js").read_text(encoding="utf-8"),
    isolate_styles=False,  # Plotly puts its style rules into the document, where a shadow root would not see them
)


def live_chart(runs: Sequence[series.RunRecords], key: str, note: str = "") -> None:
    """Draws the runs, or updates the chart that stands under ``key``.

    Args:
        runs: in the order of the legend.
        key: the chart's identity; while it stays, zoom and hidden curves stay.
        note: shown in the middle of the chart as long as no run has a point.

    Raises:
        UserError: plotly.min.js cannot be put where the app serves it from.
    """
    _component(key=key, data={"plotly": plotly_js.publish(), **payload(runs, note)}, height="content")


def payload(runs: Sequence[series.RunRecords], note: str = "") -> dict[str, Any]:
    """What the component draws, as plain JSON values: curves with colours for both themes, axes, layouts of both themes."""
    names = curve_names(runs)
    curves = [curve for run, name in zip(runs, names, strict=True) for curve in _curves(run, name)]
    place_labels(curves)
    drawn = any(curve["x"] for curve in curves)
    return {
        "curves": curves,
        "note": "" if drawn else note,
        "x": {"title": "iteration", "include": [0, max((run.config.recipe.iterations for run in runs), default=1)]},
        "y": {"title": "error (%)"},
        "label_width": max((len(name) for name in names), default=0),
        "layouts": {"light": style.layout(dark=False, font_size=_FONT_SIZE), "dark": style.layout(dark=True, font_size=_FONT_SIZE)},
    }


def _curves(run: series.RunRecords, name: str) -> list[dict[str, Any]]:
    """Three curves a run, also while they are empty, so that a hidden net stays hidden when its first test comes in."""
    model = run.config.model
    color = {"light": style.net_color(model, dark=False), "dark": style.net_color(model, dark=True)}
    window = run.config.recipe.iterations * SMOOTHED_PART
    train = series.decimate(series.smoothed(series.points(run.records, "error", "training"), window), MOST_POINTS)
    test = series.decimate(series.points(run.records, "error", "test"), MOST_POINTS)
    # A net's first test error comes a twentieth into the run; until then its name stands at its training error.
    labelled = "test" if len(test) else "train"
    made = []
    for kind, points, y, line in (
        ("raw", train, train.raw, {"dash": "solid", "width": 1}),
        ("train", train, train.y, style.TRAIN_LINE),
        ("test", test, test.y, style.TEST_LINE),
    ):
        made.append(
            {
                "uid": f"{run.run_id}/{kind}",
                "group": run.run_id,
                "kind": kind,
                "name": name,
                "x": [] if y is None else _plain(points.iteration, 0),
                "y": [] if y is None else _plain(y, 2),
                "line": dict(line),
                "color": color,
                "symbol": style.net_symbol(model) if kind == "test" else None,
                "label": name if kind == labelled else "",
                "label_position": "middle right",
            }
        )
    return made


def place_labels(curves: list[dict[str, Any]]) -> None:
    """Moves the labels of curves that end close to each other: the upper one up, the lower one down."""
    ends = [(_last(c), c) for c in curves if c["label"] and c["x"]]
    ends.sort(key=lambda end: end[0][1])
    for (low, lower), (high, upper) in zip(ends, ends[1:], strict=False):
        if high[1] - low[1] < _LABEL_GAP and high[0] == low[0]:
            lower["label_position"], upper["label_position"] = "bottom right", "top right"


def _last(curve: dict[str, Any]) -> tuple[float, float]:
    return curve["x"][-1], next((y for y in reversed(curve["y"]) if y is not None), 0.0)


def _plain(values: np.ndarray, digits: int) -> list[float | int | None]:
    """JSON has no NaN: a gap is null."""
    return [None if math.isnan(v) else (int(v) if digits == 0 else round(v, digits)) for v in values.tolist()]
