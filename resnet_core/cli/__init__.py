"""The command line: everything the app does, without a browser.

    python -m resnet_core train --depth 56 --shortcut none --iterations 300 --json
    python -m resnet_core runs

Exit status: 0 done; 1 the training diverged, failed or was interrupted; 2 the user can mend it (a wrong option, no such run, no data
set); 130 after Ctrl-C. Importing this package, and answering what needs no training, does without torch.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from resnet_core.cli import manage, output, train
from resnet_core.cli.options import DATA_DIR, Parser, add_net, add_training, at_least_1, whole_number
from resnet_core.config import DEMO_RECIPE, DEVICES
from resnet_core.datasets import DATA_SETS
from resnet_core.errors import UserError
from resnet_core.runs import executor
from resnet_core.runs.files import shown

Command = Callable[[argparse.Namespace], int]

#: Module of this package -> its commands; "" has those that are declared here.
MODULES = {
    "": ("train", "resume", "runs", "stop", "rename", "delete", "complexity", "demo", "download", "probe", "bench"),
    "growing": ("grow",),
    "transferring": ("transfer",),
    "sweeping": ("sweep", "sweeps"),
    "importing": ("import",),
    "zoo": ("zoo",),
    "look": ("predict", "neighbours"),
    "attribute": ("attribute",),
    "inspect": ("evaluate", "responses", "gradients"),
    "experiment": ("experiment",),
    "lecture": ("lecture",),
    "exporting": ("export",),
    "start": ("app",),
    "classroom": ("class",),
}


def parser(asked: str = "") -> argparse.ArgumentParser:
    """Make the parser of all commands; where one is asked for, without those of other modules, which then need not be loaded."""
    top = Parser(prog="python -m resnet_core", description="Train plain and residual nets side by side. COMMAND --help tells its options.")
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, run: Command, text: str, home: bool = True) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        command.set_defaults(command=run)
        command.add_argument("--json", action="store_true", help="print one JSON object as the last line of stdout")
        if home:
            command.add_argument("--home", metavar="DIR", help="the folder of the runs (default: RESNET_LAB_HOME, else ./runs)")
        return command

    def training(name: str, run: Command, text: str) -> argparse.ArgumentParser:
        command = add(name, run, text)
        help_text = f"where it is computed (default: {executor.VARIABLE}, else {executor.LOCAL})"
        command.add_argument("--executor", choices=(executor.LOCAL, executor.RAY), help=help_text)
        return command

    def others(module: str, add: Callable[..., argparse.ArgumentParser]) -> None:
        if asked in MODULES[module] or not any(asked in names for names in MODULES.values()):
            importlib.import_module(f"{__name__}.{module}").add_commands(add)

    one = training("train", train.train, "train a net and wait for its result; Ctrl-C stops it with a checkpoint")
    one.add_argument("--name", metavar="TEXT", help="what to call the run (default: the net's name)")
    one.add_argument("--data-dir", metavar="DIR", type=Path, help=DATA_DIR)
    one.add_argument("--again", action="store_true", help="train it even if a run of the same configuration exists")
    add_training(one)

    for module in ("growing", "transferring", "sweeping"):
        others(module, training)
    resume = training("resume", train.resume, "go on with a stopped, interrupted or failed run, from its last checkpoint")
    resume.add_argument("run", metavar="RUN")
    add("runs", manage.runs, "list the runs")
    add("stop", train.stop, "stop a run with a checkpoint, or take it out of the queue").add_argument("run", metavar="RUN")
    rename = add("rename", manage.rename, "give a run another name")
    rename.add_argument("run", metavar="RUN")
    rename.add_argument("name", metavar="NAME")
    delete = add("delete", manage.delete, "delete a run with its records and checkpoints, after asking")
    delete.add_argument("run", metavar="RUN")
    delete.add_argument("--yes", action="store_true", help="do not ask")

    counts = add("complexity", manage.complexity, "count a net's parameters, MACs and layers", home=False)
    add_net(counts)

    others("importing", add)
    demo = training(
        "demo", train.demo, "train plain-20, plain-56, ResNet-20 and ResNet-56 on 300 images of the sample, and compare their ends"
    )
    demo.add_argument("--seed", type=whole_number, default=0, metavar="N", help="of the initial weights and the batches (default: 0)")
    demo.add_argument("--iterations", type=whole_number, metavar="N", help=f"of each net (default: {DEMO_RECIPE.iterations})")
    demo.add_argument("--again", action="store_true", help="train them even if runs of the same configurations exist")

    others("zoo", training)
    for module in ("look", "attribute", "inspect", "experiment", "lecture", "exporting", "start", "classroom"):
        others(module, add)

    fetch = add("download", manage.download, "download a data set: CIFAR-10, or another one", home=False)
    fetched = [key for key, dataset in DATA_SETS.items() if dataset.fetched]
    fetch.add_argument("--data", choices=fetched, default="cifar10", help="which one (default: cifar10)")
    fetch.add_argument("--to", type=Path, metavar="DIR", help="into this folder, which then is for --data-dir or RESNET_LAB_DATA")

    probed = add("probe", manage.probe, "show what precision auto means on this machine, and the measurement that says so", home=False)
    probed.add_argument("--again", action="store_true", help="forget what was measured here before, and measure now")
    probed.add_argument("--device", choices=DEVICES, default="auto", help="(default: auto)")

    bench = add("bench", manage.bench, "measure images per second, ours and the common way, in turn", home=False)
    bench.add_argument("--rounds", type=at_least_1, default=3, metavar="N", help="turns of each contender (default: 3)")
    bench.add_argument("--steps", type=at_least_1, default=12, metavar="N", help="training steps in a turn (default: 12)")
    profiled = "instead, where the time of a training step goes, by operation (default: ResNet-20 ResNet-56)"
    bench.add_argument("--profile", nargs="*", metavar="NET", help=profiled)
    bench.add_argument("--device", default="auto", metavar="{" + ",".join(DEVICES) + "}", help="(default: auto)")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit status. Nothing is raised: every error is one line on stderr."""
    output.prepare_streams()
    try:
        words = sys.argv[1:] if argv is None else argv
        args = parser(words[0] if words else "").parse_args(words)
        if getattr(args, "executor", None):
            os.environ[executor.VARIABLE] = args.executor
        code = args.command(args)
        sys.stdout.flush()
        return code
    except UserError as error:
        output.error(str(error))
        return 2
    except KeyboardInterrupt:
        return train.INTERRUPTED
    except BrokenPipeError:
        output.drop(sys.stdout)  # whoever read our output has gone (`... | head`)
        return 1
    except OSError as error:
        return _told(error)
    except Exception as error:
        if os.environ.get("RESNET_LAB_TRACEBACK"):
            raise
        output.error(f"{type(error).__name__}: {error} (not foreseen; RESNET_LAB_TRACEBACK=1 shows where it comes from)")
        return 1


def _told(error: OSError) -> int:
    """The exit status, after one line: of the file system, at a path that somebody gave, or on the way to stdout."""
    if os.environ.get("RESNET_LAB_TRACEBACK"):
        raise error
    if error.filename is None and (lost := output.stdout_problem()):
        output.drop(sys.stdout)
        output.error(f"the result could not be written to standard output: {lost}.")
        return 1
    reason = error.strerror or str(error)
    if error.filename is None:
        output.error(f"{reason} (RESNET_LAB_TRACEBACK=1 shows where it comes from).")
        return 1
    output.error(f"{shown(error.filename)}: {reason}. Check that path and who may use it, or name another one.")
    return 2
