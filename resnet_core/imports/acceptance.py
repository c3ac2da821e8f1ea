"""An import is kept: checked, named, written as a whole, read back. And removed again."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet_core import architectures
from resnet_core.imports.proposal import Proposal
from resnet_core.imports.refusal import ImportRefused, listed, shown
from resnet_core.language import tr
from resnet_core.nets import Net, catalog, find
from resnet_core.nets.catalog import imported_folder, shipped_folder
from resnet_core.nets.folder import WEIGHTS, tidy, write_folder
from resnet_core.runs import RunStore, files

if TYPE_CHECKING:
    from resnet_core.imports.trial import Trial

MAX_NAME = 60
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_NAME - 1}}}")
#: File names that say nothing of the net in them.
_VAGUE = {
    "model",
    "checkpoint",
    "ckpt",
    "weights",
    "best",
    "best_model",
    "model_best",
    "last",
    "final",
    "net",
    "pytorch_model",
    "state_dict",
}


def valid_name(name: str, home: Path | str | None = None) -> str:
    """``name`` without blanks around it, if an import can be called so.

    Raises:
        ImportRefused: it is no plain name, or something else has it.
    """
    text = str(name).strip()
    if not _NAME.fullmatch(text):
        raise ImportRefused(
            "{text} cannot be a checkpoint's name: 1 to {max_name} letters, digits, dots, dashes and "
            "underscores, beginning with a letter or a digit.",
            text=shown(text),
            max_name=MAX_NAME,
        )
    if text.casefold() in _taken(home):
        raise ImportRefused("{text} is the name of another checkpoint or run. Choose another name.", text=shown(text))
    return text


def suggest_name(proposal: Proposal, home: Path | str | None = None) -> str:
    """A free name made from that of the file, or from the net where the file's says nothing."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(proposal.file_name).stem).strip("-._")
    if not stem or stem.casefold() in _VAGUE:
        stem = f"{proposal.model.name.lower()}-{proposal.layout}"
    stem = stem[: MAX_NAME - 5].rstrip("-._")
    taken, name, count = _taken(home), stem, 1
    while name.casefold() in taken:
        count += 1
        name = f"{stem}-{count}"
    return name


def _taken(home: Path | str | None) -> set[str]:
    """List those of all checkpoints, readable or not, and of all runs: ids and names, in lower case."""
    store = RunStore(home)
    names = {text for net in catalog(home).nets for text in (net.id, net.name)}
    names |= {text for run in store.runs() for text in (run.id, run.name)} | {path.name for path, _ in store.broken()}
    for folder in (shipped_folder(), imported_folder(home)):
        names |= {path.name for path in folder.glob("*")} if folder.is_dir() else set()
    return {name.casefold() for name in names}


def _chosen(what: str, asked: str | None, possible: tuple[str, ...]) -> str:
    if asked is None and len(possible) == 1:
        return possible[0]
    if asked is None:
        raise ImportRefused("The file does not say its {what}: choose one of {possible}.", what=what, possible=", ".join(possible))
    if asked not in possible:
        choices = tr("one of {possible}", possible=", ".join(possible)) if len(possible) > 1 else possible[0]
        raise ImportRefused(
            "{asked} is not a {what} that fits this file; it must be {choices}.", asked=shown(asked), what=what, choices=choices
        )
    return asked


def accept(
    proposal: Proposal,
    name: str | None = None,
    normalization: str | None = None,
    shortcut: str | None = None,
    home: Path | str | None = None,
    errors: Trial | None = None,
    measured: Trial | None = None,
) -> Net:
    """Keeps an import as ``<home>/.imported/<name>/``, written as a whole or not at all.

    Args:
        name: see ``valid_name``; made from the file's by default.
        normalization, shortcut: one of the proposal's; needed where it has several.
        errors: what ``trial`` found; the choice is tried now if it is not among that.
        measured: what ``measure`` found of the choice; measured now unless it is given.

    Raises:
        ImportRefused: the name is not free, a choice is missing, or not one of those that fit.
        RunError: the home cannot be written.
    """
    normalization = _chosen("normalization", normalization, proposal.normalizations)
    shortcut = _chosen("shortcut", shortcut, proposal.shortcuts)
    if name is not None:
        valid_name(name, home)
    if errors is None or errors.find(normalization, shortcut) is None:
        from resnet_core.imports.trial import trial

        errors = trial(proposal, choices=[(normalization, shortcut)])
    if measured is None or measured.find(normalization, shortcut) is None:
        from resnet_core.imports.trial import measure

        measured = measure(proposal, normalization, shortcut)
    card = _card(proposal, normalization, shortcut, errors, measured)
    with files.locked(RunStore(home).home):
        tidy(imported_folder(home))
        name = suggest_name(proposal, home) if name is None else valid_name(name, home)
        return _write(proposal, name, card, shortcut, home)


def _card(proposal: Proposal, normalization: str, shortcut: str, errors: Trial, measured: Trial) -> dict[str, Any]:
    doubt, attempt = errors.doubt(errors.find(normalization, shortcut)), measured.find(normalization, shortcut)
    return {
        "origin": "imported",
        "model": architectures.to_dict(proposal.net(shortcut)),
        "normalization": normalization,
        "side": None if proposal.mean is None or proposal.mean.shape[-1] == 1 else proposal.mean.shape[-1],
        "classes": list(proposal.classes),
        "dataset": proposal.dataset,
        "layout": proposal.layout,
        "source_file": proposal.file_name,
        "source_bytes": proposal.file_bytes,
        "source_sha256": proposal.sha256,
        "notes": [*proposal.notes_of(shortcut), *([doubt] if doubt else [])],
        "sample_error": attempt and attempt.error,
        "sample_images": measured.images,
        "sample_precision": measured.precision,
        "created": files.now(),
    }


def _write(proposal: Proposal, name: str, card: dict[str, Any], shortcut: str, home: Path | str | None) -> Net:
    """Writes the folder and compares what it holds with what was to be written. The caller holds the home lock."""
    import numpy as np
    import torch
    from safetensors.numpy import load_file

    mean, std = proposal.normalization_arrays(card["normalization"])
    arrays = proposal.arrays(shortcut)
    tensors = {key: torch.from_numpy(array) for key, array in arrays.items()}
    folder = imported_folder(home) / name
    write_folder(folder, tensors, torch.from_numpy(mean), None if std is None else torch.from_numpy(std), {"name": name, **card})
    try:
        net = find(name, home)
        written = load_file(net.path / WEIGHTS)
        if wrong := [key for key, array in arrays.items() if not np.array_equal(written[key], array)]:
            raise ImportRefused("{folder} was written, but reads otherwise: {listed}. Check the disk.", folder=folder, listed=listed(wrong))
        return net
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def delete(name: str, home: Path | str | None = None) -> None:
    """Removes an imported checkpoint, readable or not.

    Raises:
        ImportRefused: there is none of that name. RunError: the home cannot be written.
    """
    folder = imported_folder(home)
    path = folder / str(name)
    if not _NAME.fullmatch(str(name)):
        raise ImportRefused("No imported checkpoint is called {name}.", name=shown(name))
    hidden = folder / f".deleted-{name}-{uuid.uuid4().hex[:8]}"
    with files.locked(RunStore(home).home), files.explained(path):
        if not path.is_dir():  # looked at under the lock: another viewer may be deleting it too
            raise ImportRefused("No imported checkpoint is called {name}.", name=shown(name))
        os.rename(path, hidden)
        tidy(folder)
