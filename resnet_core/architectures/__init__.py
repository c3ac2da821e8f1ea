"""What a net is: families, configurations, and the one description that everything else reads. Without torch; ``net`` builds modules."""

from resnet_core.architectures.base import Family, Field, ModelConfig
from resnet_core.architectures.registry import FAMILIES, LAYOUTS, changed, from_dict, parse, presets, register, to_dict
from resnet_core.architectures.resnet import ResNetConfig
from resnet_core.architectures.resnet_imagenet import ImageNetConfig

__all__ = [
    "FAMILIES", "LAYOUTS", "Family", "Field", "ImageNetConfig", "ModelConfig", "ResNetConfig", "changed", "from_dict", "parse", "presets",
    "register", "to_dict",
]  # fmt: skip
