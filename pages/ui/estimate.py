"""How long a training will take, from what this machine has shown so far.

Images per second times MACs per image is roughly constant on one machine for one batch size, so the time of any net follows from
that of another. Nothing is assumed before something has been measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pages.ui.runs_view import Seen
from resnet_core.analysis.complexity import complexity
from resnet_core.config import RunConfig


@dataclass(frozen=True)
class Pace:
    """A measured speed: of which training, on which device, in which precision, in images per second."""

    config: RunConfig
    images_per_second: float
    device: str
    precision: str


def measured(seen: Iterable[Seen]) -> list[Pace]:
    """The speeds of all runs that have one."""
    return [
        Pace(s.run.config, s.status.images_per_second, s.status.plan["device"], s.status.plan["precision"])
        for s in seen
        if s.status.images_per_second and s.status.plan
    ]


def seconds(config: RunConfig, paces: Sequence[Pace], iterations: int | None = None) -> float | None:
    """Seconds that ``iterations`` (all of them by default) of a training will take, or None when nothing comparable was measured.

    Taken from the measured run that is nearest in batch size, then in work per image.
    """
    recipe = config.recipe
    macs = complexity(config.model).macs
    comparable = [pace for pace in paces if recipe.device in ("auto", pace.device) and recipe.precision in ("auto", pace.precision)]
    if not comparable:
        return None

    def distance(pace: Pace) -> tuple[float, float]:
        batch = abs(math.log(pace.config.recipe.batch_size / recipe.batch_size))
        return batch, abs(math.log(complexity(pace.config.model).macs / macs))

    nearest = min(comparable, key=distance)
    speed = nearest.images_per_second * complexity(nearest.config.model).macs / macs
    return (recipe.iterations if iterations is None else iterations) * recipe.batch_size / speed


def remaining(seen: Iterable[Seen], paces: Sequence[Pace]) -> float | None:
    """Seconds until all these runs are through, one after the other; None while one of them cannot be told."""
    total = 0.0
    for s in seen:
        if not s.status.is_active:
            continue
        left = s.status.eta_seconds
        if left is None:
            left = seconds(s.run.config, paces, s.status.iterations - s.status.iteration)
        if left is None:
            return None
        total += left
    return total
