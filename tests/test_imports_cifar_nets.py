"""Nets of other repositories for CIFAR are recognised, and give the same outputs once they are converted."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from resnet_core.architectures import parse
from resnet_core.imports.recognition import recognize
from tests.imports_cifar_nets import (
    AndreasveitDenseNet,
    ChenyaofoVGG,
    KuangliuDenseNet,
    KuangliuGoogLeNet,
    KuangliuPreActResNet,
    KuangliuResNet,
    KuangliuResNeXt,
    KuangliuVGG,
    XternalzWideResNet,
    torchvisions_for_small_images,
)
from tests.imports_nets import randomized, shapes
from tests.test_imports_conversion import assert_same_function, converted

SMALL = {
    "ResNet-18-w4-CIFAR": lambda: KuangliuResNet(width=4),
    "ResNet-50-w4-c7-CIFAR": lambda: KuangliuResNet((3, 4, 6, 3), True, 4, 7),
    "ResNet-18-w4-barepreact-CIFAR": lambda: KuangliuPreActResNet(width=4),
    "ResNet-50-w4-barepreact-c7-CIFAR": lambda: KuangliuPreActResNet((3, 4, 6, 3), True, 4, 7),
    "VGG-11-CIFAR": lambda: KuangliuVGG((1, 1, 2, 2, 2)),
    "VGG-11-h512-d50-CIFAR": lambda: ChenyaofoVGG((1, 1, 2, 2, 2)),
    "ResNeXt-29-2x64d-double": KuangliuResNeXt,
    "ResNeXt-11-32x2d-double-c7": lambda: KuangliuResNeXt(32, 2, 1, 7),
    "DenseNet-121-k12-CIFAR": KuangliuDenseNet,
    "GoogLeNet-CIFAR": KuangliuGoogLeNet,
    "WRN-16-1": XternalzWideResNet,
    "WRN-22-2-c100": lambda: XternalzWideResNet(22, 2, 100),
    "DenseNet-BC-40-k12": AndreasveitDenseNet,
    "DenseNet-BC-22-k6-c7": lambda: AndreasveitDenseNet(22, 6, 7),
}
LARGE = {
    "ResNet-18-CIFAR": KuangliuResNet,
    "ResNet-34-CIFAR": lambda: KuangliuResNet((3, 4, 6, 3)),
    "ResNet-152-c100-CIFAR": lambda: KuangliuResNet((3, 8, 36, 3), True, num_classes=100),
    "ResNet-18-barepreact-CIFAR": KuangliuPreActResNet,
    "ResNet-152-barepreact-CIFAR": lambda: KuangliuPreActResNet((3, 8, 36, 3), True),
    "VGG-19-c100-CIFAR": lambda: KuangliuVGG((2, 2, 4, 4, 4), 100),
    "VGG-19-h512-d50-c100-CIFAR": lambda: ChenyaofoVGG((2, 2, 4, 4, 4), 100),
    "ResNeXt-29-4x64d-double": lambda: KuangliuResNeXt(4),
    "ResNeXt-29-8x64d-double": lambda: KuangliuResNeXt(8),
    "ResNeXt-29-32x4d-double": lambda: KuangliuResNeXt(32, 4),
    "DenseNet-161-CIFAR": lambda: KuangliuDenseNet((6, 12, 36, 24), 48),
    "DenseNet-201-CIFAR": lambda: KuangliuDenseNet((6, 12, 48, 32), 32),
    "WRN-28-10": lambda: XternalzWideResNet(28, 10),
    "DenseNet-BC-190-k40": lambda: AndreasveitDenseNet(190, 40),
}
OTHERS = {"WRN": "xternalz", "DenseNet-BC": "andreasveit", "VGG-11-h512": "chenyaofo", "VGG-19-h512": "chenyaofo"}


@pytest.mark.parametrize("name", [*SMALL, *LARGE])
def test_they_are_recognised(name):
    with torch.device("meta"):
        given = shapes((SMALL | LARGE)[name]())
    found = recognize({f"module.{key}": shape for key, shape in given.items()})  # those of kuangliu were trained with DataParallel
    layout = next((layout for head, layout in OTHERS.items() if name.startswith(head)), "kuangliu")
    assert (found.model, found.layout) == (parse(name), layout)
    assert len(found.shortcuts) == 1 and len(found.notes) == 1


@pytest.mark.parametrize("name, num_classes", [("resnet18", 10), ("resnet50", 100)])
def test_torchvisions_with_another_first_convolution_says_what_it_was_taken_for(name, num_classes):
    with torch.device("meta"):
        found = recognize(shapes(torchvisions_for_small_images(name, num_classes)))
    config = parse(f"ResNet-{name.removeprefix('resnet')}-CIFAR")
    assert (found.model, found.layout) == (dataclasses.replace(config, num_classes=num_classes), "torchvision-3x3")
    (note,) = found.notes
    assert "taken to have no stride, and no pooling" in note


def test_torchvisions_with_another_first_convolution_computes_the_same():
    net = randomized(torchvisions_for_small_images("resnet18"))
    ours, _ = converted(net)
    assert_same_function(ours, net)


@pytest.mark.parametrize("name", SMALL)
def test_they_compute_the_same(name):
    net = randomized(SMALL[name]())
    ours, _ = converted(net)
    assert_same_function(ours, net)
