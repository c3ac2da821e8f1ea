"""How many images may go through a net at once: counted by hand, held against what autograd keeps, and of no consequence for results."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from resnet_core.activations import BUDGET, WHOLE_BUDGET, activation_bytes, images_at_once, layer_shapes, side_of
from resnet_core.analysis.evaluation import evaluate_detailed
from resnet_core.analysis.neighbours import features
from resnet_core.analysis.prediction import predict
from resnet_core.analysis.responses import layer_responses
from resnet_core.architectures import ImageNetConfig, ResNetConfig, parse
from resnet_core.architectures.net import Net, build_model
from resnet_core.attribution.compute import attribute
from resnet_core.attribution.sanity import random_level
from resnet_core.attribution.trust import infidelity
from resnet_core.errors import Stopped
from resnet_core.training.evaluate import evaluate
from tests.nets_tools import write_and_load

WIDE = ResNetConfig(11, "B", width=256, block="bottleneck")


def test_without_gradients_four_of_a_blocks_maps_are_there_at_a_time():
    assert activation_bytes(ResNetConfig(8, "A", 4)) == 4 * 4 * (4 * 32 * 32)
    # A bottleneck puts out four times its filters; an ImageNet net's first convolution halves the side.
    assert activation_bytes(WIDE) == 4 * 4 * (4 * 256 * 32 * 32)
    assert activation_bytes(ImageNetConfig()) == 4 * 4 * (64 * 112 * 112)


def test_with_gradients_all_blocks_keep_theirs():
    # By hand: the image; 2 maps of 4 channels of the first convolution; 4 of each of three blocks, of 4, 8 and
    # 16 channels; and a gradient.
    maps = 2 * 4 * 32**2 + 4 * (4 * 32**2 + 8 * 16**2 + 16 * 8**2)
    assert activation_bytes(ResNetConfig(8, "none", 4), gradients=True) == 4 * (3 * 32**2 + maps + 4 * 32**2)
    # Projections: of B where dimensions change, of C everywhere.
    projected = 8 * 16**2 + 16 * 8**2
    plain, b, c = (activation_bytes(ResNetConfig(8, shortcut, 4), gradients=True) for shortcut in ("A", "B", "C"))
    assert (b - plain, c - plain) == (4 * projected, 4 * (projected + 4 * 32**2))


@pytest.mark.parametrize(
    "name",
    [
        *("ResNet-14-w4", "ResNet-8-C-w4", "ResNet-11-B-bottleneck-w4", "plain-20-w3", "ResNet-14-w4-preact", "ResNet-14-w4-rezero"),
        *("ResNeXt-11-2x8d", "ResNeXt-11-2x8d-b", "ResNet-8-sd50", "ResNet-18-w4-CIFAR", "ResNet-18-w2-ImageNet"),
    ],
)
def test_what_is_counted_is_what_autograd_keeps(name):
    config = parse(name)
    model = build_model(config).train()
    weights = {each.data_ptr() for each in (*model.parameters(), *model.buffers())}
    kept = {}

    def keep(tensor):
        if tensor.dim() == 4 and tensor.data_ptr() not in weights:
            kept[tensor.data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(torch.zeros(2, *model.plan.input))
    gradient = activation_bytes(config) / 4  # a map of the largest
    assert sum(each.numel() * each.itemsize for each in kept.values()) == 2 * (activation_bytes(config, gradients=True) - gradient)


@pytest.mark.parametrize(
    "config, forward, backward",
    [
        (ResNetConfig(56, "A"), 500, 61),
        (ResNetConfig(1202, "A"), 500, 2),
        (ResNetConfig(20, "A", width=32), 500, 85),
        (ResNetConfig(8, "A", width=256), 64, 25),
        (WIDE, 16, 7),
        (ImageNetConfig((3, 4, 6, 3), "bottleneck", stride="3x3"), 20, 3),
        (ImageNetConfig((3, 4, 6, 3), "bottleneck", width=256, stride="3x3"), 5, 1),
    ],
    ids=str,
)
def test_images_at_once_go_by_the_budget(config, forward, backward):
    assert images_at_once(config, 500) == forward and images_at_once(config, 500, gradients=True) == backward
    assert images_at_once(config, 50) == min(50, forward)
    assert forward == 500 or forward * activation_bytes(config) <= BUDGET < (forward + 1) * activation_bytes(config)


def test_a_net_trained_on_smaller_images_is_reckoned_with_these():
    config = ImageNetConfig((1, 1, 1, 1), width=4)
    model = build_model(config)
    assert side_of(config) == side_of(model) == 224 and layer_shapes(model)["layer4.0"] == (32, 7)
    model.side = 32
    assert side_of(model) == 32 and layer_shapes(model)["layer4.0"] == (32, 1)
    assert activation_bytes(model) == activation_bytes(config, side=32) < activation_bytes(config)


def test_one_image_always_goes_and_of_an_unknown_module_nothing_is_known():
    assert images_at_once(ResNetConfig(1202, "C", 256), 50, gradients=True) == 1
    assert images_at_once(nn.Identity(), 500) == 500
    assert images_at_once(build_model(WIDE), 500) == 16


def test_what_is_shipped_keeps_the_batch_of_a_training():
    assert images_at_once(ResNetConfig(110, "A"), 128, gradients=True, budget=WHOLE_BUDGET) == 128


# ---------------------------------------------------------------- everything takes its batches from it


def _images(count):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=generator), torch.arange(count) % 10


def _evaluate(loaded, should_stop=None):
    return evaluate(loaded.model, *_images(7), loaded.mean, loaded.plan)


def _evaluation(loaded, should_stop=None):
    found = evaluate_detailed(loaded.model, *_images(7), loaded.normalize, loaded.plan, should_stop=should_stop)
    return found.wrong, found.loss


def _responses(loaded, should_stop=None):
    found = layer_responses(loaded.model, _images(7)[0], loaded.normalize, loaded.plan, should_stop=should_stop)
    return np.concatenate([found.std, found.ratio])


def _features(loaded, should_stop=None):
    return features(loaded, _images(7)[0], should_stop=should_stop)


def _predict(loaded, should_stop=None):
    return predict(loaded, _images(7)[0], should_stop=should_stop)


def _crops(loaded, should_stop=None):
    return predict(loaded, _images(7)[0], "padded-crops", should_stop=should_stop)


def _map(method, **values):
    return lambda loaded, should_stop=None: attribute(loaded, _images(1)[0][0], method, 3, should_stop=should_stop, **values).map


def _infidelity(loaded, should_stop=None):
    image = _images(1)[0][0]
    return infidelity(loaded, image, attribute(loaded, image, "saliency", 3), samples=7, should_stop=should_stop).value


def _random_level(loaded, should_stop=None):
    return random_level(loaded, _images(1)[0][0], "occlusion", 3, stride=6, should_stop=should_stop)


LOOPS = {
    "evaluate": _evaluate,
    "evaluation": _evaluation,
    "responses": _responses,
    "features": _features,
    "predict": _predict,
    "crops": _crops,
    "integrated gradients": _map("integrated-gradients", steps=7),
    "occlusion": _map("occlusion", stride=6),
    "infidelity": _infidelity,
    "random level": _random_level,
}


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path))
    return write_and_load(tmp_path)


def _batches(loaded, what, monkeypatch):
    """What a loop gives, and the sizes of the batches that go through any net meanwhile."""
    seen, through = [], Net.features
    with monkeypatch.context() as patch:
        patch.setattr(Net, "features", lambda net, x: (seen.append(len(x)), through(net, x))[1])
        return LOOPS[what](loaded), seen


@pytest.mark.parametrize("what", LOOPS)
def test_smaller_batches_give_the_same_numbers(what, loaded, monkeypatch):
    whole, at_first = _batches(loaded, what, monkeypatch)
    assert max(at_first) >= 7
    most = 2
    gradients = what == "integrated gradients"
    monkeypatch.setattr("resnet_core.activations.BUDGET", most * activation_bytes(loaded.net.model, gradients))
    parts, seen = _batches(loaded, what, monkeypatch)
    assert max(seen) == most
    np.testing.assert_allclose(np.asarray(parts, float), np.asarray(whole, float), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("what", [what for what in LOOPS if what != "evaluate"])
def test_each_can_be_stopped_between_two_batches(what, loaded, monkeypatch):
    monkeypatch.setattr("resnet_core.activations.BUDGET", 1)
    begun, through = [], Net.features
    monkeypatch.setattr(Net, "features", lambda net, x: (begun.append(len(x)), through(net, x))[1])
    with pytest.raises(Stopped):
        LOOPS[what](loaded, lambda: len(begun) > 2)
    assert len(begun) == 3
