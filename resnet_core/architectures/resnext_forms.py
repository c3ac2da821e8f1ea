"""The weights of a ResNeXt in one of its three equal forms as those of another (Fig. 3 of Xie et al. 2017)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resnet_core.architectures.base import ModelConfig
from resnet_core.architectures.joins import Parallel

if TYPE_CHECKING:
    from torch import Tensor

    from resnet_core.architectures.plan import Plan

FORMS = ("a", "b", "c")


@dataclass(frozen=True)
class Agreement:
    """How far the three forms of one block are from each other.

    Attributes:
        unit: the block's name; shape: of the random input, with the batch.
        differences: the largest difference of two outputs in any value, between the forms: ``ab``, ``ac`` and ``bc``.
        largest: the largest output in size.
    """

    unit: str
    shape: tuple[int, ...]
    differences: dict[str, float]
    largest: float


def example(config: ModelConfig) -> int:
    """Return the index of the unit that stands for all: the first whose dimensions do not change, where there is one."""
    units = config.plan().units
    return next((index for index, unit in enumerate(units) if not unit.dimensions_change), 0)


def agreement(config: ModelConfig, seed: int = 0, images: int = 2, side: int = 8) -> Agreement:
    """Build one block of a ResNeXt in the three forms with the same random weights, and run a random input through them, in float64.

    BN has random statistics, scales and shifts, as if it had been trained.

    Args:
        images: of the batch; side: of its maps in pixels.
    """
    import torch

    from resnet_core.architectures.net import Block, initialize

    generator = torch.Generator().manual_seed(seed)
    index, plan = example(config), config.plan()
    unit = plan.units[index].name
    shapes = list(plan.maps().values())
    shape = (shapes[len(shapes) - len(plan.units) + index - 1][0], side, side)
    x = torch.randn(images, *shape, generator=generator, dtype=torch.float64)
    tensors: dict[str, Tensor] = {}
    outputs = {}
    for form in reversed(FORMS):
        described = dataclasses.replace(config, form=form).plan()
        alone = dataclasses.replace(described, input=shape, stem=(), units=described.units[index : index + 1], head=())
        block = Block(alone.units[0], shape).double().eval()
        if form == "c":
            initialize(block, seed)
            for name, tensor in block.state_dict().items():
                if tensor.ndim == 1:
                    tensor.copy_(torch.rand(len(tensor), generator=generator, dtype=torch.float64) + 0.5)
                tensors[f"{unit}.{name}"] = tensor
        else:
            split = _split(tensors, alone)
            block.load_state_dict({name.removeprefix(f"{unit}."): tensor for name, tensor in split.items()})
        with torch.no_grad():
            outputs[form] = block(x)
    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    differences = {one + other: float((outputs[one] - outputs[other]).abs().max()) for one, other in pairs}
    return Agreement(unit, tuple(x.shape), differences, float(outputs["c"].abs().max()))


def reform(tensors: Mapping[str, Tensor], config: ModelConfig, form: str) -> dict[str, Tensor]:
    """Return the ``state_dict`` of the same net in another form: it computes the same, in training too.

    Args:
        tensors: of a net of ``config``, which has a field ``form``; form: ``a``, ``b`` or ``c``.

    Raises:
        ConfigError: there is no such form.
    """
    grouped = _joined(tensors, dataclasses.replace(config, form="c").plan())
    return grouped if form == "c" else _split(grouped, dataclasses.replace(config, form=form).plan())


def _joined(tensors: Mapping[str, Tensor], plan: Plan) -> dict[str, Tensor]:
    """The tensors of the paths, one behind the other, under the names that form c has."""
    import torch

    found: dict[str, Tensor] = {}
    rows: dict[str, list[Tensor]] = {}
    for name, tensor in tensors.items():
        unit, paths, rest = name.partition(".paths.branch")
        if not paths:
            found[name] = tensor
            continue
        rows.setdefault(f"{unit}.{rest.partition('.')[2]}", []).append(tensor)
    for name, parts in rows.items():
        if not parts[0].ndim:  # BN's count of batches, which all paths have seen alike
            found[name] = parts[0]
        else:
            found[name] = torch.cat(parts, 1 if ".conv3." in name else 0)
    return {name: found[name] for name in plan.tensors()}


def _split(tensors: Mapping[str, Tensor], plan: Plan) -> dict[str, Tensor]:
    """The tensors of form c in as many paths as a plan of form a or b has."""
    paths = {unit.name: len(part.paths) for unit in plan.units for part in unit.branch if isinstance(part, Parallel)}
    found: dict[str, Tensor] = {}
    for name in plan.tensors():
        unit, inner, rest = name.partition(".paths.branch")
        number, _, tail = rest.partition(".")
        whole = tensors[f"{unit}.{tail}" if inner else name]
        if inner and whole.ndim:
            whole = whole.chunk(paths[unit], 1 if tail.startswith("conv3.") else 0)[int(number) - 1]
        found[name] = whole.clone()
    return found
