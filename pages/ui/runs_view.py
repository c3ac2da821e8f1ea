"""What the pages know of the runs on disk at one moment, and how they put it: states, progress, records for the charts.

All viewers look at the same store; nothing of it is kept in a session.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pages.ui.labels import duration
from resnet_core.errors import RunError
from resnet_core.figures.series import RunRecords
from resnet_core.runs import Run, RunStatus

#: state -> (icon, colour of its badge, as Streamlit names it)
BADGES = {
    "queued": (":material/hourglass_empty:", "gray"),
    "running": (":material/play_arrow:", "blue"),
    "stopped": (":material/pause:", "yellow"),
    "interrupted": (":material/power_off:", "orange"),
    "finished": (":material/check:", "green"),
    "diverged": (":material/trending_up:", "red"),
    "failed": (":material/error:", "red"),
}


@dataclass(frozen=True)
class Seen:
    """A run and its state at the moment of looking."""

    run: Run
    status: RunStatus

    @property
    def precision(self) -> str | None:
        return (self.status.plan or {}).get("precision")

    def records(self) -> RunRecords:
        """For the charts: train and test rows as far as they are written."""
        run, status = self.run, self.status
        rows = run.records("train") + run.records("test")
        return RunRecords(run.id, run.name, run.config, rows, status.state, self.precision, status.result)


def look(runs: Iterable[Run | None]) -> list[Seen]:
    """The runs with their states; those that were deleted meanwhile are left out."""
    seen = []
    for run in runs:
        if run is None:
            continue
        try:
            seen.append(Seen(run, run.state()))
        except RunError:
            continue
    return seen


def fraction_done(status: RunStatus) -> float:
    return min(1.0, status.iteration / status.iterations)


def progress_text(status: RunStatus) -> str:
    """One line on where a run stands: ``342 of 900 · 412 images/s · 1 min 12 s left``."""
    done = f"{status.iteration:,} of {status.iterations:,}"
    if status.state == "queued":
        waiting = "next in the queue" if status.place == 1 else f"place {status.place} in the queue"
        return f"{waiting}, at {done}" if status.iteration else waiting
    if status.state != "running":
        return " · ".join([done, *_errors(status)])
    if status.stopping:
        return f"{done} · stopping after this iteration"
    if status.plan is None or status.images_per_second is None:
        return f"{done} · starting: loading data, choosing the precision"
    parts = [done, f"{status.images_per_second:,.0f} images/s"]
    if status.eta_seconds is not None:
        parts.append(f"{duration(status.eta_seconds)} left")
    return " · ".join(parts)


def _errors(status: RunStatus) -> list[str]:
    """The final errors, as far as there are any."""
    result = status.result or {}
    found = ((kind, result.get(f"{kind}_error")) for kind in ("train", "test"))
    return [f"{'training' if kind == 'train' else kind} error {value:.1f} %" for kind, value in found if value is not None]
