"""What a lesson trains at one press of "Run it now", by a viewer of a class: all of it or nothing, and it counts as one training."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from pages.ui import estimate
from pages.ui.permitted import PermittedStore
from resnet_core.classroom.book import ClassBook
from resnet_core.classroom.policy import Refused, Rules
from resnet_core.runs import RunStore
from tests.page_tools import app, become, write_run
from tests.test_class_refused import ME, OTHER, config


@pytest.fixture
def here(monkeypatch) -> SimpleNamespace:
    """A class with another's trainings: one that waits, one that has stopped. The viewer is ``ME``."""
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    monkeypatch.setattr(estimate, "seconds", lambda config, paces, iterations=None: config.recipe.iterations / 10)
    other, me, store = become(monkeypatch, OTHER), become(monkeypatch, ME), RunStore()
    waiting = store.submit(config(1), owner=other)[0]
    stopped = write_run(store, config(2), 30.0, state="stopped", part=0.5, owner=other)
    return SimpleNamespace(store=store, book=ClassBook(), me=me, other=other, waiting=waiting, stopped=stopped)


def test_the_trainings_of_one_press_count_as_one_and_are_shared(here, monkeypatch):
    PermittedStore().begin_together([config(1), config(7), config(8)])  # the first is another's, and waits already
    mine = {run.config.recipe.seed: run for run in here.store.runs() if run.owner == here.me}
    assert sorted(mine) == [7, 8] and here.store.find(config(1)).owner == here.other
    PermittedStore().begin_together([config(7), config(8)])  # all of it is there: only looked at
    PermittedStore().stop(mine[7].id)
    PermittedStore().stop(mine[8].id)
    PermittedStore().begin_together([config(7), config(8)])  # goes on, both of them
    assert {run.state().state for run in mine.values()} == {"queued"}
    before = len(here.store.runs())
    PermittedStore().begin_together([config(2)])  # another's, which has stopped: not mine to resume
    assert here.stopped.state().state == "stopped" and len(here.store.runs()) == before
    become(monkeypatch, OTHER)
    PermittedStore().stop(here.waiting.id)
    here.book.set_rules(Rules(locked=True))
    with pytest.raises(Refused, match="locked training"):
        PermittedStore().begin_together([config(20), config(21)])
    assert len(here.store.runs()) == before


def test_a_lesson_trains_its_nets_at_one_press(here, root: Path, monkeypatch):
    become(monkeypatch, ME)
    page = app(root, monkeypatch, address="192.0.2.7").run().switch_page("learn/page.py")
    for name, value in {"lesson": "deeper-and-worse", "step": "4", "answers": "residual:0"}.items():
        page.query_params[name] = value
    page.run()
    page.button(key="learn.deeper-and-worse.4.0.run").click().run()
    assert not page.error and not page.exception
    mine = [run.config for run in here.store.runs() if run.owner == here.me]
    assert len(mine) == 4 and {each.recipe.seed for each in mine} == {1}
