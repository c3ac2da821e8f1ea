"""A worker's sign of life, asking it to stop, and ending one that neither stops nor says that it lives.

A worker touches the lock of its run once a second, as long as it computes or gets on. One that was paused (SIGSTOP), or waits for a disk
that has gone, does not.
"""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import threading
import time
from pathlib import Path
from typing import Any

from resnet_core.runs import files
from resnet_core.runs.border import BrokenRun, read_state

#: A worker that was asked to stop this long ago, and has said nothing for as long, is ended.
END_SECONDS = 60.0
_BEAT_SECONDS = 1.0
#: Processor time, as a part of the time that passes, from which on a process computes.
_BUSY = 0.05


class Heartbeat:
    """Touches an open lock once a second while this process computes, or ``gets_on`` has been set since the last time."""

    def __init__(self, lock: int):
        self._lock = lock
        self.gets_on = True
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        self._thread.join()  # before the lock is closed, and its number is another file's

    def _beat(self) -> None:
        spent = time.process_time()
        while not self._over.wait(_BEAT_SECONDS):
            now = time.process_time()
            if self.gets_on or now - spent >= _BUSY * _BEAT_SECONDS:
                self.gets_on = False
                with contextlib.suppress(OSError):
                    os.utime(self._lock)
            spent = now


def ask(folder: Path) -> None:
    """Asks the worker of a run to stop, and wakes it where it was paused."""
    stop = folder / "stop"
    if not stop.exists():  # the moment of the first request counts
        stop.touch()
    with contextlib.suppress(OSError):
        if pid := _worker(folder):
            os.kill(pid, signal.SIGCONT)


def end(folder: Path) -> bool:
    """Ends the worker of a run that was asked to stop and says nothing. Whether it did; the run is then interrupted."""
    now = time.time()
    try:
        asked, silent = (now - os.stat(f"{folder}/{name}").st_mtime for name in ("stop", "lock"))
        if min(silent, asked) < END_SECONDS:
            return False
        pid = _worker(folder)
        if pid is None:
            return False
        files.log(f"{files.now()} process {pid} of {folder.name} was asked to stop and has said nothing for {silent:.0f} s: it is ended")
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return False
    return True


def _worker(folder: Path) -> int | None:
    """The process that holds the run's lock, where it is one of this machine that says whether it lives."""
    try:
        values: dict[str, Any] = read_state(folder)
    except BrokenRun:
        return None
    pid: int | None = values.get("pid")
    if values["state"] != "running" or values.get("host") != platform.node() or not pid or not files.is_held(folder / "lock"):
        return None
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # no such folder on a Mac
        return pid
    return pid if b"resnet_core.runs.worker" in command else None
