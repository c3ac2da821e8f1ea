"""Checks of single values in configurations: each raises ``ConfigError``, which names the field and what is possible."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import field
from typing import Any

from resnet_core.errors import ConfigError
from resnet_core.language import mark, tr


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Raise ConfigError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ConfigError(name, "{value!r} is not one of {choices}.", value=value, choices=", ".join(choices))


def check_whole(name: str, value: Any, low: int, high: int | None = None) -> None:
    """Raise ConfigError unless ``value`` is a whole number from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(name, "{value!r} is not a whole number.", value=value)
    if value < low or (high is not None and value > high):
        bounds = tr("at least {low}", low=low) if high is None else tr("from {low} to {high}", low=low, high=high)
        raise ConfigError(name, "{value} is out of range; it must be {bounds}.", value=value, bounds=bounds)


def check_real(name: str, value: Any, low: float, high: float, *, above: bool = False) -> None:
    """Raise ConfigError unless ``value`` is a finite number from ``low`` (``above``: not ``low`` itself) to ``high``."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ConfigError(name, "{value!r} is not a finite number.", value=value)
    if value > high or value < low or (above and value == low):
        raise ConfigError(
            name,
            mark("{value:g} is out of range; it must be above {low:g} and at most {high:g}.")
            if above
            else mark("{value:g} is out of range; it must be from {low:g} and at most {high:g}."),
            value=value,
            low=low,
            high=high,
        )


def later(default: Any) -> Any:
    """Declare a field that configurations of before did not have: where it has its default, it is not written.

    So a training that was there before is written, and has the fingerprint, that it had then.
    """
    return field(default=default, metadata={"later": True})
