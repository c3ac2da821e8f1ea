"""The app in Chinese, in a real browser: no English sentence is left on any page, no button is cut, and the language can be changed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from resnet_core.config import demo_configs
from resnet_core.runs import RunStore
from tests.browser.conftest import PATIENCE
from tests.page_tools import write_run

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = (
    "", "learn", "learn?lesson=deeper-and-worse&step=2", "paper", "myths", "train", "train?tab=Runs", "compare", "responses", "gradients",
    "predict", "experiments", "checkpoints", "checkpoints?section=Import", "architectures",
)  # fmt: skip
#: Texts as they are seen, a paragraph or a label of a chart each, and what only a reader of the screen is told. Code, the names of icons
#: and the words of Streamlit's own parts (its menus, tables and uploader) are nobody's to translate here.
TEXTS = """() => {
  const out = [], skip = "script, style, code, noscript, header, canvas, .modebar, [data-testid=stIconMaterial], "
    + "[data-testid=stFileUploaderDropzone]";
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.parentElement.closest(skip)) out.push(node.textContent);
  }
  return out;
}"""
CUT = """() => [...document.querySelectorAll("button p, label p, [role=tab] p, [data-testid=stMetricLabel] p")]
  .filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflow !== "visible").map((one) => one.textContent)"""
#: Titles and authors of papers, names of projects, commands: they stay as they were published.
QUOTED = re.compile(
    r"“[^”]*”|state dict|\w+ icon|Skip to main content|[\w.-]+/[\w.-]+|python -m [\w .]+|"
    r"[A-Z][\w:'-]*(?: (?:[A-Z][\w:'-]*|by|of|to|with|and|for|the|are|in|on|a|not))+"
)
ENGLISH = re.compile(r"\b[a-z]{2,},? [a-z]{2,}\b")


def settled(page: Page) -> None:
    """Waits until the page has been drawn, and no computation keeps it."""
    expect(page.locator("h1")).to_be_visible(timeout=PATIENCE * 1000)
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_attached(timeout=PATIENCE * 1000)


@pytest.fixture
def chinese(browser: Browser):
    """A page of a browser that speaks Chinese."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN")
    yield context.new_page()
    context.close()


def test_a_chinese_browser_finds_no_english(start_app, chinese):
    store = RunStore()
    for config in demo_configs(iterations=400)[:2]:
        write_run(store, config, 40.0)
    app = start_app(RESNET_LAB_SLOTS="0")
    left, cut = {}, {}
    for address in PAGES:
        chinese.goto(f"{app.url}/{address}")
        settled(chinese)
        # Not by the mouse: where a page is drawn again meanwhile, what was to be clicked is another element.
        chinese.evaluate("document.querySelectorAll('[data-testid=stExpander] details:not([open]) summary').forEach((one) => one.click())")
        chinese.wait_for_timeout(500)
        texts = chinese.evaluate(TEXTS)
        assert re.search("[\u4e00-\u9fff]", "".join(texts)), address
        left |= {text: address for text in texts if ENGLISH.search(QUOTED.sub("", text))}
        cut |= dict.fromkeys(chinese.evaluate(CUT), address)
    assert left == {}
    assert cut == {}


def test_the_language_is_changed_and_stays_in_the_link(start_app, browser):
    app = start_app(RESNET_LAB_SLOTS="0")
    page = browser.new_context(locale="en-GB").new_page()
    page.goto(f"{app.url}/compare?seeds=mean+and+range")
    settled(page)
    expect(page.get_by_role("heading", name="Compare", exact=True)).to_be_visible()
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", name="比较", exact=True)).to_be_visible(timeout=PATIENCE * 1000)
    assert "lang=zh" in page.url
    page.get_by_role("link", name="论文").click()
    expect(page.get_by_role("heading", name="论文：逐条来看")).to_be_visible(timeout=PATIENCE * 1000)
    expect(page).to_have_url(re.compile("paper.*lang=zh"))
    link = page.url
    elsewhere = browser.new_context(locale="en-GB").new_page()
    elsewhere.goto(link)
    expect(elsewhere.get_by_role("heading", name="论文：逐条来看")).to_be_visible(timeout=PATIENCE * 1000)
    # What is no title, but a name, stays: "seeds" and "test" are sentences too.
    elsewhere.goto(f"{app.url}/learn?lang=zh&open=seeds&seed=3&error=test")
    expect(elsewhere.get_by_role("heading", name="种子库")).to_be_visible(timeout=PATIENCE * 1000)
    expect(elsewhere).to_have_url(re.compile("open=seeds.*error=test|error=test.*open=seeds"))
    # A link holds titles in the language of its sender, and shows the same in another.
    elsewhere.goto(f"{app.url}/compare?lang=en&seeds=均值与范围&metric=损失")
    expect(elsewhere.get_by_role("heading", name="Compare", exact=True)).to_be_visible(timeout=PATIENCE * 1000)
    expect(elsewhere.get_by_text("The link asks for")).to_have_count(0)
    expect(elsewhere).to_have_url(re.compile("metric=loss"))
    for one in browser.contexts:
        one.close()
