"""Checkpoints on disk: a folder that is there as a whole or not at all.

``<folder>/iter-00000500/`` holds ``model.safetensors`` (weights and BN statistics), ``training.safetensors`` (momentum, the per-pixel
mean) and ``state.json`` (counters, and what the caller adds). It is written beside its place, synced, and renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save_file

from resnet_core.errors import CheckpointError

KEEP = 2


@dataclass
class TrainingState:
    """All that a training needs to go on as if it had never stopped.

    Attributes:
        model: the net's ``state_dict``, on the CPU.
        training: other tensors, on the CPU: ``momentum.<parameter>`` and ``mean``.
        values: plain values: the iteration, sums since the last record, times.
    """

    model: dict[str, torch.Tensor]
    training: dict[str, torch.Tensor]
    values: dict[str, Any] = field(default_factory=dict)


def weights_sha256(tensors: dict[str, torch.Tensor]) -> str:
    """Hexadecimal SHA-256 over the bytes of all tensors, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        flat = tensors[name].detach().cpu().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b"")
    return digest.hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def save(folder: Path, state: TrainingState, extra: dict[str, Any] | None = None) -> Path:
    """Write ``state`` to ``folder/iter-<iteration>`` atomically and drop all but the newest two; ``extra`` is kept in ``state.json``.

    Raises:
        OSError: the disk is full or the folder cannot be written; older checkpoints are untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"iter-{state.values['iteration']:08d}"
    temporary = folder / f".{path.name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        save_file({k: v.contiguous() for k, v in state.model.items()}, temporary / "model.safetensors")
        save_file({k: v.contiguous() for k, v in state.training.items()}, temporary / "training.safetensors")
        (temporary / "state.json").write_text(json.dumps({"values": state.values, "extra": extra or {}}))
        for file in temporary.iterdir():
            _sync(file)
        _sync(temporary)
        shutil.rmtree(path, ignore_errors=True)  # the same iteration again: a run that was stopped, resumed and stopped at once
        os.rename(temporary, path)
        _sync(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    for old in checkpoints(folder)[:-KEEP]:
        shutil.rmtree(old, ignore_errors=True)
    return path


def checkpoints(folder: Path) -> list[Path]:
    """The whole checkpoints in ``folder``, oldest first. What a kill left half-written does not count."""
    return sorted(p for p in folder.glob("iter-*") if (p / "state.json").is_file())


def latest(folder: Path) -> Path | None:
    """The newest checkpoint in ``folder``, if there is one."""
    return next(reversed(checkpoints(folder)), None)


def load(path: Path) -> tuple[TrainingState, dict[str, Any]]:
    """The state of the checkpoint ``path`` and the ``extra`` that was saved with it.

    Raises:
        CheckpointError: a file of it is missing or cannot be read.
    """
    try:
        values = json.loads((path / "state.json").read_text())
        model = load_file(path / "model.safetensors")
        training = load_file(path / "training.safetensors")
        return TrainingState(model, training, values["values"]), values["extra"]
    except (OSError, ValueError, KeyError, safetensors.SafetensorError) as error:
        message = f"The checkpoint {path} cannot be read ({error}). Delete that folder to go on from the one before it."
        raise CheckpointError(message) from error
