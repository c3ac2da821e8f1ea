"""records.jsonl: one JSON object a line, one writer, append-only but for the cut back to the checkpoint on resume."""

from __future__ import annotations

import collections
import json
import os
import threading
from pathlib import Path
from typing import Any

from resnet_core.language import tr
from resnet_core.runs import files, rows
from resnet_core.runs.rows import Ends


class RecordWriter:
    """The worker's side. Each row is one ``write`` of one line, so that a reader sees whole lines, or a partial last one.

    Args:
        path: made if missing.
        keep: bytes to keep of what is there: everything after the checkpoint that training resumes from is cut off. Where the file has
            become shorter meanwhile, or no line ends there, its whole lines before that are kept: rows are lost, and nothing else.

    Attributes:
        offset: bytes written so far, always at the end of a line.
        lost: bytes of ``keep`` that were no longer there.
    """

    def __init__(self, path: Path, keep: int = 0):
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
        try:
            self.offset = _whole_lines(self._fd, keep)
            self.lost = keep - self.offset
            os.ftruncate(self._fd, self.offset)
            os.lseek(self._fd, self.offset, os.SEEK_SET)
        except BaseException:
            os.close(self._fd)
            raise

    def write(self, record: dict[str, Any]) -> None:
        """Appends one row. NaN and infinity, which JSON does not have, become null."""
        line = (json.dumps(files.finite(record), allow_nan=False, separators=(",", ":")) + "\n").encode()
        view = memoryview(line)
        while view:  # a disk that is nearly full takes a part of the line, then refuses the rest
            view = view[os.write(self._fd, view) :]
        self.offset += len(line)

    def sync(self) -> None:
        os.fsync(self._fd)

    def close(self) -> None:
        os.close(self._fd)


def _whole_lines(fd: int, most: int) -> int:
    """Bytes up to the end of the last line that ends within the first ``most`` bytes of an open file."""
    end = min(most, os.fstat(fd).st_size)
    while end > 0:
        start = max(0, end - 65_536)
        found = os.pread(fd, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


class RecordReader:
    """Reads a growing records.jsonl in steps: each call parses only what is new. Safe to share between threads.

    A last line without its newline is left for the next call. When the file has been cut (the run was resumed), it is read
    anew: that is noticed by its size, or by the last line read no longer standing where it stood. A file that cannot be read has no
    rows, and ``problem`` says why; nothing is raised, as a chart without a curve is better than none.
    """

    _seen: files.Stamp | None
    _names: list[str]
    _records: list[dict[str, Any]]
    _by_kind: dict[str, list[dict[str, Any]]]

    def __init__(self, path: Path):
        self.path = path
        #: Whole lines that are no rows (a power cut can leave such); they are left out.
        self.damaged = 0
        #: Why the file cannot be read; empty where it can.
        self.problem = ""
        self._mutex = threading.Lock()
        self._forget()

    def records(self, kind: str | None = None) -> list[dict[str, Any]]:
        """All rows so far, or those of one kind, in order. The list is the caller's; the rows are shared and not to be changed."""
        with self._mutex:
            self._refresh()
            return list(self._records if kind is None else self._by_kind.get(kind, ()))

    def last(self, kind: str, count: int) -> list[dict[str, Any]]:
        """The last ``count`` rows of a kind."""
        with self._mutex:
            self._refresh()
            return self._by_kind.get(kind, [])[-count:]

    def last_iteration(self) -> int | None:
        """The iteration of the last row; None when there is none."""
        with self._mutex:
            self._refresh()
            return self._records[-1].get("iteration") if self._records else None

    def ends(self) -> Ends:
        """The rows that a list of runs needs."""
        with self._mutex:
            self._refresh()
            train, test = self._by_kind.get("train"), self._by_kind.get("test")
            last = self._records[-1]["iteration"] if self._records else None
            picked = (rows[at] if rows else None for rows, at in ((train, 0), (train, -1), (test, -1)))
            return Ends(last, self.damaged, self.problem, *picked)

    def _refresh(self) -> None:
        """Takes in what is new: all of it, or, where anything goes wrong, nothing of the file at all, and reads it anew next time."""
        try:
            self._take_in()
        except FileNotFoundError:
            self._forget()
        except (OSError, ValueError) as error:
            self._forget()
            reason = error.strerror if isinstance(error, OSError) else error
            self.problem = tr("{name} cannot be read: {reason}.", name=self.path.name, reason=reason)
        except BaseException:
            self._forget()
            raise

    def _take_in(self) -> None:
        with files.open_regular(self.path) as file:
            seen = files.stamp(os.fstat(file.fileno()))
            if seen == self._seen:
                return
            if seen[1] < self._offset:
                self._forget()
            file.seek(self._offset - len(self._last_line))
            data = file.read()
            if not data.startswith(self._last_line):
                self._forget()
                file.seek(0)
                data = file.read()
        self._parse(data[len(self._last_line) :])
        self._seen, self.problem = seen, ""

    def _parse(self, data: bytes) -> None:
        whole = data[: data.rfind(b"\n") + 1]
        for line in whole.splitlines(keepends=True):
            self._last_line = line
            record = rows.parsed(line)
            if record is not None and record["kind"] == "layers":
                self._names = self._names or record["names"]
                record = record if record["names"] == self._names else None  # of another net
            if record is None:
                self.damaged += 1
                continue
            self._records.append(record)
            self._by_kind[record["kind"]].append(record)
        self._offset += len(whole)

    def _forget(self) -> None:
        self.damaged, self.problem, self._offset, self._last_line = 0, "", 0, b""
        self._seen, self._names, self._records, self._by_kind = None, [], [], collections.defaultdict(list)


#: Readers of the runs looked at last, shared by all viewers in this process.
_READERS: collections.OrderedDict[Path, RecordReader] = collections.OrderedDict()
_READERS_KEPT = 256
_MUTEX = threading.Lock()


def reader(path: Path) -> RecordReader:
    """The shared reader of ``path``."""
    with _MUTEX:
        found = _READERS.get(path)
        if found is None:
            found = _READERS[path] = RecordReader(path)
            while len(_READERS) > _READERS_KEPT:
                _READERS.popitem(last=False)
        _READERS.move_to_end(path)
        return found
