"""A lesson in the browser: a curve is drawn with the mouse and by keyboard, locked, and the true one lies over it; arrow keys step."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from resnet_core.questions import POINTS
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect.set_options(timeout=PATIENCE * 1000)
TRACES = "document.querySelector('.resnet-lab-chart')._fullData.map(({ name, x, y }) => [name, x.length, Array.from(y).slice(0, 17)])"


def press(page: Page, key: str) -> None:
    """A key for the page, whose buttons are there only when it has been drawn to its end."""
    expect(page.locator(".st-key-learn-next button")).to_be_attached()
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    page.keyboard.press(key)


def stroke(page: Page, *points: tuple[float, float]) -> None:
    """With the mouse, through points of the drawing, as parts of its width and height."""
    box = page.get_by_role("slider").bounding_box()
    assert box is not None
    for index, (x, y) in enumerate(points):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        if index == 0:
            page.mouse.down()
    page.mouse.up()


def test_a_drawn_curve_locks_and_the_true_one_is_drawn_over_it(start_app, open_page, tmp_path):
    app = start_app(RESNET_LAB_CHECKPOINTS=str(tmp_path / "none"), RESNET_LAB_SLOTS="0")
    page = open_page(f"{app.url}/learn?lesson=deeper-and-worse&step=2")
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Which of the two learns the images better?")
    press(page, "ArrowRight")
    expect(heading).to_have_text("Draw the residual net")
    drawing, lock = page.get_by_role("slider"), page.get_by_role("button", name="Lock my curve")
    expect(lock).to_be_disabled()
    stroke(page, (0.02, 0.1), (0.5, 0.45))
    expect(lock).to_be_enabled()
    # The rest of it by keyboard, whose arrow keys do not turn the page.
    drawing.focus()
    drawing.press("End")
    drawing.press("PageDown")
    expect(drawing).to_have_attribute("aria-valuetext", re.compile(r"^iteration: 352\. training error \(%\): \d"))
    drawing.press("ArrowLeft")
    drawing.press("ArrowRight")
    expect(heading).to_have_text("Draw the residual net")
    expect(page.locator(".resnet-lab-chart")).to_have_count(0)
    lock.click()

    expect(page.locator(".resnet-lab-chart .legend")).to_be_visible()
    expect(drawing).to_have_count(0)
    drawn, *true = page.evaluate(TRACES)
    assert (drawn[0], drawn[1]) == ("your prediction", POINTS) and [name for name, *_ in true] == ["ResNet-56", "plain-56"]
    assert drawn[2] == sorted(drawn[2], reverse=True) and drawn[2][0] > 80 > drawn[2][15]
    expect(page).to_have_url(re.compile(r"answers=draw(%3A|:)\d+"))

    cold = open_page(page.url)
    expect(cold.locator(".resnet-lab-chart .legend")).to_be_visible()
    assert cold.evaluate(TRACES)[0][2] == drawn[2]

    # In the presenter view there is nothing to press, and the arrow keys step and reveal.
    cold.get_by_role("button", name="Presenter view").click()
    expect(cold.get_by_role("button", name="Next")).to_have_count(0)
    expect(cold).to_have_url(re.compile("present=true"))
    press(cold, "ArrowLeft")
    expect(cold.get_by_role("heading", level=1)).to_have_text("Which of the two learns the images better?")
    expect(cold.locator(".resnet-lab-chart")).to_have_count(0)
    press(cold, "ArrowRight")
    expect(cold.locator(".resnet-lab-chart .legend")).to_be_visible()
    press(cold, "ArrowRight")
    expect(cold.get_by_role("heading", level=1)).to_have_text("Draw the residual net")
    press(cold, "Escape")
    expect(cold.get_by_role("button", name="Next")).to_be_visible()
