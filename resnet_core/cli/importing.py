"""``import``: a checkpoint from elsewhere, after trying what its file leaves open."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from resnet_core import architectures
from resnet_core.cli.options import AUTO, Add
from resnet_core.cli.output import bytes_bar, emit, note, percent, table
from resnet_core.imports import LAYOUTS, ImportRefused, Proposal, accept, hub, inspect_file, offered, valid_name
from resnet_core.imports.options import OPTIONS
from resnet_core.nets import NORMALIZATIONS

if TYPE_CHECKING:
    from resnet_core.imports.trial import Attempt, Trial

#: Part of the options' help.
AUTO_MEANS = "the lowest error on training images of the sample; of those that they cannot tell apart, the lowest loss"
SHORTCUTS = "{none,A,A-behind,A-both,auto}"
SHORTCUT_HELP = (
    "of a file without projections, which does not tell a plain net from option A, nor where A puts its zeros: behind the old channels or "
    "half on both sides (A: whichever has the lower error on those images)"
)
#: Choices told in one line of an error.
_TOLD = 8
#: Choices told that did as well as the one that was taken.
_NEAR = 3


def add_commands(add: Add) -> None:
    """The command with its options."""
    command = add("import", import_file)
    origin = "or torchvision:NAME, e.g. torchvision:resnet18: its weights for ImageNet; or hf:OWNER/NAME, of the Hugging Face Hub"
    command.add_argument("file", metavar="FILE", help=origin)
    command.add_argument("--name", metavar="NAME", help="what to call it here (default: made from the file's name)")
    keys = f"{', '.join(NORMALIZATIONS)}, or auto ({AUTO_MEANS})"
    command.add_argument("--normalization", metavar="KEY", help=f"of its input, where the file does not say: {keys}")
    command.add_argument("--shortcut", metavar=SHORTCUTS, help=SHORTCUT_HELP)


def import_file(args: argparse.Namespace) -> int:
    """``import``: reads a file, asks what it leaves open, and keeps it."""
    if args.name is not None:
        valid_name(args.name, args.home)
    proposal = _inspected(args.file)
    for text in proposal.notes:
        note(text)
    measured, attempt = decide(proposal, args.normalization, args.shortcut)
    for text in proposal.notes_of(attempt.shortcut)[len(proposal.notes) :]:
        note(text)
    from resnet_core.imports.trial import measure

    choice = attempt.normalization, attempt.shortcut
    found = _with_bar("measuring on the sample's test images", lambda progress: measure(proposal, *choice, progress))
    net = accept(proposal, args.name, *choice, args.home, measured, found)
    told = {
        "name": net.id,
        "net": net.model.name,
        "model": architectures.to_dict(net.model),
        "layout": proposal.layout,
        "normalization": attempt.normalization,
        "classes": list(net.class_names or ()),
        "top1_error": found.suggested.error,
        "n": found.images,
        "training_error": attempt.error,
        "training_n": measured.images,
        "notes": net.card["notes"],
    }
    if args.json:
        emit(told)
        return 0
    error = (
        f"{percent(found.suggested.error)} on the sample's {found.images:,} test images ({found.precision})"
        if found.images
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


def _inspected(file: str) -> Proposal:
    """What a file is: one that is here, or is downloaded from torchvision (``torchvision:NAME``) or the Hub (``hf:OWNER/NAME``)."""
    source, _, key = file.partition(":")
    if source == hub.HUB and not Path(file).exists():
        return hub.inspect_hub(key)
    if source != offered.TORCHVISION or Path(file).exists():
        return inspect_file(Path(file))
    with bytes_bar(key) as progress:
        offered.download(progress, key)
    return offered.inspect_offered(key)


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
    if not measured.images:  # nothing to go by: a shortcut that was not there, or on another side, nobody would notice
        asked = [name for name, values, given in open_ if len(values) > 1 and (name == "shortcut" or name in asked)]
    elif shortcut == "A":  # said as far as anybody knows it; which side it pads is measured
        asked = [name for name in asked if name != "shortcut"]
    if not asked:
        attempt = measured.suggested
    elif sys.stdin.isatty():
        attempt = _ask(measured, asked)
    else:
        raise ImportRefused(_open(proposal, measured, asked))
    for text in (_near(measured, attempt), measured.doubt(attempt)):
        if text:
            note(text)
    return measured, attempt


def _near(measured: Trial, attempt: Attempt) -> str:
    """That the images do not tell the suggestion from others, where it was taken."""
    if attempt is not measured.suggested or not measured.near:
        return ""
    told = [f"{each.normalization} with shortcut {each.shortcut} ({percent(each.error)})" for each in measured.near]
    rest = f" and {len(told) - _NEAR} more" if len(told) > _NEAR else ""
    return (
        f"On these {measured.images:,} training images {', '.join(told[:_NEAR])}{rest} did as well as far as chance allows to tell; "
        f"{attempt.normalization} with shortcut {attempt.shortcut} ({percent(attempt.error)}) was taken for its lower loss."
    )


def _narrowed(option: str, given: str | None, possible: tuple[str, ...]) -> tuple[str, ...]:
    if given in (None, AUTO):
        return possible
    if sides := tuple(each for each in possible if each != given and OPTIONS.get(each) == given):
        return sides
    if given not in possible:
        choices = f"one of {', '.join([*possible, AUTO])}" if len(possible) > 1 else possible[0]
        raise ImportRefused(f"{option}: {given!r} does not fit this file; it must be {choices}.")
    return (given,)


def _with_bar(what: str, measure: Callable[[Callable[[int, int], None]], Trial]) -> Trial:
    from tqdm import tqdm

    with tqdm(total=0, desc=what, unit="images", leave=False, disable=not sys.stderr.isatty()) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return measure(progress)


def _measure(proposal: Proposal, pairs: list[tuple[str, str]]) -> Trial:
    from resnet_core.imports.cost import cost
    from resnet_core.imports.trial import CLASSES, SAMPLE_IMAGES, trial

    work = cost(proposal.model, len(pairs) * SAMPLE_IMAGES)
    if work.is_heavy and proposal.model.num_classes == CLASSES:
        note(f"Trying {len(pairs):,} choices takes long: {work}. Choose with --normalization and --shortcut to try fewer; Ctrl-C ends it.")
    measured = _with_bar("trying on the sample's training images", lambda progress: trial(proposal, progress, choices=pairs))
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
    errors = f" (errors on {measured.images:,} training images of the sample)" if measured.images else ""
    net = f"{proposal.model.name} in the layout of {LAYOUTS[proposal.layout]}"
    auto = f" --{asked[0]} {AUTO} takes {getattr(measured.suggested, asked[0])}." if measured.images or asked == ["normalization"] else ""
    choices = f"{', '.join(told)}{more}{errors}"
    return f"{proposal.file_name}, {net}, does not say its {' and '.join(asked)}. Choose with --{asked[0]} {choices}.{auto}"


def _ask(measured: Trial, asked: list[str]) -> Attempt:
    rows = [
        (f"{number}{' *' if attempt == measured.suggested else ''}", attempt.normalization, attempt.shortcut, percent(attempt.error))
        for number, attempt in enumerate(measured.attempts, start=1)
    ]
    default = measured.attempts.index(measured.suggested) + 1
    print(table(("choice", "normalization", "shortcut", "training error"), rows, left=3), file=sys.stderr)
    print(f"The file does not say its {' and '.join(asked)}. Which choice? [{default}] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    text = answer.strip() or (str(default) if answer else "")
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= len(rows)):
        raise ImportRefused(f"{text!r} is not a choice from 1 to {len(rows)}; nothing was imported.")
    return measured.attempts[int(text) - 1]
