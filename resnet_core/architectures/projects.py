"""How other projects call the tensors of nets that are described here: the layouts that the families declare."""

from __future__ import annotations

from typing import Any

from resnet_core.architectures.layouts import Layout, Names

#: How files call the first convolution and its BN, if not conv1 and bn1.
STEMS: tuple[Names, ...] = tuple(
    (("conv1", conv), ("bn1", bn))
    for conv, bn in (("conv", "bn"), ("conv0", "bn0"), ("stem.0", "stem.1"), ("stem.conv", "stem.bn"), ("stem.conv1", "stem.bn1"))
)
AKAMASTER, CHENYAOFO, TORCHVISION = "akamaster/pytorch_resnet_cifar10", "chenyaofo/pytorch-cifar-models", "torchvision"


def _projections(name: str) -> Names:
    """The projection of a block as a row of a convolution and its BN."""
    return (("layer{}.{}.shortcut.conv", f"layer{{}}.{{}}.{name}.0"), ("layer{}.{}.shortcut.bn", f"layer{{}}.{{}}.{name}.1"))


def _stride_unclear(config: Any) -> str:
    if config.block == "basic":
        return ""
    return (
        "It is a CIFAR ResNet of bottlenecks in another project's layout. Their stride may be in the first 1x1 or in the 3x3 convolution, "
        "and nothing in the file tells which."
    )


CIFAR_RESNETS = (
    Layout("akamaster", AKAMASTER, (*_projections("shortcut"), ("fc", "linear")), likely="A-both", unclear=_stride_unclear),
    Layout(
        "chenyaofo", CHENYAOFO, _projections("downsample"), normalization="cifar10-short-std", by_classes={100: "cifar100"},
        unclear=_stride_unclear,
    ),
)  # fmt: skip
IMAGENET_RESNETS = (Layout("torchvision", TORCHVISION, _projections("downsample")),)
