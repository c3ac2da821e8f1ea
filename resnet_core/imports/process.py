"""Starting the throwaway reader, waiting for it, and believing nothing that it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import resnet_core
from resnet_core.imports import limits, safe
from resnet_core.imports.refusal import ImportRefused

#: What the reader leaves in the folder it is given.
TENSORS, REPORT = "tensors.safetensors", "report.json"
#: Of our own environment, what Python and torch need to start; nothing else reaches the reader.
_KEPT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "VIRTUAL_ENV", "SYSTEMROOT")


def read_apart(path: Path, wall_seconds: float = limits.WALL_SECONDS) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays in a file by key, and the reader's report (``kind``, ``metadata``, ``notes``), read in a process of its own.

    Raises:
        ImportRefused: the reader refused the file, or came to grief over it.
    """
    with tempfile.TemporaryDirectory(prefix="resnet-lab-import-") as folder:
        status = _run(path.absolute(), Path(folder), wall_seconds)
        try:
            with open(Path(folder) / REPORT, encoding="utf-8") as file:
                report = _checked(json.loads(file.read(2 * limits.MAX_HEADER_BYTES)))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise ImportRefused(_grief(status)) from None
        arrays, _, _ = safe.read_safetensors(Path(folder) / TENSORS)
        return arrays, report


def _checked(report: Any) -> dict[str, Any]:
    """The report, if it is one; raises ImportRefused where it says so, nearly anything where it is none."""
    if "refused" in report:
        raise ImportRefused(str(report["refused"])[:1000])
    metadata = {str(key): str(value) for key, value in report["metadata"].items()}
    return {"kind": str(report["kind"]), "metadata": metadata, "notes": [str(note)[:1000] for note in report["notes"][:20]]}


def _run(path: Path, folder: Path, wall_seconds: float) -> int | None:
    """The reader's exit status; None where it took too long."""
    # -P: modules are looked for where ours are, not in the current folder. One thread: each has its own stack and buffers.
    command = [sys.executable, "-P", "-m", "resnet_core.imports.reader", str(path), str(folder)]
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    own = {"PYTHONPATH": str(Path(resnet_core.__file__).parents[1]), "TMPDIR": str(folder), "HOME": str(folder), "CUDA_VISIBLE_DEVICES": ""}
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=kept | threads | own,
        start_new_session=True,
    )
    try:
        return process.wait(wall_seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _grief(status: int | None) -> str:
    if status is None:
        return "Reading it took too long; the reader was ended."
    if status == -signal.SIGXCPU:
        return f"Reading it took more than {limits.CPU_SECONDS} s of computing; the reader was ended."
    how = f"signal {-status}, {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
    return f"The reader came to grief over it ({how}); the file is damaged, or asks for too much."
