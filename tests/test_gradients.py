"""Gradient norms: against autograd by hand and finite differences, as in training, and without a trace in the net."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from resnet_core.activations import activation_bytes
from resnet_core.analysis import gradients
from resnet_core.analysis.gradients import BatchTooLarge, gradients_at_initialization, layer_gradients
from resnet_core.architectures import ImageNetConfig, ResNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.config import DataConfig
from resnet_core.data import load, normalize, per_pixel_mean
from resnet_core.errors import ConfigError, DataError, Stopped
from resnet_core.training.layers import layer_statistics
from resnet_core.training.plan import Plan
from tests.test_responses import assert_same, state, trained

PLAN = Plan(threads=1)


@pytest.fixture(scope="module")
def sample():
    return load(DataConfig("sample")).train.part(0, 64)


@pytest.fixture(scope="module")
def prepared(sample):
    mean = per_pixel_mean(sample)
    return lambda x: normalize(x, mean)


@pytest.mark.parametrize("shortcut", ["none", "A", "B", "C"])
def test_one_layers_gradients_by_hand(sample, prepared, shortcut):
    model = trained(ResNetConfig(8, shortcut, 4))
    found = layer_gradients(model, sample.images, sample.labels, prepared, PLAN, batches=1, batch_size=16)
    # Once more without any of our code: backward() on a copy, the response's gradient by a leaf added to it.
    own = trained(ResNetConfig(8, shortcut, 4)).train()
    block, zero = own.layer2[0], torch.zeros(16, 8, 16, 16, requires_grad=True)
    bn1 = block.bn1.forward
    block.bn1.forward = lambda y: bn1(y) + zero
    loss = nn.functional.cross_entropy(own(prepared(sample.images[:16])), sample.labels[:16])
    loss.backward()
    at = found.names.index("layer2.0.conv1")
    assert found.gradient_norm[at] == pytest.approx(float(block.conv1.weight.grad.norm()), rel=1e-5)
    # The mean loss has a sixteenth of each image's gradient.
    assert found.response_gradient[at] == pytest.approx(16 * float(zero.grad.square().mean().sqrt()), rel=1e-5)
    assert found.losses[0] == pytest.approx(loss.item(), rel=1e-6)


def test_a_weights_gradient_by_finite_differences(sample, prepared):
    """The loss itself, in fp64, a step to both sides along the gradient's direction: its slope there is the gradient's norm."""
    model = trained(ResNetConfig(8, "A", 4))
    found = layer_gradients(model, sample.images, sample.labels, prepared, PLAN, batches=1, batch_size=8)
    own = trained(ResNetConfig(8, "A", 4)).double().train()
    x, y, weight = prepared(sample.images[:8]).double(), sample.labels[:8], own.layer3[0].conv2.weight
    (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(own(x), y), [weight])
    step = 1e-5 * gradient / gradient.norm()
    losses = []
    with torch.no_grad():
        for sign in (1, -2):
            weight += sign * step
            losses.append(float(nn.functional.cross_entropy(own(x), y)))
    slope = (losses[0] - losses[1]) / 2e-5
    assert found.gradient_norm[found.names.index("layer3.0.conv2")] == pytest.approx(slope, rel=1e-3)


def test_the_norms_are_those_of_a_trainings_records(sample, prepared):
    model = trained(ResNetConfig(14, "B", 4))
    found = layer_gradients(model, sample.images, sample.labels, prepared, PLAN, batches=1, batch_size=32)
    record = layer_statistics(model, prepared(sample.images[:32]), sample.labels[:32], PLAN)
    assert list(found.names) == record["names"]
    np.testing.assert_allclose(found.gradient_norm, record["gradient_norm"], rtol=1e-6)


def test_several_batches_are_averaged(sample, prepared):
    model = trained(ResNetConfig(8, "A", 4))
    found = layer_gradients(model, sample.images, sample.labels, prepared, PLAN, batches=3, batch_size=16)
    alone = [
        layer_gradients(model, part.images, part.labels, prepared, PLAN, batches=1, batch_size=16)
        for part in (sample.part(start, start + 16) for start in (0, 16, 32))
    ]
    assert found.gradient_norms.shape == (3, 7)
    np.testing.assert_allclose(found.gradient_norm, np.mean([one.gradient_norm for one in alone], axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.response_gradient, np.mean([one.response_gradient for one in alone], axis=0), rtol=1e-6)
    # Fewer images than asked for: as many full batches as there are; fewer than a batch: all of them.
    assert len(layer_gradients(model, sample.images[:40], sample.labels[:40], prepared, PLAN, batches=9, batch_size=16).losses) == 2
    assert layer_gradients(model, sample.images[:10], sample.labels[:10], prepared, PLAN, batch_size=16).batch_size == 10
    with pytest.raises(ValueError, match="at least two images"):
        layer_gradients(model, sample.images[:1], sample.labels[:1], prepared, PLAN)


def test_the_net_comes_back_as_it_was(sample, prepared):
    model = trained(ResNetConfig(8, "B", 4))
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    before = state(model)
    with torch.no_grad():
        layer_gradients(model, sample.images, sample.labels, prepared, PLAN, batches=2, batch_size=16)
    assert_same(before, state(model))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_net_comes_back_as_it_was_when_the_backward_pass_raises(sample, prepared):
    model = trained(ResNetConfig(8, "A", 4))
    before, told = state(model), []

    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            told.append("backward")
            raise RuntimeError("out of memory")

    handle = model.layer2.register_forward_hook(lambda module, args, output: Broken.apply(output))
    with pytest.raises(RuntimeError, match="out of memory"):
        layer_gradients(model, sample.images, sample.labels, prepared, PLAN, batch_size=16)
    handle.remove()
    assert told == ["backward"]
    assert_same(before, state(model))
    with pytest.raises(Stopped):
        layer_gradients(model, sample.images, sample.labels, prepared, PLAN, should_stop=lambda: True)
    assert_same(before, state(model))


def test_other_families_and_too_few_classes(sample, prepared):
    model = build_model(ImageNetConfig((1, 1, 1, 1), "basic", 10, 8))
    found = layer_gradients(model, sample.images, sample.labels, prepared, PLAN, batches=1, batch_size=8)
    assert len(found.gradient_norm) == model.config.depth - 1 and (found.gradient_norm > 0).all()
    with pytest.raises(DataError, match="tells 2 classes apart"):
        layer_gradients(build_model(ResNetConfig(8, "A", 4, num_classes=2)), sample.images, sample.labels, prepared, PLAN)


# -- at initialisation -------------------------------------------------------------------------------------------------------


def test_at_initialisation_with_bn_it_is_the_first_snapshot_of_a_training(sample, prepared):
    x, y = prepared(sample.images[:16]), sample.labels[:16]
    found = gradients_at_initialization([8, 14], "A", True, 5, x, y, width=4)
    assert [(one.model.name, one.batch_norm, one.seed) for one in found] == [("ResNet-8-w4", True, 5), ("ResNet-14-w4", True, 5)]
    for one in found:
        record = layer_statistics(build_model(one.model, 5), x, y, PLAN)
        np.testing.assert_allclose(one.gradients.gradient_norm, record["gradient_norm"], rtol=1e-5)


def test_without_bn_it_is_the_net_that_has_none(sample, prepared):
    x, y = prepared(sample.images[:8]), sample.labels[:8]
    (found,) = gradients_at_initialization([8], "none", False, 1, x, y, width=4)
    # The plain net without BN, written out.
    model = build_model(ResNetConfig(8, "none", 4), 1)
    h = torch.relu(model.conv1(x))
    for stage in (model.layer1, model.layer2, model.layer3):
        h = torch.relu(stage[0].conv2(torch.relu(stage[0].conv1(h))))
    loss = nn.functional.cross_entropy(model.fc(h.mean((2, 3))), y)
    expected = torch.autograd.grad(loss, [conv.weight for _, conv, _ in model.taps()])
    np.testing.assert_allclose(found.gradients.gradient_norm, [float(g.norm()) for g in expected], rtol=1e-5)
    assert found.gradients.losses[0] == pytest.approx(loss.item(), rel=1e-6)


def test_bn_is_taken_out_of_shortcuts_too():
    with_bn, without = (build_model(ResNetConfig(8, "C", 4, norm=norm)) for norm in ("batch", "none"))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in without.modules())
    weights = {name: value for name, value in without.state_dict().items() if not name.endswith("conv1.bias") and "conv" in name}
    for name, value in weights.items():
        assert torch.equal(value, torch.zeros_like(value) if name.endswith("bias") else with_bn.state_dict()[name])


def test_overflow_is_told_as_such(sample, prepared):
    # Each block of a residual net without BN doubles the variance at least: fp32 ends before 300 blocks.
    x, y = prepared(sample.images[:2]), sample.labels[:2]
    (found,) = gradients_at_initialization([602], "A", False, 0, x, y, width=1)
    assert not np.isfinite(found.gradients.gradient_norm).all()
    told = found.gradients.to_dict()
    assert any(layer["gradient_norm"] is None for layer in told["layers"])
    (fine,) = gradients_at_initialization([20], "A", False, 0, x, y, width=1)
    assert np.isfinite(fine.gradients.gradient_norms).all() and math.isfinite(fine.gradients.to_dict()["loss"])


def test_stopping_and_what_there_is_not(sample, prepared):
    x, y = prepared(sample.images[:4]), sample.labels[:4]
    with pytest.raises(Stopped):
        gradients_at_initialization([8], "A", True, 0, x, y, width=2, should_stop=lambda: True)
    with pytest.raises(ConfigError, match="nearest valid"):
        gradients_at_initialization([8, 21], "A", True, 0, x, y)
    with pytest.raises(ValueError, match="at least two images"):
        gradients_at_initialization([8], "A", True, 0, x[:1], y[:1])


def test_a_batch_that_takes_too_much_memory_is_refused_before_it_is_computed(sample, prepared, monkeypatch):
    model = trained(ResNetConfig(8, "A", 4))
    batch = {"batches": 1, "batch_size": 16}
    monkeypatch.setattr(gradients, "WHOLE_BUDGET", 10 * activation_bytes(model, gradients=True))
    with pytest.raises(BatchTooLarge, match=r"16 images through ResNet-8-w4 .*Ask for at most 10 images a batch") as refused:
        layer_gradients(model, sample.images, sample.labels, lambda x: pytest.fail("computed"), PLAN, **batch)
    assert refused.value.fits == 10
    # What fits is computed, and so is what is asked for whatever it takes; a batch is never cut.
    assert layer_gradients(model, sample.images, sample.labels, prepared, PLAN, batches=1, batch_size=10).batch_size == 10
    assert layer_gradients(model, sample.images, sample.labels, prepared, PLAN, bounded=False, **batch).batch_size == 16
    monkeypatch.setattr(gradients, "WHOLE_BUDGET", 1)
    with pytest.raises(BatchTooLarge, match="Not even two images of this net fit") as refused:
        layer_gradients(model, sample.images, sample.labels, prepared, PLAN, **batch)
    assert refused.value.fits is None


def test_the_memory_that_a_batch_takes_is_told():
    wide = BatchTooLarge(SimpleNamespace(config=ResNetConfig(11, "B", width=256, block="bottleneck")), 128)
    assert "A batch of 128 images through ResNet-11-B-bottleneck-w256 takes about 4.6 GB of memory; 2.1 GB are allowed." in str(wide)
    assert wide.fits == 60
