"""``lecture``: trainings as one HTML file for slides and course pages."""

from __future__ import annotations

import argparse
from pathlib import Path

from resnet_core import atomic
from resnet_core.cli.options import Add
from resnet_core.cli.output import emit
from resnet_core.errors import DataError
from resnet_core.language import LANGUAGES, mark, use


def add_commands(add: Add) -> None:
    """The command with its options."""
    made = add("lecture", lecture)
    made.add_argument("run", metavar="RUN", nargs="+", help="a run, or a net that ships, e.g. plain-20")
    made.add_argument("--out", metavar="FILE", type=Path, default=Path("lecture.html"), help="(default: lecture.html)")
    made.add_argument("--lesson", metavar="KEY", help="with the text of a lesson, e.g. deeper-and-worse")
    made.add_argument("--lang", choices=tuple(LANGUAGES), default="en", help="the language of the file (default: en)")
    made.add_argument("--title", metavar="TEXT", default="", help="of the page (default: the lesson's)")


def lecture(args: argparse.Namespace) -> int:
    """``lecture``: writes the file and says how large it is."""
    from resnet_core.lecture import lecture as page
    from resnet_core.lecture import trainings
    from resnet_core.lessons import lessons

    known = {lesson.key: lesson for lesson in lessons(args.lang)}
    if args.lesson is not None and args.lesson not in known:
        raise DataError(mark("There is no lesson called {key}; they are {keys}."), key=repr(args.lesson), keys=", ".join(known))
    runs = trainings(args.run, args.home)
    use(args.lang)
    try:
        text = page(runs, known.get(args.lesson or ""), args.title).encode()
    finally:
        use("en")
    with atomic.replacing(args.out) as written:
        written.write_bytes(text)
    if args.json:
        emit({"file": str(args.out), "bytes": len(text), "runs": [run.run_id for run in runs]})
    else:
        print(f"{args.out}: {len(text) / 1e6:.1f} MB, {', '.join(run.name for run in runs)}")
    return 0
