"""``export``: a net or its training in a form that other tools read."""

from __future__ import annotations

import argparse
from pathlib import Path

from resnet_core import atomic
from resnet_core.cli.options import Add
from resnet_core.cli.output import emit
from resnet_core.cli.which import add_checkpoint, named
from resnet_core.exports import FORMATS, made


def add_commands(add: Add) -> None:
    """The command with its options."""
    command = add("export", export)
    add_checkpoint(command)
    command.add_argument(
        "--to", choices=tuple(FORMATS), required=True, help="; ".join(f"{key}: {one.title}" for key, one in FORMATS.items())
    )
    text = "the file, or, of TensorBoard, the folder (default: named after the net, here)"
    command.add_argument("--out", metavar="PATH", type=Path, help=text)


def export(args: argparse.Namespace) -> int:
    """``export``: writes the file and says how large it is."""
    with named(args) as net:
        name, content = made(args.to, net)
    if FORMATS[args.to].is_folder:
        path = (args.out or Path(name.rpartition("tfevents.")[2])) / name
        path.parent.mkdir(parents=True, exist_ok=True)
    else:
        path = args.out or Path(name)
    with atomic.replacing(path) as written:
        written.write_bytes(content)
    if args.json:
        emit({"net": net.id, "file": str(path), "bytes": len(content)})
    else:
        print(f"{path}: {len(content):,} bytes, {net.name}")
    return 0
