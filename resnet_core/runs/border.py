"""What the files of a run must hold. They are checked here, where they are read, and trusted everywhere else.

A run of which one value is of a wrong type or size is damaged: it is shown as such, with what is wrong, and is in nobody's way.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from resnet_core.config import DEVICES, RunConfig
from resnet_core.errors import UserError
from resnet_core.language import mark, tr
from resnet_core.runs import files
from resnet_core.runs.rows import is_error, is_number, is_time, is_whole

#: ``interrupted`` stands in no file: it is a run said to be running whose lock nobody holds.
STATES = (
    mark("queued"), mark("running"), mark("stopped"), mark("interrupted"), mark("finished"), mark("diverged"), mark("failed"),
)  # fmt: skip
MAX_NAME = 80

Test = Callable[[Any], bool]
_Read = TypeVar("_Read")


class BrokenRun(Exception):
    """A folder in the home that is no readable run; ``str(error)`` is the reason. Internal: listings collect it."""


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_moment(value: Any) -> bool:
    """ISO 8601 with its zone."""
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


def _or_none(test: Test) -> Test:
    return lambda value: value is None or test(value)


def _object(**known: Test) -> Test:
    """An object in which every known value that is there passes its test."""
    return lambda value: isinstance(value, dict) and all(test(value[name]) for name, test in known.items() if name in value)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


_IDENTITY: Mapping[str, Test] = {
    "created": _is_moment,
    "data_dir": _or_none(lambda value: _is_text(value) and "\0" not in value),
    "versions": _or_none(lambda value: isinstance(value, dict) and all(map(_is_text, value.values()))),
    "owner": _or_none(lambda value: _is_text(value) and len(value) <= MAX_NAME and value.isalnum()),
}
_PLAN = _object(
    device=lambda value: value in DEVICES and value != "auto",
    precision=lambda value: value in ("fp32", "bf16"),
    compile=lambda value: isinstance(value, bool),
    fused=lambda value: isinstance(value, bool),
    threads=_or_none(lambda value: is_whole(value, 0, 100_000)),
    reason=_or_none(_object(machine=_or_none(_is_text))),
)
_RESULT = _object(
    train_error=is_error,
    test_error=is_error,
    validation_error=is_error,
    images_per_second=_or_none(is_number),
    elapsed_seconds=_or_none(is_time),
    weights_sha256=_or_none(_is_text),
)
_STATE: Mapping[str, Test] = {
    "ticket": lambda value: type(value) is int and abs(value) < 2**53,
    "pool": lambda value: value == "ray" or (value in DEVICES and value != "auto"),
    "iteration": _or_none(is_whole),
    "message": _or_none(_is_text),
    "plan": _or_none(_PLAN),
    "result": _or_none(_RESULT),
    "started": _or_none(_is_moment),
    "ended": _or_none(_is_moment),
    "pid": _or_none(lambda value: is_whole(value, 1, 2**31)),
    "host": _or_none(_is_text),
    "machines": _or_none(_is_texts),
    "commits": _or_none(_is_texts),
}


def _check(name: str, values: dict[str, Any], tests: Mapping[str, Test]) -> None:
    for key, test in tests.items():
        try:
            passes = key not in values or test(values[key])
        except TypeError:  # a value that cannot be looked for in a list of names
            passes = False
        if not passes:
            raise BrokenRun(tr("{name}: {key} is {short}, which it cannot be", name=name, key=key, short=_short(values[key])))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


@dataclass(frozen=True)
class Identity:
    """The checked contents of a run.json, as JSON. What is in them is taken out when it is asked for: a list of runs needs little of it."""

    created: str
    text: str

    @functools.cached_property
    def created_at(self) -> datetime:
        return datetime.fromisoformat(self.created)

    @functools.cached_property
    def values(self) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(self.text)
        return values

    @functools.cached_property
    def config(self) -> RunConfig:
        return RunConfig.from_dict(self.values["config"])

    @functools.cached_property
    def fingerprint(self) -> str:
        """The configuration's; not the one that was written: a field that it has gained since changes the fingerprints of old runs too."""
        return self.config.fingerprint


def _read_identity(path: Path) -> Identity:
    values = files.read_json(path)
    for key in ("config", "created"):
        if key not in values:
            raise BrokenRun(tr("run.json has no {key!r}", key=key))
    _check("run.json", values, _IDENTITY)
    found = Identity(values["created"], json.dumps({key: values.get(key) for key in ("config", "data_dir", "versions", "owner")}))
    _ = found.config  # raises ConfigError
    return found


def _read_state(path: Path) -> dict[str, Any]:
    values = files.read_json(path)
    for key in ("state", "ticket", "pool"):
        if key not in values:
            raise BrokenRun(tr("state.json has no {key}", key=key))
    if values["state"] not in STATES:
        raise BrokenRun(tr("state.json: {short} is not a state", short=_short(values["state"])))
    _check("state.json", values, _STATE)
    return values


def _read_name(path: Path) -> str | None:
    name = files.read_json(path).get("name")
    return name if is_name(name) else None


def is_name(value: Any) -> bool:
    """Whether a run can be called that: 1 to 80 characters that can be shown."""
    return isinstance(value, str) and bool(value.strip()) and len(value) <= MAX_NAME and files.is_printable(value)


_identities, _states, _names = files.Kept(_read_identity), files.Kept(_read_state), files.Kept(_read_name)


def _read(folder: Path, name: str, kept: files.Kept[_Read]) -> _Read:
    try:
        return kept(f"{folder}/{name}")
    except FileNotFoundError:
        raise BrokenRun(tr("{name} is missing", name=name) if os.path.isdir(folder) else tr("it has been deleted")) from None
    except (OSError, ValueError, TypeError, UserError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BrokenRun(tr("{name} cannot be read: {reason}", name=name, reason=reason)) from error


def identity(folder: Path) -> Identity:
    """run.json of a run's folder, which is written once. Raises BrokenRun."""
    if not files.is_printable(folder.name):
        raise BrokenRun(tr("the name of its folder has characters that cannot be shown"))
    return _read(folder, "run.json", _identities)


def read_state(folder: Path) -> dict[str, Any]:
    """state.json of a run's folder, as a copy; its ``state``, ``ticket`` and ``pool`` are there. Raises BrokenRun."""
    found = _read(folder, "state.json", _states)
    return dict(found)


def know_name(path: str, stamp: files.Stamp, name: str | None) -> None:
    """Takes up what ``given_name`` was when the meta.json with that path had that stamp."""
    _names.known.setdefault(path, (stamp, name))


def given_name(folder: Path) -> str | None:
    """The name in meta.json; None where there is none, or none that could have been given: that alone is no damage."""
    try:
        return _read(folder, "meta.json", _names)
    except BrokenRun:
        return None
