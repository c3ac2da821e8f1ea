"""Trainings whose records ship with the project, so that a page shows real curves before anything was trained here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import resnet_core
from resnet_core.config import RunConfig
from resnet_core.figures.series import RunRecords
from resnet_core.language import mark

#: See ``python -m resnet_core.reference``.
FOLDER = Path(resnet_core.__file__).parent / "reference"


@dataclass(frozen=True)
class Recorded:
    """Curves that ship with the project, where they come from, and on what machine."""

    runs: list[RunRecords] = field(default_factory=list)
    source: str = ""
    machine: str = ""

    @property
    def seconds(self) -> float:
        """How long the trainings took there."""
        return sum(run.records[-1]["elapsed_seconds"] for run in self.runs)


def _before(config: RunConfig, runs: Sequence[RunRecords]) -> Sequence[dict[str, Any]]:
    """Of a grown net: the records of the training that it was grown from, which stands before it in the file."""
    if config.start is None:
        return ()
    parents = (run for run in runs if run.config.model.name == config.start.net and run.config.recipe == config.recipe)
    return next((run.records for run in parents), ())


@lru_cache(maxsize=4)
def recorded(name: str) -> Recorded:
    """Return the trainings of ``<name>_records.json``; empty when there are none."""
    path = FOLDER / f"{name}_records.json"
    if not path.is_file():
        return Recorded()
    entries = json.loads(path.read_text(encoding="utf-8"))
    runs: list[RunRecords] = []
    for number, entry in enumerate(entries):
        config = RunConfig.from_dict(entry["config"])
        precision = entry.get("precision") or (entry.get("plan") or {}).get("precision")
        about = (f"recorded-{name}-{number}", config.name, config, entry["records"], "finished", precision, entry.get("result"))
        runs.append(RunRecords(*about, before=_before(config, runs)))
    first = entries[0]
    return Recorded(
        runs,
        mark("{date}, on {machine}, at commit {commit}", date=first["date"][:10], machine=first["machine"], commit=first["commit"][:10]),
        first["machine"],
    )
