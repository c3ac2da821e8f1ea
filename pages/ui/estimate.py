"""How long a training will take, from what this machine has shown so far.

Images per second times MACs per image is roughly constant on one machine for one batch size, so the time of any net follows from
that of another; tests count with the images that they look at. Nothing is assumed before something has been measured.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit import runtime

from pages.ui.labels import duration
from pages.ui.runs_view import AllSeen, Seen
from resnet_core import pace
from resnet_core.architectures.table import complexity
from resnet_core.config import RunConfig
from resnet_core.language import tr
from resnet_core.runs import RunStatus
from resnet_core.runs.launch import pool_of
from resnet_core.slots import is_light, slots


@dataclass(frozen=True)
class Pace:
    """A measured speed: of which training, on which device, in which precision, in images per second with all that is done in between."""

    config: RunConfig
    images_per_second: float
    device: str
    precision: str


#: What the last call was about, whoever made it: the statuses, and what they amount to. A page asks several times for each draw.
_LAST: list[tuple[list[RunStatus], list[Pace]]] = []


def measured(seen: Iterable[Seen]) -> list[Pace]:
    """The speed of each net, batch size, device and precision, of its first run that has one: with its tests, statistics, checkpoints.

    Where nothing was trained yet, what was measured for that purpose; where it was not, that begins now.
    """
    seen = seen.first_of_kind() if isinstance(seen, AllSeen) else list(seen)
    statuses = [s.status for s in seen]
    for known, paces in _LAST:
        if known == statuses:  # of runs that have ended these are the very objects of the look before: quick to compare
            return paces
    found: dict[Hashable, Pace] = {}
    for s in seen:
        device, precision = ((s.status.plan or {}).get(name) for name in ("device", "precision"))
        if s.status.pace is None or device is None or precision is None:
            continue
        # ``min`` takes the first of those that nothing tells apart below.
        kind = (s.config.model, s.config.recipe.batch_size, device, precision)
        found.setdefault(kind, Pace(s.config, s.status.pace, device, precision))
    result = list(found.values())
    if result:
        _LAST[:] = [(statuses, result)]
        return result
    if kept := pace.kept():
        return [Pace(pace.yardstick(), kept.images_per_second, kept.device, kept.precision)]
    if runtime.exists() and slots(
        pool_of(pace.yardstick().recipe.device)
    ):  # a server on which something can be trained: it is known at the next drawing
        st.cache_resource(show_spinner=False)(pace.begin)()
    return []


def seconds(config: RunConfig, paces: Sequence[Pace], iterations: int | None = None) -> float | None:
    """Seconds that ``iterations`` (all of them by default) of a training will take, or None when nothing comparable was measured.

    Taken from the measured run that is nearest in batch size, then in work per image.
    """
    recipe = config.recipe
    macs = _macs(config)
    comparable = [pace for pace in paces if recipe.device in ("auto", pace.device) and recipe.precision in ("auto", pace.precision)]
    if not comparable:
        return None

    def distance(pace: Pace) -> tuple[float, float]:
        batch = abs(math.log(pace.config.recipe.batch_size / recipe.batch_size))
        return batch, abs(math.log(_macs(pace.config) / macs))

    nearest = min(comparable, key=distance)
    speed = nearest.images_per_second * (1 + _testing(nearest.config)) * _macs(nearest.config) / macs
    return (recipe.iterations if iterations is None else iterations) * recipe.batch_size * (1 + _testing(config)) / speed


def _macs(config: RunConfig) -> int:
    return complexity(config.model, config.data.side).macs


def _testing(config: RunConfig) -> float:
    """The work of its tests as a part of that of its training steps: a test has a forward pass of each image, a step two more backwards."""
    tests = math.ceil(config.recipe.iterations / config.recipe.interval("test_every"))
    return tests * config.data.test_images / 3 / (config.recipe.iterations * config.recipe.batch_size)


def remaining(seen: Iterable[Seen], paces: Sequence[Pace]) -> float | None:
    """Seconds until all these runs are through, in the slots of their devices; None while one of them cannot be told."""
    waiting = []
    for s in sorted((s for s in seen if s.is_active), key=lambda s: s.status.place or 0):  # those that run have no place
        left = s.status.eta_seconds
        if left is None:
            left = seconds(s.config, paces, s.status.iterations - s.status.iteration)
        if left is None:
            return None
        waiting.append((s.config, left))
    return through(waiting)


def together(configs: Sequence[RunConfig], paces: Sequence[Pace]) -> float | None:
    """Seconds until trainings are through, begun in this order; None where that of one cannot be told, or there is none."""
    parts = [(config, part) for config in configs if (part := seconds(config, paces)) is not None]
    return through(parts) if parts and len(parts) == len(configs) else None


def words(configs: Sequence[RunConfig], paces: Sequence[Pace]) -> str:
    """``about 4 min 10 s`` until trainings are through; says so where it is not known."""
    known = together(configs, paces)
    return tr("time not yet measured on this machine") if known is None else tr("about {duration}", duration=duration(known))


def until_turn(one: Seen, active: Iterable[Seen], paces: Sequence[Pace]) -> float | None:
    """Seconds until a queued training begins, if all before it take as long as they seem to; None where that cannot be told."""
    ends: dict[int, float] = dict.fromkeys(range(len(slots(pool_of(one.config.recipe.device)) or [False])), 0.0)
    before = [s for s in active if s.is_active and (s.status.place or 0) < (one.status.place or 0)]
    for s in sorted(before, key=lambda s: s.status.place or 0):
        if pool_of(s.config.recipe.device) != pool_of(one.config.recipe.device):
            continue
        left = s.status.eta_seconds
        if left is None:
            left = seconds(s.config, paces, s.status.iterations - s.status.iteration)
        if left is None:
            return None
        ends[_first_free(ends, s.config)] += left
    return ends[_first_free(ends, one.config)]


def _first_free(ends: dict[int, float], config: RunConfig) -> int:
    """The slot of a training's pool that is free first, of those that may take it."""
    kinds = slots(pool_of(config.recipe.device)) or [False]
    return min((k for k, only_light in enumerate(kinds) if is_light(config) or not only_light), key=ends.__getitem__)


def through(trainings: Iterable[tuple[RunConfig, float]]) -> float:
    """Give the seconds until trainings, each with the seconds that it takes, have passed the slots of their devices in this order."""
    ends: dict[str, dict[int, float]] = {}  # of each pool, when each of its slots is free
    for config, left in trainings:
        pool = pool_of(config.recipe.device)
        free = ends.setdefault(pool, dict.fromkeys(range(len(slots(pool) or [False])), 0.0))
        free[_first_free(free, config)] += left
    return max((max(free.values()) for free in ends.values()), default=0.0)
