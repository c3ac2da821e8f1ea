"""What the tests of attribution share: nets of all kinds in memory, one of them trained a little, and slow references by plain autograd."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

import torch
from torch import nn

from resnet_core import data
from resnet_core.architectures import ImageNetConfig, ResNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.config import DataConfig
from resnet_core.nets import NORMALIZATIONS, Net
from resnet_core.nets.loading import LoadedNet
from resnet_core.training.plan import Plan

#: Plain, the three shortcuts, bottlenecks, another number of classes, and ImageNet's nets; each with a normalisation.
KINDS = {
    "plain": (ResNetConfig(8, "none", 4), "pixel-mean"),
    "A": (ResNetConfig(14, "A", 4), "pixel-mean"),
    "B": (ResNetConfig(8, "B", 4), "cifar10"),
    "C": (ResNetConfig(8, "C", 4), "half"),
    "bottleneck": (ResNetConfig(11, "A", 4, "bottleneck"), "none"),
    "3 classes": (ResNetConfig(8, "A", 4, num_classes=3), "cifar100"),
    "ImageNet": (ImageNetConfig((1, 2, 1, 1), width=4, num_classes=20), "imagenet"),
    "ImageNet bottleneck": (ImageNetConfig((1, 1, 1, 1), "bottleneck", width=4, num_classes=7), "imagenet"),
}
TRAINED = ResNetConfig(8, "A", 8)


def in_memory(config: Any, model: nn.Module, normalization: str = "pixel-mean") -> LoadedNet:
    """A net with images of 32x32, whatever it is made for: small, and so the tests are quick."""
    mean, std = NORMALIZATIONS[normalization].arrays()
    model.side = 32
    model = model.to(memory_format=torch.channels_last).eval()
    net = Net("here", "here", "file", config, Path("nowhere"))
    return LoadedNet(net, model, torch.from_numpy(mean), None if std is None else torch.from_numpy(std), Plan())


def made(kind: str, seed: int = 0) -> LoadedNet:
    """An untrained net of ``KINDS``, whose BN has statistics and parameters unlike those of a fresh one."""
    config, normalization = KINDS[kind]
    model = build_model(config, seed)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.0, generator=random)
                module.bias.uniform_(-0.3, 0.3, generator=random)
                module.running_mean.uniform_(-0.5, 0.5, generator=random)
                module.running_var.uniform_(0.5, 2.0, generator=random)
    return in_memory(config, model, normalization)


@functools.cache
def sample() -> data.Cifar10:
    return data.load(DataConfig())


@functools.cache
def _trained_weights() -> dict[str, torch.Tensor]:
    train = sample().train
    torch.manual_seed(0)
    model = build_model(TRAINED, 0).to(memory_format=torch.channels_last).train()
    mean = torch.from_numpy(NORMALIZATIONS["pixel-mean"].arrays()[0])
    steps = 90
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, steps)
    for _ in range(steps):
        pick = torch.randint(0, len(train), (48,))
        loss = nn.functional.cross_entropy(model(train.images[pick].float() / 255 - mean), train.labels[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.state_dict()


def trained() -> LoadedNet:
    """A copy of its own of a ResNet-8 of width 8 after 90 steps on the sample: it has learned something, and not everything."""
    model = build_model(TRAINED, 0)
    model.load_state_dict(_trained_weights())
    return in_memory(TRAINED, model)


def in_pixels(loaded: LoadedNet, image: torch.Tensor) -> torch.Tensor:
    """uint8 (3, 32, 32) -> float64 (1, 3, 32, 32) in [0, 1], a leaf that requires gradients."""
    return (image[None].double() / 255).requires_grad_()


def logits(loaded: LoadedNet, model: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """By the net's own model, BN and all, in float64."""
    x = pixels - loaded.mean.double()
    return model(x if loaded.std is None else x / loaded.std.double())


def reference(loaded: LoadedNet) -> nn.Module:
    """A copy of the net's model in float64."""
    return copy.deepcopy(loaded.model).double()


def hooks(model: nn.Module) -> int:
    """How many hooks there are on a net's modules, of any kind."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(module, kind)) for module in model.modules() for kind in kinds)


def grad_cam(loaded: LoadedNet, image: torch.Tensor, layer: str, target: int) -> torch.Tensor:
    """(side, side): Selvaraju et al. 2017, equations 1 and 2, before anything is enlarged."""
    model = reference(loaded)
    kept = []
    model.get_submodule(layer).register_forward_hook(lambda module, args, output: kept.append(output))
    score = logits(loaded, model, in_pixels(loaded, image))[0, target]
    (gradient,) = torch.autograd.grad(score, kept[0])
    maps, side = kept[0][0].detach(), gradient.shape[2]
    total = torch.zeros(side, side, dtype=torch.float64)
    for channel in range(len(maps)):
        weight = gradient[0, channel].sum() / side**2
        total += weight * maps[channel]
    return total.clamp(min=0)


def enlarged(coarse: torch.Tensor, side: int = 32) -> torch.Tensor:
    """Bilinear, pixel by pixel: a pixel's value is at its middle, and beyond the outermost middles it stays the same."""
    size = len(coarse)
    result = torch.zeros(side, side, dtype=torch.float64)
    for y in range(side):
        for x in range(side):
            places = [min(max((at + 0.5) * size / side - 0.5, 0), size - 1) for at in (y, x)]
            (top, left), (down, right) = [int(p) for p in places], [p - int(p) for p in places]
            bottom, beside = min(top + 1, size - 1), min(left + 1, size - 1)
            upper = coarse[top, left] * (1 - right) + coarse[top, beside] * right
            lower = coarse[bottom, left] * (1 - right) + coarse[bottom, beside] * right
            result[y, x] = upper * (1 - down) + lower * down
    return result


class _Guided(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(context, gradient):
        (x,) = context.saved_tensors
        return gradient * (x > 0) * (gradient > 0)


class _GuidedReLU(nn.Module):
    def forward(self, x):
        return _Guided.apply(x)


def guided_backprop(loaded: LoadedNet, image: torch.Tensor, target: int) -> torch.Tensor:
    """(3, 32, 32): Springenberg et al. 2015: the gradient; ReLUs let it pass where their input and itself are positive."""
    model = reference(loaded)
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.ReLU):
                setattr(module, name, _GuidedReLU())
    pixels = in_pixels(loaded, image)
    return torch.autograd.grad(logits(loaded, model, pixels)[0, target], pixels)[0][0]
