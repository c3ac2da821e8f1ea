"""More nets of other repositories for CIFAR, re-implemented here in few lines under their names."""

from __future__ import annotations

import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from tests.imports_nets import _projection


class _Kuangliu(nn.Module):
    """A block of kuangliu/pytorch-cifar's resnet.py: basic, or a bottleneck whose 3x3 has the stride."""

    def __init__(self, before: int, inner: int, stride: int, bottleneck: bool):
        super().__init__()
        after = 4 * inner if bottleneck else inner
        kernels = ((1, before, inner, 1), (3, inner, inner, stride), (1, inner, after, 1))
        if not bottleneck:
            kernels = ((3, before, inner, stride), (3, inner, inner, 1))
        for number, (kernel, channels, filters, step) in enumerate(kernels, start=1):
            setattr(self, f"conv{number}", nn.Conv2d(channels, filters, kernel, step, kernel // 2, bias=False))
            setattr(self, f"bn{number}", nn.BatchNorm2d(filters))
        self.last = len(kernels)
        self.shortcut = _projection(before, after, stride) if stride != 1 or before != after else nn.Sequential()

    def forward(self, x):
        y = x
        for number in range(1, self.last + 1):
            y = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(y))
            y = F.relu(y) if number < self.last else y
        return F.relu(y + self.shortcut(x))


class KuangliuResNet(nn.Module):
    def __init__(self, counts=(2, 2, 2, 2), bottleneck=False, width=64, num_classes=10):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        before = width
        for stage, count in enumerate(counts):
            inner, blocks = width * 2**stage, []
            for index in range(count):
                blocks.append(_Kuangliu(before, inner, 2 if stage and not index else 1, bottleneck))
                before = 4 * inner if bottleneck else inner
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(before, num_classes)

    def forward(self, x):
        x = self.layer4(self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x)))))))
        return self.linear(F.avg_pool2d(x, 4).flatten(1))


def torchvisions_for_small_images(name: str, num_classes: int = 10) -> nn.Module:
    """As in many notebooks: torchvision's net with a first convolution of 3x3 and without its pooling."""
    net = torchvision.models.get_model(name, num_classes=num_classes)
    net.conv1, net.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    return net


def _convolution(before, after, kernel, padding=0):
    return nn.Conv2d(before, after, kernel, padding=padding), nn.BatchNorm2d(after), nn.ReLU()


class KuangliuVGG(nn.Module):
    def __init__(self, stages, num_classes=10):
        super().__init__()
        rows, before = [], 3
        for after, count in zip((64, 128, 256, 512, 512), stages, strict=True):
            for _ in range(count):
                rows += _convolution(before, after, 3, 1)
                before = after
            rows.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*rows, nn.AvgPool2d(1, 1))
        self.classifier = nn.Linear(512, num_classes)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class _Inception(nn.Module):
    def __init__(self, before, one, before3, three, before5, five, pooled):
        super().__init__()
        self.b1 = nn.Sequential(*_convolution(before, one, 1))
        self.b2 = nn.Sequential(*_convolution(before, before3, 1), *_convolution(before3, three, 3, 1))
        self.b3 = nn.Sequential(*_convolution(before, before5, 1), *_convolution(before5, five, 3, 1), *_convolution(five, five, 3, 1))
        self.b4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), *_convolution(before, pooled, 1))

    def forward(self, x):
        return torch.cat([self.b1(x), self.b2(x), self.b3(x), self.b4(x)], 1)


#: Table 1 of Szegedy et al. 2015.
_MODULES = {
    "a3": (192, 64, 96, 128, 16, 32, 32), "b3": (256, 128, 128, 192, 32, 96, 64), "a4": (480, 192, 96, 208, 16, 48, 64),
    "b4": (512, 160, 112, 224, 24, 64, 64), "c4": (512, 128, 128, 256, 24, 64, 64), "d4": (512, 112, 144, 288, 32, 64, 64),
    "e4": (528, 256, 160, 320, 32, 128, 128), "a5": (832, 256, 160, 320, 32, 128, 128), "b5": (832, 384, 192, 384, 48, 128, 128),
}  # fmt: skip


class KuangliuGoogLeNet(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.pre_layers = nn.Sequential(*_convolution(3, 192, 3, 1))
        for name, sizes in _MODULES.items():
            setattr(self, name, _Inception(*sizes))
        self.linear = nn.Linear(1024, num_classes)

    def forward(self, x):
        x = self.pre_layers(x)
        for name in _MODULES:
            x = getattr(self, name)(x)
            x = F.max_pool2d(x, 3, 2, 1) if name in ("b3", "e4") else x
        return self.linear(F.avg_pool2d(x, 8).flatten(1))


class _WideBlock(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(before), nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(after), nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.convShortcut = nn.Conv2d(before, after, 1, stride, bias=False) if before != after else None

    def forward(self, x):
        active = F.relu(self.bn1(x))
        skip = x if self.convShortcut is None else self.convShortcut(active)
        return skip + self.conv2(F.relu(self.bn2(self.conv1(active))))


class _Row(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.layer = nn.Sequential(*layers)

    def forward(self, x):
        return self.layer(x)


class XternalzWideResNet(nn.Module):
    def __init__(self, depth=16, factor=1, num_classes=10):
        super().__init__()
        self.conv1, before = nn.Conv2d(3, 16, 3, 1, 1, bias=False), 16
        for stage in (1, 2, 3):
            after = 16 * factor * 2 ** (stage - 1)
            channels = [before] + [after] * ((depth - 4) // 6 - 1)
            setattr(self, f"block{stage}", _Row(*(_WideBlock(c, after, 2 if stage > 1 and not i else 1) for i, c in enumerate(channels))))
            before = after
        self.bn1, self.fc = nn.BatchNorm2d(before), nn.Linear(before, num_classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.block3(self.block2(self.block1(self.conv1(x))))))
        return self.fc(F.avg_pool2d(x, 8).flatten(1))


class _DenseLayer(nn.Module):
    def __init__(self, before, growth):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(before), nn.Conv2d(before, 4 * growth, 1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(4 * growth), nn.Conv2d(4 * growth, growth, 3, 1, 1, bias=False)

    def forward(self, x):
        return torch.cat([x, self.conv2(F.relu(self.bn2(self.conv1(F.relu(self.bn1(x))))))], 1)


class _Transition(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(before), nn.Conv2d(before, after, 1, bias=False)

    def forward(self, x):
        return F.avg_pool2d(self.conv1(F.relu(self.bn1(x))), 2)


class AndreasveitDenseNet(nn.Module):
    """With bottlenecks and compression."""

    def __init__(self, depth=40, growth=12, num_classes=10):
        super().__init__()
        layers, channels = (depth - 4) // 6, 2 * growth
        self.conv1 = nn.Conv2d(3, channels, 3, 1, 1, bias=False)
        for stage in (1, 2, 3):
            setattr(self, f"block{stage}", _Row(*(_DenseLayer(channels + index * growth, growth) for index in range(layers))))
            channels += layers * growth
            if stage < 3:
                setattr(self, f"trans{stage}", _Transition(channels, channels // 2))
                channels //= 2
        self.bn1, self.fc = nn.BatchNorm2d(channels), nn.Linear(channels, num_classes)

    def forward(self, x):
        x = self.block3(self.trans2(self.block2(self.trans1(self.block1(self.conv1(x))))))
        return self.fc(F.avg_pool2d(F.relu(self.bn1(x)), 8).flatten(1))


class _PreActivated(nn.Module):
    """A block of its preact_resnet.py: a projection, if there is one, reads what is activated, and has no BN."""

    def __init__(self, before: int, inner: int, stride: int, bottleneck: bool):
        super().__init__()
        after = 4 * inner if bottleneck else inner
        rows = ((1, before, inner, 1), (3, inner, inner, stride), (1, inner, after, 1))
        if not bottleneck:
            rows = ((3, before, inner, stride), (3, inner, inner, 1))
        self.count = len(rows)
        for number, (kernel, channels, filters, step) in enumerate(rows, start=1):
            setattr(self, f"bn{number}", nn.BatchNorm2d(channels))
            setattr(self, f"conv{number}", nn.Conv2d(channels, filters, kernel, step, kernel // 2, bias=False))
        if stride != 1 or before != after:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False))

    def forward(self, x):
        y = F.relu(self.bn1(x))
        skip = self.shortcut(y) if hasattr(self, "shortcut") else x
        for number in range(1, self.count + 1):
            y = F.relu(getattr(self, f"bn{number}")(y)) if number > 1 else y
            y = getattr(self, f"conv{number}")(y)
        return y + skip


class KuangliuPreActResNet(nn.Module):
    """Nothing is normalised or activated behind the last block."""

    def __init__(self, counts=(2, 2, 2, 2), bottleneck=False, width=64, num_classes=10):
        super().__init__()
        self.conv1, before = nn.Conv2d(3, width, 3, 1, 1, bias=False), width
        for stage, count in enumerate(counts):
            inner, blocks = width * 2**stage, []
            for index in range(count):
                blocks.append(_PreActivated(before, inner, 2 if stage and not index else 1, bottleneck))
                before = 4 * inner if bottleneck else inner
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(before, num_classes)

    def forward(self, x):
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.conv1(x)))))
        return self.linear(F.avg_pool2d(x, 4).flatten(1))


class _Grouped(nn.Module):
    def __init__(self, before: int, inner: int, stride: int, paths: int):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, inner, 1, bias=False), nn.BatchNorm2d(inner)
        self.conv2, self.bn2 = nn.Conv2d(inner, inner, 3, stride, 1, groups=paths, bias=False), nn.BatchNorm2d(inner)
        self.conv3, self.bn3 = nn.Conv2d(inner, 2 * inner, 1, bias=False), nn.BatchNorm2d(2 * inner)
        self.shortcut = _projection(before, 2 * inner, stride) if stride != 1 or before != 2 * inner else nn.Sequential()

    def forward(self, x):
        y = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return F.relu(self.bn3(self.conv3(y)) + self.shortcut(x))


class KuangliuResNeXt(nn.Module):
    """Three stages; twice as many channels leave a block as are inside, and the first convolution is 1x1."""

    def __init__(self, paths=2, width=64, blocks=3, num_classes=10):
        super().__init__()
        self.conv1, self.bn1, before = nn.Conv2d(3, 64, 1, bias=False), nn.BatchNorm2d(64), 64
        for stage in range(3):
            inner, row = paths * width * 2**stage, []
            for index in range(blocks):
                row.append(_Grouped(before, inner, 2 if stage and not index else 1, paths))
                before = 2 * inner
            setattr(self, f"layer{stage + 1}", nn.Sequential(*row))
        self.linear = nn.Linear(before, num_classes)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(F.avg_pool2d(x, 8).flatten(1))


class _NewestFirst(_DenseLayer):
    def forward(self, x):
        before = x.shape[1]
        return super().forward(x).roll(-before, 1)


class _KuangliusTransition(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.bn, self.conv = nn.BatchNorm2d(before), nn.Conv2d(before, after, 1, bias=False)

    def forward(self, x):
        return F.avg_pool2d(self.conv(F.relu(self.bn(x))), 2)


class KuangliuDenseNet(nn.Module):
    """Four blocks; a layer's output comes before its input."""

    def __init__(self, counts=(6, 12, 24, 16), growth=12, num_classes=10):
        super().__init__()
        channels = 2 * growth
        self.conv1 = nn.Conv2d(3, channels, 3, 1, 1, bias=False)
        for stage, count in enumerate(counts, start=1):
            layers = (_NewestFirst(channels + index * growth, growth) for index in range(count))
            setattr(self, f"dense{stage}", nn.Sequential(*layers))
            channels += count * growth
            if stage < 4:
                setattr(self, f"trans{stage}", _KuangliusTransition(channels, channels // 2))
                channels //= 2
        self.bn, self.linear = nn.BatchNorm2d(channels), nn.Linear(channels, num_classes)

    def forward(self, x):
        x = self.trans3(self.dense3(self.trans2(self.dense2(self.trans1(self.dense1(self.conv1(x)))))))
        return self.linear(F.avg_pool2d(F.relu(self.bn(self.dense4(x))), 4).flatten(1))


class ChenyaofoVGG(nn.Module):
    """The convolutions of ``KuangliuVGG``, and two hidden layers of 512."""

    def __init__(self, stages, num_classes=10):
        super().__init__()
        self.features = KuangliuVGG(stages).features[:-1]
        hidden = (nn.Linear(512, 512), nn.ReLU(), nn.Dropout(), nn.Linear(512, 512), nn.ReLU(), nn.Dropout())
        self.classifier = nn.Sequential(*hidden, nn.Linear(512, num_classes))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))
