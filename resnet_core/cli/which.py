"""CHECKPOINT on the command line: a shipped or imported checkpoint, a run, or a file, be it ours or of another repository."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

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
    text = "of the input: for a file that does not say it (auto: the lowest error on the sample), or instead of the checkpoint's own"
    command.add_argument("--normalization", metavar=keys, help=text)
    text = "for a file whose keys do not tell a plain net from option A (default: auto, the lower error on the sample)"
    command.add_argument("--shortcut", metavar="{none,A,auto}", default="auto", help=text)


@contextlib.contextmanager
def named(args: argparse.Namespace) -> Iterator[Net]:
    """The net of CHECKPOINT. A file of another repository is read as by ``import``, but kept only for as long as this lasts.

    Raises:
        RunError, CheckpointError: there is no such net, or it cannot be read.
        ImportRefused: the file is refused, or does not say how its input is normalised and no option does.
    """
    from resnet_core.nets import find

    path = Path(args.checkpoint).expanduser()
    try:
        net = find(args.checkpoint, args.home)
    except CheckpointError:
        if not path.is_file():
            raise
    else:
        yield net
        return
    from resnet_core.cli.importing import decide
    from resnet_core.imports import accept, inspect_file

    proposal = inspect_file(path)
    for text in proposal.notes:
        note(text)
    measured, attempt = decide(proposal, args.normalization, args.shortcut)
    if len(proposal.shortcuts) > 1 and attempt.error is not None:
        note(f"{path.name} is taken for a {proposal.net(attempt.shortcut).name}, with {percent(attempt.error)} error on the sample.")
    with tempfile.TemporaryDirectory() as folder:
        yield accept(proposal, None, attempt.normalization, attempt.shortcut, folder, measured)


def loaded(net: Net, args: argparse.Namespace, precision: str) -> LoadedNet:
    """The net of ``named`` with its weights; normalised as ``--normalization`` says, if it does.

    Raises:
        ConfigError: that is no known normalisation, or the device is not on this machine.
        CheckpointError: the weights cannot be read.
    """
    from resnet_core.nets import NORMALIZATIONS

    if args.normalization not in (None, "auto", *NORMALIZATIONS):
        raise ConfigError("normalization", f"{args.normalization!r} is not one of {', '.join(NORMALIZATIONS)}, auto.")
    from resnet_core.nets.loading import load

    found = load(net, args.device, precision)
    if args.normalization not in NORMALIZATIONS:
        return found
    import torch

    arrays = NORMALIZATIONS[args.normalization].arrays()
    mean, std = (None if array is None else torch.from_numpy(array).to(found.device) for array in arrays)
    net = dataclasses.replace(net, card={**net.card, "normalization": args.normalization})
    return dataclasses.replace(found, net=net, mean=mean, std=std)
