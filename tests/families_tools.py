"""What tests of families share."""

from __future__ import annotations

import torch
from torch import nn

#: The smallest nets of the families that are made for 32x32 images.
SMALLEST = {
    "resnet": "ResNet-8-w4",
    "resnet_cifar": "ResNet-10-w4-1.1.1.1-CIFAR",
    "wide_resnet": "WRN-10-1",
    "resnext": "ResNeXt-11-2x4d",
    "densenet": "DenseNet-7-k4",
    "densenet_cifar": "DenseNet-121-k2-CIFAR",
    "highway": "Highway-8-w4",
    "highway_19": "Highway-19",
    "alexnet_cifar": "AlexNet-CIFAR",
    "alexnet_figure1": "AlexNet-Figure1",
    "vgg_cifar": "VGG-11-CIFAR",
    "googlenet_cifar": "GoogLeNet-CIFAR",
}


def random_statistics(model: nn.Module) -> nn.Module:
    """BN whose weights and statistics are not those of the start: each of them must arrive."""
    generator = torch.Generator().manual_seed(9)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.weight, 0.5, 1.0), (module.bias, -0.2, 0.2), (module.running_mean, -0.2, 0.2), (module.running_var, 0.5, 1.5),
            ):  # fmt: skip
                nn.init.uniform_(tensor, low, high, generator=generator)
    return model
