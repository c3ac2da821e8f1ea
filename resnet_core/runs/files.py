"""What the run store asks of the file system: atomic JSON files, locks that die with their process, errors with a next step."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import math
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from resnet_core.errors import RunError

#: Errors of the file system that the user can mend, and how.
_REMEDIES = {
    errno.ENOSPC: "free some space there (deleting runs helps)",
    errno.EDQUOT: "free some space there (deleting runs helps)",
    errno.EROFS: "make it writable, or choose another folder with RESNET_LAB_HOME or --home",
    errno.EACCES: "make it writable, or choose another folder with RESNET_LAB_HOME or --home",
    errno.EPERM: "make it writable, or choose another folder with RESNET_LAB_HOME or --home",
    errno.ENOTDIR: "choose a folder with RESNET_LAB_HOME or --home",
    errno.EEXIST: "choose a folder with RESNET_LAB_HOME or --home",
    errno.EIO: "check the disk",
    errno.EMFILE: "close some programs, or raise the limit of open files (ulimit -n)",
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
    return remedy and f"{error.filename or path}: {os.strerror(error.errno)}; {remedy}."


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns a full, read-only or forbidden disk into a RunError that says what to do."""
    try:
        yield
    except OSError as error:
        message = os_problem(error, path)
        if message is None:
            raise
        raise RunError(message) from error


def log(text: str) -> None:
    """To standard error, past all buffers, at once and whole; silently nowhere if that is a file on a full disk."""
    with contextlib.suppress(OSError):
        os.write(2, f"{text.rstrip()}\n".encode())


def fsync_folder(folder: Path) -> None:
    """Makes new names in ``folder`` survive a power cut."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_json(path: Path, value: dict[str, Any], in_place: bool = False) -> None:
    """Replaces ``path`` atomically. Callers hold the home lock (or own the folder), so one fixed temporary name will do.

    ``in_place`` overwrites it instead, with one small write, which a full disk still has the block for: the last resort for
    saying that the disk is full.
    """
    temporary = path.with_name(path.name + ".tmp")
    text = json.dumps(finite(value), indent=1, allow_nan=False) + "\n"
    if in_place:
        temporary.unlink(missing_ok=True)
        with open(path, "r+b", buffering=0) as file:
            file.truncate(file.write(text.encode()))
            os.fsync(file.fileno())
        return
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    fsync_folder(path.parent)


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
    """Raises FileNotFoundError, another OSError, or ValueError (not a JSON object)."""
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError("it does not hold a JSON object")
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
    """Whether some process holds the lock of ``path``. Looks with a shared lock, so that several lookers do not see each other."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
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
            raise RunError(f"{home / '.lock'}: another process has held the lock for {timeout:g} s; end it, or try again.")
        try:
            yield
        finally:
            release(fd)
