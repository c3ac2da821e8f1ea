"""The sign test, its power and the numbers of seeds: values known by hand, and brute force."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import comb

import pytest

from resnet_core.claims import signs
from resnet_core.claims.signs import Needed, interval, least_worse, power, seeds_needed, sign_test

TENTHS = [Fraction(number, 10) for number in (6, 7, 8, 9, 10)]


def by_hand(n: int, probability: Fraction) -> Fraction:
    """The power, over all outcomes of n seeds that differ, in exact arithmetic."""
    claimed = [k for k in range(n + 1) if 2 * k > n and 2 * Fraction(sum(comb(n, i) for i in range(k, n + 1)), 2**n) <= Fraction(5, 100)]
    return sum((comb(n, k) * probability**k * (1 - probability) ** (n - k) for k in claimed), Fraction(0))


@pytest.mark.parametrize(
    ("worse", "better", "p"),
    [(5, 0, 0.0625), (6, 0, 0.03125), (0, 6, 0.03125), (0, 0, 1.0), (1, 0, 1.0), (3, 3, 1.0), (8, 1, 20 / 512), (15, 5, 43400 / 2**20)],
)
def test_p_values_that_are_known(worse, better, p):
    assert sign_test(worse, better) == p


@pytest.mark.parametrize("n", range(1, 11))
def test_the_sign_test_counts_outcomes_that_are_as_uneven(n):
    for worse in range(n + 1):
        even = abs(2 * worse - n)
        as_uneven = sum(abs(2 * sum(outcome) - n) >= even for outcome in itertools.product((0, 1), repeat=n))
        assert sign_test(worse, n - worse) == as_uneven / 2**n


def test_negative_counts_are_refused():
    with pytest.raises(ValueError, match="negative"):
        sign_test(-1, 3)


def test_how_many_must_be_worse():
    assert [least_worse(n) for n in range(13)] == [None] * 6 + [6, 7, 8, 8, 9, 10, 10]
    for n in range(1, 80):
        least = least_worse(n)
        assert least is None or sign_test(least, n - least) <= 0.05
        assert sign_test(n if least is None else least - 1, 0 if least is None else n - least + 1) > 0.05
    assert least_worse(5, alpha=0.1) == 5


@pytest.mark.parametrize("probability", TENTHS)
def test_the_power_is_that_of_exact_arithmetic(probability):
    exact = [float(by_hand(n, probability)) for n in range(121)]
    assert [power(n, float(probability)) for n in range(121)] == pytest.approx(exact, abs=1e-12)
    assert signs._powers(float(probability), 0.05, 120) == pytest.approx(exact, abs=1e-9)


def test_the_power_falls_where_one_more_seed_must_be_worse():
    assert power(20, 0.8) == pytest.approx(0.8042, abs=1e-4) and power(21, 0.8) < 0.8 and power(22, 0.8) < 0.8 < power(23, 0.8)


@pytest.mark.parametrize(("probability", "first", "lasting"), [(0.7, 49, 54), (0.75, 30, 35), (0.8, 20, 23), (0.9, 12, 12), (1.0, 6, 6)])
def test_seeds_needed(probability, first, lasting):
    assert seeds_needed(probability) == Needed(first, lasting)
    exact = [by_hand(n, Fraction(str(probability))) for n in range(200)]
    assert exact.index(next(value for value in exact if value >= Fraction(8, 10))) == first
    assert max(n for n, value in enumerate(exact) if value < Fraction(8, 10)) + 1 == lasting


def test_no_number_of_seeds_shows_what_is_not_so():
    assert seeds_needed(0.5) is None and seeds_needed(0.2) is None and seeds_needed(1.1) is None
    needed = seeds_needed(0.55)
    assert needed is not None and needed.lasting > 700
    # The bound behind which nothing is looked at any more holds: no number behind it falls below.
    beyond = signs._enough(0.55, 0.05, 0.8)
    assert needed.lasting <= beyond and min(signs._powers(0.55, 0.05, beyond + 500)[beyond:]) >= 0.8


def test_other_levels_and_powers():
    assert seeds_needed(1.0, alpha=0.1) == Needed(5, 5)  # 5 of 5: 0.0625
    assert seeds_needed(1.0, alpha=0.01) == Needed(8, 8)  # 8 of 8: 0.0078
    stricter, usual = seeds_needed(0.8, target=0.9), seeds_needed(0.8)
    assert stricter is not None and usual is not None and stricter.lasting > usual.lasting


def test_the_interval_is_that_of_clopper_and_pearson():
    # All of n: the lower bound is part^(1/n), in closed form.
    assert interval(22, 22) == pytest.approx((0.025 ** (1 / 22), 1.0))
    assert interval(0, 10) == pytest.approx((0.0, 1 - 0.025 ** (1 / 10)))
    low, high = interval(13, 22)
    assert sum(comb(22, k) * low**k * (1 - low) ** (22 - k) for k in range(13, 23)) == pytest.approx(0.025)
    assert sum(comb(22, k) * high**k * (1 - high) ** (22 - k) for k in range(14)) == pytest.approx(0.025)
