"""A sweep: trainings that belong together, as one object. Which they are is kept; how far they are is read from their runs.

    sweep = sweeps.begin(store, grid(nets, DataConfig(), Recipe(), seeds=range(10)), "Depth and shortcuts")
    told = sweeps.progress(sweep, store.look())

``<home>/.sweeps/<id>.json`` has the name and the ids of the runs, in their order. A run may be part of several sweeps, as one
configuration is trained once; deleting a sweep deletes no run.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import statistics
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resnet_core import atomic
from resnet_core.architectures import ModelConfig
from resnet_core.config import DataConfig, Recipe, RunConfig, fitted
from resnet_core.errors import ConfigError, RunError
from resnet_core.language import tr
from resnet_core.runs import Look, Run, RunStatus, RunStore, files
from resnet_core.verdict import without_seed

FOLDER = ".sweeps"
#: Trainings of one sweep.
MOST = 1_000
#: States that are told as what went wrong.
FAILED = ("failed", "diverged", "interrupted")


@dataclass(frozen=True)
class Sweep:
    """Trainings that belong together.

    Attributes:
        id: of the sweep; name: for people; created: UTC, ISO 8601.
        runs: the ids of its runs, in their order, each once.
    """

    id: str
    name: str
    created: str
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Spread:
    """What the seeds of one configuration have ended with, in percent: ``values`` by seed, mean, and sample standard deviation.

    The standard deviation is None below two seeds.
    """

    values: dict[int, float]

    @property
    def mean(self) -> float | None:
        return statistics.fmean(self.values.values()) if self.values else None

    @property
    def deviation(self) -> float | None:
        return statistics.stdev(self.values.values()) if len(self.values) > 1 else None


@dataclass(frozen=True)
class Group:
    """The runs that differ in nothing but the seed.

    Attributes:
        config: theirs, with seed 0.
        seeds: how many there are.
        train, test: of those that have finished; ``train`` is the clean training error.
    """

    config: RunConfig
    seeds: int
    train: Spread
    test: Spread


@dataclass(frozen=True)
class Progress:
    """How far a sweep is.

    Attributes:
        states: state -> how many runs are in it.
        done: part of all iterations that are done, 0 to 1; a run that has ended before its end counts as done.
        groups: in the order of the runs.
        failed: each run that failed, diverged or was interrupted, with why.
        missing: runs that were deleted, or cannot be read.
    """

    states: dict[str, int]
    done: float
    groups: list[Group]
    failed: list[tuple[Run, str]] = field(default_factory=list)
    missing: int = 0

    @property
    def is_active(self) -> bool:
        return any(self.states.get(state) for state in ("queued", "running"))


def grid(nets: Iterable[ModelConfig], data: DataConfig, recipe: Recipe, seeds: Iterable[int]) -> list[RunConfig]:
    """Make the configurations of every net with every seed; all nets of a seed come together, so that they can be compared early.

    Raises:
        ConfigError: there are none, or more than ``MOST``.
    """
    fitted_nets = [fitted(net, data) for net in nets]
    made = {RunConfig(net, data, dataclasses.replace(recipe, seed=seed)): None for seed, net in itertools.product(seeds, fitted_nets)}
    if not 1 <= len(made) <= MOST:
        raise ConfigError("seeds", "{count:,} trainings; a sweep has 1 to {most:,}.", count=len(made), most=MOST)
    return list(made)


def begin(store: RunStore, configs: Sequence[RunConfig], name: str, data_dir: Path | str | None = None, again: bool = False) -> Sweep:
    """Queue the trainings that are not there yet, and keep what belongs together.

    What is there is left as it is: a run that has stopped is not resumed by this.

    Raises:
        ConfigError, DataError, RunError: as ``RunStore.submit``; what was queued until then stays queued.
    """
    runs = [store.submit(config, data_dir=data_dir, again=again)[0] for config in configs]
    return keep(store, runs, name)


def keep(store: RunStore, runs: Sequence[Run], name: str) -> Sweep:
    """Keep that these runs belong together; where a sweep of that name has just these, it is that one.

    Raises:
        RunError: the name is empty or too long, or the home cannot be written.
    """
    text = name.strip()
    if not (text and len(text) <= 120 and files.is_printable(text)):
        raise RunError("A sweep's name has 1 to 120 characters that can be shown.")
    ids = tuple(dict.fromkeys(run.id for run in runs))
    for known in all_of(store.home):
        if (known.name, known.runs) == (text, ids):
            return known
    sweep = Sweep(f"sweep-{uuid.uuid4().hex[:8]}", text, files.now(), ids)
    path = _path(store.home, sweep.id)
    with files.explained(store.home):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(path) as written:
            written.write_text(json.dumps({"name": sweep.name, "created": sweep.created, "runs": sweep.runs}), encoding="utf-8")
    return sweep


def _path(home: Path, sweep: str) -> Path:
    return home / FOLDER / f"{sweep}.json"


def all_of(home: Path) -> list[Sweep]:
    """List the sweeps of a home, newest first. A file that is damaged is none."""
    found = [sweep for path in (home / FOLDER).glob("sweep-*.json") if (sweep := _read(path)) is not None]
    return sorted(found, key=lambda sweep: (sweep.created, sweep.id), reverse=True)


def _read(path: Path) -> Sweep | None:
    try:
        values: dict[str, Any] = files.read_json(path)
        name, created, runs = values["name"], values["created"], values["runs"]
    except (OSError, ValueError, KeyError):
        return None
    known = isinstance(name, str) and isinstance(created, str) and isinstance(runs, list) and all(isinstance(run, str) for run in runs)
    return Sweep(path.stem, name, created, tuple(dict.fromkeys(runs))) if known and re.fullmatch(r"sweep-[0-9a-f]{8}", path.stem) else None


def find(home: Path, id_or_name: str) -> Sweep:
    """Give the sweep with that id; else the newest one with that name. Raises RunError where there is none."""
    known = all_of(home)
    for sweep in [*(s for s in known if s.id == id_or_name), *(s for s in known if s.name == id_or_name)]:
        return sweep
    listed = ", ".join(f"{sweep.id} ({sweep.name})" for sweep in known[:10]) or tr("none")
    raise RunError("No sweep has the id or name {text!r}. There are: {listed}.", text=files.shown(id_or_name), listed=listed)


def forget(home: Path, sweep: Sweep) -> None:
    """Delete a sweep, and none of its runs. Raises RunError where the home cannot be written."""
    with files.explained(home):
        _path(home, sweep.id).unlink(missing_ok=True)


def progress(sweep: Sweep, look: Look) -> Progress:
    """Tell how far a sweep is, and what has come of it so far."""
    by_id = {run.id: (run, status) for run, status in look.reach(0, sweep.runs)}
    there = [by_id[run] for run in sweep.runs if run in by_id]
    states: dict[str, int] = {}
    groups: dict[RunConfig, list[tuple[Run, RunStatus]]] = {}
    for run, status in there:
        states[status.state] = states.get(status.state, 0) + 1
        groups.setdefault(without_seed(run.config), []).append((run, status))
    # A run that ends before its end leaves nothing to wait for.
    parts = [status.iteration / status.iterations if status.is_active else 1.0 for _, status in there]
    return Progress(
        states,
        statistics.fmean(parts) if parts else 1.0,
        [Group(config, len(pairs), _spread(pairs, "clean_train_error"), _spread(pairs, "test_error")) for config, pairs in groups.items()],
        [(run, status.message) for run, status in there if status.state in FAILED],
        len(sweep.runs) - len(there),
    )


def _spread(pairs: Sequence[tuple[Run, RunStatus]], name: str) -> Spread:
    ended = ((run.config.recipe.seed, (status.result or {}).get(name)) for run, status in pairs if status.state == "finished")
    return Spread({seed: value for seed, value in ended if value is not None})
