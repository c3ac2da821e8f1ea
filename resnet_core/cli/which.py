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
from resnet_core.errors import CheckpointError, ConfigError

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
        name = proposal.net(attempt.shortcut).name
        note(f"{path.name} is taken for a {name} (shortcut {attempt.shortcut}), with {percent(attempt.error)} error on the sample.")
    with scratch() as folder:
        kept = accept(proposal, None, attempt.normalization, attempt.shortcut, folder, measured)
        yield dataclasses.replace(kept, name=path.stem if net is None else net.name)


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
