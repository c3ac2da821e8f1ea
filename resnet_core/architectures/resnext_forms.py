"""The weights of a ResNeXt in one of its three equal forms as those of another (Fig. 3 of Xie et al. 2017)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from resnet_core.architectures.base import ModelConfig
from resnet_core.architectures.joins import Parallel

if TYPE_CHECKING:
    from torch import Tensor


def reform(tensors: Mapping[str, Tensor], config: ModelConfig, form: str) -> dict[str, Tensor]:
    """Return the ``state_dict`` of the same net in another form: it computes the same, in training too.

    Args:
        tensors: of a net of ``config``, which has a field ``form``; form: ``a``, ``b`` or ``c``.

    Raises:
        ConfigError: there is no such form.
    """
    grouped = _joined(tensors, config)
    return grouped if form == "c" else _split(grouped, dataclasses.replace(config, form=form))


def _joined(tensors: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
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
    return {name: found[name] for name in dataclasses.replace(config, form="c").plan().tensors()}


def _split(tensors: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """The tensors of form c in as many paths as the net of ``config``, form a or b, has."""
    plan = config.plan()
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
