"""The seed bank: how the demo's four trainings ended with many seeds, from records that ship, and what these seeds say together.

For example::

    known = bank()
    found = compared(known, "plain", "clean")
    found.gaps[7]                     # points by which plain-56 ended above plain-20 with seed 7
    sentence(found)

It is written by ``python -m resnet_core.reference seeds HOME``; how many seeds there are is in the file.
"""

from __future__ import annotations

import functools
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import resnet_core
from resnet_core import conditions as words
from resnet_core.claims.signs import ALPHA, sign_test
from resnet_core.config import RunConfig, demo_configs
from resnet_core.errors import DataError
from resnet_core.language import mark, tr, tr_n

PATH = Path(resnet_core.__file__).parent / "reference" / "seeds_records.json"
#: Family -> its shallow and its deep net.
PAIRS = {"plain": ("plain-20", "plain-56"), "residual": ("ResNet-20", "ResNet-56")}
#: What the file has of a training beside its curves.
_TOLD = ("precision", "machine", "commit", "date", "train_error", "clean_error", "test_error")
#: What is compared -> in words.
ERRORS = {"clean": mark("clean training error"), "test": mark("test error")}


@dataclass(frozen=True)
class Banked:
    """A training of the bank. Errors in percent: mean over the last epoch, of the trained net on its training images, on test images."""

    config: RunConfig
    precision: str
    machine: str
    commit: str
    date: str
    train_error: float
    clean_error: float
    test_error: float
    records: Sequence[Mapping[str, Any]] = field(repr=False)

    def error(self, kind: str) -> float:
        """One of ``ERRORS``."""
        return {"clean": self.clean_error, "test": self.test_error}[kind]


#: Seed -> net -> its training; every seed has the four nets.
Bank = Mapping[int, Mapping[str, Banked]]


@functools.cache
def bank() -> Bank:
    """Read the records that ship; empty where there are none."""
    return read(PATH) if PATH.is_file() else {}


def read(path: Path) -> Bank:
    """Read a bank.

    Raises:
        DataError: the file is none, or a seed lacks a net.
    """
    try:
        found: dict[int, dict[str, Banked]] = {}
        for row in json.loads(path.read_text(encoding="utf-8")):
            config = next(each for each in demo_configs(row["seed"]) if each.model.name == row["net"])
            records = [{"kind": "train", "iteration": at, "train_error": error} for at, error in row["train"]]
            records += [{"kind": "test", "iteration": at, "test_error": error} for at, error in row["test"]]
            about: dict[str, Any] = {name: row[name] for name in _TOLD}
            found.setdefault(row["seed"], {})[row["net"]] = Banked(config, **about, records=tuple(records))
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise DataError(mark("{path}: is no seed bank ({reason})."), path=path, reason=repr(error)) from error
    for seed, nets in found.items():
        if missing := [net for pair in PAIRS.values() for net in pair if net not in nets]:
            raise DataError(mark("{path}: seed {seed} lacks {nets}."), path=path, seed=seed, nets=", ".join(missing))
    return {seed: found[seed] for seed in sorted(found)}


@dataclass(frozen=True)
class Compared:
    """A deep net against its shallow one, seed by seed.

    Attributes:
        shallow, deep: names; error: a key of ``ERRORS``.
        gaps: seed -> points by which the deep one ended above the shallow one; below where it is negative.
        conditions: data, schedule, seeds and precision, in words.
    """

    shallow: str
    deep: str
    error: str
    gaps: Mapping[int, float]
    conditions: str

    @property
    def worse(self) -> int:
        """Seeds with which the deep net ended higher."""
        return sum(gap > 0 for gap in self.gaps.values())

    @property
    def better(self) -> int:
        """Seeds with which it ended lower."""
        return sum(gap < 0 for gap in self.gaps.values())

    @property
    def ties(self) -> int:
        return len(self.gaps) - self.worse - self.better

    @property
    def mean(self) -> float:
        return statistics.fmean(self.gaps.values())

    @property
    def low(self) -> float:
        return min(self.gaps.values())

    @property
    def high(self) -> float:
        return max(self.gaps.values())

    @property
    def p(self) -> float:
        """Of the two-sided sign test, without the seeds that ended equal."""
        return sign_test(self.worse, self.better)


def compared(known: Bank, family: str, error: str) -> Compared:
    """Compare the two depths of a family (a key of ``PAIRS``) by an error (a key of ``ERRORS``), over all seeds.

    Raises:
        DataError: the bank is empty.
    """
    if not known:
        raise DataError(mark("No records of the seed bank are here."))
    shallow, deep = PAIRS[family]
    # To a millionth of a point: equal numbers of wrong images are equal errors.
    gaps = {seed: round(nets[deep].error(error) - nets[shallow].error(error), 6) for seed, nets in known.items()}
    return Compared(shallow, deep, error, gaps, conditions(known))


def conditions(known: Bank) -> str:
    """What every verdict of the bank holds for: data, schedule, seeds and precision."""
    trained = [one for nets in known.values() for one in nets.values()]
    seeds = tr_n(len(known), "{number} seed", "{number} seeds")
    return words.conditions(trained[0].config, seeds, (one.precision for one in trained))


def p_text(p: float) -> str:
    """``p = 0.0625``; what is very small is not written out."""
    return tr("p = {p:.3g}", p=p) if p >= 0.0001 else tr("p < 0.0001")


def sentence(found: Compared) -> str:
    """What the seeds say: counts, mean and range, the sign test, and what they hold for. No more than the numbers do."""
    counted = tr(
        "{deep} ended worse than {shallow} with {worse} of {count} seeds, better with {better}, equal with {ties} ({error}: on average "
        "{mean:+.1f} points, from {low:+.1f} to {high:+.1f}).",
        deep=found.deep,
        shallow=found.shallow,
        worse=found.worse,
        count=len(found.gaps),
        better=found.better,
        ties=found.ties,
        error=tr(ERRORS[found.error]),
        mean=found.mean,
        low=found.low,
        high=found.high,
    )
    n = found.worse + found.better
    if n == 0:
        tested = tr("All ended equal: there is nothing for a sign test to count.")
    elif found.p <= ALPHA:
        claim = mark("the deeper one ends worse") if found.worse > found.better else mark("the deeper one ends better")
        tested = tr("Sign test over the {n} that differ: {p}, so one may claim that {claim}.", n=n, p=p_text(found.p), claim=tr(claim))
    else:
        tested = tr("Sign test over the {n} that differ: {p}, so these seeds allow no claim either way.", n=n, p=p_text(found.p))
    return f"{counted} {tested} {tr('It holds for: {conditions}.', conditions=found.conditions)}"
