"""Writes ``<name>_records.json``, the curves that pages show before anything was trained, from trainings that are through.

For example::

    python -m resnet_core demo --home runs
    python -m resnet_core.reference demo runs

``seeds`` takes whatever seeds of the demo are through in all four nets, and can be run again when there are more.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from resnet_core.claims.myths import TRAININGS, WITH_LAYERS, label_of
from resnet_core.config import RunConfig, demo_configs, join_configs
from resnet_core.errors import UserError
from resnet_core.reference import seed_bank
from resnet_core.runs import Run, RunStore

#: Decimals of what is measured in layers are cut to so many significant digits.
_DIGITS = 4


def _planned(configs: list[RunConfig], store: RunStore) -> list[Run]:
    """The runs of configurations, in any precision; ends the program where one has not been trained."""
    found = []
    for config in configs:
        asked = (dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, precision=p)) for p in ("auto", "bf16", "fp32"))
        run = next(filter(None, map(store.find, asked)), None)
        if run is None or run.state().state != "finished":
            sys.exit(f"{config.model.name} has not been trained in {store.home}; train it first.")
        found.append(run)
    return found


def _of_myths(store: RunStore) -> list[Run]:
    """A run of seed 0 for each training that a myth needs."""
    ended = (run for run in store.runs() if run.state().state == "finished" and run.config.recipe.seed == 0)
    found = {label: run for run in ended if (label := label_of(run.config))}
    if missing := [label for label in TRAININGS if label not in found]:
        sys.exit(f"Not trained in {store.home}: {', '.join(missing)}; train them first.")
    return [found[label] for label in TRAININGS]


def _rows(run: Run) -> list[dict[str, Any]]:
    """Train and test rows; and where gradients are looked at, those of the layers."""
    layers = label_of(run.config) in WITH_LAYERS
    return [_short(row) for row in run.records() if row["kind"] in ("train", "test") or (layers and row["kind"] == "layers")]


def _short(row: dict[str, Any]) -> dict[str, Any]:
    if row["kind"] != "layers":
        return row
    norms = [norm if norm is None else float(f"{norm:.{_DIGITS}g}") for norm in row["gradient_norm"]]
    return {**{key: row[key] for key in ("kind", "iteration", "names", "elapsed_seconds")}, "gradient_norm": norms}


RUNS: dict[str, Callable[[RunStore], list[Run]]] = {
    "demo": lambda store: _planned(demo_configs(), store),
    "joins": lambda store: _planned(join_configs(), store),
    "myths": _of_myths,
}


def main(name: str, home: str) -> None:
    target = Path(__file__).with_name(f"{name}_records.json")
    if name == "seeds":
        print(f"{target}: {seed_bank.write(RunStore(home), target)} seeds")
        return
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=target.parent, capture_output=True, text=True, check=True).stdout.strip()
    entries = []
    for run in RUNS[name](RunStore(home)):
        status = run.state()
        entries.append(
            {
                "config": run.config.to_dict(),
                "records": _rows(run),
                "plan": status.plan,
                "result": status.result,
                "versions": run.versions,
                "machine": (status.plan or {}).get("reason", {}).get("machine", "unknown"),
                "commit": commit,
                "date": run.created,
            }
        )
    target.write_text("[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]\n", encoding="utf-8")
    print(f"{target}: {len(entries)} runs")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in (*RUNS, "seeds"):
        sys.exit(f"usage: python -m resnet_core.reference {{{','.join([*RUNS, 'seeds'])}}} HOME")
    try:
        main(*sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
