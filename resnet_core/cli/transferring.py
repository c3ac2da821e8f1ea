"""``transfer``: a trained net with a new classifier on other data, with stages frozen or none, and beside it the same net from scratch."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from resnet_core.cli.follow import Interrupts
from resnet_core.cli.options import Add, add_data, add_fields, read_data, real_number, whole_number
from resnet_core.cli.output import emit
from resnet_core.cli.train import joined, wait_and_tell, warn_of_size
from resnet_core.config import Recipe
from resnet_core.runs import RunStore


def add_commands(add: Add) -> None:
    """The command with its options."""
    command = add("transfer", transfer)
    command.add_argument("checkpoint", metavar="CHECKPOINT", help="a shipped or imported checkpoint's name, or a run")
    command.add_argument(
        "--frozen", type=whole_number, default=0, metavar="N", help="groups that are not trained: the stem, then each stage"
    )
    help_text = "factor of the learning rate from a stage to the one before it (default: 1)"
    command.add_argument("--stage-decay", type=real_number, default=1.0, metavar="X", help=help_text)
    command.add_argument("--scratch", action="store_true", help="train the same net from scratch too, and tell the difference")
    command.add_argument("--name", metavar="TEXT", help="what to call the run (default: the net's name)")
    command.add_argument("--data-dir", metavar="DIR", type=Path, help="where the data set lies (default: as of train)")
    command.add_argument("--again", action="store_true", help="train it even if a run of the same configuration exists")
    add_data(command.add_argument_group("the data"))
    recipe = command.add_argument_group("the recipe (not given: 400 iterations of 32 images, rate 0.02 falling to 0, no augmentation)")
    add_fields(recipe, Recipe)


def transfer(args: argparse.Namespace) -> int:
    """``transfer``: from the queue to its result."""
    from resnet_core.claims import transferred
    from resnet_core.nets import find
    from resnet_core.nets import transfer as transferring

    net = find(args.checkpoint, args.home)
    data, place = read_data(args)
    given = {field.name: getattr(args, field.name) for field in dataclasses.fields(Recipe) if hasattr(args, field.name)}
    config = transferring.planned(net, data, dataclasses.replace(transferring.RECIPE, **given), args.frozen, args.stage_decay)
    warn_of_size([config])
    store = RunStore(args.home)
    with Interrupts() as interrupts:
        runs = [joined(store, *transferring.transfer(store, net, config, args.name, place, args.again))]
        if args.scratch:
            runs.append(joined(store, *store.submit(transferring.from_scratch(config), data_dir=place, again=args.again)))
        code = max(wait_and_tell(store, run, interrupts, args) for run in runs)
    ended = [(run.config, (run.state().result or {}).get("test_error")) for run in runs]
    said = transferred.sentences(transferred.curves((config, error) for config, error in ended if error is not None))
    if args.json and said:
        emit({"compared": said})
    elif said:
        print("\n".join(said))
    return code
