"""Layer responses: against nets computed by hand, at the right point of every kind of net, and without a trace in the net."""

from __future__ import annotations

import copy
import itertools
import threading

import numpy as np
import pytest
import torch
from torch import nn

from resnet_core.analysis.responses import Moments, layer_responses
from resnet_core.architectures import ImageNetConfig, ResNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.errors import Stopped
from resnet_core.training.plan import Plan

PLAN = Plan(threads=1)
NETS = [
    ResNetConfig(8, "none", 4),
    ResNetConfig(14, "A", 4),
    ResNetConfig(8, "B", 4),
    ResNetConfig(8, "C", 4),
    ResNetConfig(11, "B", 4, "bottleneck"),
    ImageNetConfig((1, 1, 1, 1), "basic", 10, 8),
]


def normalize(images: torch.Tensor) -> torch.Tensor:
    return images.contiguous(memory_format=torch.channels_last).float().div_(255).sub_(0.5)


def images(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def trained(config, seed: int = 0) -> nn.Module:
    """A net whose BN layers are not the identity, as after a training."""
    model = build_model(config, seed).to(memory_format=torch.channels_last).eval()
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                for tensor, low, high in (
                    (module.weight, 0.3, 1.2), (module.bias, -0.4, 0.4), (module.running_mean, -0.3, 0.3), (module.running_var, 0.5, 2.0),
                ):  # fmt: skip
                    tensor.copy_(low + (high - low) * torch.rand(tensor.shape, generator=generator))
    return model


def state(model: nn.Module) -> dict:
    hooks = {name: (len(m._forward_hooks), len(m._forward_pre_hooks)) for name, m in model.named_modules()}
    return {
        "tensors": {name: tensor.clone() for name, tensor in model.state_dict().items()},
        "modes": {name: module.training for name, module in model.named_modules()},
        "hooks": hooks,
        "requires": {name: p.requires_grad for name, p in model.named_parameters()},
    }


def assert_same(before: dict, after: dict) -> None:
    for name, tensor in before["tensors"].items():
        assert torch.equal(tensor, after["tensors"][name]), name
    assert {k: v for k, v in before.items() if k != "tensors"} == {k: v for k, v in after.items() if k != "tensors"}


# -- against known answers -----------------------------------------------------------------------------------------------


def closed_form(shortcut: str) -> nn.Module:
    """Depth 8, width 1; every convolution of the main path copies its first input channel to its first output channel, times a gain."""
    model = build_model(ResNetConfig(8, shortcut, 1)).eval()
    gains = {"conv1": 4.0, "layer1.0.conv1": 2.0, "layer1.0.conv2": 0.5, "layer2.0.conv1": 3.0, "layer2.0.conv2": 1.0}
    with torch.no_grad():
        for name, conv, bn in model.taps():
            conv.weight.zero_()
            conv.weight[0, 0, 1, 1] = gains.get(name, 1.0)
            bn.eps = 0.0
    return model


def test_a_plain_net_whose_answer_is_known_in_closed_form():
    # All pixels of an image alike, so that padding is never seen by a kernel that only looks at its centre.
    levels = torch.tensor([51, 255], dtype=torch.uint8)  # 0.2 and 1.0 of 255
    pixels = levels.view(2, 1, 1, 1).expand(2, 3, 32, 32)
    found = layer_responses(closed_form("none"), pixels, lambda x: x.float() / 255, PLAN)
    # conv1: 0.8 and 4, mean 2.4, so std 1.6; then times 2, times 0.5; in stage 2 one of two channels is zero.
    expected = [1.6, 3.2, 1.6]
    assert found.names[:4] == ("conv1", "layer1.0.conv1", "layer1.0.conv2", "layer2.0.conv1")
    np.testing.assert_allclose(found.std[:3], expected, rtol=1e-6)
    stage2 = np.array([2.4, 12.0, 0.0, 0.0])  # 3 * (0.8, 4) in channel 0, zeros in channel 1
    np.testing.assert_allclose(found.std[3], stage2.std(), rtol=1e-6)
    assert found.n == 2 and not found.has_addition
    # Block 1: x is (0.8, 4), F(x) the same: twice and then half of it.
    np.testing.assert_allclose(found.branch_rms[0], np.sqrt((0.8**2 + 4**2) / 2), rtol=1e-6)
    np.testing.assert_allclose(found.ratio[0], 1.0, rtol=1e-6)
    # Block 2: the values of F(x) are three times those of x, in one channel of two.
    np.testing.assert_allclose(found.ratio[1], 3 / np.sqrt(2), rtol=1e-6)


def test_a_residual_net_whose_answer_is_known_in_closed_form():
    levels = torch.tensor([51, 255], dtype=torch.uint8)
    pixels = levels.view(2, 1, 1, 1).expand(2, 3, 32, 32)
    found = layer_responses(closed_form("A"), pixels, lambda x: x.float() / 255, PLAN)
    assert found.has_addition
    # Block 1: x = (0.8, 4), F(x) = x, and the sum, 2x, goes into block 2, whose first layer makes 6x of it; F(x) is half the rms there,
    # as one of two channels is zero, and so is the padded shortcut's: 6x beside 2x.
    np.testing.assert_allclose(found.std[:3], [1.6, 3.2, 1.6], rtol=1e-6)
    np.testing.assert_allclose(found.std[3], np.array([4.8, 24.0, 0, 0]).std(), rtol=1e-6)
    np.testing.assert_allclose(found.ratio[:2], [1.0, 3.0], rtol=1e-6)
    np.testing.assert_allclose(found.input_rms[1], np.sqrt((1.6**2 + 8.0**2) / 2), rtol=1e-6)
    np.testing.assert_allclose(found.shortcut_rms[1], found.input_rms[1] / np.sqrt(2), rtol=1e-6)
    assert found.dimensions_change.tolist() == [False, True, True]


def convolve(x: np.ndarray, weight: np.ndarray, stride: int) -> np.ndarray:
    """(N, I, H, W), (O, I, K, K) -> (N, O, H / stride, W / stride), with zeros around; in fp64, by definition."""
    side = weight.shape[2]
    pad = side // 2
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    rows, columns = x.shape[2] // stride, x.shape[3] // stride
    out = np.zeros((len(x), len(weight), rows, columns))
    for i, j in itertools.product(range(side), range(side)):
        part = padded[:, :, i : i + stride * rows : stride, j : j + stride * columns : stride]
        out += np.einsum("nihw,oi->nohw", part, weight[:, :, i, j])
    return out


def by_hand(model: nn.Module, x: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, tuple[np.ndarray, ...]]]:
    """The forward pass in NumPy, from the weights' names only: responses of the layers, and (F(x), x, shortcut's output) of the blocks."""
    w = {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}
    shortcut = model.config.shortcut

    def bn(y: np.ndarray, name: str) -> np.ndarray:
        column = {key: w[f"{name}.{key}"].reshape(1, -1, 1, 1) for key in ("weight", "bias", "running_mean", "running_var")}
        return (y - column["running_mean"]) / np.sqrt(column["running_var"] + 1e-5) * column["weight"] + column["bias"]

    layers, blocks = {"conv1": bn(convolve(x, w["conv1.weight"], 1), "bn1")}, {}
    x = np.maximum(layers["conv1"], 0)
    for stage in (1, 2, 3):
        for index in range((model.config.depth - 2) // 6):
            name, stride = f"layer{stage}.{index}", 2 if stage > 1 and index == 0 else 1
            first = bn(convolve(x, w[f"{name}.conv1.weight"], stride), f"{name}.bn1")
            second = bn(convolve(np.maximum(first, 0), w[f"{name}.conv2.weight"], 1), f"{name}.bn2")
            passed = x
            if f"{name}.shortcut.conv.weight" in w:
                passed = bn(convolve(x, w[f"{name}.shortcut.conv.weight"], stride), f"{name}.shortcut.bn")
            elif stride == 2 and shortcut == "A":
                passed = np.concatenate([x[:, :, ::2, ::2], np.zeros_like(x[:, :, ::2, ::2])], axis=1)
            layers[f"{name}.conv1"], layers[f"{name}.conv2"] = first, second
            blocks[name] = (second, x, passed)
            x = np.maximum(second if shortcut == "none" else second + passed, 0)
    return layers, blocks


@pytest.mark.parametrize("shortcut", ["none", "A", "B", "C"])
def test_the_values_are_those_of_bn_before_relu_and_addition_by_a_forward_pass_in_numpy(shortcut):
    model = trained(ResNetConfig(14, shortcut, 2))
    pixels = images(3)
    found = layer_responses(model, pixels, normalize, PLAN)
    layers, blocks = by_hand(model, pixels.double().numpy() / 255 - 0.5)
    assert found.names == tuple(layers) and found.blocks == tuple(blocks)
    np.testing.assert_allclose(found.std, [values.std() for values in layers.values()], rtol=1e-5)
    for i, (branch, x, passed) in enumerate(blocks.values()):
        for name, values in (("branch", branch), ("input", x), ("shortcut", passed)):
            np.testing.assert_allclose(getattr(found, f"{name}_std")[i], values.std(), rtol=1e-5)
            np.testing.assert_allclose(getattr(found, f"{name}_rms")[i], np.sqrt((values**2).mean()), rtol=1e-5)
        np.testing.assert_allclose(found.ratio[i], np.sqrt((branch**2).mean() / (passed**2).mean()), rtol=1e-5)
    # A response after ReLU, or after the addition, would be another number.
    assert not np.allclose(found.std, [np.maximum(values, 0).std() for values in layers.values()], rtol=1e-2)


@pytest.mark.parametrize("config", NETS, ids=lambda c: c.name)
def test_every_kind_of_net_has_all_its_layers_and_blocks(config):
    model = trained(config)
    found = layer_responses(model, images(4), normalize, PLAN)
    assert found.names == tuple(name for name, _, _ in model.taps()) and len(found.names) == config.depth - 1
    assert found.blocks == tuple(block.unit.name for block in model.blocks())
    # F(x) once more, from the blocks' own method.
    with torch.no_grad():
        caught = {}
        named = [(b.unit.name, b) for b in model.blocks()]
        handles = [b.register_forward_pre_hook(lambda m, a, n=n: caught.update({n: m.branch(a[0])})) for n, b in named]
        model(normalize(images(4)))
        for handle in handles:
            handle.remove()
    np.testing.assert_allclose(found.branch_std, [caught[name].double().std(correction=0) for name in found.blocks], rtol=1e-5)
    assert found.has_addition != config.is_plain
    told = found.to_dict()
    assert [row["name"] for row in told["layers"]] == list(found.names)
    assert told["blocks"][0]["ratio"] == found.ratio[0]


# -- how it is computed ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 64])
def test_the_batching_does_not_matter(size):
    model = trained(ResNetConfig(14, "B", 4))
    pixels = images(64)
    whole = layer_responses(model, pixels, normalize, PLAN, batch_size=500)
    parts = layer_responses(model, pixels, normalize, PLAN, batch_size=size)
    for name in ("std", "branch_rms", "input_std", "input_rms", "shortcut_std", "shortcut_rms"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-6)


def test_moments_keep_a_small_spread_on_a_large_mean_and_an_exact_zero():
    values = 1000 + 0.01 * torch.randn(6, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    moments, flat = Moments(), Moments()
    for part in values.split([1, 2, 3]):
        moments.add(part)
        flat.add(torch.full_like(part, 0.1))
    reference = values.double()
    assert moments.std == pytest.approx(float(reference.std(correction=0)), rel=1e-5)
    assert moments.rms == pytest.approx(float(reference.square().mean().sqrt()), rel=1e-9)
    assert flat.std == pytest.approx(0, abs=1e-8) and flat.rms == pytest.approx(0.1, rel=1e-6)
    assert moments.count == values.numel()


def test_moments_of_what_is_not_finite_say_so():
    moments = Moments()
    moments.add(torch.tensor([[1.0, float("inf")]]))
    assert not np.isfinite(moments.std)


def test_bf16_is_near_fp32():
    model = trained(ResNetConfig(14, "A", 8))
    exact = layer_responses(model, images(16), normalize, PLAN)
    near = layer_responses(model, images(16), normalize, Plan(precision="bf16"))
    assert not np.array_equal(near.std, exact.std)
    np.testing.assert_allclose(near.std, exact.std, rtol=0.02)


@pytest.mark.parametrize("training", [True, False])
def test_the_net_comes_back_as_it_was(training):
    model = trained(ResNetConfig(8, "B", 4))
    model.train(training)
    model.layer2.eval()  # modes of the parts are kept too
    before = state(model)
    layer_responses(model, images(4), normalize, PLAN)
    assert_same(before, state(model))


def test_the_net_comes_back_as_it_was_when_the_forward_pass_raises():
    model = trained(ResNetConfig(8, "A", 4)).train()
    before = state(model)
    calls = []

    def fail(module, args):
        calls.append(module.training)
        if len(calls) == 2:
            raise RuntimeError("out of memory")

    handle = model.layer3[0].relu2.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        layer_responses(model, images(4), normalize, PLAN, batch_size=2)
    handle.remove()
    assert calls == [False, False]  # it was in evaluation mode, and had got as far as the second batch
    assert_same(before, state(model))


def test_progress_and_stopping():
    model = trained(ResNetConfig(8, "A", 4))
    before, told = state(model), []
    layer_responses(model, images(5), normalize, PLAN, batch_size=2, progress=lambda *at: told.append(at))
    assert told == [(2, 5), (4, 5), (5, 5)]
    with pytest.raises(Stopped):
        layer_responses(model, images(5), normalize, PLAN, batch_size=2, should_stop=lambda: len(told) == 3)
    assert_same(before, state(model))
    with pytest.raises(ValueError, match="at least one image"):
        layer_responses(model, images(0), normalize, PLAN)


def test_two_viewers_at_once_see_what_one_sees():
    model = trained(ResNetConfig(14, "A", 4))
    alone = layer_responses(model, images(32), normalize, PLAN, batch_size=4)
    found, barrier = {}, threading.Barrier(2)

    def view(who: int, own: nn.Module) -> None:
        barrier.wait()
        found[who] = layer_responses(own, images(32), normalize, PLAN, batch_size=4)

    threads = [threading.Thread(target=view, args=(who, copy.deepcopy(model))) for who in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in found.values():
        np.testing.assert_array_equal(one.std, alone.std)
        np.testing.assert_array_equal(one.ratio, alone.ratio)
    assert len(found) == 2


def test_batch_statistics_are_those_of_each_batch_and_leave_the_running_ones_alone():
    """Of an untrained net BN's running statistics mean nothing; with its own ones every layer's responses have a deviation of 1."""
    model, images = build_model(ResNetConfig(8, "A", 4), 0), torch.randint(0, 256, (64, 3, 32, 32), dtype=torch.uint8)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.eval()
    found = layer_responses(model, images, lambda x: x.float() / 255 - 0.5, Plan(), batch_size=64, batch_statistics=True)
    np.testing.assert_allclose(found.std, 1.0, atol=1e-3)
    assert not model.training and all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    running = layer_responses(model, images, lambda x: x.float() / 255 - 0.5, Plan(), batch_size=64)
    assert abs(running.std - 1.0).max() > 0.1
