"""A worker that stands by: what it loads beforehand, how it waits, and how it learns that the app has gone.

What a first training waits for is mostly torch: with that loaded it begins at once. A worker that waits looks at one file twenty times a
second, and at the queue when that file was touched.
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

#: Seconds between two looks at the file, and between two at the queue though nobody has touched it.
_LOOK_SECONDS, _QUEUE_SECONDS = 0.05, 5.0


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


def _path(home: Path) -> Path:
    return home / ".slots" / "wake"


def wake(home: Path) -> None:
    """Have all workers that stand by look at the queue."""
    with contextlib.suppress(OSError):
        _path(home).touch()


def _touched(home: Path) -> int:
    try:
        return _path(home).stat().st_mtime_ns
    except OSError:
        return 0


#: When the file was touched at the last look of this process, by home: what comes while it trains is not lost.
_SEEN: dict[Path, int] = {}


def wait(home: Path, app: int | None, is_over: Callable[[], bool]) -> None:
    """Return when somebody may have queued something, the app has gone, or ``is_over``."""
    end = time.monotonic() + _QUEUE_SECONDS
    while time.monotonic() < end and not is_over() and not (app is not None and has_gone(app)):
        touched = _touched(home)
        if touched != _SEEN.get(home):
            _SEEN[home] = touched
            return
        time.sleep(_LOOK_SECONDS)


def prepare(slot: str) -> None:
    """Load what a training needs, decide what ``auto`` means here, and train two steps that are thrown away.

    The first one of a machine measures its speed as well, so that the time of a training is known before there was any.

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
        if number == "0" and pace.kept() is None:
            pace.keep()
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # what the allocator has kept goes back to the system, where it is glibc's
        ctypes.CDLL("libc.so.6").malloc_trim(0)
