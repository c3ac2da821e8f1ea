"""``predict`` and ``neighbours`` on the command line."""

from __future__ import annotations

import json
import os
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from resnet_core.analysis import neighbours, prediction
from resnet_core.architectures import ImageNetConfig, ResNetConfig
from resnet_core.cli import main
from resnet_core.config import DataConfig
from resnet_core.data import CLASSES, load
from resnet_core.images import read_file, to_input, whole_square
from resnet_core.nets import find
from resnet_core.nets.loading import load as load_net
from tests import bad_images
from tests.nets_tools import TINY, save_run, write_checkpoint

FP32 = ("--device", "cpu", "--precision", "fp32")


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A checkpoint ``tiny``, made from ``model``."""
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "shipped"))

    def make(model=TINY, normalization="pixel-mean", name="tiny", seed=0):
        write_checkpoint(tmp_path / "shipped", name, model, seed, normalization)
        return load_net(find(name), "cpu", "fp32")

    return make


@pytest.fixture
def files(tmp_path):
    """Three images of different kinds."""
    scene = Image.fromarray(bad_images.scene(80, 50))
    scene.save(tmp_path / "a.png")
    scene.transpose(Image.Transpose.FLIP_TOP_BOTTOM).convert("CMYK").save(tmp_path / "b.jpg")
    scene.resize((32, 32)).save(tmp_path / "c.webp", lossless=True)
    return [str(tmp_path / name) for name in ("a.png", "b.jpg", "c.webp")]


def told(capsys, *arguments: str) -> dict:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def refused(capsys, *arguments: str) -> str:
    assert main(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    return err


@pytest.mark.parametrize("protocol", ["single", "padded-crops", "ten-crops"])
@pytest.mark.parametrize("how", ["crop", "fit"])
def test_predict_tells_what_the_core_computes(tiny, files, capsys, how, protocol):
    loaded = tiny()
    found = told(capsys, "predict", "tiny", *files, "--how", how, "--protocol", protocol, *FP32)
    inputs = prediction.stack([to_input(read_file(path), how) for path in files])
    expected = prediction.predict(loaded, inputs, protocol)
    np.testing.assert_allclose(found["probabilities"], expected, rtol=1e-4)
    assert found["classes"] == list(CLASSES)
    assert [each["image"] for each in found["images"]] == ["a.png", "b.jpg", "c.webp"]
    assert [each["predicted"] for each in found["images"]] == [CLASSES[i] for i in expected.argmax(1)]
    assert [each["true"] for each in found["images"]] == [None] * 3
    assert [len(each["notes"]) for each in found["images"]] == [0, 1, 0] and "CMYK" in found["images"][1]["notes"][0]
    assert (found["net"], found["how"], found["protocol"], found["precision"]) == ("tiny", how, protocol, "fp32")


def test_predict_of_an_image_of_the_sets(tiny, files, capsys):
    loaded, data = tiny(), load(DataConfig())
    found = told(capsys, "predict", "tiny", "test:17", files[0], "train:4999", *FP32)
    assert [each["image"] for each in found["images"]] == ["test:17", "a.png", "train:4999"]
    assert [each["true"] for each in found["images"]] == [CLASSES[data.test.labels[17]], None, CLASSES[data.train.labels[4999]]]
    images = torch.stack([data.test.images[17], data.train.images[4999]])
    np.testing.assert_allclose(np.array(found["probabilities"])[[0, 2]], prediction.predict(loaded, images), rtol=1e-4)


@pytest.mark.parametrize(
    "model, normalization",
    [(ResNetConfig(8, "none", 4, num_classes=100), "cifar100"), (ImageNetConfig((1, 1, 1, 1), "basic", 20, 8), "imagenet")],
    ids=["100 classes", "ImageNet's kind"],
)
def test_classes_that_nobody_has_named(tiny, capsys, model, normalization):
    tiny(model, normalization)
    found = told(capsys, "predict", "tiny", "test:0", *FP32)
    assert len(found["classes"]) == len(found["probabilities"][0]) == model.num_classes and found["classes"][17] == "class 17"
    # The set's classes are not the net's: there is no true one among them.
    assert found["images"][0]["true"] is None and found["images"][0]["predicted"].startswith("class ")


def test_an_imagenet_net_sees_pictures_at_its_own_size_and_names_its_classes(tiny, files, capsys):
    loaded, data = tiny(ImageNetConfig((1, 1, 1, 1), "basic", 1000, 8), "imagenet"), load(DataConfig())
    found = told(capsys, "predict", "tiny", "test:0", files[0], *FP32)
    assert found["classes"][17] == "jay" and found["classes"] == list(prediction.class_names(1000))
    own = [data.test.images[0].permute(1, 2, 0).numpy(), to_input(read_file(files[0]), "crop", 224)]
    np.testing.assert_allclose(found["probabilities"], prediction.predict(loaded, prediction.stack(own, 224)), rtol=1e-4)
    assert [each["notes"] for each in found["images"]] == [["enlarged to 224x224"], []]
    assert [each["true"] for each in found["images"]] == [None, None]
    assert "takes images of 224x224" in refused(capsys, "predict", "tiny", files[0], "--protocol", "padded-crops", *FP32)
    assert "'five' is not one of single" in refused(capsys, "predict", "tiny", files[0], "--protocol", "five", *FP32)
    crops = told(capsys, "predict", "tiny", files[0], "--protocol", "ten-crops", *FP32)
    whole = prediction.stack([whole_square(read_file(files[0]))])
    np.testing.assert_allclose(crops["probabilities"], prediction.predict(loaded, whole, "ten-crops"), rtol=1e-4)


def test_neighbours_of_a_picture_at_the_size_of_an_imagenet_net(tiny, files, capsys, monkeypatch):
    small = load(DataConfig("sample", images_per_class=2))
    monkeypatch.setattr("resnet_core.data.load", lambda *_: small)
    loaded = tiny(ImageNetConfig((1, 1, 1, 1), "basic", 1000, 4), "imagenet")
    found = told(capsys, "neighbours", "tiny", files[0], *FP32)
    feature = neighbours.features(loaded, prediction.stack([to_input(read_file(files[0]), "crop", 224)]))[0]
    distances = np.linalg.norm(neighbours.features(loaded, small.train.images) - feature, axis=1)
    assert found["indices"] == np.argsort(distances, kind="stable")[:6].tolist()


def test_predict_for_people(tiny, files, capsys):
    loaded = tiny()
    assert main(["predict", "tiny", files[1], "test:3", *FP32]) == 0
    out = capsys.readouterr().out
    assert out.startswith("ResNet-8-w4, one view, fp32\n\nb.jpg (CMYK converted to RGB")
    row = prediction.predict(loaded, load(DataConfig()).test.images[3:4])[0]
    lines = out[out.index("test:3") :].splitlines()
    assert [line.split()[0] for line in lines[1:6]] == [CLASSES[i] for i, _ in prediction.top(row)]
    assert f"{100 * row.max():.2f} %" in lines[1]
    assert out.count("true class") == 1  # of the image whose class is known, whether it is among the five or not


def test_a_run_is_a_checkpoint_too(monkeypatch, capsys):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    run = save_run()
    assert told(capsys, "predict", run.id, "test:0", *FP32)["net"] == run.id


def test_neighbours_tells_what_the_core_computes(tiny, files, capsys, tmp_path):
    loaded, data = tiny(), load(DataConfig())
    found = told(capsys, "neighbours", "tiny", files[0], *FP32)
    index = neighbours.FeatureIndex(neighbours.features(loaded, data.train.images))
    feature = neighbours.features(loaded, prediction.stack([to_input(read_file(files[0]))]))[0]
    expected, distances = index.nearest(feature)
    assert found["indices"] == expected.tolist() and len(found["indices"]) == 6
    np.testing.assert_allclose(found["distances"], distances, rtol=1e-5)
    assert found["labels"] == data.train.labels[expected].tolist()
    assert found["classes"] == [CLASSES[label] for label in found["labels"]]
    assert (found["image"], found["data"], found["net"]) == ("a.png", "sample", "tiny")
    assert neighbours.index_path(loaded, "sample", tmp_path / "runs").is_file()


def test_a_training_image_finds_itself_with_the_index_from_disk(tiny, capsys, monkeypatch):
    tiny()
    first = told(capsys, "neighbours", "tiny", "train:123", *FP32)
    assert first["indices"][0] == 123 and first["distances"][0] < 1e-4 < first["distances"][1]
    counts = []
    real = neighbours.features
    monkeypatch.setattr(neighbours, "features", lambda loaded, images, *rest: counts.append(len(images)) or real(loaded, images, *rest))
    assert told(capsys, "neighbours", "tiny", "train:123", *FP32) == first
    assert counts == [1]


def test_neighbours_for_people(tiny, capsys):
    tiny()
    assert main(["neighbours", "tiny", "train:123", *FP32]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ResNet-8-w4, fp32: nearest of 5,000 training images (sample)" and len(lines) == 9
    assert lines[3].split()[:2] == ["train:123", CLASSES[load(DataConfig()).train.labels[123]]]


def test_all_that_cannot_be_used_is_named_at_once(tiny, files, capsys, tmp_path):
    tiny()
    (tmp_path / "cat.png").write_bytes(bad_images.CASES["gif called png"].content())
    (tmp_path / "bomb.png").write_bytes(bad_images.bomb())
    bad = [str(tmp_path / name) for name in ("cat.png", "bomb.png", "none.png")]
    message = refused(capsys, "predict", "tiny", files[0], *bad)
    for part in ("cat.png is a GIF image", "bomb.png declares 30,000 x 30,000", "none.png cannot be read: No such file"):
        assert part in message
    assert "a.png" not in message


@pytest.mark.parametrize(
    "arguments, part",
    [
        (("predict", "tiny", "test:1000"), "test:1000: the test set of sample has 1,000 images, 0 to 999"),
        (("neighbours", "tiny", "train:5000"), "train:5000: the train set of sample has 5,000 images, 0 to 4,999"),
        (("predict", "nobody", "test:0"), "No checkpoint, file or run is called 'nobody'"),
        (("predict", "tiny", "test:0", "--data", "cifar10", "--data-dir", "nowhere"), "nowhere"),
        (("neighbours", "tiny", "test:-1"), "test:-1 cannot be read"),
    ],
)
def test_what_is_not_there_is_named(tiny, capsys, arguments, part):
    tiny()
    assert part in refused(capsys, *arguments)


@pytest.mark.parametrize("arguments", [("predict", "tiny"), ("predict", "tiny", "x", "--how", "five"), ("neighbours", "tiny", "a", "b")])
def test_wrong_options(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 2 and capsys.readouterr().err.count("\n") == 1


def test_a_refusal_does_not_wait_for_torch(tiny, tmp_path, monkeypatch, capsys):
    tiny()
    (tmp_path / "cat.png").write_bytes(b"GIF89a")
    monkeypatch.setitem(sys.modules, "torch", None)  # makes every import of it fail
    for command in ("predict", "neighbours"):
        assert "cat.png is a GIF image" in refused(capsys, command, "tiny", str(tmp_path / "cat.png"))


def test_in_a_process_of_its_own(cli, tiny, files, tmp_path):
    tiny()
    cli.environment["RESNET_LAB_CHECKPOINTS"] = str(tmp_path / "shipped")
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(bad_images.CASES["damaged exif"].content())
    ended = cli("predict", "tiny", files[0], str(damaged), "--json", *FP32)
    assert [each["image"] for each in json.loads(ended.stdout)["images"]] == ["a.png", "damaged.jpg"]
    assert (ended.returncode, ended.stderr) == (0, "")
    ended = cli("neighbours", "tiny", str(tmp_path / "none.png"), *FP32)
    assert ended.returncode == 2 and ended.stderr.startswith("resnet-lab: error: none.png cannot be read")


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ("https://example.com/cat.png", "https://example.com/cat.png is an address on the web; nothing is fetched from there."),
        ("pipe", "pipe is no regular file"),
    ],
)
def test_what_is_no_file_is_told_at_once(tiny, tmp_path, monkeypatch, capsys, image, told):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    tiny()
    assert main(["predict", "tiny", image]) == 2
    assert told in capsys.readouterr().err
