"""The names of curves to the right of where they end: moved apart where they would overlap, and each tied to its end by a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from resnet_core.figures.series import spread_out

#: Distance of two names, as a part of the height of the chart: a line of text on a projector of 720 pixels.
GAP = 0.065
#: What the lines take to the right of the longest curve, as a part of its length.
ROOM = 0.04


def heights(ends: Sequence[float] | np.ndarray, low: float, high: float) -> np.ndarray:
    """Where names stand whose curves end at these values, on a linear axis from ``low`` to ``high``; none lies beyond it."""
    return spread_out(np.asarray(ends, dtype=float), GAP * (high - low), low, high)


def end_name(end: tuple[float, float], place: tuple[float, float], text: str, color: str) -> dict[str, Any]:
    """A trace: a thin line from the end of a curve to the place of its name, and the name.

    ``text`` is what plotly may show, with no tag of a user's own. Both points must lie on the axes: lines are cut off at their edges.
    """
    return {
        "type": "scatter", "mode": "lines+text", "x": [end[0], place[0]], "y": [end[1], place[1]],
        "text": ["", f"\u2009<b>{text}</b>"], "textposition": "middle right", "textfont": {"color": color},
        "line": {"color": color, "width": 1.2}, "cliponaxis": False, "hoverinfo": "skip",
    }  # fmt: skip
