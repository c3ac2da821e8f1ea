"""The main journey in headless Chromium: the demo at one click, curves that move and keep the viewer's zoom, refresh, stop, resume,
and cold links.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from resnet_core.architectures import ResNetConfig
from resnet_core.config import DataConfig, Recipe, RunConfig, demo_configs
from resnet_core.figures import style
from resnet_core.runs import RunStore
from tests.nets_tools import write_shipped
from tests.page_tools import write_run
from tests.waiting import PATIENCE, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: Long enough to be still going at the end of the journey on a busy machine, where the browser is slower than the training.
ITERATIONS = 1600
expect.set_options(timeout=PATIENCE * 1000)

#: The live chart of the front page, and Figure 6, which is there where checkpoints ship.
CHART, FIGURE_6 = ".st-key-demo_panel .resnet-lab-chart", ".st-key-figure6 .resnet-lab-chart"
#: What the viewer sees of the live chart: points of each curve, hidden curves, both ranges, and whether it is the element marked before.
STATE = """() => {
  const chart = document.querySelector(".st-key-demo_panel .resnet-lab-chart") || document.querySelector(".resnet-lab-chart");
  if (!chart || !chart._fullLayout) return null;
  const points = Object.fromEntries(chart.data.map((t) => [t.uid, t.x.length === 1 && t.x[0] === null ? 0 : t.x.length]));
  const hidden = chart._fullData.filter((t) => t.visible === "legendonly").map((t) => t.uid);
  const { xaxis, yaxis, paper_bgcolor } = chart._fullLayout;
  return { points, hidden, x: xaxis.range, y: yaxis.range, marked: chart.marked === true, background: paper_bgcolor };
}"""


def state(page: Page) -> dict[str, Any]:
    found = page.evaluate(STATE)
    assert found is not None
    return found


#: Notes, at every picture the browser draws from now on, where the buttons of the demo stand.
SAYS_NOT_FOUND = """
window.notFound = null;
new MutationObserver(() => { if (/not found/i.test(document.body?.innerText)) window.notFound = document.body.innerText; })
    .observe(document, {childList: true, subtree: true, characterData: true});
"""
WATCH_BUTTONS = """() => {
  window.places = new Set();
  const look = () => {
    for (const button of document.querySelectorAll("[class*=st-key-one_of] button")) {
      const { top, height } = button.getBoundingClientRect();
      if (height) window.places.add(Math.round(top + window.scrollY));
    }
    requestAnimationFrame(look);
  };
  look();
}"""


def drawn(page: Page) -> int:
    """Points of all unsmoothed training curves: one for each record."""
    found = page.evaluate(STATE)
    return sum(count for uid, count in found["points"].items() if uid.endswith("-raw")) if found else 0


def wait_for_more(page: Page, than: int) -> int:
    wait_for(lambda: drawn(page) > than, f"more than {than} points")
    return drawn(page)


def zoom(page: Page) -> None:
    """Drags a box over the lower middle of the chart."""
    box = page.locator(f"{CHART} .nsewdrag").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.1)
    page.mouse.down()
    for step in range(1, 6):
        page.mouse.move(box["x"] + box["width"] * (0.2 + 0.08 * step), box["y"] + box["height"] * (0.1 + 0.12 * step))
    page.mouse.up()


def states(store: RunStore) -> list[str]:
    return [run.state().state for run in store.runs()]


def button(page: Page, name: str):
    return page.get_by_role("button", name=name)


def assert_no_traceback(page: Page) -> None:
    assert page.get_by_test_id("stException").count() == 0
    assert "Traceback" not in page.inner_text("body")


def top(page: Page, selector: str) -> float:
    """How far down the page an element begins, in pixels."""
    return page.locator(selector).bounding_box()["y"]


def test_the_main_journey(start_app, open_page, tmp_path):
    store = RunStore()
    for shortcut, end in (("none", 12.0), ("A", 8.0)):
        write_shipped(tmp_path / "checkpoints", RunConfig(ResNetConfig(20, shortcut), DataConfig("cifar10"), Recipe(16_000)), end)
    app = start_app(RESNET_LAB_DEMO_ITERATIONS=str(ITERATIONS), RESNET_LAB_CHECKPOINTS=str(tmp_path / "checkpoints"))
    page = open_page(app.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Deeper, and worse: the degradation problem")
    # Figure 6 from the nets that ship, before anything is trained, and the demo's button beside it.
    expect(page.locator(f"{FIGURE_6} .js-line").first).to_be_attached()
    expect(page.locator(f"{CHART} .main-svg").first).to_be_visible()
    assert top(page, FIGURE_6) < top(page, CHART) and button(page, "Run the demo").bounding_box()["y"] < top(page, CHART)

    # One click, and the curves move, on top of the page.
    button(page, "Run the demo").click()
    expect(button(page, "Stop the demo")).to_be_visible()
    wait_for(lambda: states(store) == ["running", "queued", "queued", "queued"], "the first training")
    wait_for(lambda: any(uid.startswith("plain-20-") for uid in (page.evaluate(STATE) or {"points": ()})["points"]), "its curve")
    wait_for(lambda: page.locator(FIGURE_6).count() == 1 and top(page, CHART) < top(page, FIGURE_6), "Figure 6 to follow below")
    first = wait_for_more(page, 2)
    page.evaluate(f"document.querySelector('{CHART}').marked = true")
    wait_for_more(page, first)

    # The viewer's zoom survives the updates.
    before = state(page)
    zoom(page)
    wait_for(lambda: state(page)["x"] != before["x"], "the zoom")
    zoomed = state(page)
    assert zoomed["x"][0] > before["x"][0] and zoomed["x"][1] < before["x"][1]
    assert zoomed["y"][0] > before["y"][0] and zoomed["y"][1] < before["y"][1]
    count = wait_for_more(page, wait_for_more(page, drawn(page)))
    after = state(page)
    assert (after["x"], after["y"]) == (zoomed["x"], zoomed["y"])

    # So do hidden curves: those of plain-56, all of them.
    page.locator(f"{CHART} .legendtoggle").nth(1).click()
    wait_for(lambda: state(page)["hidden"], "the curves to hide")
    count = wait_for_more(page, wait_for_more(page, count))
    after = state(page)
    plain_56 = store.find(demo_configs(0, ITERATIONS)[1]).id
    assert sorted(after["hidden"]) == sorted(f"{plain_56}-{kind}" for kind in ("raw", "train", "test", "label"))
    assert (after["x"], after["y"]) == (zoomed["x"], zoomed["y"])
    assert after["marked"], "the chart was put there anew, which flickers"
    assert_no_traceback(page)

    # A refresh, and a second viewer, find the training going on.
    page.reload()
    wait_for_more(page, count - 1)
    expect(button(page, "Stop the demo")).to_be_visible()
    wait_for_more(page, drawn(page))
    other = open_page(app.url)
    expect(button(other, "Stop the demo")).to_be_visible()
    wait_for_more(other, count)

    # Stopped, it stands still, for both; resumed, it goes on where it was. The one button stands where the other stood, from the first
    # moment on: one that jumps from under the pointer as it is pressed does nothing.
    page.evaluate(WATCH_BUTTONS)
    button(page, "Stop the demo").click()
    expect(button(page, "Resume the demo")).to_be_visible()
    expect(button(other, "Resume the demo")).to_be_visible()
    assert states(store) == ["stopped"] * 4
    run = store.runs()[0]
    stopped_at = run.state().iteration
    assert drawn(page) == len(run.records("train"))
    button(page, "Resume the demo").click()
    expect(button(page, "Stop the demo")).to_be_visible()
    wait_for(lambda: run.state().iteration > stopped_at, "the training to go on")
    wait_for_more(page, len([row for row in run.records("train") if row["iteration"] <= stopped_at]))
    seen = [row["iteration"] for row in run.records("train")]
    assert seen == sorted(set(seen))
    assert len(page.evaluate("[...window.places]")) == 1

    # From the front page to the runs, and to Compare by a link of its own.
    page.get_by_role("link", name="Stop, resume or delete single runs").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Train")
    expect(page.get_by_role("tab", name="Runs")).to_have_attribute("aria-selected", "true")
    link = page.get_by_role("link", name="Compare these runs")
    expect(link).to_be_visible()
    cold = open_page(f"{app.url}/compare?runs={run.id}")
    expect(cold.get_by_role("heading", level=1)).to_have_text("Compare")
    expect(cold.locator(".resnet-lab-chart .main-svg").first).to_be_visible()
    assert_no_traceback(cold)
    button(page, "Stop all").click()
    wait_for(lambda: set(states(store)) == {"stopped"}, "all to be stopped")
    wait_for(lambda: cold.evaluate(STATE)["points"], "the curves of the cold link")
    assert_no_traceback(page)


def test_a_short_demo_ends_with_a_verdict(start_app, open_page):
    app = start_app(RESNET_LAB_DEMO_ITERATIONS="3", RESNET_LAB_SLOTS="")  # as it is by default
    page = open_page(app.url)
    button(page, "Run the demo").click()
    expect(button(page, "Train another seed")).to_be_visible()
    assert states(RunStore()) == ["finished"] * 4
    # Three iterations show nothing, and the page says so.
    expect(page.get_by_text(re.compile("So early the curves show how fast nets learn"))).to_be_visible()
    table = page.get_by_role("table")
    expect(table.get_by_role("row")).to_have_count(3)
    expect(table).to_contain_text("residual")
    assert drawn(page) == 12
    assert_no_traceback(page)


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("train", "Train"),
        ("train?tab=Runs", "Train"),
        ("compare?runs={run}", "Compare"),
        ("architectures", "Architectures"),
        ("complexity", "Architectures"),
        ("paper?own=true", "Paper: claim by claim"),
        ("predict", "Predict"),
    ],
)
def test_a_cold_link_to_a_server_just_started(start_app, open_page, monkeypatch, path, title):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    run = write_run(RunStore(), demo_configs(0, 40)[0], 50.0)
    # What the page says while it is drawn: as long as Streamlit does not know the pages it takes any link for one to nowhere.
    page = open_page(f"{start_app().url}/{path.format(run=run.id)}", script=SAYS_NOT_FOUND, color_scheme="dark")
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    for name in ("Home", "Paper"):
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    for name in ("Train", "Look inside", "Nets"):
        expect(page.get_by_test_id("stTopNavSection").filter(has_text=name)).to_be_visible()
    assert page.evaluate("window.notFound") is None
    if "run" in path.lower():
        wait_for(lambda: page.evaluate(STATE), "the chart")
        assert state(page)["background"] == style.BACKGROUNDS[True]
    assert_no_traceback(page)


def test_a_viewer_without_the_chart_library_is_told_so(start_app, open_page, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    page = open_page("about:blank")
    page.route("**/app/static/**", lambda route: route.fulfill(status=200, content_type="text/javascript", body=""))
    app = start_app()
    page.goto(app.url)
    expect(page.get_by_text("The chart could not be drawn: the chart library could not be loaded from").first).to_be_visible()
