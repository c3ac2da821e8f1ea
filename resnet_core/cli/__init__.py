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
from resnet_core.cli.options import DATA_DIR, Add, Parser, add_net, add_training, at_least_1, whole_number
from resnet_core.config import DEMO_RECIPE, DEVICES
from resnet_core.datasets import DATA_SETS
from resnet_core.errors import UserError
from resnet_core.runs import executor
from resnet_core.runs.files import shown

Command = Callable[[argparse.Namespace], int]

#: Module of this package -> its commands, and what each does; "" has those that are declared here. So --help loads no other module.
COMMANDS = {
    "": {
        "train": "train a net and wait for its result; Ctrl-C stops it with a checkpoint",
        "resume": "go on with a stopped, interrupted or failed run, from its last checkpoint",
        "runs": "list the runs",
        "stop": "stop a run with a checkpoint, or take it out of the queue",
        "rename": "give a run another name",
        "delete": "delete a run with its records and checkpoints, after asking",
        "complexity": "count a net's parameters, MACs and layers",
        "demo": "train plain-20, plain-56, ResNet-20 and ResNet-56 on 300 images of the sample, and compare their ends",
        "download": "download a data set: CIFAR-10, or another one",
        "probe": "show what precision auto means on this machine, and the measurement that says so",
        "bench": "measure images per second, ours and the common way, in turn",
    },
    "growing": {
        "grow": "make a trained net deeper by blocks that do nothing, train on, and wait for the result",
    },
    "transferring": {
        "transfer": "train a net with weights and a new classifier on other data, and wait for the result",
    },
    "sweeping": {
        "sweep": "train every net with every seed, and tell mean and spread; asked again it goes on where it was",
        "sweeps": "list the sweeps, or tell how far one is",
    },
    "importing": {
        "import": "import a checkpoint from elsewhere: safetensors, or a state_dict of torch.save",
    },
    "zoo": {
        "zoo": "train what is missing of the nets that ship in checkpoints/; it can be run again and again",
    },
    "look": {
        "predict": "tell what a net takes images for",
        "neighbours": "find the six training images that are nearest to an image in a net's feature space",
    },
    "attribute": {
        "attribute": "tell which pixels speak for a class, by Integrated Gradients, Grad-CAM and others",
    },
    "inspect": {
        "evaluate": "measure the error of a checkpoint on test images",
        "responses": "measure how strongly each layer of a checkpoint responds to test images (Fig. 7)",
        "gradients": "measure the gradient at each layer of a checkpoint on training images",
    },
    "experiment": {
        "experiment": "make an experiment that shows why with trained nets, side by side",
    },
    "lecture": {
        "lecture": "write trainings over their course, with their verdict, as one HTML file that needs no network",
    },
    "exporting": {
        "export": "write a net or its training for other tools: plain Python, ONNX, TensorBoard, a notebook",
    },
    "start": {
        "app": "start the app, on this machine alone unless --host opens it",
    },
    "classroom": {
        "class": "start the app for a class: others may look, answer and train within a quota",
    },
}


def parser(asked: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of all commands; where the first word is given, those of modules that it does not mean are only listed."""
    top = Parser(prog="python -m resnet_core", description="Train plain and residual nets side by side. COMMAND --help tells its options.")
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    def listed(name: str) -> argparse.ArgumentParser:
        text = next(texts[name] for texts in COMMANDS.values() if name in texts)
        return commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")

    def add(name: str, run: Command, home: bool = True) -> argparse.ArgumentParser:
        command = listed(name)
        command.set_defaults(command=run)
        command.add_argument("--json", action="store_true", help="print one JSON object as the last line of stdout")
        if home:
            command.add_argument("--home", metavar="DIR", help="the folder of the runs (default: RESNET_LAB_HOME, else ./runs)")
        return command

    def training(name: str, run: Command) -> argparse.ArgumentParser:
        command = add(name, run)
        help_text = f"where it is computed (default: {executor.VARIABLE}, else {executor.LOCAL})"
        command.add_argument("--executor", choices=(executor.LOCAL, executor.RAY), help=help_text)
        return command

    def others(module: str, add: Add) -> None:
        if asked is None or asked in COMMANDS[module]:
            importlib.import_module(f"{__name__}.{module}").add_commands(add)
        else:
            for name in COMMANDS[module]:
                listed(name)

    one = training("train", train.train)
    one.add_argument("--name", metavar="TEXT", help="what to call the run (default: the net's name)")
    one.add_argument("--data-dir", metavar="DIR", type=Path, help=DATA_DIR)
    one.add_argument("--again", action="store_true", help="train it even if a run of the same configuration exists")
    add_training(one)

    for module in ("growing", "transferring", "sweeping"):
        others(module, training)
    resume = training("resume", train.resume)
    resume.add_argument("run", metavar="RUN")
    add("runs", manage.runs)
    add("stop", train.stop).add_argument("run", metavar="RUN")
    rename = add("rename", manage.rename)
    rename.add_argument("run", metavar="RUN")
    rename.add_argument("name", metavar="NAME")
    delete = add("delete", manage.delete)
    delete.add_argument("run", metavar="RUN")
    delete.add_argument("--yes", action="store_true", help="do not ask")

    counts = add("complexity", manage.complexity, home=False)
    add_net(counts)

    others("importing", add)
    demo = training("demo", train.demo)
    demo.add_argument("--seed", type=whole_number, default=0, metavar="N", help="of the initial weights and the batches (default: 0)")
    demo.add_argument("--iterations", type=whole_number, metavar="N", help=f"of each net (default: {DEMO_RECIPE.iterations})")
    demo.add_argument("--again", action="store_true", help="train them even if runs of the same configurations exist")

    others("zoo", training)
    for module in ("look", "attribute", "inspect", "experiment", "lecture", "exporting", "start", "classroom"):
        others(module, add)

    fetch = add("download", manage.download, home=False)
    fetched = [key for key, dataset in DATA_SETS.items() if dataset.fetched]
    fetch.add_argument("--data", choices=fetched, default="cifar10", help="which one (default: cifar10)")
    fetch.add_argument("--to", type=Path, metavar="DIR", help="into this folder, which then is for --data-dir or RESNET_LAB_DATA")

    probed = add("probe", manage.probe, home=False)
    probed.add_argument("--again", action="store_true", help="forget what was measured here before, and measure now")
    probed.add_argument("--device", choices=DEVICES, default="auto", help="(default: auto)")

    bench = add("bench", manage.bench, home=False)
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
        args = parser(next((word for word in words if not word.startswith("-")), "")).parse_args(words)
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
