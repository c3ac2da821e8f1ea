"""How far an error can be trusted: the luck of a seed, and of the test images. One rule for Home, Compare, Paper and the command line.

An error in percent comes from one or more seeds and, a test error, from N images. Its standard error is made of two parts:

- the seeds': the standard deviation over them divided by the square root of their number; never less than what is assumed of a net of one
  seed (``SEED_SPREAD``), as a standard deviation of two or three numbers can be anything;
- the images': sqrt(p (1 - p) / N). Two nets are tested on the same images, which makes their difference less uncertain than that of two
  samples; how much depends on which images both get wrong. If no image is missed by both, the variance of the difference is
  (p + q - (p - q)^2) / N, and it is less in every other case: that bound is used. A training error is of the very images that it is about.

A difference is clear when it is more than twice its standard error; else it is undecided, whatever its sign.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from resnet_core.config import RunConfig

#: Standard deviation over seeds, in points, that is assumed of one seed after a long training on all of CIFAR-10: the paper's five runs of
#: ResNet-110 have 0.16 (Table 6), those of Highway-19 0.16, and shorter schedules scatter more.
SEED_SPREAD = 0.2
#: The same of a training that is short or on few images, where the luck of a seed is larger: over the seeds of the seed bank 8.8 for
#: plain-56, which has most (clean training error; tests/test_seed_bank.py holds that it is no more than this).
SHORT_SEED_SPREAD = 9.0
#: A difference of this many standard errors is clear.
CLEAR = 2.0


@dataclass(frozen=True)
class Difference:
    """``points`` between two errors, in percentage points, their standard error, and how many seeds both have."""

    points: float
    standard_error: float
    seeds: int

    @property
    def is_clear(self) -> bool:
        return abs(self.points) > CLEAR * self.standard_error

    @property
    def sign(self) -> int:
        """1 or -1 where the difference is clear, else 0."""
        return int(math.copysign(1, self.points)) if self.is_clear else 0


def seed_spread(config: RunConfig) -> float:
    """Give the standard deviation over seeds, in points, that is assumed of a net trained so."""
    long = config.data.dataset == "cifar10" and not config.data.images_per_class and config.recipe.schedule_fraction >= 0.25
    return SEED_SPREAD if long else SHORT_SEED_SPREAD


def standard_error(errors: Mapping[int, float], spread: float, images: int | None = None) -> float:
    """Give the standard error, in points, of the mean of ``errors``, seed -> percent.

    Args:
        spread: assumed over seeds, at least, in points.
        images: the test images of each; None for a training error.
    """
    p = statistics.fmean(errors.values()) / 100
    of_images = 100 * math.sqrt(p * (1 - p) / images) if images else 0.0
    return math.hypot(_of_seeds(list(errors.values()), spread), of_images)


def difference(a: Mapping[int, float], b: Mapping[int, float], spread: float, images: int | None = None) -> Difference | None:
    """Compare the errors of two nets, seed -> percent, over the seeds that both have; None where they share none.

    Args:
        spread, images: as in ``standard_error``; the images are the same for both.
    """
    seeds = sorted(set(a) & set(b))
    if not seeds:
        return None
    p, q = (statistics.fmean(errors[seed] for seed in seeds) / 100 for errors in (a, b))
    of_images = 100 * math.sqrt(max(0.0, p + q - (p - q) ** 2) / images) if images else 0.0
    # The spread of a difference is that of both nets: seeds of different nets have nothing in common but the order of the batches.
    of_seeds = _of_seeds([a[seed] - b[seed] for seed in seeds], spread * math.sqrt(2))
    return Difference(round(100 * (p - q), 6), math.hypot(of_seeds, of_images), len(seeds))


def _of_seeds(values: list[float], least: float) -> float:
    found = statistics.stdev(values) if len(values) > 1 else 0.0
    return max(found, least) / math.sqrt(len(values))
