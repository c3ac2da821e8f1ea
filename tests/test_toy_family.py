"""A family from outside of the project is built, counted, trained, measured, explained, drawn, exported and imported without a change here.

Its module stands beside this test; whatever it needs elsewhere would be in the wrong place.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from resnet_core.architectures import from_dict, parse, to_dict
from resnet_core.architectures.net import build_model
from resnet_core.architectures.table import complexity
from resnet_core.attribution import METHODS, cascade_steps, default_layer
from resnet_core.cli import main
from resnet_core.figures.diagram import diagram, is_drawn_in_full
from tests.page_tools import app, opened

NET = "toy-6-f4"


ROOT = Path(__file__).parent.parent
RECIPE = ("--iterations", "3", "--batch-size", "16", "--precision", "fp32", "--compile", "off", "--device", "cpu")


@pytest.fixture(autouse=True)
def _toy(toys, monkeypatch):
    """The family, here and in the processes that are started meanwhile."""
    monkeypatch.setenv("RESNET_LAB_FAMILIES", "tests.toy_family")
    monkeypatch.chdir(ROOT)


def command(capsys, *words: str) -> dict:
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_it_is_counted_and_drawn():
    config = parse(NET)
    assert from_dict(to_dict(config)) == config and config.name == NET
    net = complexity(config)
    assert net.params == sum(p.numel() for p in build_model(config).parameters()) == 3 * 4 * 9 + 4 + 4 * (4 * 4 * 9 + 4) + 4 * 10 + 10
    assert net.macs == 3 * 4 * 9 * 16**2 + 4 * 4 * 4 * 9 * 8**2 + 40
    assert [shortcut.kind for shortcut in net.shortcuts] == ["identity", "identity"]
    assert is_drawn_in_full(net)
    assert any(trace.name == "largest" for trace in diagram(net).data)
    assert default_layer(config) == "stage2.0"
    assert [step.label for step in cascade_steps(config)] == ["classes", "stage2.0", "stage1.0", "first"]


def test_it_is_trained_measured_and_explained_from_the_command_line(capsys):
    trained = command(capsys, "train", "--net", NET, *RECIPE)
    run = trained["run"]
    assert (trained["name"], trained["state"], trained["family"]) == (NET, "finished", "toy")
    assert command(capsys, "evaluate", run)["n"] == 1000
    names = ["first", *(f"stage{stage}.0.{name}" for stage in (1, 2) for name in ("one", "two"))]
    assert [row["name"] for row in command(capsys, "responses", run, "--images", "20")["layers"]] == names
    assert [row["name"] for row in command(capsys, "gradients", run, "--batches", "1")["layers"]] == names
    for method in METHODS:
        steps = ["--steps", "8"] if method == "integrated-gradients" else []
        assert command(capsys, "attribute", run, "test:3", "--target", "3", "--method", method, *steps)["method"] == method


def test_its_checkpoint_is_imported_again(tmp_path):
    from resnet_core.imports import accept, inspect_file
    from resnet_core.nets import find
    from resnet_core.nets.folder import save_weights
    from resnet_core.nets.normalization import NORMALIZATIONS

    model = build_model(parse(NET), 5)
    mean, std = (torch_of(value) for value in NORMALIZATIONS["cifar10"].arrays())
    path = tmp_path / "toy.safetensors"
    save_weights(path, model.state_dict(), mean, std, model.config, "cifar10")
    proposal = inspect_file(path)
    assert (proposal.model, proposal.shortcuts) == (parse(NET), ("largest",))
    kept = accept(proposal, "toy", proposal.normalizations[0], "largest")
    assert find(kept.id).model == parse(NET)


def torch_of(value):
    import torch

    return None if value is None else torch.tensor(value, dtype=torch.float32)


def test_pages_show_it(capsys, monkeypatch):
    run = command(capsys, "train", "--net", NET, *RECIPE)["run"]
    assert [told["family"] for told in command(capsys, "runs")["runs"]] == ["toy"]
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    queries = {"train": {"tab": "Runs"}, "compare": {"runs": run}, "checkpoints": {}, "architectures": {}, "paper": {}}
    queries |= {page: {"nets": run} for page in ("responses", "gradients", "predict")}
    for page, query in queries.items():
        opened(app(ROOT, monkeypatch, f"{page}/page.py"), **query)
