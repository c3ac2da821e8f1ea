"""What a net's outputs stand for, in the metadata of its weights file: the names of its classes, and the key of the data set they are of.

For example::

    save_file(tensors, path, to_metadata(("cat", "dog"), "pictures"))
    names, dataset, note = from_metadata(read_metadata(path), outputs=2)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from resnet_core.datasets import DATA_SETS, PICTURES
from resnet_core.language import tr

#: Of a net that is believed.
MOST_NAMES, LONGEST_NAME = 5_000, 255
_CLASSES, _DATASET = "classes", "dataset"


def to_metadata(names: Sequence[str] | None, dataset: str | None) -> dict[str, str]:
    """The two entries; without ``names`` none. In ASCII: a folder's name may be no valid UTF-8."""
    return {_CLASSES: json.dumps(list(names)), _DATASET: dataset or ""} if names else {}


def from_metadata(metadata: Mapping[str, str], outputs: int) -> tuple[tuple[str, ...], str, str]:
    """The names, the key, and a sentence on what was left out; each empty where there is none. Nothing of it is believed unchecked.

    Args:
        outputs: of the net; there must be as many names.
    """
    if _CLASSES not in metadata:
        return (), "", ""
    try:
        names: Any = json.loads(metadata[_CLASSES])
    except (ValueError, RecursionError):
        names = None
    if why := _wrong(names, outputs):
        return (), "", tr("What the file says of its classes was left out: {why}.", why=why)
    key = metadata.get(_DATASET, "")
    if key in ("", PICTURES) or (key in DATA_SETS and DATA_SETS[key].classes == tuple(names)):
        return tuple(names), key, ""
    return tuple(names), "", tr("The data set that the file names was left out: its classes are not those that the file names.")


def known(card: Mapping[str, Any], outputs: int) -> tuple[str, ...]:
    """The names in a checkpoint's card, if it has fit ones; else none."""
    names = card.get(_CLASSES)
    return () if _wrong(names, outputs) else tuple(names or ())


def _wrong(names: Any, outputs: int) -> str:
    """Why these are no names of so many classes, as the end of a sentence; empty of those that are."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return tr("it is no list of names")
    if len(names) != outputs or len(names) > MOST_NAMES:
        return tr(
            "it names {names:,} classes, and the net has {outputs:,} outputs (at most {most:,} names are read)",
            names=len(names),
            outputs=outputs,
            most=MOST_NAMES,
        )
    if not all(name.strip() and len(name) <= LONGEST_NAME and name.isprintable() for name in names):
        return tr("a name is empty, longer than {longest} characters, or has characters that cannot be shown", longest=LONGEST_NAME)
    return tr("two classes have the same name") if len(set(names)) < len(names) else ""
