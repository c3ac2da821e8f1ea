"""A 3x3 convolution in the form that is trained on a CPU with AMX: the gradient of its weights is computed by ``weight_gradient.cpp``."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from resnet_core.kernels import build

_LAYOUT = torch.channels_last
_ONE = (1, 1)


class _Convolution(torch.autograd.Function):
    """torch's convolution in bfloat16, whose weights' gradient is a sum in float and is not rounded at its end."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        half = weight.to(x.dtype)
        ctx.save_for_backward(x, half)
        found: torch.Tensor = torch.ops.aten.convolution(x, half, None, _ONE, _ONE, _ONE, False, (0, 0), 1)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        x, half = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=_LAYOUT)
        dx = dweight = None
        if ctx.needs_input_grad[0]:
            mask = (True, False, False)
            dx = torch.ops.aten.convolution_backward(gradient, x, half, None, _ONE, _ONE, _ONE, False, (0, 0), 1, mask)[0]
        if ctx.needs_input_grad[1]:
            dweight = torch.empty_like(half, dtype=torch.float32)
            images, inputs, height, width = x.shape
            pointers = (x.data_ptr(), gradient.data_ptr(), dweight.data_ptr())
            cast(Any, build.library()).weight_gradient(images, height, width, inputs, half.shape[0], torch.get_num_threads(), *pointers)
        return dx, dweight


class Convolution(nn.Module):
    """The convolution ``conv``: (B, C, H, W) -> (B, C', H, W), with its parameters.

    Where the kernel does not fit (in fp32, without AMX, for images of other sizes), it is ``conv`` itself that is called.
    """

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        self.conv = conv

    @staticmethod
    def suits(conv: nn.Conv2d) -> bool:
        """Tell whether it is one that there is a kernel for: 3x3, stride 1, padding 1, channels that 16 divides, and nothing else."""
        same = (conv.kernel_size, conv.stride, conv.padding, conv.dilation) == ((3, 3), _ONE, _ONE, _ONE)
        plain = conv.groups == 1 and conv.bias is None and conv.padding_mode == "zeros"
        return same and plain and conv.in_channels % 16 == 0 and conv.out_channels % 16 == 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self._fits(x):
            return cast(torch.Tensor, self.conv(x))
        return cast(torch.Tensor, _Convolution.apply(x.contiguous(memory_format=_LAYOUT), self.conv.weight))

    def _fits(self, x: torch.Tensor) -> bool:
        weight, (height, width) = self.conv.weight, x.shape[2:]
        return (
            torch.is_grad_enabled()
            and x.device.type == "cpu"
            and x.dtype == torch.bfloat16
            and weight.dtype == torch.float32
            and weight.is_contiguous(memory_format=_LAYOUT)
            and width % 2 == 0
            and height * width % 32 == 0
            and torch.is_autocast_enabled("cpu")
            and build.has_amx()
        )
