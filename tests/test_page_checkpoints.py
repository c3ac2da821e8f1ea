"""Checkpoints: the gallery, what it tells of each net, measuring it anew, taking it away, and bringing one from elsewhere."""

from __future__ import annotations

import dataclasses
import io
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load as load_safetensors
from streamlit.testing.v1 import AppTest

from pages.checkpoints import evaluate_panel, export_panel
from resnet_core import data
from resnet_core.analysis.evaluation import examine
from resnet_core.analysis.protocols import PROTOCOLS
from resnet_core.architectures import ImageNetConfig, ResNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.config import DataConfig, demo_configs
from resnet_core.exports import FORMATS
from resnet_core.nets import catalog, export, find
from resnet_core.nets import folder as folders
from resnet_core.nets.catalog import imported_folder
from resnet_core.nets.loading import load
from resnet_core.runs import RunStore
from resnet_core.training import checkpoint
from tests import runs_tools
from tests.checkpoints_tools import checkpoints_page, done, metrics, shipped_folder, texts, upload  # noqa: F401  fixtures among them
from tests.looks_tools import age
from tests.nets_tools import TINY, save_run, write_checkpoint, write_shipped
from tests.page_tools import app, live_chart, opened
from tests.waiting import wait_for

CONFIG = demo_configs(iterations=200)[2]


def table(page: AppTest) -> list[dict]:
    return page.dataframe[0].value.to_dict("records")


def choose(page: AppTest, net: str, view: str | None = None) -> AppTest:
    page.selectbox(key="gallery.net").set_value(net).run()
    if view:
        page.button_group(key="view").set_value(view).run()
    assert not page.exception
    return page


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
    assert (first["origin"], first["data"], first["tested on"]) == ("shipped", "sample (300)", "1,000 (sample)")
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
    for part in ("a machine", "c" * 12, "2 h 00 min", find("resnet-20").card["checksum_sha256"], "bf16", "sample (300 images)"):
        assert part in told, part
    assert "| 1,000 of the sample | fp32 | 433 | 43.30 % |" in told
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
    write_checkpoint(shipped, "one", ResNetConfig(8, "A", 4))
    write_checkpoint(shipped, "two", ResNetConfig(14, "A", 4))
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
    other = app(root, monkeypatch, "checkpoints/page.py")
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
    write_checkpoint(shipped, "hundred", ResNetConfig(8, "A", 4, num_classes=100))
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
    assert buttons == {"Weights": False, "Records": False, "Curves": False, "Everything": False, "Download": False}
    choose(page, "theirs", "Take away")
    buttons = {button.proto.label.split(" (")[0]: button.proto.disabled for button in page.get("download_button")}
    assert buttons == {"Weights": False, "Records": True, "Curves": True, "Everything": False, "Download": False}


def test_forms_for_other_tools_are_one_choice_and_say_what_is_in_the_way(page: AppTest, shipped: Path, monkeypatch):
    write_checkpoint(imported_folder(), "theirs")
    opened(page, checkpoint="theirs", view="Take away")
    told = {}
    for key in FORMATS:
        page.selectbox(key="export.form").set_value(key).run()
        assert not page.exception and len(page.get("download_button")) == 5
        assert (not page.get("download_button")[-1].proto.disabled) == (not page.info)
        told[key] = "".join(each.value for each in page.info)
    assert {key: bool(text) for key, text in told.items()} == {"py": False, "onnx": False, "tensorboard": True, "notebook": True}
    assert "nothing is known of its training" in told["notebook"]
    monkeypatch.setitem(sys.modules, "onnx", None)
    page.selectbox(key="export.form").set_value("onnx").run()
    assert "resnet-lab[export]" in page.info[0].value.replace("\\", "")


def test_the_forms_are_told_in_chinese(page: AppTest, shipped: Path):
    write_checkpoint(imported_folder(), "theirs")
    opened(page, checkpoint="theirs", view="Take away", lang="zh")
    assert page.selectbox(key="export.form").options == ["Python 文件", "ONNX", "TensorBoard", "Notebook"]
    assert any("供阅读和修改" in each.value for each in page.caption)


def test_a_row_is_said_in_the_language_of_who_looks_whoever_looked_before(page: AppTest, shipped: Path):
    runs_tools.put(RunStore(), save_run(), state="finished", result={"train_error": 5.0, "test_error": 9.0})
    age(RunStore())
    for language, origin in (("zh", "训练"), ("en", "run"), ("zh", "训练")):
        opened(page, lang=language)
        (shown,) = page.dataframe
        assert list(shown.value["origin"]) == [origin]


def test_tensorboards_folder_is_downloaded_as_a_zip(shipped: Path):
    write_shipped(shipped, CONFIG, 41.25)
    with zipfile.ZipFile(io.BytesIO(export_panel._made("tensorboard", find("resnet-20")))) as packed:
        assert packed.namelist() == ["resnet-20/events.out.tfevents.resnet-20"]
    assert export_panel._made("py", find("resnet-20")).startswith(b'"""ResNet-20')


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


# -- growing ----------------------------------------------------------------------------------------------------------------


def test_a_net_is_grown_and_trained_beside_its_twin_from_scratch(page: AppTest):
    parent = save_run()
    opened(page, checkpoint=parent.id, view="Grow")
    assert "ResNet-8-w4 becomes ResNet-44-w4" in texts(page) and "by the rest of its own recipe" in texts(page)
    page.number_input(key="grow.rounds").set_value(1).run()
    page.number_input(key=f"grow.iterations.{parent.id}").set_value(30).run()
    page.button(key="grow.start").click().run()
    assert not page.exception and not page.error
    grown, twin = RunStore().queue()[-2:]
    assert (grown.name, twin.name) == ("ResNet-14-w4 grown from ResNet-8-w4", "ResNet-14-w4")
    assert grown.config.start.origin == parent.id and twin.config.start is None
    assert grown.config.recipe == twin.config.recipe == dataclasses.replace(parent.config.recipe, iterations=30)
    assert page.success
    page.button(key="grow.start").click().run()
    assert not page.exception and len(RunStore().runs()) == 3


def test_what_cannot_grow_is_said(page: AppTest, shipped: Path):
    write_checkpoint(shipped, "projected", ResNetConfig(8, "C", 4))
    opened(page, checkpoint="projected", view="Grow")
    assert "the skip of its blocks is not the identity" in page.info[0].value and "grow.start" not in [each.key for each in page.button]


def test_another_way_to_test_and_an_ensemble_beside_its_members(page: AppTest, shipped: Path):
    for seed, name in enumerate(("one", "two")):
        write_checkpoint(shipped, name, seed=seed)
    write_checkpoint(shipped, "hundred", ResNetConfig(8, "A", 4, num_classes=100))
    test, nets = data.load(DataConfig()).test, [load(find(name), precision="fp32") for name in ("one", "two")]
    rows = examine(nets, test.images, test.labels, [PROTOCOLS["mirrored"]])
    opened(page, checkpoint="one", view="Evaluate")
    page.selectbox(key="evaluate.protocol").set_value("mirrored").run()
    others = page.multiselect(key="evaluate.ensemble.one")
    assert len(others.options) == 1  # the net of a hundred classes is none that it can be asked with
    others.set_value(["two"]).run()
    assert any("For one image 4 passes" in each.value and "Simonyan" in each.value for each in page.caption)
    page.button(key="evaluate.start").click().run()
    done(page)
    table = page.dataframe[-1].value
    assert table["net"].tolist()[2] == "ensemble of 2" and table["passes"].tolist() == [2, 2, 4]
    assert table["wrong"].tolist() == [row.evaluation.wrong for row in rows]
    assert any("The test set selects nothing" in each.value for each in page.caption)
    assert f"**{rows[2].evaluation.wrong:,} of 1,000** images of the sample wrong" in texts(page) and "ensemble of 2" in texts(page)


def test_all_ways_to_test_in_a_table(page: AppTest, shipped: Path, monkeypatch: pytest.MonkeyPatch):
    small = data.load(DataConfig()).test.part(0, 20)
    monkeypatch.setattr("resnet_core.data.load", lambda *_: SimpleNamespace(test=small))
    write_checkpoint(shipped, "one")
    opened(page, checkpoint="one", view="Evaluate")
    page.selectbox(key="evaluate.protocol").set_value(evaluate_panel.ALL).run()
    page.button(key="evaluate.start").click().run()
    done(page)
    rows = examine([load(find("one"), precision="fp32")], small.images, small.labels, list(PROTOCOLS.values()))
    assert page.dataframe[-1].value["wrong"].tolist() == [row.evaluation.wrong for row in rows]
    assert any("The test set selects nothing" in each.value for each in page.caption) and not metrics(page)


def test_why_a_way_to_test_is_left_out_is_said_in_the_language_of_who_looks(page: AppTest, shipped: Path, monkeypatch: pytest.MonkeyPatch):
    small = data.load(DataConfig()).test.part(0, 2)
    monkeypatch.setattr("resnet_core.data.load", lambda *_: SimpleNamespace(test=small))
    write_checkpoint(shipped, "large", ImageNetConfig((1, 1, 1, 1), "basic", 10, 4), normalization="imagenet")
    for language, said in (("en", "takes images of 224x224"), ("zh", "接受 224x224 的图像")):
        opened(page, checkpoint="large", view="Evaluate", lang=language)
        if language == "en":
            page.selectbox(key="evaluate.protocol").set_value(evaluate_panel.ALL).run()
            page.button(key="evaluate.start").click().run()
            done(page)
        assert any(said in note for note in page.dataframe[-1].value["note"])


def test_a_net_that_cannot_be_tested_like_that_says_why(page: AppTest, shipped: Path):
    write_checkpoint(shipped, "large", ImageNetConfig((1, 1, 1, 1), "basic", 10, 4), normalization="imagenet")
    opened(page, checkpoint="large", view="Evaluate")
    page.selectbox(key="evaluate.protocol").set_value("padded-crops").run()
    assert "takes images of 224x224" in page.info[0].value and "evaluate.start" not in [button.key for button in page.button]
