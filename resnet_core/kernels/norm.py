"""Batch normalisation in one step with the addition and the ReLU behind it, as ``batch_norm.cpp`` computes it."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

from resnet_core.kernels import build

LAYOUT = torch.channels_last
#: Values that are computed at a time: the channels are to be a multiple of it.
WIDTH = 16


class _NormJoinReLU(torch.autograd.Function):
    """BN by the statistics of the batch; plus the residual, where there is one; through a ReLU, where there is one.

    Its output comes twice, for two readers: their gradients are then added on the way, not in a pass of its own. Of either it is known
    whether its gradient is nobody else's: then its memory, which is in the cache, is written over.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        moments: torch.Tensor | None,
        residual: torch.Tensor | None,
        weight: torch.Tensor,
        bias: torch.Tensor,
        step: NormJoinReLU,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        norm, relu = step.norm, step.relu
        y, factors = torch.empty_like(x), torch.empty(4, x.shape[1])
        running = norm.running_mean, norm.running_var
        _call("forward", x, x, residual, moments, weight, bias, *running, norm.momentum, norm.eps, relu, y, factors)
        ctx.relu, ctx.owned, ctx.joins, ctx.has_moments = relu, step.owned, residual is not None, moments is not None
        ctx.save_for_backward(x, y if relu and ctx.joins else None, factors)
        ctx.set_materialize_grads(False)
        return y, y.view_as(y)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        x, y, factors = ctx.saved_tensors
        given = [(one.contiguous(memory_format=LAYOUT), own) for one, own in zip(gradients, ctx.owned, strict=True) if one is not None]
        if not given:
            return (None,) * 6
        gradient, own = given[0]
        also, own_also = given[1] if len(given) > 1 else (None, False)
        if y is not None:
            inner = also if own_also else torch.empty_like(x)
        else:  # nothing holds the residual's gradient up; what it gets is not to be written over
            inner, own = gradient if also is None else gradient + also, own and not ctx.joins
        dx = gradient if own else torch.empty_like(x)
        dweight, dbias = torch.empty(2, x.shape[1])
        dmoments = torch.empty(2, x.shape[1], dtype=torch.float64) if ctx.has_moments else None
        kept = None if y is None else inner
        _call("backward", x, gradient, also, x, y, factors, ctx.relu, kept, dx, dweight, dbias, dmoments)
        return dx, dmoments, inner if ctx.joins else None, dweight, dbias, None


def _call(name: str, like: torch.Tensor, *arguments: Any) -> None:
    channels = like.shape[1]
    build.call(f"{name}_{str(like.dtype).removeprefix('torch.')}", like.numel() // channels, channels, torch.get_num_threads(), *arguments)


class NormJoinReLU(nn.Module):
    """BN, the addition of a residual where one is given, and a ReLU or none: (B, C, H, W) -> two of (B, C, H, W), for two readers.

    The moments of its input, mean and variance (2, C), may be given by what made it; they are float64. Where the kernels do not fit (in
    evaluation, a graphics card, another layout or precision, channels that 16 does not divide), torch's own functions do the same. Hooks on
    the net's own ReLU, or on what adds, are not called in this form.
    """

    def __init__(self, norm: nn.BatchNorm2d, relu: bool):
        super().__init__()
        self.norm, self.relu, self.owned = norm, relu, [False, False]

    def forward(
        self, x: torch.Tensor, residual: torch.Tensor | None = None, moments: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        norm = self.norm
        if not self.fits(x, residual):
            y: torch.Tensor = norm(x)
            y = y if residual is None else y + residual
            y = F.relu(y) if self.relu else y
            return y, y
        x, residual = self.counted(x, residual)
        found: tuple[torch.Tensor, torch.Tensor] = _NormJoinReLU.apply(x, moments, residual, norm.weight, norm.bias, self)
        return found

    def counted(self, x: torch.Tensor, residual: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Count the batch, as torch's own does, and give what is read in the layout that it is to have."""
        if self.norm.num_batches_tracked is not None:
            self.norm.num_batches_tracked.add_(1)
        return x.contiguous(memory_format=LAYOUT), None if residual is None else residual.contiguous(memory_format=LAYOUT)

    def fits(self, x: torch.Tensor, residual: torch.Tensor | None) -> bool:
        """Tell whether the kernels can do it for this input."""
        norm = self.norm
        return (
            norm.training
            and build.library() is not None
            and norm.affine
            and norm.running_mean is not None
            and norm.momentum is not None
            and x.device.type == "cpu"
            and x.dtype in (torch.float32, torch.bfloat16)
            and {norm.weight.dtype, norm.bias.dtype, norm.running_mean.dtype} == {torch.float32}
            and x.shape[1] % WIDTH == 0
            and x.numel() > x.shape[1]
            and (residual is None or (residual.dtype == x.dtype and residual.shape == x.shape))
        )
