"""A state_dict of another layout as one of ours that computes the same function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from resnet_core.imports.candidates import COUNTER
from resnet_core.imports.recognition import Recognition
from resnet_core.imports.refusal import shown
from resnet_core.language import mark, tr

REORDERED = mark(
    "Its option A was taken to pad the new channels on both sides, where ours pads behind; the channels "
    "of stages 2 and 3 were put in our order, so that the function is the same."
)
#: Of a layout whose layers put what they add before what they have read.
NEWEST_FIRST = mark("Its dense layers put their output before their input, where ours put it behind; the channels were put in our order, "
"so that the function is the same.")  # fmt: skip


def convert(arrays: Mapping[str, Any], recognition: Recognition) -> tuple[dict[str, Any], list[str]]:
    """The arrays under our keys, and notes on what was changed.

    BN's counters, which nothing computes with in evaluation mode, are 0 where the file has none.
    """
    import numpy as np

    notes: list[str] = []
    ours = {own: arrays[theirs] for theirs, own in recognition.keys.items()}
    theirs = {own: key for key, own in recognition.keys.items()}
    missing = 0
    for mean in [name for name in ours if name.endswith("running_mean")]:
        count = arrays.get(theirs[mean].removesuffix("running_mean") + COUNTER)
        missing += count is None
        ours[mean.removesuffix("running_mean") + COUNTER] = np.array(0 if count is None else count, dtype=np.int64)
    for key, mean in recognition.biases.items():
        with np.errstate(over="ignore"):  # refused by whoever looks at the values
            ours[mean] = (ours[mean].astype(np.float64) - arrays[key]).astype(np.float32)
    if biases := len(recognition.biases):
        notes.append(
            tr("The biases of {biases:,} convolutions were folded into the BN that follows each; the function is the same.", biases=biases)
        )
    for own, order in recognition.orders.items():
        ours[own] = ours[own].take(order, axis=min(1, ours[own].ndim - 1))
    if recognition.orders:
        notes.append(NEWEST_FIRST)
    if missing:
        notes.append(tr("{missing:,} of BN's {counter} were missing; they are 0 now.", missing=missing, counter=shown(COUNTER)))
    return ours, notes


def _orders(width: int) -> dict[int, Any]:
    """For each stage of a net whose option A pads half of the new channels on either side: which of its channels is our i-th.

    Our shortcut leads channel i of a stage to channel i of the next; that one leads it to i + pad. So ours come in the order of
    those that have a history, then the padding before them, then the padding behind.
    """
    import numpy as np

    orders = {1: np.arange(width)}
    for stage in (2, 3):
        channels = width * 2 ** (stage - 1)
        pad = channels // 4
        orders[stage] = np.concatenate([orders[stage - 1] + pad, np.arange(pad), np.arange(channels - pad, channels)])
    return orders


def pad_behind(tensors: Mapping[str, Any], width: int) -> dict[str, Any]:
    """The tensors (under our keys) of a net of basic blocks whose option A pads on both sides, as those of one that pads behind.

    The channels of the stages are put in another order. Only between blocks: inside a block their order is nobody's concern.
    """
    ours, orders = dict(tensors), _orders(width)
    for key in list(ours):
        if not key.startswith("layer"):
            continue
        stage, index, layer, _ = key.removeprefix("layer").split(".")
        here = orders[int(stage)]
        before = orders[int(stage) - 1] if index == "0" and stage != "1" else here
        if layer == "conv1":
            ours[key] = ours[key][:, before].copy()
        elif layer == "conv2" or (layer == "bn2" and ours[key].ndim):
            ours[key] = ours[key][here].copy()
    ours["fc.weight"] = ours["fc.weight"][:, orders[3]].copy()
    return ours
