"""Nets to take away: what is exported loads again, anywhere, and is the same net."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile

import pytest
import torch
import yaml

from resnet_core import data
from resnet_core.architectures import ImageNetConfig, ResNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.config import DataConfig
from resnet_core.errors import CheckpointError
from resnet_core.language import use
from resnet_core.nets import NORMALIZATIONS, export, find, folder, hub_card
from resnet_core.nets.loading import load
from resnet_core.training import checkpoint
from tests.nets_tools import ROWS, TINY, save_run, write_checkpoint


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "shipped"))
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    return tmp_path / "shipped"


@pytest.fixture(scope="module")
def images():
    return data.load(DataConfig()).test.images[:64]


def again(content: bytes, tmp_path):
    path = tmp_path / "elsewhere.safetensors"
    path.write_bytes(content)
    return find(str(path))


def test_a_checkpoints_file_is_given_as_it_is_with_its_checksum(shipped, tmp_path, images):
    write_checkpoint(shipped, "tiny", seed=5)
    net = find("tiny")
    content = export.weights(net)
    assert content == (net.path / folder.WEIGHTS).read_bytes()
    assert torch.equal(load(again(content, tmp_path), "cpu", "fp32").logits(images), load(net, "cpu", "fp32").logits(images))


def test_a_runs_weights_become_one_file_with_the_mean_of_its_training(shipped, tmp_path, images):
    net = find(save_run().id)
    alone = again(export.weights(net), tmp_path)
    assert (alone.model, alone.card["normalization"]) == (TINY, "own")
    assert torch.equal(load(alone, "cpu", "fp32").mean, torch.full((3, 32, 32), 0.25))
    assert torch.equal(load(alone, "cpu", "fp32").logits(images), load(net, "cpu", "fp32").logits(images))


def test_the_mean_image_of_the_full_training_set_is_called_by_its_name(shipped, tmp_path):
    mean, _ = NORMALIZATIONS["pixel-mean"].arrays()
    net = find(save_run(torch.from_numpy(mean)).id)
    assert again(export.weights(net), tmp_path).card["normalization"] == "pixel-mean"


def test_the_card_of_a_run_tells_what_its_folder_knows(shipped):
    run = save_run()
    told = export.card(find(run.id))
    recipe = run.config.recipe
    assert (told["run"], told["data"], told["seed"]) == (run.id, "sample (5,000 images)", recipe.seed)
    assert (told["train_error"], told["test_error"], told["training_seconds"]) == (61.5, 62.5, 5.6)
    assert told["schedule_fraction"] == recipe.schedule_fraction and told["iterations"] == 7
    assert told["params"] == sum(parameter.numel() for parameter in build_model(TINY).parameters())
    assert json.loads(json.dumps(told)) == told


def test_the_archive_of_a_run_unpacked_is_a_checkpoint(shipped, tmp_path, images):
    run = save_run()
    packed = zipfile.ZipFile(io.BytesIO(export.archive(find(run.id))))
    files = ["README.md", "card.json", "config.json", "records.jsonl", "weights.safetensors"]
    assert sorted(packed.namelist()) == [f"{run.id}/{name}" for name in files]
    packed.extractall(shipped)
    net = find(run.id)
    assert (net.origin, net.config, net.test_error, net.records()) == ("shipped", run.config, 62.5, ROWS)
    assert torch.equal(load(net, "cpu", "fp32").model.fc.weight, build_model(TINY, 3).fc.weight)


def test_the_archive_of_a_run_that_goes_on_tells_of_the_weights_in_it(shipped):
    run = save_run()
    net = find(run.id)
    state = checkpoint.TrainingState(build_model(TINY, 4).state_dict(), {"mean": torch.zeros(3, 32, 32)}, {"iteration": 9})
    checkpoint.save(run.path / "checkpoints", state)  # after the page had looked
    with zipfile.ZipFile(io.BytesIO(export.archive(net))) as packed:
        card = json.loads(packed.read(f"{run.id}/{folder.CARD}"))
    assert (card["iterations"], card["train_error"], card["test_error"]) == (9, None, None)  # nothing was recorded there
    assert card["checksum_sha256"] == hashlib.sha256(export.weights(find(run.id))).hexdigest()


def test_a_training_that_was_taken_away_before_its_end_says_so(shipped, tmp_path):
    run = save_run()
    with zipfile.ZipFile(io.BytesIO(export.archive(find(run.id)))) as packed:
        packed.extractall(shipped)
    net = find(str(shipped / run.id))
    assert (net.iteration, net.state, net.test_error) == (7, "stopped", 62.5)


def test_the_archive_of_a_checkpoint_keeps_its_card_and_its_texts(shipped, tmp_path):
    path = write_checkpoint(shipped, "tiny", test_error=12.5)
    (path / folder.README).write_text("# tiny\n")
    packed = zipfile.ZipFile(io.BytesIO(export.archive(find("tiny"))))
    assert sorted(packed.namelist()) == ["tiny/README.md", "tiny/card.json", "tiny/weights.safetensors"]
    assert json.loads(packed.read("tiny/card.json")) == find("tiny").card
    assert packed.read("tiny/weights.safetensors") == (path / folder.WEIGHTS).read_bytes()


def test_records_are_one_object_a_line(shipped):
    run = save_run()
    lines = export.records(find(run.id)).decode().splitlines()
    assert [json.loads(line) for line in lines] == ROWS
    write_checkpoint(shipped, "tiny")
    assert export.records(find("tiny")) == b""


@pytest.mark.parametrize(
    "model", [TINY, ResNetConfig(8, "C", 4), ResNetConfig(11, "B", 4, "bottleneck"), ImageNetConfig((1, 1, 1, 1), width=8)]
)
def test_parameters_are_counted_from_the_header(shipped, model):
    path = write_checkpoint(shipped, "tiny", model)
    assert export.parameters(path / folder.WEIGHTS) == sum(parameter.numel() for parameter in build_model(model).parameters())


def test_weights_that_are_gone_are_named(shipped):
    write_checkpoint(shipped, "tiny")
    net = find("tiny")
    (net.path / folder.WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match="The weights of ResNet-8-w4 cannot be read"):
        export.weights(net)


def front(content: bytes, stem: str) -> tuple[dict, str]:
    """The header of the archive's README.md as a reader of YAML understands it, and what follows it."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        text = packed.read(f"{stem}/README.md").decode()
    assert text.startswith("---\n")
    head, _, body = text.removeprefix("---\n").partition("\n---\n")
    return yaml.safe_load(head), body


def test_the_header_of_a_shipped_net_has_each_measured_error(shipped):
    told = {"data": "cifar10", "split": "test", "n": 10000}
    evaluations = [{**told, "precision": "bf16", "wrong": 1028, "top1_error": 10.28}, {**told, "precision": "fp32", "top1_error": 10.3},
        {"data": "sample", "precision": "fp32", "n": 1000, "wrong": 99, "top1_error": 9.9}]  # fmt: skip
    path = write_checkpoint(shipped, "tiny", dataset="cifar10", test_error=10.28, evaluations=evaluations)
    (path / folder.README).write_text("# tiny\n")
    head, body = front(export.archive(find("tiny")), "tiny")
    assert body == "\n# tiny\n"
    assert (head["license"], head["library_name"], head["datasets"]) == ("mit", "pytorch", ["uoft-cs/cifar10"])
    assert "image-classification" in head["tags"]
    [model] = head["model-index"]
    assert model["name"] == "ResNet-8-w4" and {each["task"]["type"] for each in model["results"]} == {"image-classification"}
    found = [(each["dataset"]["name"], each["dataset"]["type"], each["metrics"][0]["value"]) for each in model["results"]]
    part = "CIFAR-10, 1,000 of its test images"
    cifar = "uoft-cs/cifar10"
    assert found == [("CIFAR-10", cifar, 10.28), ("CIFAR-10", cifar, 10.3), (part, cifar, 9.9)]
    assert [each["metrics"][0]["type"] for each in model["results"]] == ["error"] * 3


def test_the_header_of_a_run_says_what_its_training_measured_and_no_licence(shipped):
    run = save_run()
    use("zh")
    try:
        head, body = front(export.archive(find(run.id)), run.id)
    finally:
        use("en")
    assert "license" not in head and head["datasets"] == ["uoft-cs/cifar10"]
    assert head["model-index"][0]["results"][0]["metrics"][0]["value"] is not None
    assert f"| test error | {head['model-index'][0]['results'][0]['metrics'][0]['value']:.2f} % |" in body


def test_what_was_not_measured_is_not_in_the_header(shipped):
    write_checkpoint(shipped, "tiny")
    head, _ = front(export.archive(find("tiny")), "tiny")
    assert "model-index" not in head and "datasets" not in head
    head = yaml.safe_load(hub_card.header({"name": 'a "b": [\n# c', "model": {}, "test_error": 1.5, "dataset": "pictures"}).strip("-\n"))
    assert (head["model-index"][0]["name"], head["model-index"][0]["results"][0]["dataset"]["type"]) == ('a "b": [\n# c', "pictures")
