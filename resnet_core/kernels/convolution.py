"""A 3x3 convolution in the form that is trained on a CPU with AMX, with the BN, addition and ReLU in front of it (``convolution.cpp``)."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from resnet_core.kernels import build
from resnet_core.kernels.norm import LAYOUT, WIDTH, NormJoinReLU

_ONE = (1, 1)


class _Convolution(torch.autograd.Function):
    """The convolution of what ``step`` makes of x, or of x itself. It gives the moments of its output, and, where asked for, its input.

    That the moments depend on the output is told by their gradient, which the way back puts in on the way.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        moments: torch.Tensor | None,
        residual: torch.Tensor | None,
        norm_weight: torch.Tensor | None,
        norm_bias: torch.Tensor | None,
        weight: torch.Tensor,
        step: NormJoinReLU | None,
        wanted: bool,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        (images, inputs, height, width), outputs = x.shape, len(weight)
        ctx.rows, ctx.relu, ctx.has_moments, ctx.joins = (
            images * height * width,
            step is not None and step.relu,
            moments is not None,
            residual is not None,
        )
        factors = None
        if step is not None:
            norm, factors = step.norm, torch.empty(4, inputs)
            if moments is None:
                moments = torch.empty(2, inputs, dtype=torch.float64)
                build.call("moments_bfloat16", ctx.rows, inputs, torch.get_num_threads(), x, moments)
            running = norm.running_mean, norm.running_var
            build.call("factors", ctx.rows, inputs, moments, norm_weight, norm_bias, *running, norm.momentum, norm.eps, factors)
        y = torch.empty_like(x) if wanted or ctx.joins else None
        z = torch.empty(images, outputs, height, width, dtype=x.dtype, memory_format=LAYOUT)
        made = torch.empty(2, outputs, dtype=torch.float64)
        ctx.sizes = images, height, width, inputs, outputs, torch.get_num_threads()
        build.call("convolution_forward", *ctx.sizes, x, residual, factors, ctx.relu, y, weight, z, made)
        ctx.save_for_backward(x, y, z, made, factors, weight)
        ctx.set_materialize_grads(False)
        return z, made, y if wanted else None

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, dz: torch.Tensor | None, dmade: torch.Tensor | None, also: torch.Tensor | None
    ) -> tuple[torch.Tensor | None, ...]:
        x, y, z, made, factors, weight = ctx.saved_tensors
        dz = torch.zeros_like(z) if dz is None else dz.contiguous(memory_format=LAYOUT)
        also = None if also is None else also.contiguous(memory_format=LAYOUT)
        dmade = None if dmade is None else dmade.contiguous()
        dx, dweight, inner = torch.empty_like(x), torch.empty_like(weight), torch.empty_like(x) if ctx.joins else None
        sums = None if factors is None else torch.empty(2, x.shape[1], dtype=torch.float64)
        build.call("convolution_backward", *ctx.sizes, dz, z, made, dmade, x, y, factors, ctx.relu, also, weight, inner, dx, sums, dweight)
        if sums is None:
            return dx, None, None, None, None, dweight, None, None
        (norm_weight, norm_bias), dmoments = torch.empty(2, x.shape[1]), torch.empty_like(sums)
        build.call("factors_gradients", x.shape[1], sums, factors, norm_weight, norm_bias, dmoments)
        if not ctx.has_moments:  # they were computed here
            build.call("moments_gradient_bfloat16", ctx.rows, x.shape[1], ctx.sizes[-1], x, factors, dmoments, dx)
        return dx, dmoments if ctx.has_moments else None, inner, norm_weight, norm_bias, dweight, None, None


class Convolution(nn.Module):
    """The convolution ``conv``, with its parameters: (B, C, H, W) -> (B, C', H, W) and its moments, mean and variance (2, C').

    Where the kernel does not fit (in fp32, without AMX, for images of other sizes), it is ``conv`` itself that is called, and the moments
    are None.
    """

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        self.conv = conv

    @staticmethod
    def suits(conv: nn.Conv2d) -> bool:
        """Tell whether it is one that there is a kernel for: 3x3, stride 1, padding 1, channels that 16 divides, and nothing else."""
        same = (conv.kernel_size, conv.stride, conv.padding, conv.dilation) == ((3, 3), _ONE, _ONE, _ONE)
        plain = conv.groups == 1 and conv.bias is None and conv.padding_mode == "zeros"
        return same and plain and conv.in_channels % WIDTH == 0 and conv.out_channels % WIDTH == 0

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        if not self.fits(x):
            return cast(torch.Tensor, self.conv(x)), None
        x = x.contiguous(memory_format=LAYOUT)
        z, moments, _ = _Convolution.apply(x, None, None, None, None, self.conv.weight, None, False)
        return z, moments

    def fits(self, x: torch.Tensor) -> bool:
        """Tell whether the kernel can do it for this input."""
        weight, (height, width) = self.conv.weight, x.shape[2:]
        return (
            torch.is_grad_enabled()
            and x.device.type == "cpu"
            and x.dtype == torch.bfloat16
            and weight.dtype == torch.float32
            and weight.is_contiguous(memory_format=LAYOUT)
            and width % 2 == 0
            and height * width % 32 == 0
            and torch.is_autocast_enabled("cpu")
            and build.has_amx()
        )


class NormConvolution(nn.Module):
    """What ``step`` makes of its input and the convolution of that, in one: gives the convolution's output, its moments, and what ``step``
    made, which is only kept where it is ``wanted``.

    Where the kernels do not fit, ``step`` and ``convolution`` do it one by one.
    """

    def __init__(self, step: NormJoinReLU, convolution: Convolution, wanted: bool):
        super().__init__()
        self.step, self.convolution, self.wanted = step, convolution, wanted

    def forward(
        self, x: torch.Tensor, residual: torch.Tensor | None = None, moments: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        step, conv = self.step, self.convolution
        if not (step.fits(x, residual) and conv.fits(x)):
            y, again = step(x, residual, moments)
            return *conv(y), again
        x, residual = step.counted(x, residual)
        found: tuple[torch.Tensor, torch.Tensor, torch.Tensor | None] = _Convolution.apply(
            x, moments, residual, step.norm.weight, step.norm.bias, conv.conv.weight, step, self.wanted
        )
        return found
