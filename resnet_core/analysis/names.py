"""From the name of a net to its configuration: the inverse of ``ModelConfig.name``, and forgiving where people type."""

from __future__ import annotations

import re

from resnet_core.config import ModelConfig
from resnet_core.errors import ConfigError

_NAME = re.compile(r"(?:(plain|resnet)[\s_-]*)?(\d{1,6})(?:[\s_-]+([abc]))?(?:[\s_-]+(basic|bottleneck))?(?:[\s_-]+w(\d{1,6}))?", re.ASCII)


def net_from_name(name: str) -> ModelConfig:
    """``plain-56``, ``ResNet-56``, ``ResNet-56-B``, ``ResNet-164-bottleneck``, ``ResNet-20-w32``; also ``56`` or ``resnet 56 b``.

    Raises:
        ConfigError: it is not such a name, or the net it names is none of the family's (the message names the nearest depths).
    """
    match = _NAME.fullmatch(name.strip().lower())
    if match is None or (match[1] == "plain" and match[3]):
        raise ConfigError(
            "net",
            f"{name[:40]!r} does not name a net; write plain-56, ResNet-56, ResNet-56-B, ResNet-164-bottleneck, ResNet-20-w32 or the like.",
        )
    kind, depth, shortcut, block, width = match.groups()
    shortcut = "none" if kind == "plain" else (shortcut or "a").upper()
    return ModelConfig(int(depth), shortcut, int(width or 16), block or "basic")
