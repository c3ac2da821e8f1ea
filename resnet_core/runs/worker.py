"""The worker process: trains the queued runs of one device, one after another, and ends when there are none left.

    python -m resnet_core.runs.worker --home runs --slot cpu-0

``RunStore.ensure_workers`` starts it; it needs nobody afterwards. It holds the lock of its slot for life, and the lock of a run for
as long as it trains it, so the kernel tells everybody when it dies. It decides to end, and frees its slot, under the home lock: a run
that is submitted at that moment is either seen by it, or finds the slot free.

One that an app has started to stand by (``--while-open FD``) loads what a training needs before there is any, and stays while the queue
is empty, until that file, a pipe of the app's, is closed: by the kernel, when the app has gone.

SIGTERM asks it to save a checkpoint, mark the current run as stopped, and end.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import faulthandler
import gc
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from typing import Any

from resnet_core.runs import executor, files, hung, launch, session, standby
from resnet_core.runs.records import reader
from resnet_core.runs.run import BrokenRun, Run
from resnet_core.runs.store import RunStore

#: Seconds between two looks at the request to stop.
STOP_INTERVAL = 0.2
#: Locks this process holds. A forked child would share them and keep them alive after our death; it closes its copies.
_LOCKS: set[int] = set()


class Worker:
    """Trains from the queue of ``slot``'s pool. ``lock`` is the slot's lock, held.

    Attributes:
        terminated: SIGTERM has come: stop the current run, and take no other.
    """

    def __init__(self, store: RunStore, slot: str, lock: int, app: int | None = None):
        self.store, self.pool, self.slot_lock = store, slot.rpartition("-")[0], lock
        self.only_light = launch.is_for_light(slot)
        self._slot, self._app = slot, app
        self.terminated = False
        self._looked = 0.0
        self._seen_stop = False
        self._heart: hung.Heartbeat | None = None
        self._executor: executor.Executor | None = None
        _LOCKS.add(lock)

    def work(self) -> None:
        """Returns when the queue is empty, after SIGTERM, or after an error that leaves this process unfit to go on."""
        bell = None
        if self._app is not None:
            bell = standby.Bell(self.store.home, self._slot)
            standby.prepare(self._slot)
        while (claimed := self._claim()) is not None or self._app is not None:
            if claimed is None:
                assert bell is not None and self._app is not None
                bell.wait(self._app, lambda: self.terminated)
                continue
            run, lock = claimed
            _LOCKS.add(lock)
            with _output_to(run), hung.Heartbeat(lock) as self._heart:
                changes, healthy = self._train(run)
            self._finish(run, lock, changes)
            if not healthy:
                # Whatever broke (a device, the allocator) may be broken for good in this process, but not in the next.
                with self.store.locked():
                    self._leave()
                self.store.ensure_workers()
                return
            gc.collect()  # the last trainer, before the next is built

    def _claim(self) -> tuple[Run, int] | None:
        """The next run, its lock and its state ``running``; or None, and the slot is free again."""
        with self.store.locked():
            launch.settled(self.slot_lock)
            while not self.terminated and (run := self.store.next_queued(self.pool, self.only_light)) is not None:
                lock = files.acquire(run.path / "lock", timeout=5.0)
                if lock is None:
                    problem = f"Another process holds {run.path / 'lock'}; end it and resume the run."
                    self._change(run, state="failed", ended=files.now(), message=problem)
                    continue
                (run.path / "stop").unlink(missing_ok=True)
                os.utime(lock)
                here = {"pid": os.getpid(), "host": platform.node(), "started": files.now()}
                self._change(run, state="running", ended=None, message="", result=None, **here)
                self._seen_stop = False
                return run, lock
            if self._app is None or self.terminated or standby.has_gone(self._app):
                self._app = None
                self._leave()
            return None

    def _change(self, run: Run, **changes: Any) -> None:
        """Where the disk is full, the run is to say so in the end: its state.json is then overwritten in the block it has."""
        try:
            self.store.change(run, **changes)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            self.store.change(run, in_place=True, **changes)

    def _leave(self) -> None:
        _LOCKS.discard(self.slot_lock)
        files.release(self.slot_lock)

    def _train(self, run: Run) -> tuple[dict[str, Any], bool]:
        """Changes for state.json, and whether this process may train another run."""

        def note(**changes: Any) -> None:
            with self.store.locked():
                self.store.change(run, **changes)

        try:
            self._executor = self._executor or executor.of(self.pool, self.store.home)
            end = session.train(run, self.store.data_dir(run), lambda gets_on=True: self._should_stop(run, gets_on), note, self._executor)
        except Exception as error:
            files.log(traceback.format_exc())
            iteration = reader(run.path / "records.jsonl").last_iteration() or 0
            message, healthy = session.explain(error, run, iteration)
            return {"state": "failed", "iteration": iteration, "message": message}, healthy
        result = {key: value for key, value in end.items() if key not in ("kind", "state", "iteration", "message", "lost")}
        message = " ".join(filter(None, [end["message"] if end["state"] != "finished" else "", end.get("lost")]))
        if end["state"] == "stopped" and self.terminated:
            message = f"{message} The worker process was asked to end (SIGTERM)."
        return {"state": end["state"], "iteration": end["iteration"], "message": message, "result": result}, True

    def _should_stop(self, run: Run, gets_on: bool = True) -> bool:
        moment = time.monotonic()
        if self._heart is not None and gets_on:
            self._heart.gets_on = True
        if moment - self._looked >= STOP_INTERVAL:
            self._looked = moment
            self._seen_stop = (run.path / "stop").exists()
        return self._seen_stop or self.terminated

    def _finish(self, run: Run, lock: int, changes: dict[str, Any]) -> None:
        """Final state first, then the lock: whoever finds the lock free finds the state too."""
        changes["ended"] = files.now()
        with self.store.locked():
            try:
                self._change(run, **changes)
            except BrokenRun as error:
                files.log(f"{run.path}: {error}; its end cannot be noted: {changes}")
            (run.path / "stop").unlink(missing_ok=True)
            _LOCKS.discard(lock)
            files.release(lock)


@contextlib.contextmanager
def _output_to(run: Run) -> Iterator[None]:
    """Everything printed meanwhile, by C code too, goes to the run's worker.log; where that cannot be opened, where it went before."""
    try:
        log = os.open(run.path / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    except OSError as error:
        files.log(f"{run.path / 'worker.log'}: {error}")
        yield
        return
    before = [os.dup(fd) for fd in (1, 2)]
    try:
        for fd in (1, 2):
            os.dup2(log, fd)
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        for fd, old in zip((1, 2), before, strict=True):
            os.dup2(old, fd)
            os.close(old)
        os.close(log)


def _close_locks() -> None:
    for fd in _LOCKS:
        os.close(fd)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m resnet_core.runs.worker", description="Train the queued runs of one device.")
    parser.add_argument("--home", required=True, help="the folder of the runs")
    parser.add_argument("--slot", required=True, help="pool and number, e.g. cpu-0")
    parser.add_argument("--slot-fd", type=int, help="the slot's lock, as an open file handed down by the process that starts this one")
    parser.add_argument("--while-open", type=int, help="stand by until this open file, a pipe, is closed at its other end")
    arguments = parser.parse_args(argv)
    faulthandler.enable()
    standby.keep_memory()
    store = RunStore(arguments.home)
    lock = arguments.slot_fd
    if lock is None:
        path = launch.slot_path(store.home, arguments.slot)
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = files.acquire(path)
        if lock is None:
            return 0  # somebody works there already
    for fd in filter(None, (lock, arguments.while_open)):
        os.set_inheritable(fd, False)
    os.register_at_fork(after_in_child=_close_locks)
    worker = Worker(store, arguments.slot, lock, arguments.while_open)
    signal.signal(signal.SIGTERM, lambda *_: setattr(worker, "terminated", True))
    worker.work()
    return 0


if __name__ == "__main__":
    sys.exit(main())
