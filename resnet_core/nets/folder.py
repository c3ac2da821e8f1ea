"""A checkpoint's folder, as it ships in ``checkpoints/<name>/`` and as an imported one is kept.

- weights.safetensors: the net's ``state_dict``, and beside it ``normalization.mean`` (and ``.std``); its metadata hold the net's
  configuration and the names of its classes, so that this one file rebuilds the net anywhere
- card.json: what it is, where it comes from, its errors, and the SHA-256 of weights.safetensors
- of a net trained here also: config.json, records.jsonl (all of the training), README.md (the card for people)
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from resnet_core import architectures, atomic
from resnet_core.architectures import ModelConfig
from resnet_core.errors import CheckpointError, UserError
from resnet_core.language import tr
from resnet_core.nets.classes import to_metadata
from resnet_core.runs import files

WEIGHTS, CARD, CONFIG, RECORDS, README = "weights.safetensors", "card.json", "config.json", "records.jsonl", "README.md"
FORMAT = "resnet-lab"
#: Tensors of the weights file that are no part of the net: ``(pixel / 255 - mean) / std`` is its input.
MEAN, STD = "normalization.mean", "normalization.std"


def model_from_dict(values: Mapping[str, Any]) -> ModelConfig:
    """Make a net's configuration of the JSON values that ``architectures.to_dict`` has written.

    Raises:
        CheckpointError: it describes no net that is known here.
    """
    if not isinstance(values, Mapping):
        raise CheckpointError("The net's configuration is a {name}, not an object.", name=type(values).__name__)
    try:
        return architectures.from_dict(values)
    except UserError as error:
        raise CheckpointError("The net's configuration is not valid: {error}", error=error) from error


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_weights(
    path: Path,
    tensors: Mapping[str, Any],
    mean: Any,
    std: Any,
    model: Any,
    normalization: str,
    names: Sequence[str] | None = None,
    dataset: str | None = None,
) -> None:
    """Writes a weights file that rebuilds its net by itself.

    Args:
        tensors: the net's ``state_dict``, on the CPU.
        mean, std: float32 tensors, broadcastable to (3, 32, 32); ``std`` may be None.
        model: the net's configuration.
        normalization: a key of ``NORMALIZATIONS``, or ``own``.
        names, dataset: of its classes, and the key of their data set, where they are known.
    """
    from safetensors.torch import save

    held = {name: tensor.contiguous() for name, tensor in tensors.items()} | {MEAN: mean.contiguous()}
    if std is not None:
        held[STD] = std.contiguous()
    told = {"format": FORMAT, "model": json.dumps(architectures.to_dict(model)), "normalization": normalization}
    path.write_bytes(_in_order(save(held, told | to_metadata(names, dataset))))


def _in_order(content: bytes) -> bytes:
    """The same safetensors file with its metadata sorted: the library writes them in any order, and equal nets are to be equal files."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode().ljust(length)
    if len(text) != length:
        return content
    return content[:8] + text + content[8 + length :]


def read_header(path: Path) -> dict[str, Any]:
    """The header of a safetensors file: for each tensor its ``dtype`` and ``shape``, and ``__metadata__``; the tensors are not read.

    Raises:
        CheckpointError: it is no safetensors file.
    """
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(os.fstat(file.fileno()).st_size, 10_000_000):
                raise ValueError("no safetensors header")
            header = json.loads(file.read(length))
        if not isinstance(header, dict):
            raise ValueError("no safetensors header")
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError("{path} is not a safetensors file ({error}).", path=path, error=error) from error
    return header


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file, from its header alone.

    Raises:
        CheckpointError: it is no safetensors file.
    """
    metadata = read_header(path).get("__metadata__") or {}
    return {str(key): str(value) for key, value in metadata.items()} if isinstance(metadata, dict) else {}


def trained_side(path: Path) -> int | None:
    """The side of the mean image in a safetensors file, which is that of the images trained on; None where the mean is of channels."""
    try:
        side = read_header(path)[MEAN]["shape"][-1]
    except (KeyError, IndexError, TypeError):
        return None
    return side if isinstance(side, int) and side > 1 else None


def write_folder(
    folder: Path,
    tensors: Mapping[str, Any],
    mean: Any,
    std: Any,
    card: Mapping[str, Any],
    texts: Mapping[str, str | bytes] | None = None,
) -> Path:
    """Writes a checkpoint's folder under a hidden name and gives it its own in one step; one that is there already is replaced.

    Args:
        tensors, mean, std: see ``save_weights``.
        card: with ``model`` (of ``architectures.to_dict``), ``normalization`` (a key), and ``classes`` and ``dataset`` where they are
            known; the checksum and the size are added.
        texts: further files by name.

    Raises:
        RunError: the disk is full or cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = folder.with_name(f".new-{folder.name}-{uuid.uuid4().hex[:8]}")
    old = folder.with_name(f".old-{new.name}")
    try:
        with files.explained(folder):
            new.mkdir()
            told = card.get("classes"), card.get("dataset")
            save_weights(new / WEIGHTS, tensors, mean, std, model_from_dict(card["model"]), card["normalization"], *told)
            size = (new / WEIGHTS).stat().st_size
            files.write_json(new / CARD, {**card, "checksum_sha256": sha256(new / WEIGHTS), "weights_bytes": size})
            for name, text in (texts or {}).items():
                (new / name).write_bytes(text.encode() if isinstance(text, str) else text)
            atomic.put_folder(new, folder, old)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return folder


def tidy(parent: Path) -> None:
    """Removes what processes that were killed have left among the checkpoints of ``parent``; nobody may be writing one there."""
    for pattern in (".new-*", ".old-*", ".deleted-*"):
        for leftover in parent.glob(pattern):
            shutil.rmtree(leftover, ignore_errors=True)


def read_folder(folder: Path) -> dict[str, Any]:
    """The card of a checkpoint's folder, whose weights have been compared with its checksum.

    Raises:
        CheckpointError: a file is missing, the card cannot be read, or the weights are not those of the card.
    """
    try:
        card = files.read_json(folder / CARD)
        model_from_dict(card["model"])
        status = (folder / WEIGHTS).stat()
        found = _known_sha256(folder / WEIGHTS, status.st_mtime_ns, status.st_size, status.st_ino)
    except FileNotFoundError as error:
        missing = Path(error.filename).name
        raise CheckpointError(
            "Checkpoint {name}: {missing} is missing. Restore {folder}, or remove it.", name=folder.name, missing=missing, folder=folder
        ) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        message = tr(
            "Checkpoint {name}: {card} cannot be read ({error}). Restore {folder}, or remove it.",
            name=folder.name,
            card=CARD,
            error=error,
            folder=folder,
        )
        raise CheckpointError(message) from error
    if found != card.get("checksum_sha256"):
        raise CheckpointError(
            "Checkpoint {name}: the checksum of {weights} is {found}…, not {value}… as {card} says. The weights "
            "are damaged or were replaced; it is left out. Restore {folder}, or remove it.",
            name=folder.name,
            weights=WEIGHTS,
            found=found[:12],
            value=str(card.get("checksum_sha256"))[:12],
            card=CARD,
            folder=folder,
        )
    return card


@functools.lru_cache(maxsize=256)
def _known_sha256(path: Path, mtime_ns: int, size: int, inode: int) -> str:
    """Hashed once for all pages and viewers, as long as the file is the same."""
    return sha256(path)
