"""Lesions by a click: a block of the diagram is deleted, the error changes, and the link shows the same."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.analysis_tools import PLAIN, RESIDUAL, ship
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect.set_options(timeout=PATIENCE * 1000)
BOXES = "[data-testid=stPlotlyChart] .bars .point"


def click_box(page: Page, number: int) -> None:
    """Click the middle of a box of the diagram; the chart's own layer for the mouse lies above it."""
    page.locator(BOXES).nth(number).click(force=True)


def test_a_click_deletes_a_block_and_the_link_keeps_it(start_app, open_page, tmp_path):
    ship(tmp_path / "shipped", "plain-20", PLAIN)
    ship(tmp_path / "shipped", "resnet-20", RESIDUAL)
    app = start_app(RESNET_LAB_CHECKPOINTS=str(tmp_path / "shipped"))
    page = open_page(f"{app.url}/experiments?experiment=Lesions&lesions.images=100&nets=plain-20&nets=resnet-20")
    errors = page.get_by_test_id("stMetric")
    expect(page.locator(BOXES)).to_have_count(12)  # two of each of three blocks; image, stem, pooling and classifier; twice zeros
    expect(errors).to_have_count(0)
    click_box(page, 0)
    expect(page.get_by_text("Error without layer1.0 on 100 test images.")).to_be_visible()
    expect(page).to_have_url(re.compile(r"lesion\.block=layer1\.0"))
    expect(errors).to_have_count(2)
    frame = page.locator(BOXES, has_text="deleted")
    expect(frame).to_have_count(1)
    found = page.get_by_test_id("stMetricValue").all_inner_texts()

    # Another one, by the keyboard.
    choice = page.get_by_role("combobox", name="Deleted block")
    choice.focus()
    choice.press_sequentially("layer2.0")
    choice.press("Enter")
    expect(page.get_by_text("Error without layer2.0 on 100 test images.")).to_be_visible()
    expect(page.get_by_test_id("stMetricValue")).not_to_have_text(found)
    click_box(page, 0)
    expect(page.get_by_text("Error without layer1.0 on 100 test images.")).to_be_visible()

    cold = open_page(page.url)
    expect(cold.get_by_text("Error without layer1.0 on 100 test images.")).to_be_visible()
    expect(cold.get_by_test_id("stMetricValue")).to_have_text(found)

    # And back, and the same again.
    frame.click(force=True)
    expect(errors).to_have_count(0)
    expect(frame).to_have_count(0)
    expect(page).not_to_have_url(re.compile("block"))
    click_box(page, 0)
    expect(page.get_by_text("Error without layer1.0 on 100 test images.")).to_be_visible()
