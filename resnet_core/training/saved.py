"""Folders of checkpoints: each is there as a whole or not at all, and says what its files must be. Without torch.

``<folder>/iter-00000500/`` holds ``model.safetensors`` (weights and BN statistics), ``training.safetensors`` (momentum, the per-pixel
mean) and ``state.json`` (counters, what the caller adds, and the SHA-256 of the other two). It is written beside its place, synced, and
renamed. Those written before there were checksums are read as they are.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from resnet_core import atomic
from resnet_core.errors import CheckpointError

KEEP = 2
MODEL, TRAINING, STATE = "model.safetensors", "training.safetensors", "state.json"


def keep(folder: Path, values: dict[str, Any], extra: dict[str, Any], fill: Callable[[Path], None]) -> Path:
    """Make the folder of a checkpoint atomically, and drop all but the newest two.

    Args:
        values: plain values of the training, its ``iteration`` among them; ``extra``: what the caller adds.
        fill: writes ``MODEL`` and ``TRAINING`` into the folder it is given.

    Raises:
        OSError: the disk is full or the folder cannot be written; older checkpoints are untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"iter-{values['iteration']:08d}"
    temporary = folder / f".{path.name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        fill(temporary)
        sums = {name: sha256(temporary / name) for name in (MODEL, TRAINING)}
        (temporary / STATE).write_text(json.dumps({"values": values, "extra": extra, "sha256": sums}))
        # safetensors lets nobody but the owner read its files; all others of a run may be read by whom the umask allows.
        mode = stat.S_IMODE((temporary / STATE).stat().st_mode)
        for name in sums:
            (temporary / name).chmod(mode)
        for file in temporary.iterdir():
            atomic.sync(file)
        atomic.sync(temporary)
        shutil.rmtree(path, ignore_errors=True)  # the same iteration again: a run that was stopped, resumed and stopped at once
        os.rename(temporary, path)
        atomic.sync(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    for old in checkpoints(folder)[:-KEEP]:
        shutil.rmtree(old, ignore_errors=True)
    return path


def checkpoints(folder: Path) -> list[Path]:
    """The whole checkpoints in ``folder``, oldest first. What a kill left half-written does not count."""
    whole = {path: at for path in folder.glob("iter-*") if (at := _iteration(path)) is not None and (path / STATE).is_file()}
    return sorted(whole, key=whole.__getitem__)


def latest(folder: Path) -> Path | None:
    """The newest checkpoint in ``folder``, if there is one."""
    return next(reversed(checkpoints(folder)), None)


def _iteration(path: Path) -> int | None:
    """Read the iteration of a checkpoint's folder from its name; None where it has no such name."""
    found = re.fullmatch(r"iter-(\d+)", path.name)
    return int(found[1]) if found else None


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_state(path: Path) -> dict[str, Any]:
    """The checked contents of ``path/state.json``: ``values``, ``extra`` and, unless it is an old one, ``sha256``.

    Raises:
        OSError, ValueError: it cannot be read, or is not that of this folder.
    """
    try:
        state = json.loads((path / STATE).read_bytes())
    except RecursionError:
        raise ValueError(f"{STATE} is nested too deeply") from None
    if not isinstance(state, dict) or not all(isinstance(state.get(name), dict) for name in ("values", "extra")):
        raise ValueError(f"{STATE} lacks the values of a training")
    if (told := state["values"].get("iteration")) != _iteration(path) or isinstance(told, bool):
        raise ValueError(f"{STATE} is that of iteration {str(told)[:20]}")
    sums = state.get("sha256", {})
    if not isinstance(sums, dict) or (sums and set(sums) != {MODEL, TRAINING}):
        raise ValueError(f"{STATE} lacks the checksums")
    return state


def verify(path: Path) -> dict[str, Any]:
    """Compares both files of the checkpoint ``path`` with their checksums, where it has some, and returns ``read_state``.

    Raises:
        CheckpointError: a file of it is missing, cannot be read or was changed.
    """
    try:
        state = read_state(path)
        for name, expected in state.get("sha256", {}).items():
            if (found := sha256(path / name)) != expected:
                raise ValueError(f"the checksum of {name} is {found[:12]}…, not {str(expected)[:12]}… as {STATE} says")
        return state
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> CheckpointError:
    """Say of a checkpoint that it cannot be read, and what to do."""
    return CheckpointError(
        "The checkpoint {path} cannot be read ({error}). Delete that folder to go on from the one before it.", path=path, error=error
    )
