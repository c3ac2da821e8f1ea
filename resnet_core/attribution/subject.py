"""A net as attribution sees it: a function of pixels, on modules that nobody else has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import nn

from resnet_core.activations import ShouldStop, check_stop
from resnet_core.architectures.net import Net
from resnet_core.nets.loading import LoadedNet, resized


class Subject(nn.Module):
    """Pixels in [0, 1] -> logits, in evaluation mode and fp32: the normalisation is a part of the net.

    So gradients, baselines and perturbations are in units of pixel / 255 whatever a net was trained with, and nets can be compared.

    Its modules are new ones; what Captum hooks is neither the caller's model nor another viewer's. Each BN is folded into its convolution
    (in evaluation mode both are linear): the same function up to rounding, a fifth faster. No weight requires a gradient.

    Shapes: (N, 3, side, side) -> (N, classes).
    """

    mean: torch.Tensor
    std: torch.Tensor | None

    def __init__(self, loaded: LoadedNet, weights: Mapping[str, torch.Tensor] | None = None, should_stop: ShouldStop | None = None):
        """Args:
        weights: a state_dict instead of the net's own.
        should_stop: asked before each pass, which raises Stopped if it says so.
        """
        super().__init__()
        source = loaded.model
        with torch.device("meta"):
            net = type(source)(source.config)
        net.side = source.side
        # Not a copy: folding makes new weights, and the classifier's are only read.
        net.load_state_dict(source.state_dict() if weights is None else weights, assign=True)
        fold_batch_norm(net)
        self.net = net
        self.register_buffer("mean", loaded.mean)
        self.register_buffer("std", loaded.std)
        self.eval().requires_grad_(False)
        #: Called before each pass with the images in it; what it raises ends the computation.
        self.watch: Callable[[int], None] = lambda images: check_stop(should_stop)

    @property
    def config(self) -> Any:
        return self.net.config

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.watch(len(x))
        x = x - self.mean
        if self.std is not None:
            x = x / self.std
        return self.net(x.contiguous(memory_format=torch.channels_last))

    def pixels(self, image: torch.Tensor) -> torch.Tensor:
        """uint8 (3, H, W) or (N, 3, H, W), anywhere -> float32 (N, 3, side, side) in [0, 1] on the device."""
        batch = image if image.dim() == 4 else image[None]
        return resized(batch.to(self.mean.device), self.net.side).contiguous(memory_format=torch.channels_last).float() / 255

    def baseline(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """(1, 3, H, W): what counts as nothing. ``mean``: the mean that is subtracted, so the normalised input is zero; or ``black``."""
        return torch.zeros_like(x[:1]) if name == "black" else self.mean.expand_as(x[:1])


@torch.no_grad()
def fold_batch_norm(net: Net) -> None:
    """Fold each BN into the convolution before it, in place, and leave the identity in its place: for evaluation mode only."""
    for names in net.plan.folds:
        conv, bn = cast(nn.Conv2d, net.get_submodule(names[0])), cast(nn.BatchNorm2d, net.get_submodule(names[1]))
        assert bn.running_var is not None and bn.running_mean is not None
        scale = bn.weight * torch.rsqrt(bn.running_var + bn.eps)
        weight, bias = conv.weight * scale[:, None, None, None], 0.0 if conv.bias is None else conv.bias
        conv.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last), requires_grad=False)
        conv.bias = nn.Parameter(bn.bias + (bias - bn.running_mean) * scale, requires_grad=False)
        net.set_submodule(names[1], nn.Identity())
