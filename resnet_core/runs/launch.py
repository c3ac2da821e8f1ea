"""Starting workers: which device's queue a run joins, and one slot a worker.

A slot is the file ``home/.slots/<pool>-<k>.lock``. Its ``flock`` is taken by whoever starts the worker and handed down with the
open file, so it passes from one process to the other without a moment in which a second worker could be started; the kernel
releases it when the worker dies.
"""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path

import resnet_core
from resnet_core.config import RunConfig
from resnet_core.errors import RunError
from resnet_core.language import tr
from resnet_core.runs import executor, files, standby
from resnet_core.slots import is_light, is_set, slots
from resnet_core.system import with_this_code

#: A worker that died before it had taken a run from the queue is started again after this many seconds, not at once.
RETRY_SECONDS = 30.0
_LOG_LIMIT = 1_000_000
#: Workers that stand by: enough for a plain net beside its residual twin. Each keeps about 370 MB.
MOST_STANDBY = 2
#: Trainings at once on a cluster: each has a process here that writes down what comes, of about 100 MB.
MOST_PLACES = 256


def pool_of(device: str) -> str:
    """The pool (queue and slots) for a recipe's ``device``: itself; for ``auto``, the one that ``auto`` will most likely become.

    Where trainings are for a Ray cluster it is ``ray``, whatever the device.

    Decided without importing torch: ``cuda`` where an NVIDIA device node is there and not hidden by CUDA_VISIBLE_DEVICES, ``mps`` on a
    Mac with Apple's processor, else ``cpu``. Should torch find otherwise, the run is still trained (on what torch finds), only from this
    pool's slot. It is stored with the run, so that all processes agree.
    """
    if executor.chosen() == executor.RAY:
        return executor.RAY
    if device != "auto":
        return device
    if Path("/dev/nvidia0").exists() and os.environ.get("CUDA_VISIBLE_DEVICES", "all") not in ("", "-1"):
        return "cuda"
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "mps"
    return "cpu"


def slot_path(home: Path, slot: str) -> Path:
    return home / ".slots" / f"{slot}.lock"


def is_for_light(slot: str) -> bool:
    """Whether only light trainings may take this slot, e.g. ``cpu-1``."""
    pool, _, number = slot.rpartition("-")
    return pool != executor.RAY and dict(enumerate(slots(pool))).get(int(number), False)


def _places_path(home: Path, pool: str) -> Path:
    return home / ".slots" / f"{pool}.json"


def tell_places(home: Path, pool: str, places: int) -> None:
    """Keep how many trainings a cluster holds at once, which only those know who are connected to it."""
    with contextlib.suppress(OSError):
        files.write_json(_places_path(home, pool), {"places": places})


def _kinds(home: Path, pool: str) -> list[bool]:
    """See ``slots.slots``. Of a cluster nothing is known before the first worker has connected: that one looks."""
    kinds = slots(pool)
    if pool == executor.RAY and kinds and not is_set():
        with contextlib.suppress(OSError, ValueError, TypeError):
            return [False] * min(MOST_PLACES, max(1, int(files.read_json(_places_path(home, pool)).get("places", 1))))
    return kinds


def fill(home: Path, pool: str, waiting: list[RunConfig]) -> str:
    """Starts workers in the free slots of a pool, at most one for each waiting run that may take it. The caller holds the home lock.

    Returns:
        Why the runs are not being trained, if the last worker of a slot died before it took one; else an empty text.
    """
    (home / ".slots").mkdir(exist_ok=True)
    standby.wake(home)
    problem = ""
    waiting = list(waiting)
    for k, only_light in enumerate(_kinds(home, pool)):
        taker = next((config for config in waiting if is_light(config) or not only_light), None)
        if taker is None:
            continue
        path = slot_path(home, f"{pool}-{k}")
        lock = files.acquire(path)
        if lock is None:
            continue
        try:
            # Something stands in the slot's file from the start of its worker until that has got as far as its queue.
            status = os.fstat(lock)
            age = time.time() - status.st_mtime if status.st_size else RETRY_SECONDS
            if status.st_size:
                problem = tr("The worker process ended before it began; its log is {with_suffix}.", with_suffix=path.with_suffix(".log"))
            # A start in the future is one by a clock that has been set back since: it says nothing.
            if not 0 <= age < RETRY_SECONDS:
                _start(home, f"{pool}-{k}", lock)
                waiting.remove(taker)
        finally:
            os.close(lock)  # our copy only: the worker keeps its own, and with it the lock
    return problem


def settled(lock: int) -> None:
    """Says of the slot that its worker has got as far as its queue."""
    os.ftruncate(lock, 0)


def stand_by(home: Path) -> None:
    """Start workers in the free slots of the device that ``auto`` means here, which wait for trainings as long as this process lives.

    Where that cannot be done nothing is lost: a worker is started when there is something to train.
    """
    with contextlib.suppress(OSError, RunError):
        pool = pool_of("auto")
        if pool == executor.RAY or os.environ.get("RESNET_LAB_STANDBY", "").strip() == "0":
            return
        (home / ".slots").mkdir(parents=True, exist_ok=True)
        for k in range(min(MOST_STANDBY, len(slots(pool)))):
            path = slot_path(home, f"{pool}-{k}")
            lock = files.acquire(path)
            if lock is not None:
                try:
                    _start(home, path.stem, lock, standby.open_end())
                finally:
                    os.close(lock)


def _start(home: Path, slot: str, lock: int, app: int | None = None) -> None:
    """Starts the worker of a slot, which stands by as long as ``app``, the end of a pipe, is open at its other end."""
    log_path = slot_path(home, slot).with_suffix(".log")
    if log_path.exists() and log_path.stat().st_size > _LOG_LIMIT:
        os.replace(log_path, log_path.with_suffix(".old.log"))
    root = str(Path(resnet_core.__file__).resolve().parents[1])
    command = [sys.executable, "-m", "resnet_core.runs.worker", "--home", str(home), "--slot", slot, "--slot-fd", str(lock)]
    command += ["--while-open", str(app)] if app is not None else []
    passed = (lock,) if app is None else (lock, app)
    os.ftruncate(lock, 0)
    os.pwrite(lock, b"starting\n", 0)
    os.utime(lock, (time.time(),) * 2)  # by our own clock, which is asked for its age: a file server may have another
    try:
        with open(log_path, "ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=passed,
                start_new_session=True,
                cwd=root,
                env=with_this_code(),
            )
    except OSError as error:
        raise RunError(
            "No worker process could be started ({error}); the runs stay in the queue until that is mended.", error=error
        ) from error
    # Its end is waited for, so that it does not stay as a zombie while this process lives.
    threading.Thread(target=process.wait, daemon=True).start()
