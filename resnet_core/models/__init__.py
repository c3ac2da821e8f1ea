"""The nets. ``build_model`` makes one from its configuration; nothing here knows how it will be trained or shown."""

from resnet_core.models.blocks import BasicBlock, Block, Bottleneck
from resnet_core.models.cifar import CifarResNet, build_model, named_blocks, response_layers
from resnet_core.models.imagenet import ImageNetResNet
from resnet_core.models.shortcuts import Projection, ZeroPad

__all__ = [
    "BasicBlock",
    "Block",
    "Bottleneck",
    "CifarResNet",
    "ImageNetResNet",
    "Projection",
    "ZeroPad",
    "build_model",
    "named_blocks",
    "response_layers",
]
