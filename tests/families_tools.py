"""What tests of families share."""

from __future__ import annotations

import torch
from torch import nn


def random_statistics(model: nn.Module) -> nn.Module:
    """BN whose weights and statistics are not those of the start: each of them must arrive."""
    generator = torch.Generator().manual_seed(9)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.weight, 0.5, 1.0), (module.bias, -0.2, 0.2), (module.running_mean, -0.2, 0.2), (module.running_var, 0.5, 1.5),
            ):  # fmt: skip
                nn.init.uniform_(tensor, low, high, generator=generator)
    return model
