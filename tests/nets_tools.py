"""What the tests of checkpoints share: small nets written as shipped or imported checkpoints."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from resnet_core import architectures
from resnet_core.architectures import ResNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.nets import NORMALIZATIONS, Net, find, folder
from resnet_core.nets.loading import LoadedNet, load
from resnet_core.runs import Run, RunStore
from resnet_core.runs.records import RecordWriter
from resnet_core.training import checkpoint
from tests import runs_tools

TINY = ResNetConfig(8, "A", 4)
#: The records that ``save_run`` writes.
ROWS = [
    {"kind": "train", "iteration": 7, "train_error": 61.5, "loss": 1.5, "images": 8, "images_per_second": 10.0, "elapsed_seconds": 5.6},
    {"kind": "test", "iteration": 7, "test_error": 62.5, "test_loss": 1.6, "elapsed_seconds": 5.8},
]


def write_checkpoint(root: Path, name: str, model: Any = TINY, seed: int = 0, normalization: str = "pixel-mean", **card: Any) -> Path:
    """A checkpoint's folder with the weights of a freshly initialised net."""
    mean, std = NORMALIZATIONS[normalization].arrays()
    values = {"name": model.name, "model": architectures.to_dict(model), "normalization": normalization, **card}
    tensors = build_model(model, seed).state_dict()
    return folder.write_folder(root / name, tensors, torch.from_numpy(mean), None if std is None else torch.from_numpy(std), values)


def write_shipped(root: Path, config: RunConfig, end: float, rows: int = 20, **card: Any) -> Path:
    """A shipped checkpoint with configuration and records: errors fall by half a point a row to ``end``, the test error 2 above.

    Its weights are those of a fresh net.
    """
    recipe = config.recipe
    values = {
        "config": config.to_dict(), "data": config.data.label, "schedule_fraction": recipe.schedule_fraction, "seed": recipe.seed,
        "precision": "bf16", "train_error": end, "test_error": end + 2, "created": "2026-11-22T15:00:00+00:00",
    }  # fmt: skip
    path = write_checkpoint(root, config.model.name.lower(), config.model, **(values | card))
    writer = RecordWriter(path / folder.RECORDS)
    for row in range(1, rows + 1):
        at = {"iteration": recipe.iterations * row // rows, "elapsed_seconds": float(row)}
        error = end + 10.0 * (rows - row) / rows
        train = {"train_error": error, "loss": error / 40, "images": recipe.batch_size, "images_per_second": 900.0}
        writer.write({"kind": "train", **train, **at})
        writer.write({"kind": "test", "test_error": error + 2, "test_loss": error / 40, **at})
    writer.close()
    return path


def save_run(mean: torch.Tensor | None = None, iteration: int = 7, seed: int = 0) -> Run:
    """A run of ``TINY`` with one checkpoint (its weights: those of seed 3) and ``ROWS``. The store must not start workers."""
    run, _ = RunStore().submit(runs_tools.config(seed))
    mean = torch.full((3, 32, 32), 0.25) if mean is None else mean
    return _saved(run, mean, iteration)


def _saved(run: Run, mean: torch.Tensor, iteration: int) -> Run:
    state = checkpoint.TrainingState(build_model(run.config.model, 3).state_dict(), {"mean": mean}, {"iteration": iteration})
    checkpoint.save(run.path / "checkpoints", state)
    writer = RecordWriter(run.path / "records.jsonl")
    for row in ROWS:
        writer.write(row)
    writer.close()
    return run


def elsewhere(outputs: int, model: Any = TINY) -> Net:
    """A net of so many outputs, of which nothing else is known; there are no weights."""
    return Net(f"net-{outputs}", f"net-{outputs}", "imported", dataclasses.replace(model, num_classes=outputs), Path())


def save_run_on(config: DataConfig, data_dir: Path | None = None, seed: int = 0, name: str | None = None) -> Run:
    """A run of ``TINY`` on those data with one checkpoint, of fresh weights, and ``ROWS``. The store must not start workers."""
    model = dataclasses.replace(TINY, num_classes=config.classes)
    run, _ = RunStore().submit(RunConfig(model, config, Recipe(iterations=7, seed=seed)), name, data_dir)
    mean = torch.full((3, config.side, config.side), 0.25)
    return _saved(run, mean, 7)


def write_and_load(
    root: Path, model: Any = TINY, normalization: str = "pixel-mean", seed: int = 0, name: str = "tiny", precision: str = "fp32"
) -> LoadedNet:
    """Such a checkpoint, loaded on the CPU; ``root`` must be where the shipped ones are looked for."""
    write_checkpoint(root, name, model, seed, normalization)
    return load(find(name), "cpu", precision)
