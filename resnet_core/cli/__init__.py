"""The command line: everything the app does, without a browser.

    python -m resnet_core train --depth 56 --shortcut none --iterations 300 --json
    python -m resnet_core runs

Exit status: 0 done; 1 the training diverged, failed or was interrupted; 2 the user can mend it (a wrong option, no such run, no data
set); 130 after Ctrl-C. Importing this package, and answering what needs no training, does without torch.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from resnet_core.cli import (
    attribute,
    classroom,
    experiment,
    exporting,
    growing,
    importing,
    inspect,
    lecture,
    look,
    manage,
    output,
    start,
    sweeping,
    train,
    transferring,
)
from resnet_core.cli import zoo as shipping
from resnet_core.cli.options import Parser, add_net, add_training, at_least_1, whole_number
from resnet_core.config import DEMO_RECIPE, DEVICES
from resnet_core.datasets import DATA_SETS
from resnet_core.errors import UserError
from resnet_core.nets import NORMALIZATIONS
from resnet_core.runs import executor
from resnet_core.runs.files import shown

Command = Callable[[argparse.Namespace], int]


def parser() -> argparse.ArgumentParser:
    """Make the parser of all commands."""
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

    one = training("train", train.train, "train a net and wait for its result; Ctrl-C stops it with a checkpoint")
    one.add_argument("--name", metavar="TEXT", help="what to call the run (default: the net's name)")
    where = "where the data set lies (default: RESNET_LAB_DATA, else where it was downloaded to)"
    one.add_argument("--data-dir", metavar="DIR", type=Path, help=where)
    one.add_argument("--again", action="store_true", help="train it even if a run of the same configuration exists")
    add_training(one)

    growing.add_commands(training)
    transferring.add_commands(training)
    sweeping.add_commands(training)
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

    bring = add("import", importing.import_file, "import a checkpoint from elsewhere: safetensors, or a state_dict of torch.save")
    origin = "or torchvision:NAME, e.g. torchvision:resnet18: its weights for ImageNet; or hf:OWNER/NAME, of the Hugging Face Hub"
    bring.add_argument("file", metavar="FILE", help=origin)
    bring.add_argument("--name", metavar="NAME", help="what to call it here (default: made from the file's name)")
    keys = f"{', '.join(NORMALIZATIONS)}, or auto ({importing.AUTO_MEANS})"
    bring.add_argument("--normalization", metavar="KEY", help=f"of its input, where the file does not say: {keys}")
    bring.add_argument("--shortcut", metavar=importing.SHORTCUTS, help=importing.SHORTCUT_HELP)

    demo = training(
        "demo", train.demo, "train plain-20, plain-56, ResNet-20 and ResNet-56 on 300 images of the sample, and compare their ends"
    )
    demo.add_argument("--seed", type=whole_number, default=0, metavar="N", help="of the initial weights and the batches (default: 0)")
    demo.add_argument("--iterations", type=whole_number, metavar="N", help=f"of each net (default: {DEMO_RECIPE.iterations})")
    demo.add_argument("--again", action="store_true", help="train them even if runs of the same configurations exist")

    zoo = training("zoo", shipping.zoo, "train what is missing of the nets that ship in checkpoints/; it can be run again and again")
    zoo.add_argument("--status", action="store_true", help="train nothing, only tell what is there")
    zoo.add_argument("--full", action="store_true", help="at the paper's whole schedule of 64,000 iterations, five seeds of each net")
    zoo.add_argument("--only", nargs="+", metavar="NAME", help="only these, e.g. plain-20 resnet-20")
    zoo.add_argument("--jobs", type=at_least_1, metavar="N", help="trainings at once; on a CPU they share its cores (default: 1)")
    zoo.add_argument("--data-dir", metavar="DIR", type=Path, help=where)

    look.add_commands(add)
    attribute.add_commands(add)
    inspect.add_commands(add)
    experiment.add_commands(add)
    lecture.add_commands(add)
    exporting.add_commands(add)
    start.add_commands(add)

    lesson = add("class", classroom.classroom, "start the app for a class: others may look, answer and train within a quota")
    lesson.add_argument("--port", type=int, default=8501, metavar="N", help="(default: 8501)")
    lesson.add_argument("--host", metavar="NAME", help="the name or address that the others type (default: this machine's own address)")
    lesson.add_argument(
        "--delete", action="store_true", help="start nothing; delete the questions, answers and nicknames of the last class"
    )
    lesson.add_argument("--yes", action="store_true", help="with --delete: do not ask")

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
        args = parser().parse_args(argv)
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
