"""How open gates are through a training: measured by hand, kept with the records of the layers, drawn, and taken away."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from resnet_core.architectures import parse
from resnet_core.architectures.net import build_model
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.data import load
from resnet_core.exports.event_file import scalars
from resnet_core.figures.gates import course_text, gate_course, gate_heatmap, gates_csv
from resnet_core.runs.records import reader
from resnet_core.training.engine import Trainer
from resnet_core.training.layers import layer_statistics
from resnet_core.training.plan import Plan
from tests.analysis_tools import figures, layer_rows, said, ship, shipped
from tests.families_tools import random_statistics
from tests.page_tools import app, opened

__all__ = ["shipped"]

HIGHWAY = parse("Highway-8-w4")


def rows(model=HIGHWAY, first: float = 0.1):
    """Records at iterations 0, 50, ..., 200; block k = 0, 1, 2 is ``first`` + 0.05 k open at first, and 0.001 more with each iteration."""
    gated = model.plan().gated
    found = layer_rows(model)
    for row in found:
        opening = {at: first + 0.05 * k + 0.001 * row["iteration"] for k, at in enumerate(gated.values())}
        row["gate_opening"] = [opening.get(at) for at in range(len(row["names"]))]
    return found


@pytest.mark.parametrize("name", ["Highway-8-w4", "Highway-19"])
def test_the_record_is_the_mean_of_each_blocks_sigmoid(name):
    model = random_statistics(build_model(parse(name), 4))
    images, labels = torch.randn(6, 3, 32, 32, generator=torch.Generator().manual_seed(2)), torch.arange(6)
    found = layer_statistics(model, images, labels, Plan(threads=1))
    by_hand = {}

    def keep(block, args, output):
        conv = block.gate.conv
        pre = torch.nn.functional.conv2d(args[0], conv.weight, conv.bias, conv.stride, conv.padding)
        by_hand[block.unit.name] = float((1 / (1 + torch.exp(-pre.double()))).mean())

    gated = [block for block in model.blocks() if block.gate is not None]
    handles = [block.register_forward_hook(keep) for block in gated]
    model.train_without_chance()
    with torch.no_grad():
        model(images)
    for handle in handles:
        handle.remove()
    told = {
        layer.rpartition(".")[0]: value for layer, value in zip(found["names"], found["gate_opening"], strict=True) if value is not None
    }
    assert told == pytest.approx(by_hand, rel=1e-5) and len(told) == len(gated)
    assert not any(module._forward_hooks for module in model.modules())


def test_a_training_keeps_it_at_every_record_and_nets_without_gates_have_none():
    recipe = Recipe(iterations=4, batch_size=8, layers_every=2, compile="off", precision="fp32", device="cpu")
    kept, images = {}, load(DataConfig())
    for name in ("Highway-8-w4", "ResNet-8-w4"):
        trainer = Trainer(RunConfig(parse(name), DataConfig(), recipe), images, Plan(threads=1))
        kept[name] = [record for record in trainer.run() if record["kind"] == "layers"]
    assert [record["iteration"] for record in kept["Highway-8-w4"]] == [0, 2, 4]
    for record in kept["Highway-8-w4"]:
        assert [value is not None for value in record["gate_opening"]] == [False, *(True, False)[::-1] * 3]
    # sigmoid(-2), as the gates' small weights leave it at the start
    assert all(0.05 < value < 0.3 for value in kept["Highway-8-w4"][0]["gate_opening"] if value is not None)
    assert not any("gate_opening" in record for record in kept["ResNet-8-w4"])


def test_records_are_read_with_and_without_it(tmp_path: Path):
    path = tmp_path / "records.jsonl"
    written = [*layer_rows(HIGHWAY)[:2], *rows()[2:]]  # a training that was resumed by a later version
    damaged = rows()[-1] | {"iteration": 250, "gate_opening": [0.1]}
    path.write_text("".join(json.dumps(row) + "\n" for row in [*written, damaged]))
    found = reader(path)
    assert found.records("layers") == written and found.damaged == 1
    course = gate_course("a", "A", HIGHWAY, found.records("layers"))
    assert course.iterations.tolist() == [100, 150, 200] and course.blocks == ("layer1.0", "layer2.0", "layer3.0")
    np.testing.assert_allclose(course.opening, np.array([0.1, 0.15, 0.2]) + 0.001 * course.iterations[:, None])
    assert gate_course("a", "A", HIGHWAY, layer_rows(HIGHWAY)) is None and gate_course("b", "B", parse("ResNet-8"), rows()) is None


def test_a_row_of_other_layers_costs_its_moment_alone():
    kept = rows()
    kept[1]["gate_opening"] = kept[1]["gate_opening"][:1]
    assert gate_course("h", "H", HIGHWAY, kept).iterations.tolist() == [0, 100, 150, 200]
    assert gate_course("h", "H", HIGHWAY, kept[1:2]) is None


def test_it_is_drawn_told_and_taken_away():
    course = gate_course("a", "A <b>", HIGHWAY, rows(), "seed 0")
    assert course_text(course) == (
        "A <b>: 15 % open in the mean at iteration 0, 35 % at iteration 200, there from 30 (layer1.0) to 40 % (layer3.0) by block"
    )
    for dark in (False, True):
        (trace,) = gate_heatmap([course], dark).data
        np.testing.assert_allclose(trace.z, course.opening.T)
        assert trace.name == "A &lt;b&gt;" and [each[0] for each in trace.customdata] == list(course.blocks)
    table = list(csv.DictReader(io.StringIO(gates_csv([course]))))
    assert len(table) == 15
    assert {name: table[4][name] for name in ("iteration", "block", "name", "conditions")} == {
        "iteration": "50", "block": "2", "name": "layer2.0", "conditions": "seed 0",
    }  # fmt: skip
    assert float(table[4]["gate_opening"]) == pytest.approx(0.2)
    broken = rows()
    broken[-1]["gate_opening"][2] = None
    assert "no numbers any more" in course_text(gate_course("a", "A", HIGHWAY, broken))
    tags = dict(scalars(rows()[0]))
    assert tags["gate_opening/layer1.0.conv2"] == pytest.approx(0.1) and "gate_opening/conv1" not in tags


@pytest.fixture
def page(root: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    for name, records in (("highway-8", rows()), ("highway-old", layer_rows(HIGHWAY))):
        path = ship(shipped, name, HIGHWAY)
        (path / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in records))
    return app(root, monkeypatch, "experiments/page.py")


def test_the_page_shows_it_beside_the_trained_net(page: AppTest):
    opened(page, experiment="Gates", nets=["highway-8", "highway-old"])
    text = said(page)
    assert "15 % open in the mean at iteration 0, 35 % at iteration 200" in text
    assert "No records of the gates: " in text and "BN with the batch's own statistics" in text
    (figure,) = figures(page)
    assert [trace["type"] for trace in figure] == ["heatmap"]
