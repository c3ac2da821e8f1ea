"""A worker that stands by: what it loads beforehand, how it waits, and how it learns that the app has gone.

What a first training waits for is mostly torch: with that loaded it begins at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import functools
import gc
import os
import select
import time
from collections.abc import Callable
from pathlib import Path

#: Seconds between two looks whether this process is to end, and between two at the queue though nobody has rung.
_LOOK_SECONDS, QUEUE_SECONDS = 1.0, 5.0
_BELL = ".bell"
#: Of glibc's ``mallopt``, see its manual page.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


@functools.cache
def _pipe() -> tuple[int, int]:
    """One for this process; nobody ever writes to it. The kernel closes its other end when this process ends."""
    return os.pipe()


def open_end() -> int:
    """Give the end of a pipe that says whether this process lives, for ``has_gone`` in another one."""
    return _pipe()[0]


def has_gone(app: int) -> bool:
    """Tell whether the process that gave this end of its pipe has ended."""
    return bool(select.select([app], [], [], 0)[0])


class Bell:
    """What a worker that stands by waits for: a named pipe in the home, which whoever queues something writes to.

    Where a file system has no such pipes the queue is looked at once in a while.
    """

    def __init__(self, home: Path, slot: str):
        self._pipe: int | None = None
        path = home / ".slots" / f"{slot}{_BELL}"
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            os.mkfifo(path)
            self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def wait(self, app: int, is_over: Callable[[], bool]) -> None:
        """Return when somebody may have queued something, the app has gone, or ``is_over``."""
        end = time.monotonic() + QUEUE_SECONDS
        while time.monotonic() < end and not is_over():
            heard, _, _ = select.select([each for each in (self._pipe, app) if each is not None], [], [], _LOOK_SECONDS)
            if heard:
                if self._pipe in heard:
                    os.read(self._pipe, 4096)
                return


def wake(home: Path) -> None:
    """Have all workers that stand by look at the queue."""
    with contextlib.suppress(OSError):
        for path in (home / ".slots").glob(f"*{_BELL}"):
            with contextlib.suppress(OSError):  # of a worker that has gone nobody reads
                pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
                try:
                    os.write(pipe, b"!")
                finally:
                    os.close(pipe)


def keep_memory() -> None:
    """Have this process keep the memory that one training step has freed for the next, where the allocator is glibc's.

    Else large tensors are given back to the system and asked for anew at every step, 15,000 pages of them in a compiled one of ResNet-20.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        library.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)


def prepare(slot: str) -> None:
    """Load what a training needs, decide what ``auto`` means here, and train two steps that are thrown away.

    The first one of a machine, and the first one of a later day, measure its speed as well, so that the time of a training is known
    before there was any.

    Whatever goes wrong is told by the training that it goes wrong in.
    """
    pool, _, number = slot.rpartition("-")
    with contextlib.suppress(Exception):
        from resnet_core import data, pace
        from resnet_core.config import demo_configs
        from resnet_core.training import probe
        from resnet_core.training.engine import Trainer

        config = demo_configs(0)[0]
        config = dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, device=pool, iterations=2))
        trainer = Trainer(config, data.load(config.data), probe.decide(config))
        for _ in range(2):
            trainer.step(0.0)
        del trainer
        if number == "0" and ((kept := pace.kept()) is None or kept.is_old):
            pace.keep()
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # what the allocator has kept goes back to the system, where it is glibc's
        ctypes.CDLL("libc.so.6").malloc_trim(0)
