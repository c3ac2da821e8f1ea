"""Names and small texts that several pages use."""

from __future__ import annotations

import re
from collections.abc import Sequence

from resnet_core.figures.captions import Group, labels
from resnet_core.figures.series import RunRecords


def curve_names(runs: Sequence[RunRecords]) -> list[str]:
    """A distinct name for each run: what the user called it; else the net, with whatever tells it from the others of the chart."""
    names = [run.name for run in runs]
    told_apart = labels([Group((run,)) for run in runs])
    return [
        run.name if run.name != run.config.model.name and names.count(run.name) == 1 else label
        for run, label in zip(runs, told_apart, strict=True)
    ]


def escaped(text: str) -> str:
    """The text as Streamlit's Markdown shows it literally: run names are the users' own."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|~:$<>])", r"\\\1", text)


def duration(seconds: float) -> str:
    """``42 s``, ``3 min 20 s``, ``2 h 05 min``, ``3 days 4 h``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} days {whole % 86_400 // 3600} h"
