"""How many seeds before one may claim it? The exact sign test, and its power.

For example::

    sign_test(5, 0)                   # 0.0625: five of five is not enough at 0.05, two-sided
    power(20, 0.8)                    # 0.804: twenty seeds, when the deeper net ends worse with 8 of 10
    seeds_needed(0.8)                 # Needed(first=20, lasting=23)

The null hypothesis is that either net is the worse one with probability 1/2, for each seed. Seeds that end equal say nothing of it, and
are dropped. (Dixon, Mood: The statistical sign test, JASA 1946.)
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

ALPHA, POWER, CONFIDENCE = 0.05, 0.8, 0.95
#: The lowest probability that ``seeds_needed`` takes: nearer to 1/2 the numbers are of no use to anybody.
LEAST = 0.51


@dataclass(frozen=True)
class Needed:
    """Numbers of seeds: ``first`` reaches the power, and ``lasting`` is the smallest from which on no number falls below it again."""

    first: int
    lasting: int


def sign_test(worse: int, better: int) -> float:
    """Give the exact two-sided p-value of so many seeds on either side, those that end equal left out; 1 without any.

    Raises:
        ValueError: a number is negative.
    """
    if min(worse, better) < 0:
        raise ValueError("counts are not negative")
    n = worse + better
    tail = sum(math.comb(n, k) for k in range(min(worse, better) + 1))
    return min(1.0, 2 * tail / 2**n)


def least_worse(n: int, alpha: float = ALPHA) -> int | None:
    """Give how many of ``n`` seeds must be worse, at least, for a two-sided p of at most ``alpha``; None where not even all suffice."""
    tail, found = 0, None
    for k in range(n, n // 2, -1):
        tail += math.comb(n, k)
        if 2 * tail > alpha * 2**n:
            break
        found = k
    return found


def power(n: int, probability: float, alpha: float = ALPHA) -> float:
    """Give the probability that ``n`` seeds allow the claim that the deeper net is worse, when it is so with ``probability`` for each."""
    least = least_worse(n, alpha)
    return 0.0 if least is None else math.fsum(_mass(n, k, probability) for k in range(least, n + 1))


@functools.lru_cache(maxsize=256)
def seeds_needed(probability: float, alpha: float = ALPHA, target: float = POWER) -> Needed | None:
    """Give how many seeds it takes to have the power ``target``; None for a probability below ``LEAST``, at which no number is of use.

    The power is not monotone in the number of seeds: where one more seed raises the number that must be worse, it falls.
    """
    if not LEAST <= probability <= 1:
        return None
    powers = _powers(probability, alpha, _enough(probability, alpha, target))
    first = next(n for n, value in enumerate(powers) if value >= target)
    return Needed(first, max(n for n, value in enumerate(powers) if value < target) + 1)


def _enough(probability: float, alpha: float, target: float) -> int:
    """A number from which on the power is above the target for certain, by Hoeffding's inequality.

    The least number that must be worse is at most n/2 + sqrt(n ln(2/alpha) / 2) + 1, and the power at least 1 - exp(-2 n d^2), with d
    the distance of that part of n from the probability; both bounds become better with every seed.
    """
    n = 2
    while True:
        d = probability - 0.5 - math.sqrt(math.log(2 / alpha) / (2 * n)) - 1 / n
        if d > 0 and math.exp(-2 * n * d * d) < 1 - target:
            return n
        n = math.ceil(n * 1.1)


def _powers(probability: float, alpha: float, most: int) -> list[float]:
    """The power for 0 to ``most`` seeds. The tails of n + 1 follow from those of n, and the least number grows by 0 or 1."""
    found, least = [0.0], 1
    by_chance, true = 0.0, 0.0  # P(at least ``least`` of n are worse), by chance and with the probability
    for n in range(1, most + 1):
        by_chance += 0.5 * _mass(n - 1, least - 1, 0.5)
        true += probability * _mass(n - 1, least - 1, probability)
        if 2 * by_chance > alpha:
            by_chance -= _mass(n, least, 0.5)
            true -= _mass(n, least, probability)
            least += 1
        found.append(true if least <= n else 0.0)
    return found


def _mass(n: int, k: int, probability: float) -> float:
    """P(exactly k of n)."""
    if not 0 <= k <= n:
        return 0.0
    if probability in (0, 1):
        return float(k == n * probability)
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(probability) + (n - k) * math.log1p(-probability))


def interval(worse: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Give bounds of the probability that the deeper net ends worse, from ``worse`` of ``n`` seeds.

    (Clopper, Pearson: The use of confidence or fiducial limits illustrated in the case of the binomial, Biometrika 1934.)
    """
    part = (1 - confidence) / 2
    return _lower(worse, n, part), 1 - _lower(n - worse, n, part)


def _lower(k: int, n: int, part: float) -> float:
    """The probability at which ``k`` or more of ``n`` have a chance of ``part``, by halving."""
    low, high = 0.0, 1.0
    for _ in range(60 if k else 0):
        middle = (low + high) / 2
        if math.fsum(_mass(n, i, middle) for i in range(k, n + 1)) < part:
            low = middle
        else:
            high = middle
    return low
