"""The live chart: training and test error of several runs as they grow, in a component that keeps the viewer's zoom and hidden curves.

``st.plotly_chart`` is mounted anew whenever its data change (Streamlit 1.67), which throws both away and flickers. This component stays
mounted under its key, and hands new data to ``Plotly.react`` with a constant ``uirevision``. plotly.min.js itself never travels in a
message: the browser fetches it once from the app (``plotly_js``). Lines are SVG, as browsers allow few WebGL contexts.

What is sent each second is made without plotly's own Python objects, which take some fifteen times as long: the trainings run on the same
processor. ``figure_chart`` shows any plotly figure in the same component.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from pages.ui import alternative, embedded, plotly_js
from pages.ui.labels import curve_names
from resnet_core.figures import end_names, series, style
from resnet_core.language import mark, tr

#: Training error is smoothed by a moving mean over this part of the run; the caption says so.
SMOOTHED_PART = 1 / 20
#: Points a curve. More cannot be told apart on a screen.
MOST_POINTS = 1000
#: No names at the ends of more curves than this, nor longer ones: the legend has them.
_MOST_LABELS, _LONGEST_LABEL = 10, 26
#: Percentage points above the highest and below the lowest curve.
_ROOM = 4.0
#: Percentage points that the y axis spans at least.
_NARROWEST = 40.0
#: Pixels: that of the page around it.
_FONT_SIZE = 16

CAPTION = mark(
    "Dashed: training error of the batches as they were trained on, a moving mean over a twentieth of "
    "the run (unsmoothed: faint). Bold: test error, as recorded. The pointer shows the records. Drag to "
    "zoom, double-click to see all again; click a name in the legend to hide its curves."
)

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "resnet_lab_live_chart",
    css=(_HERE / "live_chart.css").read_text(encoding="utf-8"),
    js="".join((_HERE / name).read_text(encoding="utf-8") for name in ("chart_table.js", "live_chart.js")),
    isolate_styles=False,  # Plotly puts its style rules into the document, where a shadow root would not see them
)


def component(key: str, data: dict[str, Any], passing: bool = False) -> None:
    """Draws what ``live_chart`` or ``figure_chart`` give it. ``passing``: it makes room for another chart in a moment.

    Raises:
        UserError: plotly.min.js cannot be put where the app serves it from.
    """
    with embedded.place(key, passing) as known:
        _component(key=key, data={"plotly": plotly_js.publish(), **data, **known}, height="content")


def live_chart(runs: Sequence[series.RunRecords], key: str, note: str = "", said: str = "") -> None:
    """Draws the runs, or updates the chart that stands under ``key``.

    Args:
        runs: in the order of the legend.
        key: the chart's identity; while it stays, zoom and hidden curves stay.
        note: shown in the middle of the chart as long as no run has a point.
        said: the page's verdict on the runs, if it has one, for those who do not see the chart.

    Raises:
        UserError: plotly.min.js cannot be put where the app serves it from.
    """
    component(key, payload(runs, note, said))


def payload(runs: Sequence[series.RunRecords], note: str = "", said: str = "") -> dict[str, Any]:
    """What the component draws, as plain JSON values: curves with colours for both themes, axes, layouts of both themes."""
    names = curve_names(runs)
    looks = {theme: style.told_apart([run.config.model for run in runs], theme == "dark") for theme in ("light", "dark")}
    curves = [
        curve
        for run, name, (light, symbol), (dark, _) in zip(runs, names, looks["light"], looks["dark"], strict=True)
        for curve in _curves(run, name, {"light": light, "dark": dark}, symbol)
    ]
    low, high = _range(curves)
    if len(names) <= _MOST_LABELS and all(len(name) <= _LONGEST_LABEL for name in names):
        place_labels(curves, low, high)
    drawn = any(curve["x"] for curve in curves)
    longest = max((run.grown_at + run.config.recipe.iterations for run in runs), default=1)
    return {
        "curves": curves,
        "note": "" if drawn else note,
        "alt": alternative.sentence(tr("iteration"), tr("error (%)"), names, said) if drawn else note,
        "table": alternative.words(),
        "words": {
            "key": tr("<b>━━</b> test\u2003╌╌ training\u2003"),
            "test": tr("%{y:.2f} % test error<br>at iteration %{x}"),
            "training": tr("%{customdata:.1f} % training error<br>at iteration %{x}<br>moving mean: %{y:.1f} %"),
        },
        "x": {"title": tr("iteration"), "include": [0, longest], "room": end_names.ROOM * longest},
        "y": {"title": tr("error (%)"), "range": [low, high]},
        "label_width": max((len(curve["label"]) for curve in curves if curve["label_y"] is not None), default=0),
        "layouts": {"light": style.layout(dark=False, font_size=_FONT_SIZE), "dark": style.layout(dark=True, font_size=_FONT_SIZE)},
    }


def _curves(run: series.RunRecords, name: str, color: dict[str, str], symbol: str | None) -> list[dict[str, Any]]:
    """Three curves a run, also while they are empty, so that a hidden net stays hidden when its first test comes in."""
    window = run.config.recipe.iterations * SMOOTHED_PART
    train = series.decimate(series.run_curve(run, "error", "training", window), MOST_POINTS)
    test = series.decimate(series.run_curve(run, "error", "test"), MOST_POINTS)
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
                # plotly makes a CSS class of it, so no "/": the camera button would fail.
                "uid": f"{run.run_id}-{kind}",  # a slash would be replaced by plotly
                "group": run.run_id,
                "kind": kind,
                "name": name,
                "x": [] if y is None else _plain(points.iteration, 0),
                "y": [] if y is None else _plain(y, 2),
                "line": dict(line),
                "color": color,
                "symbol": symbol if kind == "test" else None,
                "label": name if kind == labelled else "",
                "label_y": None,
            }
        )
    return made


def _range(curves: list[dict[str, Any]]) -> list[float]:
    """The range of the y axis until the viewer zooms: set by the curves, not by single batches, and wide enough not to jump."""
    values = [y for curve in curves if curve["kind"] != "raw" for y in curve["y"] if y is not None]
    if not values:
        return [0.0, 100.0]  # empty axes show what will come, not plotly's own idea of an empty range
    low, high = min(values) - _ROOM, min(100.0, max(values) + _ROOM)
    return [max(0.0, min(low, high - _NARROWEST)), high]


def place_labels(curves: list[dict[str, Any]], low: float, high: float) -> None:
    """Gives each net's name its place: where its curve ends, moved apart from others that end at the same iteration.

    ``low`` and ``high`` are the ends of the y axis.
    """
    ends: dict[float, list[dict[str, Any]]] = {}
    for curve in curves:
        if curve["label"] and curve["x"] and curve["y"][-1] is not None:
            ends.setdefault(curve["x"][-1], []).append(curve)
    for together in ends.values():
        heights = end_names.heights([curve["y"][-1] for curve in together], low, high)
        for curve, height in zip(together, heights.tolist(), strict=True):
            curve["label_y"] = round(height, 2)


def _plain(values: np.ndarray, digits: int) -> list[float | int | None]:
    """JSON has no NaN: a gap is null."""
    return [None if math.isnan(v) else (int(v) if digits == 0 else round(v, digits)) for v in values.tolist()]
