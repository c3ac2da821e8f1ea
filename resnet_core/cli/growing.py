"""``grow``: a trained net is trained on as a deeper one."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from resnet_core.cli.follow import Interrupts
from resnet_core.cli.options import Add, add_fields, at_least_1
from resnet_core.cli.train import joined, wait_and_tell
from resnet_core.config import DataConfig, Recipe
from resnet_core.errors import ConfigError
from resnet_core.runs import RunStore


def add_commands(add: Add) -> None:
    """The command with its options."""
    command = add("grow", grow)
    command.add_argument("checkpoint", metavar="CHECKPOINT", help="a shipped or imported checkpoint's name, or a run")
    command.add_argument("--rounds", type=at_least_1, default=6, metavar="N", help="blocks added to each stage (default: 6)")
    command.add_argument("--name", metavar="TEXT", help="what to call the run (default: the nets' names)")
    command.add_argument("--data-dir", metavar="DIR", type=Path, help="where the full CIFAR-10 lies (default: as of train)")
    command.add_argument("--again", action="store_true", help="train it even if a run of the same configuration exists")
    note = "by default those that the net was trained with; the defaults named here are for a net that was trained elsewhere"
    add_fields(command.add_argument_group(f"the data ({note})"), DataConfig, ["pictures"])
    add_fields(command.add_argument_group("the recipe (likewise)"), Recipe)


def grow(args: argparse.Namespace) -> int:
    """``grow``: from the queue to its result."""
    from resnet_core.nets import find, growth
    from resnet_core.nets.fitting import pictures_of

    net = find(args.checkpoint, args.home)
    if net.origin == "file":
        raise ConfigError("checkpoint", f"{net.name} is a file; import it first.")
    config = growth.planned(net, args.rounds)
    data, recipe = (_given(args, section) for section in (config.data, config.recipe))
    store = RunStore(args.home)
    with Interrupts() as interrupts:
        config = dataclasses.replace(config, data=data, recipe=recipe)
        run = joined(store, *growth.grow(store, net, config, args.name, args.data_dir or pictures_of(net), args.again))
        return wait_and_tell(store, run, interrupts, args)


def _given(args: argparse.Namespace, section: Any) -> Any:
    given = {field.name: getattr(args, field.name) for field in dataclasses.fields(section) if hasattr(args, field.name)}
    return dataclasses.replace(section, **given)
