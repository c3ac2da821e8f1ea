"""Layer responses and Gradients by their own addresses: charts are drawn, the slider moves them and the address."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.analysis_tools import PLAIN, RESIDUAL, ship
from tests.waiting import PATIENCE, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect.set_options(timeout=PATIENCE * 1000)
#: What each chart of the page draws: its traces' names.
NAMES = """() => [...document.querySelectorAll(".resnet-lab-chart")].map((chart) => (chart._fullData || []).map((trace) => trace.name))"""


def wait_for_charts(page: Page, *names: list[str]) -> None:
    wait_for(lambda: page.evaluate(NAMES) == list(names), f"charts of {names}, not {page.evaluate(NAMES)}")


def test_both_pages_by_cold_links(start_app, open_page, tmp_path):
    ship(tmp_path / "shipped", "plain-20", PLAIN, 2.0)
    ship(tmp_path / "shipped", "resnet-20", RESIDUAL)
    app = start_app(RESNET_LAB_CHECKPOINTS=str(tmp_path / "shipped"))
    page = open_page(f"{app.url}/responses?n=100", color_scheme="dark")
    both = [PLAIN.name, RESIDUAL.name]
    panels = [PLAIN.name, PLAIN.name, RESIDUAL.name, RESIDUAL.name]
    wait_for_charts(page, panels, [PLAIN.name, RESIDUAL.name, RESIDUAL.name])  # the residual net untrained, too

    page.get_by_text("in training", exact=True).click()
    wait_for_charts(page, panels)
    expect(page.get_by_text("Snapshots of iteration 200.")).to_be_visible()
    slider = page.get_by_role("slider")
    slider.focus()
    slider.press("ArrowLeft")
    expect(page.get_by_text("Snapshots of iteration 150.")).to_be_visible()
    expect(page).to_have_url(re.compile("at=150"))

    cold = open_page(f"{app.url}/gradients?nets=plain-20&nets=resnet-20&at=100&depths=8&family=plain")
    wait_for_charts(cold, both, both, ["plain-8", "plain-8"])
    expect(cold.get_by_role("heading", name="Layer by layer at iteration 100")).to_be_visible()

    # Beside the sidebar on a small projector: all sections by name, none behind a button "2 more".
    cold.set_viewport_size({"width": 1280, "height": 720})
    expect(cold.get_by_role("button", name="Nets", exact=True)).to_be_in_viewport()
    expect(cold.get_by_role("button", name=re.compile(r"^\d+ more"))).to_have_count(0)


def test_a_heat_map_is_drawn_anew_where_the_window_becomes_narrow(start_app, open_page, tmp_path):
    """A colour bar moves from the side to below: plotly fails unless it is taken away in between."""
    ship(tmp_path / "shipped", "plain-20", PLAIN, 2.0)
    app = start_app(RESNET_LAB_CHECKPOINTS=str(tmp_path / "shipped"))
    page = open_page(f"{app.url}/gradients", viewport={"width": 1280, "height": 800})
    bar = "() => document.querySelector('.st-key-heat_chart .resnet-lab-chart')?._fullLayout?.coloraxis?.colorbar?.orientation"
    for width, wanted in ((1280, "v"), (390, "h"), (1280, "v")):
        page.set_viewport_size({"width": width, "height": 800})
        wait_for(lambda wanted=wanted: page.evaluate(bar) == wanted, f"the colour bar to be {wanted}")
        page.wait_for_timeout(500)
        expect(page.get_by_text("could not be drawn")).to_have_count(0)
        size = page.locator(".st-key-heat_chart .nsewdrag").first.bounding_box()
        assert size["height"] > 150 and size["width"] > 200
