"""``class``: the app for a class. It listens to all of this machine's addresses, and tells two links on the terminal."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from resnet_core.classroom import keys, links
from resnet_core.classroom.book import ClassBook
from resnet_core.cli import start
from resnet_core.cli.options import Add
from resnet_core.cli.output import emit, note
from resnet_core.errors import RunError
from resnet_core.runs import home
from resnet_core.runs.files import shown


def add_commands(add: Add) -> None:
    """The command with its options."""
    command = add("class", classroom)
    command.add_argument("--port", type=int, default=8501, metavar="N", help="(default: 8501)")
    command.add_argument("--host", metavar="NAME", help="the name or address that the others type (default: this machine's own address)")
    delete = "start nothing; delete the questions, answers and nicknames of the last class"
    command.add_argument("--delete", action="store_true", help=delete)
    command.add_argument("--yes", action="store_true", help="with --delete: do not ask")


def classroom(args: argparse.Namespace) -> int:
    """``class``: this process becomes the app; with ``--delete``, delete what is kept of a class instead."""
    where = home(args.home)
    if args.delete:
        return _delete(args, ClassBook(where))
    folder = start.app_folder()
    start.check_port(args.port, "0.0.0.0")
    names = [args.host] if args.host else links.own_names()
    key = keys.new_key()
    viewers = links.viewers_link(names[0], args.port)
    _tell(viewers, links.teachers_link(names[0], args.port, key), where, args.json)
    # Not the key, but its digest: what the app does not have, it can neither show nor lose.
    environment = {keys.KEY_DIGEST: keys.digest(key), keys.LINK: viewers, "RESNET_LAB_HOME": str(where)}
    del key
    options = {
        "server.address": start.listening(names[0]),
        "server.port": args.port,
        "server.headless": "true",
        "server.enableAgentApi": "false",
        "browser.serverAddress": names[0],
    }
    start.become(folder, start.command(options, names), environment)


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
