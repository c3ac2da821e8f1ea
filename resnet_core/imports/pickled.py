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
        raise ImportRefused(f"torch.load(weights_only=True) refuses it: {_first_sentence(error)} {RESAVE}") from error
    except (MemoryError, ImportRefused):
        raise
    except Exception as error:  # a damaged file raises nearly anything
        if "allocate" in str(error):
            raise MemoryError from error
        raise ImportRefused(f"It is truncated or damaged: torch.load says {_first_sentence(error)}") from error
    state = _unwrap(loaded, notes)
    arrays: dict[str, Any] = {}
    converted: set[str] = set()
    if len(state) > MAX_TENSORS:
        raise ImportRefused(f"It has {len(state):,} tensors; at most {MAX_TENSORS:,} are read.")
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
            notes.append(f"It holds several nets ({listed(found)}); {shown(found[0])} was taken.")
        left = [key for key in loaded if key != found[0]]
        path.append(found[0])
        notes.append(f"Unwrapped from {shown('/'.join(path))}" + (f"; beside it were {listed(left)}." if left else "."))
        loaded = loaded[found[0]]
    where = f" under {shown('/'.join(path))}" if path else ""
    if isinstance(loaded, torch.Tensor):
        raise ImportRefused(f"It holds a single tensor{where}, not a state_dict. {RESAVE}")
    if not isinstance(loaded, Mapping):
        raise ImportRefused(f"It holds a {type(loaded).__name__}{where}, not a dictionary of tensors. {RESAVE}")
    if not loaded:
        raise ImportRefused(f"It holds an empty dictionary{where}. {RESAVE}")
    if {"state", "param_groups"} <= set(loaded) or set(loaded) <= {"optimizer", "optimizer_state_dict", "epoch", "scheduler"}:
        raise ImportRefused(f"It holds the state of an optimizer{where}, and no net. {RESAVE}")
    return dict(loaded)


def _check_tensor(key: Any, value: Any) -> None:
    import torch

    if not isinstance(key, str):
        raise ImportRefused(f"A key of its dictionary is {shown(repr(key))}, of type {type(key).__name__}, not a text. {RESAVE}")
    name = f"Tensor {shown(key)}"
    if isinstance(value, Mapping):
        raise ImportRefused(
            f"Its entry {shown(key)} is a dictionary, where a tensor is due; known wrappers are {listed(WRAPPERS)}. {RESAVE}"
        )
    if isinstance(value, _Unread):
        raise ImportRefused(f"Its entry {shown(key)} is numpy's, not a tensor. {RESAVE}")
    if not isinstance(value, torch.Tensor):
        raise ImportRefused(f"Its entry {shown(key)} is of type {type(value).__name__}, not a tensor. {RESAVE}")
    if value.device.type != "cpu":
        raise ImportRefused(f"{name} is on the device {value.device.type!r}: it has a shape, but no values.")
    if value.layout != torch.strided or value.is_nested:
        raise ImportRefused(f"{name} is sparse or nested ({value.layout}); a net's are dense.")
    if value.is_quantized:
        raise ImportRefused(f"{name} is quantised ({value.dtype}); a net's are floating point numbers.")
    check_total(value.numel())
    if value.is_complex():
        raise ImportRefused(f"{name} is complex; a net's are real floating point numbers.")
    counter = is_count(key) and value.dtype == torch.int64 and value.numel() == 1
    if value.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64) and not counter:
        raise ImportRefused(f"{name} is of type {value.dtype}; a net's are floating point numbers (float32, float16, bfloat16 or float64).")
