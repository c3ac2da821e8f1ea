"""``app``, and what ``class`` shares with it: where the app lies, and how this process becomes it."""

from __future__ import annotations

import argparse
import importlib.util
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import resnet_core
from resnet_core.cli.options import Add
from resnet_core.errors import ConfigError, RunError
from resnet_core.runs import home
from resnet_core.runs.files import shown

#: What the app is called where it was installed with the package: a folder beside it. In a clone it lies beside resnet_core itself.
INSTALLED = "resnet_lab_app"


def add_commands(add: Add) -> None:
    """The command with its options."""
    command = add("app", app)
    command.add_argument("--port", type=int, default=8501, metavar="N", help="(default: 8501)")
    text = "open it to everybody who can reach this machine by that name or address, and lets them delete runs"
    command.add_argument("--host", metavar="NAME", help=text)
    command.add_argument("--no-browser", action="store_true", help="do not open a browser")


def app(args: argparse.Namespace) -> int:
    """``app``: this process becomes the app."""
    folder = app_folder()
    check_port(args.port, "127.0.0.1")
    options: dict[str, object] = {"server.port": args.port}
    if args.no_browser:
        options["server.headless"] = "true"
    if args.host:
        options |= {"server.address": listening(args.host), "browser.serverAddress": args.host}
    become(folder, command(options, [args.host] if args.host else []), {"RESNET_LAB_HOME": str(home(args.home))})


def app_folder() -> Path:
    """Where app.py and its pages lie. Raises RunError."""
    beside = Path(resnet_core.__file__).resolve().parents[1]
    found = next((folder for folder in (beside, beside / INSTALLED) if (folder / "app.py").exists() and (folder / "pages").is_dir()), None)
    if found is None:
        raise RunError(f"The app is not here: {shown(beside)} has no app.py. Run this in a clone, or install the package with pip.")
    if importlib.util.find_spec("streamlit") is None:
        raise RunError("The app needs streamlit, which is not installed: pip install 'resnet-lab[app]'.")
    return found


def listening(host: str) -> str:
    """All addresses of this machine, of the kind that ``host`` is."""
    return "::" if ":" in host else "0.0.0.0"


def check_port(port: int, address: str) -> None:
    """Raise ConfigError for what is no port, and RunError for one that is taken."""
    if not 1 <= port <= 65535:
        raise ConfigError("port", f"{port} is not a port; these go from 1 to 65535.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise RunError(f"Port {port} cannot be listened on ({error.strerror}); name another with --port (make: PORT=...).") from error


def command(options: Mapping[str, object], names: Sequence[str]) -> list[str]:
    """Write the command line of the app: ``names`` are all by which others may call it, besides this machine itself."""
    allowed = [part for name in (*names, "localhost", "127.0.0.1", "::1") for part in ("--server.allowedHosts", name)]
    return [sys.executable, "-m", "streamlit", "run", "app.py", *(f"--{name}={value}" for name, value in options.items()), *allowed]


def become(folder: Path, command: list[str], environment: Mapping[str, str]) -> NoReturn:
    """Replace this process by the app, in its folder."""
    os.chdir(folder)
    os.execve(sys.executable, command, os.environ | dict(environment))
