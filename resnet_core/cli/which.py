"""CHECKPOINT on the command line: a shipped or imported checkpoint, a run, or a file, be it ours or of another repository."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from resnet_core.cli.output import note, percent
from resnet_core.errors import CheckpointError

if TYPE_CHECKING:
    from resnet_core.nets import Net


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
