"""``attribute``: the map of one image and target as a picture and in numbers; errors name the field."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from resnet_core.architectures import ResNetConfig
from resnet_core.attribution import METHODS
from resnet_core.attribution.compute import attribute
from resnet_core.cli import main
from resnet_core.figures.overlay import common_scale, overlay
from resnet_core.nets import find
from resnet_core.nets.loading import load
from tests.attribution_tools import sample
from tests.nets_tools import TINY, write_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU")
SAYS = ["--device", "cpu"]


@pytest.fixture(autouse=True)
def nets(tmp_path, monkeypatch):
    folder = tmp_path / "checkpoints"
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(folder))
    write_checkpoint(folder, "tiny", TINY)
    write_checkpoint(folder, "three", ResNetConfig(8, "none", 4, num_classes=3), normalization="cifar10")
    return folder


@pytest.fixture
def told(capsys):
    """The JSON of a call that succeeds."""

    def call(*arguments, net="tiny", image="test:7"):
        assert main(["attribute", net, image, *arguments, "--json", *SAYS]) == 0
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    return call


@pytest.fixture
def refused(capsys):
    """The one line of an error that the user can mend."""

    def call(*arguments, net="tiny", image="test:7"):
        try:
            status = main(["attribute", net, image, *arguments, "--json", *SAYS])
        except SystemExit as ended:
            status = ended.code
        out, err = capsys.readouterr()
        assert (status, out, err.count("\n")) == (2, "", 1), (status, out, err)
        return err

    return call


@pytest.mark.parametrize("key", METHODS)
def test_a_map_in_numbers_and_as_a_picture(key, told, tmp_path):
    quick = {"occlusion": ["--window", "16", "--stride", "8"], "integrated-gradients": ["--steps", "5"]}.get(key, [])
    path = tmp_path / "map.png"
    found = told("--method", key, "--target", "cat", "--out", str(path), *quick)
    loaded = load(find("tiny"), "cpu", "fp32")
    image = sample().test.images[7]
    parameters = {name: found["parameters"][name] for name in found["parameters"]}
    expected = attribute(loaded, image, key, 3, **parameters)
    assert (found["net"], found["image"], found["method"], found["sign"]) == ("tiny", "test:7", key, expected.sign)
    assert (found["target"], found["target_name"], found["true"]) == (3, "cat", int(sample().test.labels[7]))
    assert found["predicted"] == int(loaded.logits(image[None]).argmax())
    assert (found["min"], found["max"]) == (pytest.approx(float(expected.map.min())), pytest.approx(float(expected.map.max())))
    assert (found["delta"] is not None) == (key == "integrated-gradients")
    assert bool(found["warning"]) == (key == "guided-grad-cam")
    assert found["out"] == str(path)
    with Image.open(path) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (320, 320, 4)
    scale = common_scale([expected.map], METHODS[key].signed)
    assert np.array_equal(pixels, overlay(image.permute(1, 2, 0).numpy(), expected.map, scale, 320))


def test_the_target_is_explicit(told):
    predicted = told("--method", "saliency", "--target", "predicted")
    assert predicted["target"] == predicted["predicted"]
    assert predicted["target_name"] == predicted["predicted_name"]
    true = told("--method", "saliency", "--target", "true")
    assert true["target"] == true["true"] == int(sample().test.labels[7])
    other = told("--method", "saliency", "--target", "8")
    assert (other["target"], other["target_name"], other["predicted"]) == (8, "ship", predicted["predicted"])
    assert told("--method", "saliency", "--target", "true", "--label", "ship")["target"] == 8


def test_a_file_is_seen_as_the_net_sees_it(told, refused, tmp_path):
    path = tmp_path / "photo.png"
    wide = np.random.default_rng(0).integers(0, 256, (64, 128, 3)).astype(np.uint8)
    Image.fromarray(wide).save(path)
    found = told("--method", "saliency", "--target", "dog", "--how", "fit", image=str(path))
    assert (found["image"], found["true"]) == ("photo.png", None)
    error = refused("--method", "saliency", "--target", "true", image=str(path))
    assert "target: the true class of photo.png is not known: say it with --label CLASS" in error
    assert told("--method", "saliency", "--target", "true", "--label", "dog", image=str(path))["target"] == 5
    path.write_bytes(b"no image")
    assert "photo.png" in refused("--method", "saliency", "--target", "dog", image=str(path))


def test_a_net_with_other_classes(told, refused):
    found = told("--method", "grad-cam", "--target", "2", net="three")
    assert (found["target"], found["target_name"], found["true"]) == (2, "class 2", None)
    assert "tells 3 classes apart that nothing is known of" in refused("--method", "saliency", "--target", "true", net="three")
    error = refused("--method", "saliency", "--target", "3", net="three")
    assert "target: '3' is not one of predicted, true, class 0, class 1, class 2" in error


def test_checks_on_request(told):
    found = told("--method", "saliency", "--target", "1", "--trust", "--sanity", "--seed", "3")
    assert 0 <= found["infidelity"]["relative"] <= 1 and "seed 3" in found["infidelity"]["measured"]
    assert found["sensitivity"]["value"] > 0
    assert [step["label"] for step in found["sanity"]] == ["as it is", "fc", "layer3.0", "layer2.0", "layer1.0", "conv1"]
    assert found["sanity"][0]["signed"] == pytest.approx(1)
    again = told("--method", "saliency", "--target", "1", "--trust", "--sanity", "--seed", "3")
    for key in ("infidelity", "sensitivity", "sanity"):
        assert again[key] == found[key]
    assert "infidelity" not in told("--method", "saliency", "--target", "1")


def test_for_people(capsys, tmp_path):
    line = ["attribute", "tiny", "test:0", "--method", "integrated-gradients", "--target", "frog", "--out", str(tmp_path / "a.png"), *SAYS]
    assert main([*line, "--trust", "--sanity", "--steps", "8"]) == 0
    out = capsys.readouterr().out
    assert "Integrated Gradients (steps 8, baseline mean) for frog" in out
    for part in ("predicted:", "convergence delta", "symmetrical", "infidelity", "conv1"):
        assert part in out


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--method", "gradcam", "--target", "1"], ["method: 'gradcam'", "integrated-gradients, grad-cam"]),
        (["--target", "1"], ["--method"]),
        (["--method", "saliency"], ["--target"]),
        (["--method", "saliency", "--target", "catt"], ["target: 'catt' is not one of predicted, true, airplane"]),
        (["--method", "saliency", "--target", "10"], ["target: '10' is not one of"]),
        (["--method", "saliency", "--target", "true", "--label", "unicorn"], ["label: 'unicorn' is not one of airplane"]),
        (["--method", "grad-cam", "--target", "1", "--layer", "layer4.0"], ["layer: 'layer4.0' is not one of relu, layer1.0"]),
        (["--method", "grad-cam", "--target", "1", "--steps", "9"], ["steps: Grad-CAM has no such parameter; it has layer"]),
        (["--method", "occlusion", "--target", "1", "--window", "2", "--stride", "3"], ["stride: 3 is more than the window of 2"]),
        (["--method", "integrated-gradients", "--target", "1", "--steps", "many"], ["--steps", "'many' is not a whole number"]),
        (["--method", "saliency", "--target", "1", "--size", "100"], ["size: 100 is not a multiple of 32"]),
        (["--method", "saliency", "--target", "1", "--seed", "-1"], ["seed: -1 is out of range; it must be from 0 to 2,147,483,647."]),
        (["--method", "saliency", "--target", "1", "--out", "map.jpg"], ["out: 'map.jpg' does not end in .png"]),
    ],
)
def test_errors_name_the_field(arguments, parts, refused):
    error = refused(*arguments)
    assert [part for part in parts if part not in error] == []


def test_a_folder_that_is_not_there(refused, tmp_path):
    error = refused("--method", "saliency", "--target", "1", "--out", str(tmp_path / "no" / "map.png"))
    assert "map.png cannot be written: No such file or directory" in error


def test_an_image_that_the_set_does_not_have(refused):
    assert "test:1000: the test set of sample has 1,000 images" in refused("--method", "saliency", "--target", "1", image="test:1000")
    assert torch.is_grad_enabled()
