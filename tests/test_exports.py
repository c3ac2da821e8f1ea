"""Nets and trainings for other tools: each file is read back by the tool that it is for."""

from __future__ import annotations

import json
import shutil
import sys

import nbformat
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from resnet_core import data, exports
from resnet_core.architectures import ImageNetConfig, ResNetConfig, parse
from resnet_core.config import DataConfig, Recipe, RunConfig, Start
from resnet_core.errors import CheckpointError, DataError
from resnet_core.exports import event_file, notebook, onnx_file
from resnet_core.nets import find
from resnet_core.nets.loading import load, resized
from resnet_core.runs import RunStore
from resnet_core.runs.records import RecordWriter
from tests import runs_tools
from tests.nets_tools import save_run, write_checkpoint, write_shipped


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "shipped"))
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    return tmp_path / "shipped"


@pytest.mark.parametrize(
    ("model", "normalization"),
    [(ResNetConfig(8, "A", 4), "pixel-mean"), (parse("DenseNet-BC-22-k4"), "cifar10"), (ImageNetConfig((1, 1, 1, 1), width=4), "imagenet")],
    ids=["A", "dense", "imagenet"],
)
def test_onnx_gives_the_nets_logits_for_any_batch(shipped, model, normalization):
    write_checkpoint(shipped, "tiny", model, 3, normalization, classes=(names := [f"class {i}" for i in range(model.num_classes)]))
    name, content = exports.made("onnx", find("tiny"))
    assert name == "tiny.onnx"
    onnx.checker.check_model(onnx.load_from_string(content))
    session = onnxruntime.InferenceSession(content)
    net, side = load(find("tiny"), "cpu"), find("tiny").side
    images = resized(data.load(DataConfig()).test.images[100:105], side)
    for count in (1, 5):
        [found] = session.run(None, {"images": (images[:count].float() / 255).numpy()})
        np.testing.assert_allclose(found, net.logits(images[:count]).numpy(), atol=1e-4)
    told = session.get_modelmeta().custom_metadata_map
    assert (told["net"], json.loads(told["classes"])) == (model.name, names)
    assert told["input"].startswith(f"float32 (N, 3, {side}, {side}), RGB, 0 to 1") and "20" in told["source"]


def test_onnx_that_gives_other_logits_is_not_kept(shipped, monkeypatch):
    write_checkpoint(shipped, "tiny")
    written = onnx_file._written

    def off(loaded, images):
        with torch.no_grad():
            loaded.model.fc.bias += 0.01
        return written(loaded, images)

    monkeypatch.setattr(onnx_file, "_written", off)
    with pytest.raises(CheckpointError, match=r"ResNet-8-w4 gives other logits than the net: 0.01 apart on 8 images. It was not kept"):
        exports.made("onnx", find("tiny"))


@pytest.mark.parametrize(("key", "package"), [("onnx", "onnxruntime"), ("tensorboard", "tensorboard")])
def test_a_package_that_is_not_there_is_named_with_its_extra(shipped, monkeypatch, key, package):
    net = find(save_run().id)
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DataError, match=rf"needs the package {package}: .*resnet-lab\[export\]"):
        exports.made(key, net)


def test_tensorboard_reads_every_row(shipped, tmp_path):
    run = save_run()
    writer = RecordWriter(run.path / "records.jsonl")
    layers = {"names": ["conv1", "layer1.0.conv1"], "gradient_norm": [0.5, None], "weight_norm": [1.0, 1.0], "response_std": [2.0, 3.0]}
    rows = [
        {"kind": "layers", "iteration": 0, **layers, "elapsed_seconds": 0.5},
        runs_tools.train_row(3, train_error=80.0, loss=2.25, learning_rate=0.5, images_per_second=10.0, elapsed_seconds=1.0),
        runs_tools.train_row(7, train_error=70.0, loss=None, learning_rate=0.25, images_per_second=20.0, elapsed_seconds=3.0),
        {"kind": "test", "iteration": 7, "test_error": 75.0, "test_loss": 1.5, "validation_error": 60.0, "elapsed_seconds": 3.5},
    ]
    for row in rows:
        writer.write(row)
    writer.close()
    name, content = exports.made("tensorboard", find(run.id))
    assert name == f"events.out.tfevents.{run.id}"
    (tmp_path / "board").mkdir()
    (tmp_path / "board" / name).write_bytes(content)
    read = EventAccumulator(str(tmp_path / "board"))
    read.Reload()
    found = {tag: [(each.step, each.value) for each in read.Scalars(tag)] for tag in read.Tags()["scalars"]}
    assert found == {
        "error/train": [(3, 80.0), (7, 70.0)], "error/test": [(7, 75.0)], "error/validation": [(7, 60.0)],
        "loss/train": [(3, 2.25)], "loss/test": [(7, 1.5)], "learning_rate": [(3, 0.5), (7, 0.25)],
        "images_per_second": [(3, 10.0), (7, 20.0)], "gradient_norm/conv1": [(0, 0.5)],
        "response_std/conv1": [(0, 2.0)], "response_std/layer1.0.conv1": [(0, 3.0)],
    }  # fmt: skip
    walls = [each.wall_time for each in read.Scalars("error/train")]
    assert walls[1] - walls[0] == pytest.approx(2.0)
    assert walls[0] == pytest.approx(event_file.began(find(run.id), rows) + 1.0)


def test_a_finished_trainings_times_end_when_it_ended(shipped):
    write_shipped(shipped, RunConfig(ResNetConfig(8, "A", 4), DataConfig(), Recipe(iterations=40)), 20.0)
    net = find("resnet-8-w4")
    assert event_file.began(net, net.records()) == 1795359600.0 - 20.0  # 2026-11-22 15:00 UTC, and its last row is at 20 s


def cells(content: bytes) -> tuple[nbformat.NotebookNode, list[str]]:
    made = nbformat.reads(content.decode(), as_version=4)
    nbformat.validate(made)
    assert all(cell.get("outputs", []) == [] for cell in made.cells)
    return made, [cell.source for cell in made.cells if cell.cell_type == "code"]


def test_the_notebook_trains_this_configuration_and_loads_its_weights(shipped, monkeypatch):
    config = runs_tools.config(seed=3, iterations=8, test_every=8)
    made, _ = RunStore().submit(config)
    source = save_run()  # of another training: its weights stand for those of this one
    shutil.copytree(source.path / "checkpoints", made.path / "checkpoints", dirs_exist_ok=True)
    name, content = exports.made("notebook", find(made.id))
    assert name == f"{made.id}.ipynb"
    monkeypatch.delenv("RESNET_LAB_SLOTS")  # one thread for a small training
    threads = torch.get_num_threads()
    namespace: dict = {}
    for code in cells(content)[1]:
        exec(compile(code, name, "exec"), namespace)
    torch.set_num_threads(threads)
    assert namespace["config"] == config and namespace["end"]["state"] == "finished"
    assert [trace.name for trace in namespace["figure"].data] != []
    assert namespace["records"][-1]["iteration"] == 8
    wrong = load(find(made.id), "cpu").logits(data.load(DataConfig()).test.images).argmax(1) != data.load(DataConfig()).test.labels
    assert namespace["error"] == pytest.approx(100 * wrong.float().mean().item())


@pytest.mark.parametrize(
    "config",
    [
        RunConfig(
            parse("ResNet-20-B-w8"), DataConfig("cifar10", validation=True), Recipe(seed=7, scale_range=(40, 48), milestones=(0.25,))
        ),
        RunConfig(parse("plain-20"), DataConfig(), Recipe(), Start("plain-8", "a-run", 12, "0" * 64, "transferred", 1, 0.5)),
    ],
)
def test_the_notebooks_configuration_is_the_trainings(config):
    namespace: dict = {}
    exec(notebook.configured(config), namespace)
    assert namespace["config"] == config


def test_what_was_not_trained_here_has_no_notebook_and_no_events(shipped):
    write_checkpoint(shipped, "tiny")
    for key in ("notebook", "tensorboard"):
        with pytest.raises(DataError, match="was not trained with ResNet Lab"):
            exports.made(key, find("tiny"))
