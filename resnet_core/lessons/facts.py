"""Numbers in the texts of lessons: a text names what is meant, and the number is computed from what ships, or is a published one.

For example::

    fill("ResNet-56 has {params ResNet-56} parameters.")  # 853,018
    fill("It ends at {clean myths plain-56} %.")          # 71.7
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import resnet_core
from resnet_core import literature
from resnet_core.architectures import parse
from resnet_core.architectures.table import complexity
from resnet_core.claims import seed_bank, signs
from resnet_core.errors import DataError
from resnet_core.language import mark
from resnet_core.lessons import recorded

#: Of ``{published CONDITION NET}``.
CONDITIONS = {
    "ten-crops": literature.TEN_CROPS,
    "one-crop": literature.ONE_CROP,
    "he": literature.HE,
    "one-run": literature.ONE_RUN,
    "mean": literature.MEAN,
    "best": literature.BEST,
}
_PLACE = re.compile(r"\{([^{}]+)\}")
_REFERENCE = Path(resnet_core.__file__).parent / "reference"


def places(text: str) -> list[str]:
    """What stands in the places of a text."""
    return _PLACE.findall(text)


def fill(text: str) -> str:
    """Put the numbers into a text.

    Raises:
        DataError: a place names no fact, or one that is not known; says which.
    """
    return _PLACE.sub(lambda place: fact(place[1]), text)


def fact(place: str) -> str:
    """The number that a place names, as text.

    Raises:
        DataError: as ``fill``.
    """
    name, *arguments = place.split()
    try:
        return FACTS[name](*arguments)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(mark("{place}: there is no such fact."), place="{" + place + "}") from error


@functools.cache
def _results(name: str) -> dict[str, dict[str, Any]]:
    """Net -> how its training ended, of the trainings whose records ship; of several of one net the first."""
    from resnet_core.config import RunConfig

    found: dict[str, dict[str, Any]] = {}
    path = _REFERENCE / f"{name}_records.json"
    for entry in json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []:
        found.setdefault(RunConfig.from_dict(entry["config"]).model.name, entry["result"])
    return found


def _counted(quantity: str, net: str) -> int:
    counts = complexity(parse(net))
    return int({"params": counts.params, "macs": counts.macs, "layers": counts.layers}[quantity])


def _blocks(net: str) -> int:
    return len(parse(net).plan().units)


def _branch(net: str) -> float:
    return float(np.nanmedian(recorded.of("responses", net).ratio))


def _lesions(net: str) -> tuple[float, float]:
    found = recorded.of("lesions", net)
    return 100.0 * found.whole / found.n, float(np.median(found.increase))


def _seeds(quantity: str, family: str, error: str) -> float:
    """Of the seed bank: counts, points, or the share of seeds with which the deeper net ended worse, in percent."""
    found = seed_bank.compared(seed_bank.bank(), family, error)
    if quantity == "share":
        return 100 * found.worse / len(found.gaps)
    return float({each: getattr(found, each) for each in ("worse", "better", "ties", "mean", "low", "high", "p")}[quantity])


def _needed(probability: str, which: str) -> int:
    found = signs.seeds_needed(float(probability))
    return _missing(probability) if found is None else {"first": found.first, "lasting": found.lasting}[which]


def _published(condition: str, net: str) -> float:
    model, wanted = parse(net), CONDITIONS[condition]
    return next((found.error for found in literature.of(model) if found.condition == wanted), None) or _missing(net)


def _missing(net: str) -> Any:
    raise KeyError(net)


#: Name -> what makes the text of its number.
FACTS: dict[str, Callable[..., str]] = {
    # Exact counts; MACs of an image of the size that the net is made for.
    "params": lambda net: f"{_counted('params', net):,}",
    "macs": lambda net: f"{_counted('macs', net):,}",
    "layers": lambda net: f"{_counted('layers', net)}",
    # In millions or in billions, to three digits.
    "params-m": lambda net: f"{_counted('params', net) / 1e6:.3g}",
    "macs-m": lambda net: f"{_counted('macs', net) / 1e6:.3g}",
    "macs-g": lambda net: f"{_counted('macs', net) / 1e9:.3g}",
    # How many times as much one net has as another.
    "times": lambda quantity, net, other: f"{_counted(quantity, net) / _counted(quantity, other):.2g}",
    # The same in percent of the other net's, and how many percent more.
    "part": lambda quantity, net, other: f"{100 * _counted(quantity, net) / _counted(quantity, other):.1f}",
    "more": lambda quantity, net, other: f"{100 * _counted(quantity, net) / _counted(quantity, other) - 100:.1f}",
    # Paths through a net, each block by its branch or its skip; and blocks.
    "paths": lambda net: f"{2 ** _blocks(net):,}",
    "blocks": lambda net: f"{_blocks(net)}",
    # Percent that are left of 1 after so many factors; and of an input after so many gates whose biases are all the same.
    "power": lambda factor, count: f"{100 * float(factor) ** int(count):.2g}",
    "carried": lambda bias, count: f"{100 * (1 / (1 + math.exp(float(bias)))) ** int(count):.2g}",
    # The median over its blocks of |F(x)| / |x|, of a net that ships, as the experiment "responses" measured it.
    "branch": lambda net: f"{_branch(net):.2f}",
    # Percent of test images that a net that ships gets wrong, whole, in the experiment "lesions"; and the increase without one block.
    "whole": lambda net: f"{_lesions(net)[0]:.1f}",
    "lesion-median": lambda net: f"{_lesions(net)[1]:.1f}",
    # How the trainings ended whose records ship, in percent: the trained net on its own training images, and on test images.
    "clean": lambda name, net: f"{_results(name)[net]['clean_train_error']:.1f}",
    "test": lambda name, net: f"{_results(name)[net]['test_error']:.1f}",
    # Seeds of the bank; of a family (plain, residual) by an error (clean, test): counts of worse, better, ties, or the share of worse.
    "seeds": lambda: f"{len(seed_bank.bank())}",
    "seeds-of": lambda quantity, family, error: f"{_seeds(quantity, family, error):g}",
    # Of the same: mean, low or high of the points by which the deeper net ends above.
    "seeds-gap": lambda quantity, family, error: f"{_seeds(quantity, family, error):.1f}",
    # The two-sided p of a sign test; how many seeds the power of 80 % takes, first or lasting, when so many of 1 end worse.
    "sign-test": lambda worse, better: f"{signs.sign_test(int(worse), int(better)):.3g}",
    "sign-test-of": lambda family, error: f"{_seeds('p', family, error):.2g}",
    "needed": lambda probability, which: f"{_needed(probability, which)}",
    # Published test error, in percent.
    "published": lambda condition, net: f"{_published(condition, net):.2f}",
}
