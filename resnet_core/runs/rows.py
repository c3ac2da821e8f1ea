"""What a row of records.jsonl must hold. Checked once, where it is read, so that nobody who draws or judges rows has to."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: No training is longer (``Recipe.iterations``).
_MOST_ITERATIONS = 10_000_000
#: Seconds, megabytes, images: no more than a chart and a clock can show.
_MOST = 1e12


def is_whole(value: Any, low: int = 0, high: int = _MOST_ITERATIONS) -> bool:
    """An ``int`` in a range, and no ``bool``."""
    return type(value) is int and low <= value <= high


def is_number(value: Any, low: float = 0.0, high: float = _MOST) -> bool:
    """A finite number in a range."""
    return type(value) in (int, float) and low <= value <= high


def is_error(value: Any) -> bool:
    """Percent, or None: a loss that was no longer finite has none."""
    return value is None or is_number(value, 0.0, 100.0)


def is_time(value: Any) -> bool:
    """Seconds from 0 up."""
    return is_number(value)


def _is_loss(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and math.isfinite(value))


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_loss, value))


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) and name.isprintable() for name in value)


_ITERATION = {"iteration": is_whole}
#: kind -> (what every row of it has, what it may have) and the test of each.
_FIELDS: dict[str, tuple[dict[str, Callable[[Any], bool]], dict[str, Callable[[Any], bool]]]] = {
    "train": (
        {**_ITERATION, "train_error": is_error, "images": lambda value: is_whole(value, 1, 10**12), "elapsed_seconds": is_time},
        {"loss": _is_loss, "epoch": is_number, "learning_rate": is_number, "images_per_second": is_number, "peak_memory_mb": is_number},
    ),
    "test": (
        {**_ITERATION, "test_error": is_error},
        {"test_loss": _is_loss, "validation_error": is_error, "validation_loss": _is_loss, "elapsed_seconds": is_time},
    ),
    "layers": (
        {**_ITERATION, "names": _is_names, "gradient_norm": _is_list, "response_std": _is_list},
        {"weight_norm": _is_list, "gate_opening": _is_list, "elapsed_seconds": is_time},
    ),
}


def parsed(line: bytes) -> dict[str, Any] | None:
    """The row of a line; None where it is none (see ``is_row``)."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if is_row(record) else None


def is_row(record: Any) -> bool:
    """Whether it has what every row of its kind has, and no value of a wrong type or size."""
    try:
        needed, known = _FIELDS[record["kind"]]
        if not all(test(record[name]) for name, test in needed.items()):
            return False
        if not all(test(record[name]) for name, test in known.items() if name in record):
            return False
        if len(record) > len(needed) + len(known) + 1 and not all(map(_is_flat, record.values())):
            return False
    except (TypeError, KeyError, OverflowError):
        return False
    return record["kind"] != "layers" or len({len(value) for value in record.values() if isinstance(value, list)}) == 1


def _is_flat(value: Any) -> bool:
    """A plain value, for fields that are not known here: those of a later version."""
    return value is None or isinstance(value, (bool, str)) or _is_loss(value) or _is_list(value) or _is_names(value)


@dataclass(frozen=True)
class Ends:
    """Read of a records.jsonl what a list of runs needs: its last row's iteration, what is wrong with it, first and last rows by kind."""

    iteration: int | None = None
    damaged: int = 0
    problem: str = ""
    first_train: dict[str, Any] | None = None
    last_train: dict[str, Any] | None = None
    last_test: dict[str, Any] | None = None

    def pace(self, batch_size: int) -> float | None:
        """Images per second from the first train row to the last; None where there are not two."""
        first, last = self.first_train, self.last_train
        if first is None or last is None:
            return None
        seconds, images = last["elapsed_seconds"] - first["elapsed_seconds"], (last["iteration"] - first["iteration"]) * batch_size
        return images / seconds if images > 0 and seconds > 0 else None
