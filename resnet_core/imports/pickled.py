"""What ``torch.save`` wrote, in a process that may be lost: ``torch.load(weights_only=True)``, the state_dict in it, its tensors."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resnet_core.imports.extras import is_count
from resnet_core.imports.limits import MAX_TENSORS
from resnet_core.imports.refusal import ImportRefused, listed, shown
from resnet_core.imports.safe import check_total, conversion_notes, to_float32
from resnet_core.imports.sniff import LEGACY_MAGIC
from resnet_core.imports.zips import NUMPY_NAMES, RESAVE, as_checked, check_pickle, check_zip
from resnet_core.language import tr

#: Under these keys training scripts keep the state_dict, beside the epoch, the optimizer and the like.
WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "net", "weights", "ema")
_DEPTH = 3
#: Pickles in a legacy file, before the storages: magic number, protocol, system, object, keys of the storages.
_LEGACY_PICKLES = 5


class _Unread:
    """Stands for the numpy scalars and arrays that lie beside the weights (an accuracy, a history): nothing of numpy's is run for them."""

    def __init__(self, *args: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def check_before(path: Path, kind: str) -> list[str]:
    """All that can be told without running the pickle, and without torch; returns notes. Raises ImportRefused."""
    if kind == "zip":
        return check_zip(path)
    content = path.read_bytes()
    at = 0
    for _ in range(_LEGACY_PICKLES):
        at += check_pickle(content[at:]) if at else len(LEGACY_MAGIC)
    return []


def read_pickled(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The arrays of the state_dict in ``path`` (float32; BN's counters int64) by key, and notes on what was unwrapped or converted.

    Raises:
        ImportRefused: there is none, or a tensor is not one of a net's; names it.
    """
    import torch

    notes: list[str] = []
    try:
        unread = torch.serialization.safe_globals([(_Unread, name) for name in NUMPY_NAMES])
        with open(path, "rb") as raw, unread:  # open: torch.load goes by the ending of a path
            file = as_checked(path) if raw.read(2) == b"PK" else raw  # by its beginning, as it was checked
            raw.seek(0)
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ImportRefused(
            "torch.load(weights_only=True) refuses it: {first_sentence} {resave}", first_sentence=_first_sentence(error), resave=RESAVE
        ) from error
    except (MemoryError, ImportRefused):
        raise
    except Exception as error:  # a damaged file raises nearly anything
        if "allocate" in str(error):
            raise MemoryError from error
        raise ImportRefused(
            "It is truncated or damaged: torch.load says {first_sentence}", first_sentence=_first_sentence(error)
        ) from error
    state = _unwrap(loaded, notes)
    arrays: dict[str, Any] = {}
    converted: set[str] = set()
    if len(state) > MAX_TENSORS:
        raise ImportRefused("It has {states:,} tensors; at most {max_tensors:,} are read.", states=len(state), max_tensors=MAX_TENSORS)
    for key, value in state.items():
        _check_tensor(key, value)
    check_total(sum(value.numel() for value in state.values()))
    for key, value in state.items():
        value = value.detach()
        if value.dtype == torch.int64:
            arrays[key] = value.numpy().copy()
            continue
        if value.dtype != torch.float32 and not is_count(key):
            converted.add(str(value.dtype).removeprefix("torch."))
        arrays[key] = to_float32(key, value.to(torch.float32).numpy())
    return arrays, notes + conversion_notes(converted)


def _first_sentence(error: Exception) -> str:
    """Keep of torch's message what it is about, without its advice to load the file all the same."""
    text = str(error).partition("WeightsUnpickler error: ")[2] or str(error)
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]
    told = [part for part in paragraphs if not part.startswith("Weights only load failed")]
    return (told or paragraphs or [type(error).__name__])[0].partition(". ")[0][:160].rstrip(".") + "."


def _unwrap(loaded: Any, notes: list[str]) -> dict[str, Any]:
    """The state_dict in what was loaded; which keys it was found under is noted."""
    import torch

    path: list[str] = []
    for _ in range(_DEPTH):
        if not isinstance(loaded, Mapping):
            break
        found = [key for key in WRAPPERS if isinstance(loaded.get(key), Mapping)]
        if not found:
            break
        if len(found) > 1:
            notes.append(tr("It holds several nets ({listed}); {found} was taken.", listed=listed(found), found=shown(found[0])))
        left = [key for key in loaded if key != found[0]]
        path.append(found[0])
        notes.append(
            tr("Unwrapped from {path}", path=shown("/".join(path)))
            + (tr("; beside it were {listed}.", listed=listed(left)) if left else ".")
        )
        loaded = loaded[found[0]]
    where = tr(" under {path}", path=shown("/".join(path))) if path else ""
    if isinstance(loaded, torch.Tensor):
        raise ImportRefused("It holds a single tensor{where}, not a state_dict. {resave}", where=where, resave=RESAVE)
    if not isinstance(loaded, Mapping):
        raise ImportRefused(
            "It holds a {name}{where}, not a dictionary of tensors. {resave}", name=type(loaded).__name__, where=where, resave=RESAVE
        )
    if not loaded:
        raise ImportRefused("It holds an empty dictionary{where}. {resave}", where=where, resave=RESAVE)
    if {"state", "param_groups"} <= set(loaded) or set(loaded) <= {"optimizer", "optimizer_state_dict", "epoch", "scheduler"}:
        raise ImportRefused("It holds the state of an optimizer{where}, and no net. {resave}", where=where, resave=RESAVE)
    return dict(loaded)


def _check_tensor(key: Any, value: Any) -> None:
    import torch

    if not isinstance(key, str):
        raise ImportRefused(
            "A key of its dictionary is {key}, of type {name}, not a text. {resave}",
            key=shown(repr(key)),
            name=type(key).__name__,
            resave=RESAVE,
        )
    name = tr("Tensor {key}", key=shown(key))
    if isinstance(value, Mapping):
        raise ImportRefused(
            "Its entry {key} is a dictionary, where a tensor is due; known wrappers are {listed}. {resave}",
            key=shown(key),
            listed=listed(WRAPPERS),
            resave=RESAVE,
        )
    if isinstance(value, _Unread):
        raise ImportRefused("Its entry {key} is numpy's, not a tensor. {resave}", key=shown(key), resave=RESAVE)
    if not isinstance(value, torch.Tensor):
        raise ImportRefused(
            "Its entry {key} is of type {name}, not a tensor. {resave}", key=shown(key), name=type(value).__name__, resave=RESAVE
        )
    if value.device.type != "cpu":
        raise ImportRefused("{name} is on the device {type!r}: it has a shape, but no values.", name=name, type=value.device.type)
    if value.layout != torch.strided or value.is_nested:
        raise ImportRefused("{name} is sparse or nested ({layout}); a net's are dense.", name=name, layout=value.layout)
    if value.is_quantized:
        raise ImportRefused("{name} is quantised ({dtype}); a net's are floating point numbers.", name=name, dtype=value.dtype)
    check_total(value.numel())
    if value.is_complex():
        raise ImportRefused("{name} is complex; a net's are real floating point numbers.", name=name)
    counter = is_count(key) and value.dtype == torch.int64 and value.numel() == 1
    if value.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64) and not counter:
        raise ImportRefused(
            "{name} is of type {dtype}; a net's are floating point numbers (float32, float16, bfloat16 or float64).",
            name=name,
            dtype=value.dtype,
        )
