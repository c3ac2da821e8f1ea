"""Nets of other repositories for CIFAR are recognised, and give the same outputs once they are converted."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from resnet_core.architectures import parse
from resnet_core.imports.recognition import recognize
from tests.imports_cifar_nets import (
    AndreasveitDenseNet,
    KuangliuGoogLeNet,
    KuangliuResNet,
    KuangliuVGG,
    XternalzWideResNet,
    torchvisions_for_small_images,
)
from tests.imports_nets import randomized, shapes
from tests.test_imports_conversion import assert_same_function, converted

SMALL = {
    "ResNet-18-w4-CIFAR": lambda: KuangliuResNet(width=4),
    "ResNet-50-w4-c7-CIFAR": lambda: KuangliuResNet((3, 4, 6, 3), True, 4, 7),
    "VGG-11-CIFAR": lambda: KuangliuVGG((1, 1, 2, 2, 2)),
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
    "VGG-19-c100-CIFAR": lambda: KuangliuVGG((2, 2, 4, 4, 4), 100),
    "WRN-28-10": lambda: XternalzWideResNet(28, 10),
    "DenseNet-BC-190-k40": lambda: AndreasveitDenseNet(190, 40),
}
LAYOUTS = {"ResNet": "kuangliu", "VGG": "kuangliu", "GoogLeNet": "kuangliu", "WRN": "xternalz", "DenseNet": "andreasveit"}


@pytest.mark.parametrize("name", [*SMALL, *LARGE])
def test_they_are_recognised(name):
    with torch.device("meta"):
        given = shapes((SMALL | LARGE)[name]())
    found = recognize({f"module.{key}": shape for key, shape in given.items()})  # those of kuangliu were trained with DataParallel
    assert (found.model, found.layout) == (parse(name), LAYOUTS[name.partition("-")[0]])
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
