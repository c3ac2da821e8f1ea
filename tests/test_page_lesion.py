"""One deletion on the page Experiments: by the block's name, for all nets that have it, as the address says. No click: see browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from resnet_core.config import DataConfig
from resnet_core.experiments import EXPERIMENTS, run
from resnet_core.nets import find
from tests.analysis_tools import DEEPER, PLAIN, address, said, ship, shipped
from tests.page_tools import app, opened

__all__ = ["shipped"]


@pytest.fixture
def page(root: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    ship(shipped, "plain-20", PLAIN)
    ship(shipped, "resnet-56", DEEPER)
    return app(root, monkeypatch, "experiments/page.py")


def asked(page: AppTest, **query: str) -> AppTest:
    return opened(page, **{"experiment": "Lesions", "nets": ["plain-20", "resnet-56"], "lesions.images": "100"} | query)


def test_the_errors_are_those_of_all_deletions(page: AppTest):
    asked(page)
    assert not page.metric and page.selectbox(key="lesion.pick").value == "none"
    page.selectbox(key="lesion.pick").set_value("layer2.0").run()
    for metric, name in zip(page.metric, ("plain-20", "resnet-56"), strict=True):
        found = run(EXPERIMENTS["lesions"], find(name), DataConfig(), {"images": 100}).result
        index = found.blocks.index("layer2.0")
        assert (metric.value, metric.delta) == (f"{found.errors[index]:.1f} %", f"{found.increase[index]:+.1f} points")
        assert f"{100 * found.whole / found.n:.1f} %" in said(page)
    assert address(page, "lesion.block") == ["layer2.0"]
    # A block that only one of them has; then none.
    page.selectbox(key="lesion.pick").set_value("layer2.1").run()
    assert (page.metric[0].value, page.metric[0].delta) == ("–", "has no layer2.1")
    page.selectbox(key="lesion.pick").set_value("none").run()
    assert not page.metric and address(page, "lesion.block") == []


def test_a_link_deletes_the_block_that_it_names_or_says_that_there_is_none(page: AppTest):
    asked(page, **{"lesion.block": "layer3.0"})
    assert len(page.metric) == 2 and page.selectbox(key="lesion.pick").value == "layer3.0"
    asked(page, **{"lesion.block": "layer7.0"})
    assert not page.metric and "layer7.0" in page.warning[0].value.replace("\\", "")
    page.session_state["experiment"] = "paths"
    page.run()
    assert address(page, "lesion.block") == []
