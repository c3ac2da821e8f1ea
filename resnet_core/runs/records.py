"""records.jsonl: one JSON object a line, one writer, append-only but for the cut back to the checkpoint on resume."""

from __future__ import annotations

import collections
import json
import os
import threading
from pathlib import Path
from typing import Any

from resnet_core.runs import files


class RecordWriter:
    """The worker's side. Each row is one ``write`` of one line, so that a reader sees whole lines, or a partial last one.

    Args:
        path: made if missing.
        keep: bytes to keep of what is there: everything after the checkpoint that training resumes from is cut off.

    Raises:
        ValueError: the file is shorter than ``keep``.
    """

    def __init__(self, path: Path, keep: int = 0):
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            size = os.fstat(self._fd).st_size
            if size < keep:
                raise ValueError(f"{path} has {size} bytes, but its checkpoint was saved when it had {keep}")
            os.ftruncate(self._fd, keep)
            os.lseek(self._fd, keep, os.SEEK_SET)
        except BaseException:
            os.close(self._fd)
            raise
        #: Bytes written so far, always at the end of a line.
        self.offset = keep

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


class RecordReader:
    """Reads a growing records.jsonl in steps: each call parses only what is new. Safe to share between threads.

    A last line without its newline is left for the next call. When the file has been cut (the run was resumed), it is read
    anew: that is noticed by its size, or by the last line read no longer standing where it stood.
    """

    def __init__(self, path: Path):
        self.path = path
        #: Whole lines that are no JSON object (a power cut can leave such); they are left out.
        self.damaged = 0
        self._records: list[dict[str, Any]] = []
        self._by_kind: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
        self._offset = 0
        self._last_line = b""
        self._seen: tuple[int, int, int] | None = None
        self._mutex = threading.Lock()

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

    def _refresh(self) -> None:
        try:
            with open(self.path, "rb") as file:
                status = os.fstat(file.fileno())
                seen = (status.st_ino, status.st_size, status.st_mtime_ns)
                if seen == self._seen:
                    return
                if status.st_size < self._offset:
                    self._forget()
                file.seek(self._offset - len(self._last_line))
                data = file.read()
                if not data.startswith(self._last_line):
                    self._forget()
                    file.seek(0)
                    data = file.read()
        except FileNotFoundError:
            self._forget()
            return
        self._seen = seen
        self._parse(data[len(self._last_line) :])

    def _parse(self, data: bytes) -> None:
        whole = data[: data.rfind(b"\n") + 1]
        for line in whole.splitlines(keepends=True):
            self._last_line = line
            try:
                record = json.loads(line)
                kind = str(record["kind"])
            except (ValueError, TypeError, KeyError):
                self.damaged += 1
                continue
            self._records.append(record)
            self._by_kind[kind].append(record)
        self._offset += len(whole)

    def _forget(self) -> None:
        self.damaged, self._offset, self._last_line, self._seen = 0, 0, b"", None
        self._records.clear()
        self._by_kind.clear()


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
