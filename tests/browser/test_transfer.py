"""The way of a net to other data in Chromium: set up on Checkpoints, queued beside its twin from scratch, looked at, compared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from resnet_core.config import DataConfig
from resnet_core.runs import RunStore
from tests import runs_tools
from tests.nets_tools import write_checkpoint
from tests.waiting import PATIENCE, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]
expect.set_options(timeout=PATIENCE * 1000)


def test_the_way_of_a_net_to_other_data(start_app, open_page, tmp_path: Path):
    write_checkpoint(tmp_path / "shipped", "tiny")
    app = start_app(RESNET_LAB_CHECKPOINTS=str(tmp_path / "shipped"), RESNET_LAB_SLOTS="0")
    page = open_page(f"{app.url}/checkpoints?section=Gallery&checkpoint=tiny&view=Transfer")
    expect(page.get_by_text("Nothing of this has been trained yet")).to_be_visible()
    expect(page.get_by_text(re.compile("with a new classifier for .*: 4 trainings"))).to_be_visible()
    page.get_by_label("Iterations").fill("2")
    page.get_by_label("Iterations").press("Enter")
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    page.get_by_test_id("stBaseButton-primary").filter(has_text="Train").click()
    expect(page.get_by_text("In the queue, or trained already.")).to_be_visible()
    runs = RunStore().queue()
    assert [(run.config.data, run.config.start is None) for run in runs] == [
        (DataConfig("fashion-sample", images_per_class=size), scratch) for size in (10, 50) for scratch in (False, True)
    ]
    assert {run.config.recipe.iterations for run in runs} == {2}

    # Once they have ended, the page tells which was better, and draws it.
    for run, error in zip(runs, (40.0, 55.0, 30.0, 35.0), strict=True):
        runs_tools.put(RunStore(), run, state="finished", result={"test_error": error})
    page.get_by_text("Train the same net from scratch too").click()
    expect(page.get_by_role("heading", name=re.compile("test error by the number of training images"))).to_be_visible()
    expect(page.locator(".resnet-lab-chart .main-svg").first).to_be_visible()

    # All four are chosen where the link leads.
    page.get_by_test_id("stPageLink").get_by_role("link", name="Compare").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare")
    wait_for(lambda: all(run.id in page.url for run in runs), "the runs in the address")
    assert page.get_by_test_id("stException").count() == 0
