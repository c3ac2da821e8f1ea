"""``evaluate``, ``responses`` and ``gradients`` on the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from resnet_core.activations import activation_bytes
from resnet_core.analysis.gradients import layer_gradients
from resnet_core.analysis.responses import layer_responses
from resnet_core.architectures import ResNetConfig
from resnet_core.cli import main
from resnet_core.config import DataConfig
from resnet_core.data import load as load_data
from resnet_core.nets import NORMALIZATIONS, find
from resnet_core.nets.loading import load
from resnet_core.training.evaluate import evaluate
from tests.nets_tools import write_checkpoint

RESIDUAL, PLAIN = ResNetConfig(8, "B", 4), ResNetConfig(8, "none", 4)


@pytest.fixture(autouse=True)
def checkpoints(tmp_path, monkeypatch):
    """A plain and a residual net that are shipped, and one of a hundred classes."""
    root = tmp_path / "checkpoints"
    write_checkpoint(root, "resnet-8", RESIDUAL)
    write_checkpoint(root, "plain-8", PLAIN, normalization="none")
    write_checkpoint(root, "hundred", ResNetConfig(8, "A", 4, num_classes=100))
    write_checkpoint(root, "two", ResNetConfig(8, "A", 4, num_classes=2))
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(root))
    return root


@pytest.fixture(scope="module")
def sample():
    return load_data(DataConfig("sample"))


@pytest.fixture
def told(capsys):
    """Runs a command in fp32 with --json, and gives the object on the last line of stdout."""

    def run(*arguments: str) -> dict:
        status = main([*arguments, "--precision", "fp32", "--device", "cpu", "--json"])
        out, err = capsys.readouterr()
        assert status == 0, err
        return json.loads(out.splitlines()[-1])

    return run


@pytest.fixture
def refused(capsys):
    """Runs a command that ends with status 2, and gives its one line of stderr."""

    def run(*arguments: str) -> str:
        assert main([*arguments, "--precision", "fp32", "--device", "cpu"]) == 2
        out, err = capsys.readouterr()
        assert out == "" and len(err.splitlines()) == 1
        return err

    return run


def test_evaluate_tells_the_error_of_the_training(told, sample):
    result = told("evaluate", "resnet-8")
    loaded = load(find("resnet-8"), "cpu", "fp32")
    error, loss = evaluate(loaded.model, sample.test.images, sample.test.labels, loaded.mean, loaded.plan)
    assert (result["top1_error"], result["loss"]) == (error, loss)
    assert result["n"] == 1000 and result["wrong"] == round(10 * error)
    assert np.sum(result["confusion"]) == 1000
    assert {k: result[k] for k in ("checkpoint", "net", "data", "precision", "normalization")} == {
        "checkpoint": "resnet-8", "net": "ResNet-8-B-w4", "data": "sample", "precision": "fp32", "normalization": "pixel-mean",
    }  # fmt: skip


def test_evaluate_with_another_normalisation(told, sample):
    result = told("evaluate", "resnet-8", "--normalization", "cifar10")
    assert result["normalization"] == "cifar10"
    mean, std = (torch.from_numpy(array) for array in NORMALIZATIONS["cifar10"].arrays())
    model = load(find("resnet-8"), "cpu", "fp32").model
    with torch.no_grad():
        wrong = (model((sample.test.images.float() / 255 - mean) / std).argmax(1) != sample.test.labels).sum()
    assert result["wrong"] == pytest.approx(int(wrong), abs=2)
    assert result["loss"] != told("evaluate", "resnet-8")["loss"]


def test_evaluate_a_file_for_people(capsys, checkpoints):
    assert main(["evaluate", str(checkpoints / "plain-8" / "weights.safetensors")]) == 0
    out = capsys.readouterr().out
    assert "plain-8-w4 on the embedded sample, fp32, input normalised by none" in out
    assert "of 1,000 images)" in out and "most often taken for" in out
    assert [line.split()[0] for line in out.splitlines()[-10:]][:2] == ["airplane", "automobile"]


@pytest.mark.parametrize(("name", "classes"), [("two", 2), ("hundred", 100)])
def test_no_error_is_counted_for_a_net_of_other_classes(capsys, name, classes):
    assert main(["evaluate", name, "--precision", "fp32", "--json"]) == 2
    output = capsys.readouterr()
    assert output.out == "" and f"tells {classes} classes apart" in output.err and "no error can be counted" in output.err
    assert main(["responses", name, "--images", "20", "--precision", "fp32", "--json"]) == 0


def test_responses(told, sample):
    result = told("responses", "resnet-8", "--images", "60")
    loaded = load(find("resnet-8"), "cpu", "fp32")
    expected = layer_responses(loaded.model, sample.test.images[:60], loaded.normalize, loaded.plan)
    assert result["n"] == 60
    assert [layer["name"] for layer in result["layers"]] == list(expected.names)
    assert [layer["std"] for layer in result["layers"]] == list(expected.std)
    assert [block["ratio"] for block in result["blocks"]] == list(expected.ratio)


def test_responses_for_people_say_where_they_are_measured(capsys):
    assert main(["responses", "plain-8", "--images", "50", "--precision", "fp32"]) == 0
    out = capsys.readouterr().out
    assert "50 test images; after BN (running statistics), before ReLU or the addition" in out
    assert "A plain net adds nothing" in out and "layer3.0.conv2" in out


def test_gradients(told, capsys, sample):
    result = told("gradients", "resnet-8", "--batches", "2", "--batch-size", "16")
    loaded = load(find("resnet-8"), "cpu", "fp32")
    train = sample.train
    expected = layer_gradients(loaded.model, train.images, train.labels, loaded.normalize, loaded.plan, batches=2, batch_size=16)
    assert (result["batches"], result["batch_size"]) == (2, 16)
    assert [layer["gradient_norm"] for layer in result["layers"]] == pytest.approx(list(expected.gradient_norm), rel=1e-5)
    assert [layer["response_gradient"] for layer in result["layers"]] == pytest.approx(list(expected.response_gradient), rel=1e-5)
    assert main(["gradients", "plain-8", "--batches", "1", "--batch-size", "8", "--precision", "fp32"]) == 0
    assert "1 batch of 8 training images" in capsys.readouterr().out


def test_a_batch_of_gradients_that_takes_too_much_memory_is_asked_for_by_name(told, refused, monkeypatch):
    monkeypatch.setattr("resnet_core.analysis.gradients.WHOLE_BUDGET", 40 * activation_bytes(RESIDUAL, gradients=True))
    text = refused("gradients", "resnet-8", "--batches", "1")
    assert "at most 40 images a batch. --batch-size 40 does so; --batch-size 128 takes them all" in text
    assert told("gradients", "resnet-8", "--batches", "1", "--batch-size", "128")["batch_size"] == 128


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["evaluate", "resnet-56"], "No checkpoint, file or run is called 'resnet-56'"),
        (["evaluate", "resnet-8", "--normalization", "mnist"], "'mnist' is not one of pixel-mean, cifar10"),
        (["evaluate", "resnet-8", "--data", "mnist"], "'mnist' is not one of sample, cifar10"),
        (["evaluate", "resnet-8", "--data", "cifar10", "--data-dir", "nowhere"], "nowhere does not exist"),
        (["responses", "resnet-8", "--images", "1001"], "there are 1,000 test images; ask for fewer"),
        (["gradients", "resnet-8", "--batch-size", "1"], "at least 2"),
        (["gradients", "resnet-8", "--batches", "40"], "5,120 images are asked for by --batches times --batch-size"),
    ],
)
def test_what_the_user_can_mend_is_one_line(refused, arguments, message):
    assert message in refused(*arguments)


def test_a_damaged_checkpoint_is_named(refused, checkpoints):
    path = checkpoints / "resnet-8" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    assert "resnet-8" in refused("responses", "resnet-8")


def test_in_a_process_of_its_own_with_a_run(cli):
    trained = cli.json(
        "train", "--depth", "8", "--width", "4", "--batch-size", "16", "--precision", "fp32", "--device", "cpu", "--compile", "off",
        "--iterations", "4",
    )  # fmt: skip
    result = cli.json("evaluate", trained["run"], "--precision", "fp32", "--device", "cpu")
    # The very number that the training has recorded.
    assert result["top1_error"] == trained["test_error"]
    assert result["checkpoint"] == trained["run"] and result["normalization"] == "training mean"


# -- protocols and ensembles ------------------------------------------------------------------------------------------------


def test_evaluate_under_protocols_and_as_an_ensemble(told, sample):
    result = told("evaluate", "resnet-8", "--protocol", "single,mirrored", "--ensemble", "plain-8")
    rows = result["results"]
    assert [(row["protocol"], row["nets"]) for row in rows] == [
        (key, nets) for key in ("single", "mirrored") for nets in (["resnet-8"], ["plain-8"], ["resnet-8", "plain-8"])
    ]
    alone = told("evaluate", "resnet-8")
    assert {key: rows[0][key] for key in ("wrong", "loss", "confusion")} == {key: alone[key] for key in ("wrong", "loss", "confusion")}
    nets = [load(find(name), "cpu", "fp32") for name in ("resnet-8", "plain-8")]
    images = sample.test.images
    sums = sum(net.logits(x).softmax(1) for net in nets for x in (images, images.flip(3)))
    assert rows[5]["wrong"] == pytest.approx(int((sums.argmax(1) != sample.test.labels).sum()), abs=2)
    assert (rows[5]["passes"], rows[5]["macs"]) == (4, 2 * rows[0]["macs"] + 2 * rows[1]["macs"])
    assert "The test set selects nothing" in result["selects_nothing"]


def test_the_table_of_protocols_for_people(capsys):
    assert main(["evaluate", "resnet-8", "--protocol", "mirrored,dense", "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    assert [line.split()[:3] for line in out.splitlines() if line.startswith(("mirrored ", "dense "))] == [
        ["mirrored", "resnet-8", "2"], ["dense", "resnet-8", "2"],
    ]  # fmt: skip
    assert "The test set selects nothing" in out and "Larger sides are for nets" in out and "Simonyan and Zisserman 2015" in out


def test_what_is_no_protocol_or_no_ensemble(refused):
    assert "protocol: 'five' is not one of single, mirrored" in refused("evaluate", "resnet-8", "--protocol", "five")
    assert "tells 10 classes apart and ResNet-8-w4-c2 2" in refused("evaluate", "resnet-8", "--ensemble", "two")
    assert "named twice" in refused("evaluate", "resnet-8", "--ensemble", "resnet-8")
