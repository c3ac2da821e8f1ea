"""What the tests of looks at many runs share."""

from __future__ import annotations

import os

from resnet_core.runs import Run, RunStore, border, ends, looking
from tests.page_tools import write_run
from tests.runs_tools import config


def age(store: RunStore) -> None:
    """Makes all files as old as those of another day."""
    for path in store.home.glob("[a-z]*/*.json*"):
        os.utime(path, (1e9, 1e9))


def ended(store: RunStore, count: int) -> list[Run]:
    runs = [write_run(store, config(seed), 40.0 + seed) for seed in range(count)]
    age(store)
    return runs


def another_process() -> None:
    """Nothing is known any more but what is on disk."""
    for kept in (border._identities, border._states, border._names, ends._kept):
        kept.known.clear()
    looking._HOMES.clear()
