"""What readers of the screen and those without a mouse are given: tables that scroll, charts as tables, progress that is told."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from resnet_core.config import demo_configs
from resnet_core.runs import RunStore
from tests.browser.axe import violations
from tests.browser.test_every_page import settled
from tests.page_tools import write_run
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture
def app(start_app):
    store = RunStore()
    for config in demo_configs(iterations=400)[:2]:
        write_run(store, config, 40.0)
    return start_app(RESNET_LAB_SLOTS="0")


def test_a_phone_scrolls_wide_tables_by_keyboard_and_the_document_says_its_language(app, open_page):
    page = open_page(f"{app.url}/architectures", viewport={"width": 390, "height": 844}, locale="zh-CN")
    settled(page)
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.locator('[data-testid="stMarkdownContainer"] > table[tabindex="0"]').first).to_be_attached()
    assert violations(page) == []


def test_a_chart_has_its_numbers_as_a_table_for_the_keyboard(app, open_page):
    page = open_page(f"{app.url}/train?tab=Runs")
    settled(page)
    chart = page.get_by_role("figure")
    expect(chart).to_have_attribute("aria-label", re.compile(r"^Chart: error \(%\) by iteration\. It shows plain-20, "))
    summary = page.locator(".resnet-lab-chart-data summary")
    summary.focus()
    page.keyboard.press("Enter")
    rows = page.locator(".resnet-lab-chart-data tr")
    expect(rows.first).to_have_text("curveiterationerror (%)")
    curves = page.evaluate("document.querySelector('.resnet-lab-chart')._fullData.filter(({ hoverinfo }) => hoverinfo !== 'skip')")
    last = [[f"{curve['name']}, {curve['meta']}", f"{curve['x'][-1]:g}", f"{curve['y'][-1]:.4g}"] for curve in curves if curve["y"][-1]]
    told = [row.locator("th, td").all_inner_texts() for row in rows.all()]
    assert last and all(each in told for each in last) and len(told) <= 61
    page.keyboard.press("Tab")
    expect(page.get_by_role("region", name="Data as a table")).to_be_focused()
    # A camera and its like, by keyboard.
    assert page.evaluate("[...document.querySelectorAll('.modebar-btn')].every((each) => each.tagName === 'BUTTON' && each.ariaLabel)")


def test_progress_is_told_politely_and_seldom(app, open_page):
    page = open_page(
        app.url, script="window.setInterval = ((set) => (call, every) => set(call, every === 10000 ? 400 : every))(setInterval)"
    )
    settled(page)
    region = page.get_by_test_id("progress-aloud")
    expect(region).to_have_attribute("role", "status")
    expect(region).to_have_text("")
    bar = '<div data-testid="stProgress"><span data-testid="stIconMaterial">model_training</span>plain-56 3 of 9<i role="progressbar"'
    page.evaluate(f"""document.body.insertAdjacentHTML("beforeend", '{bar} aria-valuetext="33%"></i></div>')""")
    expect(region).to_have_text("33% plain-56 3 of 9")
