"""How open the gates of Highway nets are through a training: a heat map of each net, block by iteration."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from resnet_core.architectures import ModelConfig
from resnet_core.csv_text import csv_text
from resnet_core.figures import style
from resnet_core.figures.heat import heat_panels
from resnet_core.figures.responses import number_text
from resnet_core.language import tr


@dataclass(frozen=True, eq=False)
class GateCourse:
    """The gates of one training.

    Attributes:
        key, label, note: of the net, for people; model: its configuration.
        blocks: names of the B blocks that have a gate, in order.
        iterations: (T,), ascending.
        opening: (T, B), 0 to 1: the mean of each gate over one training batch, its channels and positions; NaN where it was not finite.
    """

    key: str
    label: str
    model: ModelConfig
    blocks: tuple[str, ...]
    iterations: np.ndarray
    opening: np.ndarray
    note: str = ""


def gate_course(key: str, label: str, model: ModelConfig, records: Iterable[dict[str, Any]], note: str = "") -> GateCourse | None:
    """Return what the ``layers`` records of a training tell of its gates; None where they tell nothing, as those of before did.

    The newest record of an iteration counts.
    """
    plan, layers = model.plan(), [row for row in records if row["kind"] == "layers"]
    gated = plan.gated
    # A row of other layers than the net has is damaged: it costs its moment.
    rows = {row["iteration"]: row["gate_opening"] for row in layers if len(row.get("gate_opening", ())) == len(plan.taps)}
    if not rows or not gated:
        return None
    iterations = sorted(rows)
    opening = np.array([[math.nan if rows[i][at] is None else rows[i][at] for at in gated.values()] for i in iterations], dtype=float)
    return GateCourse(key, label, model, tuple(gated), np.array(iterations), opening, note)


def gate_heatmap(courses: Sequence[GateCourse], dark: bool = False) -> go.Figure:
    """Draw block by iteration, one panel a net, two in a row, all to one linear scale of colours. The first block is at the bottom."""
    maps = []
    for one in courses:
        hover = tr(
            "%{{fullData.name}}: block %{{y}} of {blocks}, %{{customdata}}<br><b>%{{z:.3f}}</b> open at iteration %{{x:,}}{note}"
            "<extra></extra>",
            blocks=len(one.blocks),
            note=style.hover_note(one.note),
        )
        made = {
            "uid": f"{one.key}-gates", "x": one.iterations, "y": np.arange(1, len(one.blocks) + 1), "z": one.opening.T,
            "customdata": [[name] * len(one.iterations) for name in one.blocks], "hovertemplate": hover,
        }  # fmt: skip
        maps.append((one.label, made))
    figure = heat_panels(maps, tr("block"), {"title": tr("gate")}, dark)
    if max((len(one.blocks) for one in courses), default=0) <= 10:
        figure.update_yaxes(dtick=1)  # no half blocks
    return figure


def gates_csv(courses: Sequence[GateCourse]) -> str:
    """A row a net, iteration and block."""
    rows = []
    for one in courses:
        for iteration, opening in zip(one.iterations, one.opening, strict=True):
            for i, (name, value) in enumerate(zip(one.blocks, opening, strict=True)):
                rows.append((one.model.name, one.label, int(iteration), i + 1, name, number_text(value), one.note))
    return csv_text(("net", "label", "iteration", "block", "name", "gate_opening", "conditions"), rows)


def course_text(one: GateCourse) -> str:
    """``Highway-20: from 12 % at iteration 0 to 15 % at iteration 800; block by block from 9 (layer1.0) to 31 % (layer3.2) there``."""
    first, last = one.opening[0], one.opening[-1]
    if not np.isfinite(one.opening[[0, -1]]).all():
        return tr("{label}: its gates were no numbers any more at the end", label=one.label)
    low, high = int(np.argmin(last)), int(np.argmax(last))
    return tr(
        "{label}: {first:.0f} % open in the mean at iteration {begin:,}, {last:.0f} % at iteration {end:,}, there from {low:.0f} "
        "({least}) to {high:.0f} % ({most}) by block",
        label=one.label, first=100 * first.mean(), begin=int(one.iterations[0]), last=100 * last.mean(), end=int(one.iterations[-1]),
        low=100 * last[low], least=one.blocks[low], high=100 * last[high], most=one.blocks[high],
    )  # fmt: skip
