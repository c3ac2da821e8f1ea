"""``class``: the app for a class. It listens to all of this machine's addresses, and tells two links on the terminal."""

from __future__ import annotations

import argparse
import importlib.util
import os
import socket
import sys
from pathlib import Path

import resnet_core
from resnet_core.classroom import keys, links
from resnet_core.classroom.book import ClassBook
from resnet_core.cli.output import emit, note
from resnet_core.errors import ConfigError, RunError
from resnet_core.runs import home
from resnet_core.runs.files import shown

#: The folder with app.py, which a package alone does not bring.
ROOT = Path(resnet_core.__file__).resolve().parents[1]


def classroom(args: argparse.Namespace) -> int:
    """``class``: this process becomes the app; with ``--delete``, delete what is kept of a class instead."""
    where = home(args.home)
    if args.delete:
        return _delete(args, ClassBook(where))
    if not (ROOT / "app.py").exists() or importlib.util.find_spec("streamlit") is None:
        raise RunError(
            f"The app is not here: {shown(ROOT)} has no app.py, or streamlit is not installed. Run this in a clone (make class)."
        )
    if not 1 <= args.port <= 65535:
        raise ConfigError("port", f"{args.port} is not a port; these go from 1 to 65535.")
    _check_free(args.port)
    names = [args.host] if args.host else links.own_names()
    key = keys.new_key()
    viewers = links.viewers_link(names[0], args.port)
    _tell(viewers, links.teachers_link(names[0], args.port, key), where, args.json)
    # Not the key, but its digest: what the app does not have, it can neither show nor lose.
    environment = os.environ | {keys.KEY_DIGEST: keys.digest(key), keys.LINK: viewers, "RESNET_LAB_HOME": str(where)}
    del key
    os.chdir(ROOT)
    os.execve(sys.executable, command(names, args.port), environment)


def command(names: list[str], port: int) -> list[str]:
    """Write the command line of the app: ``names`` are all by which others may call it."""
    allowed = [part for name in (*names, "localhost", "127.0.0.1", "::1") for part in ("--server.allowedHosts", name)]
    options = {
        "server.address": "0.0.0.0" if not any(":" in name for name in names[:1]) else "::",
        "server.port": port,
        "server.headless": "true",
        "server.enableAgentApi": "false",
        "browser.serverAddress": names[0],
    }
    return [sys.executable, "-m", "streamlit", "run", "app.py", *(f"--{name}={value}" for name, value in options.items()), *allowed]


def _tell(viewers: str, teachers: str, where: Path, as_json: bool) -> None:
    if as_json:
        emit({"viewers": viewers, "teacher": teachers, "home": shown(where)})
        return
    print(f"\n{links.qr_text(viewers)}")
    print(f"  For the class:    {viewers}")
    print(f"  For you alone:    {teachers}")
    print("\nYour link holds a key that is new at each start: open it once in your browser, and do not show it on the projector.")
    print(
        f"Answers are kept in {shown(ClassBook(where).path)}; `python -m resnet_core class --delete` deletes them. Ctrl-C ends the class.\n"
    )
    sys.stdout.flush()


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError as error:
            raise RunError(
                f"Port {port} cannot be listened on ({error.strerror}); name another with --port (make class PORT=...)."
            ) from error


def _delete(args: argparse.Namespace, book: ClassBook) -> int:
    if not args.yes and book.path.exists():
        if not sys.stdin.isatty():
            raise RunError("Deleting a class asks first, and this is no terminal: say --yes.")
        print(f"Delete all questions, answers and nicknames in {shown(book.path)}? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            note("nothing was deleted.")
            return 1
    deleted = book.delete()
    if args.json:
        emit({"deleted": deleted})
    else:
        print("The class is deleted." if deleted else f"There is no class in {shown(book.home)}.")
    return 0
