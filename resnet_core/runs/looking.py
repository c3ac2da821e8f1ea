"""All runs of a home at one moment: what a page draws, at the price of what has changed since the last look, however many runs there are.

What is noticed, and when:

- At the next look: whatever is done through the store, by any process; a run's folder that comes or goes, by whatever hand. Both change
  the home's stamp (``mark``), and then all folders are listed and each folder's stamp is looked at. Runs that have not ended (queued,
  running, interrupted, damaged) are read at each look.
- When it is shown: a file of an ended run that was edited by hand. Whoever takes a run out of a look (``Look.runs``, ``Look.find``) gets
  it as its files are now. With up to ``AT_ONCE`` ended runs all files are looked at in each look, so that holds for everything.
- Within ``CHECK_SECONDS`` of looking on: the same, in what is counted and sorted by (``Look.briefs``), where there are more. A process's
  first look trusts what another has found out for ``TRUST_SECONDS``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import operator
import os
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from resnet_core.config import RunConfig
from resnet_core.errors import RunError
from resnet_core.runs import brief, files, index
from resnet_core.runs.border import BrokenRun
from resnet_core.runs.brief import Brief
from resnet_core.runs.ended import FILES, Ended, Fresh, Pair, Settled, settled, stamp_of, told
from resnet_core.runs.run import Run, run_names
from resnet_core.runs.turns import in_turn, last_began

#: The run to offer of several of one configuration: the one with the most to show.
_PREFERENCE = ("finished", "running", "queued", "stopped", "interrupted", "diverged", "failed")
#: The states in which nothing more happens by itself.
_ENDINGS = ("finished", "diverged", "failed", "stopped")
#: Ended runs of which every file is looked at each time: that takes some milliseconds.
AT_ONCE = 200
CHECK_SECONDS, TRUST_SECONDS = 30.0, 600.0
#: A check beside other work looks at so many runs, and then lets the others go on for so many seconds.
_SLICE, _PAUSE = 100, 0.02


class _Home:
    """What this process knows of a home."""

    def __init__(self, home: Path):
        entries, self.checked = index.read(home)
        self.path = home
        self.settled = Settled(tuple(sorted(entries, key=_KEY)))
        self.others: tuple[str, ...] = ()
        #: The home's stamp when it was listed, if any later change gives it another one.
        self.listed: files.Stamp | None = None
        self.suspects: set[str] = set()
        self.is_first, self.is_checking = True, False
        self.lock = threading.Lock()

    def check(self, entries: Sequence[Ended]) -> None:
        """Holds all runs against their files, beside other work."""
        begin = time.time()
        for start in range(0, len(entries), _SLICE):
            self.suspects.update(each.name for each in entries[start : start + _SLICE] if not each.is_unchanged())
            time.sleep(_PAUSE)
        self.checked, self.is_checking = begin, False
        index.write(self.path, [], [], begin)


_KEY = operator.attrgetter("key")
_HOMES: dict[Path, _Home] = {}
_FIRST = threading.Lock()


def _known(home: Path) -> _Home:
    """What this process has seen; at its first look, what another one has left."""
    with _FIRST:
        if home not in _HOMES:
            _HOMES[home] = _Home(home)
        return _HOMES[home]


class Runs(Sequence[Pair]):
    """Runs with their statuses, each read from its files when it is taken out and has changed. Raises RunError where it is gone by then."""

    def __init__(self, home: _Home, entries: Sequence[Ended | Fresh], is_checked: bool):
        self._home, self._entries, self._is_checked = home, entries, is_checked

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, at: int) -> Pair: ...
    @overload
    def __getitem__(self, at: slice) -> Runs: ...
    def __getitem__(self, at: int | slice) -> Pair | Runs:
        if isinstance(at, slice):
            return Runs(self._home, self._entries[at], self._is_checked)
        return self.now(self._entries[at])

    def __iter__(self) -> Iterator[Pair]:
        if len(self._entries) > 1:
            index.fill(self._home.path, [each for each in self._entries if isinstance(each, Ended)])
        return map(self.now, self._entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def now(self, each: Ended | Fresh) -> Pair:
        if isinstance(each, Fresh):
            return each.known
        try:
            if self._is_checked or each.is_unchanged():
                index.fill(self._home.path, [each])
                return each.read()
            self._home.suspects.add(each.name)
            run = Run(Path(each.path))
            return run, run.look()[0]
        except BrokenRun as error:
            self._home.suspects.add(each.name)
            if each.known is not None:  # it has been there a moment ago
                return each.known
            raise RunError("Run {id} cannot be read: {error}.", id=each.name, error=error) from error


@dataclass(frozen=True, eq=False)
class Look:
    """All runs as they are at one moment.

    Attributes:
        settled: those that have ended.
        others: those that may change by themselves, oldest first.
        broken: the folders that should be runs and cannot be read, each with the reason.
        is_checked: every file of every run was looked at.
    """

    home: _Home
    settled: Settled
    others: Sequence[Fresh]
    broken: list[tuple[Path, str]]
    is_checked: bool

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Look) and self.runs == other.runs and self.broken == other.broken

    @functools.cached_property
    def _entries(self) -> Sequence[Ended | Fresh]:
        return sorted((*self.settled.entries, *self.others), key=_KEY) if self.others else self.settled.entries

    @functools.cached_property
    def runs(self) -> Runs:
        """All runs, each with its status, oldest first."""
        return self._some(self._entries)

    @property
    def briefs(self) -> list[Brief]:
        """All runs in one line each, oldest first."""
        return [each.brief for each in self._entries]

    @property
    def active(self) -> list[Pair]:
        """What runs or waits, oldest first."""
        return [each.known for each in self.others if each.known[1].is_active]

    @property
    def ticket(self) -> int:
        """The highest that any run has."""
        return max([self.settled.ticket, *(each.brief.ticket for each in self.others)])

    @property
    def began(self) -> dict[str, str]:
        """When a run of each owner last began."""
        return last_began([*self.settled.began, *((each.brief.owner, each.brief.started) for each in self.others)])

    def alike(self, fingerprint: str) -> Runs:
        """The runs of one configuration, oldest first."""
        others = [each for each in self.others if each.brief.fingerprint == fingerprint]
        return self._some(sorted([*self.settled.alike.get(fingerprint, []), *others], key=_KEY))

    def find(self, config: RunConfig) -> Pair | None:
        """A run of exactly this configuration; of several, the one with the most to show (finished first, newest first)."""
        same = reversed(self.alike(config.fingerprint))
        return min(same, key=lambda found: _PREFERENCE.index(found[1].state), default=None)

    def reach(self, newest: int, also: Collection[str] = (), search: str = "") -> Runs:
        """The newest runs, of those that a search means, and those with the ids ``also``; oldest first."""
        words = search.casefold().split()
        meant = [each for each in self._entries if each.brief.is_meant(words)] if words else self._entries
        near = meant[max(0, len(meant) - newest) :]
        here = {each.brief.id for each in near}
        wanted = set(also) - here
        return self._some(sorted([*near, *(each for each in self._entries if each.brief.id in wanted)], key=_KEY) if wanted else near)

    def seeds(self, models: Collection[str]) -> list[int]:
        """The seeds that nets of these names were trained with, once for each training."""
        others = [each.brief.seed for each in self.others if each.brief.model in models]
        return others + [seed for model in models for seed in self.settled.seeds.get(model, [])]

    def first_of_kind(self) -> Runs:
        """The first run of each ``Brief.kind``, oldest first."""
        found: dict[str, Ended | Fresh] = dict(self.settled.first_of_kind)
        for each in self.others:
            if each.brief.kind and (each.brief.kind not in found or each.key < found[each.brief.kind].key):
                found[each.brief.kind] = each
        return self._some(sorted(found.values(), key=_KEY))

    def _some(self, entries: Sequence[Ended | Fresh]) -> Runs:
        return Runs(self.home, entries, self.is_checked)


def one(path: Path) -> Pair:
    """One run as it is now; what the last look at its home has kept of it, where nothing has changed since.

    Raises:
        BrokenRun: its run.json is gone or damaged.
        RunError: something else of it is.
    """
    kept = _HOMES.get(path.parent)
    each = kept and kept.settled.named.get(path.name)
    if each and each.is_unchanged():
        index.fill(path.parent, [each])
        return each.read()
    run = Run(path)
    return run, run.state()


def mark(home: Path) -> None:
    """Gives the home another stamp, after something in a run's folder was changed: all who look will look into the folders."""
    with contextlib.suppress(OSError):  # a home that is another's: it is seen as what people change by hand is
        os.utime(home)


def look(home: Path) -> Look:
    """Everything at one moment. Of a run that has ended nothing is read again until one of its files changes.

    Raises:
        RunError: the home cannot be listed.
    """
    kept = _known(home)
    with kept.lock:  # several viewers look at once: what one finds out need not be found out by all
        return _look(home, kept)


def _look(home: Path, kept: _Home) -> Look:
    before, now = kept.settled, time.time()
    stamp = stamp_of(str(home))
    suspects = {kept.suspects.pop() for _ in range(len(kept.suspects))}
    is_due = not 0 <= now - kept.checked < (TRUST_SECONDS if kept.is_first else CHECK_SECONDS)
    is_checked = len(before.entries) <= AT_ONCE or (kept.is_first and is_due)
    entries: Sequence[Ended] = before.entries
    names = set(kept.others)
    if kept.listed is None or kept.listed != stamp:
        with files.explained(home):
            names = set(run_names(home))
        kept.listed = settled(stamp)
        entries = [each for each in entries if each.name in names and (is_checked or each.has_its_files())]
    if is_checked or suspects:
        entries = [each for each in entries if each.is_unchanged() or not (is_checked or each.name in suspects)]
    lost = before.named.keys() - {each.name for each in entries} if len(entries) < len(before.entries) else set()
    known = before.named.keys() - lost if lost else before.named.keys()
    added, others, broken = _read(home, sorted((names | lost) - known))
    kept.others = (*(each.brief.id for each in others), *(path.name for path, _ in broken))
    if added or lost:
        kept.settled = Settled(tuple(sorted([*entries, *added], key=_KEY)))
    if is_checked:
        kept.checked = now
    elif is_due and not kept.is_checking:
        kept.is_checking = True
        threading.Thread(target=kept.check, args=(kept.settled.entries,), daemon=True, name="check of runs").start()
    if added or lost or (kept.is_first and is_due and entries):
        index.write(home, added, [name for name in lost if name not in kept.settled.named], kept.checked)
    kept.is_first = False
    return _placed(Look(kept, kept.settled, others, broken, is_checked))


def _read(home: Path, names: Sequence[str]) -> tuple[list[Ended], list[Fresh], list[tuple[Path, str]]]:
    """The runs of these folders: those that have ended, and whose files are old enough to tell that; all others; what cannot be read."""
    ended: list[Ended] = []
    others: list[Fresh] = []
    broken = []
    for name in names:
        path = home / name
        seen, stamps = told(settled(stamp_of(str(path)))), [stamp_of(f"{path}/{file}") for file in FILES]
        try:
            run = Run(path)
            status, values = run.look()
        except BrokenRun as error:
            if os.path.lexists(path):  # else it has been deleted while we looked
                broken.append((path, str(error)))
            continue
        line = brief.of(run, status, values["ticket"])
        if status.state in _ENDINGS and all(stamp is None or files.is_settled(stamp) for stamp in stamps):
            ended.append(Ended(str(path), seen, told(*stamps), line, (run, status)))
        else:
            others.append(Fresh((run, status), line, values["pool"]))
    return ended, sorted(others, key=_KEY), broken


def _placed(found: Look) -> Look:
    """With the place in its queue of each that waits."""
    queued: dict[str, list[tuple[str, int, Fresh]]] = {}  # by pool
    for each in found.others:
        if each.brief.state == "queued":
            queued.setdefault(each.pool, []).append((each.brief.owner, each.brief.ticket, each))
    began = found.began if any(len(pool) > 1 for pool in queued.values()) else {}
    for pool in queued.values():
        for place, each in enumerate(in_turn(pool, began), 1):
            each.known = each.known[0], dataclasses.replace(each.known[1], place=place)
    return found
