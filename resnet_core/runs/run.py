"""One run: a cheap view on its folder. Everything is read from the files when it is asked for; nothing is kept but what never changes.

- run.json: id, config, versions, created, data_dir, fingerprint, owner; written once
- meta.json: name
- state.json: state, ticket, pool, plan, iteration, result, message, times; replaced at each change, under the home lock
- records.jsonl: the rows of the training
- checkpoints/: iter-00000100/ and the like
- lock: held (flock) by the worker that trains it
- stop: exists while the training is asked to stop
- worker.log: what the worker printed while it trained this run
"""

from __future__ import annotations

import dataclasses
import os
import re
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from resnet_core.config import RunConfig
from resnet_core.errors import RunError
from resnet_core.language import mark, tr
from resnet_core.runs import border, files
from resnet_core.runs.border import STATES, BrokenRun, read_state
from resnet_core.runs.ends import kept_ends
from resnet_core.runs.records import RecordReader, reader
from resnet_core.runs.rows import Ends

__all__ = ["RESUMABLE", "STATES", "BrokenRun", "Run", "RunStatus", "checkpoint_iteration", "read_state", "run_folders"]

RESUMABLE = ("stopped", "interrupted", "failed")
#: Train rows that speed and remaining time are taken from: enough to smooth, few enough to follow a change.
_RATE_ROWS = 20
#: A worker says that it lives once a second. After so many seconds without a word that is told.
SILENT_SECONDS = 30.0


@dataclass(frozen=True)
class RunStatus:
    """What is known of a run at one moment.

    Attributes:
        state: one of ``STATES``.
        iteration, iterations: parameter updates done (as far as the last record tells), and to do in all.
        message: why it failed, diverged, was interrupted or stopped; empty when there is nothing to say.
        place: 1-based place in the queue of its device while queued, else None.
        plan: what the probe decided (device, precision, compile, threads, ...), or None before that.
        result: of an ended training: train_error, test_error (percent), images_per_second, weights_sha256; else None.
        started, ended: of the last training of this run, UTC, ISO 8601, or None.
        images_per_second: over the last records while running, at the end afterwards; None if unknown.
        eta_seconds: remaining time while running; None otherwise, and before the second train record.
        stopping: it has been asked to stop and has not done so yet.
        silent_seconds: how long ago the worker of a running run was last heard; else 0.
        last_train, last_test: the newest rows of these kinds, or None.
        pace: images per second from the first train row to the last, with all that is done in between; None before the second.
    """

    state: str
    iteration: int
    iterations: int
    message: str = ""
    place: int | None = None
    plan: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    started: str | None = None
    ended: str | None = None
    images_per_second: float | None = None
    eta_seconds: float | None = None
    stopping: bool = False
    silent_seconds: float = 0.0
    last_train: dict[str, Any] | None = None
    last_test: dict[str, Any] | None = None
    pace: float | None = None

    @property
    def is_active(self) -> bool:
        """Queued or running: something may still happen without anybody asking for it."""
        return self.state in ("queued", "running")


class Run:
    """A view on the folder ``path``.

    Attributes:
        id: the name of the folder.
        path: the folder.
        identity: the contents of its run.json.
        config: the whole configuration.
        created: ISO 8601, with its zone; ``created_at`` is that moment.
        data_dir: where the data set lay when the run was submitted, or None (the embedded sample).
        versions: of python, torch, torchvision and resnet-lab, when it was submitted.
    """

    def __init__(self, path: Path, identity: border.Identity | None = None):
        """Raises BrokenRun. ``identity``: what is in its run.json, where that is known."""
        self.path = path
        self.id = path.name
        self.identity = identity or border.identity(path)

    def __repr__(self) -> str:
        return f"Run({self.id!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    @property
    def config(self) -> RunConfig:
        return self.identity.config

    @property
    def created(self) -> str:
        return self.identity.created

    @property
    def created_at(self) -> datetime:
        return self.identity.created_at

    @property
    def data_dir(self) -> Path | None:
        found = self.identity.values["data_dir"]
        return Path(found) if found else None

    @property
    def versions(self) -> dict[str, str]:
        return self.identity.values["versions"] or {}

    @property
    def owner(self) -> str:
        """Whose it is: an id, which says nothing of who that is; empty for nobody's in particular (the command line, a run of before)."""
        return self.identity.values.get("owner") or ""

    @property
    def started(self) -> str | None:
        """When its last training began, UTC, ISO 8601; None where it has not, or cannot be read."""
        try:
            return read_state(self.path).get("started")
        except BrokenRun:
            return None

    @property
    def fingerprint(self) -> str:
        """The configuration's fingerprint."""
        return self.identity.fingerprint

    @property
    def name(self) -> str:
        """The name given to it; that of its net if it was given none."""
        return border.given_name(self.path) or self.config.model.name

    @property
    def machines(self) -> list[str]:
        """The processors or graphics cards that have trained it, in order; more than one where it was continued elsewhere."""
        return self._told("machines")

    @property
    def commits(self) -> list[str]:
        """The commits of this code that have trained it, in order; more than one where it was continued with newer code."""
        recorded = self._told("commits")
        return recorded or [self.versions["commit"]] if "commit" in self.versions else recorded

    def _told(self, key: str) -> list[str]:
        try:
            return list(read_state(self.path).get(key) or [])
        except BrokenRun:
            return []

    @property
    def checkpoints(self) -> list[Path]:
        """The folders of its checkpoints, oldest first."""
        return list(self._saved.values())

    @property
    def saved_iteration(self) -> int | None:
        """The iteration of its newest checkpoint; None if it has none."""
        return next(reversed(self._saved), None)

    @property
    def _saved(self) -> dict[int, Path]:
        try:
            return _checkpoints(f"{self.path}/checkpoints")
        except OSError:
            return {}

    def records(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The rows of ``kind`` (``train``, ``test``, ``layers``; None: all), in order, as far as they are written.

        Only what is new since the last call is read and parsed. The rows are shared with other callers: do not change them.
        """
        return self._reader.records(kind)

    def state(self) -> RunStatus:
        """Raises RunError when the folder is gone or damaged."""
        try:
            found = self.look()
        except BrokenRun as error:
            raise RunError("Run {id} cannot be read: {error}.", id=self.id, error=error) from error
        if found[0].state == "queued":
            return dataclasses.replace(found[0], place=self._place())
        return found[0]

    def look(self) -> tuple[RunStatus, dict[str, Any]]:
        """The status but for the place in the queue, and what state.json holds. Raises BrokenRun."""
        try:
            return self._look()
        except OSError as error:
            raise BrokenRun(
                tr("{name} cannot be read: {strerror}", name=Path(error.filename or self.path).name, strerror=error.strerror)
            ) from error

    def _look(self) -> tuple[RunStatus, dict[str, Any]]:
        values, held = self._settled_state()
        state, message = values["state"], values.get("message") or ""
        running = state == "running"
        ends = self._reader.ends() if running else kept_ends(self.path)
        iteration = values.get("iteration") or 0
        speed, eta = (values.get("result") or {}).get("images_per_second"), None
        stopping, silent = False, 0.0
        if running:
            iteration = max(ends.iteration or 0, iteration)
            if held:
                # Workers that say so since a version that also notes its host.
                stopping, silent = (self.path / "stop").exists(), self._silent_seconds() if values.get("host") else 0.0
                speed, eta = self._pace(iteration)
            else:
                state = "interrupted"
                saved = self.saved_iteration or 0
                iteration = max(iteration, saved)
                message = _interrupted_message(iteration, saved)
        if silent >= SILENT_SECONDS:
            message, eta = f"{message} {_silent_message(silent, stopping)}".strip(), None
        status = RunStatus(
            state=state,
            iteration=iteration,
            iterations=self.config.recipe.iterations,
            message=" ".join(filter(None, [message, _records_message(ends)])),
            plan=values.get("plan"),
            result=values.get("result"),
            started=values.get("started"),
            ended=values.get("ended"),
            images_per_second=speed,
            eta_seconds=eta,
            stopping=stopping,
            silent_seconds=silent,
            last_train=ends.last_train,
            last_test=ends.last_test,
            pace=ends.pace(self.config.recipe.batch_size),
        )
        return status, values

    def _silent_seconds(self) -> float:
        """Since the worker last touched the run's lock."""
        try:
            return max(0.0, time.time() - (self.path / "lock").stat().st_mtime)
        except OSError:
            return 0.0

    @property
    def _reader(self) -> RecordReader:
        return reader(self.path / "records.jsonl")

    def _settled_state(self) -> tuple[dict[str, Any], bool]:
        """state.json, and whether a worker holds the run, both true at one moment.

        A worker takes the lock before it writes ``running`` and writes the final state before it lets go. So a free lock means
        a dead worker only if state.json is still the same after the look at the lock.
        """
        values = read_state(self.path)
        while values["state"] == "running":
            held = files.is_held(self.path / "lock")
            if held:
                return values, True
            again = read_state(self.path)
            if again == values:
                return values, False
            values = again
        return values, False

    def _pace(self, iteration: int) -> tuple[float | None, float | None]:
        """Images per second, and the seconds left, over the last train rows."""
        rows = self._reader.last("train", _RATE_ROWS)
        if not rows:
            return None, None
        speed = rows[-1].get("images_per_second")
        seconds = rows[-1]["elapsed_seconds"] - rows[0]["elapsed_seconds"]
        done = rows[-1]["iteration"] - rows[0]["iteration"]
        if done <= 0 or seconds <= 0:
            return speed, None
        return speed, max(0, self.config.recipe.iterations - iteration) * seconds / done

    def _place(self) -> int | None:
        """1 + the runs of the same pool whose turn comes before; None where it has just been taken from the queue."""
        from resnet_core.runs import looking  # which reads runs

        return next((status.place for run, status in looking.look(self.path.parent).active if run == self), None)


def _silent_message(seconds: float, stopping: bool) -> str:
    asked = mark(
        "Its worker was last heard {seconds:.0f} seconds ago. It has been asked to stop and is ended where it goes on saying nothing."
    )
    hangs = mark("Its worker was last heard {seconds:.0f} seconds ago. It may hang; stopping it ends it where it goes on saying nothing.")
    return tr(asked if stopping else hangs, seconds=seconds)


def _records_message(ends: Ends) -> str:
    return ends.problem or (tr("Damaged lines of records.jsonl, left out: {damaged}.", damaged=ends.damaged) if ends.damaged else "")


def _interrupted_message(iteration: int, saved: int) -> str:
    start = tr("its checkpoint at iteration {saved}", saved=saved) if saved else tr("the start")
    return tr(
        "The worker process was ended before it could say why, after iteration {iteration}: it was killed "
        "(by a person, or by the system for want of memory), or the machine was restarted. Resuming goes on "
        "from {start}.",
        iteration=iteration,
        start=start,
    )


def _listed_checkpoints(folder: Path) -> dict[int, Path]:
    """Iteration -> folder, oldest first."""
    found = [path for path in folder.iterdir() if re.fullmatch(r"iter-\d+", path.name)]
    return {checkpoint_iteration(path): path for path in sorted(found, key=checkpoint_iteration)}


#: A folder has another stamp when something comes or goes in it.
_checkpoints = files.Kept(_listed_checkpoints)


def checkpoint_iteration(path: Path) -> int:
    """Read from a checkpoint's folder the parameter updates behind it."""
    return int(path.name.removeprefix("iter-"))


def run_names(home: Path) -> list[str]:
    """Everything in the home that is or should be a run: folders, and links that lead nowhere, whose names do not begin with a dot."""
    try:
        with os.scandir(home) as entries:
            return sorted(entry.name for entry in entries if not entry.name.startswith(".") and _is_folder(entry))
    except FileNotFoundError:
        return []


def run_folders(home: Path) -> list[Path]:
    """``run_names`` as paths."""
    return [home / name for name in run_names(home)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir() or (entry.is_symlink() and not os.path.exists(entry.path))
    except OSError:  # a link to itself
        return True
