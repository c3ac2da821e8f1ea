"""First and last rows of the runs that are not being trained, read once for all viewers, and kept on disk for the next process.

Whoever lists a thousand runs needs four rows of each, and would have to parse some hundred. ``<home>/.ends.json`` holds those four, each
with the stamp of the records.jsonl they were read from: where that is another one, or the file is damaged or missing, they are read again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from resnet_core.runs import files
from resnet_core.runs.records import RecordReader
from resnet_core.runs.rows import Ends, is_row, is_whole

INDEX = ".ends.json"
RECORDS = "records.jsonl"
_ROWS = ("first_train", "last_train", "last_test")


_kept = files.Kept(lambda path: RecordReader(path).ends())
#: Of each home, how much had been read when its index was last read or written.
_at: dict[Path, int] = {}


def kept_ends(folder: Path) -> Ends:
    """Of the records in a folder, kept as long as the file is the same. Raises nothing."""
    try:
        return _kept(f"{folder}/{RECORDS}")
    except FileNotFoundError:
        return Ends()
    except OSError as error:
        return Ends(problem=f"{RECORDS} cannot be read: {error.strerror}.")


def recall(home: Path) -> None:
    """Takes up what another process has read; once for each home."""
    if home in _at:
        return
    _at[home] = _kept.reads
    with contextlib.suppress(OSError, ValueError, RecursionError), files.open_regular(home / INDEX) as file:
        index = json.loads(file.read())
        for name, entry in index.items() if isinstance(index, dict) else ():
            if (known := _entry(entry)) is not None:
                _kept.known.setdefault(f"{home}/{name}/{RECORDS}", known)


def _entry(entry: Any) -> tuple[files.Stamp, Ends] | None:
    try:
        stamp, values = entry
        ends = Ends(**values)
        rows = [row for name in _ROWS if (row := getattr(ends, name)) is not None]
        plain = is_whole(ends.damaged, 0, 2**53) and (ends.iteration is None or is_whole(ends.iteration)) and isinstance(ends.problem, str)
        fits = all(map(is_row, rows)) and len(stamp) == 3 and all(type(part) is int for part in stamp)
    except (TypeError, ValueError):
        return None
    return (tuple(stamp), ends) if plain and fits else None


def remember(home: Path, names: Iterable[str]) -> None:
    """Writes the index where something was read since the last time; a home that cannot be written goes without."""
    if _at.get(home) == _kept.reads:
        return
    _at[home] = _kept.reads
    known = {name: _kept.known.get(f"{home}/{name}/{RECORDS}") for name in names}
    found = {name: (entry[0], dataclasses.asdict(entry[1])) for name, entry in known.items() if entry is not None}
    temporary = home / f"{INDEX}.{uuid.uuid4().hex[:8]}.tmp"
    try:
        temporary.write_text(json.dumps(found, separators=(",", ":")), encoding="utf-8")
        os.replace(temporary, home / INDEX)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
