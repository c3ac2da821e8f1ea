"""What is known of the runs that have ended, kept on disk for the next process, which then need not read them all.

The folders are the only truth. ``<home>/.index.json`` holds of each run what a list shows, with the stamps of the files it was read from,
and is worth nothing where one of them has another stamp. Its first line is a checksum over the rest and over the code that has written it:
an index that is damaged, or of another version, is none. It is replaced as a whole, so that any number of processes can read and write it
at once without waiting for each other; one that is missing is made anew, and where the home cannot be written there is none.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnet_core import architectures, atomic, config
from resnet_core.runs import border, ends, files
from resnet_core.runs.run import Run, RunStatus

INDEX = ".index.json"
#: The files that tell of a run, see ``resnet_core.runs.run``.
FILES = ("run.json", "state.json", "meta.json", ends.RECORDS)
_META = FILES.index("meta.json")
Stamped = tuple[tuple[str, files.Stamp | None], ...]
#: That of 2,000 runs has four megabytes; one that is larger than this is done without.
_MOST_BYTES = 256_000_000


@dataclass(frozen=True)
class Ended:
    """A run that has ended, as it was when its files had these stamps.

    Attributes:
        stamped: of each of ``FILES`` its path and its stamp, None where it was not there.
    """

    stamped: Stamped
    run: Run
    status: RunStatus

    def is_unchanged(self) -> bool:
        """Looks at each file, and reads none."""
        return all(_stamp(path) == stamp for path, stamp in self.stamped)


def stamped(folder: Path) -> Stamped:
    """The files of a run as they are now."""
    paths = [f"{folder}/{file}" for file in FILES]
    return tuple((path, _stamp(path)) for path in paths)


def _stamp(path: str) -> files.Stamp | None:
    """None where it is not there, or cannot be looked at."""
    try:
        return files.stamp(os.stat(path))
    except OSError:
        return None


def read(home: Path) -> dict[str, Ended]:
    """What another process has left of the runs in the home, by the names of their folders; empty where there is nothing of use."""
    with contextlib.suppress(OSError, ValueError), files.open_regular(home / INDEX) as file:
        seal, _, content = file.read(_MOST_BYTES).partition(b"\n")
        if seal == _seal(content):
            return {name: _ended(home / name, *entry) for name, entry in json.loads(content).items()}
    return {}


def _ended(path: Path, stamps: list[Any], identity: list[Any], name: str | None, status: list[Any]) -> Ended:
    known = tuple((f"{path}/{file}", stamp and tuple(stamp)) for file, stamp in zip(FILES, stamps, strict=True))
    if known[_META][1]:
        border.know_name(*known[_META], name)
    return Ended(known, Run(path, border.Identity(*identity)), RunStatus(*status))


def write(home: Path, known: Mapping[str, Ended]) -> None:
    """Replaces the index; where the home cannot be written, nothing happens."""
    entries = {}
    for name, ended in known.items():
        identity, status = ended.run.identity, [getattr(ended.status, field.name) for field in dataclasses.fields(RunStatus)]
        stamps = [stamp for _, stamp in ended.stamped]
        entries[name] = stamps, (identity.created, identity.text), border.given_name(ended.run.path), status
    content = json.dumps(entries, separators=(",", ":")).encode()
    with contextlib.suppress(OSError), atomic.replacing(home / INDEX) as written:
        written.write_bytes(_seal(content) + b"\n" + content)


def _seal(content: bytes) -> bytes:
    return hashlib.sha256(_code() + content).hexdigest().encode()


@functools.cache
def _code() -> bytes:
    """A checksum of the code that checks what is in the files and works out what is kept: another version may do either differently."""
    folders = Path(__file__).parent, Path(architectures.__file__).parent
    sources = [Path(config.__file__), *(path for folder in folders for path in sorted(folder.glob("*.py")))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).digest()
