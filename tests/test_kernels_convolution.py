"""Convolutions by AMX with what stands in front of them: against float64, beside torch's own, and in whole nets."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from resnet_core.architectures import parse
from resnet_core.architectures.net import build_model, training_form
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.data import load
from resnet_core.kernels import build
from resnet_core.kernels.convolution import Convolution, NormConvolution
from resnet_core.kernels.fused import fused
from resnet_core.training import probe
from resnet_core.training.engine import Trainer
from resnet_core.training.plan import Plan
from tests.kernels_tools import distance, step_of

needs_amx = pytest.mark.skipif(not build.has_amx(), reason="this processor has no AMX, or there is no C++ compiler")
PLAN = Plan("cpu", "bf16", threads=1, fused=True, amx=True)


def values(*shape: int) -> torch.Tensor:
    return (2 * torch.randn(*shape) + 1).bfloat16().contiguous(memory_format=torch.channels_last)


def conv(inputs: int, outputs: int, **options) -> nn.Conv2d:
    made = nn.Conv2d(inputs, outputs, 3, **({"padding": 1, "bias": False} | options))
    return made.to(memory_format=torch.channels_last)


def rounded(x: torch.Tensor) -> torch.Tensor:
    """The value as bfloat16 holds it; the gradient as if it were held exactly."""
    return x + (x.detach().bfloat16().double() - x.detach())


@needs_amx
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("kind", ["alone", "linear", "relu", "relu, wanted", "joins", "joins, wanted"])
@pytest.mark.parametrize(
    "images, inputs, outputs, height, width",
    [
        (5, 16, 16, 32, 32),
        (3, 32, 16, 8, 8),
        (4, 16, 48, 4, 8),
        (9, 64, 64, 16, 16),
        (2, 48, 32, 2, 16),
        (1, 32, 32, 1, 64),
        (2, 16, 16, 56, 56),
    ],
)
def test_it_is_what_float64_gives(images, inputs, outputs, height, width, kind, given, threads):
    torch.manual_seed(0)
    own, step = conv(inputs, outputs), step_of(inputs, kind != "linear")
    wanted, joins, alone = "wanted" in kind, "joins" in kind, kind == "alone"
    module = Convolution(own) if alone else NormConvolution(step, Convolution(own), wanted)
    x, residual = values(images, inputs, height, width), values(images, inputs, height, width) if joins else None
    moments = torch.stack([x.double().mean((0, 2, 3)), x.double().var((0, 2, 3), correction=0)]) if given and not alone else None
    inputs_of = {"x": x, "residual": residual, "moments": moments, "weight": own.weight, "scale": step.norm.weight, "shift": step.norm.bias}
    exact = {name: one.detach().double().requires_grad_() for name, one in inputs_of.items() if one is not None}
    column = (1, -1, 1, 1)

    ready = exact["x"]
    if not alone:
        mean, var = exact["moments"] if given else (ready.mean((0, 2, 3)), ready.var((0, 2, 3), correction=0))
        ready = (ready - mean.view(column)) * (var.view(column) + 1e-5).rsqrt() * exact["scale"].view(column) + exact["shift"].view(column)
        ready = ready + exact["residual"] if joins else ready
        ready = rounded(F.relu(ready) if step.relu else ready)
    z = rounded(F.conv2d(ready, rounded(exact["weight"]), padding=1))
    outputs_of = [z, torch.stack([z.mean((0, 2, 3)), z.var((0, 2, 3), correction=0)]), *([ready] if wanted else [])]
    weights = [
        values(*one.shape) if one.dim() == 4 else torch.randn_like(one) * one.detach().abs() * z.numel() / outputs for one in outputs_of
    ]
    expected = torch.autograd.grad(outputs_of, list(exact.values()), [one.double() for one in weights], allow_unused=True)

    own_inputs = {name: one.requires_grad_() for name, one in inputs_of.items() if one is not None}
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        with torch.autocast("cpu", torch.bfloat16):
            found = module(x) if alone else module(x, residual, moments)
        given_back = torch.autograd.grad([one for one in found if one is not None], list(own_inputs.values()), weights, allow_unused=True)
    finally:
        torch.set_num_threads(before)
    assert (found[0].dtype, len(found), found[-1] is not None) == (torch.bfloat16, 2 if alone else 3, alone or wanted)
    for one, other in zip(found, outputs_of, strict=False):
        assert distance(one, other) < 1e-2, "forwards"
    for name, one, other in zip(exact, given_back, expected, strict=True):
        assert (one is None) == (other is None) == (alone and name in ("scale", "shift"))
        assert one is None or distance(one, other) < 2e-2, name


@needs_amx
def test_gradients_may_lie_in_memory_as_they_like():
    module, x = NormConvolution(step_of(16, True), Convolution(conv(16, 32)), True), values(3, 16, 8, 8).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        found = module(x)
    spread = [torch.ones((), dtype=one.dtype).expand_as(one) for one in found]  # what the gradient of a sum is
    whole = [one.contiguous() for one in spread]
    one, other = (torch.autograd.grad(found, (x, module.convolution.conv.weight), given, retain_graph=True) for given in (spread, whole))
    assert all(map(torch.equal, one, other)) and torch.isfinite(one[0]).all()


@needs_amx
def test_one_pixel_far_from_all_others_costs_no_digits():
    own = conv(16, 16)
    with torch.no_grad():
        own.weight.zero_()
        own.weight[range(16), range(16), 1, 1] = 1
    x = torch.randn(8, 16, 32, 32).bfloat16().contiguous(memory_format=torch.channels_last)
    x[0, :, 0, 0] = 1e4
    with torch.autocast("cpu", torch.bfloat16):
        z, (mean, var) = Convolution(own)(x)
    assert torch.equal(z, x)
    assert distance(mean, x.double().mean((0, 2, 3))) < 1e-3 and distance(var, x.double().var((0, 2, 3), correction=0)) < 1e-3


@needs_amx
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["input", "gradient"])
def test_what_is_no_number_is_seen(bad, where):
    own, step = conv(16, 16), step_of(16, True)
    x, gradient = values(2, 16, 8, 8).requires_grad_(), values(2, 16, 8, 8)
    with torch.no_grad():
        (x if where == "input" else gradient)[1, 3, 4, 4] = bad
    with torch.autocast("cpu", torch.bfloat16):
        z, moments, _ = NormConvolution(step, Convolution(own), False)(x)
    (dweight,) = torch.autograd.grad(z, own.weight, gradient)
    if where == "input":
        assert not torch.isfinite(z).all() and not torch.isfinite(moments).any() and not torch.isfinite(dweight).all()
    else:
        assert not torch.isfinite(dweight[3]).any() and torch.isfinite(dweight[:3]).all()


@pytest.mark.parametrize("change", ["fp32", "odd width", "few pixels", "no AMX", "layout", "evaluation"])
def test_where_it_does_not_fit_torch_does_it(change, monkeypatch):
    torch.manual_seed(0)
    own, step = conv(16, 16), step_of(16, True)
    other, norm = copy.deepcopy(own), copy.deepcopy(step.norm)
    module = NormConvolution(step, Convolution(own), True)
    if change == "no AMX":
        monkeypatch.setattr(build, "library", lambda: None)
        monkeypatch.setattr(build, "has_amx", lambda: False)
    if change == "layout":
        own.weight.data = own.weight.data.contiguous()
    if change == "evaluation":
        module.eval(), norm.eval()
    height, width = {"odd width": (32, 7), "few pixels": (6, 8)}.get(change, (8, 8))
    x, residual = values(2, 16, height, width), values(2, 16, height, width)
    if change == "fp32":
        x, residual = x.float(), residual.float()
    with torch.autocast("cpu", torch.bfloat16, enabled=change != "fp32"):
        z, moments, y = module(x, residual)
        expected = F.relu(norm(x) + residual)
        wanted = other(expected)
    if change in ("fp32", "odd width", "few pixels", "layout"):  # the norm's own kernel
        assert distance(y, expected) < 1e-2 and distance(z, wanted) < 2e-2
    else:
        assert torch.equal(y, expected) and distance(z, wanted) < (1e-2 if change == "evaluation" else 1e-9)
    assert (moments is None) == (change != "evaluation" or not build.has_amx())  # there the convolution is its own all the same


def test_frozen_weights_have_no_gradient_and_the_input_has():
    own, step = conv(16, 16).requires_grad_(False), step_of(16, True).requires_grad_(False)
    x = values(2, 16, 8, 8).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        NormConvolution(step, Convolution(own), False)(x)[0].float().square().sum().backward()
    assert x.grad.abs().sum() > 0 and own.weight.grad is step.norm.weight.grad is None


@needs_amx
def test_second_derivatives_are_refused_rather_than_wrong():
    x, own = values(2, 16, 8, 8).requires_grad_(), conv(16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        z = Convolution(own)(x)[0]
    (gradient,) = torch.autograd.grad(z.float().square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_only_convolutions_of_its_kind_are_taken():
    assert Convolution.suits(conv(16, 32)) and Convolution.suits(conv(64, 16))
    others = {"stride": 2, "padding": 0, "dilation": 2, "groups": 2, "bias": True, "padding_mode": "reflect"}
    assert not any(Convolution.suits(conv(32, 32, **{name: value})) for name, value in others.items())
    assert not any(
        map(Convolution.suits, (conv(3, 16), conv(16, 24), nn.Conv2d(16, 16, 1, bias=False), nn.Conv2d(16, 16, 5, padding=2, bias=False)))
    )


@needs_amx
@pytest.mark.parametrize(
    "name, count",
    [
        ("ResNet-8", 4),
        ("plain-8", 4),
        ("ResNet-8-B", 4),
        ("ResNet-8-preact", 4),
        ("ResNet-8-rezero", 4),
        ("ResNet-8-nobn", 0),
        ("WRN-10-1", 4),
        ("Highway-8", 4),
        ("DenseNet-BC-16-k16", 6),
    ],
)
def test_a_net_is_as_near_to_float64_as_with_torchs_own_steps(name, count):
    nets = [build_model(parse(name), 0).to(memory_format=torch.channels_last).train() for _ in range(3)]
    images, labels = torch.randn(16, 3, 32, 32).contiguous(memory_format=torch.channels_last), torch.arange(16) % 10
    form = fused(training_form(nets[2]), True)
    kinds = [type(module) for module in form.modules()]
    assert kinds.count(NormConvolution) == kinds.count(Convolution) == count
    assert {id(one) for one in form.parameters()} == {id(one) for one in nets[2].parameters()}
    for module, exact in ((training_form(nets[0].double()), True), (training_form(nets[1]), False), (form, False)):
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=not exact, cache_enabled=False):
            F.cross_entropy(module(images.double() if exact else images), labels).backward()

    def apart(net: nn.Module) -> float:
        pairs = [(one.grad.double(), other.grad) for one, other in zip(net.parameters(), nets[0].parameters(), strict=True)]
        return float(sum((one - other).square().sum() for one, other in pairs) / sum(other.square().sum() for _, other in pairs)) ** 0.5

    assert apart(nets[2]) < 1.25 * apart(nets[1]) < 0.5
    for name, value in nets[2].named_buffers():
        torch.testing.assert_close(value.double(), nets[0].get_buffer(name).double(), rtol=2e-2, atol=2e-3)


@needs_amx
def test_a_training_stopped_and_resumed_ends_with_the_weights_of_an_unbroken_one():
    config = RunConfig(parse("ResNet-8"), DataConfig("sample"), Recipe(iterations=6, batch_size=16, precision="bf16", device="cpu"))
    dataset = load(config.data)

    def weights(plan: Plan, stops: int | None) -> dict[str, torch.Tensor]:
        trainer = Trainer(config, dataset, plan)
        if stops:
            for _ in range(stops):
                trainer.step(0.1)
            state, trainer = trainer.state(), Trainer(config, dataset, plan)
            trainer.load_state(state)
        for _ in range(6 - (stops or 0)):
            trainer.step(0.1)
        return {name: value.clone() for name, value in trainer.model.state_dict().items()}

    whole, resumed, without = weights(PLAN, None), weights(PLAN, 3), weights(dataclasses.replace(PLAN, amx=False), None)
    assert all(torch.equal(whole[name], value) for name, value in resumed.items())
    assert not all(torch.equal(whole[name], value) for name, value in without.items())


def test_it_is_for_trainings_in_bf16_and_a_run_of_before_goes_on_without(monkeypatch):
    def plan(**recipe: str) -> Plan:
        return probe.decide(RunConfig(parse("ResNet-8"), DataConfig("sample"), Recipe(device="cpu", **({"precision": "bf16"} | recipe))))

    monkeypatch.setattr(build, "library", object)
    monkeypatch.setattr(build, "has_amx", lambda: True)
    assert plan().amx and not plan(precision="fp32").amx and not plan(compile="on").amx
    assert Plan.from_dict(plan().to_dict()) == plan()
    assert not Plan.from_dict({"device": "cpu", "precision": "bf16", "fused": True}).amx
    monkeypatch.setattr(build, "has_amx", lambda: False)
    assert not plan().amx and plan().fused
