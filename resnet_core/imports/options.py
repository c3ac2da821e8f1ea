"""What the shortcuts of a file may be."""

from __future__ import annotations

from collections.abc import Sequence

from resnet_core.architectures import ModelConfig, ResNetConfig

#: Option A has no parameters, so no file tells on which side of the old channels it puts the new ones, which are zeros: all of them
#: behind, as here, or half on each side, as akamaster's nets do.
BEHIND, BOTH = "A-behind", "A-both"
#: What is taken for the shortcuts of a file -> the option of the net; plain A is that of a file of ours, which pads behind.
OPTIONS = {"none": "none", "A": "A", BEHIND: "A", BOTH: "A", "B": "B", "C": "C"}


def options(configs: Sequence[ModelConfig], likely: str = "") -> tuple[str, ...]:
    """What the shortcuts of these nets, which have the same tensors, are called here; ``likely`` first, then the sides of option A."""
    found = [option for config in configs for option in (_sides(config) if config.shortcut == "A" else (config.shortcut,))]
    return tuple(sorted(dict.fromkeys(found), key=lambda option: (option != likely, option not in (BEHIND, BOTH))))


def _sides(config: ModelConfig) -> tuple[str, ...]:
    """A quarter of the channels on both sides makes up for the missing ones where their number is even and blocks do not widen."""
    if not isinstance(config, ResNetConfig) or config.width % 2:
        return (BEHIND,)
    published = ResNetConfig(config.depth, "A", config.width, config.block, config.num_classes)
    return (BEHIND, BOTH) if config == published and config.block == "basic" else (BEHIND,)
