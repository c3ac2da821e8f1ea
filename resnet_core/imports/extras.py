"""What tools leave in a state_dict beside the net's own tensors, or instead of them: put aside, or computed with, by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from resnet_core.imports.refusal import ImportRefused, listed, shown
from resnet_core.language import tr, tr_n

#: The last part of the keys that thop puts beside every module, and ``AveragedModel`` once beside its net.
COUNTS = {"total_ops": "thop", "total_params": "thop", "n_averaged": "torch.optim.swa_utils.AveragedModel"}
#: What torch.nn.utils.prune makes of a tensor: its product is what the net computes with.
_ORIGINAL, _MASK = "_orig", "_mask"


def without_extras(arrays: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The net's own arrays by key, and notes on the others.

    Raises:
        ImportRefused: a pruned tensor has no mask, or one of another shape.
    """
    import numpy as np

    left = {key: array for key, array in arrays.items() if _last(key) not in COUNTS}
    notes = []
    for tool in dict.fromkeys(COUNTS.values()):
        if aside := [key for key in arrays if COUNTS.get(_last(key)) == tool]:
            notes.append(
                tr_n(
                    len(aside),
                    "{listed}, which {tool} wrote, was left out.",
                    "{listed}, which {tool} wrote, were left out.",
                    listed=listed(aside, 1),
                    tool=tool,
                )
            )
    pruned = [key.removesuffix(_ORIGINAL) for key in left if key.endswith(_ORIGINAL)]
    for key in pruned:
        original, mask = left.pop(key + _ORIGINAL), left.pop(key + _MASK, None)
        if mask is None or mask.shape != original.shape or key in left:
            raise ImportRefused(
                "{key} is a pruned tensor, but there is no {key2} of its shape.", key=shown(key + _ORIGINAL), key2=shown(key + _MASK)
            )
        with np.errstate(over="ignore"):  # refused by whoever looks at the values
            left[key] = original * mask
    if pruned:
        notes.append(tr("Pruned: {listed} is the product of its original and its mask.", listed=listed(pruned, 1)))
    return left, notes


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def is_count(key: str) -> bool:
    """Whether a tensor may be of whole numbers: nothing computes with it in evaluation mode."""
    return key.endswith("num_batches_tracked") or _last(key) in COUNTS
