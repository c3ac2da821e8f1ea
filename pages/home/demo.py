"""The front page's demo: its four runs in the store, and the recorded ones that are shown before anything is trained here."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass

from pages.ui.permitted import admit
from pages.ui.runs_view import Seen, going_on
from resnet_core.config import RunConfig, demo_configs
from resnet_core.errors import UserError
from resnet_core.runs import Look, RunStore


def configs(seed: int) -> list[RunConfig]:
    """The demo's four trainings. ``RESNET_LAB_DEMO_ITERATIONS`` shortens them, e.g. for tests or a very slow machine.

    Raises:
        UserError: that variable is not a whole number of at least 1.
    """
    text = os.environ.get("RESNET_LAB_DEMO_ITERATIONS", "").strip()
    if not text:
        return demo_configs(seed)
    if not text.isdecimal() or int(text) < 1:
        raise UserError("RESNET_LAB_DEMO_ITERATIONS: {text!r} is not a whole number of at least 1.", text=text)
    return demo_configs(seed, int(text))


def in_turn(configs: list[RunConfig]) -> list[RunConfig]:
    """The order in which they are trained: a plain net and its residual twin beside each other, where two are trained at once."""
    return sorted(configs, key=lambda config: config.model.depth)


@dataclass(frozen=True)
class Demo:
    """The demo of one seed as it stands. ``seen`` has those of its four runs that exist, in the order of ``configs``."""

    configs: list[RunConfig]
    seen: list[Seen]

    @property
    def active(self) -> list[Seen]:
        return [s for s in self.seen if s.status.is_active]

    @property
    def ended(self) -> bool:
        """All four have come to an end that nothing can be added to."""
        return len(self.seen) == len(self.configs) and all(s.status.state in ("finished", "diverged") for s in self.seen)

    @property
    def begun(self) -> bool:
        return bool(self.seen)


def find(looked: Look, seed: int) -> Demo:
    """The demo of a seed among the runs."""
    wanted = configs(seed)
    found = [looked.find(config) for config in wanted]
    return Demo(wanted, [Seen(*pair) for pair in found if pair is not None])


def ended_before(looked: Look) -> Demo | None:
    """The demo with the lowest seed that is through, if any."""
    wanted = configs(0)
    count = Counter(looked.seeds({config.model.name for config in wanted}))
    seeds = sorted(seed for seed, runs in count.items() if runs >= len(wanted))
    return next((demo for seed in seeds if (demo := find(looked, seed)).ended), None)


def start(store: RunStore, seed: int) -> None:
    """Starts what of the demo is missing and resumes what did not end. Raises RunError or DataError."""
    admit(configs(seed))
    for config in in_turn(configs(seed)):
        going_on(store, *store.submit(config))


def stop(store: RunStore, demo: Demo) -> None:
    """Stops what of it runs or waits, the last in the queue first, so that none begins meanwhile."""
    for s in sorted(demo.active, key=lambda s: s.status.place or 0, reverse=True):
        if s.run.state().is_active:
            store.stop(s.run.id)


def running_seed(looked: Look) -> int | None:
    """The seed of the demo that runs or waits now, whoever began it; the newest, if there are several."""
    active = [run.config for run, _ in looked.active]
    return next((config.recipe.seed for config in reversed(active) if config in configs(config.recipe.seed)), None)
