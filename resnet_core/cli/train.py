"""``train``, ``resume``, ``stop`` and ``demo``: what puts trainings into the queue that the app uses too, and waits for them."""

from __future__ import annotations

import argparse
import shlex
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from resnet_core.cli.follow import Interrupts, follow
from resnet_core.cli.options import read_data, read_fields, read_net
from resnet_core.cli.output import emit, error, note, percent, report, speed, summary, table
from resnet_core.config import Recipe, RunConfig, demo_configs, doubts, fitted
from resnet_core.runs import Run, RunStatus, RunStore, hung
from resnet_core.verdict import Outcome, degradation, degradation_verdict

#: Exit status after Ctrl-C, as shells have it.
INTERRUPTED = 130
#: Seconds of silence after which, and between which, ``stop`` says what it waits for.
TELL_SECONDS = 10.0


def enter(store: RunStore, config: RunConfig, name: str | None = None, data_dir: Path | None = None, again: bool = False) -> Run:
    """The run of ``config``, in the queue or past it: a new one, or the one that exists, put back into the queue where it can go on.

    Raises:
        DataError: the data set is not there.
        RunError: the name is not valid, or the home cannot be written.
    """
    return joined(store, *store.submit(config, name=name, data_dir=data_dir, again=again))


def joined(store: RunStore, run: Run, is_new: bool) -> Run:
    """The run that ``submit`` returned; one that exists already is put back into the queue where it can go on, and it is said."""
    if is_new:
        return run
    status = run.state()
    if status.state == "finished":
        note(f"run {run.id} was trained with this configuration already, here is its result; --again trains it anew.")
    elif status.state == "diverged":
        note(f"run {run.id} with this configuration has diverged already; --again trains it anew.")
    elif status.is_active:
        note(f"run {run.id} has this configuration and is {status.state} already; following it.")
    else:
        note(f"run {run.id} has this configuration and is {status.state} at iteration {status.iteration:,}; it goes on.")
        store.resume(run.id)
    return run


def outcome(run: Run, status: RunStatus, home: str | None) -> int:
    """Says on stderr what went wrong with a run, if anything did, and gives the exit status that belongs to its state."""
    if status.state == "finished":
        return 0
    again = f"python -m resnet_core resume {run.id}" + (f" --home {shlex.quote(home)}" if home else "")
    message = status.message.rstrip(".") or "no reason is known"
    if status.state == "queued":
        error(f"run {run.id} is in the queue, but no worker could be started: {message}.")
    elif status.state == "running":
        error(f"run {run.id} has been asked to stop and will; go on later with: {again}")
    elif status.state == "diverged":
        error(f"run {run.id} diverged: {message}.")
    elif status.state == "stopped":
        note(f"run {run.id} is stopped at iteration {status.iteration:,} of {status.iterations:,}; go on with: {again}")
    else:
        error(f"run {run.id} {'was' if status.state == 'interrupted' else 'has'} {status.state}: {message}. Go on with: {again}")
    return 1


def wait_and_tell(store: RunStore, run: Run, interrupts: Interrupts, args: argparse.Namespace) -> int:
    """Follow a run to its end, tell its result, and give the exit status."""
    status = follow(store, run, interrupts)
    code = outcome(run, status, args.home)
    told = summary(run, status)
    if args.json:
        emit(told)
    else:
        print(report(told, run.config.data.label))
    return INTERRUPTED if interrupts.count and code else code


def warn_of_size(configs: Iterable[RunConfig]) -> None:
    """Say of every net that is made for larger images than those it is to be trained on what that means, and what to do."""
    for doubt in doubts(configs):
        note(f"careful: {doubt}")


def train(args: argparse.Namespace) -> int:
    """``train``: one net, from the queue to its result."""
    data, place = read_data(args)
    config = RunConfig(fitted(read_net(args), data), data, read_fields(args, Recipe))
    warn_of_size([config])
    store = RunStore(args.home)
    # From here on Ctrl-C must not leave a run behind that nobody has been told of.
    with Interrupts() as interrupts:
        run = enter(store, config, args.name, place, args.again)
        return wait_and_tell(store, run, interrupts, args)


def resume(args: argparse.Namespace) -> int:
    """``resume``: puts a run back into the queue, or joins one that is there, and waits for its result."""
    store = RunStore(args.home)
    run = store.get(args.run)
    status = run.state()
    with Interrupts() as interrupts:
        if status.is_active:
            note(f"run {run.id} is {status.state} already; following it.")
        else:
            store.resume(run.id)
        return wait_and_tell(store, run, interrupts, args)


def stop(args: argparse.Namespace) -> int:
    """``stop``: out of the queue, or to the next checkpoint and no further."""
    store = RunStore(args.home)
    run = store.get(args.run)
    store.stop(run.id)
    # The worker looks at the request between two iterations.
    told = 0.0
    while (status := run.state()).is_active:
        if status.silent_seconds - told >= TELL_SECONDS:
            told = status.silent_seconds
            note(f"run {run.id} was asked to stop; its worker was last heard {told:.0f} seconds ago.")
        if hung.end(run.path):
            note(f"run {run.id}: its worker said nothing for {hung.END_SECONDS:g} seconds after it was asked to stop, and was ended.")
        time.sleep(0.1)
    if args.json:
        emit(summary(run, status))
    else:
        print(f"Run {run.id} is {status.state} at iteration {status.iteration:,} of {status.iterations:,}.")
    return 0


def demo(args: argparse.Namespace) -> int:
    """``demo``: plain-20, plain-56, ResNet-20 and ResNet-56 on 300 images of the sample, and whether they show degradation."""
    from resnet_core.figures.series import outcome as ended
    from resnet_core.lecture.runs import of_run

    begin = time.monotonic()
    store = RunStore(args.home)
    configs = demo_configs(args.seed, args.iterations)
    nets: dict[str, dict[str, Any]] = {}
    outcomes: list[Outcome] = []
    code = 0
    with Interrupts() as interrupts:
        # All of them are queued before the first is followed: the app shows all four, and slots are filled. A plain net is trained beside
        # its residual twin, where two are trained at once.
        entered = {config: enter(store, config, again=args.again) for config in sorted(configs, key=lambda config: config.model.depth)}
        for run in (entered[config] for config in configs):
            status = follow(store, run, interrupts)
            code = max(code, outcome(run, status, args.home))
            nets[run.config.model.name] = summary(run, status)
            # Only a training that has come to its end can be compared with the others.
            if status.state in ("finished", "diverged"):
                outcomes.append(ended(of_run(run, status, layers=False)))
    found = degradation(outcomes)
    gaps = {name: gap and round(gap.points, 2) for name, gap in (("plain", found and found.plain), ("residual", found and found.residual))}
    result = {
        "nets": nets,
        "gaps": gaps,
        "shown": bool(found and found.shown),
        "verdict": degradation_verdict(outcomes),
        "seconds": round(time.monotonic() - begin, 1),
    }
    if args.json:
        emit(result)
    else:
        head = ("net", "state", "clean training error", "test error", "images/s")
        rows = [
            (name, net["state"], percent(net["clean_train_error"]), percent(net["test_error"]), speed(net["images_per_second"]))
            for name, net in nets.items()
        ]
        print(f"{table(head, rows, left=2)}\n\n{result['verdict']}\n{result['seconds']:.0f} s in all.")
    return INTERRUPTED if interrupts.count and code else code
