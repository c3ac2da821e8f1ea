"""The language is changed in a real browser, and stays in a link."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_every_page import settled
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]


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
