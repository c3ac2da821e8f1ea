"""CHECKPOINT may be a file of another repository: it is read like an import, and nothing of it is kept."""

from __future__ import annotations

import json

import pytest
import torch

from resnet_core.cli import main
from resnet_core.config import DataConfig
from resnet_core.data import load
from tests.imports_nets import Akamaster, randomized


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "shipped"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def theirs(tmp_path):
    """A net as akamaster/pytorch_resnet_cifar10 saves it."""
    net = randomized(Akamaster(8, width=4), 3)
    saved = {"state_dict": {f"module.{key}": value for key, value in net.state_dict().items()}, "best_prec1": 10.0}
    torch.save(saved, tmp_path / "theirs.th")
    return net


def test_evaluate_measures_the_file_as_its_own_code_would(theirs, home, capsys):
    options = ["--normalization", "imagenet", "--shortcut", "A", "--precision", "fp32", "--device", "cpu", "--json"]
    assert main(["evaluate", "theirs.th", *options]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    test = load(DataConfig("sample")).test
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        wrong = int((theirs((test.images.float() / 255 - mean) / std).argmax(1) != test.labels).sum())
    assert (told["wrong"], told["n"], told["normalization"]) == (wrong, 1000, "imagenet")
    assert not list(home.rglob("*.safetensors"))


def test_what_the_file_does_not_say_is_asked_with_the_measured_choices(theirs, home, capsys):
    assert main(["responses", "theirs.th"]) == 2
    error = capsys.readouterr().err
    assert "does not say its normalization" in error and "--normalization auto takes" in error
    assert not list(home.rglob("*.safetensors"))


def test_a_file_that_is_no_checkpoint_is_refused_by_its_own_message(tmp_path, capsys):
    (tmp_path / "photo.pt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    assert main(["evaluate", "photo.pt"]) == 2
    assert "PNG" in capsys.readouterr().err
