"""Checkpoints: the gallery, what it tells of each net, measuring it anew, taking it away, and bringing one from elsewhere."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from streamlit.testing.v1 import AppTest

from pages.ui import evaluate_panel, jobs
from resnet_core import data
from resnet_core.config import DataConfig, ModelConfig, demo_configs
from resnet_core.imports import LAYOUTS
from resnet_core.models import build_model
from resnet_core.nets import catalog, export, find
from resnet_core.nets import folder as folders
from resnet_core.nets.catalog import imported_folder
from resnet_core.nets.loading import load
from resnet_core.training import checkpoint
from tests.nets_tools import TINY, save_run, write_checkpoint, write_shipped
from tests.page_tools import app, live_chart, opened
from tests.runs_tools import wait_for

CONFIG = demo_configs(iterations=200)[2]


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of shipped checkpoints of this test, empty; nothing is trained, and nothing was computed before."""
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "shipped"))
    made = jobs.Jobs()
    for module in (jobs, evaluate_panel):
        monkeypatch.setattr(module, "JOBS", made)
    monkeypatch.setattr("pages.ui.import_panel.JOBS", made)
    return tmp_path / "shipped"


@pytest.fixture
def page(root: Path, monkeypatch: pytest.MonkeyPatch, shipped: Path) -> AppTest:
    return app(root, monkeypatch, "pages/checkpoints.py")


def done(page: AppTest) -> AppTest:
    """The page when nothing is computed any more."""
    wait_for(lambda: not any(job.is_active for job in evaluate_panel.JOBS._jobs.values()), "the computations")
    page.run()
    assert not page.exception
    return page


def table(page: AppTest) -> list[dict]:
    return page.dataframe[0].value.to_dict("records")


def texts(page: AppTest) -> str:
    """All Markdown, captions and the tables of the model card, without escapes."""
    cells = [str(cell) for each in page.table for cell in each.value.to_numpy().ravel()]
    lines = cells + [each.value for each in [*page.markdown, *page.caption]]
    return "\n".join(lines).replace("\\", "").replace("\u00a0", " ")


def metrics(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def choose(page: AppTest, net: str, view: str | None = None) -> AppTest:
    page.selectbox(key="gallery.net").set_value(net).run()
    if view:
        page.button_group(key="view").set_value(view).run()
    assert not page.exception
    return page


def upload(page: AppTest, name: str, content: bytes) -> AppTest:
    page.file_uploader[0].set_value((name, content, "application/octet-stream")).run()
    return done(page)


# -- the gallery ------------------------------------------------------------------------------------------------------------


def test_an_empty_gallery_says_where_checkpoints_come_from(page: AppTest):
    opened(page)
    assert "There is no checkpoint yet" in page.info[0].value and not page.dataframe
    assert [link.proto.label for link in page.get("page_link")] == ["Home: run the demo", "Train: choose nets"]
    assert [tab.label for tab in page.tabs] == ["Gallery", "Import"] and len(page.file_uploader) == 1


def test_the_gallery_tells_what_the_cards_tell(page: AppTest, shipped: Path):
    path = write_shipped(shipped, CONFIG, 41.25, params=272474, machine="a machine", commit="c" * 40, training_seconds=7200.0)
    save_run()
    write_checkpoint(imported_folder(), "theirs", sample_error=8.5, sample_images=1000, sample_precision="fp32", layout="akamaster")
    opened(page)
    rows = {row["name"]: row for row in table(page)}
    card = find("resnet-20").card
    first = rows["ResNet-20"]
    assert (first["training error"], first["test error"]) == (card["train_error"], card["test_error"]) == (41.25, 43.25)
    assert (first["parameters"], first["depth"], first["shortcut"], first["seed"]) == (272474, 20, "A", 0)
    assert first["MB"] == (path / folders.WEIGHTS).stat().st_size / 1e6
    assert (first["paper"], first["schedule"], first["precision"], first["date"]) == ("8.75", "1/1,280", "bf16", "2026-11-22")
    assert (first["origin"], first["data"], first["tested on"]) == ("shipped", "sample (5,000)", "1,000 (sample)")
    second = rows["ResNet-8-w4"]  # the imported one and the run are called so
    assert [row["origin"] for row in table(page)] == ["shipped", "imported", "run, queued"]
    assert second["parameters"] == sum(each.numel() for each in build_model(TINY).parameters())
    theirs = table(page)[1]
    assert (theirs["test error"], theirs["tested on"]) == (8.5, "1,000 (sample)") and np.isnan(theirs["training error"])
    own = table(page)[2]
    assert (own["training error"], own["test error"], own["schedule"]) == (61.5, 62.5, "1/17,067")
    assert len(page.selectbox(key="gallery.net").options) == 3


def test_the_card_of_the_chosen_net(page: AppTest, shipped: Path):
    evaluations = [{"data": "sample", "split": "test", "precision": "fp32", "n": 1000, "wrong": 433, "top1_error": 43.3}]
    write_shipped(
        shipped, CONFIG, 41.25, params=272474, machines=["a machine"], commit="c" * 40, training_seconds=7200.0, evaluations=evaluations
    )
    opened(page, checkpoint="resnet-20")
    assert metrics(page) == {
        "Test error": "43.25 %", "Training error": "41.25 %", "Test error in the paper": "8.75 %", "Parameters": "272,474",
    }  # fmt: skip
    told = texts(page)
    assert "**1/1,280 of the paper's schedule**" in told and "test error on 1,000 images of the sample" in told
    for part in ("a machine", "c" * 12, "2 h 00 min", find("resnet-20").card["checksum_sha256"], "bf16", "sample (5,000 images)"):
        assert part in told, part
    assert "| 1,000 of the embedded sample | fp32 | 433 | 43.30 % |" in told
    assert "checkpoints.delete" not in [button.key for button in page.button]


def test_a_wrong_checksum_is_named_and_left_out(page: AppTest, shipped: Path):
    write_shipped(shipped, CONFIG, 41.25)
    bad = write_checkpoint(shipped, "bad")
    content = bytearray((bad / folders.WEIGHTS).read_bytes())
    content[-1] ^= 1
    (bad / folders.WEIGHTS).write_bytes(content)
    opened(page)
    assert [row["name"] for row in table(page)] == ["ResNet-20"]
    assert "Checkpoint bad: the checksum of weights.safetensors" in page.warning[0].value.replace("\\", "")


def test_a_link_chooses_and_one_to_nowhere_is_told(page: AppTest, shipped: Path):
    write_checkpoint(shipped, "one", ModelConfig(8, "A", 4))
    write_checkpoint(shipped, "two", ModelConfig(14, "A", 4))
    opened(page, checkpoint="two")
    assert page.selectbox(key="gallery.net").value == "two" and "two" in page.query_params["checkpoint"]
    choose(page, "one")
    assert "one" in page.query_params["checkpoint"] and "ResNet-8-w4" in texts(page)
    opened(page, checkpoint="gone*")
    assert "gone\\*" in page.warning[0].value and page.selectbox(key="gallery.net").value == "one"


# -- evaluating -------------------------------------------------------------------------------------------------------------


def test_the_error_is_that_of_the_loaded_net_counted(page: AppTest, shipped: Path, root: Path, monkeypatch: pytest.MonkeyPatch):
    test = data.load(DataConfig()).test
    write_checkpoint(shipped, "tiny", seed=5)
    loaded = load(find("tiny"), precision="fp32")
    predicted = torch.cat([loaded.logits(test.images[start : start + 500]) for start in (0, 500)]).argmax(1)
    wrong = int((predicted != test.labels).sum())
    opened(page, checkpoint="tiny", view="Evaluate")
    page.button(key="evaluate.start").click().run()
    done(page)
    assert metrics(page) == {"Test error": f"{wrong / 10:.2f} %"}
    assert f"**{wrong} of 1,000** images of the sample wrong" in texts(page)
    heat = live_chart(page)["figure"]["traces"][0]
    expected = torch.bincount(test.labels * 10 + predicted, minlength=100).view(10, 10)
    counts = [[cell[3] for cell in row] for row in heat["customdata"]]
    assert counts == expected.tolist()
    assert len(page.image) == evaluate_panel.WORST
    # Another viewer finds it at once.
    other = app(root, monkeypatch, "pages/checkpoints.py")
    opened(other, checkpoint="tiny", view="Evaluate")
    assert metrics(other) == metrics(page)


def test_the_error_of_a_card_comes_back(page: AppTest, shipped: Path):
    path = write_checkpoint(shipped, "tiny", seed=5)
    test = data.load(DataConfig()).test
    wrong = int((load(find("tiny"), precision="fp32").logits(test.images).argmax(1) != test.labels).sum())
    write_checkpoint(
        path.parent,
        "tiny",
        seed=5,
        precision="fp32",
        evaluations=[{"data": "sample", "precision": "fp32", "n": 1000, "wrong": wrong, "top1_error": wrong / 10}],
    )
    opened(page, checkpoint="tiny", view="Evaluate")
    page.button(key="evaluate.start").click().run()
    assert "as its model card says" in texts(done(page))


def test_what_was_begun_is_shown_although_the_run_has_gone_on(page: AppTest, shipped: Path):
    run = save_run()
    opened(page, checkpoint=run.id, view="Evaluate")
    page.button(key="evaluate.start").click().run()
    state = checkpoint.TrainingState(build_model(TINY, 4).state_dict(), {"mean": torch.zeros(3, 32, 32)}, {"iteration": 9})
    wait_for(lambda: not any(job.is_active for job in evaluate_panel.JOBS._jobs.values()), "the evaluation")
    checkpoint.save(run.path / "checkpoints", state)
    done(page)
    assert "Test error" in metrics(page) and any("after 7 of" in each.value for each in page.caption)
    assert page.button(key="evaluate.start")  # for the weights as they are now


def test_a_net_of_other_classes_is_not_evaluated(page: AppTest, shipped: Path):
    write_checkpoint(shipped, "hundred", ModelConfig(8, "A", 4, num_classes=100))
    opened(page, checkpoint="hundred", view="Evaluate")
    assert "tells 100 classes apart" in page.info[0].value and "evaluate.start" not in [button.key for button in page.button]


def test_weights_that_went_away_are_told_and_can_be_tried_again(page: AppTest, shipped: Path, monkeypatch: pytest.MonkeyPatch):
    write_checkpoint(shipped, "tiny")
    from resnet_core.errors import CheckpointError

    def refuse(*_):
        raise CheckpointError("The weights are gone.")

    monkeypatch.setattr(evaluate_panel, "evaluated", refuse)
    opened(page, checkpoint="tiny", view="Evaluate")
    page.button(key="evaluate.start").click().run()
    done(page)
    assert page.error[0].value.replace("\\", "") == "The weights are gone."
    assert "evaluate.start" in [button.key for button in page.button]


def test_an_image_is_enlarged_pixel_by_pixel():
    from PIL import Image

    image = torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8)
    shown = np.asarray(Image.open(io.BytesIO(evaluate_panel.enlarged(image))))
    assert shown.shape == (192, 192, 3)
    assert (shown[3::6, 3::6] == image.permute(1, 2, 0).numpy()).all() and (shown[::6] == shown[5::6]).all()


# -- taking away and bringing back ------------------------------------------------------------------------------------------


def test_what_can_be_taken_away(page: AppTest, shipped: Path):
    write_shipped(shipped, CONFIG, 41.25)
    write_checkpoint(imported_folder(), "theirs")
    opened(page, checkpoint="resnet-20", view="Take away")
    buttons = {button.proto.label.split(" (")[0]: button.proto.disabled for button in page.get("download_button")}
    assert buttons == {"Weights": False, "Records": False, "Curves": False, "Everything": False}
    choose(page, "theirs", "Take away")
    buttons = {button.proto.label.split(" (")[0]: button.proto.disabled for button in page.get("download_button")}
    assert buttons == {"Weights": False, "Records": True, "Curves": True, "Everything": False}


def test_an_exported_run_is_imported_and_gives_the_same_logits(page: AppTest, shipped: Path):
    run = save_run()
    content = export.weights(find(run.id))
    opened(page, section="Import")
    upload(page, "mine.safetensors", content)
    assert not page.error and "**mine.safetensors** is **ResNet-8-w4** in the layout of **ResNet Lab**" in texts(page)
    # It says itself how its input is normalised: nothing is asked.
    assert not page.radio
    assert list(imported_folder().glob("*")) == []
    page.button(key=_import_button(page)).click().run()
    assert "mine" in page.success[0].value and page.selectbox(key="gallery.net").value == "mine"
    images = data.load(DataConfig()).test.images[:100]
    assert torch.equal(load(find("mine"), "cpu", "fp32").logits(images), load(find(run.id), "cpu", "fp32").logits(images))


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
    assert metrics(page)["Test error"] == f"{measured[0]:.2f} %"
    assert any("test images are wrong. This may not be the net that was trained" in each.value.replace("\\", "") for each in page.warning)
    assert not any("both sides" in each.value for each in page.caption)
    shortcut.set_value("A-both").run()
    assert any("taken to pad the new channels on both sides" in each.value.replace("\\", "") for each in page.caption)
    shortcut = page.radio[0]
    shortcut.set_value("A-behind").run()
    page.radio[1].set_value("half").run()
    told = metrics(page)["Test error"]
    page.text_input[0].set_value("my net")
    page.button(key=_import_button(page)).click().run()
    assert "cannot be a checkpoint's name" in page.error[0].value.replace("\\", "") and list(imported_folder().glob("*")) == []
    page.text_input[0].set_value("my-net")
    page.button(key=_import_button(page)).click().run()
    net = find("my-net")
    assert (net.origin, net.model, net.card["normalization"], f"{net.card['sample_error']:.2f} %") == ("imported", TINY, "half", told)
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
    assert metrics(done(page))["Test error"].endswith(" %")


def test_where_no_error_tells_the_shortcut_is_asked_for(page: AppTest, shipped: Path):
    opened(page, section="Import")
    upload(page, "hundred.safetensors", save_safetensors(build_model(ModelConfig(8, "A", width=4, num_classes=100)).state_dict()))
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


def test_an_imported_net_can_be_deleted_and_a_shipped_one_not(page: AppTest, shipped: Path):
    write_checkpoint(shipped, "ours")
    write_checkpoint(imported_folder(), "theirs")
    opened(page, checkpoint="theirs")
    page.button(key="checkpoints.delete").click().run()
    page.button(key="delete.cancel").click().run()
    assert [net.id for net in catalog().nets] == ["ours", "theirs"]
    page.button(key="checkpoints.delete").click().run()
    page.button(key="delete.confirm").click().run()
    assert not page.exception and [net.id for net in catalog().nets] == ["ours"]
    assert "theirs was deleted" in page.success[0].value
    assert page.selectbox(key="gallery.net").value == "ours" and "checkpoints.delete" not in [button.key for button in page.button]


def test_an_exported_file_is_plain_safetensors(shipped: Path):
    write_checkpoint(shipped, "tiny", seed=5)
    held = load_safetensors(export.weights(find("tiny")))
    assert torch.equal(held["fc.weight"], build_model(TINY, 5).fc.weight) and held["normalization.mean"].shape == (3, 32, 32)
