"""Train: the form while something is trained, the runs that it finds, and what it says of the shortcuts."""
# ruff: noqa: F811  the fixtures

from __future__ import annotations

import pytest
import torch

from tests.page_tools import write_run
from tests.test_page_train import DEMO, ITERATIONS, edit, opened, plan, started, train, words  # noqa: F401


def test_existing_runs_that_have_stopped_go_on(train, store):
    stopped = [write_run(store, config, 50.0, "stopped", 0.5) for config in DEMO[:3]]
    write_run(store, DEMO[3], 50.0)
    train.run()
    assert train.button(key="train.start").label == "Show the existing runs, and resume 3"
    edit(train, deleted=[3])
    assert train.button(key="train.start").label == "Resume the existing runs"
    started(train)
    assert [run.state().state for run in stopped] == ["queued"] * 3
    assert f"plain-20 goes on from iteration {ITERATIONS // 2}." in train.success[0].value.replace("\\", "")


def test_the_form_is_not_drawn_again_and_again_while_something_is_trained(train, store):
    """What is drawn without end leaves no click a moment: the first after a turn from Runs to Set up came to nothing."""
    store.submit(DEMO[0])
    train.query_params["tab"] = "Set up"
    train.run(timeout=30)
    assert not train.exception and train.session_state["tab"] == "Set up"
    train.button(key="preset.Shortcuts A, B, C").click().run(timeout=30)
    assert [row["net"] for row in plan(train)] == ["plain-20", "ResNet-20", "ResNet-20-B", "ResNet-20-C"]


def test_what_the_shortcuts_are_is_said_where_they_are_chosen(opened):
    said = words(opened)
    for part in ("none is a plain net", "A adds", "B does so", "C has"):
        assert part in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is there")
def test_a_device_that_is_not_there_is_named_and_the_form_stays_whole(opened):
    opened.selectbox(key="train.recipe.device").set_value("cuda").run()
    assert not opened.exception
    assert "'cuda' is not on this machine" in words(opened).replace("\\", "")
    # What stands behind it in the form is drawn too.
    assert opened.number_input(key="train.recipe.checkpoint_every").value == 0
