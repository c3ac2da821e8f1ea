"""Records of runs -> arrays that can be drawn: one metric of one run, smoothed, averaged over seeds, decimated. NumPy only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from resnet_core.config import RunConfig
from resnet_core.csv_text import csv_text
from resnet_core.language import mark
from resnet_core.verdict import Outcome

METRICS = (mark("error"), mark("loss"))
KINDS = (mark("training"), mark("test"), mark("validation"))
#: Where a record holds (metric, kind): the record's kind and its field.
_FIELDS = {
    ("error", "training"): ("train", "train_error"),
    ("error", "test"): ("test", "test_error"),
    ("error", "validation"): ("test", "validation_error"),
    ("loss", "training"): ("train", "loss"),
    ("loss", "test"): ("test", "test_loss"),
    ("loss", "validation"): ("test", "validation_loss"),
}


@dataclass(frozen=True)
class RunRecords:
    """A run as plain data, all that a chart or a table needs of it.

    Attributes:
        run_id, name: of its folder, and as the user named it.
        config: what was trained.
        records: its ``train`` and ``test`` records (percent, seconds), of each kind in order.
        state: ``finished``, ``running``, ...
        precision: as the run's plan decided it (``fp32``, ``bf16``), or None before it began.
        result: ``train_error`` (mean over the last epoch seen), ``test_error`` and, of a finished run, ``clean_train_error``; or None.
        before: of a grown net, the records of the training that it was grown from, up to there.
    """

    run_id: str
    name: str
    config: RunConfig
    records: Sequence[dict[str, Any]]
    state: str = "finished"
    precision: str | None = None
    result: dict[str, Any] | None = None
    before: Sequence[dict[str, Any]] = ()

    @property
    def grown_at(self) -> int:
        """Iterations behind the weights that it began with; 0 where it began with random ones."""
        return self.config.start.iteration if self.config.start and self.config.start.is_grown else 0


@dataclass(frozen=True)
class Points:
    """A curve: float64 arrays of one length N. ``low`` and ``high`` bound the spread over runs, ``raw`` is the curve before smoothing."""

    iteration: np.ndarray
    seconds: np.ndarray
    y: np.ndarray
    raw: np.ndarray | None = field(default=None)
    low: np.ndarray | None = field(default=None)
    high: np.ndarray | None = field(default=None)

    def __len__(self) -> int:
        return len(self.y)

    def take(self, index: np.ndarray) -> Points:
        """The points at the indices, all arrays alike."""
        others = (None if array is None else array[index] for array in (self.raw, self.low, self.high))
        return Points(self.iteration[index], self.seconds[index], self.y[index], *others)


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def points(records: Iterable[dict[str, Any]], metric: str, kind: str) -> Points:
    """The records of one run that hold a metric. A value that is not finite (a diverged run's last loss) is a gap, NaN."""
    record_kind, name = _FIELDS[metric, kind]
    held = (r for r in records if r["kind"] == record_kind and name in r)
    rows = [(r["iteration"], _number(r.get("elapsed_seconds")), _number(r[name])) for r in held]
    array = np.array(rows, dtype=np.float64).reshape(-1, 3)
    y = array[:, 2]
    return Points(array[:, 0], array[:, 1], np.where(np.isfinite(y), y, np.nan))


def smooth(x: np.ndarray, y: np.ndarray, window: float) -> np.ndarray:
    """Centred moving mean over all points with ``|x_j - x_i| <= window / 2``; at the ends over those that are there.

    Args:
        x: (N,) rising, in any unit.
        y: (N,); NaN is left out of the means, and stays NaN where it stands.
        window: full width in the unit of ``x``; 0 returns ``y``.
    """
    if window <= 0 or len(y) == 0:
        return y
    finite = np.isfinite(y)
    sums = np.concatenate([[0.0], np.cumsum(np.where(finite, y, 0.0))])
    counts = np.concatenate([[0], np.cumsum(finite)])
    start = np.searchsorted(x, x - window / 2, side="left")
    stop = np.searchsorted(x, x + window / 2, side="right")
    number = counts[stop] - counts[start]
    mean = (sums[stop] - sums[start]) / np.maximum(number, 1)
    return np.where(finite, mean, np.nan)


def smoothed(curve: Points, window: float) -> Points:
    """The curve with its moving mean over ``window`` iterations as ``y`` and the raw one as ``raw``; unchanged for a window of 0."""
    if window <= 0:
        return curve
    return replace(curve, y=smooth(curve.iteration, curve.y, window), raw=curve.y)


def run_curve(run: RunRecords, metric: str, kind: str, window: float = 0.0) -> Points:
    """The curve of a run, with a moving mean over ``window`` iterations; of a grown net, behind that of the net that it was grown from.

    The two are smoothed each on its own: at the join the error may jump.
    """
    own = points(run.records, metric, kind)
    if not run.grown_at:
        return smoothed(own, window)
    before = points(run.before, metric, kind)
    passed = max((float(record.get("elapsed_seconds") or 0.0) for record in run.before), default=0.0)
    own = replace(own, iteration=own.iteration + run.grown_at, seconds=own.seconds + passed)
    parts = [smoothed(part, window) for part in (before, own)]
    iteration, seconds, y = (np.concatenate([getattr(part, name) for part in parts]) for name in ("iteration", "seconds", "y"))
    return Points(iteration, seconds, y, np.concatenate([before.y, own.y]) if window > 0 else None)


def mean_over_runs(curves: Sequence[Points], spread: str) -> Points:
    """The mean of several runs' curves, at the iterations that every one of them has reached and recorded.

    Args:
        curves: of runs that differ in the seed only. With one curve there is no spread, and it is returned as it is.
        spread: ``range`` (lowest to highest) or ``std`` (mean ± one sample standard deviation).

    Returns:
        Points whose ``seconds`` is the mean elapsed time at that iteration.
    """
    if len(curves) == 1:
        return curves[0]
    common = curves[0].iteration
    for curve in curves[1:]:
        common = np.intersect1d(common, curve.iteration)
    rows = [curve.take(np.searchsorted(curve.iteration, common)) for curve in curves]
    y = np.stack([row.y for row in rows])  # (runs, N)
    mean = y.mean(axis=0)
    if spread == "std":
        deviation = y.std(axis=0, ddof=1)
        low, high = mean - deviation, mean + deviation
    else:
        low, high = y.min(axis=0), y.max(axis=0)
    raws = [row.raw for row in rows if row.raw is not None]
    raw = np.stack(raws).mean(axis=0) if raws else None
    return Points(common, np.stack([row.seconds for row in rows]).mean(axis=0), mean, raw, low, high)


def decimate(curve: Points, limit: int = 1000) -> Points:
    """At most ``limit`` points: the first and the last, and of each stretch between them the lowest and the highest.

    No peak is lost, unlike with every k-th point. The extremes are those of ``y``, and of ``raw``, ``low`` and ``high`` where
    they are drawn.
    """
    total = len(curve)
    if total <= limit:
        return curve
    drawn = [array for array in (curve.y, curve.raw, curve.low, curve.high) if array is not None]
    stretches = np.array_split(np.arange(1, total - 1), max(1, (limit - 2) // (2 * len(drawn))))
    keep = {0, total - 1}
    for stretch in stretches:
        for array in drawn:
            values = array[stretch]
            if np.isfinite(values).any():
                keep.update((int(stretch[np.nanargmin(values)]), int(stretch[np.nanargmax(values)])))
            else:
                keep.add(int(stretch[0]))  # so that a gap stays a gap
    return curve.take(np.array(sorted(keep)))


def spread_out(values: np.ndarray, gap: float, low: float = -math.inf, high: float = math.inf) -> np.ndarray:
    """The values moved apart, in their order and as little as it takes (least squares), until neighbours are ``gap`` apart.

    All of them stay between ``low`` and ``high``; where these leave no room for the gaps, the gaps are smaller. With the gaps taken
    off, this is isotonic regression: neighbours that are out of order are pooled into their mean, and what is out of bounds is moved
    to them.
    """
    if len(values) > 1:
        gap = min(gap, (high - low) / (len(values) - 1))
    order = np.argsort(values, kind="stable")
    pools: list[tuple[float, int]] = []
    for value in values[order] - gap * np.arange(len(values)):
        pools.append((float(value), 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (first, n), (second, m) = pools[-2:]
            pools[-2:] = [((first * n + second * m) / (n + m), n + m)]
    placed = np.empty(len(values))
    means = np.repeat([mean for mean, _ in pools], [count for _, count in pools])
    placed[order] = np.clip(means, low, high - gap * (len(values) - 1)) + gap * np.arange(len(values))
    return placed


def final_errors(run: RunRecords) -> tuple[float | None, float | None]:
    """Training error (mean over the last epoch seen) and test error in percent: of the result, or so far from the records."""
    if run.result and run.result.get("train_error") is not None:
        return run.result["train_error"], run.result.get("test_error")
    train = [r for r in run.records if r["kind"] == "train" and r.get("train_error") is not None]
    test = [r["test_error"] for r in run.records if r["kind"] == "test" and r.get("test_error") is not None]
    train_error = None
    if train:
        since = train[-1]["iteration"] - run.config.data.train_images / run.config.recipe.batch_size
        last = [r for r in train if r["iteration"] > since]
        images = sum(r["images"] for r in last)
        train_error = sum(r["train_error"] * r["images"] for r in last) / images
    return train_error, test[-1] if test else None


def validation_errors(run: RunRecords) -> list[tuple[int, float]]:
    """Iteration and error in percent of every measurement on the validation images; empty where none were held out."""
    rows = (record for record in run.records if record["kind"] == "test")
    return [(row["iteration"], row["validation_error"]) for row in rows if row.get("validation_error") is not None]


def outcome(run: RunRecords) -> Outcome:
    """How the run ended, for a verdict; one that diverged has no errors."""
    if run.state == "diverged":
        return Outcome(run.config, None)
    rates = [record.get("learning_rate") for record in run.records if record["kind"] == "train"]
    return Outcome(run.config, *final_errors(run), (run.result or {}).get("clean_train_error"), rates[-1] if rates else None)


CSV_COLUMNS = (
    "run", "net", "family", "shortcut", "depth", "width", "block", "data", "seed", "precision", "schedule_fraction", "kind", "iteration",
    "epoch", "elapsed_seconds", "learning_rate", "loss", "train_error", "test_loss", "test_error", "validation_loss", "validation_error",
    "images_per_second", "peak_memory_mb",
)  # fmt: skip


def records_csv(runs: Sequence[RunRecords]) -> str:
    """All train and test records of the runs, unsmoothed: a row a record, errors in percent, with what tells the runs apart."""
    rows = []
    for run in runs:
        config = run.config
        head = {
            "run": run.run_id, "net": config.model.name, "family": config.model.family, "shortcut": config.model.shortcut,
            "depth": config.model.depth, "width": getattr(config.model, "width", None), "block": getattr(config.model, "block", None),
            "data": config.data.dataset, "seed": config.recipe.seed,
            "precision": run.precision or "", "schedule_fraction": f"{config.recipe.schedule_fraction:.6g}",
        }  # fmt: skip
        per_epoch = config.recipe.batch_size / config.data.train_images
        for record in sorted(run.records, key=lambda r: r["iteration"]):
            if record["kind"] in ("train", "test"):
                row = {"epoch": round(record["iteration"] * per_epoch, 4), **head, **record}
                rows.append([row.get(column) for column in CSV_COLUMNS])
    return csv_text(CSV_COLUMNS, rows)
