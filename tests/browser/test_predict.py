"""Upload, predict, attribute in Chromium; and what a viewer chooses stands in the address."""

from __future__ import annotations

import contextlib
import re

import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import expect

from tests.analysis_tools import DEEPER, PLAIN, ship
from tests.bad_images import CASES
from tests.browser.test_layers import NAMES
from tests.nets_tools import write_checkpoint
from tests.waiting import PATIENCE, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect.set_options(timeout=PATIENCE * 1000)

#: Milliseconds of one try at a click, before it is made again.
ATTEMPT = 10_000


def choose(page, box: str, option: str) -> None:
    """Picks as a viewer does: once more, where the page was drawn anew under the pointer and the click went nowhere."""
    field = page.get_by_role("combobox", name=box, exact=True)

    def chosen() -> bool:
        if field.input_value() == option:
            return True
        with contextlib.suppress(PlaywrightTimeout):
            field.click(timeout=ATTEMPT)
            page.get_by_role("option", name=option, exact=True).click(timeout=ATTEMPT)
        return False

    wait_for(chosen, f"{option} to be chosen as {box}")


def test_upload_predict_attribute(start_app, open_page, tmp_path):
    ship(tmp_path / "shipped", "plain-20", PLAIN)
    write_checkpoint(tmp_path / "shipped", "resnet-56", DEEPER, seed=5)
    app = start_app(RESNET_LAB_CHECKPOINTS=str(tmp_path / "shipped"))
    page = open_page(f"{app.url}/predict?from=upload&target=the+true+class")
    case, bad = CASES["exif 6 JPEG"], CASES["bomb"]
    files = [{"name": each.name, "mimeType": "image/jpeg", "buffer": each.content()} for each in (case, bad)]
    page.locator("input[type=file]").set_input_files(files)
    expect(page.get_by_text("EXIF rotation applied")).to_be_visible()
    expect(page.get_by_text("declares 30,000 x 30,000")).to_be_visible()
    wait_for(lambda: {PLAIN.name, DEEPER.name} <= {name for chart in page.evaluate(NAMES) for name in chart}, "bars of both nets")
    # Nobody has said what it is: the maps are not of something else instead.
    expect(page.get_by_text("The true class of this picture is not known.").first).to_be_visible()

    choose(page, "Explain", "what each net says")
    maps = page.get_by_role("img", name=re.compile("^Integrated Gradients of"))
    expect(maps).to_have_count(2)
    for picture in maps.all():
        assert picture.bounding_box()["width"] >= 220
    expect(page.get_by_text(re.compile(r"convergence delta \S+ of"))).to_have_count(2)
    choose(page, "Method", "Grad-CAM")
    expect(page.get_by_role("img", name=re.compile("^Grad-CAM of"))).to_have_count(2)
    expect(page).to_have_url(re.compile("method=Grad-CAM"))
    with page.expect_download() as download:
        page.get_by_role("button", name="The row (PNG)").click()
    assert download.value.suggested_filename == "phone-grad-cam.png"

    page.get_by_text("test set", exact=True).click()
    expect(page.get_by_text("test image 0", exact=False).first).to_be_visible()
    page.get_by_role("button", name="Another").click()
    expect(page).to_have_url(re.compile(r"image=\d+"))
    choose(page, "Explain", "a class of my choice")
    # The first of the classes and the one most easily lost: a default does not stand in the address.
    choose(page, "Class to explain", "airplane")
    expect(page).to_have_url(re.compile("explain=airplane"))
    before = page.url
    page.get_by_role("button", name="Another").click()
    expect(page).not_to_have_url(before)
    expect(page).to_have_url(re.compile("explain=airplane"))
    expect(page.get_by_role("img", name=re.compile("^Grad-CAM of .* for airplane"))).to_have_count(2)

    # The uploader forgets its files as soon as it is not drawn; the page does not.
    page.get_by_text("upload", exact=True).click()
    expect(page.get_by_text("Uploaded before: phone")).to_be_visible()
    expect(page.get_by_text("EXIF rotation applied")).to_be_visible()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("Choose an image or several in the sidebar")).to_be_visible()
