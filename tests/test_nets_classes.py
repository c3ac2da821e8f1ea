"""What a net's outputs stand for goes with its weights: written wherever people get them, read back with suspicion."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
import torch
from safetensors.torch import load_file, save_file

from resnet_core.architectures import parse, to_dict
from resnet_core.architectures.net import build_model
from resnet_core.cli import main
from resnet_core.config import DataConfig
from resnet_core.data import pictures
from resnet_core.datasets import CIFAR10_CLASSES, FASHION_CLASSES
from resnet_core.imports import ImportRefused, accept, inspect_file
from resnet_core.imports.trial import trial
from resnet_core.nets import export, find, folder, growth
from resnet_core.nets.classes import LONGEST_NAME, from_metadata, to_metadata
from resnet_core.nets.fitting import fitting
from resnet_core.nets.loading import load
from resnet_core.runs import Run
from tests.nets_tools import TINY, save_run_on, write_checkpoint
from tests.test_data_pictures import CLASSES, picture


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "shipped"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(params=["fashion", "pictures", "sample"])
def trained(request, tmp_path) -> tuple[Run, tuple[str, ...]]:
    """A run on those data, and the names of its classes."""
    if request.param != "pictures":
        config = DataConfig("fashion-sample" if request.param == "fashion" else "sample")
        return save_run_on(config), config.class_names
    for c, name in enumerate(CLASSES):
        for i in range(10):
            picture(tmp_path / "fruit" / name / f"{i}.png", 80 * c + i)
    return save_run_on(DataConfig("pictures", pictures=pictures.look(tmp_path / "fruit", 40)), tmp_path / "fruit"), CLASSES


@pytest.mark.parametrize("whole", [False, True])
def test_the_names_come_back_with_the_weights_alone(trained, whole, tmp_path):
    run, names = trained
    net = find(run.id)
    path = tmp_path / ("net.zip" if whole else "net.safetensors")
    path.write_bytes(export.archive(net) if whole else export.weights(net))
    proposal = inspect_file(path)
    assert (proposal.classes, proposal.dataset, proposal.notes) == (names, run.config.data.dataset, ())
    back = accept(proposal, "back")
    assert back.config is None and find("back").class_names == names
    assert [each.class_names for each in fitting(back)] == [names] * len(fitting(back))
    assert [each.dataset for each in fitting(back)] == [each.dataset for each in fitting(net) if not each.pictures]
    images = torch.zeros(1, 3, net.side, net.side, dtype=torch.uint8)
    assert torch.equal(load(back, "cpu").logits(images), load(net, "cpu").logits(images))
    # A net of ten other classes is not measured on images of CIFAR-10, nor held against them.
    assert (back.card["sample_error"] is None) == (names != CIFAR10_CLASSES) == bool(back.refusal(DataConfig("cifar10")))
    # And it goes on: what is taken away of the import is read again.
    (tmp_path / "again.safetensors").write_bytes(export.weights(back))
    assert inspect_file(tmp_path / "again.safetensors").classes == names
    assert find(str(tmp_path / "again.safetensors")).class_names == names


def test_a_zip_unpacked_and_a_checkpoint_of_before_know_their_classes(trained, tmp_path):
    run, names = trained
    with zipfile.ZipFile(io.BytesIO(export.archive(find(run.id)))) as packed:
        assert json.loads(packed.read(f"{run.id}/{folder.CARD}"))["classes"] == list(names)
    write_checkpoint(tmp_path / "shipped", "before")  # its file names none
    assert "classes" not in folder.read_metadata(tmp_path / "shipped/before" / folder.WEIGHTS)
    assert find("before").class_names == CIFAR10_CLASSES
    write_checkpoint(tmp_path / "shipped", "told", classes=list(FASHION_CLASSES), dataset="fashion")
    assert folder.read_metadata(tmp_path / "shipped/told" / folder.WEIGHTS)["dataset"] == "fashion"
    assert find("told").class_names == FASHION_CLASSES
    write_checkpoint(tmp_path / "shipped", "edited", dataset="fashion")
    card = tmp_path / "shipped/edited" / folder.CARD
    card.write_text(json.dumps(json.loads(card.read_text()) | {"classes": [1, 2]}))
    assert find("edited").class_names == CIFAR10_CLASSES


TEN = [f"class {i}" for i in range(10)]


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("[", "no list of names"),
        ("[" * 100_000, "no list of names"),
        (json.dumps({"a": 1}), "no list of names"),
        (json.dumps([*TEN[:9], 7]), "no list of names"),
        (json.dumps(TEN[:9]), "9 classes, and the net has 10 outputs"),
        (json.dumps([f"c{i}" for i in range(6000)]), "6,000 classes, and the net has 10 outputs"),
        (json.dumps([*TEN[:9], TEN[0]]), "the same name"),
        (json.dumps([*TEN[:9], " "]), "is empty, longer than 255"),
        (json.dumps([*TEN[:9], "x" * (LONGEST_NAME + 1)]), "is empty, longer than 255"),
        (json.dumps([*TEN[:9], "a\u202eb"]), "cannot be shown"),
        (json.dumps([*TEN[:9], "\udcff"]), "cannot be shown"),
    ],
)
def test_names_that_are_none_are_left_out_and_it_is_said(told, why, tmp_path):
    metadata = {"format": folder.FORMAT, "model": json.dumps(to_dict(TINY)), "normalization": "pixel-mean", "classes": told}
    save_file(build_model(TINY).state_dict(), tmp_path / "net.safetensors", metadata)
    proposal = inspect_file(tmp_path / "net.safetensors")
    (note,) = proposal.notes
    assert (proposal.classes, proposal.dataset) == ((), "") and "of its classes was left out" in note and why in note
    assert find(str(tmp_path / "net.safetensors")).class_names == CIFAR10_CLASSES


def test_a_data_set_of_other_classes_is_left_out():
    assert from_metadata({}, 10) == ((), "", "")
    assert from_metadata(to_metadata(FASHION_CLASSES, "fashion"), 10) == (FASHION_CLASSES, "fashion", "")
    assert from_metadata(to_metadata(FASHION_CLASSES, None), 10) == (FASHION_CLASSES, "", "")
    for key in ("cifar10", "nothing", "pictures/.."):
        names, dataset, note = from_metadata(to_metadata(FASHION_CLASSES, key), 10)
        assert (names, dataset) == (FASHION_CLASSES, "") and "data set that the file names was left out" in note


def test_ten_other_classes_are_neither_measured_nor_grown_as_cifar10_s(tmp_path):
    write_checkpoint(tmp_path / "shipped", "fruit", classes=TEN, dataset="pictures")
    proposal = inspect_file(tmp_path / "shipped/fruit" / folder.WEIGHTS)
    found = trial(proposal)
    assert found.images == 0 and "names other classes than" in found.note
    net = find("fruit")
    assert "no data set" in growth.why_not(net)
    assert "another data set's 10 classes" in net.refusal(DataConfig())
    write_checkpoint(tmp_path / "shipped", "clothes", classes=list(FASHION_CLASSES), dataset="fashion")
    assert growth.planned(find("clothes"), 1).data == DataConfig("fashion-sample")
    assert "tells Fashion-MNIST's 10 classes apart, and these images are CIFAR-10's" in find("clothes").refusal(DataConfig("sample"))


@pytest.mark.parametrize("shape", [(3, 40), (3, 40, 32), (1, 40, 40), (3, 1025, 1025), (3, 0, 0)])
def test_a_mean_that_is_none_of_square_images_is_refused(shape, tmp_path):
    folder.save_weights(tmp_path / "net.safetensors", build_model(TINY).state_dict(), torch.zeros(shape), None, TINY, "own")
    with pytest.raises(ImportRefused, match=r"or another square of 8 to 1,024 pixels"):
        inspect_file(tmp_path / "net.safetensors")


def test_a_mean_of_images_that_the_net_cannot_take_is_refused(tmp_path):
    config = parse("AlexNet")
    small = tmp_path / "net.safetensors"
    folder.save_weights(small, build_model(config).state_dict(), torch.zeros(3, 16, 16), None, config, "own")
    with pytest.raises(ImportRefused, match="cannot compute with 16x16"):
        inspect_file(small)


def test_the_command_line_names_the_classes_of_a_file(tmp_path, capsys):
    net = find(save_run_on(DataConfig("fashion-sample")).id)
    (tmp_path / "net.safetensors").write_bytes(export.weights(net))
    assert "classes" not in load_file(tmp_path / "net.safetensors")  # names are no tensor
    assert main(["evaluate", str(tmp_path / "net.safetensors"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"] == "fashion-sample"
    assert main(["evaluate", str(tmp_path / "net.safetensors"), "--data", "sample"]) == 2
    assert "Fashion-MNIST's 10 classes" in capsys.readouterr().err
    assert main(["import", str(tmp_path / "net.safetensors"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["classes"] == list(FASHION_CLASSES)
