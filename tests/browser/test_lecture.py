"""The lecture file in a browser that has no network: its charts are drawn, the slider moves them, and the theme can be switched."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from resnet_core.config import demo_configs
from resnet_core.lecture import lecture
from resnet_core.lessons import lessons
from tests.browser.axe import violations
from tests.test_lecture import EVIL, run

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LAYERS = "document.querySelector('#response_std .plot')._fullData.map(({ y }) => Array.from(y))"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
PAPER = "document.querySelector('#curves .plot')._fullLayout.paper_bgcolor"


def test_a_lecture_needs_no_network(browser: Browser, tmp_path: Path):
    names = {"plain-20": EVIL, "plain-56": "plain-56"}
    runs = [run(config, 10.0, names[config.model.name], layers=3) for config in demo_configs() if config.model.is_plain]
    path = tmp_path / "lecture.html"
    path.write_text(lecture(runs, lessons("en")[0]), encoding="utf-8")
    context = browser.new_context(offline=True, color_scheme="light")
    try:
        page = context.new_page()
        asked: list[str] = []
        told: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("dialog", lambda dialog: told.append(dialog.message))
        page.goto(path.as_uri())
        expect(page.locator("#curves .plot .legend")).to_be_visible()
        expect(page.locator("#iteration")).to_have_text("352")
        assert page.evaluate(LAYERS) == [[3, 4, 5], [3, 4, 5]]
        assert violations(page) == []

        slider = page.get_by_role("slider", name="Iteration")
        slider.focus()
        slider.press("Home")
        expect(page.locator("#iteration")).to_have_text("0")
        slider.press("ArrowRight")
        expect(page.locator("#iteration")).to_have_text("100")
        assert page.evaluate(LAYERS) == [[1, 2, 3], [1, 2, 3]]
        page.locator("#response_std summary").click()
        expect(page.locator("#response_std caption")).to_have_text("Layer responses, after iteration 100")
        expect(page.locator("#response_std td").first).to_have_text("1")

        page.get_by_role("button", name="Play").click()
        expect(page.locator("#iteration")).to_have_text("352")
        expect(page.get_by_role("button", name="Play")).to_be_visible()  # it has stopped

        light = page.evaluate(BACKGROUND), page.evaluate(PAPER)
        page.get_by_role("button", name="Light or dark").click()
        dark = page.evaluate(BACKGROUND), page.evaluate(PAPER)
        assert light == ("rgb(255, 255, 255)", "#ffffff") and dark == ("rgb(14, 17, 23)", "#0e1117")
        assert violations(page) == []
        assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] and told == []
    finally:
        context.close()
