"""Nets of other repositories, re-implemented here in few lines, apart from what recognises and converts them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class _Block(nn.Module):
    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.changes = stride != 1 or before != after

    def beside(self, x):
        """What is added to the residual branch."""
        raise NotImplementedError

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.beside(x))


def _projection(before, after, stride):
    return nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))


class _PaddedBlock(_Block):
    """Option A with the zeros on both sides."""

    def beside(self, x):
        if not self.changes:
            return x
        missing = self.conv1.out_channels - self.conv1.in_channels
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, missing // 2, missing // 2))


class _PlainBlock(_Block):
    def beside(self, x):
        return torch.zeros(())


class _ShortcutBlock(_Block):
    """Option B, called ``shortcut``."""

    def __init__(self, before, after, stride):
        super().__init__(before, after, stride)
        self.shortcut = _projection(before, after, stride) if self.changes else nn.Sequential()

    def beside(self, x):
        return self.shortcut(x)


class _EverywhereBlock(_ShortcutBlock):
    """Option C, called ``shortcut``."""

    def __init__(self, before, after, stride):
        super().__init__(before, after, stride)
        self.shortcut = _projection(before, after, stride)


class _DownsampleBlock(_Block):
    """Option B, called ``downsample``, and only there where it is needed."""

    def __init__(self, before, after, stride):
        super().__init__(before, after, stride)
        if self.changes:
            self.downsample = _projection(before, after, stride)

    def beside(self, x):
        return self.downsample(x) if self.changes else x


class _Net(nn.Module):
    classifier = ""

    def __init__(self, block, depth: int, width: int, num_classes: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        before = width
        for stage, stride in ((1, 1), (2, 2), (3, 2)):
            blocks = []
            for index in range((depth - 2) // 6):
                after = width * 2 ** (stage - 1)
                blocks.append(block(before, after, stride if index == 0 else 1))
                before = after
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        setattr(self, self.classifier, nn.Linear(before, num_classes))

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return getattr(self, self.classifier)(x.mean((2, 3)))


class Akamaster(_Net):
    """akamaster/pytorch_resnet_cifar10; ``none`` and ``C`` as its users have changed it."""

    classifier = "linear"

    def __init__(self, depth=20, option="A", width=16, num_classes=10):
        blocks = {"A": _PaddedBlock, "none": _PlainBlock, "B": _ShortcutBlock, "C": _EverywhereBlock}
        super().__init__(blocks[option], depth, width, num_classes)


class Chenyaofo(_Net):
    """chenyaofo/pytorch-cifar-models."""

    classifier = "fc"

    def __init__(self, depth=20, num_classes=10, width=16):
        super().__init__(_DownsampleBlock, depth, width, num_classes)


def randomized(net: nn.Module, seed: int = 0) -> nn.Module:
    """``net`` in evaluation mode with weights and BN statistics of which none is another's: each of them has to arrive."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.copy_(0.5 + torch.rand(module.weight.shape, generator=generator))
                module.bias.copy_(0.2 * torch.randn(module.bias.shape, generator=generator))
                module.running_mean.copy_(0.2 * torch.randn(module.bias.shape, generator=generator))
                module.running_var.copy_(0.5 + torch.rand(module.bias.shape, generator=generator))
                module.num_batches_tracked.fill_(7)
            elif isinstance(module, (nn.Conv2d, nn.Linear)):
                scale = (2 / module.weight[0].numel()) ** 0.5
                module.weight.copy_(scale * torch.randn(module.weight.shape, generator=generator))
                if module.bias is not None:
                    module.bias.copy_(torch.randn(module.bias.shape, generator=generator))
    return net.eval()


def shapes(net: nn.Module) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of its state_dict."""
    return {key: tuple(tensor.shape) for key, tensor in net.state_dict().items()}
