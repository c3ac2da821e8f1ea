"""Starting the throwaway reader, waiting for it, and believing nothing that it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import resnet_core
from resnet_core.imports import limits, safe
from resnet_core.imports.refusal import ImportRefused, ReaderFailed
from resnet_core.imports.scratch import scratch
from resnet_core.language import ENVIRONMENT, current, tr

#: What the reader leaves in the folder it is given: the first before it touches the file.
STARTED, TENSORS, REPORT = "started", "tensors.safetensors", "report.json"
#: Its exit status where it could not even leave a report.
NO_ROOM = 74
#: What of our own environment Python and torch need to start; nothing else reaches the reader.
_KEPT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "VIRTUAL_ENV", "SYSTEMROOT")
#: Readers at once in this process; each may take 3 GB (see ``limits``). Whoever comes later waits.
READERS = threading.BoundedSemaphore(2)
#: Seconds between two looks at whether somebody still waits for it.
_POLL = 0.1

#: Whether nobody waits for the outcome any more.
Gone = Callable[[], bool]


def read_apart(path: Path, wall_seconds: float = limits.WALL_SECONDS, gone: Gone = lambda: False) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays in a file by key, and the reader's report (``kind``, ``metadata``, ``notes``), read in a process of its own.

    Args:
        gone: asked several times a second; the reader is ended when it says so.

    Raises:
        ImportRefused: the reader refused the file, or failed on it.
        ReaderFailed: there was no reader, or no room for what it read; or everybody is gone.
    """
    while not READERS.acquire(timeout=_POLL):
        if gone():
            raise ReaderFailed("nobody waits for it any more")
    try:
        with scratch() as folder:
            status = _run(path.absolute(), folder, wall_seconds, gone)
            try:
                with open(folder / REPORT, encoding="utf-8") as file:
                    report = _checked(json.loads(file.read(2 * limits.MAX_HEADER_BYTES)))
            except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
                raise _failure(status, (folder / STARTED).exists()) from None
            arrays, _, _ = safe.read_safetensors(folder / TENSORS)
            return arrays, report
    finally:
        READERS.release()


def _checked(report: Any) -> dict[str, Any]:
    """The report, if it is one; raises ImportRefused or ReaderFailed where it says so, nearly anything where it is none."""
    if "refused" in report:
        raise ImportRefused(str(report["refused"])[:1000])
    if "failed" in report:
        raise ReaderFailed(str(report["failed"])[:1000])
    metadata = {str(key): str(value) for key, value in report["metadata"].items()}
    return {"kind": str(report["kind"]), "metadata": metadata, "notes": [str(note)[:1000] for note in report["notes"][:20]]}


def _run(path: Path, folder: Path, wall_seconds: float, gone: Gone) -> int | None:
    """The reader's exit status; None where it took too long.

    Raises:
        ReaderFailed: it could not be started, or everybody is gone.
    """
    # -P: modules are looked for where ours are, not in the current folder. -B: a module that was never compiled is not written to the disk,
    # which the reader may not do any more once it looks at the file. One thread: each has its own stack and buffers.
    command = [sys.executable, "-P", "-B", "-m", "resnet_core.imports.reader", str(path), str(folder)]
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    own = {"PYTHONPATH": str(Path(resnet_core.__file__).parents[1]), "TMPDIR": str(folder), "HOME": str(folder), "CUDA_VISIBLE_DEVICES": ""}
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # nothing is written to it: it closes when this process ends, and the reader with it
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=kept | threads | own | {ENVIRONMENT: current()},
            start_new_session=True,
        )
    except OSError as error:
        raise ReaderFailed(
            "the process that looks into files could not be started ({strerror})", strerror=error.strerror or error
        ) from error
    end = time.monotonic() + wall_seconds
    try:
        while True:
            try:
                return process.wait(_POLL)
            except subprocess.TimeoutExpired:
                if gone():
                    raise ReaderFailed("nobody waits for it any more") from None
                if time.monotonic() >= end:
                    return None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _failure(status: int | None, started: bool) -> ImportRefused | ReaderFailed:
    """Why there is no report, from how the reader ended and whether it had ``started`` on the file."""
    if status is None:
        return ImportRefused("Reading it took too long; the reader was ended.")
    if status == -signal.SIGXCPU:
        return ImportRefused(
            "Reading it took more than {cpu_seconds} s of computing; the reader was ended.", cpu_seconds=limits.CPU_SECONDS
        )
    how = (
        tr("signal {status}, {name}", status=-status, name=signal.Signals(-status).name)
        if status < 0
        else tr("exit status {status}", status=status)
    )
    if status == NO_ROOM:
        return ReaderFailed("there was no room for what was read from it")
    if not started:
        return ReaderFailed("the process that looks into files ended before it began ({how})", how=how)
    if status == -signal.SIGKILL:
        return ReaderFailed("the system ended the process that looked into it ({how}), as it does where memory is short", how=how)
    return ImportRefused("The reader failed on it ({how}); the file is damaged, or asks for too much.", how=how)
