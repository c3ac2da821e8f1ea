"""Every page, visited once, by a browser that speaks Chinese: no English sentence is left, no button is cut, and axe-core finds no serious
violation in either theme (it looks at structure and colours, which are the same in all languages)."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from resnet_core.config import demo_configs
from resnet_core.runs import RunStore
from tests.browser.axe import violations_in_both_themes
from tests.chinese import english
from tests.page_tools import write_run
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = (
    "", "learn", "learn?lesson=deeper-and-worse&step=2",
    "learn?lesson=deeper-and-worse&step=3", "paper", "myths", "train", "train?tab=Runs", "compare", "responses", "gradients",
    "predict", "experiments", "checkpoints", "checkpoints?section=Import", "architectures",
)  # fmt: skip
#: Texts as they are seen, a paragraph or a label of a chart each, and what only a reader of the screen is told. Code, the names of icons
#: and the words of Streamlit's own parts (its menus, tables and uploader) are nobody's to translate here.
TEXTS = """() => {
  const out = [], skip = "script, style, code, noscript, header, canvas, .modebar, [role=img], [data-testid=stIconMaterial], "
    + "[data-testid$=Icon], [data-testid=stFileUploaderDropzone]";
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.parentElement.closest(skip)) out.push(node.textContent);
  }
  return out;
}"""
CUT = """() => [...document.querySelectorAll("button p, label p, [role=tab] p, [data-testid=stMetricLabel] p")]
  .filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflow !== "visible").map((one) => one.textContent)"""
CHARTS = (
    "[...document.querySelectorAll('.resnet-lab-chart')].map((chart) => [chart.getAttribute('role'), chart.getAttribute('aria-label')])"
)
#: A chart that is drawn has its sentence, and a table that is wider than its place can have the focus.
DRAWN = """() => [...document.querySelectorAll(".resnet-lab-chart")].every((chart) => chart.ariaLabel)
  && [...document.querySelectorAll("[data-testid=stMarkdownContainer] > table, [data-testid=stTable] > div")]
    .every((each) => each.scrollWidth <= each.clientWidth || each.tabIndex === 0)"""
#: What a page is still to draw comes within this time.
QUIET = """() => new Promise((done) => {
  let timer = setTimeout(done, 400);
  const seen = new MutationObserver(() => { clearTimeout(timer); timer = setTimeout(done, 400); });
  seen.observe(document.body, { subtree: true, childList: true });
})"""
#: What the pages look at once a second they look at at once.
HURRY = "window.setInterval = ((set) => (call, every) => set(call, every === 1000 ? 50 : every))(setInterval)"
#: Not by the mouse: where a page is drawn again meanwhile, what was to be clicked is another element.
UNFOLD = "document.querySelectorAll('[data-testid=stExpander] details:not([open]) summary').forEach((one) => one.click())"


def settled(page: Page) -> None:
    """Waits until the page has been drawn, and no computation keeps it."""
    expect(page.locator("h1")).to_be_visible(timeout=PATIENCE * 1000)
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_attached(timeout=PATIENCE * 1000)


def test_every_page_is_in_chinese_and_for_everybody(start_app, open_page):
    store = RunStore()
    for config in demo_configs(iterations=400)[:2]:
        write_run(store, config, 40.0)
    app = start_app(RESNET_LAB_SLOTS="0")
    page = open_page("about:blank", HURRY, viewport={"width": 1280, "height": 800}, locale="zh-CN")
    left, cut, found, charts = {}, {}, {}, 0
    for address in PAGES:
        page.goto(f"{app.url}/{address}")
        settled(page)
        page.evaluate(UNFOLD)
        settled(page)
        page.evaluate(QUIET)
        page.wait_for_function(DRAWN)
        texts = page.evaluate(TEXTS)
        assert re.search("[\u4e00-\u9fff]", "".join(texts)), address
        left |= dict.fromkeys(english(texts), address)
        cut |= dict.fromkeys(page.evaluate(CUT), address)
        drawn = page.evaluate(CHARTS)
        assert all(role == "figure" and name for role, name in drawn), address
        charts += len(drawn)
        found |= dict.fromkeys(violations_in_both_themes(page), address)
    assert left == {}, left
    assert cut == {}
    assert found == {}
    assert charts >= 8
