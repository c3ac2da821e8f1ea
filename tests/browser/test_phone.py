"""The app under a finger, on a screen of 390 x 844: a swipe scrolls, the drawer closes, nothing is wider than the screen."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from resnet_core.config import demo_configs
from resnet_core.runs import RunStore
from tests.page_tools import write_run
from tests.waiting import PATIENCE, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect.set_options(timeout=PATIENCE * 1000)
SCROLLED = "document.querySelector('[data-testid=stMain]').scrollTop"
RANGES = "(({ xaxis, yaxis }) => [xaxis.range, yaxis.range])(document.querySelector('.resnet-lab-chart')._fullLayout)"


def swipe(page: Page, x: float, start: float, end: float) -> None:
    """One finger, as the browser itself would tell it."""
    session = page.context.new_cdp_session(page)
    for step in range(11):
        points = [{"x": x, "y": start + (end - start) * step / 10}]
        session.send("Input.dispatchTouchEvent", {"type": "touchMove" if step else "touchStart", "touchPoints": points})
        page.wait_for_timeout(20)
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_swipe_over_a_chart_scrolls_and_the_drawer_closes(start_app, open_page, tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    for config in demo_configs(iterations=400):
        write_run(RunStore(), config, 50.0)
    app = start_app(RESNET_LAB_CHECKPOINTS=str(tmp_path / "none"), RESNET_LAB_SLOTS="0")
    page = open_page(app.url, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    expect(page.locator(".st-key-home_chart .main-svg").first).to_be_attached()  # the page is drawn to its end
    page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("link", name="Compare", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare")
    expect(page.get_by_test_id("stExpandSidebarButton")).to_be_visible()  # which stands there while the drawer is closed
    expect(page).to_have_url(re.compile("runs="))

    expect(page.locator(".resnet-lab-chart .nsewdrag")).to_be_attached()
    box = page.locator(".resnet-lab-chart .nsewdrag").bounding_box()
    before = page.evaluate(RANGES)
    swipe(page, box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.8, box["y"])
    wait_for(lambda: page.evaluate(SCROLLED) > 100, "the page to scroll")
    assert page.evaluate(RANGES) == before
    # The legend stands below the plot, the buttons above it, and nothing beside the screen.
    place = "(name) => document.querySelector(`.resnet-lab-chart ${name}`).getBoundingClientRect()"
    plot, legend, buttons = (page.evaluate(place, name) for name in (".nsewdrag", ".legend", ".modebar"))
    assert legend["top"] > plot["bottom"] and buttons["bottom"] < plot["top"]
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") == 390
