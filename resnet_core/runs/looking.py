"""All runs of a home at one moment: what a page draws, from one scan, at the price of what has changed since the last one."""

from __future__ import annotations

import dataclasses
import functools
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from resnet_core.config import RunConfig
from resnet_core.runs import files, index
from resnet_core.runs.border import BrokenRun
from resnet_core.runs.index import Ended
from resnet_core.runs.run import Run, RunStatus, run_names
from resnet_core.runs.turns import in_turn, last_began

#: The run to offer of several of one configuration: the one with the most to show.
_PREFERENCE = ("finished", "running", "queued", "stopped", "interrupted", "diverged", "failed")


@dataclass(frozen=True)
class Look:
    """All runs as they are at one moment, from one scan of the home.

    Attributes:
        runs: each with its status, oldest first.
        broken: the folders that should be runs and cannot be read, each with the reason.
    """

    runs: list[tuple[Run, RunStatus]]
    broken: list[tuple[Path, str]]

    def find(self, config: RunConfig) -> tuple[Run, RunStatus] | None:
        """A run of exactly this configuration; of several, the one with the most to show (finished first, newest first)."""
        same = reversed(self._by_fingerprint.get(config.fingerprint, []))
        return min(same, key=lambda found: _PREFERENCE.index(found[1].state), default=None)

    @functools.cached_property
    def _by_fingerprint(self) -> dict[str, list[tuple[Run, RunStatus]]]:
        found: dict[str, list[tuple[Run, RunStatus]]] = {}
        for pair in self.runs:
            found.setdefault(pair[0].fingerprint, []).append(pair)
        return found


#: The states in which nothing more happens by itself.
_ENDINGS = ("finished", "diverged", "failed", "stopped")

#: home -> name of the folder -> what need not be read again.
_ENDED: dict[Path, dict[str, Ended]] = {}
_FIRST = threading.Lock()


def _known(home: Path) -> dict[str, Ended]:
    """What this process has seen; at its first look, what another one has left."""
    with _FIRST:
        if home not in _ENDED:
            _ENDED[home] = index.read(home)
        return _ENDED[home]


def one(path: Path) -> tuple[Run, RunStatus]:
    """One run as it is now; what the last look at its home has kept of it, where nothing has changed since.

    Raises:
        BrokenRun: its run.json is gone or damaged.
        RunError: something else of it is.
    """
    ended = _ENDED.get(path.parent, {}).get(path.name)
    if ended is not None and ended.is_unchanged():
        return ended.run, ended.status
    run = Run(path)
    return run, run.state()


def look(home: Path) -> Look:
    """Everything at one moment. Of a run that has ended nothing is read again until one of its files changes.

    Raises:
        RunError: the home cannot be listed.
    """
    with files.explained(home):
        names = run_names(home)
    known, kept = _known(home), {}  # neither is changed once others can see it: several viewers look at once
    looked, broken = [], []
    queued: dict[str, list[tuple[str, int, tuple[Run, RunStatus]]]] = {}  # by pool
    for name in names:
        ended = known.get(name)
        if ended is not None and ended.is_unchanged():
            looked.append((ended.run, ended.status))
            kept[name] = ended
            continue
        path = home / name
        stamped = index.stamped(path)
        try:
            run = Run(path)
            status, values = run.look()
        except BrokenRun as error:
            if os.path.lexists(path):  # else it has been deleted while we looked
                broken.append((path, str(error)))
            continue
        if status.state == "queued":
            queued.setdefault(values["pool"], []).append((run.owner, values["ticket"], (run, status)))
            continue
        looked.append((run, status))
        if status.state in _ENDINGS and all(stamp is None or files.is_settled(stamp) for _, stamp in stamped):
            kept[name] = Ended(stamped, run, status)
    waiting = [pair for pool in queued.values() for *_, pair in pool]
    began = last_began((run.owner, status.started) for run, status in [*looked, *waiting]) if len(waiting) > 1 else {}
    for pool in queued.values():
        for place, (run, status) in enumerate(in_turn(pool, began), 1):
            looked.append((run, dataclasses.replace(status, place=place)))
    _ENDED[home] = kept
    if any(known.get(name) is not ended for name, ended in kept.items()):
        index.write(home, kept)
    return Look(sorted(looked, key=lambda found: (found[0].created_at, found[0].id)), broken)
