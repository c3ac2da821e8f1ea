"""The deeper net that is no worse (He et al. 2016, section 1): a trained net with blocks that do nothing at the end of each stage."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from resnet_core.architectures.base import ModelConfig
from resnet_core.architectures.parts import BatchNorm, Conv
from resnet_core.architectures.plan import Unit
from resnet_core.architectures.registry import changed
from resnet_core.errors import ConfigError
from resnet_core.language import tr

if TYPE_CHECKING:
    from resnet_core.architectures.net import Net


def deeper(model: ModelConfig, rounds: int) -> ModelConfig:
    """Return the net with ``rounds`` more blocks in each stage.

    Raises:
        ConfigError: there is none, or its added blocks cannot be made the identity; says why.
    """
    units = model.plan().units
    stages = len({unit.stage for unit in units})
    if len(units) % stages or (model.depth - 2) % (len(units) // stages):
        raise ConfigError("net", "its depth does not grow by a block in each stage.")
    target = changed(model, depth=model.depth + rounds * (model.depth - 2) // (len(units) // stages))
    known = {unit.name for unit in units}
    for unit in target.plan().units:
        if unit.name not in known and (why := _obstacle(unit)):
            raise ConfigError("net", why)
    return target


def _obstacle(unit: Unit) -> str:
    """Why a block cannot be made the identity; empty where it can."""
    if unit.skip is None:
        convs = [part for part in unit.branch if isinstance(part, Conv)]
        same = len({conv.filters for conv in convs}) == 1
        return (
            ""
            if same and all(conv.kernel % 2 for conv in convs)
            else tr("a plain bottleneck is narrower inside and cannot be the identity.")
        )
    if unit.join.name != "add" or unit.skip:
        return tr("the skip of its blocks is not the identity.")
    return ""


def why_not_deeper(model: ModelConfig) -> str:
    """Say why blocks that do nothing cannot be added to a net; empty where they can."""
    try:
        deeper(model, 1)
    except ConfigError as error:
        return str(error).partition(": ")[2]
    return ""


def construct(net: Net, target: ModelConfig, seed: int = 0) -> Net:
    """Build the deeper net with the weights of ``net`` and blocks that do nothing; on its device, in evaluation mode.

    Args:
        target: as ``deeper`` gives it.
        seed: of what is random in the blocks, before the zeros that make them do nothing.
    """
    import torch

    from resnet_core.architectures.net import build_model

    made = build_model(target, seed)
    known = {unit.name for unit in net.plan.units}
    state = made.state_dict()
    state.update(net.state_dict())
    made.load_state_dict(state)
    with torch.no_grad():
        for unit in made.plan.units:
            if unit.name not in known:
                _do_nothing(made, unit)
    return made.to(next(net.parameters()).device).to(memory_format=torch.channels_last).eval()


def _do_nothing(net: Net, unit: Unit) -> None:
    import torch

    weighted = [(part, net.get_submodule(f"{unit.name}.{part.name}")) for part in (*unit.before, *unit.branch, *unit.after) if part.kind]
    if unit.skip is not None:
        last: Any = weighted[-1][1]
        for parameter in last.parameters():
            torch.nn.init.zeros_(parameter)
        return
    for part, module in weighted:
        held: Any = module
        if isinstance(part, Conv):
            torch.nn.init.dirac_(held.weight)
            if held.bias is not None:
                torch.nn.init.zeros_(held.bias)
        elif isinstance(part, BatchNorm):
            torch.nn.init.constant_(held.weight, math.sqrt(1 + held.eps))  # with mean 0 and variance 1 it divides by the same
