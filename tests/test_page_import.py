"""The Import section of the Checkpoints page: refused, recognised, asked about, tried, kept."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from safetensors.torch import save as save_safetensors
from streamlit.testing.v1 import AppTest

from pages.checkpoints import evaluate_panel
from resnet_core import architectures, data
from resnet_core.architectures import ResNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.config import DataConfig, demo_configs
from resnet_core.imports import LAYOUTS
from resnet_core.imports.offered import OFFERED
from resnet_core.nets import catalog, export, find
from resnet_core.nets.catalog import imported_folder
from resnet_core.nets.loading import load
from tests.checkpoints_tools import checkpoints_page, done, metrics, shipped_folder, texts, upload  # noqa: F401  fixtures among them
from tests.nets_tools import TINY, save_run
from tests.page_tools import opened
from tests.waiting import wait_for

CONFIG = demo_configs(iterations=200)[2]


def test_an_exported_run_is_imported_and_gives_the_same_logits(page: AppTest, shipped: Path):
    run = save_run()
    content = export.weights(find(run.id))
    opened(page, section="Import")
    upload(page, "mine.safetensors", content)
    assert not page.error and "**mine.safetensors** is **ResNet-8-w4** in the layout of **ResNet Lab**" in texts(page)
    assert "Its classes, as the file says: airplane, automobile" in texts(page)
    # It says itself how its input is normalised: nothing is asked.
    assert not page.radio
    assert list(imported_folder().glob("*")) == []
    page.button(key=_import_button(page)).click().run()
    assert "mine" in page.success[0].value and page.selectbox(key="gallery.net").value == "mine"
    images = data.load(DataConfig()).test.images[:100]
    assert torch.equal(load(find("mine"), "cpu", "fp32").logits(images), load(find(run.id), "cpu", "fp32").logits(images))


def test_the_page_says_whose_files_it_takes(page: AppTest, shipped: Path):
    opened(page, section="Import")
    intro = page.markdown[0].value
    families = {architectures.FAMILIES[architectures.parse(each.net).family].title for each in OFFERED.values()}
    assert len(families) == 7 and all(
        title.removesuffix(" for ImageNet").removesuffix(" nets").removesuffix("s") in intro for title in families
    )
    assert all(name in intro for name in LAYOUTS.values() if "," not in name)


def _import_button(page: AppTest) -> str:
    (key,) = [button.key for button in page.button if button.label == "Import"]
    return key


def test_what_a_file_leaves_open_is_asked_with_the_measured_errors(page: AppTest, shipped: Path):
    state = {f"module.{key}": value for key, value in build_model(TINY, 3).state_dict().items()}
    held = io.BytesIO()
    torch.save({"state_dict": state, "best_prec1": 9.0}, held)
    opened(page, section="Import")
    upload(page, "theirs.th", held.getvalue())
    assert not page.error
    shortcut, normalization = page.radio
    assert {option.split(":")[0] for option in shortcut.options} == {"plain", "A"}
    assert len(normalization.options) == 7 and all("%" in option for option in normalization.options)
    measured = [float(option.rsplit("**", 2)[1].removesuffix(" %")) for option in normalization.options]
    # The suggestion stands first and is chosen; the others follow from the lowest error.
    assert measured[1:] == sorted(measured[1:]) and normalization.index == 0
    assert metrics(page)["Error on training images"] == f"{measured[0]:.2f} %" and "Test error" not in metrics(page)
    assert any(
        "training images of the sample are wrong. This may not be the net that was trained" in each.value.replace("\\", "")
        for each in page.warning
    )
    assert not any("both sides" in each.value for each in page.caption)
    shortcut.set_value("A-both").run()
    assert any("taken to pad the new channels on both sides" in each.value.replace("\\", "") for each in page.caption)
    shortcut = page.radio[0]
    shortcut.set_value("A-behind").run()
    page.radio[1].set_value("half").run()
    assert "It tells the choices apart, not how good the net is" in texts(page)
    page.text_input[0].set_value("my net")
    page.button(key=_import_button(page)).click().run()
    assert "cannot be a checkpoint's name" in page.error[0].value.replace("\\", "") and list(imported_folder().glob("*")) == []
    page.text_input[0].set_value("my-net")
    page.button(key=_import_button(page)).click().run()
    net = find("my-net")
    assert (net.origin, net.model, net.card["normalization"]) == ("imported", TINY, "half")
    loaded, test = load(net), data.load(DataConfig()).test
    wrong = sum(
        int((loaded.logits(test.images[at : at + 250]).argmax(1) != test.labels[at : at + 250]).sum()) for at in range(0, 1000, 250)
    )
    told = f"{wrong / 10:.2f} %"  # the test error: measured when it was kept, of what was chosen
    assert page.selectbox(key="gallery.net").value == "my-net" and metrics(page)["Test error"] == told
    assert all(title in texts(page) for title in (LAYOUTS[net.card["layout"]], net.card["source_sha256"]))


def test_a_file_that_could_not_be_looked_into_is_looked_into_again(page: AppTest, shipped: Path, monkeypatch):
    from resnet_core.imports import process
    from resnet_core.imports.refusal import ReaderFailed

    def failing(*args, **options):
        raise ReaderFailed("no process was free")

    opened(page, section="Import")
    with monkeypatch.context() as patch:
        patch.setattr("resnet_core.imports.inspection.read_apart", failing)
        upload(page, "net.safetensors", save_safetensors(build_model(TINY, 3).state_dict()))
        assert "no fault of the file" in page.error[0].value.replace("\\", "") and not page.radio
    assert process.READERS.acquire(blocking=False)
    process.READERS.release()
    page.button(key="import.read.again").click().run()
    assert not page.error and done(page).radio


def test_a_large_net_is_tried_only_when_asked_for(page: AppTest, shipped: Path, monkeypatch):
    monkeypatch.setattr("resnet_core.imports.cost.HEAVY", 1.0)
    opened(page, section="Import")
    upload(page, "large.safetensors", save_safetensors(build_model(TINY, 3).state_dict()))
    (warning,) = [each for each in page.warning if each.value.startswith("Trying")]
    assert "21,000 passes of an image" in warning.value and "4 GiB" in warning.value and not page.metric and not page.radio
    page.button(key="import.heavy").click().run()
    assert metrics(done(page))["Error on training images"].endswith(" %")


def test_a_trial_that_ended_with_another_viewer_begins_anew(page: AppTest, shipped: Path, monkeypatch):
    begun = []

    def endless(function, proposal, progress, should_stop):
        begun.append(proposal)
        wait_for(should_stop, "its end")
        raise RuntimeError("stopped, as asked")

    content = save_safetensors(build_model(TINY, 3).state_dict())
    opened(page, section="Import")
    with monkeypatch.context() as patch:
        patch.setattr("pages.checkpoints.import_panel.apart", endless)
        page.file_uploader[0].set_value(("net.safetensors", content, "application/octet-stream")).run()
        (job,) = evaluate_panel.JOBS._jobs.values()
        job.stop()
        done(page)
    assert len(begun) == 1 and job.state == "stopped" and not page.radio
    page.button(key="import.again")  # who has stopped it may want it again
    job.viewers.have_left = lambda: True
    page.run()
    assert done(page).radio and metrics(page)["Error on training images"].endswith(" %")


def test_where_no_error_tells_the_shortcut_is_asked_for(page: AppTest, shipped: Path):
    opened(page, section="Import")
    upload(page, "hundred.safetensors", save_safetensors(build_model(ResNetConfig(8, "A", width=4, num_classes=100)).state_dict()))
    (shortcut,) = page.radio
    assert shortcut.value is None and len(shortcut.options) == 3
    assert "Import" not in [button.label for button in page.button]
    shortcut.set_value("A-behind").run()
    assert "Import" in [button.label for button in page.button]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.pt", b"nothing of the kind", "model.pt: "),
        ("model.safetensors", b"\xff" * 64, "model.safetensors: "),
        ("half.safetensors", save_safetensors({"conv1.weight": torch.zeros(16, 3, 3, 3)}), "half.safetensors: "),
    ],
)
def test_a_bad_file_is_refused_with_what_is_wrong_and_nothing_is_written(
    page: AppTest, shipped: Path, tmp_path: Path, monkeypatch, name, content, message
):
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    opened(page, section="Import")
    upload(page, name, content)
    (error,) = page.error
    assert error.value.replace("\\", "").startswith(message) and "Traceback" not in error.value
    assert not page.metric and "Import" not in [button.label for button in page.button]
    assert not imported_folder().exists() and catalog().nets == [] and list(place.iterdir()) == []
