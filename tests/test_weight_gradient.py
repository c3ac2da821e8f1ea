"""The gradient of a convolution's weights by AMX: against float64, beside torch's own, and in whole nets."""

from __future__ import annotations

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
from resnet_core.kernels.convolution import Convolution
from resnet_core.kernels.fused import fused
from resnet_core.training import probe
from resnet_core.training.engine import Trainer
from resnet_core.training.plan import Plan

needs_amx = pytest.mark.skipif(not build.has_amx(), reason="this processor has no AMX, or there is no C++ compiler")
PLAN = Plan("cpu", "bf16", threads=1, fused=True, amx=True)


def values(*shape: int) -> torch.Tensor:
    return (2 * torch.randn(*shape) + 1).bfloat16().contiguous(memory_format=torch.channels_last)


def conv(inputs: int, outputs: int, **options) -> nn.Conv2d:
    made = nn.Conv2d(inputs, outputs, 3, **({"padding": 1, "bias": False} | options))
    return made.to(memory_format=torch.channels_last)


def gradients(module: nn.Module, weight: nn.Parameter, x: torch.Tensor, gradient: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """What comes out, and the gradients of input and weights."""
    x = x.detach().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = module(x)
    return y.detach(), *torch.autograd.grad(y, (x, weight), gradient)


@needs_amx
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    "images, inputs, outputs, height, width",
    [
        (5, 16, 16, 32, 32),
        (3, 32, 16, 8, 8),
        (4, 16, 48, 4, 8),
        (9, 64, 64, 16, 16),
        (2, 16, 32, 2, 16),
        (1, 32, 32, 1, 64),
        (2, 16, 16, 56, 56),
    ],
)
def test_it_is_what_float64_gives_and_all_else_is_torchs_own(images, inputs, outputs, height, width, threads):
    torch.manual_seed(0)
    own = conv(inputs, outputs)
    x, gradient = values(images, inputs, height, width), values(images, outputs, height, width)
    before, usual = torch.get_num_threads(), gradients(own, own.weight, x, gradient)
    try:
        torch.set_num_threads(threads)
        y, dx, dweight = gradients(Convolution(own), own.weight, x, gradient)
        assert torch.equal(dweight, gradients(Convolution(own), own.weight, x, gradient)[2])
    finally:
        torch.set_num_threads(before)
    exact = torch.autograd.grad(
        F.conv2d(x.double(), wide := own.weight.detach().double().requires_grad_(), padding=1), wide, gradient.double()
    )[0]
    assert (dweight.double() - exact).abs().max() < 1e-5 * exact.abs().max()
    assert (dweight.dtype, dweight.stride()) == (torch.float32, own.weight.stride())
    assert torch.equal(y, usual[0])
    if threads == before:
        assert torch.equal(dx, usual[1])


@needs_amx
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_seen(bad):
    own = conv(16, 16)
    x, gradient = values(2, 16, 8, 8), values(2, 16, 8, 8)
    gradient[1, 3, 4, 4] = bad
    dweight = gradients(Convolution(own), own.weight, x, gradient)[2]
    assert not torch.isfinite(dweight[3]).any() and torch.isfinite(dweight[:3]).all()


@pytest.mark.parametrize("change", ["fp32", "odd width", "few pixels", "no AMX", "layout", "frozen"])
def test_where_it_does_not_fit_torch_does_it(change, monkeypatch):
    torch.manual_seed(0)
    own = conv(16, 16)
    if change == "no AMX":
        monkeypatch.setattr(build, "has_amx", lambda: False)
    if change == "layout":
        own.weight.data = own.weight.data.contiguous()
    height, width = {"odd width": (32, 7), "few pixels": (6, 8)}.get(change, (8, 8))
    x, gradient = values(2, 16, height, width), values(2, 16, height, width)
    if change == "frozen":
        own.requires_grad_(False)
        x.requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            found, usual = (torch.autograd.grad(module(x), x, gradient)[0] for module in (Convolution(own), own))
        assert torch.equal(found, usual)
    elif change == "fp32":
        x, gradient = x.float(), gradient.float()
        one, other = Convolution(own)(x), own(x)
        assert torch.equal(one, other) and torch.equal(*(torch.autograd.grad(y, own.weight, gradient)[0] for y in (one, other)))
    else:
        pairs = zip(gradients(Convolution(own), own.weight, x, gradient), gradients(own, own.weight, x, gradient), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)


def test_only_convolutions_of_its_kind_are_taken():
    assert Convolution.suits(conv(16, 32)) and Convolution.suits(conv(64, 16))
    others = {"stride": 2, "padding": 0, "dilation": 2, "groups": 2, "bias": True, "padding_mode": "reflect"}
    assert not any(Convolution.suits(conv(32, 32, **{name: value})) for name, value in others.items())
    assert not any(
        map(Convolution.suits, (conv(3, 16), conv(16, 24), nn.Conv2d(16, 16, 1, bias=False), nn.Conv2d(16, 16, 5, padding=2, bias=False)))
    )


@needs_amx
@pytest.mark.parametrize("name, count", [("ResNet-8", 4), ("plain-8", 4), ("ResNet-8-preact", 4), ("ResNet-8-nobn", 0), ("WRN-10-1", 4)])
def test_a_net_has_the_gradients_that_it_has_without(name, count):
    net = build_model(parse(name), 0).to(memory_format=torch.channels_last).train()
    images, labels = torch.randn(16, 3, 32, 32).contiguous(memory_format=torch.channels_last), torch.arange(16) % 10
    found = {}
    for amx in (False, True):
        torch.manual_seed(0)
        form = fused(training_form(net), amx)
        assert sum(isinstance(module, Convolution) for module in form.modules()) == count * amx
        assert {id(one) for one in form.parameters()} == {id(one) for one in net.parameters()}
        net.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
            loss = F.cross_entropy(form(images), labels)
        loss.backward()
        found[amx] = loss.item(), [parameter.grad.clone() for parameter in net.parameters()]
    assert found[True][0] == found[False][0]
    for one, other in zip(found[True][1], found[False][1], strict=True):
        assert (one - other).abs().max() <= 2**-7 * other.abs().max()  # what rounding to bfloat16 costs


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
