"""``runs``, ``delete``, ``rename``, ``complexity``, ``download``, ``probe`` and ``bench``: the commands that wait for no training."""

from __future__ import annotations

import argparse
import sys

from resnet_core.cli.options import read_net
from resnet_core.cli.output import bytes_bar, emit, note, percent, speed, summary, table
from resnet_core.datasets import DATA_SETS
from resnet_core.errors import RunError
from resnet_core.runs import RunStore
from resnet_core.runs.files import shown


def runs(args: argparse.Namespace) -> int:
    """``runs``: all of them, oldest first."""
    store = RunStore(args.home)
    found = store.look()
    for path, reason in found.broken:
        note(f"{shown(path)} is damaged and left out: {reason}.")
    if args.json:
        told = [summary(run, status) for run, status in found.runs]
        damaged = [{"run": shown(path.name), "reason": reason} for path, reason in found.broken]
        emit({"home": shown(store.home), "runs": told} | ({"damaged": damaged} if damaged else {}))
        return 0
    lines = found.briefs
    if not lines:
        print(f"There are no runs in {shown(store.home)} yet.")
        return 0
    head = ("run", "name", "state", "iterations", "training error", "test error", "images/s")
    rows = [
        (
            each.id,
            each.name,
            each.state,
            f"{each.iteration:,}/{each.iterations:,}",
            percent(each.train_error),
            percent(each.test_error),
            speed(each.images_per_second),
        )
        for each in lines
    ]
    print(table(head, rows, left=3))
    return 0


def delete(args: argparse.Namespace) -> int:
    """``delete``: a run with its records and checkpoints, after asking."""
    store = RunStore(args.home)
    path = store.folder(args.run)
    name = shown(path.name)
    try:
        run = store.get(path.name)
        status = run.state()
        description = f"{run.name}, {status.state}, {status.iteration:,} iterations"
    except RunError:
        description = "a link, which alone is deleted" if path.is_symlink() else "it cannot be read"
    if not args.yes:
        if not sys.stdin.isatty():
            raise RunError(f"Deleting run {name} ({description}) asks first, and this is no terminal: say --yes.")
        print(f"Delete run {name} ({description}) with its records and checkpoints? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            note("nothing was deleted.")
            return 1
    store.delete(path.name)
    if args.json:
        emit({"run": name, "deleted": True})
    else:
        print(f"Run {name} is deleted.")
    return 0


def rename(args: argparse.Namespace) -> int:
    """``rename``: another name for people; the id stays."""
    store = RunStore(args.home)
    run = store.get(args.run)
    store.rename(run.id, args.name)
    if args.json:
        emit({"run": run.id, "name": run.name})
    else:
        print(f"Run {run.id} is called {run.name}.")
    return 0


def complexity(args: argparse.Namespace) -> int:
    """``complexity``: parameters, MACs and layers of a net, from its description."""
    from resnet_core.architectures.table import complexity as count

    config = read_net(args)
    net = count(config)
    if args.json:
        emit({"net": config.name, "params": net.params, "macs": net.macs, "layers": net.layers})
    else:
        print(f"{config.name}: {net.params:,} parameters, {net.macs:,} MACs, {net.layers:,} weighted layers")
    return 0


def download(args: argparse.Namespace) -> int:
    """``download``: a data set."""
    from resnet_core.data import download as fetch

    title = str(DATA_SETS[args.data].title)
    with bytes_bar(title) as progress:
        path = fetch(progress, args.to, args.data)
    if args.json:
        emit({"path": str(path)})
    else:
        print(f"{title} is in {path}.")
    return 0


def probe(args: argparse.Namespace) -> int:
    """``probe``: what ``--precision auto`` means on this machine, from what was measured before or, with ``--again``, now."""
    from resnet_core.kernels import build
    from resnet_core.training import probe as probing
    from resnet_core.training.device import pick_device
    from resnet_core.training.timing import MARGIN, machine_name

    device = pick_device(args.device)
    answer = (probing.measure_again if args.again else probing.precision_answer)(device)
    chosen = "bf16" if answer.wins else "fp32"
    kernels = device.type == "cpu" and build.library() is not None
    if args.json:
        told = {"ratio": answer.ratio, "needs": MARGIN, "precision": chosen, "clear": answer.is_clear, "measured": answer.measured}
        emit({"machine": machine_name(device), "device": device.type, **told, "kernels": kernels, "amx": kernels and build.has_amx()})
    else:
        print(f"{machine_name(device)}: {probing.precision_text(answer)}, measured {answer.measured}. --precision auto trains in {chosen}.")
        if device.type == "cpu":
            there = "compiled for this processor" if kernels else f"not there ({build.why_not()}); torch's own do it"
            print(f"The kernels for trainings: {there}.")
            if kernels and build.has_amx():
                print("In bf16, 3x3 convolutions are computed by AMX, with the batch normalisation, addition and ReLU in front of them.")
    return 0


def bench(args: argparse.Namespace) -> int:
    """``bench``: images per second, ours and the common way; or where the time of a step goes."""
    if args.profile is not None:
        from resnet_core import profile

        found = [profile.measure(net, device=args.device) for net in args.profile or ("ResNet-20", "ResNet-56")]
        if args.json:
            emit({"profiles": found})
        else:
            print("\n".join(map(profile.report, found)))
        return 0
    from resnet_core import bench as benchmark

    result = benchmark.run(args.rounds, args.steps, args.device)
    if args.json:
        emit(result)
    else:
        print(benchmark.report(result))
    return 0
