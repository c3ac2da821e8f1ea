"""What the run store asks of the file system: atomic JSON files, locks that die with their process, errors with a next step."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import math
import os
import stat
import time
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from resnet_core import atomic
from resnet_core.errors import RunError
from resnet_core.language import mark

T = TypeVar("T")
#: JSON files of runs and checkpoints have a few kilobytes; one that is larger is not ours.
_MOST_BYTES = 16_000_000
#: A file that was changed within this time is read again: two changes within a tick of the file system's clock could look alike.
_SETTLED_NS = 2_000_000_000
#: Files whose contents are kept in memory. A run takes three.
_MOST_KEPT = 100_000
#: Levels of JSON inside each other; ours has five.
_MOST_LEVELS = 20
_OTHER_FOLDER = mark("check that path, or choose another folder with RESNET_LAB_HOME or --home")

#: Errors of the file system, and how the user can mend them; of all others, see ``os_problem``.
_REMEDIES = {
    errno.ENOSPC: mark("free some space there (deleting runs helps)"),
    errno.EDQUOT: mark("free some space there (deleting runs helps)"),
    errno.EROFS: mark("make it writable, or choose another folder with RESNET_LAB_HOME or --home"),
    errno.EACCES: mark("make it writable, or choose another folder with RESNET_LAB_HOME or --home"),
    errno.EPERM: mark("make it writable, or choose another folder with RESNET_LAB_HOME or --home"),
    errno.ENOTDIR: mark("choose a folder with RESNET_LAB_HOME or --home"),
    errno.EEXIST: mark("choose a folder with RESNET_LAB_HOME or --home"),
    errno.EIO: mark("check the disk"),
    errno.EMFILE: mark("close some programs, or raise the limit of open files (ulimit -n)"),
}


def home(path: Path | str | None = None) -> Path:
    """The folder of all runs, absolute: ``path``, else ``RESNET_LAB_HOME``, else ``runs`` in the working directory. Not created."""
    return Path(os.path.expanduser(path or os.environ.get("RESNET_LAB_HOME") or "runs")).absolute()


def now() -> str:
    """UTC, ISO 8601, with microseconds, so that the order of the texts is the order of the times."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def os_problem(error: OSError, path: Path) -> str | None:
    """The whole message for an error of the file system that the user can mend; None for any other."""
    remedy = _REMEDIES.get(error.errno or 0)
    return remedy and f"{shown(error.filename or path)}: {os.strerror(error.errno or 0)}; {remedy}."


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns any error of the file system at a path that a person chose into a RunError that says what to do."""
    try:
        yield
    except OSError as error:
        other = f"{shown(error.filename or path)}: {error.strerror or error}; {_OTHER_FOLDER}."
        raise RunError(os_problem(error, path) or other) from error


def shown(path: Path | str | bytes) -> str:
    """A path as it can be printed anywhere: control characters, and bytes that are no UTF-8, as ``\\x..``."""

    def code(c: str) -> int:
        return ord(c) - 0xDC00 if "\udc80" <= c <= "\udcff" else ord(c)

    return "".join(c if is_printable(c) else f"\\x{code(c):02x}" for c in os.fsdecode(path))


def is_printable(text: str) -> bool:
    """Whether it holds neither control characters nor line breaks nor what is no character at all."""
    return not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in text)


def log(text: str) -> None:
    """To standard error, past all buffers, at once and whole; silently nowhere if that is a file on a full disk."""
    with contextlib.suppress(OSError):
        os.write(2, f"{text.rstrip()}\n".encode())


def write_json(path: Path, value: dict[str, Any], in_place: bool = False) -> None:
    """Replaces ``path`` atomically. Callers hold the home lock (or own the folder), so one fixed temporary name will do.

    ``in_place`` overwrites it instead, with one small write, which a full disk still has the block for: the last resort for
    saying that the disk is full.
    """
    temporary = path.name + ".tmp"
    text = json.dumps(finite(value), indent=1, allow_nan=False) + "\n"
    if in_place:
        path.with_name(temporary).unlink(missing_ok=True)
        with open(path, "r+b", buffering=0) as file:
            file.truncate(file.write(text.encode()))
            os.fsync(file.fileno())
        return
    with atomic.replacing(path, temporary) as written:
        written.write_text(text, encoding="utf-8")


def finite(value: Any) -> Any:
    """A copy in which NaN and infinity, which JSON does not have, are None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


def read_json(path: Path) -> dict[str, Any]:
    """Raises FileNotFoundError, another OSError, or ValueError: not a JSON object, or one that JSON or UTF-8 cannot hold again."""
    with open_regular(path) as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ValueError(f"it has more than {_MOST_BYTES:,} bytes")
    try:
        value = json.loads(content)
        if not isinstance(value, dict):
            raise ValueError("it does not hold a JSON object")
        # What Python reads and nothing else does: NaN and infinity, lone surrogates (a UnicodeEncodeError is a ValueError), great depth.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        if content.count(b"{") + content.count(b"[") > _MOST_LEVELS and _levels(value) > _MOST_LEVELS:
            raise RecursionError
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def _levels(value: Any) -> int:
    """How many objects and lists of parsed JSON stand inside each other."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max(map(_levels, inside), default=0)


def open_regular(path: Path) -> Any:
    """The file for reading bytes; not a folder, and not a pipe, which nobody may be writing to.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is no regular file.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise ValueError("it is not a regular file")
    return open(fd, "rb")


Stamp = tuple[int, int, int]


def stamp(status: os.stat_result) -> Stamp:
    """Changes when the file does."""
    return status.st_ino, status.st_size, status.st_mtime_ns


def is_settled(found: Stamp) -> bool:
    """Whether a file with this stamp is old enough for any further change to give it another one."""
    return time.time_ns() - found[2] >= _SETTLED_NS


class Kept(Generic[T]):
    """What ``read`` makes of files, kept for all viewers as long as a file's stamp stays the same. Errors are not kept.

    All files of all runs have room: where the oldest had to go, a look at one more would cost a look at all.

    Attributes:
        known: path -> the stamp it was read with, and what came of it.
    """

    def __init__(self, read: Callable[[Path], T]):
        self._read = read
        self.known: dict[str, tuple[Stamp, T]] = {}

    def __call__(self, path: str) -> T:
        """Raises what ``read`` raises, and OSError."""
        found = stamp(os.stat(path))
        known = self.known.get(path)
        if known is not None and known[0] == found:
            return known[1]
        value = self._read(Path(path))
        if is_settled(found):
            if len(self.known) >= _MOST_KEPT:
                self.known.clear()
            self.known[path] = found, value
        return value


def acquire(path: Path, timeout: float = 0.0) -> int | None:
    """Takes the exclusive ``flock`` of ``path`` (made if missing); its file descriptor, or None if others hold it for ``timeout`` seconds.

    The lock belongs to the open file, so threads of one process exclude each other too, and the kernel releases it when
    the process dies, however it dies.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    end = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except BlockingIOError:
            if time.monotonic() >= end:
                os.close(fd)
                return None
            time.sleep(0.002)
        except BaseException:
            os.close(fd)
            raise


def release(fd: int) -> None:
    fcntl.flock(fd, fcntl.LOCK_UN)
    os.close(fd)


def is_held(path: Path) -> bool:
    """Whether some process holds the lock of ``path``. Looks with a shared lock, so that several lookers do not see each other.

    What is not there, or no file at all, nobody can hold. Raises OSError where that cannot be told.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
            return False
        raise
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


@contextlib.contextmanager
def locked(home: Path, timeout: float = 30.0) -> Iterator[None]:
    """Holds the lock of the home folder, which is made if missing. Not reentrant.

    Raises:
        RunError: the folder cannot be made or written, or somebody has held its lock for ``timeout`` seconds.
    """
    with explained(home):
        home.mkdir(parents=True, exist_ok=True)
        fd = acquire(home / ".lock", timeout)
        if fd is None:
            raise RunError(
                "{home}: another process has held the lock for {timeout:g} s; end it, or try again.", home=home / ".lock", timeout=timeout
            )
        try:
            yield
        finally:
            release(fd)
