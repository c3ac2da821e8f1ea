"""How much memory a training takes, told from its configuration before it begins. Without torch."""

from __future__ import annotations

import os

from resnet_core.activations import activation_bytes
from resnet_core.architectures.table import complexity
from resnet_core.config import RunConfig
from resnet_core.errors import ConfigError
from resnet_core.language import mark

#: torch itself with its libraries' data, and a data set on the device.
_BASE = 1 << 30
#: Weights, their gradients and their momentum, each in fp32.
_COPIES = 3


def needed(config: RunConfig) -> int:
    """Bytes that a training takes at least: all that a backward pass of one batch needs in fp32, weights, gradients and momentum."""
    return _fixed(config) + _of_an_image(config) * config.recipe.batch_size


def _fixed(config: RunConfig) -> int:
    """What does not grow with the batch."""
    return _BASE + 4 * _COPIES * complexity(config.model, config.data.side).params


def _of_an_image(config: RunConfig) -> int:
    return activation_bytes(config.model, gradients=True, side=config.data.side)


def of_machine() -> int | None:
    """Bytes of memory that the machine has; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def check(config: RunConfig) -> None:
    """Raise ConfigError if a training on the CPU takes more memory than the machine has; of a graphics card nothing is known here."""
    there = of_machine()
    on_cpu = config.recipe.device == "cpu" or (config.recipe.device == "auto" and not os.path.exists("/proc/driver/nvidia"))
    if there is None or not on_cpu or (takes := needed(config)) <= there:
        return
    batch, fits = config.recipe.batch_size, (there - _fixed(config)) // _of_an_image(config)
    raise ConfigError(
        "batch_size",
        "{name} with {batch} images a batch takes about {takes:.0f} GB of memory, and this machine has {there:.0f} GB. {hint}",
        name=config.model.name,
        batch=batch,
        takes=takes / 1e9,
        there=there / 1e9,
        hint=mark("A batch size of {fits} would fit.", fits=fits) if fits >= 1 else mark("Choose a smaller net."),
    )
