"""Writes the seed bank from trainings of the demo: those seeds whose four nets are through, in short.

Kept of each: how it ended, where and when, and the points of its curves; no more digits of an error than two.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from resnet_core.claims.seed_bank import PAIRS
from resnet_core.config import RunConfig, demo_configs
from resnet_core.errors import DataError
from resnet_core.language import mark
from resnet_core.runs import Run, RunStore

#: Bytes; the bank ships with the project.
MOST = 3_000_000


def rows(store: RunStore) -> list[dict[str, Any]]:
    """What is written of each training, by seed and net; of several trainings of one seed and net the first counts.

    Raises:
        DataError: no seed has all four nets.
    """
    found: dict[int, dict[str, Run]] = {}
    for run in store.runs():
        seed, net = run.config.recipe.seed, run.config.model.name
        if run.state().state == "finished" and (run.state().result or {}).get("clean_train_error") is not None and _is_demo(run.config):
            found.setdefault(seed, {}).setdefault(net, run)
    nets = [net for pair in PAIRS.values() for net in pair]
    whole = [seed for seed in sorted(found) if set(nets) <= set(found[seed])]
    if not whole:
        raise DataError(mark("{home}: no seed has been trained in all of {nets}."), home=store.home, nets=", ".join(nets))
    return [_row(found[seed][net]) for seed in whole for net in nets]


def write(store: RunStore, path: Path) -> int:
    """Write the bank, a training a line; the seeds that it has already, and the store has not, stay. Returns how many seeds it has.

    Raises:
        DataError: as ``rows``; or it would be larger than ``MOST``.
    """
    found = rows(store)
    new = {row["seed"] for row in found}
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    found = sorted([row for row in kept if row["seed"] not in new] + found, key=lambda row: row["seed"])
    text = "[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in found) + "\n]\n"
    if len(text) > MOST:
        raise DataError(mark("The seed bank would have {size:,} bytes, more than {most:,}."), size=len(text), most=MOST)
    path.write_text(text, encoding="utf-8")
    return len({row["seed"] for row in found})


def _is_demo(config: RunConfig) -> bool:
    """Whether it is a training of the demo, in whatever precision was asked for."""
    recipe = dataclasses.replace(config.recipe, precision="auto")
    return dataclasses.replace(config, recipe=recipe) in demo_configs(recipe.seed)


def _row(run: Run) -> dict[str, Any]:
    status, records = run.state(), run.records()
    result, plan = status.result or {}, status.plan or {}
    return {
        "seed": run.config.recipe.seed,
        "net": run.config.model.name,
        "precision": plan.get("precision", "unknown"),
        "machine": plan.get("reason", {}).get("machine", "unknown"),
        "commit": run.versions.get("commit", "unknown"),
        "date": run.created[:10],
        "train_error": round(result["train_error"], 4),
        "clean_error": round(result["clean_train_error"], 4),
        "test_error": round(result["test_error"], 4),
        "train": [[row["iteration"], round(row["train_error"], 2)] for row in records if row["kind"] == "train"],
        "test": [[row["iteration"], round(row["test_error"], 2)] for row in records if row["kind"] == "test"],
    }
