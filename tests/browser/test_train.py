"""Train in Chromium: the first click after the runs were looked at, and a number of one digit typed over another."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from resnet_core.config import demo_configs
from resnet_core.runs import RunStore
from tests.waiting import PATIENCE, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: Milliseconds between two keys: no hand is as quick as a script, and the table takes the keyboard back only after a moment.
HUMAN = 200

expect.set_options(timeout=PATIENCE * 1000)


def test_the_first_click_and_a_number_of_one_digit(start_app, open_page, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    RunStore().submit(demo_configs()[0])  # it stays in the queue, so that the runs are looked at again and again
    app = start_app(RESNET_LAB_SLOTS="0")
    page = open_page(f"{app.url}/train?tab=Runs")
    expect(page.get_by_text("next in the queue")).to_be_visible()
    page.get_by_role("tab", name="Set up").click()
    page.get_by_role("button", name="Shortcuts A, B, C").click()  # once
    cells = page.locator("[data-testid=stDataFrame] canvas table").first.locator("tr").nth(3).locator("td")
    wait_for(lambda: cells.nth(0).inner_text() == "ResNet-20-B", "the table of the other preset")

    table = page.locator("[data-testid=stDataFrame]").first
    lines = page.locator("[data-testid=stDataFrame] canvas table").first.locator("tr")
    # Net and seed: where they lie on the canvas, their accessible twins do not say; the columns share the width.
    retyped = [(0, 0.08, "plain-56"), *((1, 0.2, digit) for digit in "56789"), (0, 0.08, "8")]
    for column, place, text in retyped:
        expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
        box = table.bounding_box()
        row = box["height"] / (lines.count() + 1)
        page.mouse.dblclick(box["x"] + box["width"] * place, box["y"] + row * 3.5)
        expect(page.locator(".gdg-input")).to_be_focused()
        for key in ("Control+a", *text, "Enter"):
            page.wait_for_timeout(HUMAN)
            page.keyboard.press(key)
        wait_for(lambda column=column, text=text: cells.nth(column).inner_text() == text, f"{text} in column {column}")

    # What stands in an open editor is not lost to the click on a button that fills the table anew.
    page.mouse.dblclick(box["x"] + box["width"] * 0.2, box["y"] + row * 3.5)
    expect(page.locator(".gdg-input")).to_be_focused()
    for key in ("Control+a", "3"):
        page.wait_for_timeout(HUMAN)
        page.keyboard.press(key)
    page.get_by_role("button", name="Add net").click()
    wait_for(lambda: lines.count() == 6, "the net that was added")  # with the headings
    wait_for(lambda: cells.nth(1).inner_text() == "3", "the seed that was typed before")

    # Depth by the keyboard alone, by the name that it is read out with; what cannot be is told at once.
    depth = page.get_by_role("combobox", name="Depth", exact=True)
    for text, said in (("21", page.get_by_role("alert")), ("38", page.get_by_text("ResNet-38"))):
        depth.focus()
        page.keyboard.type(text, delay=HUMAN)
        page.keyboard.press("Enter")
        expect(said.first).to_contain_text("the nearest valid depths are 20 and 26" if text == "21" else "ResNet-38")
