"""A net in the form that is trained on a CPU: batch normalisation takes the addition and the ReLU that follow it along.

Between two convolutions torch reads or writes a layer's values five to eight times forwards and eight to eleven times backwards, which
takes longer than the convolutions. In one step it is three or four times, and four to eight (docs/SPEED.md).

>>> form = fused(training_form(net))  # the same parameters and buffers: what trains the one trains the other
"""

from __future__ import annotations

import operator
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.autograd.function import once_differentiable

from resnet_core.architectures.modules import Concatenation, SideBySide, Sum, ZeroPadding
from resnet_core.architectures.net import Block, Net, WithAuxiliary
from resnet_core.kernels import build
from resnet_core.kernels.convolution import Convolution

_LAYOUT = torch.channels_last
#: Values that are computed at a time: the channels are to be a multiple of it.
_WIDTH = 16


class _NormJoinReLU(torch.autograd.Function):
    """BN by the statistics of the batch; plus the residual, where there is one; through a ReLU, where there is one.

    Its output comes twice, for two readers: their gradients are then added on the way, not in a pass of its own. Of either it is known
    whether its gradient is nobody else's: then its memory, which is in the cache, is written over.
    """

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, residual: torch.Tensor | None, weight: torch.Tensor, bias: torch.Tensor, step: NormJoinReLU
    ) -> tuple[torch.Tensor, torch.Tensor]:
        norm, relu = step.norm, step.relu
        y, (mean, rstd) = torch.empty_like(x), torch.empty(2, x.shape[1], dtype=torch.float32)
        running = norm.running_mean, norm.running_var
        _call("forward", x, x, residual, weight, bias, *running, norm.momentum, norm.eps, relu, y, mean, rstd)
        ctx.relu, ctx.owned, ctx.joins = relu, step.owned, residual is not None
        ctx.save_for_backward(x, y if relu and ctx.joins else None, weight, bias, mean, rstd)
        ctx.set_materialize_grads(False)
        return y, y.view_as(y)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        x, y, weight, bias, mean, rstd = ctx.saved_tensors
        given = [(one.contiguous(memory_format=_LAYOUT), own) for one, own in zip(gradients, ctx.owned, strict=True) if one is not None]
        if not given:
            return (None,) * 5
        gradient, own = given[0]
        also, own_also = given[1] if len(given) > 1 else (None, False)
        if y is not None:
            inner = also if own_also else torch.empty_like(x)
        else:  # nothing holds the residual's gradient up; what it gets is not to be written over
            inner, own = gradient if also is None else gradient + also, own and not ctx.joins
        dx = gradient if own else torch.empty_like(x)
        dweight, dbias = torch.empty_like(weight), torch.empty_like(bias)
        kept = None if y is None else inner
        _call("backward", x, gradient, also, x, y, weight, bias, mean, rstd, ctx.relu, kept, dx, dweight, dbias)
        return dx, inner if ctx.joins else None, dweight, dbias, None


def _call(name: str, like: torch.Tensor, *arguments: Any) -> None:
    function = getattr(build.library(), f"{name}_{str(like.dtype).removeprefix('torch.')}")
    channels = like.shape[1]
    values = [one.data_ptr() if isinstance(one, torch.Tensor) else one for one in arguments]
    function(like.numel() // channels, channels, torch.get_num_threads(), *values)


class _Thinned(torch.autograd.Function):
    """Every ``stride``-th pixel, and zeros for the new channels, as ``ZeroPadding``; the gradient lies in memory as the input does."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, stride: int, new_channels: int) -> torch.Tensor:
        ctx.shape, ctx.stride = x.shape, stride
        return F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, 0, new_channels))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        whole = torch.empty(ctx.shape, dtype=gradients[0].dtype, device=gradients[0].device, memory_format=_LAYOUT).zero_()
        whole[:, :, :: ctx.stride, :: ctx.stride] = gradients[0][:, : ctx.shape[1]]
        return whole, None, None


class Thinning(nn.Module):
    """Option A's padding in the training form: (B, C, H, W) -> (B, C + new_channels, ceil(H / stride), ceil(W / stride))."""

    def __init__(self, padding: ZeroPadding):
        super().__init__()
        self.stride, self.new_channels = padding.stride, padding.new_channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, _Thinned.apply(x, self.stride, self.new_channels))


class NormJoinReLU(nn.Module):
    """BN, the addition of a residual where one is given, and a ReLU or none: (B, C, H, W) -> two of (B, C, H, W), for two readers.

    Where the kernels do not fit (in evaluation, a graphics card, another layout or precision, channels that 16 does not divide), torch's
    own functions do the same. Hooks on the net's own ReLU, or on what adds, are not called in this form.
    """

    def __init__(self, norm: nn.BatchNorm2d, relu: bool):
        super().__init__()
        self.norm, self.relu, self.owned = norm, relu, [False, False]

    def forward(self, x: torch.Tensor, residual: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        norm = self.norm
        if not (self._fits(x) and (residual is None or (residual.dtype == x.dtype and residual.shape == x.shape))):
            y: torch.Tensor = norm(x)
            y = y if residual is None else y + residual
            y = F.relu(y) if self.relu else y
            return y, y
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked.add_(1)
        x = x.contiguous(memory_format=_LAYOUT)
        residual = None if residual is None else residual.contiguous(memory_format=_LAYOUT)
        found: tuple[torch.Tensor, torch.Tensor] = _NormJoinReLU.apply(x, residual, norm.weight, norm.bias, self)
        return found

    def _fits(self, x: torch.Tensor) -> bool:
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
            and x.shape[1] % _WIDTH == 0
            and x.numel() > x.shape[1]
        )


class _Tracer(fx.Tracer):
    """Follows the calls of a net down to the modules that compute something; what these do with their input is their own affair."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not isinstance(m, (Net, Block, WithAuxiliary, nn.Sequential, Sum, Concatenation, SideBySide))


def fused(form: nn.Module, amx: bool = False) -> nn.Module:
    """Give a module that computes what ``form`` does with these steps put together; it has the same parameters and buffers.

    Args:
        amx: the gradients of the weights of 3x3 convolutions are computed by AMX where it can be.

    Returns:
        ``form`` itself where nothing is to be put together.
    """
    graph = _Tracer().trace(form)
    module = fx.GraphModule(form, graph)
    placed, steps = 0, list[tuple[NormJoinReLU, int, fx.Node]]()

    def place(new: nn.Module, at: fx.Node, arguments: tuple[Any, ...]) -> fx.Node:
        nonlocal placed
        name, placed = f"fused_{placed}", placed + 1
        module.add_submodule(name, new)
        with graph.inserting_before(at):
            return graph.call_module(name, arguments)

    def is_call(node: fx.Node | None, *kind: type[nn.Module]) -> bool:
        return node is not None and node.op == "call_module" and isinstance(module.get_submodule(str(node.target)), kind)

    for node in list(graph.nodes):
        if is_call(node, ZeroPadding):
            padding = cast(ZeroPadding, module.get_submodule(str(node.target)))
            node.replace_all_uses_with(place(Thinning(padding), node, node.args))
        if amx and is_call(node, nn.Conv2d) and Convolution.suits(conv := cast(nn.Conv2d, module.get_submodule(str(node.target)))):
            node.replace_all_uses_with(place(Convolution(conv), node, node.args))
        if not is_call(node, nn.BatchNorm2d):
            continue
        last, arguments = node, node.args
        joined = _only_user(last)
        if joined is not None and joined.target is operator.add and len(set(joined.all_input_nodes)) == 2:
            arguments = (*arguments, next(one for one in joined.all_input_nodes if one is not last))
            last = joined
        after = _only_user(last)
        relu = is_call(after, nn.ReLU)
        last = after if relu and after is not None else last
        step = NormJoinReLU(cast(nn.BatchNorm2d, module.get_submodule(str(node.target))), relu)
        pair = place(step, last, arguments)
        readers = list(last.users)
        with graph.inserting_before(last):
            for number, of in ((0, readers[::2]), (1, readers[1::2])):
                if of:
                    one = graph.call_function(operator.getitem, (pair, number))
                    steps.append((step, number, one))
                    for reader in of:
                        reader.replace_input_with(last, one)
    for step, number, one in steps:
        step.owned[number] = is_call(_only_user(one), nn.Conv2d, Convolution)  # which makes the gradient of its input anew, for nobody else
    if not placed:
        return form
    graph.eliminate_dead_code()
    module.delete_all_unused_submodules()
    module.recompile()
    return module


def _only_user(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None
