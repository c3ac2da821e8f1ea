"""``zoo``: trains what is missing of the nets that ship, and turns finished trainings into checkpoints."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from resnet_core.cli.follow import Interrupts, follow
from resnet_core.cli.options import DATA_DIR, Add, at_least_1
from resnet_core.cli.output import emit, note, percent, table
from resnet_core.cli.train import INTERRUPTED, enter, outcome
from resnet_core.config import RunConfig
from resnet_core.data.folders import ENVIRONMENT
from resnet_core.errors import ConfigError, RunError
from resnet_core.nets import folder
from resnet_core.runs import Run, RunStore
from resnet_core.zoo import Entry, entries, plan, training_home


def add_commands(add: Add) -> None:
    """The command with its options."""
    command = add("zoo", zoo)
    command.add_argument("--status", action="store_true", help="train nothing, only tell what is there")
    command.add_argument("--full", action="store_true", help="at the paper's whole schedule of 64,000 iterations, five seeds of each net")
    command.add_argument("--only", nargs="+", metavar="NAME", help="only these, e.g. plain-20 resnet-20")
    command.add_argument("--jobs", type=at_least_1, metavar="N", help="trainings at once; on a CPU they share its cores (default: 1)")
    command.add_argument("--data-dir", metavar="DIR", type=Path, help=DATA_DIR)


def zoo(args: argparse.Namespace) -> int:
    """``zoo``: all missing nets in their order; run it again after any interruption, and it goes on."""
    store = RunStore(args.home or training_home())
    configs = plan.full() if args.full else plan.CONFIGS
    names = [plan.name_of(config) for config in configs]
    for name in args.only or []:
        if name not in names:
            raise ConfigError("only", f"{name!r} is not one of {', '.join(names)}.")
    code = 0
    if not args.status:
        # For the workers: a training that has come from another machine looks for its data anew.
        if args.jobs:
            os.environ["RESNET_LAB_SLOTS"] = str(args.jobs)
        if args.data_dir:
            os.environ[ENVIRONMENT] = str(args.data_dir.absolute())
        code = _train(store, configs, args.data_dir, args.only)
    found = entries(store, configs)
    for entry in found if args.status else []:
        if entry.problem:
            note(entry.problem)
    if args.json:
        emit({"home": str(store.home), "nets": [_told(entry) for entry in found]})
    else:
        print(table(("net", "state", "iterations", "training error", "test error"), [_row(entry) for entry in found], left=2))
    return code


def _train(store: RunStore, configs: tuple[RunConfig, ...], data_dir: Path | None, only: list[str] | None) -> int:
    code = 0
    wanted = [entry for entry in entries(store, configs) if not entry.shipped and (not only or entry.name in only)]
    for entry in wanted:
        if entry.problem:
            again = "exported anew from its training" if entry.status and entry.status.state == "finished" else "trained anew"
            note(f"{entry.problem} It is {again}.")
    with Interrupts() as interrupts:
        # All of them enter the queue before the first is followed, so that every slot has work.
        entered = [enter(store, entry.config, _called(entry), data_dir) for entry in wanted]
        for entry, run in zip(wanted, entered, strict=True):
            status = follow(store, run, interrupts)
            if status.state == "finished":
                from resnet_core.zoo.export import export

                card = export(run, entry.folder, data_dir or store.data_dir(run), note)
                note(f"{entry.name}: shipped, test error {card['test_error']:.2f} %, in {entry.folder}.")
            else:
                code = max(code, outcome(run, status, str(store.home)))
            if interrupts.count:
                _leave_queue(store, entered)
                return INTERRUPTED
    return code


def _called(entry: Entry) -> str:
    """What its run is called: as the net; of several seeds, as the entry."""
    return entry.name if entry.name != entry.config.model.name.lower() else entry.config.model.name


def _leave_queue(store: RunStore, entered: list[Run]) -> None:
    """After Ctrl-C: what waits of ``entered`` is taken out of the queue, what is being trained stops with a checkpoint."""
    for run in reversed(entered):  # the last first: what waits must not begin because something before it has stopped
        try:
            if not run.state().is_active:
                continue
            store.stop(run.id)
        except RunError as problem:  # it has ended by itself this very moment
            note(str(problem))


def _errors(entry: Entry) -> tuple[float | None, float | None]:
    if entry.shipped:
        card = folder.read_folder(entry.folder)
        return card["train_error"], card["test_error"]
    result = (entry.status and entry.status.result) or {}
    return result.get("train_error"), result.get("test_error")


def _told(entry: Entry) -> dict[str, Any]:
    train, test = _errors(entry)
    absent = "damaged" if entry.problem else "missing"
    state = "shipped" if entry.shipped else entry.status.state if entry.status else absent
    done = entry.config.recipe.iterations if entry.shipped else entry.status.iteration if entry.status else 0
    iterations = entry.config.recipe.iterations
    return {
        "name": entry.name,
        "state": state,
        "iteration": done,
        "iterations": iterations,
        "train_error": train,
        "test_error": test,
        "problem": entry.problem,
    }


def _row(entry: Entry) -> tuple[str, ...]:
    told = _told(entry)
    done = f"{told['iteration']:,}/{told['iterations']:,}"
    return told["name"], told["state"], done, percent(told["train_error"]), percent(told["test_error"])
