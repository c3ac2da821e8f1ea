"""What nets say of images: one view, ten crops against a loop that is written out, and where nets disagree."""

from __future__ import annotations

import functools
import subprocess
import sys

import numpy as np
import pytest
import torch
import torchvision
from torchvision.models._meta import _IMAGENET_CATEGORIES

from resnet_core.analysis import prediction
from resnet_core.architectures import ImageNetConfig, ResNetConfig
from resnet_core.data import CLASSES
from resnet_core.errors import CheckpointError, ConfigError, Stopped
from resnet_core.nets.loading import resized
from tests.nets_tools import TINY, elsewhere, write_and_load

SMALL_IMAGENET = ImageNetConfig((1, 1, 1, 1), "basic", num_classes=17, width=8)
NETS = [
    (TINY, "pixel-mean"),  # a mean image: every pixel has its own
    (TINY, "cifar10-short-std"),
    (ResNetConfig(8, "none", 4, num_classes=100), "cifar100"),
    (SMALL_IMAGENET, "imagenet"),
]
IDS = ["ours", "other normalisation", "100 classes", "ImageNet's kind"]


def images(count: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (count, 3, 32, 32), dtype=np.uint8))


@pytest.fixture
def net(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "shipped"))
    return functools.partial(write_and_load, tmp_path / "shipped")


def softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max())
    return exponentials / exponentials.sum()


@pytest.mark.parametrize("model, normalization", NETS, ids=IDS)
def test_one_view_is_the_softmax_of_the_net(net, model, normalization):
    loaded = net(model, normalization)
    made = prediction.predict(loaded, images())
    assert made.shape == (3, model.num_classes) and made.dtype == np.float32
    expected = np.stack([softmax(loaded.logits(image[None])[0].double().numpy()) for image in images()])
    np.testing.assert_allclose(made, expected, atol=2e-6)
    np.testing.assert_allclose(made.sum(1), 1, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 1e-4  # the images are not all the same to the net


@pytest.mark.parametrize("model, normalization", NETS[:-1], ids=IDS[:-1])
def test_ten_crops_are_those_of_a_loop(net, model, normalization):
    loaded = net(model, normalization)
    expected = []
    for image in images():
        pixels = image.numpy().astype(np.float64) / 255 - loaded.mean.numpy()
        if loaded.std is not None:
            pixels = pixels / loaded.std.numpy()
        padded = np.zeros((3, 40, 40))
        padded[:, 4:36, 4:36] = pixels
        total = np.zeros(model.num_classes)
        for top, left in [(0, 0), (0, 8), (8, 0), (8, 8), (4, 4)]:
            for mirrored in (False, True):
                view = np.zeros((3, 32, 32))
                for row in range(32):
                    for column in range(32):
                        view[:, row, 31 - column if mirrored else column] = padded[:, top + row, left + column]
                with torch.no_grad():
                    total += softmax(loaded.model(torch.from_numpy(view[None]).float())[0].double().numpy())
        expected.append(total / 10)
    made = prediction.predict(loaded, images(), "padded-crops")
    np.testing.assert_allclose(made, expected, atol=3e-6)
    assert np.abs(made - prediction.predict(loaded, images())).max() > 1e-4  # ten views say something else than one


@pytest.mark.parametrize("protocol", ["single", "padded-crops", "five-scales"])
def test_batches_make_no_difference_and_report_progress(net, monkeypatch, protocol):
    loaded = net()
    whole = prediction.predict(loaded, images(7), protocol)
    monkeypatch.setattr("resnet_core.activations.MOST", 3)
    seen = []
    parts = prediction.predict(loaded, images(7), protocol, progress=lambda done, total: seen.append((done, total)))
    np.testing.assert_allclose(parts, whole, atol=1e-6)
    assert seen == [(3, 7), (6, 7), (7, 7)]
    with pytest.raises(Stopped):
        prediction.predict(loaded, images(7), protocol, should_stop=lambda: True)


def test_the_plans_precision_is_used(net):
    exact, rough = (prediction.predict(net(precision=precision), images()) for precision in ("fp32", "bf16"))
    assert 0 < np.abs(exact - rough).max() < 0.02


def test_no_images_and_no_such_protocol(net):
    assert prediction.predict(net(), images(0)).shape == (0, 10)
    with pytest.raises(ConfigError, match="protocol: 'five' is not one of single, mirrored"):
        prediction.predict(net(), images(), "five")


def test_a_net_that_says_nothing_is_named(net):
    loaded = net()
    torch.nn.init.constant_(loaded.model.fc.weight, float("nan"))
    with pytest.raises(CheckpointError, match=r"ResNet-8-w4: its outputs are not numbers"):
        prediction.predict(loaded, images())


def test_the_net_is_left_as_it_was(net):
    loaded = net()
    before = {name: tensor.clone() for name, tensor in loaded.model.state_dict().items()}
    prediction.predict(loaded, images(), "five-scales")
    assert all(torch.equal(before[name], tensor) for name, tensor in loaded.model.state_dict().items())
    assert not any(module.training or module._forward_hooks for module in loaded.model.modules())


def test_a_net_for_larger_images_sees_them_enlarged(net):
    """As torchvision resizes tensors; padded crops it has none."""
    loaded = net(SMALL_IMAGENET, "imagenet")
    given = images()
    enlarged = torchvision.transforms.functional.resize(given, [224, 224], antialias=True)
    with torch.no_grad():
        mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
        expected = loaded.model((enlarged.float() / 255 - mean) / std).softmax(1)
    assert loaded.side == loaded.net.side == 224 and loaded.normalize(given).shape == (len(given), 3, 224, 224)
    for each in (given, enlarged):
        np.testing.assert_allclose(prediction.predict(loaded, each), expected, atol=1e-6)
    with pytest.raises(ConfigError, match="takes images of 224x224"):
        prediction.predict(loaded, given, "padded-crops")


def test_images_of_the_net_s_size_are_taken_as_they_are():
    given = images()
    assert resized(given, 32) is given


def test_stack_is_channels_first():
    inputs = [np.full((32, 32, 3), (k, 10 + k, 20 + k), np.uint8) for k in range(2)]
    made = prediction.stack(inputs)
    assert made.dtype == torch.uint8 and made.shape == (2, 3, 32, 32)
    assert made[:, :, 5, 9].tolist() == [[0, 10, 20], [1, 11, 21]]


def test_names_of_classes():
    assert prediction.class_names(elsewhere(10)) == CLASSES
    names = prediction.class_names(elsewhere(100))
    assert len(names) == 100 and names[17] == "class 17"
    theirs = prediction.class_names(elsewhere(1000))
    assert len(set(theirs)) == 1000 and tuple(theirs) == tuple(_IMAGENET_CATEGORIES)
    assert prediction.class_names(elsewhere(2)) == ("class 0", "class 1")


def test_the_most_likely_first():
    assert prediction.top(np.float32([0.125, 0.5, 0.25, 0.125]), 3) == [(1, 0.5), (2, 0.25), (0, 0.125)]
    assert len(prediction.top(np.float32([0.5, 0.5]))) == 2


def test_where_nets_disagree_and_err():
    def says(*answers):
        return np.eye(3, dtype=np.float32)[list(answers)]

    one, two, three = says(0, 1, 2, 0), says(0, 2, 2, 0), says(0, 1, 2, 1)
    assert prediction.disagreements([one, two, three]).tolist() == [1, 3]
    assert prediction.disagreements([one]).tolist() == prediction.disagreements([]).tolist() == []
    labels = np.array([0, 2, 1, 0])
    assert prediction.mistakes([one, two, three], labels).tolist() == [1, 2, 3]
    assert prediction.mistakes([one, two, three], labels, "all").tolist() == [2]
    assert prediction.mistakes([two], labels).tolist() == [2]
    with pytest.raises(ValueError, match="most"):
        prediction.mistakes([one], labels, "most")


def test_the_module_is_light():
    code = "import sys, resnet_core.analysis.prediction as p\nassert 'torch' not in sys.modules and p.top"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
