"""Results of experiments that ship, so that a lesson shows them at once: made by ``python -m resnet_core.lessons``.

One file an experiment, ``records/<key>.json``. A result is of the very weights whose checksum stands beside it; of others it is not used.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from resnet_core.experiments import Experiment, Measured
from resnet_core.lessons.lesson import Show
from resnet_core.nets import Net

FOLDER = Path(__file__).parent / "records"
#: The images of all of them.
DATASET = "sample"


def given(experiment: Experiment, show: Show) -> dict[str, Any]:
    """The parameters that a lesson names, as the experiment takes them."""
    kinds = {parameter.name: parameter.kind for parameter in experiment.parameters}
    numbers = {"int": int, "float": float}
    return {name: numbers.get(kinds.get(name, ""), str)(value) for name, value in show.values.items()}


def result(experiment: Experiment, net: Net, values: Mapping[str, Any]) -> Measured | None:
    """The recorded result of a net with these parameters (those left out have their defaults), or None."""
    wanted = _plain(experiment.complete(values, net.model))
    for entry in _entries(experiment.key)["results"]:
        if (entry["net"], entry["values"]) == (net.id, wanted) and entry["checksum"] == net.card.get("checksum_sha256"):
            return Measured(net.id, net.name, net.model, decoded(entry["result"]))
    return None


@functools.cache
def of(key: str, net: str) -> Any:
    """The recorded result of a net, by whatever parameters it was made.

    Raises:
        KeyError: there is none.
    """
    found = next((each for each in _entries(key)["results"] if each["net"] == net), None)
    if found is None:
        raise KeyError(net)
    return decoded(found["result"])


def entry(experiment: Experiment, net: Net, values: Mapping[str, Any], found: Measured) -> dict[str, Any]:
    """What is written of a result, as plain JSON values."""
    complete = _plain(experiment.complete(values, net.model))
    return {"net": net.id, "checksum": net.card["checksum_sha256"], "values": complete, "result": encoded(found.result)}


def source(key: str) -> str:
    """When and where the results of an experiment were made."""
    found = _entries(key)
    return f"{found['date']}, {found['machine']}"


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(dict(values), sort_keys=True))


@functools.cache
def _entries(key: str) -> dict[str, Any]:
    path = FOLDER / f"{key}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"results": []}


def encoded(value: Any) -> Any:
    """A result as plain JSON values: its dataclasses by their names, arrays with their types."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {each.name: encoded(getattr(value, each.name)) for each in dataclasses.fields(value)}
        return {"class": f"{type(value).__module__}:{type(value).__qualname__}", "fields": fields}
    if isinstance(value, np.ndarray):
        return {"dtype": str(value.dtype), "values": _short(value.tolist())}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {"mapping": {key: encoded(each) for key, each in value.items()}}
    return [encoded(each) for each in value] if isinstance(value, (list, tuple)) else value


def _short(value: Any) -> Any:
    """Six digits of each number: more are not shown."""
    if isinstance(value, list):
        return [_short(each) for each in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def decoded(value: Any) -> Any:
    """The result that ``encoded`` was given; lists become tuples.

    Raises:
        ValueError: it names a class that is none of this project's dataclasses.
    """
    if isinstance(value, list):
        return tuple(decoded(each) for each in value)
    if not isinstance(value, dict):
        return value
    if "mapping" in value:
        return {key: decoded(each) for key, each in value["mapping"].items()}
    if "dtype" in value:
        return np.array(value["values"], dtype=value["dtype"])
    module, _, name = value["class"].partition(":")
    kind: Any = getattr(importlib.import_module(module), name, None) if module.startswith("resnet_core.") else None
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        raise ValueError(f"{value['class']} is no dataclass of this project")
    return kind(**{name: decoded(each) for name, each in value["fields"].items()})
