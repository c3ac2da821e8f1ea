"""CHECKPOINT on the command line: a shipped or imported checkpoint, a run, or a file, be it ours or of another repository."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from resnet_core.cli import importing
from resnet_core.cli.options import AUTO
from resnet_core.cli.output import note, percent
from resnet_core.config import DATASETS, DataConfig
from resnet_core.datasets import PICTURES
from resnet_core.errors import CheckpointError, ConfigError
from resnet_core.images import HOWS

if TYPE_CHECKING:
    from resnet_core.nets import Net
    from resnet_core.nets.loading import LoadedNet


def add_checkpoint(command: argparse.ArgumentParser) -> None:
    """The argument, and the options for what a file of another repository leaves open."""
    from resnet_core.nets import NORMALIZATIONS

    command.add_argument("checkpoint", metavar="CHECKPOINT", help="a shipped or imported checkpoint's name, a run, or a weights file")
    keys = "{" + ",".join([*NORMALIZATIONS, "auto"]) + "}"
    text = f"of the input: for a file that does not say it (auto: {importing.AUTO_MEANS}), or instead of the checkpoint's own"
    command.add_argument("--normalization", metavar=keys, help=text)
    command.add_argument("--shortcut", metavar=importing.SHORTCUTS, default=AUTO, help=f"{importing.SHORTCUT_HELP} (default: auto)")


@contextlib.contextmanager
def named(args: argparse.Namespace) -> Iterator[Net]:
    """The net of CHECKPOINT. A file, whoever wrote it, is read as by ``import``, but kept only for as long as this lasts.

    Raises:
        RunError, CheckpointError: there is no such net, or it cannot be read.
        ImportRefused: the file is refused, or does not say how its input is normalised and no option does.
        ConfigError: ``--shortcut`` for a net that has its own.
    """
    from resnet_core.nets import find

    path = Path(os.path.expanduser(args.checkpoint))
    try:
        net = find(args.checkpoint, args.home)
    except CheckpointError:
        if not path.is_file():
            raise
        net = None
    if net is not None and net.origin == "file":
        path = net.path
    elif net is not None:
        if args.shortcut not in (AUTO, net.model.shortcut):
            raise ConfigError("shortcut", f"{args.shortcut!r} is not that of {net.name}, which is a {net.model.name}; leave it out.")
        yield net
        return
    from resnet_core.imports import accept, inspect_file
    from resnet_core.imports.scratch import scratch
    from resnet_core.imports.trial import Attempt, Trial

    proposal = inspect_file(path)
    for text in proposal.notes:
        note(text)
    # What a file says of itself another option may overrule (see ``loaded``); only what it leaves open is decided here.
    normalization = args.normalization if len(proposal.normalizations) > 1 else None
    if proposal.questions or args.shortcut != AUTO:
        measured, attempt = importing.decide(proposal, normalization, args.shortcut)
    else:
        attempt = Attempt(proposal.normalizations[0], proposal.shortcuts[0])
        measured = Trial((attempt,), attempt, 0)
    if len(proposal.shortcuts) > 1 and attempt.error is not None:
        taken = f"{proposal.net(attempt.shortcut).name} (shortcut {attempt.shortcut})"
        note(f"{path.name} is taken for a {taken}, with {percent(attempt.error)} error on training images of the sample.")
    with scratch() as folder:
        untested = Trial((attempt,), attempt, 0)  # nobody reads this card
        kept = accept(proposal, None, attempt.normalization, attempt.shortcut, folder, measured, untested)
        yield dataclasses.replace(kept, name=path.stem if net is None else net.name)


def add_how(command: argparse.ArgumentParser) -> None:
    """What of a picture a net sees, as ``images`` reads it."""
    hows = "; ".join(f"{key}: {text}" for key, text in HOWS.items())
    command.add_argument(
        "--how",
        choices=tuple(HOWS),
        default="crop",
        help=f"what of a picture is made 32x32 (224x224 for ImageNet's nets), {hows} (default: crop)",
    )


def add_images(command: argparse.ArgumentParser, of: str = "whose images") -> None:
    """The options that ``images_for`` reads."""
    keys = (*DATASETS, PICTURES)
    command.add_argument("--data", metavar="{" + ",".join(keys) + "}", help=f"{of} (default: those of the net's own classes)")
    where = "where they lie (default: RESNET_LAB_DATA, else where they were downloaded to, or were trained on)"
    command.add_argument("--data-dir", metavar="DIR", type=Path, help=where)


def images_for(args: argparse.Namespace, net: Net) -> tuple[DataConfig, Path | None]:
    """The data set that is asked for, else the first that fits the net, and its folder, if that is known.

    Raises:
        ConfigError: there is no such data set, or the net was trained on no pictures.
    """
    from resnet_core.nets.fitting import fitting, pictures_of

    found = next((each for each in fitting(net) if args.data in (None, each.dataset)), None)
    if found is None and args.data == PICTURES:
        raise ConfigError("data", f"{net.name} was not trained on a folder of pictures.")
    config = found or DataConfig(args.data)
    return config, args.data_dir or (pictures_of(net) if config.pictures else None)


def loaded(net: Net, args: argparse.Namespace, precision: str) -> LoadedNet:
    """The net of ``named`` with its weights; normalised as ``--normalization`` says, if it does.

    Raises:
        ConfigError: that is no known normalisation, or the device is not on this machine.
        CheckpointError: the weights cannot be read.
    """
    from resnet_core.nets import NORMALIZATIONS

    if args.normalization not in (None, AUTO, *NORMALIZATIONS):
        raise ConfigError("normalization", f"{args.normalization!r} is not one of {', '.join(NORMALIZATIONS)}, auto.")
    from resnet_core.nets.loading import load

    found = load(net, args.device, precision)
    if args.normalization not in NORMALIZATIONS:
        return found
    import torch

    arrays = NORMALIZATIONS[args.normalization].arrays()
    mean, std = arrays
    mean, std = torch.from_numpy(mean).to(found.device), None if std is None else torch.from_numpy(std).to(found.device)
    net = dataclasses.replace(net, card={**net.card, "normalization": args.normalization})
    return dataclasses.replace(found, net=net, mean=mean, std=std)
