"""Checkpoints on disk, to and from tensors; their folders are ``saved``'s."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save_file

from resnet_core.errors import CheckpointError
from resnet_core.training.saved import MODEL, TRAINING, keep, unreadable, verify

#: What a state's plain values must be, by name.
_VALUES: dict[str, tuple[type, ...]] = {
    "iteration": (int,),
    "warming": (bool,),
    "layers_measured": (int,),
    "elapsed_seconds": (int, float),
    "train_seconds": (int, float),
    "last_test": (dict,),
    "window": (list,),
    "iterations_summed": (int,),
    "sums": (dict,),
}


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

    def check_values(self) -> None:
        """Raise KeyError or TypeError where a plain value is missing or of another kind."""
        for name, kind in _VALUES.items():
            if type(self.values[name]) not in kind:
                raise TypeError(f"{name} is {str(self.values[name])[:40]}")


def weights_sha256(tensors: dict[str, torch.Tensor]) -> str:
    """Hexadecimal SHA-256 over the bytes of all tensors, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        flat = tensors[name].detach().cpu().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b"")
    return digest.hexdigest()


def save(folder: Path, state: TrainingState, extra: dict[str, Any] | None = None) -> Path:
    """Write ``state`` to ``folder/iter-<iteration>`` atomically and drop all but the newest two; ``extra`` is kept in ``state.json``.

    Raises:
        OSError: the disk is full or the folder cannot be written; older checkpoints are untouched.
    """

    def fill(place: Path) -> None:
        for name, tensors in ((MODEL, state.model), (TRAINING, state.training)):
            save_file({k: v.contiguous() for k, v in tensors.items()}, place / name)

    return keep(folder, state.values, extra or {}, fill)


def load(path: Path) -> tuple[TrainingState, dict[str, Any]]:
    """The state of the checkpoint ``path`` and the ``extra`` that was saved with it.

    Raises:
        CheckpointError: a file of it is missing, cannot be read or was changed.
    """
    state = verify(path)
    try:
        return TrainingState(load_file(path / MODEL), load_file(path / TRAINING), state["values"]), state["extra"]
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise unreadable(path, error) from error


def read_tensors(path: Path, weights: str) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file, whose ``weights_sha256`` is known.

    Raises:
        CheckpointError: the file is missing, cannot be read or was changed.
    """
    try:
        tensors = load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError("The weights {path} cannot be read ({error}).", path=path, error=error) from error
    if weights_sha256(tensors) != weights:
        raise CheckpointError("The weights {path} are not those that the training was to begin with: the file was changed.", path=path)
    return tensors
