"""A new run's folder: all that describes it, and its place in the queue."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import resnet_core
from resnet_core import atomic
from resnet_core.config import RunConfig
from resnet_core.runs import files
from resnet_core.runs.run import Run

#: The weights that a training begins with, where they are not random.
START = "start.safetensors"


def create(
    home: Path, config: RunConfig, name: str, data_dir: Path | None, state: dict[str, Any], start: Path | None = None, owner: str = ""
) -> Run:
    """Makes the folder under a hidden name and gives it its own in one step: there is never half a run.

    Args:
        data_dir: where the data set lies, absolute; None for the embedded sample.
        state: state, ticket and pool. The caller holds the home lock, under which the ticket was taken.
        start: the weights that the training begins with, copied.
        owner: whose it is, an id; empty for nobody's in particular.
    """
    for leftover in home.glob(".new-*"):  # of a process that was killed right here
        shutil.rmtree(leftover, ignore_errors=True)
    recipe, fingerprint = config.recipe, config.fingerprint
    stem = f"{config.model.name.lower()}-{config.data.dataset}-s{recipe.seed}-{fingerprint[:6]}"
    run_id, count = stem, 1
    while (home / run_id).exists():
        count += 1
        run_id = f"{stem}-{count}"
    folder = home / f".new-{run_id}"
    folder.mkdir()
    created = files.now()
    identity = {
        "id": run_id,
        "config": config.to_dict(),
        "versions": _versions(),
        "created": created,
        "data_dir": str(data_dir) if data_dir else None,
        "fingerprint": fingerprint,
    } | ({"owner": owner} if owner else {})
    if start is not None:
        shutil.copyfile(start, folder / START)
        atomic.sync(folder / START)
    (folder / "lock").touch()
    (folder / "records.jsonl").touch()
    (folder / "checkpoints").mkdir()
    files.write_json(folder / "run.json", identity)  # which syncs the names of the others too
    files.write_json(folder / "meta.json", {"name": name})
    files.write_json(folder / "state.json", {**state, "message": "", "iteration": 0})
    os.rename(folder, home / run_id)
    atomic.sync(home)
    return Run(home / run_id)


def _versions() -> dict[str, str]:
    """The versions of what the outcome may depend on; from the package metadata, so that nothing is imported."""
    import importlib.metadata

    found = {"python": platform.python_version()}
    for package in ("torch", "torchvision", "resnet-lab"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    if commit := code_commit():
        found["commit"] = commit
    return found


def code_commit() -> str | None:
    """This code's commit, where it lies in a Git checkout: ``<40 hex digits>``, and ``-dirty`` behind it if tracked files are changed."""
    command = ["git", "-C", str(Path(resnet_core.__file__).parent), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None if answer.returncode == 0 else None
