"""A long computation in a process of its own: bounded in memory, and ended with whoever waits for it. Without torch.

For example::

    found = apart("resnet_core.imports.trial:trial", proposal, progress=progress, should_stop=should_stop)

What stands between the two processes is theirs alone: the parent writes what is to be called to the other's standard input, and reads
lines of JSON from its output, of which the last is followed by the pickled result.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pickle
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import resnet_core
from resnet_core.errors import Stopped, UserError
from resnet_core.language import ENVIRONMENT, current, mark, tr

#: What one computation may have: torch, the weights three times over, and the maps of a batch (see ``images_at_once``).
MOST_BYTES = 4 << 30
_POLL = 0.1
#: Everybody else's work goes first.
_NICENESS = 10


class ApartFailed(UserError):
    """The process that was to compute could not do so."""


def apart(
    function: str,
    *args: Any,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    **options: Any,
) -> Any:
    """Call ``function`` in a process of its own and return what it returns.

    Args:
        function: ``module:name``; it takes ``progress``, as here. What it takes and returns can be pickled.
        progress: called with the steps done and the steps in all.
        should_stop: asked several times a second; the process is ended when it says so.

    Raises:
        ApartFailed: it could not be started, or was ended by the system; or the function raised a UserError, whose message this has.
        Stopped: ``should_stop`` returned True.
    """
    command = [sys.executable, "-P", "-m", "resnet_core.apart"]
    env = os.environ | {"PYTHONPATH": str(Path(resnet_core.__file__).parents[1]), ENVIRONMENT: current()}
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, start_new_session=True)
    except OSError as error:
        raise ApartFailed(
            "The process that computes could not be started ({reason}). Try it again.", reason=error.strerror or error
        ) from error
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None and stdout is not None  # both are pipes
    told: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def talk() -> None:  # in a thread: either side may be slow, and somebody has to look at ``should_stop`` meanwhile
        with contextlib.suppress(OSError, ValueError, EOFError, pickle.UnpicklingError):  # it has ended
            pickle.dump((function, args, options), stdin, protocol=5)  # array by array: no second copy of them all
            stdin.flush()
            for line in stdout:
                values = json.loads(line)
                if "result" in values:
                    values["result"] = pickle.load(stdout)
                told.put(values)
        told.put(None)

    threading.Thread(target=talk, daemon=True).start()
    try:
        while True:
            if should_stop():
                raise Stopped
            with contextlib.suppress(queue.Empty):
                values = told.get(timeout=_POLL)
                if values is None:
                    raise ApartFailed(_ended(process.wait()))
                if "error" in values:
                    raise ApartFailed(values["error"])
                if "result" in values:
                    return values["result"]
                if progress is not None:
                    progress(values["done"], values["total"])
    finally:
        process.kill()
        process.wait()
        # Closing a pipe that the thread is about to write to would wait for it; the other end is gone, so it does not stay there.
        stdout.close()
        with contextlib.suppress(OSError):
            stdin.close()


def _ended(status: int) -> str:
    if status >= 0:
        return tr("The computation went wrong, and that is no fault of yours. The details are in the terminal where the app was started.")
    how = f"signal {-status}, {signal.Signals(-status).name}"
    return tr("The system ended the process that computed ({how}), as it does where memory is short. Try it again later.", how=how)


def end_with_parent() -> None:
    """Ends this process, wherever it is, when standard input closes: with the process that started it, however that ends."""

    def watch() -> None:
        os.read(0, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def hold_data(most: int) -> None:
    """Limits the memory of this process, without what it maps of files, where the system can (Linux)."""
    import resource

    with contextlib.suppress(AttributeError, ValueError, OSError):
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def main() -> None:
    """The process itself."""
    function, args, options = pickle.load(sys.stdin.buffer)
    end_with_parent()
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    with os.fdopen(os.dup(1), "wb") as out:

        def say(**values: Any) -> None:
            out.write(json.dumps(values).encode() + b"\n")
            out.flush()

        try:
            import torch

            if not torch.cuda.is_available():  # its driver maps more than any net needs
                hold_data(MOST_BYTES)
            module, _, name = function.partition(":")
            call = getattr(importlib.import_module(module), name)
            found = call(*args, progress=lambda done, total: say(done=done, total=total), **options)
            say(result=True)
            pickle.dump(found, out, protocol=5)
        except UserError as error:
            say(error=str(error))
        except (MemoryError, RuntimeError) as error:
            if not isinstance(error, MemoryError) and not re.search("alloc|memory", str(error)):
                raise
            text = mark(
                "Computing with this net takes more than the {most} GiB of memory that one computation may have.", most=MOST_BYTES >> 30
            )
            say(error=tr(text))


if __name__ == "__main__":
    main()
