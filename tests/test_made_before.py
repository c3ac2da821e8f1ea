"""What was made before there were families of nets stays what it is: a run folder of that time is read, found again, resumed, exported."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from resnet_core.architectures import ResNetConfig
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.nets import export, find
from resnet_core.nets.loading import load
from resnet_core.runs import Run, RunStore
from tests.runs_tools import wait_for_end

OLD = next((Path(__file__).parent / "runs_made_before").glob("resnet-8-*"))
#: The training that it was made by.
CONFIG = RunConfig(
    ResNetConfig(8, "B", 2),
    DataConfig("sample"),
    Recipe(iterations=4, batch_size=8, precision="fp32", compile="off", device="cpu"),
)


@pytest.fixture
def old(tmp_path) -> Run:
    """A copy of it in the home of the test."""
    return Run(Path(shutil.copytree(OLD, RunStore().home / OLD.name)))


def test_it_is_the_run_of_its_configuration(old):
    store = RunStore()
    assert old.config == CONFIG and old.state().state == "finished"
    assert store.find(CONFIG).id == store.submit(CONFIG)[0].id == OLD.name  # not trained again
    assert [row["iteration"] for row in old.records("train")] == [1, 2, 3, 4]


def test_its_weights_are_loaded_and_exported(old):
    net = find(OLD.name)
    loaded = load(net)
    assert loaded.model.config == CONFIG.model
    with torch.no_grad():
        assert loaded.model(torch.zeros(1, 3, 32, 32)).isfinite().all()
    assert export.card(net)["model"]["family"] == "resnet"
    assert export.archive(net)


def test_it_goes_on_from_its_last_checkpoint(old, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "1")
    store = RunStore()
    shutil.rmtree(old.path / "checkpoints" / "iter-00000004")
    with store.locked():
        store.change(old, state="stopped", iteration=3, result=None)
    store.resume(old.id)
    wait_for_end(old)
    assert old.state().state == "finished" and old.state().iteration == 4
    assert [row["iteration"] for row in old.records("train")] == [1, 2, 3, 4]
