"""One run: a cheap view on its folder. Everything is read from the files when it is asked for; nothing is kept but what never changes.

- run.json: id, config, versions, created, data_dir, fingerprint; written once
- meta.json: name
- state.json: state, ticket, pool, plan, iteration, result, message, times; replaced at each change, under the home lock
- records.jsonl: the rows of the training
- checkpoints/: iter-00000100/ and the like
- lock: held (flock) by the worker that trains it
- stop: exists while the training is asked to stop
- worker.log: what the worker printed while it trained this run
"""

from __future__ import annotations

import functools
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnet_core.config import RunConfig
from resnet_core.errors import RunError, UserError
from resnet_core.runs import files
from resnet_core.runs.records import RecordReader, reader

#: ``interrupted`` stands in no file: it is a run said to be running whose lock nobody holds.
STATES = ("queued", "running", "stopped", "interrupted", "finished", "diverged", "failed")
RESUMABLE = ("stopped", "interrupted", "failed")
#: Train rows that speed and remaining time are taken from: enough to smooth, few enough to follow a change.
_RATE_ROWS = 20
_SETTLED_NS = 2_000_000_000


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

    @property
    def is_active(self) -> bool:
        """Queued or running: something may still happen without anybody asking for it."""
        return self.state in ("queued", "running")


class BrokenRun(Exception):
    """A folder in the home that is no readable run; ``str(error)`` is the reason. Internal: listings collect it."""


@functools.lru_cache(maxsize=4096)
def _identity(path: Path, mtime_ns: int, inode: int) -> tuple[RunConfig, str, dict[str, Any]]:
    """Configuration, fingerprint and checked contents of one run.json, which is written once: parsed once for all polls of all viewers."""
    values = files.read_json(path)
    for key in ("config", "created"):
        if key not in values:
            raise BrokenRun(f"run.json has no {key!r}")
    if not isinstance(values["created"], str):
        raise BrokenRun("run.json: created is not a text")
    config = RunConfig.from_dict(values["config"])
    # Not the one that was written: a field that the configuration has gained since changes the fingerprints of old runs too.
    return config, config.fingerprint, values


class Run:
    """A view on the folder ``path``.

    Attributes:
        id: the name of the folder.
        path: the folder.
        config: the whole configuration.
        fingerprint: of the configuration.
        created: UTC, ISO 8601.
        data_dir: where the data set lay when the run was submitted, or None (the embedded sample).
        versions: of python, torch, torchvision and resnet-lab, when it was submitted.
    """

    def __init__(self, path: Path):
        self.path = path
        self.id = path.name
        try:
            status = (path / "run.json").stat()
            self.config, self.fingerprint, values = _identity(path / "run.json", status.st_mtime_ns, status.st_ino)
        except FileNotFoundError:
            raise BrokenRun("run.json is missing") from None
        except (OSError, ValueError, TypeError, UserError) as error:
            raise BrokenRun(f"run.json cannot be read: {error}") from error
        self.created: str = values["created"]
        self.data_dir: Path | None = Path(values["data_dir"]) if values.get("data_dir") else None
        self.versions: dict[str, str] = values.get("versions") or {}

    def __repr__(self) -> str:
        return f"Run({self.id!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    @property
    def name(self) -> str:
        """The name given to it; that of its net if it was given none."""
        try:
            name = files.read_json(self.path / "meta.json").get("name")
        except (OSError, ValueError):
            name = None
        return name if isinstance(name, str) and name else self.config.model.name

    @property
    def machines(self) -> list[str]:
        """The processors or graphics cards that have trained it, in order; more than one where it was continued elsewhere."""
        try:
            return list(read_state(self.path).get("machines") or [])
        except BrokenRun:
            return []

    @property
    def commits(self) -> list[str]:
        """The commits of this code that have trained it, in order; more than one where it was continued with newer code."""
        try:
            recorded = list(read_state(self.path).get("commits") or [])
        except BrokenRun:
            recorded = []
        return recorded or [self.versions["commit"]] if "commit" in self.versions else recorded

    @property
    def checkpoints(self) -> list[Path]:
        """The folders of its checkpoints, oldest first."""
        try:
            found = [p for p in (self.path / "checkpoints").iterdir() if re.fullmatch(r"iter-\d+", p.name)]
        except OSError:
            return []
        return sorted(found, key=checkpoint_iteration)

    def records(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The rows of ``kind`` (``train``, ``test``, ``layers``; None: all), in order, as far as they are written.

        Only what is new since the last call is read and parsed. The rows are shared with other callers: do not change them.
        """
        return self._reader.records(kind)

    def state(self) -> RunStatus:
        """Raises RunError when the folder is gone or damaged."""
        try:
            values, held = self._settled_state()
        except BrokenRun as error:
            raise RunError(f"Run {self.id} cannot be read: {error}.") from error
        state, message = values["state"], values.get("message") or ""
        rows = self._reader
        last = rows.last_iteration()
        iteration = values.get("iteration") or 0
        speed, eta = (values.get("result") or {}).get("images_per_second"), None
        if state == "running":
            iteration = max(last or 0, iteration)
            if held:
                speed, eta = self._pace(iteration)
            else:
                state = "interrupted"
                saved = checkpoint_iteration(self.checkpoints[-1]) if self.checkpoints else 0
                iteration = max(iteration, saved)
                message = _interrupted_message(iteration, saved)
        if rows.damaged:
            message = f"{message} Damaged lines of records.jsonl, left out: {rows.damaged}.".strip()
        return RunStatus(
            state=state,
            iteration=iteration,
            iterations=self.config.recipe.iterations,
            message=message,
            place=self._place(values) if state == "queued" else None,
            plan=values.get("plan"),
            result=values.get("result"),
            started=values.get("started"),
            ended=values.get("ended"),
            images_per_second=speed,
            eta_seconds=eta,
            stopping=state == "running" and (self.path / "stop").exists(),
        )

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
        return speed, (self.config.recipe.iterations - iteration) * seconds / done

    def _place(self, values: dict[str, Any]) -> int:
        """1 + the runs of the same pool with a lower ticket that are queued too."""
        ahead = 0
        for folder in run_folders(self.path.parent):
            try:
                Run(folder)
                other = read_state(folder)
            except BrokenRun:  # never trained, so not in the way
                continue
            ahead += other["state"] == "queued" and other["pool"] == values["pool"] and other["ticket"] < values["ticket"]
        return ahead + 1


def _interrupted_message(iteration: int, saved: int) -> str:
    start = f"its checkpoint at iteration {saved}" if saved else "the start"
    return (
        f"The worker process ended without a word, after iteration {iteration}: it was killed (by a person, or by the "
        f"system for want of memory), or the machine was restarted. Resuming goes on from {start}."
    )


def checkpoint_iteration(path: Path) -> int:
    """Of a checkpoint's folder: the parameter updates behind it."""
    return int(path.name.removeprefix("iter-"))


def run_folders(home: Path) -> list[Path]:
    """Every folder of the home that is or should be a run: those whose names do not begin with a dot."""
    try:
        with os.scandir(home) as entries:
            names = [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    except FileNotFoundError:
        return []
    return [home / name for name in sorted(names)]


def read_state(path: Path) -> dict[str, Any]:
    """state.json of the run folder ``path``, with ``state``, ``ticket`` and ``pool`` checked. Raises BrokenRun."""
    file = path / "state.json"
    try:
        status = file.stat()
        # Each change makes a new file, so an old one need not be read again. One of the last seconds must be: two changes within a
        # tick of the file system's clock could look alike.
        if time.time_ns() - status.st_mtime_ns < _SETTLED_NS:
            return _checked_state(file)
        return dict(_known_state(file, status.st_mtime_ns, status.st_ino, status.st_size))
    except FileNotFoundError:
        reason = "state.json is missing" if path.is_dir() else "it has been deleted"
        raise BrokenRun(reason) from None
    except (OSError, ValueError) as error:
        raise BrokenRun(f"state.json cannot be read: {error}") from error


def _checked_state(file: Path) -> dict[str, Any]:
    values = files.read_json(file)
    if values.get("state") not in STATES:
        raise BrokenRun(f"state.json: {values.get('state')!r} is not a state")
    if not isinstance(values.get("ticket"), int) or not isinstance(values.get("pool"), str):
        raise BrokenRun("state.json has no ticket or no pool")
    return values


@functools.lru_cache(maxsize=4096)
def _known_state(file: Path, mtime_ns: int, inode: int, size: int) -> dict[str, Any]:
    return _checked_state(file)
