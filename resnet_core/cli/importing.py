"""``import``: a checkpoint from elsewhere, after trying what its file leaves open."""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from resnet_core.cli.options import AUTO
from resnet_core.cli.output import emit, note, percent, table
from resnet_core.imports import LAYOUTS, ImportRefused, Proposal, accept, inspect_file, valid_name
from resnet_core.nets.folder import model_to_dict

if TYPE_CHECKING:
    from resnet_core.imports.trial import Attempt, Trial

#: Choices told in one line of an error.
_TOLD = 8


def import_file(args: argparse.Namespace) -> int:
    """``import``: reads a file, asks what it leaves open, and keeps it."""
    if args.name is not None:
        valid_name(args.name, args.home)
    proposal = inspect_file(Path(args.file))
    for text in proposal.notes:
        note(text)
    measured, attempt = decide(proposal, args.normalization, args.shortcut)
    net = accept(proposal, args.name, attempt.normalization, attempt.shortcut, args.home, measured)
    told = {
        "name": net.id,
        "net": net.model.name,
        "model": model_to_dict(net.model),
        "layout": proposal.layout,
        "normalization": attempt.normalization,
        "top1_error": attempt.error,
        "n": measured.images,
        "notes": list(proposal.notes),
    }
    if args.json:
        emit(told)
        return 0
    error = (
        f"{percent(attempt.error)} on the sample's {measured.images:,} test images ({measured.precision})"
        if measured.images
        else measured.note
    )
    rows = [
        ("net", f"{net.model.name}, {net.model.num_classes:,} classes, shortcut {net.model.shortcut}"),
        ("layout", LAYOUTS[proposal.layout]),
        ("normalization", attempt.normalization),
        ("error", error),
        ("kept in", str(net.path)),
    ]
    print("\n".join([f"{proposal.file_name} is imported as {net.id}.", *(f"  {label:<15}{text}" for label, text in rows)]))
    return 0


def decide(proposal: Proposal, normalization: str | None, shortcut: str | None) -> tuple[Trial, Attempt]:
    """What was measured, and the choice: as asked, as measured where ``auto`` is asked, else as the person at the terminal says.

    Raises:
        ImportRefused: an option is none of the file's; or there is nobody to ask.
    """
    normalizations = _narrowed("--normalization", normalization, proposal.normalizations)
    shortcuts = _narrowed("--shortcut", shortcut, proposal.shortcuts)
    pairs = list(itertools.product(normalizations, shortcuts))
    # Whoever leaves the normalisation to us leaves the rest too.
    open_ = [("normalization", normalizations, normalization), ("shortcut", shortcuts, shortcut)]
    asked = [name for name, values, given in open_ if len(values) > 1 and AUTO not in (given, normalization)]
    measured = _measure(proposal, pairs)
    if not asked:
        return measured, measured.suggested
    if not sys.stdin.isatty():
        raise ImportRefused(_open(proposal, measured, asked))
    return measured, _ask(measured, asked)


def _narrowed(option: str, given: str | None, possible: tuple[str, ...]) -> tuple[str, ...]:
    if given in (None, AUTO):
        return possible
    if given not in possible:
        choices = f"one of {', '.join([*possible, AUTO])}" if len(possible) > 1 else possible[0]
        raise ImportRefused(f"{option}: {given!r} does not fit this file; it must be {choices}.")
    return (given,)


def _measure(proposal: Proposal, pairs: list[tuple[str, str]]) -> Trial:
    from tqdm import tqdm

    from resnet_core.imports.trial import trial

    with tqdm(total=0, desc="trying on the sample", unit="images", leave=False, disable=not sys.stderr.isatty()) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        measured = trial(proposal, progress, choices=pairs)
    if measured.note:
        note(measured.note)
    return measured


def _open(proposal: Proposal, measured: Trial, asked: list[str]) -> str:
    """The refusal where nobody can be asked: what is open, the choices, and their errors."""
    told = []
    best: dict[tuple[str, ...], Attempt] = {}  # of each choice among what is asked; the attempts are sorted, the best first
    for attempt in measured.attempts:
        best.setdefault(tuple(getattr(attempt, name) for name in asked), attempt)
    for attempt in list(best.values())[:_TOLD]:
        choice = " ".join([getattr(attempt, asked[0]), *(f"--{name} {getattr(attempt, name)}" for name in asked[1:])])
        told.append(choice if attempt.error is None else f"{choice} ({percent(attempt.error)})")
    rest = len(best) - len(told)
    more = f" and {rest} more" if rest > 0 else ""
    errors = f" (errors on the sample's {measured.images:,} test images)" if measured.images else ""
    net = f"{proposal.model.name} in the layout of {LAYOUTS[proposal.layout]}"
    return (
        f"{proposal.file_name}, {net}, does not say its {' and '.join(asked)}. Choose with --{asked[0]} {', '.join(told)}{more}{errors}. "
        f"--{asked[0]} {AUTO} takes {getattr(measured.suggested, asked[0])}."
    )


def _ask(measured: Trial, asked: list[str]) -> Attempt:
    rows = [
        (f"{number}{' *' if attempt == measured.suggested else ''}", attempt.normalization, attempt.shortcut, percent(attempt.error))
        for number, attempt in enumerate(measured.attempts, start=1)
    ]
    default = measured.attempts.index(measured.suggested) + 1
    print(table(("choice", "normalization", "shortcut", "error"), rows, left=3), file=sys.stderr)
    print(f"The file does not say its {' and '.join(asked)}. Which choice? [{default}] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    text = answer.strip() or (str(default) if answer else "")
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= len(rows)):
        raise ImportRefused(f"{text!r} is not a choice from 1 to {len(rows)}; nothing was imported.")
    return measured.attempts[int(text) - 1]
