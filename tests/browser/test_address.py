"""Back and the top navigation keep the view of each page, and no page's parameters stand in another's address."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from resnet_core.config import demo_configs
from resnet_core.runs import RunStore
from tests.page_tools import write_run
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect.set_options(timeout=PATIENCE * 1000)


def to(page: Page, title: str, section: str | None = None) -> None:
    """By the navigation; a page in a section by the section's menu."""
    if section is None:
        page.get_by_role("link", name=title, exact=True).first.click()
    else:
        page.get_by_test_id("stTopNavSection").filter(has_text=section).click()
        page.get_by_role("menuitem", name=title, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(f"^{title}"))


def view(page: Page) -> tuple[str, dict[str, list[str]]]:
    parts = urlsplit(page.url)
    return parts.path, parse_qs(parts.query)


def test_back_and_the_navigation_keep_the_view(start_app, open_page, tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    run = write_run(RunStore(), demo_configs(iterations=400)[0], 50.0)
    app = start_app(RESNET_LAB_CHECKPOINTS=str(tmp_path / "none"), RESNET_LAB_SLOTS="0")
    page = open_page(f"{app.url}/train")
    page.get_by_role("tab", name="Runs").click()
    expect(page).to_have_url(re.compile("tab=Runs"))

    to(page, "Compare", "Train")
    page.get_by_text("loss", exact=True).click()
    expect(page).to_have_url(re.compile("metric=loss"))
    page.get_by_text("epochs", exact=True).click()
    expect(page).to_have_url(re.compile("x=epochs"))
    compared = ("/compare", {"runs": [run.id], "metric": ["loss"], "x": ["epochs"]})
    assert view(page) == compared

    to(page, "Paper")
    expect(page).to_have_url(re.compile("/paper$"))
    to(page, "Compare", "Train")
    expect(page.get_by_role("radio", name="loss")).to_be_checked()
    expect(page.get_by_role("radio", name="epochs")).to_be_checked()
    expect(page).to_have_url(re.compile("x=epochs"))

    # One step back a page, however much was chosen on it.
    for title, path, query in (("Paper", "/paper", {}), ("Compare", *compared), ("Train", "/train", {"tab": ["Runs"]})):
        page.go_back()
        expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(f"^{title}"))
        if title == "Compare":
            expect(page.get_by_role("radio", name="loss")).to_be_checked()
        assert view(page) == (path, query)
    expect(page.get_by_role("tab", name="Runs")).to_have_attribute("aria-selected", "true")
