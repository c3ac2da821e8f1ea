"""Predict with nets for images of 224x224, alone and beside nets for CIFAR's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from pages.predict import computed
from pages.ui import parameter_widgets as widgets
from resnet_core import data
from resnet_core.analysis import prediction
from resnet_core.architectures import ImageNetConfig
from resnet_core.attribution import METHODS
from resnet_core.attribution.compute import attribute
from resnet_core.config import DataConfig
from resnet_core.data import CLASSES
from resnet_core.images import read_image, whole_square
from resnet_core.nets import find, loading
from resnet_core.nets.loading import load
from tests.analysis_tools import PLAIN, said, ship, shipped
from tests.bad_images import CASES
from tests.nets_tools import elsewhere, write_checkpoint
from tests.page_tools import app, opened
from tests.test_page_predict import bars, notes, upload_input

__all__ = ["shipped"]


@pytest.fixture
def page(root: Path, monkeypatch: pytest.MonkeyPatch, shipped: Path) -> AppTest:
    return app(root, monkeypatch, "predict/page.py")


def _image_17() -> np.ndarray:
    return data.load(DataConfig()).test.images[17].permute(1, 2, 0).contiguous().numpy()


@pytest.fixture
def of_imagenet(shipped: Path) -> str:
    write_checkpoint(shipped, "imagenet-10", ImageNetConfig((1, 1, 1, 1), width=4, num_classes=1000), 3, "imagenet")
    return "imagenet-10"


def test_each_net_sees_an_upload_at_its_own_size(page: AppTest, shipped: Path, of_imagenet: str):
    ship(shipped, "plain-20", PLAIN)
    opened(page, nets=["plain-20", of_imagenet], **{"from": "upload", "crops": "ten padded crops"})
    page.file_uploader(key="predict.files").set_value([("a.png", CASES["png"].content(), "image/png")]).run()
    assert not page.exception and not page.error
    small, large = bars(page)
    loaded = load(find(of_imagenet), precision="fp32")
    (expected,) = prediction.predict(loaded, prediction.stack([upload_input("png", "crop", 224)]))
    first = prediction.top(expected)
    assert large[0] == [prediction.class_names(elsewhere(1000))[i] for i, _ in first]
    np.testing.assert_allclose(large[1], [p for _, p in first], rtol=1e-5)
    assert set(small[0]) <= set(CLASSES)
    text = said(page)
    assert (
        "as seen by plain-8-w4: 32x32 pixels" in text
        and "as seen by ResNet-10-w4-1.1.1.1-ImageNet: 224x224 pixels · the centre, after the shorter" in text
    )
    assert "takes images of 224x224" in text  # where the other one is asked ten
    assert "It does not know CIFAR-10" not in text

    page.selectbox(key="crops").set_value("ten crops").run()  # of the whole picture, not of the centre that the one view shows
    (expected,) = prediction.predict(loaded, prediction.stack([whole_square(read_image(CASES["png"].content(), "a.png"))]), "ten-crops")
    np.testing.assert_allclose(bars(page)[1][1], [p for _, p in prediction.top(expected)], rtol=1e-5)
    page.selectbox(key="crops").set_value("one view").run()

    page.selectbox(key="method").set_value("occlusion").run()
    assert [note for note in notes(page) if "window" in note] == []
    values = widgets.resolved({"window": 6, "stride": 2, "baseline": "mean"}, METHODS["occlusion"].parameters, find(of_imagenet))
    assert values == {"window": 42, "stride": 14, "baseline": "mean"}


def test_a_test_image_is_enlarged_for_it_and_explained_at_that_size(page: AppTest, of_imagenet: str):
    opened(page, nets=of_imagenet, image="17", method="Saliency")
    assert not page.exception and not page.error
    text = said(page)
    assert "as the nets see it: 224x224 pixels · enlarged from 32x32" in text
    loaded = load(find(of_imagenet), precision="fp32")
    (expected,) = prediction.predict(loaded, prediction.stack([_image_17()]))
    best = int(expected.argmax())
    assert f"for {prediction.class_names(elsewhere(1000))[best]} (its prediction)" in notes(page)[0]
    (found,) = [value for key, value in page.session_state[computed._RESULTS].items() if key[0] == "map"]
    image = loading.resized(torch.from_numpy(_image_17()).permute(2, 0, 1)[None], 224)[0]
    np.testing.assert_array_equal(found.map, attribute(loaded, image, "saliency", best, channels="maximum").map)
    page.selectbox(key="target").set_value("true").run()
    assert (
        "It does not know the classes that this target is one of" in said(page)
        or "It does not know CIFAR-10's classes" in page.info[-1].value
    )
