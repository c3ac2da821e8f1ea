"""``sweep`` and ``sweeps``: trainings that belong together, their progress as a whole, and what has come of them."""

from __future__ import annotations

import argparse
import contextlib
import re
import time
from pathlib import Path
from typing import Any

from resnet_core import sweeps
from resnet_core.architectures import parse
from resnet_core.cli.follow import Interrupts
from resnet_core.cli.options import Add, add_data, add_fields, read_data, read_fields
from resnet_core.cli.output import emit, note, table
from resnet_core.cli.train import warn_of_size
from resnet_core.config import Recipe
from resnet_core.errors import RunError
from resnet_core.runs import RunStore
from resnet_core.runs.run import RESUMABLE
from resnet_core.sweeps import Progress, Spread, Sweep

INTERRUPTED = 130
#: Seconds between two looks at the runs, and between two lines about them where nothing else has changed.
LOOK_SECONDS, LINE_SECONDS = 1.0, 15.0


def add_commands(add: Add) -> None:
    """The commands with their options."""
    command = add("sweep", sweep)
    command.add_argument("--net", nargs="+", metavar="NAME", required=True, help="the nets by their names, e.g. plain-20 ResNet-56-B")
    command.add_argument("--seeds", type=seeds, default=(0,), metavar="N-N,N", help="e.g. 0-9 or 0,3,7 (default: 0)")
    command.add_argument("--name", metavar="TEXT", help="what to call it (default: made from nets and seeds)")
    command.add_argument("--data-dir", metavar="DIR", type=Path, help="where the data set lies (default: as of train)")
    command.add_argument("--again", action="store_true", help="train all of it even if there are runs of the same configurations")
    command.add_argument("--no-wait", action="store_true", help="queue it, and do not wait for its end")
    add_data(command.add_argument_group("the data"))
    add_fields(command.add_argument_group("the recipe (the defaults are the paper's)"), Recipe, leave_out=["seed"])
    listed = add("sweeps", sweep_list)
    listed.add_argument("sweep", metavar="SWEEP", nargs="?", help="its id or name")
    listed.add_argument("--forget", action="store_true", help="delete the sweep named; its runs stay")


def seeds(text: str) -> tuple[int, ...]:
    """For ``type=``: seeds such as ``0-9`` or ``0,3,7-9``, each once, or an error in plain words."""
    found: dict[int, None] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        whole = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part)
        first, last = (int(whole[1]), int(whole[2] or whole[1])) if whole else (1, 0)
        if not first <= last < first + sweeps.MOST:
            raise argparse.ArgumentTypeError(f"{part!r} is not a seed, nor a range of seeds such as 0-9.")
        found |= dict.fromkeys(range(first, last + 1))
    if not found:
        raise argparse.ArgumentTypeError("no seeds.")
    return tuple(found)


def sweep(args: argparse.Namespace) -> int:
    """``sweep``: from the queue to mean and spread."""
    data, place = read_data(args)
    nets = [parse(name) for name in args.net]
    configs = sweeps.grid(nets, data, read_fields(args, Recipe), args.seeds)
    warn_of_size(configs)
    store = RunStore(args.home)
    name = args.name or f"{', '.join(dict.fromkeys(net.name for net in nets))}: {_counted(len(args.seeds), 'seed')}"
    with Interrupts() as interrupts:
        begun = sweeps.begin(store, configs, name, place, args.again)
        resumed = 0
        for run in store.some(begun.runs):
            if run.state().state in RESUMABLE:
                store.resume(run.id)
                resumed += 1
        note(f"{begun.name}: {_counted(len(begun.runs), 'training')}{f', of which {resumed} go on' if resumed else ''}; {begun.id}")
        found = sweeps.progress(begun, store.look()) if args.no_wait else _follow(store, begun, interrupts)
    _tell(begun, found, args.json)
    if interrupts.count:
        return INTERRUPTED
    return 1 if found.failed and not args.no_wait else 0


def _follow(store: RunStore, sweep: Sweep, interrupts: Interrupts) -> Progress:
    """Waits until nothing of it is queued or running. Ctrl-C has all of it stopped with checkpoints, a second one does not wait."""
    told: tuple[Any, float] = (None, float("-inf"))
    asked = False
    while True:
        found = sweeps.progress(sweep, store.tend())
        if not found.is_active or interrupts.count > 1:
            return found
        if interrupts.count and not asked:
            asked = True
            note(f"stopping {sweep.name}; Ctrl-C once more does not wait for the checkpoints.")
            for run in reversed(store.some(sweep.runs)):
                with contextlib.suppress(RunError):  # it has ended meanwhile
                    if run.state().is_active:
                        store.stop(run.id)
            continue
        now = time.monotonic()
        if found.states != told[0] or now - told[1] >= LINE_SECONDS:
            told = found.states, now
            note(f"{sweep.name}: {_states(found)}, {100 * found.done:.0f} % of all iterations")
        time.sleep(LOOK_SECONDS)


def sweep_list(args: argparse.Namespace) -> int:
    """``sweeps``: all of them, or one with what has come of it; ``--forget`` deletes one."""
    store = RunStore(args.home)
    if args.sweep:
        found = sweeps.find(store.home, args.sweep)
        if args.forget:
            sweeps.forget(store.home, found)
            note(f"{found.id} is deleted; its runs are still there.")
            return 0
        _tell(found, sweeps.progress(found, store.look()), args.json)
        return 0
    if args.forget:
        raise RunError("Name the sweep that is to be deleted.")
    look = store.look()
    told = [(sweep, sweeps.progress(sweep, look)) for sweep in sweeps.all_of(store.home)]
    if args.json:
        emit({"sweeps": [_summary(sweep, found) for sweep, found in told]})
    elif told:
        rows = [(sweep.id, sweep.name, f"{100 * found.done:.0f} %", _states(found)) for sweep, found in told]
        print(table(("sweep", "name", "done", "runs"), rows, left=2))
    else:
        print("There are no sweeps yet.")
    return 0


def _tell(sweep: Sweep, found: Progress, as_json: bool) -> None:
    if as_json:
        emit(_summary(sweep, found))
        return
    rows = [
        (group.config.name, f"{len(group.test.values)} of {group.seeds}", _shown(group.train), _shown(group.test)) for group in found.groups
    ]
    print(table(("net", "seeds", "clean training error", "test error"), rows))
    print(f"Mean and standard deviation over the seeds that have finished. {_states(found)}.")
    for run, why in found.failed:
        print(f"{run.id} {run.state().state}: {why}")


def _summary(sweep: Sweep, found: Progress) -> dict[str, Any]:
    def told(spread: Spread) -> dict[str, Any]:
        return {"mean": spread.mean, "deviation": spread.deviation, "by_seed": {str(seed): value for seed, value in spread.values.items()}}

    nets = [
        {"net": group.config.name, "seeds": group.seeds, "clean_train_error": told(group.train), "test_error": told(group.test)}
        for group in found.groups
    ]
    failed = [{"run": run.id, "message": why} for run, why in found.failed]
    known = {"sweep": sweep.id, "name": sweep.name, "runs": list(sweep.runs), "states": found.states}
    return known | {"done": round(found.done, 4), "nets": nets, "failed": failed, "missing": found.missing}


def _states(found: Progress) -> str:
    told = [f"{count} {state}" for state, count in sorted(found.states.items())]
    return ", ".join([*told, f"{found.missing} deleted"] if found.missing else told) or "no runs"


def _shown(spread: Spread) -> str:
    if spread.mean is None:
        return "-"
    return f"{spread.mean:.2f} %" + ("" if spread.deviation is None else f" ± {spread.deviation:.2f}")


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
