"""A net in the form that is trained on a CPU: batch normalisation takes the addition and the ReLU that follow it along.

Between two convolutions torch reads or writes a layer's values five to eight times forwards and eight to eleven times backwards, which
takes longer than the convolutions. In one step it is three or four times, and four to eight (docs/SPEED.md).

>>> form = fused(training_form(net))  # the same parameters and buffers: what trains the one trains the other
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.autograd.function import once_differentiable

from resnet_core.architectures.modules import Concatenation, SideBySide, Sum, ZeroPadding
from resnet_core.architectures.net import Block, Net, WithAuxiliary
from resnet_core.kernels.convolution import Convolution, NormConvolution
from resnet_core.kernels.norm import LAYOUT, NormJoinReLU

M = TypeVar("M", bound=nn.Module)


class _Thinned(torch.autograd.Function):
    """Every ``stride``-th pixel, and zeros for the new channels, as ``ZeroPadding``; the gradient lies in memory as the input does."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, stride: int, new_channels: int) -> torch.Tensor:
        ctx.shape, ctx.stride = x.shape, stride
        return F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, 0, new_channels))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        whole = torch.empty(ctx.shape, dtype=gradients[0].dtype, device=gradients[0].device, memory_format=LAYOUT).zero_()
        whole[:, :, :: ctx.stride, :: ctx.stride] = gradients[0][:, : ctx.shape[1]]
        return whole, None, None


class Thinning(nn.Module):
    """Option A's padding in the training form: (B, C, H, W) -> (B, C + new_channels, ceil(H / stride), ceil(W / stride))."""

    def __init__(self, padding: ZeroPadding):
        super().__init__()
        self.stride, self.new_channels = padding.stride, padding.new_channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, _Thinned.apply(x, self.stride, self.new_channels))


class _Tracer(fx.Tracer):
    """Follows the calls of a net down to the modules that compute something; what these do with their input is their own affair."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not isinstance(m, (Net, Block, WithAuxiliary, nn.Sequential, Sum, Concatenation, SideBySide))


def fused(form: nn.Module, amx: bool = False) -> nn.Module:
    """Give a module that computes what ``form`` does with these steps put together; it has the same parameters and buffers.

    Args:
        amx: 3x3 convolutions are computed by AMX, and what stands in front of them with them, where it can be.

    Returns:
        ``form`` itself where nothing is to be put together.
    """
    graph = _Graph(form)
    for node in list(graph.nodes):
        if padding := graph.module_of(node, ZeroPadding):
            node.replace_all_uses_with(graph.placed(Thinning(padding), node, node.args))
        elif norm := graph.module_of(node, nn.BatchNorm2d):
            graph.join(node, norm)
    graph.tidy()
    if amx:
        for node in list(graph.nodes):
            graph.take_moments(node)
            if (conv := graph.module_of(node, nn.Conv2d)) and Convolution.suits(conv):
                graph.convolve(node, conv)
    return graph.result()


class _Graph:
    """The calls of a net, which are put together step by step."""

    def __init__(self, form: nn.Module):
        self.form, self.graph = form, _Tracer().trace(form)
        self.module = fx.GraphModule(form, self.graph)
        self.count = 0
        #: Of each convolution's output its moments.
        self.moments = dict[fx.Node, fx.Node]()

    @property
    def nodes(self) -> Iterable[fx.Node]:
        return self.graph.nodes

    def module_of(self, node: fx.Node | None, *kind: type[M]) -> M | None:
        """The module of one of these kinds that is called there, if it is."""
        found = self.module.get_submodule(str(node.target)) if node is not None and node.op == "call_module" else None
        return found if isinstance(found, kind) else None

    def tidy(self) -> None:
        """Forget the calls whose results nobody reads."""
        self.graph.eliminate_dead_code()

    def placed(self, new: nn.Module, at: fx.Node, arguments: tuple[Any, ...], keywords: dict[str, Any] | None = None) -> fx.Node:
        name, self.count = f"fused_{self.count}", self.count + 1
        self.module.add_submodule(name, new)
        with self.graph.inserting_before(at):
            return self.graph.call_module(name, arguments, keywords)

    def part(self, whole: fx.Node, number: int, at: fx.Node) -> fx.Node:
        with self.graph.inserting_before(at):
            return self.graph.call_function(operator.getitem, (whole, number))

    def join(self, node: fx.Node, norm: nn.BatchNorm2d) -> None:
        """BN, with the addition and the ReLU that follow it."""
        last, arguments = node, node.args
        joined = _only_user(last)
        if joined is not None and joined.target is operator.add and len(set(joined.all_input_nodes)) == 2:
            arguments = (*arguments, next(one for one in joined.all_input_nodes if one is not last))
            last = joined
        after = _only_user(last)
        relu = self.module_of(after, nn.ReLU) is not None
        last = after if relu and after is not None else last
        pair = self.placed(NormJoinReLU(norm, relu), last, arguments)
        readers = list(last.users)
        for number, of in ((0, readers[::2]), (1, readers[1::2])):
            if of:
                one = self.part(pair, number, last)
                for reader in of:
                    reader.replace_input_with(last, one)

    def take_moments(self, node: fx.Node) -> None:
        """What normalises the output of a convolution that gives its moments need not compute them."""
        if self.module_of(node, NormJoinReLU) and node.args[0] in self.moments:
            node.update_kwarg("moments", self.moments[cast(fx.Node, node.args[0])])

    def convolve(self, node: fx.Node, conv: nn.Conv2d) -> None:
        """A convolution, with the BN, addition and ReLU in front of it, unless another convolution has taken these."""
        source = node.all_input_nodes[0]
        before = source.all_input_nodes[0] if source.target is operator.getitem else None
        new: nn.Module = Convolution(conv)
        if before is not None and (step := self.module_of(before, NormJoinReLU)):
            outputs = list(before.users)
            others = [(one, reader) for one in outputs for reader in one.users if reader is not node]
            new = NormConvolution(step, cast(Convolution, new), wanted=bool(others))
            whole = self.placed(new, before, before.args, before.kwargs)
            z, moments, y = (self.part(whole, number, before) for number in range(3))
            for one, reader in others:
                reader.replace_input_with(one, y)
            replaced = [node, *outputs, before]
        else:
            whole = self.placed(new, node, node.args)
            z, moments = (self.part(whole, number, node) for number in range(2))
            replaced = [node]
        node.replace_all_uses_with(z)
        for one in replaced:
            self.graph.erase_node(one)
        self.moments[z] = moments

    def result(self) -> nn.Module:
        if not self.count:
            return self.form
        self.tidy()
        for node in self.nodes:
            if step := self.module_of(node, NormJoinReLU):
                for one in node.users:  # a convolution makes the gradient of its input anew, for nobody else
                    step.owned[cast(int, one.args[1])] = self.module_of(_only_user(one), nn.Conv2d, Convolution) is not None
        self.module.delete_all_unused_submodules()
        self.module.recompile()
        return self.module


def _only_user(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None
