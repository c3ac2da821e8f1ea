"""What is known of the runs that have ended, kept on disk for the next process, which then need not read them all.

The folders are the only truth. ``<home>/.index/runs.sqlite`` holds of each run a line for lists (``brief``), and what a page needs when it
shows the run (``detail``), each with the stamps of the files it was read from, and is worth nothing where one of them has another stamp.
Each row has a checksum over itself and over the code that has written it: a row that is damaged, or of another version, is none, and a
file that SQLite cannot read is thrown away and made anew. Nothing here raises: where the home cannot be written, or the file is locked
(a file server without locks), there is no index. It lies in a folder of its own, so that writing it leaves the home's stamp as it is.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import sqlite3
import stat
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from resnet_core import architectures, config
from resnet_core.runs import border
from resnet_core.runs.brief import Brief
from resnet_core.runs.ended import FILES, Ended
from resnet_core.runs.run import Run, RunStatus

INDEX = Path(".index", "runs.sqlite")
#: What versions before this one have left.
_OLD = ".index.json"
#: That of 10,000 runs has 25 megabytes; one that is larger than this is done without.
_MOST_BYTES = 2_000_000_000
#: Seconds to wait for another process that writes.
_PATIENCE = 1.0
#: Damage, which throwing the file away mends; everything else (locked, full, not to be written) it does not.
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_CONSTRAINT)
#: Whatever is wrong with an index: it is done without.
_PROBLEMS = (OSError, sqlite3.Error, ValueError, TypeError)
_TABLES = """
DROP TABLE IF EXISTS about; DROP TABLE IF EXISTS brief; DROP TABLE IF EXISTS detail;
CREATE TABLE about(code INTEGER, checked REAL);
CREATE TABLE brief(name TEXT PRIMARY KEY, content BLOB, seal INTEGER);
CREATE TABLE detail(name TEXT PRIMARY KEY, content BLOB, seal INTEGER);
"""


def read(home: Path) -> tuple[list[Ended], float]:
    """What another process has left of the runs in the home, and when all were last held against their files (seconds; 0: unknown)."""
    with contextlib.suppress(*_PROBLEMS), contextlib.closing(_opened(home / INDEX, "ro")) as db:
        ((code, checked),) = db.execute("SELECT code, checked FROM about")
        if code == _code():
            rows = _sound(db.execute("SELECT name, content, seal FROM brief WHERE typeof(content) = 'blob'"))
            values = json.loads(b"[" + b",".join(content for _, content in rows) + b"]")
            found = [
                Ended(f"{home}/{name}", seen, stamps, Brief(*brief)) for (name, _), (seen, stamps, brief) in zip(rows, values, strict=True)
            ]
            return found, float(checked)
    return [], 0.0


def fill(home: Path, entries: Iterable[Ended]) -> None:
    """Takes up what is kept of these runs and is not known yet."""
    wanted = {each.name: each for each in entries if each.known is None}
    if not wanted:
        return
    with contextlib.suppress(*_PROBLEMS), contextlib.closing(_opened(home / INDEX, "ro")) as db:
        ((code, _),) = db.execute("SELECT code, checked FROM about")
        if code != _code():
            return
        query, one = "SELECT name, content, seal FROM detail WHERE typeof(content) = 'blob'", list(wanted)
        rows = db.execute(f"{query} AND name = ?", one) if len(one) == 1 else db.execute(query)
        for name, content in _sound(rows):
            if name in wanted:
                _take(wanted[name], *json.loads(content))


def _take(each: Ended, stamps: str, identity: list[Any], given: str | None, status: list[Any]) -> None:
    if stamps == each.stamps:
        if meta := stamps.split(" ")[FILES.index("meta.json")]:
            inode, size, changed = map(int, meta.split("-"))
            border.know_name(f"{each.path}/meta.json", (inode, size, changed), given)
        each.known = Run(Path(each.path), border.Identity(*identity)), RunStatus(*status)


def write(home: Path, changed: Iterable[Ended], gone: Iterable[str], checked: float) -> bool:
    """Brings the index up to date. Whether it could be."""
    briefs, details = [], []
    for each in changed:
        if each.known is None:
            continue
        run, status = each.known
        values = [getattr(status, field.name) for field in dataclasses.fields(RunStatus)]
        detail = each.stamps, (run.identity.created, run.identity.text), border.given_name(run.path), values
        briefs.append(_sealed(each.name, (each.seen, each.stamps, each.brief)))
        details.append(_sealed(each.name, detail))
    for again in (True, False):
        try:
            _write(home, briefs, details, [(name,) for name in gone], checked)
            return True
        except sqlite3.Error as error:
            if not again or getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
                return False
            with contextlib.suppress(OSError):
                os.unlink(home / INDEX)
        except OSError:
            return False
    return False


def _write(home: Path, briefs: list[Any], details: list[Any], gone: list[Any], checked: float) -> None:
    (home / INDEX.parent).mkdir(exist_ok=True)
    with contextlib.closing(_opened(home / INDEX, "rwc")) as db:
        # A crash in the middle may damage the file, which is then made anew; it leaves no second file behind.
        db.executescript("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;")
        db.execute("BEGIN IMMEDIATE")
        try:
            if [row[0] for row in db.execute("SELECT code FROM about")] != [_code()]:
                raise sqlite3.OperationalError
        except sqlite3.OperationalError:  # of another version, or new
            for statement in filter(str.strip, _TABLES.split(";")):
                db.execute(statement)
            db.execute("INSERT INTO about VALUES (?, ?)", (_code(), 0.0))
        for name, rows in (("brief", briefs), ("detail", details)):
            db.executemany(f"DELETE FROM {name} WHERE name = ?", gone)
            db.executemany(f"INSERT OR REPLACE INTO {name} VALUES (?, ?, ?)", rows)
        db.execute("UPDATE about SET checked = ?", (checked,))
        db.execute("COMMIT")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(home / _OLD)


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    """Raises OSError where something else is in its place, and sqlite3.Error."""
    with contextlib.suppress(FileNotFoundError):
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
            raise OSError(f"{path} is no index")
    return sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=_PATIENCE, isolation_level=None)


def _sealed(name: str, values: Any) -> tuple[str, bytes, int]:
    content = json.dumps(values, separators=(",", ":")).encode()
    return name, content, zlib.crc32(content, zlib.crc32(name.encode(), _code()))


def _sound(rows: Iterable[tuple[str, bytes, int]]) -> list[tuple[str, bytes]]:
    """The rows that are as they were written."""
    crc32, code = zlib.crc32, _code()
    return [(name, content) for name, content, seal in rows if seal == crc32(content, crc32(name.encode(), code))]


@functools.cache
def _code() -> int:
    """A checksum of the code that checks what is in the files and works out what is kept: another version may do either differently."""
    folders = Path(__file__).parent, Path(architectures.__file__).parent
    sources = [Path(config.__file__), *(path for folder in folders for path in sorted(folder.glob("*.py")))]
    return zlib.crc32(b"".join(path.read_bytes() for path in sources))
