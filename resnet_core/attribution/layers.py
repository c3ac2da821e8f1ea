"""The layers that Grad-CAM can be taken at, from a net's configuration alone: no torch. ``model``: as of ``activations.config_of``."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from resnet_core.activations import config_of, layer_shapes

#: A map of fewer pixels on a side than this says next to nothing about where a net looked.
_SMALLEST_MAP = 4


def layers_of(model: Any) -> list[str]:
    """The names of the layers, in the order of the forward pass (see ``layer_shapes``)."""
    return list(layer_shapes(model))


def outputs_of(model: Any) -> dict[str, str]:
    """All layers whose maps can be looked at -> the module whose output they are, in the order of the forward pass.

    Those of ``layers_of``, and each convolution's response, before ReLU and before it is joined with the skip (``Plan.taps``).
    """
    plan, names = config_of(model).plan(), layers_of(model)
    units = [unit.name for unit in plan.units]
    found = {tap.name: tap.response for tap in plan.taps if tap.unit is None and tap.name in {part.name for part in plan.stem}}
    found |= {name: name for name in names if name not in units and name not in found}
    for unit in plan.units:
        found |= {tap.name: tap.response for tap in plan.taps if tap.unit is not None and tap.unit.name == unit.name}
        found[unit.name] = unit.name
    return found


def default_layer(model: Any) -> str:
    """The last block's output, as in Selvaraju et al. 2017; the last one whose maps have at least 4x4 pixels, where that is another."""
    return [name for name, (_, side) in layer_shapes(model).items() if side >= _SMALLEST_MAP][-1]


@dataclass(frozen=True)
class CascadeStep:
    """What one step of a cascading randomisation adds.

    Attributes:
        label: e.g. ``fc``, ``layer3.2``, ``layer3.6–8``, ``conv1``.
        modules: whose weights, with those of everything in them, are randomised.
    """

    label: str
    modules: tuple[str, ...]


def cascade_steps(model: Any, per_stage: int = 3) -> list[CascadeStep]:
    """From the top layer down: the layers behind the units, each stage's units in at most ``per_stage`` groups, the stem's layers."""
    plan = config_of(model).plan()
    steps: list[CascadeStep] = []
    for part in reversed(plan.head):
        if part.kind in ("fc", "conv"):
            steps.append(CascadeStep(part.name, (part.name,)))
        elif part.kind:  # the BN before it
            steps[-1] = CascadeStep(steps[-1].label, (*steps[-1].modules, part.name))
    for _, units in itertools.groupby(reversed(plan.units), lambda unit: unit.stage):
        names = [unit.name for unit in units][::-1]
        groups = min(per_stage, len(names))
        bounds = [len(names) * i // groups for i in range(groups + 1)]
        for low, high in reversed(list(itertools.pairwise(bounds))):
            label = names[low] if high - low == 1 else f"{names[low]}–{high - 1}"
            steps.append(CascadeStep(label, tuple(names[low:high])))
    stem = [part.name for part in plan.stem if part.kind]
    return [*steps, CascadeStep(stem[0], tuple(stem))]
