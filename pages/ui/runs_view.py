"""What the pages know of the runs on disk at one moment, and how they put it: states, progress, records for the charts.

All viewers look at the same store; nothing of it is kept in a session.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import overload

import streamlit as st

from pages.ui.labels import duration
from pages.ui.recorded import recorded
from resnet_core.config import RunConfig
from resnet_core.errors import RunError
from resnet_core.figures.series import RunRecords
from resnet_core.language import tr
from resnet_core.lecture.runs import of_net, of_run
from resnet_core.nets import shipped_nets
from resnet_core.runs import Look, Run, RunStatus, RunStore
from resnet_core.runs.run import RESUMABLE

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

    origin = "run"

    @property
    def id(self) -> str:
        return self.run.id

    @property
    def name(self) -> str:
        return self.run.name

    @property
    def config(self) -> RunConfig:
        return self.run.config

    @property
    def state(self) -> str:
        return self.status.state

    @property
    def is_active(self) -> bool:
        return self.status.is_active

    @property
    def precision(self) -> str | None:
        return (self.status.plan or {}).get("precision")

    def records(self, layers: bool = False) -> RunRecords:
        """For the charts: train and test rows as far as they are written, and on request those of the layers."""
        return of_run(self.run, self.status, layers)


@dataclass(frozen=True)
class Kept:
    """A training that ships with the project, where runs are listed: finished for good. There is nothing to stop, rename or delete.

    Attributes:
        id, net: of the checkpoint, or of the training: the name of the net.
        origin: ``shipped``: a checkpoint; ``recorded``: only the records of its training ship.
        read: gives the records, those of the layers if it is told so.
    """

    id: str
    net: str
    origin: str
    config: RunConfig
    read: Callable[[bool], RunRecords]

    state = "finished"
    is_active = False

    @property
    def name(self) -> str:
        return tr("{name}, shipped", name=self.net) if self.origin == "shipped" else tr("{name}, recorded", name=self.net)

    def records(self, layers: bool = False) -> RunRecords:
        """For the charts: train and test rows, and on request those of the layers."""
        return self.read(layers)


def look_recorded() -> list[Kept]:
    """The recorded trainings by which nets are compared that differ in the join of branch and skip."""

    def kept(run: RunRecords) -> Kept:
        return Kept(run.run_id, run.name, "recorded", run.config, lambda layers: run)

    return [kept(run) for run in recorded("joins").runs]


def look_shipped() -> list[Kept]:
    """The shipped checkpoints that have configuration and records. A damaged one is named on the Checkpoints page."""
    found = [net for net in shipped_nets() if net.config is not None and net.records("train")]
    return [Kept(net.id, net.name, "shipped", net.training, partial(of_net, net)) for net in found]


class AllSeen(Sequence[Seen]):
    """All readable runs, oldest first. Only those that are taken out are read: a page of thousands asks ``look`` instead."""

    def __init__(self, found: Look):
        self.look = found

    def __len__(self) -> int:
        return len(self.look.runs)

    @overload
    def __getitem__(self, at: int) -> Seen: ...
    @overload
    def __getitem__(self, at: slice) -> list[Seen]: ...
    def __getitem__(self, at: int | slice) -> Seen | list[Seen]:
        if isinstance(at, slice):
            return [Seen(*pair) for pair in self.look.runs[at]]
        return Seen(*self.look.runs[at])

    def __iter__(self) -> Iterator[Seen]:
        return (Seen(*pair) for pair in self.look.runs)

    @property
    def active(self) -> list[Seen]:
        """What runs or waits."""
        return [Seen(*pair) for pair in self.look.active]

    def newest_of(self, config: RunConfig) -> Seen | None:
        """The newest run of exactly this configuration."""
        same = self.look.alike(config.fingerprint)
        return Seen(*same[-1]) if same else None

    def of_nets(self, models: Collection[str]) -> list[Seen]:
        """The runs of nets of these names, oldest first."""
        return [self[k] for k, line in enumerate(self.look.briefs) if line.model in models]

    def first_of_kind(self) -> list[Seen]:
        """The first run of each net, batch size, device and precision whose speed is known."""
        return [Seen(*pair) for pair in self.look.first_of_kind()]


def all_seen(found: Look) -> AllSeen:
    """All readable runs, oldest first."""
    return AllSeen(found)


def going_on(store: RunStore, run: Run, is_new: bool) -> Run:
    """The run that ``RunStore.submit`` returned; one that was there before is resumed where it did not end. Raises RunError."""
    if not is_new and run.state().state in RESUMABLE:
        store.resume(run.id)
    return run


#: Runs that a list offers to choose from: the newest. A search reaches all others.
REACH = 300


def search_box(left: int, key: str) -> None:
    """A field for searching all runs, where ``left`` are not offered; what is typed stands in the session at ``key``."""
    if left or st.session_state.get(key):
        about = tr("The newest {reach} runs are offered; {left:,} more are found by name, net or state.", reach=REACH, left=left)
        st.text_input(tr("Search"), key=key, placeholder=tr("Name, net or state"), icon=":material/search:", help=about)


#: Runs made within this many seconds of each other were started together.
_TOGETHER_SECONDS = 10.0


def started_together(seen: Sequence[Seen]) -> set[str]:
    """The ids of the newest run and those that were started at one click with it. ``seen`` is oldest first."""
    ids: set[str] = set()
    after: datetime | None = None
    for s in reversed(seen):
        created = s.run.created_at
        if after and (after - created).total_seconds() > _TOGETHER_SECONDS:
            break
        ids.add(s.run.id)
        after = created
    return ids


def look(runs: Iterable[Run]) -> list[Seen]:
    """The runs with their states; those that were deleted meanwhile are left out."""
    seen = []
    for run in runs:
        try:
            seen.append(Seen(run, run.state()))
        except RunError:
            continue
    return seen


def fraction_done(status: RunStatus) -> float:
    return min(1.0, status.iteration / status.iterations)


def progress_text(status: RunStatus) -> str:
    """One line on where a run stands: ``342 of 900 · 412 images/s · 1 min 12 s left``."""
    done = tr("{iteration:,} of {iterations:,}", iteration=status.iteration, iterations=status.iterations)
    if status.state == "queued":
        waiting = tr("next in the queue") if status.place == 1 else tr("place {place} in the queue", place=status.place)
        return tr("{waiting}, at {done}", waiting=waiting, done=done) if status.iteration else waiting
    if status.state != "running":
        return " · ".join([done, *_errors(status)])
    if status.stopping:
        return tr("{done} · stopping after this iteration", done=done)
    if status.plan is None or status.images_per_second is None:
        return tr("{done} · starting: loading data, choosing the precision", done=done)
    parts = [done, tr("{images_per_second:,.0f} images/s", images_per_second=status.images_per_second)]
    if status.eta_seconds is not None:
        parts.append(tr("{duration} left", duration=duration(status.eta_seconds)))
    return " · ".join(parts)


def _errors(status: RunStatus) -> list[str]:
    """The final errors, as far as there are any."""
    result = status.result or {}
    found = ((kind, result.get(f"{kind}_error")) for kind in ("train", "test"))
    return [
        tr("training error {value:.1f} %", value=value) if kind == "train" else tr("test error {value:.1f} %", value=value)
        for kind, value in found
        if value is not None
    ]
