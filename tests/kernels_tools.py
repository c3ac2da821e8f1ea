"""For tests of the kernels: a step with statistics of its own, and how far results are apart."""

from __future__ import annotations

import torch
from torch import nn

from resnet_core.kernels.norm import NormJoinReLU


def step_of(channels: int, relu: bool, owned: bool = False) -> NormJoinReLU:
    """BN with weights and statistics by chance, and what follows it; ``owned``: its gradients are nobody else's."""
    norm = nn.BatchNorm2d(channels)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 1.5)
        norm.bias.normal_()
        norm.running_mean.normal_()
    step = NormJoinReLU(norm, relu).train()
    step.owned[:] = [owned, owned]
    return step


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest difference, as part of the largest value of ``other``."""
    return float((one.detach().double() - other.detach().double()).abs().max() / other.detach().abs().max())
