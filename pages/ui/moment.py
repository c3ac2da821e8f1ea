"""Through a training: its snapshots of the layers, and the slider that moves all nets to one moment."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from pages.ui.net_words import is_active
from resnet_core.config import RunConfig
from resnet_core.language import mark, tr
from resnet_core.nets import Net


@dataclass(frozen=True, eq=False)
class Snapshots:
    """What the records of one training tell of its layers: ``iterations`` (T,), ``values`` (T, L), NaN where there is no number."""

    names: list[str]
    iterations: np.ndarray
    values: np.ndarray

    def nearest(self, iteration: float) -> tuple[int, np.ndarray]:
        """The iteration of the snapshot nearest to ``iteration``, and its (L,) values."""
        index = int(np.argmin(np.abs(self.iterations - min(iteration, self.iterations[-1]))))
        return int(self.iterations[index]), self.values[index]


def snapshots(net: Net, quantity: str) -> Snapshots | None:
    """The rows of a net's layers, or None where it has none.

    Args:
        quantity: ``response_std``, ``gradient_norm`` or ``weight_norm``.
    """
    rows = {row["iteration"]: row for row in net.records("layers")}
    if not rows:
        return None
    ordered = [rows[iteration] for iteration in sorted(rows)]
    values = [[math.nan if value is None else value for value in row[quantity]] for row in ordered]
    return Snapshots(ordered[0]["names"], np.array(sorted(rows)), np.array(values, dtype=float))


@dataclass(frozen=True)
class Moment:
    """``value`` is an iteration, or with ``is_part`` percent of each training."""

    value: int
    is_part: bool

    def iteration(self, config: RunConfig) -> float:
        return self.value / 100 * config.recipe.iterations if self.is_part else self.value


def choose_moment(nets: Sequence[Net]) -> Moment:
    """Draws the slider, at first at the end; all nets have recorded trainings. Where these differ in length, by iteration or by part."""
    totals = {net.training.recipe.iterations for net in nets}
    is_part = False
    slider = st.container()
    if len(totals) > 1:
        with slider:
            left, slider = st.columns([0.34, 0.66], vertical_alignment="bottom")
            by = left.segmented_control(
                tr("All nets at the same"),
                [mark("iteration"), mark("part of training")],
                format_func=tr,
                default="iteration",
                required=True,
                key="by",
                bind="query-params",
            )
        is_part = by == "part of training"
    if is_part:
        return Moment(slider.slider(tr("Part of the training, %"), 0, 100, 100, key="part", bind="query-params"), True)
    # What is still being trained has its whole length, so that the slider stays as it is while it goes on.
    ends = [net.training.recipe.iterations if is_active(net) else net.records("layers")[-1]["iteration"] for net in nets]
    most = max(1, *ends)
    step = math.gcd(most, *(net.training.recipe.interval("layers_every") for net in nets))
    return Moment(slider.slider(tr("Iteration"), 0, most, most, step=step, format="localized", key="at", bind="query-params"), False)


def moments_text(iterations: Mapping[str, int], labels: Mapping[str, str]) -> str:
    """``iteration 800``; of nets at different ones ``iteration 800: plain-20, plain-56; iteration 400: ResNet-20``."""
    kinds: dict[int, list[str]] = {}
    for net_id, iteration in iterations.items():
        kinds.setdefault(iteration, []).append(labels[net_id])
    if len(kinds) == 1:
        return tr("iteration {iteration:,}", iteration=next(iter(kinds)))
    return "; ".join(tr("iteration {iteration:,}: {names}", iteration=each, names=", ".join(names)) for each, names in kinds.items())
