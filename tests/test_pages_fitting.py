"""Every page that looks into nets, with nets of other data sets than CIFAR-10: their images, their classes' names, and refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import analyses
from resnet_core.config import DataConfig
from resnet_core.data import load, pictures
from resnet_core.datasets import FASHION_CLASSES
from resnet_core.nets import find
from resnet_core.nets.loading import load as load_net
from resnet_core.runs import Run
from tests.analysis_tools import figures
from tests.nets_tools import save_run_on, write_checkpoint
from tests.page_tools import app, array, become, opened
from tests.test_data_pictures import CLASSES, picture
from tests.test_page_checkpoints import done
from tests.test_page_experiments import run as run_experiment


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "shipped"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(analyses, "is_here", lambda config, where: config.is_embedded or bool(config.pictures))
    write_checkpoint(tmp_path / "shipped", "tiny")


@pytest.fixture(params=["fashion", "pictures"])
def other(request, tmp_path) -> tuple[Run, tuple[str, ...]]:
    """A run on other data, and the names of its classes."""
    if request.param == "fashion":
        return save_run_on(DataConfig("fashion-sample"), name="on fashion"), FASHION_CLASSES
    for c, name in enumerate(CLASSES):
        for i in range(20):
            picture(tmp_path / "fruit" / name / f"{i}.png", 60 * c + i)
    return save_run_on(DataConfig("pictures", pictures=pictures.look(tmp_path / "fruit", 40)), tmp_path / "fruit", name="on fruit"), CLASSES


def texts(page: AppTest) -> str:
    parts = [each.value for kind in ("markdown", "caption", "info", "warning", "error") for each in page.get(kind)]
    return "\n".join(map(str, parts)).replace("\\", "")


def test_predict_shows_the_net_s_own_test_images_and_classes(root: Path, monkeypatch, other):
    run, names = other
    page = opened(app(root, monkeypatch, "predict/page.py"), nets=[run.id], image="2", target="the true class")
    test = load(run.config.data, run.data_dir).test
    assert page.selectbox(key="class").options[1:] == list(names)
    assert f"**test image 2: {names[int(test.labels[2])]}**" in texts(page)
    (bars,) = [trace for trace in figures(page)[0] if "customdata" in trace]
    assert {name.split(" (")[0] for name in bars["customdata"]} <= set(names)
    expected = np.sort(load_net(find(run.id), "cpu").logits(test.images[2:3]).softmax(1).numpy()[0])[::-1]
    found = np.sort(array(bars["x"]))[::-1]
    assert np.allclose(found / found[0], expected[: len(found)] / expected[0], atol=1e-3)
    assert f"for {names[int(test.labels[2])]}" in texts(page)
    page.selectbox(key="class").set_value(names[1]).run()
    page.selectbox(key="which").set_value("a net is wrong").run()
    assert not page.exception and not page.error
    page.button(key="predict.index").click().run()
    assert not page.exception and not page.error and "predict.index" not in [button.key for button in page.button]


def test_nets_of_other_classes_are_left_out_and_it_is_said_why(root: Path, monkeypatch, other):
    run, names = other
    title = "Fashion-MNIST" if names is FASHION_CLASSES else "fruit"
    page = opened(app(root, monkeypatch, "predict/page.py"), nets=["tiny", run.id])
    assert page.segmented_control(key="data").options[0] == "sample" and len(page.segmented_control(key="data").options) == 2
    assert f"tells {title}'s {len(names)} classes apart, and these images are CIFAR-10's. It is left out." in texts(page)
    page.segmented_control(key="data").set_value(page.segmented_control(key="data").options[1]).run()
    assert f"tells CIFAR-10's 10 classes apart, and these images are {title}'s. It is left out." in texts(page)
    assert not page.exception and not page.error
    assert page.selectbox(key="class").options[1:] == list(names)
    page.segmented_control(key="from").set_value("upload").run()
    assert not page.exception


def test_responses_and_gradients_are_measured_on_the_net_s_own_images(root: Path, monkeypatch, other):
    run, names = other
    words = "the Fashion sample" if names is FASHION_CLASSES else "fruit"
    page = opened(app(root, monkeypatch, "responses/page.py"), nets=[run.id])
    assert f"test images of {words}" in texts(page) and figures(page)
    page = opened(app(root, monkeypatch, "gradients/page.py"), nets=[run.id])
    assert f"training images of {words}" in texts(page) and figures(page)


@pytest.mark.parametrize("key", ["Error by class", "Block by block", "Lesions"])
def test_experiments_are_made_with_the_net_s_own_images(root: Path, monkeypatch, other, key):
    run, names = other
    page = opened(app(root, monkeypatch, "experiments/page.py"), nets=["tiny", run.id], experiment=key)
    page.segmented_control(key="experiment.data").set_value(page.segmented_control(key="experiment.data").options[1]).run()
    assert "It is left out." in texts(page)
    run_experiment(page)
    assert not page.exception and not page.error and figures(page)
    if key == "Error by class":
        assert list(figures(page)[-1][0]["x"]) == list(names)


def test_checkpoints_evaluates_and_grows_it_on_its_own_data(root: Path, monkeypatch, other):
    run, names = other
    page = opened(app(root, monkeypatch, "checkpoints/page.py"), checkpoint=run.id, view="Evaluate")
    page.button(key="evaluate.start").click().run()
    done(page)
    assert not page.exception and not page.error and "What is taken for what" in [each.value for each in page.header]
    assert any(name in texts(page) for name in names) and "**airplane**" not in texts(page)
    page.button_group(key="view").set_value("Grow").run()
    assert not page.exception and f"on {run.config.data.label} by the rest of its own recipe" in texts(page)


def test_links_of_before_are_followed(root: Path, monkeypatch):
    monkeypatch.setattr(analyses, "is_here", lambda config, where: True)
    page = app(root, monkeypatch, "experiments/page.py")
    page.query_params["experiment.data"] = "cifar10"
    page.query_params["nets"] = ["tiny"]
    page.run()
    assert page.segmented_control(key="experiment.data").value == "CIFAR-10" and not page.warning and not page.exception


@pytest.mark.parametrize("other", ["pictures"], indirect=True)
def test_a_viewer_is_not_shown_pictures_of_a_folder_that_the_owner_named(root: Path, monkeypatch, other):
    run, _ = other
    become(monkeypatch, "a-viewer")
    page = app(root, monkeypatch, "predict/page.py", address="192.0.2.7")
    page.query_params["nets"] = [run.id]
    page.run()
    assert not page.exception and "No images of the classes of these nets are on this machine." in texts(page)
    assert not figures(page)
