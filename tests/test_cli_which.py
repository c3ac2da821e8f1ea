"""CHECKPOINT may be a file of another repository: it is read like an import, and nothing of it is kept."""

from __future__ import annotations

import json
import re

import pytest
import torch
from safetensors.torch import save_file

from resnet_core import architectures
from resnet_core.architectures import ResNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.cli import main
from resnet_core.config import DataConfig
from resnet_core.data import load
from resnet_core.nets.folder import CARD, FORMAT, MEAN, STD, WEIGHTS, sha256
from tests.imports_nets import Akamaster, randomized
from tests.nets_tools import TINY, write_checkpoint


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


def ours(path, model, **tensors):
    """A file that says ResNet Lab wrote it: ``model`` as its metadata tell it, with these tensors instead of a net's own."""
    state = build_model(TINY).state_dict() | {MEAN: torch.zeros(3, 1, 1)}
    save_file(state | tensors, path, {"format": FORMAT, "model": model, "normalization": "own"})


@pytest.mark.parametrize(
    "model, tensors, told",
    [
        ("3", {}, "not an object"),
        ('{"family": []}', {}, "family"),
        ('[["depth", 8]]', {}, "not an object"),
        ("[" * 100_000, {}, "describe"),
        ('{"depth": 1199, "width": 256, "block": "bottleneck"}', {}, "tensors are those of ResNet-8"),
        (None, {"fc.bias": torch.full((10,), float("nan"))}, "not finite"),
        (None, {MEAN: torch.zeros(7)}, "shape"),
        (None, {MEAN: torch.zeros(3, 1, 1), STD: torch.zeros(3, 1, 1)}, "above 0"),
        (None, {"bn1.running_var": torch.full((4,), -1.0)}, "below 0"),
    ],
    ids=["number", "family", "pairs", "nested", "another net", "nan", "mean", "std", "variance"],
)
def test_a_file_that_says_it_is_ours_is_believed_no_more_than_others(tmp_path, capsys, model, tensors, told):
    ours(tmp_path / "net.safetensors", json.dumps(architectures.to_dict(TINY)) if model is None else model, **tensors)
    assert main(["evaluate", "net.safetensors", "--json"]) == 2
    output = capsys.readouterr()
    assert told in output.err and output.err.startswith("resnet-lab: error: net.safetensors") and output.out == ""


def test_a_file_of_ours_is_evaluated_as_the_net_it_came_from(tmp_path, home, capsys):
    path = write_checkpoint(tmp_path / "shipped", "tiny", TINY, seed=4)
    (tmp_path / "taken away.safetensors").write_bytes((path / "weights.safetensors").read_bytes())
    options = ["--precision", "fp32", "--device", "cpu", "--json"]
    told = []
    for name in ("tiny", "taken away.safetensors"):
        assert main(["evaluate", name, *options]) == 0
        told.append(json.loads(capsys.readouterr().out.splitlines()[-1]))
    assert [each["wrong"] for each in told] == [told[0]["wrong"]] * 2 and told[1]["normalization"] == "pixel-mean"
    # What it says of itself can be overruled, as that of any net.
    assert main(["evaluate", "taken away.safetensors", "--normalization", "imagenet", *options]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["normalization"] == "imagenet"
    assert not list(home.rglob("*.safetensors"))


def test_a_shortcut_is_asked_of_files_only(tmp_path, capsys):
    write_checkpoint(tmp_path / "shipped", "tiny", TINY)
    assert main(["evaluate", "tiny", "--shortcut", "none"]) == 2
    assert "'none' is not that of" in capsys.readouterr().err


def test_a_folder_from_elsewhere_is_believed_no_more_than_a_file(tmp_path, capsys, monkeypatch):
    """Its card says it is a net of 20 GB: nothing of that size is made."""
    path = write_checkpoint(tmp_path / "sent", "theirs", TINY, seed=4)
    options = ["--precision", "fp32", "--device", "cpu", "--json"]
    assert main(["evaluate", str(path), *options]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["n"] == 1000
    huge = ResNetConfig(1202, "A", 256)
    save_file({"conv1.weight": torch.zeros(1)}, path / WEIGHTS, {"format": FORMAT, "model": json.dumps(architectures.to_dict(huge))})
    card = json.loads((path / CARD).read_text()) | {"model": architectures.to_dict(huge), "checksum_sha256": sha256(path / WEIGHTS)}
    (path / CARD).write_text(json.dumps(card))
    monkeypatch.setattr("resnet_core.nets.loading.build_model", lambda *_: pytest.fail("a net was built"))
    assert main(["evaluate", str(path), *options]) == 2
    assert capsys.readouterr().err.startswith("resnet-lab: error: weights.safetensors")


@pytest.mark.parametrize("command", [["evaluate", "~nobody-here/net.pt"], ["responses", "~nobody-here"]])
def test_a_home_of_nobody_is_no_file(command, capsys):
    assert main(command) == 2
    assert "No checkpoint, file or run is called '~nobody-here" in capsys.readouterr().err


def test_a_choice_is_offered_once_with_its_best_error(theirs, home, capsys):
    """The shortcut is left to us, so each normalisation stands for its better shortcut."""
    assert main(["evaluate", "theirs.th"]) == 2
    offered = re.search(r"--normalization (.*?) \(errors", capsys.readouterr().err)[1]
    keys = re.findall(r"([a-z0-9-]+) \(", offered)
    assert len(keys) > 2 and len(set(keys)) == len(keys)
