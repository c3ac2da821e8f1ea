"""Predict: the mean of several nets beside them, under any protocol."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from resnet_core.analysis import prediction
from resnet_core.architectures import ResNetConfig
from resnet_core.data import CLASSES
from resnet_core.nets import find
from resnet_core.nets.loading import load
from tests.analysis_tools import said, shipped
from tests.nets_tools import write_checkpoint
from tests.page_tools import opened
from tests.test_page_predict import bars, nets, page, test_image

__all__ = ["nets", "page", "shipped"]


def test_the_mean_of_the_nets_stands_beside_them(page: AppTest, nets: list[str]):
    opened(page, image="17", crops="with its mirror image", mean="true")
    drawn = bars(page)
    assert len(drawn) == 3
    loaded = [load(find(name), precision="fp32") for name in nets]
    mean = np.mean([prediction.predict(net, prediction.stack([test_image(17)]), "mirrored")[0] for net in loaded], axis=0)
    best = prediction.top(mean)
    assert drawn[2][0] == [CLASSES[i] for i, _ in best]
    np.testing.assert_allclose(drawn[2][1], [p for _, p in best], rtol=1e-5)
    assert "For one image 4 passes" in said(page)


def test_nets_of_other_classes_have_no_mean(page: AppTest, nets: list[str], shipped: Path):
    write_checkpoint(shipped, "hundred", ResNetConfig(8, "A", 4, num_classes=100))
    opened(page, image="17", nets=["plain-20", "hundred"], mean="true")
    assert len(bars(page)) == 2 and "need the same classes" in page.info[0].value
