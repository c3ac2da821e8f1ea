"""The final errors as rows of a table, beside the paper's where it has one, with the conditions they came about under."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence

from resnet_core import paper
from resnet_core.conditions import fraction_short
from resnet_core.figures.captions import Group, labels, precision_text, seeds_text
from resnet_core.figures.series import RunRecords, final_errors, validation_errors
from resnet_core.language import mark, tr

#: The keys of a row, in order. Errors are in percent.
NET, TRAINING, TRAINING_SPREAD, TEST, TEST_SPREAD = (
    "net",
    mark("training error"),
    mark("training spread"),
    mark("test error"),
    mark("test spread"),
)
#: Only of nets that held images out: the error on them at the end, and the lowest of the training. Of the test error there is no lowest.
VALIDATION, LOWEST = mark("validation error"), mark("lowest validation error")
PAPER, SEEDS, DATA, SCHEDULE, PRECISION, STATE = (
    mark("paper's test error"), mark("seeds"), mark("data"), mark("schedule"), mark("precision"), mark("state"),
)  # fmt: skip

Row = dict[str, "str | float | None"]


def final_table(groups: Sequence[Group], spread: str = "separate") -> list[Row]:
    """A row for each curve of a chart.

    Of several seeds the mean over the finished runs (over all that have records while none is finished), with the spread between
    them: ``range`` or ``std``. A diverged run has no final error.
    """
    rows = []
    for group, label in zip(groups, labels(groups), strict=True):
        counted = _counted(group)
        ends = [final_errors(run) for run in counted]
        training, test = ([error for end in ends if (error := end[i]) is not None] for i in (0, 1))
        published = paper.published(group.config.model, group.config.data.class_names)
        # The seeds have a column of their own.
        net = label.replace(f", {seeds_text(group)}", "")
        if group.config.model.name not in net:  # a name of the user's own
            net = f"{net} ({group.config.model.name})"
        row: Row = {NET: net, TRAINING: _mean(training), TEST: _mean(test)}
        if spread != "separate":
            row |= {TRAINING_SPREAD: spread_text(training, spread), TEST_SPREAD: spread_text(test, spread)}
        if held := [errors for run in counted if (errors := validation_errors(run))]:
            lowest = [min(errors, key=lambda one: one[1]) for errors in held]
            row[VALIDATION] = _mean([errors[-1][1] for errors in held])
            row[LOWEST] = (
                tr("{error:.2f} at {iteration:,}", error=lowest[0][1], iteration=lowest[0][0])
                if len(lowest) == 1
                else f"{_mean([error for _, error in lowest]):.2f}"
            )
        row |= {
            PAPER: published.text if published else None,
            SEEDS: _seeds(counted or group.runs),
            DATA: group.config.data.short_label,
            SCHEDULE: fraction_short(group.config.recipe.schedule_fraction),
            PRECISION: precision_text(group.runs),
            STATE: state_text(group.runs),
        }
        rows.append(row)
    return rows


def _counted(group: Group) -> list[RunRecords]:
    """The runs whose errors are told: the finished ones; while there are none, those that may still finish."""
    finished = [run for run in group.runs if run.state == "finished"]
    return finished or [run for run in group.runs if run.state != "diverged"]


def _seeds(runs: Sequence[RunRecords]) -> str:
    """``3``, or which one: ``1 (seed 0)``."""
    seeds = {run.config.recipe.seed for run in runs}
    return str(len(seeds)) if len(seeds) > 1 else tr("1 (seed {seeds})", seeds=min(seeds))


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def spread_text(values: Sequence[float], spread: str) -> str:
    """``± 1.2`` (sample standard deviation) or ``41.0–44.3``; empty for fewer than two values."""
    if len(values) < 2:
        return ""
    return f"± {statistics.stdev(values):.1f}" if spread == "std" else f"{min(values):.1f}–{max(values):.1f}"


def state_text(runs: Sequence[RunRecords]) -> str:
    """``finished``, ``running at 400 of 900``, ``2 finished, 1 queued``."""
    if len(runs) == 1:
        run = runs[0]
        reached = max((record["iteration"] for record in run.records), default=0)
        return (
            tr(run.state)
            if run.state in ("finished", "queued")
            else tr(
                "{state} at {reached:,} of {iterations:,}", state=tr(run.state), reached=reached, iterations=run.config.recipe.iterations
            )
        )
    counts = Counter(run.state for run in runs)
    return tr(next(iter(counts))) if len(counts) == 1 else ", ".join(f"{count} {tr(state)}" for state, count in counts.items())
