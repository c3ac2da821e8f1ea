"""Following a run from the queue to its end, on a terminal with a bar, elsewhere with a line now and then.

The training is in a worker process. Whoever follows only reads the run's folder, so ending the follower ends nothing, and Ctrl-C
has to ask the worker to stop.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from resnet_core.cli.output import errors, note
from resnet_core.errors import RunError
from resnet_core.runs import Run, RunStatus, RunStore, hung
from resnet_core.runs.launch import RETRY_SECONDS
from resnet_core.runs.run import SILENT_SECONDS

POLL_SECONDS = 0.1
#: How often workers are looked after while we wait in the queue.
CARE_SECONDS = 1.0
#: Where there is no terminal, a line at most this often.
LINE_SECONDS = 5.0
BAR = "{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt}{postfix}"
IMAGES_BAR = "{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} images, {remaining} left"


class Interrupts:
    """Counts Ctrl-C while it is entered, in place of raising KeyboardInterrupt in the middle of something.

    Left alone where SIGINT is ignored, as in a background job of a shell.
    """

    def __init__(self):
        self.count = 0

    def __enter__(self) -> Interrupts:
        self._before = signal.getsignal(signal.SIGINT)
        if self._before != signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._caught)
        return self

    def __exit__(self, *_: Any) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _caught(self, *_: Any) -> None:
        self.count += 1


def _errors(run: Run, status: RunStatus) -> str:
    """``train 61.2 %, test 63.0 %``; empty before there are any."""
    found = {name.removesuffix("_error"): value for name, value in errors(run, status).items()}
    return ", ".join(f"{name} {value:.1f} %" for name, value in found.items() if value is not None)


def remaining(seconds: float) -> str:
    """``1:05``, ``2:03:04``."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _waiting(status: RunStatus) -> str:
    """What an active run is doing while it makes no progress that a bar could show; empty otherwise."""
    if status.state == "queued":
        return f"place {status.place} in the queue"
    silent = status.silent_seconds // SILENT_SECONDS * SILENT_SECONDS
    heard = f"its worker was last heard {silent:.0f} s ago" if silent else ""
    return ", ".join(filter(None, ["stopping" if status.stopping else "", heard]))


class _Bar:
    def __init__(self, run: Run, status: RunStatus):
        from tqdm import tqdm

        # Some terminals say that they have no columns at all, and would get an empty bar.
        width = {"dynamic_ncols": True} if os.get_terminal_size(sys.stderr.fileno()).columns else {"ncols": 100}
        self._bar = tqdm(total=status.iterations, initial=status.iteration, desc=run.name, bar_format=BAR, **width)

    def show(self, run: Run, status: RunStatus) -> None:
        parts = [_waiting(status), _errors(run, status)]
        if status.images_per_second:
            parts.append(f"{status.images_per_second:,.0f} images/s")
        if status.eta_seconds is not None:
            parts.append(f"{remaining(status.eta_seconds)} left")
        text = ", ".join(filter(None, parts)) or "starting"
        if (self._bar.n, self._bar.postfix) != (status.iteration, text):
            self._bar.n = status.iteration
            self._bar.set_postfix_str(text)

    def say(self, text: str) -> None:
        self._bar.clear()
        note(text)
        self._bar.refresh()

    def close(self) -> None:
        self._bar.close()


class _Lines:
    def __init__(self):
        self._told: tuple[str, int] = ("", -1)
        self._at = float("-inf")

    def show(self, run: Run, status: RunStatus) -> None:
        rows = run.records("test") or run.records("train")
        doing = _waiting(status) or ("" if rows else "starting")
        now = (doing, rows[-1]["iteration"] if rows else 0)
        if now == self._told:
            return
        if doing == self._told[0] and status.is_active and time.monotonic() - self._at < LINE_SECONDS:
            return
        self._told, self._at = now, time.monotonic()
        doing = doing or f"iteration {now[1]:,} of {status.iterations:,}"
        note(f"{run.name}: {', '.join(filter(None, [doing, _errors(run, status)]))}")

    def say(self, text: str) -> None:
        note(text)

    def close(self) -> None:
        """Nothing to take off the screen."""


@contextlib.contextmanager
def display(run: Run) -> Iterator[_Bar | _Lines]:
    """Shows statuses of ``run`` on stderr: as a bar on a terminal, else as lines."""
    shown = _Bar(run, run.state()) if sys.stderr.isatty() else _Lines()
    try:
        yield shown
    finally:
        shown.close()


def follow(store: RunStore, run: Run, interrupts: Interrupts) -> RunStatus:
    """Waits until a run is no longer queued or running, and sees to it that it has a worker.

    The first Ctrl-C asks the run to stop, which takes a checkpoint; the second one stops waiting for that.

    Returns:
        Its last status. It is ``queued`` only where no worker could be started, with the reason in ``message``; it is active
        otherwise only after a second Ctrl-C.

    Raises:
        RunError: somebody has deleted the run.
    """
    cared, able = float("-inf"), time.monotonic()
    asked = False
    with display(run) as shown:
        while True:
            status = run.state()
            shown.show(run, status)
            now = time.monotonic()
            if not status.is_active:
                return status
            if interrupts.count and not asked:
                asked = True
                shown.say(f"stopping {run.name}; Ctrl-C once more does not wait for its checkpoint.")
                # It may have ended by itself this very moment.
                with contextlib.suppress(RunError):
                    store.stop(run.id)
                continue
            if interrupts.count > 1:
                return status
            if status.stopping and hung.end(run.path):
                shown.say(f"the worker of {run.name} said nothing for {hung.END_SECONDS:g} seconds, and was ended.")
            if status.state == "queued" and now - cared >= CARE_SECONDS:
                cared = now
                store.ensure_workers()
            # A worker that died at its start is started again; only after one more try it is clear that this is no use.
            if not (status.state == "queued" and status.message):
                able = now
            elif now - able >= RETRY_SECONDS:
                return status
            time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def progress(doing: str) -> Iterator[Callable[[int, int], None]]:
    """A callback that shows on stderr how far it is: a bar on a terminal, else a line now and then."""
    if not sys.stderr.isatty():
        told = begun = time.monotonic()

        def line(done: int, total: int) -> None:
            nonlocal told
            if time.monotonic() - told >= LINE_SECONDS:
                told = time.monotonic()
                left = (told - begun) * (total - done) / max(1, done)
                note(f"{doing}: {done:,} of {total:,} images" + (f", about {remaining(left)} left" if done < total else ""))

        yield line
        return
    from tqdm import tqdm

    with tqdm(desc=doing, bar_format=IMAGES_BAR, leave=False, total=1) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show
