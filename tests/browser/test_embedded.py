"""A chart alone in an iframe of a course page, and the button that gives its address."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.axe import violations
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect.set_options(timeout=PATIENCE * 1000)


def test_a_course_page_shows_one_chart_alone(root: Path, start_app, open_page):
    app = start_app(RESNET_LAB_SLOTS="0", RESNET_LAB_CHECKPOINTS=str(root / "checkpoints"))
    page = open_page(f"{app.url}/compare?metric=loss")
    expect(page.get_by_role("figure")).to_be_visible()
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="This chart alone").click()
    address = opened.value.url
    assert "embed=true&chart=compare" in address and "metric=loss" in address
    opened.value.close()

    course = f'<html lang="en"><title>Course</title><h1>Course</h1><iframe src="{address}" width="800" height="450" title="Chart">'
    page.route("**/course.html", lambda route: route.fulfill(body=course, content_type="text/html"))
    page.goto(f"{app.url}/course.html")
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("figure")).to_be_visible()
    box, figure = page.locator("iframe").bounding_box(), frame.get_by_role("figure").bounding_box()
    assert figure["width"] > 760 and figure["y"] + figure["height"] < box["y"] + box["height"]  # nothing of it is cut
    assert frame.get_by_role("heading").count() == 0 and frame.get_by_role("navigation").count() == 0
    expect(frame.get_by_role("link")).to_have_count(1)
    whole = frame.get_by_role("link", name="The whole page in ResNet Lab").get_attribute("href")
    assert whole.startswith(f"{app.url}/compare?metric=loss&runs=") and "embed" not in whole and "chart" not in whole
    assert violations(page) == []
