"""When a difference of two errors is more than luck: against simulations, and at its limits."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from resnet_core import noise
from resnet_core.config import DataConfig, Recipe, RunConfig, demo_configs


def test_the_images_part_bounds_what_testing_on_the_same_images_gives():
    """Two nets of 10 and 12 % error on 10,000 images, however much their mistakes have in common: the bound holds and is met without."""
    rng, n = np.random.default_rng(0), 10_000
    bound = noise.difference({0: 12.0}, {0: 10.0}, 0.0, n).standard_error
    for common in (0.0, 0.05, 0.1):  # part of the images that both miss
        draws = rng.multinomial(n, [common, 0.12 - common, 0.10 - common, 0.78 + common], 4_000)
        found = (100 * (draws[:, 1] - draws[:, 2]) / n).std()
        assert found <= 1.03 * bound
        assert (common > 0) or found == pytest.approx(bound, rel=0.03)


def test_the_seeds_part_is_at_least_what_is_assumed_of_one_seed():
    one = noise.difference({0: 12.0}, {0: 10.0}, 0.2)
    assert one.standard_error == pytest.approx(0.2 * math.sqrt(2)) and one.seeds == 1 and one.is_clear and one.sign == 1
    # Two seeds that happen to agree are no proof that seeds agree; two that do not are taken at their word.
    agree = noise.difference({0: 12.0, 1: 12.0}, {0: 10.0, 1: 10.0}, 0.2)
    assert agree.standard_error == pytest.approx(0.2)
    apart = noise.difference({0: 12.0, 1: 16.0}, {0: 10.0, 1: 10.0}, 0.2)
    assert apart.points == 4.0 and apart.standard_error == pytest.approx(2.0) and not apart.is_clear and apart.sign == 0


def test_only_common_seeds_are_compared():
    found = noise.difference({0: 12.0, 1: 50.0}, {0: 10.0, 2: 1.0}, 0.2)
    assert (found.points, found.seeds) == (2.0, 1)
    assert noise.difference({1: 50.0}, {0: 10.0}, 0.2) is None


def test_the_standard_error_of_one_error():
    assert noise.standard_error({0: 10.0}, 0.2, 10_000) == pytest.approx(math.hypot(0.2, 0.3))
    assert noise.standard_error({0: 10.0, 1: 11.0}, 0.2) == pytest.approx(math.sqrt(0.5) / math.sqrt(2))
    assert noise.standard_error({0: 0.0}, 0.0, 1_000) == 0.0


def test_long_trainings_are_trusted_more():
    quarter = RunConfig(data=DataConfig("cifar10"), recipe=Recipe(iterations=16_000))
    assert noise.seed_spread(quarter) == noise.SEED_SPREAD < noise.SHORT_SEED_SPREAD
    part = dataclasses.replace(quarter, data=DataConfig("cifar10", images_per_class=500))
    for short in (demo_configs()[0], dataclasses.replace(quarter, recipe=Recipe(iterations=4_000)), part):
        assert noise.seed_spread(short) == noise.SHORT_SEED_SPREAD
