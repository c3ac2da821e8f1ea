"""``experiment``: the experiments that show why, made from their declarations."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from resnet_core.cli.attribute import KINDS
from resnet_core.cli.follow import progress, remaining
from resnet_core.cli.options import Add, Parser
from resnet_core.cli.output import emit, note, table
from resnet_core.cli.which import add_images, images_for
from resnet_core.config import DEVICES, PRECISIONS

_PREFIX = "parameter."


def add_commands(add: Add) -> None:
    """The command; what stands behind it is read when it is asked for, as the declarations import what no other command needs."""
    top = add("experiment", experiment, home=False)
    top.add_argument("arguments", nargs=argparse.REMAINDER, metavar="EXPERIMENT ...", help="none: list them; EXPERIMENT --help tells more")


def parser() -> Parser:
    """One command an experiment, made from its declaration."""
    from resnet_core.experiments import EXPERIMENTS

    top = Parser(prog="python -m resnet_core experiment")
    kinds = top.add_subparsers(metavar="EXPERIMENT", dest="experiment", required=True)
    for each in EXPERIMENTS.values():
        text = f"{each.question} {each.method} {each.limits} {each.source}".replace("%", "%%")
        command = kinds.add_parser(each.key, help=each.question.replace("%", "%%"), description=text)
        command.add_argument("--json", action="store_true", help="print one JSON object as the last line of stdout")
        command.add_argument("--home", metavar="DIR", help="the folder of the runs (default: RESNET_LAB_HOME, else ./runs)")
        command.add_argument("nets", metavar="NET", nargs="+", help="a checkpoint's name, a run, or a weights file of ours")
        add_images(command)
        command.add_argument("--precision", choices=PRECISIONS, default="fp32", help="(default: fp32)")
        command.add_argument("--device", choices=DEVICES, default="auto", help="(default: auto)")
        command.add_argument("--out", type=Path, metavar="HTML", help="write the figure as a page that needs no network")
        for parameter in each.parameters:
            kind, metavar = KINDS[parameter.kind]
            options = f" {{{','.join(key for key, _ in parameter.choices)}}}" if parameter.choices else ""
            of = "none" if parameter.default == "" else parameter.default
            default = "" if of is None else f" (default: {of})"
            help_text = f"{parameter.label}. {parameter.help}{options}{default}".replace("%", "%%")
            flag = "--" + parameter.name.replace("_", "-")
            command.add_argument(flag, type=kind, metavar=metavar, dest=_PREFIX + parameter.name, default=argparse.SUPPRESS, help=help_text)
    return top


def experiment(outer: argparse.Namespace) -> int:
    """``experiment``: which there are; ``experiment KEY NET...``: the table, and what the numbers say."""
    from resnet_core.experiments import EXPERIMENTS, run, seconds_per_image
    from resnet_core.experiments.base import shown
    from resnet_core.nets import find, words

    if not outer.arguments:
        if outer.json:
            emit({"experiments": [{"key": each.key, "title": each.title, "question": each.question} for each in EXPERIMENTS.values()]})
        else:
            print(table(("experiment", "question"), [(each.key, each.question) for each in EXPERIMENTS.values()], left=2))
        return 0
    args = parser().parse_args(outer.arguments)
    args.json |= outer.json
    kind = EXPERIMENTS[args.experiment]
    given = {name.removeprefix(_PREFIX): value for name, value in vars(args).items() if name.startswith(_PREFIX)}
    given |= {each.name: find(given[each.name], args.home) for each in kind.parameters if each.kind == "net" and given.get(each.name)}
    nets = [find(name, args.home) for name in dict.fromkeys(args.nets)]
    data, folder = images_for(args, nets[0])
    for net in nets:  # what is wrong is told before the first is measured
        kind.check(net.model, net.name)
        kind.check_images(net, data)
        kind.check_others(net, given)
        values = kind.complete(given, net.model)
        if kind.passes is not None:
            seconds = kind.passes(net.model, values) * seconds_per_image(net, args.device, args.precision)
            note(f"{net.name}: it takes about {remaining(seconds)}, by a pass of images that was timed now.")
        if net.enlarged and kind.parameters:  # without any it looks at no images
            note(net.enlarged)
    results, labels = [], words.told_apart(nets)
    for net in nets:
        with progress(net.name) as told:
            options: dict[str, Any] = {"label": labels[net.id], "precision": args.precision, "device": args.device, "progress": told}
            results.append(run(kind, net, data, given, folder=folder, **options))
    functions = kind.functions
    if args.out is not None:
        from resnet_core.figures import export

        caption = f"{kind.method} {kind.limits} {words.caption(nets, labels)}"
        args.out.write_text(export.page(functions.figure(results), caption, kind.title), encoding="utf-8")
    if args.json:
        found = [{"net": each.label, "model": each.model.name, **each.result.to_dict()} for each in results]
        emit({"experiment": kind.key, "data": data.dataset, "results": found, "finding": functions.finding(results)})
        return 0
    made = functions.table(results)
    print(table(made.head, [tuple(map(shown, row)) for row in made.rows], left=1))
    print(f"\n{functions.finding(results)}\n{kind.limits}")
    return 0
