"""Gradient norms of layers against the last convolution's, over depth: whether they vanish or explode on their way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from resnet_core.figures.lines import Line, lines_figure
from resnet_core.language import tr


def gradients_by_depth(rows: Sequence[tuple[str, Any, Mapping[str, Any]]], dark: bool = False) -> go.Figure:
    """Draw one line a net, logarithmic.

    Args:
        rows: of each net its label, its configuration and a ``layers`` row of its records.
    """
    lines = []
    for label, model, row in rows:
        norms = np.array([np.nan if norm is None else norm for norm in row["gradient_norm"]], dtype=np.float64)
        last = norms[-1] if norms[-1] > 0 else np.nan
        lines.append(Line(label, label, model, np.arange(1, len(norms) + 1), norms / last, row["names"]))
    title = tr("gradient norm / the last convolution's")
    return lines_figure(
        lines, tr("convolution, from the image on"), title, dark, log=True, levels=((1.0, tr("as large")), (0.01, "vanished"))
    )
