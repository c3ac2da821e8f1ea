"""How many trainings may run on one device at a time: as its user has set it, or so that small ones share the cores of a CPU."""

from __future__ import annotations

import os

from resnet_core.config import RunConfig
from resnet_core.errors import RunError

MAX_SLOTS = 16
#: Of a batch of the demo's size a second thread makes a step 1.4 to 1.6 times as fast (ResNet-20 and -56, fp32 and bf16, Xeon with AMX),
#: of 128 images 1.8 to 2.1: two small trainings are through sooner side by side, large ones after one another.
_LIGHT_PIXELS = 64 * 32 * 32
#: Small trainings at once where nothing was set: as many as the demo has.
_MOST_LIGHT = 4


def _as_set() -> int | None:
    text = os.environ.get("RESNET_LAB_SLOTS", "").strip()
    if not text:
        return None
    if not text.isdecimal() or int(text) > MAX_SLOTS:
        raise RunError("RESNET_LAB_SLOTS: {text!r} is not a whole number from 0 to {max_slots}.", text=text, max_slots=MAX_SLOTS)
    return int(text)


def is_set() -> bool:
    """Whether a user has set how many trainings may run at once. Raises RunError, as ``slots``."""
    return _as_set() is not None


def is_light(config: RunConfig) -> bool:
    """Whether a training is trained on one thread of a CPU: its batches have at most as many pixels as 64 images of CIFAR-10."""
    return config.recipe.batch_size * config.data.side**2 <= _LIGHT_PIXELS


def slots(pool: str) -> list[bool]:
    """Give the slots of a pool, each with whether only light trainings may take it.

    As many as ``RESNET_LAB_SLOTS`` says, for any training (0 starts none, so that runs stay in the queue). Where it says nothing, one; and
    on a CPU one more for each further core, up to four in all, for light trainings.

    Raises:
        RunError: it is no whole number from 0 to ``MAX_SLOTS``.
    """
    number = _as_set()
    if number is not None:
        return [False] * number
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return [False] + [True] * (min(cores, _MOST_LIGHT) - 1 if pool == "cpu" else 0)


def threads(config: RunConfig, cores: int) -> int:
    """Give the threads that a training on the CPU gets of ``cores``.

    They follow from the configuration, not from what else is trained at that moment: the order of sums depends on them, and with it
    the numbers.

    Raises:
        RunError: as ``slots``.
    """
    number = _as_set()
    if number is not None:
        return max(1, cores // max(1, number))
    return 1 if is_light(config) else cores
