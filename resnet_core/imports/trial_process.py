"""The trial of somebody else's net in a process of its own: bounded in memory, and ended with whoever waits for it.

    found = trial_apart(proposal, progress, should_stop)  # as resnet_core.imports.trial.trial

What stands between the two processes is theirs alone: the parent writes the proposal to the other's standard input, and reads lines of
JSON from its output.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import resnet_core
from resnet_core.errors import UserError
from resnet_core.imports import limits
from resnet_core.imports.process import end_with_parent
from resnet_core.imports.proposal import Proposal

if TYPE_CHECKING:
    from resnet_core.imports.trial import Trial

_POLL = 0.1
#: Everybody else's work goes first.
_NICENESS = 10


class TrialFailed(UserError):
    """The process that tried the choices could not do so."""


class TrialStopped(Exception):
    """``should_stop`` said so: there is no result."""


def trial_apart(
    proposal: Proposal,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    choices: Iterable[tuple[str, str]] | None = None,
) -> Trial:
    """``trial``, in a process of its own.

    Args:
        progress, choices: as there.
        should_stop: asked several times a second; the process is ended when it says so.

    Raises:
        TrialFailed: it could not be started, or was ended by the system. UserError: as ``trial`` raises them.
        TrialStopped: ``should_stop`` returned True.
    """
    command = [sys.executable, "-P", "-m", "resnet_core.imports.trial_process"]
    env = os.environ | {"PYTHONPATH": str(Path(resnet_core.__file__).parents[1])}
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, start_new_session=True)
    except OSError as error:
        raise TrialFailed(f"The process that tries the net could not be started ({error.strerror or error}). Try it again.") from error
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None and stdout is not None  # both are pipes
    lines: queue.Queue[bytes | None] = queue.Queue()
    question = proposal, None if choices is None else list(choices)

    def talk() -> None:  # in a thread: either side may be slow, and somebody has to look at ``should_stop`` meanwhile
        with contextlib.suppress(OSError, ValueError):  # it has ended
            pickle.dump(question, stdin, protocol=5)  # array by array: no second copy of them all
            stdin.flush()
            for line in stdout:
                lines.put(line)
        lines.put(None)

    threading.Thread(target=talk, daemon=True).start()
    try:
        while True:
            if should_stop():
                raise TrialStopped
            with contextlib.suppress(queue.Empty):
                line = lines.get(timeout=_POLL)
                if line is None:
                    raise TrialFailed(_ended(process.wait()))
                told = json.loads(line)
                if "error" in told:
                    raise TrialFailed(told["error"])
                if "attempts" in told:
                    return _read(told)
                if progress is not None:
                    progress(told["done"], told["total"])
    finally:
        process.kill()
        process.wait()
        # Closing a pipe that the thread is about to write to would wait for it; the other end is gone, so it does not stay there.
        stdout.close()
        with contextlib.suppress(OSError):
            stdin.close()


def _ended(status: int) -> str:
    if status >= 0:
        return "Trying the net went wrong, and that is no fault of yours. The details are in the terminal where the app was started."
    how = f"signal {-status}, {signal.Signals(-status).name}"
    return f"The system ended the process that tried the net ({how}), as it does where memory is short. Try it again later."


def _told(found: Trial) -> dict[str, Any]:
    attempts = [(each.normalization, each.shortcut, each.error, each.loss) for each in found.attempts]
    return {"attempts": attempts, "images": found.images, "precision": found.precision, "note": found.note}


def _read(told: dict[str, Any]) -> Trial:
    from resnet_core.imports.trial import Attempt, Trial

    attempts = tuple(Attempt(*each) for each in told["attempts"])
    return Trial(attempts, attempts[0], told["images"], told["precision"], told["note"])  # the suggested one stands first


def main() -> None:
    """The process itself."""
    proposal, choices = pickle.load(sys.stdin.buffer)
    end_with_parent()
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    out = os.fdopen(os.dup(1), "w", buffering=1)

    def say(**values: Any) -> None:
        print(json.dumps(values), file=out, flush=True)

    try:
        import torch

        from resnet_core.imports.trial import trial

        if not torch.cuda.is_available():  # its driver maps more than any net needs
            limits.hold_data(limits.TRIAL_BYTES)
        found = trial(proposal, lambda done, total: say(done=done, total=total), choices=choices)
        say(**_told(found))
    except UserError as error:
        say(error=str(error))
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not re.search("alloc|memory", str(error)):
            raise
        say(error=f"Computing with this net takes more than the {limits.TRIAL_BYTES >> 30} GiB of memory that a trial may have.")


if __name__ == "__main__":
    main()
