"""Nets of other data sets than CIFAR-10: which images fit them, their classes' names, and refusals, from the core to the command line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from resnet_core import paper
from resnet_core.analysis.prediction import class_names
from resnet_core.architectures import ResNetConfig
from resnet_core.cli import main
from resnet_core.config import DataConfig, RunConfig, Start
from resnet_core.data import load, pictures
from resnet_core.datasets import CIFAR10_CLASSES, DATA_SETS, FASHION_CLASSES
from resnet_core.errors import ConfigError
from resnet_core.experiments import EXPERIMENTS, run
from resnet_core.nets import Net, find
from resnet_core.nets.fitting import fitting, pictures_of
from resnet_core.nets.loading import load as load_net
from resnet_core.runs import Run
from resnet_core.verdict import trained_alike
from tests.nets_tools import elsewhere, save_run_on, write_checkpoint
from tests.test_data_pictures import CLASSES, picture

FASHION = DataConfig("fashion-sample")


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_HOME", str(tmp_path / "runs"))
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "shipped"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("RESNET_LAB_DATA", raising=False)
    write_checkpoint(tmp_path / "shipped", "tiny")


@pytest.fixture
def folder(tmp_path) -> Path:
    for c, name in enumerate(CLASSES):
        for i in range(10):
            picture(tmp_path / "fruit" / name / f"{i}.png", 80 * c + i)
    return tmp_path / "fruit"


@pytest.fixture
def fashion() -> Run:
    return save_run_on(FASHION)


@pytest.fixture
def fruit(folder) -> Run:
    return save_run_on(DataConfig("pictures", pictures=pictures.look(folder, 32)), folder)


def net_on(key: str) -> Net:
    config = RunConfig(ResNetConfig(8, num_classes=DataConfig(key).classes), DataConfig(key, validation=True))
    return Net(key, f"on {key}", "run", config.model, Path(), config)


def test_a_net_fits_the_data_sets_of_its_classes_those_that_ship_first(fashion, fruit, folder):
    assert [each.dataset for each in fitting(find("tiny"))] == ["sample", "cifar10"]
    assert [each.dataset for each in fitting(find(fashion.id))] == ["fashion-sample", "fashion"]
    assert [each.dataset for each in fitting(net_on("svhn"))] == ["svhn", "mnist"]
    assert [each.dataset for each in fitting(net_on("cifar100"))] == ["cifar100"]
    assert [each.dataset for each in fitting(elsewhere(1000))][:2] == ["sample", "fashion-sample"]
    (own,) = fitting(find(fruit.id))
    assert own == fruit.config.data and pictures_of(find(fruit.id)) == folder
    assert pictures_of(find(fashion.id)) is None
    folder.rename(folder.with_name("gone"))
    assert pictures_of(find(fruit.id)) is None


def test_a_refusal_names_both_data_sets(fashion, fruit):
    of_fashion, of_fruit = find(fashion.id), find(fruit.id)
    assert of_fashion.refusal(DataConfig("fashion")) == "" and find("tiny").refusal(DataConfig("cifar10")) == ""
    expected = f"{of_fashion.name} tells Fashion-MNIST's 10 classes apart, and these images are CIFAR-10's."
    assert of_fashion.refusal(DataConfig()) == expected
    assert find("tiny").refusal(of_fruit.config.data) == "ResNet-8-w4 tells CIFAR-10's 10 classes apart, and these images are fruit's."
    assert "fruit's 3 classes apart" in of_fruit.refusal(FASHION)
    assert "1,000 classes apart that nothing is known of" in elsewhere(1000).refusal(DataConfig())
    assert {DataConfig(key).whole_title for key, each in DATA_SETS.items() if each.embedded} == {"CIFAR-10", "Fashion-MNIST"}


def test_names_of_outputs_are_those_of_the_net_s_own_classes(fashion, fruit):
    assert class_names(find(fashion.id)) == FASHION_CLASSES and class_names(find(fruit.id)) == CLASSES
    assert class_names(find("tiny")) == CIFAR10_CLASSES


def test_what_the_paper_reports_is_of_cifar_10():
    net = ResNetConfig(20, "A")
    assert paper.published(net, CIFAR10_CLASSES) == paper.published(net) is not None
    assert paper.published(net, FASHION_CLASSES) is None


def test_trainings_on_any_number_of_classes_are_told_to_be_alike(fruit):
    one, other = (RunConfig(ResNetConfig(depth, num_classes=100), DataConfig("cifar100")) for depth in (8, 20))
    assert trained_alike(one) == trained_alike(other) != trained_alike(RunConfig())
    assert trained_alike(fruit.config) != trained_alike(one)
    deep = RunConfig(dataclasses.replace(RunConfig().model), DataConfig(), start=Start("plain-20", "x", 1, "0" * 64, "transferred", 2))
    assert trained_alike(deep).start is not None


@pytest.mark.parametrize("key", [key for key, each in EXPERIMENTS.items() if each.labelled])
def test_an_experiment_compares_the_classes_and_not_their_number(key, fashion):
    EXPERIMENTS[key].check_images(find(fashion.id), DataConfig("fashion"))
    with pytest.raises(ConfigError, match="Fashion-MNIST's 10 classes apart, and these images are CIFAR-10's"):
        EXPERIMENTS[key].check_images(find(fashion.id), DataConfig())


@pytest.mark.parametrize(
    ("key", "given", "of"),
    [
        ("readout", {"images": 100, "train": 500, "picture": 3}, lambda found: found.picture.label),
        ("strongest", {"images": 100, "layer": "layer2.0", "top": 1}, lambda found: found.classes[0]),
        ("ledger", {"images": 100, "picture": 3}, lambda found: found.answer),
        ("maps", {"layer": "layer1.0", "picture": 3}, lambda found: found.picture.label),
        ("evaluation", {"images": 100}, lambda found: found.classes[9]),
    ],
)
def test_experiments_name_the_classes_of_the_data(key, given, of, fashion):
    found = run(EXPERIMENTS[key], find(fashion.id), FASHION, given, device="cpu")
    assert of(found.result) in FASHION_CLASSES
    if key in ("readout", "maps"):
        assert of(found.result) == FASHION_CLASSES[int(load(FASHION).test.labels[3])]
    functions = EXPERIMENTS[key].functions
    assert functions.table([found]).rows and functions.figure([found]).to_json() and functions.finding([found])


def told(capsys, *arguments: str) -> dict:
    assert main([*arguments, "--device", "cpu", "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def refused(capsys, *arguments: str) -> str:
    assert main(list(arguments)) == 2
    return capsys.readouterr().err


def test_the_command_line_takes_the_net_s_own_data(fashion, fruit, folder, capsys):
    for of, names, data in ((fashion, FASHION_CLASSES, "fashion-sample"), (fruit, CLASSES, "pictures")):
        split = load(of.config.data, of.data_dir).test
        said = told(capsys, "predict", of.id, "test:2")
        assert said["classes"] == list(names) and said["images"][0]["true"] == names[int(split.labels[2])]
        logits = load_net(find(of.id), "cpu").logits(split.images[2:3])
        assert said["images"][0]["predicted"] == names[int(logits.argmax())]
        errors = told(capsys, "evaluate", of.id)
        wrong = int((load_net(find(of.id), "cpu").logits(split.images).argmax(1) != split.labels).sum())
        assert (errors["wrong"], errors["n"], errors["data"]) == (wrong, len(split), data)
        assert told(capsys, "responses", of.id, "--images", "5")["n"] == 5
        assert told(capsys, "gradients", of.id, "--batches", "1", "--batch-size", "4")["batches"] == 1
        mapped = told(capsys, "attribute", of.id, "test:2", "--method", "grad-cam", "--target", "true")
        assert mapped["target_name"] == names[int(split.labels[2])]
        near = told(capsys, "neighbours", of.id, "test:2")
        assert set(near["classes"]) <= set(names) and near["data"] == data
        rows = told(capsys, "experiment", "ledger", of.id, "--images", "100", "--picture", "2")
        assert rows["data"] == data and rows["results"][0]["answer"] in names
        assert main(["evaluate", of.id, "--device", "cpu"]) == 0
        assert names[0] in capsys.readouterr().out


def test_the_command_line_refuses_images_of_other_classes(fashion, fruit, capsys):
    for command in (["evaluate"], ["gradients"], ["experiment", "evaluation"], ["experiment", "readout"]):
        assert "Fashion-MNIST's 10 classes apart, and these images are CIFAR-10's." in refused(
            capsys, *command, fashion.id, "--data", "sample"
        )
    assert "was not trained on a folder of pictures" in refused(capsys, "evaluate", fashion.id, "--data", "pictures")
    assert told(capsys, "predict", fashion.id, "test:0", "--data", "sample")["images"][0]["true"] is None
    text = refused(capsys, "attribute", fashion.id, "test:0", "--data", "sample", "--method", "grad-cam", "--target", "true")
    assert "these images are CIFAR-10's, or choose another target" in text
    assert told(capsys, "responses", fashion.id, "--data", "sample", "--images", "5")["n"] == 5
