"""Nets for images of 224x224: everything is computed at their own size, or refused with a sentence; nothing silently at 32x32."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from resnet_core.analysis.gradients import BatchTooLarge, layer_gradients
from resnet_core.analysis.responses import layer_responses
from resnet_core.architectures import ImageNetConfig, parse
from resnet_core.architectures.net import build_model
from resnet_core.attribution import METHODS
from resnet_core.attribution.compute import attribute
from resnet_core.attribution.sanity import cascade
from resnet_core.attribution.trust import infidelity, sensitivity, squares
from resnet_core.config import DataConfig, RunConfig
from resnet_core.data import load
from resnet_core.errors import CheckpointError, ConfigError, DataError
from resnet_core.experiments import EXPERIMENTS, cka, paths, running, shuffles
from resnet_core.imports.cost import macs_per_image
from resnet_core.nets import find, loading
from tests.nets_tools import elsewhere, write_and_load, write_checkpoint

SMALL = ImageNetConfig((1, 1, 1, 1), width=4, num_classes=10)


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path))
    return write_and_load(tmp_path, SMALL, "imagenet")


@pytest.fixture
def picture():
    return torch.randint(0, 256, (3, 224, 224), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("key", METHODS)
def test_maps_have_the_size_of_the_net_s_images(loaded, picture, key):
    few = {"steps": 4} if key == "integrated-gradients" else {"stride": 42} if key == "occlusion" else {}
    found = attribute(loaded, picture, key, 3, **few)
    assert found.map.shape == (224, 224) and not found.is_zero
    assert found.parameters.get("layer", "layer4.0") == "layer4.0"  # of 7x7
    small = torch.nn.functional.avg_pool2d(picture.float(), 7).round().to(torch.uint8)
    by_hand = loading.resized(small[None], 224)[0]
    np.testing.assert_array_equal(attribute(loaded, small, key, 3, **few).map, attribute(loaded, by_hand, key, 3, **few).map)


def test_saliency_is_the_gradient_at_the_net_s_size(loaded, picture):
    x = (picture.float() / 255).requires_grad_()
    loaded.model((x[None] - loaded.mean) / loaded.std)[0, 3].backward()
    found = attribute(loaded, picture, "saliency", 3).map
    np.testing.assert_allclose(found, x.grad.abs().amax(0), rtol=1e-3, atol=1e-6)


def test_whether_a_map_is_to_be_believed_is_asked_at_its_size(loaded, picture):
    found = attribute(loaded, picture, "saliency", 3)
    hidden = infidelity(loaded, picture, found, samples=4)
    assert "4 squares of 28 to 84 pixels" in hidden.text and 0 <= hidden.relative <= 1
    assert sensitivity(loaded, picture, found, samples=2).value > 0
    masks = squares(20, 0, 224)
    assert masks.shape == (20, 1, 224, 224)
    assert all(28**2 <= mask.sum() <= 84**2 for mask in masks)
    steps = list(cascade(loaded, picture, "saliency", 3, per_stage=1))
    assert [step.map.shape for step in steps] == [(224, 224)] * 7


def test_what_a_map_takes_is_told_of_its_size(loaded):
    assert macs_per_image(loaded) == macs_per_image(loaded.net) == macs_per_image(SMALL) > 30 * macs_per_image(_trained_here())


def _trained_here():
    model = build_model(SMALL)
    model.side = 32
    return model


def test_images_of_cifar_are_enlarged_for_responses_and_cka(loaded):
    test = load(DataConfig()).test.images[:6]
    found = layer_responses(loaded.model, test, loaded.normalize, loaded.plan)
    larger = loading.resized(test, 224)
    np.testing.assert_array_equal(layer_responses(loaded.model, larger, loaded.normalize, loaded.plan).std, found.std)
    assert "enlarged from 32x32 to 224x224" in loaded.net.enlarged


def test_cka_takes_the_blocks_in_parts_where_memory_asks_for_it(loaded, monkeypatch):
    small = load(DataConfig("sample", images_per_class=2))
    small = dataclasses.replace(small, test=small.test.part(0, 12))
    whole, steps = cka.measure(loaded, small, {"images": 12}), []
    # The maps of twelve images: 4x56x56, 8x28x28, 16x14x14, 32x7x7.
    monkeypatch.setattr("resnet_core.activations.WHOLE_BUDGET", 4 * 12 * 4 * 56 * 56)
    parts = cka.measure(loaded, small, {"images": 12}, lambda done, of: steps.append((done, of)))
    np.testing.assert_array_equal(parts.gram, whole.gram)
    assert steps[-1] == (24, 24)
    monkeypatch.setattr("resnet_core.activations.WHOLE_BUDGET", 4 * 7 * 4 * 56 * 56)
    with pytest.raises(DataError, match=r"behind layer1\.0 take .* at most 7 images"):
        cka.measure(loaded, small, {"images": 12})


def test_batches_that_cannot_be_cut_are_refused_by_their_size_at_224(loaded, monkeypatch):
    train = load(DataConfig()).train
    found = layer_gradients(loaded.model, train.images[:4], train.labels[:4], loaded.normalize, loaded.plan, batches=1, batch_size=4)
    assert np.isfinite(found.gradient_norms).all()
    large = build_model(parse("ResNet-50-ImageNet-v1.5-c10"))
    with pytest.raises(BatchTooLarge, match=r"at most 2\d images"):
        layer_gradients(large, train.images[:128], train.labels[:128], loaded.normalize, loaded.plan)
    monkeypatch.setattr(running, "MOST_BYTES", 8 * 4 * 4 * 56 * 56)  # the inputs of the first block of eight images
    with pytest.raises(DataError, match=r"the maps of 32 images take .* Ask for at most 2 images"):
        paths.measure(loaded, load(DataConfig()), {"images": 32, "draws": 1, "seed": 0})
    with pytest.raises(DataError, match=r"the maps of 100 images take .* Ask for at most 8 images"):
        shuffles.measure(loaded, load(DataConfig()), {"images": 100, "draws": 1, "seed": 0})


@pytest.mark.parametrize("key", EXPERIMENTS)
def test_what_needs_the_images_classes_is_refused_of_imagenet_s_nets(key):
    others = {"gates": "Highway-8", "construction": "ResNet-8-w4", "reuse": "DenseNet-40-k12"}  # which these can be made with
    small = parse(others[key]) if key in others else ImageNetConfig((2, 2, 2, 2), width=4, num_classes=10)
    experiment, of_imagenet = EXPERIMENTS[key], dataclasses.replace(small, num_classes=1000)
    experiment.check(small, "small")
    experiment.check_images(elsewhere(10, small), DataConfig())
    experiment.check(of_imagenet, "large")
    if key in ("cka", "responses", "ledger", "gates", "reuse", "shattered", "filters", "maps", "strongest"):
        experiment.check_images(elsewhere(1000, small), DataConfig())
    else:
        with pytest.raises(ConfigError, match=r"net-1000 tells 1,000 classes apart .* these images are CIFAR-10's\."):
            experiment.check_images(elsewhere(1000, small), DataConfig())


def test_the_work_of_an_experiment_goes_by_the_size(loaded):
    experiment = EXPERIMENTS["responses"]
    run = dataclasses.replace(loaded.net, config=RunConfig(SMALL))
    assert run.side == 32 and loaded.net.side == 224
    at_224, at_32 = (experiment.work(net, {"images": 100}) for net in (loaded.net, run))
    assert at_224 == 100 * macs_per_image(SMALL) and at_32 == pytest.approx(100 * macs_per_image(run))


@pytest.mark.parametrize("name", ["AlexNet", "AlexNet-torchvision", "GoogLeNet-aux"])
def test_a_net_that_nothing_is_left_in_is_not_trained_on_small_images(name):
    with pytest.raises(ConfigError, match=r"is made for images of 224x224 pixels, and cannot compute with 32x32"):
        RunConfig(dataclasses.replace(parse(name), num_classes=10))


def test_nor_looked_into_with_the_mean_image_of_small_ones(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path))
    net = dataclasses.replace(parse("AlexNet-torchvision"), num_classes=10)
    assert net.plan().takes((3, 224, 224)) and not net.plan().takes((3, 32, 32))
    write_checkpoint(tmp_path, "alex", SMALL, normalization="pixel-mean")
    assert find("alex").side == loading.load(find("alex"), "cpu").side == 32
    monkeypatch.setattr("resnet_core.architectures.plan.Plan.takes", lambda plan, image: image == plan.input)
    with pytest.raises(CheckpointError, match="cannot compute with 32x32"):
        loading.load(find("alex"), "cpu")
