"""The way of a checkpoint from elsewhere in headless Chromium: refused, recognised, asked about, kept, evaluated, taken away, deleted."""

from __future__ import annotations

import io
import re
from pathlib import Path

import psutil
import pytest
import torch
from playwright.sync_api import Page, expect

from resnet_core.architectures import ResNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.nets import catalog, find
from resnet_core.nets.catalog import imported_folder
from tests.command_line import named
from tests.imports_nets import Akamaster, randomized
from tests.waiting import PATIENCE, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]
expect.set_options(timeout=PATIENCE * 1000)


def upload(page: Page, name: str, content: bytes) -> None:
    page.locator("input[type=file]").set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": content})


def a_file_of_akamasters() -> bytes:
    state = {f"module.{key}": value for key, value in randomized(Akamaster(8, width=4)).state_dict().items()}
    held = io.BytesIO()
    torch.save({"state_dict": state, "best_prec1": 91.25}, held)
    return held.getvalue()


def metric(page: Page, label: str):
    return page.get_by_test_id("stMetric").filter(has=page.get_by_text(label, exact=True)).get_by_test_id("stMetricValue")


def test_the_way_of_a_checkpoint_from_elsewhere(start_app, open_page, tmp_path: Path):
    app = start_app(RESNET_LAB_CHECKPOINTS=str(tmp_path / "none"), RESNET_LAB_SLOTS="0")
    page = open_page(f"{app.url}/checkpoints?section=Import")
    expect(page.get_by_role("heading", level=1)).to_have_text("Checkpoints")
    expect(page.get_by_role("tab", name="Import")).to_have_attribute("aria-selected", "true")
    content = a_file_of_akamasters()

    # A file that breaks off is refused in words, and nothing is kept of it.
    upload(page, "resnet8.th", content[: len(content) // 2])
    expect(page.get_by_role("alert").filter(has_text="resnet8.th: ")).to_be_visible()
    expect(page.get_by_role("button", name="Import", exact=True)).to_have_count(0)
    assert not imported_folder().exists()

    # The whole file is recognised; what it leaves open is asked, with what each answer would mean.
    upload(page, "resnet8.th", content)
    expect(page.get_by_text("akamaster/pytorch_resnet_cifar10", exact=True).last).to_be_visible()
    expect(page.get_by_text("Which shortcuts does it have?")).to_be_visible()
    page.get_by_role("radio", name="half of the zeros on each side").click(force=True)
    choices = page.get_by_role("radiogroup", name=re.compile("How was its input normalised")).get_by_role("radio")
    expect(choices).to_have_count(7)
    # Asked for within the question: the help of a choice may say the same words.
    answer = page.get_by_role("radiogroup", name=re.compile("How was its input normalised")).get_by_text(
        re.compile("^mean and standard deviation of ImageNet")
    )
    expect(answer).to_have_count(1)  # the question is drawn anew after the answer before it
    answer.click()
    expect(metric(page, "Error on training images")).to_have_text(re.compile(r"^\d+\.\d\d %$"))
    assert not imported_folder().exists()

    # A name, and it is there.
    page.get_by_label("Name").fill("theirs")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("theirs was imported")).to_be_visible()
    expect(page).to_have_url(re.compile("checkpoint=theirs"))
    net = find("theirs")
    assert (net.origin, net.card["layout"], net.card["normalization"]) == ("imported", "akamaster", "imagenet")
    assert (net.model.depth, net.model.shortcut, net.model.width) == (8, "A", 4)
    error = f"{net.card['sample_error']:.2f} %"
    expect(metric(page, "Test error")).to_have_text(error)

    # Its error measured anew is the one that was measured when it was kept.
    page.get_by_role("radio", name="Evaluate").click()
    page.get_by_test_id("stBaseButton-primary").filter(has_text="Evaluate").click()
    expect(page.get_by_text(re.compile(r"^\d+ of 1,000 images of the sample wrong"))).to_be_visible()
    expect(metric(page, "Test error")).to_have_text(error)
    expect(page.locator(".resnet-lab-chart .main-svg").first).to_be_visible()
    expect(page.get_by_test_id("stImage")).to_have_count(20)

    # Taken away it is the file that lies here.
    page.get_by_role("radio", name="Take away").click()
    with page.expect_download() as taken:
        page.get_by_role("button", name="Weights (safetensors").click()
    assert taken.value.suggested_filename == "theirs.safetensors"
    assert Path(taken.value.path()).read_bytes() == net.weights.read_bytes()

    # And it can go again.
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("theirs was deleted")).to_be_visible()
    wait_for(lambda: catalog().nets == [], "the deletion")
    assert page.get_by_test_id("stException").count() == 0


def test_the_trial_of_a_large_net_ends_with_its_viewer(start_app, open_page, tmp_path: Path):
    app = start_app(RESNET_LAB_CHECKPOINTS=str(tmp_path / "none"), RESNET_LAB_SLOTS="0")
    page = open_page(f"{app.url}/checkpoints?section=Import")
    torch.save(build_model(ResNetConfig(11, "B", width=256, block="bottleneck")).half().state_dict(), tmp_path / "large.pt")
    page.locator("input[type=file]").set_input_files(tmp_path / "large.pt")
    expect(page.get_by_text("7,000 passes of an image, each 34 times the work of a ResNet-56")).to_be_visible()
    page.get_by_role("button", name="Try the choices").click()

    def trials() -> list[psutil.Process]:
        return named("resnet_core.apart", among=psutil.Process(app.process.pid).children(recursive=True))

    wait_for(lambda: len(trials()) == 1, "the trial")
    expect(page.get_by_text(re.compile(r"of 7,000 images"))).to_be_visible()
    page.close()
    wait_for(lambda: trials() == [], "its end")
