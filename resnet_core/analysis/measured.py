"""Parameters and MACs taken from the built net, by two tools that know nothing of ``resnet_core.architectures.table``."""

from __future__ import annotations

import threading
import warnings
from dataclasses import dataclass

from resnet_core.architectures import ModelConfig
from resnet_core.architectures.table import complexity
from resnet_core.errors import ConfigError

#: fvcore's names of the operators whose MACs the paper counts.
COUNTED = ("conv", "linear")
#: Larger nets are not built only to be counted: the weights alone would take 400 MB of a web server that others share.
MAX_PARAMS = 100_000_000
#: fvcore runs the net once; more would take minutes.
MAX_MACS = 20_000_000_000

# Tracing runs the net and holds its weights: one at a time bounds what that takes of the machine.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Measured:
    """What fvcore says of the built net.

    Attributes:
        params: all parameters.
        macs: of convolutions and the fully connected layer, for one 3x32x32 image.
        uncounted: fvcore's figure for BN and pooling, which the paper, and so ``macs``, leaves out.
        layers: (parameters, MACs) of every module with parameters, by its name.
    """

    params: int
    macs: int
    uncounted: int
    layers: dict[str, tuple[int, int]]


def measured(config: ModelConfig) -> Measured:
    """Build the net and measure it with fvcore (``FlopCountAnalysis``, which counts a multiply-add once, and ``parameter_count``).

    Raises:
        ConfigError: the net is larger than ``MAX_PARAMS`` or ``MAX_MACS``.
    """
    expected = complexity(config)
    if expected.params > MAX_PARAMS or expected.macs > MAX_MACS:
        raise ConfigError(
            "width",
            "{name} has {params:,} parameters and {macs:,} MACs: too large to be built only to be counted (at "
            "most {max_params:,} and {max_macs:,}). Choose a smaller width or depth, or rely on the arithmetic.",
            name=config.name,
            params=expected.params,
            macs=expected.macs,
            max_params=MAX_PARAMS,
            max_macs=MAX_MACS,
        )
    import torch

    from resnet_core.architectures.net import build_model

    with _one_at_a_time, warnings.catch_warnings(), torch.no_grad():
        # fvcore 0.1.5 stands on torch.jit, which torch announces to be deprecated, on import already.
        warnings.simplefilter("ignore")
        from fvcore.nn import FlopCountAnalysis, parameter_count

        model = build_model(config).eval()
        analysis = FlopCountAnalysis(model, torch.zeros(1, *config.plan().input))
        # The additions, which the paper does not count either.
        analysis.unsupported_ops_warnings(False)
        params = parameter_count(model)
        operators = analysis.by_module_and_operator()
        leaves = [name for name, module in model.named_modules() if next(module.parameters(recurse=False), None) is not None]
    macs = {name: sum(round(operators[name].get(operator, 0)) for operator in COUNTED) for name in ["", *leaves]}
    layers = {name: (params[name], macs[name]) for name in leaves}
    return Measured(params[""], macs[""], round(sum(operators[""].values())) - macs[""], layers)


def flop_counter(config: ModelConfig) -> int:
    """FLOPs for one image by ``torch.utils.flop_counter``: 2 per MAC of the convolutions and the fully connected layer.

    The net is on torch's meta device, which knows shapes only: it takes neither memory nor computing, at any size.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from resnet_core.architectures.net import Net

    with torch.device("meta"), torch.no_grad():
        model = Net(config).eval()
        with FlopCounterMode(display=False) as counter:
            model(torch.empty(1, *config.plan().input))
    return counter.get_total_flops()
