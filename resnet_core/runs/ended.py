"""A run that has ended: read once, and looked at again through the stamps of its files alone."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from resnet_core.runs import ends, files
from resnet_core.runs.brief import Brief
from resnet_core.runs.run import Run, RunStatus

#: The files that tell of a run, see ``resnet_core.runs.run``.
FILES = ("run.json", "state.json", "meta.json", ends.RECORDS)
Pair = tuple[Run, RunStatus]


@dataclass(eq=False, slots=True)
class Ended:
    """A run that has ended, as it was when its files had these stamps.

    Attributes:
        path: its folder.
        seen: the stamp of the folder, which changes when a file in it is replaced, comes or goes; empty where it was too young to tell.
        stamps: of each of ``FILES``. Stamps are text here (``told``): of ten thousand runs that is read and compared faster.
        known: the run and its status; None as long as nobody has asked for them.
    """

    path: str
    seen: str
    stamps: str
    brief: Brief
    known: Pair | None = None
    name: str = field(init=False)
    key: tuple[datetime, str] = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.brief.id
        self.key = datetime.fromisoformat(self.brief.created), self.brief.id

    def is_unchanged(self) -> bool:
        """Looks at each file, and reads none."""
        return told(*[stamp_of(f"{self.path}/{file}") for file in FILES]) == self.stamps

    def has_its_files(self) -> bool:
        """Looks at the folder alone; at the files where it has changed."""
        now = stamp_of(self.path)
        if self.seen and self.seen == told(now):
            return True
        if not self.is_unchanged():
            return False
        self.seen = told(settled(now))
        return True

    def read(self) -> Pair:
        """The run and its status; raises BrokenRun."""
        if self.known is None:
            run = Run(Path(self.path))
            self.known = run, run.look()[0]
        return self.known


@dataclass(eq=False, slots=True)
class Fresh:
    """A run that may still change by itself, as it is now, and the pool that it waits in or waited in."""

    known: Pair
    brief: Brief
    pool: str

    @property
    def key(self) -> tuple[datetime, str]:
        return self.known[0].created_at, self.brief.id


@dataclass(frozen=True, eq=False)
class Settled:
    """All runs of a home that have ended, oldest first; one and the same for all looks until one of them changes."""

    entries: tuple[Ended, ...] = ()

    @functools.cached_property
    def named(self) -> dict[str, Ended]:
        return {each.name: each for each in self.entries}

    @functools.cached_property
    def alike(self) -> dict[str, list[Ended]]:
        """By the fingerprints of their configurations."""
        found: dict[str, list[Ended]] = {}
        for each in self.entries:
            found.setdefault(each.brief.fingerprint, []).append(each)
        return found

    @functools.cached_property
    def seeds(self) -> dict[str, list[int]]:
        """The seeds that each net was trained with, by its name, once for each training."""
        found: dict[str, list[int]] = {}
        for each in self.entries:
            found.setdefault(each.brief.model, []).append(each.brief.seed)
        return found

    @functools.cached_property
    def first_of_kind(self) -> dict[str, Ended]:
        """The first of each ``Brief.kind``."""
        found: dict[str, Ended] = {}
        for each in self.entries:
            if each.brief.kind:
                found.setdefault(each.brief.kind, each)
        return found

    @functools.cached_property
    def began(self) -> list[tuple[str, str]]:
        """When a run of each owner last began, see ``turns.last_began``."""
        found: dict[str, str] = {}
        for each in self.entries:
            if each.brief.started:
                found[each.brief.owner] = max(each.brief.started, found.get(each.brief.owner, ""))
        return list(found.items())

    @functools.cached_property
    def ticket(self) -> int:
        return max((each.brief.ticket for each in self.entries), default=0)


def stamp_of(path: str) -> files.Stamp | None:
    """None where it is not there, or cannot be looked at."""
    try:
        return files.stamp(os.stat(path))
    except OSError:
        return None


def told(*stamps: files.Stamp | None) -> str:
    """Stamps as text; of a file that is not there, nothing."""
    return " ".join([f"{stamp[0]}-{stamp[1]}-{stamp[2]}" if stamp else "" for stamp in stamps])


def settled(stamp: files.Stamp | None) -> files.Stamp | None:
    """The stamp, if any further change will give the file or folder another one."""
    return stamp if stamp is not None and files.is_settled(stamp) else None
