"""From a file to a proposal: hashed, read apart, recognised, converted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from resnet_core.architectures import ModelConfig
from resnet_core.config import too_small
from resnet_core.errors import CheckpointError
from resnet_core.imports import limits
from resnet_core.imports.candidates import tensors
from resnet_core.imports.conversion import convert
from resnet_core.imports.extras import without_extras
from resnet_core.imports.process import Gone, read_apart
from resnet_core.imports.proposal import OWN, Proposal
from resnet_core.imports.recognition import Recognition, recognize
from resnet_core.imports.refusal import ImportRefused, ReaderFailed, listed, shown
from resnet_core.imports.scratch import scratch
from resnet_core.imports.sniff import mismatch
from resnet_core.language import tr
from resnet_core.nets import NORMALIZATIONS
from resnet_core.nets.classes import from_metadata
from resnet_core.nets.folder import FORMAT, MEAN, STD, model_from_dict, sha256

#: Pixels of a mean image, at least and at most: as of the pictures that are trained on here (``config.Pictures``).
SIDES = 8, 1024


def inspect_file(path: Path | str, name: str | None = None, gone: Gone = lambda: False) -> Proposal:
    """What the file is, read in a throwaway process. Nothing is kept or written.

    Args:
        name: the file's name as the user knows it, where ``path`` is a copy under another one.
        gone: see ``read_apart``.

    Raises:
        ImportRefused: it is no checkpoint that can be imported; the message begins with its name.
        ReaderFailed: it was not looked into, which is no fault of the file.
    """
    path = Path(path)
    title = _title(name or path.name)
    try:
        if not path.is_file():
            raise ImportRefused(tr("There is no such file.") if not path.exists() else tr("It is not a file."))
        if path.stat().st_size > limits.MAX_FILE_BYTES:
            raise ImportRefused(
                "The file has {st_size:,} bytes; at most {max_file_bytes:,} are read.",
                st_size=path.stat().st_size,
                max_file_bytes=limits.MAX_FILE_BYTES,
            )
        digest = sha256(path)
        arrays, report = read_apart(path, gone=gone)
        return propose(arrays, report, title, path.stat().st_size, digest)
    except OSError as error:
        raise ImportRefused("{title}: The file cannot be read: {strerror}.", title=title, strerror=error.strerror or error) from error
    except ImportRefused as error:
        raise ImportRefused("{title}: {error}", title=title, error=error) from error


def inspect_bytes(content: bytes | BinaryIO, name: str, gone: Gone = lambda: False) -> Proposal:
    """``inspect_file`` for an upload: what is read from ``content`` is put into a file of its own while it is looked at.

    Raises:
        ImportRefused, ReaderFailed: see ``inspect_file``.
    """
    with scratch() as folder:
        copy = folder / "upload"
        try:
            with open(copy, "wb") as file:
                if isinstance(content, (bytes, bytearray, memoryview)):
                    file.write(content)
                else:
                    content.seek(0)
                    while part := content.read(limits.MIB):
                        file.write(part)
        except OSError as error:
            raise ReaderFailed("there is no room for a copy of it ({strerror})", strerror=error.strerror or error) from error
        return inspect_file(copy, name, gone)


def _title(name: str) -> str:
    """The last part of a file's name, without what would disturb a line."""
    text = "".join(c if c.isprintable() else "?" for c in re.split(r"[/\\]", name)[-1])
    return text[:100] or tr("the file")


def propose(arrays: Mapping[str, Any], report: Mapping[str, Any], name: str, size: int, digest: str) -> Proposal:
    """The proposal for what the reader found (see ``reader.read``). Raises ImportRefused if it is no net that can be built here."""
    import numpy as np

    metadata, notes = dict(report["metadata"]), list(report["notes"])
    ours = metadata.get("format") == FORMAT
    if (note := mismatch(name, report["kind"])) is not None:
        notes.insert(0, note)
    arrays, put_aside = without_extras(arrays)
    mean, std = arrays.pop(MEAN, None), arrays.pop(STD, None)
    told = _told(metadata) if ours else None
    recognition = recognize({key: array.shape for key, array in arrays.items()}, told)
    model, shortcuts = recognition.model, recognition.shortcuts
    if shortcuts == ("B", "C"):  # one net; which of the names it goes by, a file of ours says
        shortcuts = ("B",)
    if told is not None:
        _check_told(told, recognition)
        model, shortcuts = told, (told.shortcut,)
    _check_normalization(mean, std, model)
    known = metadata.get("normalization") if ours else None
    normalizations: tuple[str, ...]
    if mean is not None:
        normalizations = (known if known in NORMALIZATIONS and _is(known, mean, std) else OWN,)
    elif known in NORMALIZATIONS:
        normalizations = (known,)
    else:
        first = recognition.normalization
        others = (key for key, one in NORMALIZATIONS.items() if key != first and (one.mean or model.plan().input[1] == 32))
        normalizations = (first, *others)  # the mean image is for images of its own size
    converted, changed = convert(arrays, recognition)
    if broken := [key for key, array in converted.items() if not np.isfinite(array).all()]:
        raise ImportRefused(
            "{listed} has values that are too large for float32 once pruning or biases are reckoned in.", listed=listed(broken)
        )
    if broken := [key for key, array in converted.items() if key.endswith("running_var") and (array < 0).any()]:
        raise ImportRefused(
            "{listed} has values below 0; a variance has none, and the net's outputs would not be numbers.", listed=listed(broken)
        )
    names, dataset, note = from_metadata(metadata if ours else {}, model.num_classes)
    noted = (*notes, *put_aside, *recognition.notes, *changed, *([note] if note else []))
    found = recognition.layout, model, shortcuts, normalizations, noted, converted, mean, std
    return Proposal(name, size, digest, *found, names, dataset)


def _told(metadata: Mapping[str, str]) -> ModelConfig:
    """The net that a file of ours says it is."""
    try:
        return model_from_dict(json.loads(metadata.get("model", "")))
    except (ValueError, TypeError, AttributeError, RecursionError, CheckpointError) as error:
        raise ImportRefused(
            "Its metadata say that ResNet Lab wrote it, but do not describe a net ({error}).", error=str(error)[:120]
        ) from error


def _check_told(told: ModelConfig, recognition: Recognition) -> None:
    """Raises ImportRefused unless the tensors are of the net that the file says it is."""
    if tensors(told) != tensors(recognition.model):
        raise ImportRefused(
            "Its metadata say that it is {name}, but its tensors are those of {name2}.", name=told.name, name2=recognition.model.name
        )


def _check_normalization(mean: Any, std: Any, model: ModelConfig) -> None:
    if mean is None and std is not None:
        raise ImportRefused("It has {std}, but no {mean}.", std=STD, mean=MEAN)
    if mean is not None and mean.shape != (3, 1, 1):
        side = mean.shape[-1] if mean.ndim == 3 and mean.shape == (3, *mean.shape[-1:] * 2) else 0
        if not SIDES[0] <= side <= SIDES[1]:
            raise ImportRefused(
                "Its {mean} has the shape {shape}; (3, 1, 1) is due, or (3, 32, 32), or another square of {least:,} to {most:,} pixels.",
                mean=MEAN,
                shape=mean.shape,
                least=SIDES[0],
                most=SIDES[1],
            )
        if not model.plan().takes((3, side, side)):
            raise ImportRefused(too_small(model, side))
    if std is not None and (std.shape != (3, 1, 1) or not (std > 0).all()):
        raise ImportRefused("Its {std} is not of three numbers above 0 (shape {shape}).", std=STD, shape=shown(std.shape))


def _is(key: str, mean: Any, std: Any) -> bool:
    """Whether the file's numbers are those of the normalisation that it names."""
    import numpy as np

    for given, due in zip((mean, std), NORMALIZATIONS[key].arrays(), strict=True):
        if (given is None) != (due is None):
            return False
        if given is not None and (given.shape != due.shape or not np.allclose(given, due, rtol=0, atol=1e-6)):
            return False
    return True
