"""Batch normalisation, addition and ReLU in one step: against torch's own functions in float64, and in whole nets."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from resnet_core.architectures import FAMILIES, parse
from resnet_core.architectures.net import Net, build_model, training_form
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.data import load
from resnet_core.kernels import build
from resnet_core.kernels.fused import Thinning, fused
from resnet_core.kernels.norm import NormJoinReLU
from resnet_core.training import probe
from resnet_core.training.engine import Trainer
from resnet_core.training.plan import Plan
from tests.kernels_tools import distance, step_of

needs_compiler = pytest.mark.skipif(build.library() is None, reason="there is no C++ compiler here")
PLAN = Plan("cpu", "fp32", threads=1, fused=True)


def values(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return (2 * torch.randn(*shape) + 3).to(dtype).contiguous(memory_format=torch.channels_last)


@needs_compiler
@pytest.mark.parametrize("owned", [False, True])
@pytest.mark.parametrize("readers", [1, 2])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("joins", [False, True])
@pytest.mark.parametrize("dtype, near", [(torch.float32, 1e-5), (torch.bfloat16, 6e-3)])
@pytest.mark.parametrize("shape", [(4, 16, 9, 7), (3, 48, 4, 4), (33, 64, 1, 1)])
def test_one_step_computes_what_torch_does_in_float64(shape, dtype, near, joins, relu, readers, owned):
    torch.manual_seed(0)
    step = step_of(shape[1], relu, owned)
    x, residual = values(*shape, dtype=dtype).requires_grad_(), values(*shape, dtype=dtype).requires_grad_() if joins else None
    gradients = [values(*shape, dtype=dtype) for _ in range(readers)]
    exact = [one.detach().double().requires_grad_() for one in (x, *([residual] if joins else []), step.norm.weight, step.norm.bias)]
    mean, var = step.norm.running_mean.double(), step.norm.running_var.double()
    expected = F.batch_norm(exact[0], mean, var, exact[-2], exact[-1], True, 0.1, 1e-5) + (exact[1] if joins else 0)
    expected = F.relu(expected) if relu else expected
    expected.backward(sum(one.double() for one in gradients))

    found = step(x, residual)
    assert distance(found[0], expected) < near and found[0].is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(found[0], found[1])
    torch.autograd.backward(found[:readers], [one.clone() for one in gradients])
    wanted = [x, *([residual] if joins else []), step.norm.weight, step.norm.bias]
    for one, other in zip(wanted, exact, strict=True):
        # Where the sum of the two gradients lies between two numbers of bfloat16, one of them is taken earlier than in float64.
        assert distance(one.grad, other.grad) < 2 * near
    assert distance(step.norm.running_mean, mean) < 1e-6 and distance(step.norm.running_var, var) < 1e-6
    assert step.norm.num_batches_tracked == 1


@needs_compiler
def test_gradients_that_are_not_its_own_are_left_as_they_are():
    torch.manual_seed(0)
    step = step_of(16, True)
    x, residual = values(2, 16, 4, 4).requires_grad_(), values(2, 16, 4, 4).requires_grad_()
    gradients = [values(2, 16, 4, 4), values(2, 16, 4, 4)]
    before = [one.clone() for one in gradients]
    torch.autograd.backward(step(x, residual), gradients)
    assert all(map(torch.equal, gradients, before))


@needs_compiler
def test_a_mean_far_from_zero_costs_no_digits():
    step = step_of(16, False)
    x = torch.randn(8, 16, 8, 8).contiguous(memory_format=torch.channels_last) + 10_000
    x[0, :, 0, 0] = 0  # the first row says nothing of the others
    mean, var = step.norm.running_mean.double(), step.norm.running_var.double()
    expected = F.batch_norm(x.double(), mean, var, step.norm.weight.double(), step.norm.bias.double(), True)
    assert distance(step(x)[0], expected) < 1e-3  # around 0 the squares would be 1e8, which float cannot tell from 1e8 + 1
    assert distance(step.norm.running_mean, mean) < 1e-6 and distance(step.norm.running_var, var) < 1e-4


@needs_compiler
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_stays_so_that_divergence_is_seen(dtype, bad):
    x = values(2, 16, 4, 4, dtype=dtype)
    x[0, 3, 1, 1] = bad
    found = step_of(16, True)(x)[0]
    assert not torch.isfinite(found[:, 3]).all() and torch.isfinite(found[:, :3]).all()


@pytest.mark.parametrize("change", ["evaluation", "channels", "float64", "no kernels"])
def test_where_the_kernels_do_not_fit_torch_does_the_same(change, monkeypatch):
    torch.manual_seed(0)
    channels, dtype = 12 if change == "channels" else 16, torch.float64 if change == "float64" else torch.float32
    step = step_of(channels, True).to(dtype)
    if change == "evaluation":
        step.eval()
    if change == "no kernels":
        monkeypatch.setattr(build, "library", lambda: None)
    x, residual = values(2, channels, 4, 4, dtype=dtype), values(2, channels, 4, 4, dtype=dtype)
    norm = step.norm
    mean, var = norm.running_mean.clone(), norm.running_var.clone()
    expected = F.relu(F.batch_norm(x, mean, var, norm.weight, norm.bias, change != "evaluation") + residual)
    assert torch.equal(step(x, residual)[0], expected)


@needs_compiler
@pytest.mark.parametrize(
    "name", ["plain-8-w16", "ResNet-8", "ResNet-8-B", "ResNet-8-preact", "ResNet-8-rezero", "Highway-8", "WRN-10-1", "ResNet-18-CIFAR-w16",
             "DenseNet-BC-16-k16", "ResNeXt-11-4x4d"],
)  # fmt: skip
def test_a_net_has_the_same_loss_and_gradients(name):
    torch.manual_seed(0)
    config = parse(name)
    usual, other = (build_model(config, 0).double().to(memory_format=torch.channels_last).train() for _ in range(2))
    other.float()
    form = fused(training_form(other))
    assert isinstance(form, torch.fx.GraphModule)
    assert {id(one) for one in form.parameters()} == {id(one) for one in other.parameters()}
    images, labels = torch.randn(6, 3, 32, 32).contiguous(memory_format=torch.channels_last), torch.arange(6)
    for _ in range(2):
        loss, exact = F.cross_entropy(form(images), labels), F.cross_entropy(usual(images.double()), labels)
        assert loss.item() == pytest.approx(exact.item(), rel=1e-4)
        usual.zero_grad(), other.zero_grad()
        loss.backward(), exact.backward()
        norms = [(float(one.grad.norm()), float(two.grad.norm())) for one, two in zip(other.parameters(), usual.parameters(), strict=True)]
        largest = max(two for _, two in norms)
        assert max(abs(one - two) for one, two in norms) < 1e-2 * largest
    for name, value in usual.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name].to(value.dtype), value, rtol=1e-3, atol=1e-4)


def test_of_a_net_without_batch_normalisation_nothing_is_put_together():
    net = build_model(parse("plain-8-nobn"), 0)
    assert fused(net) is net


def test_option_as_padding_lies_in_memory_as_the_rest_does():
    (padding,) = (m for m in build_model(parse("ResNet-8"), 0).layer2.modules() if type(m).__name__ == "ZeroPadding")
    x = values(2, 16, 8, 8).requires_grad_()
    y = x.detach().clone().requires_grad_()
    gradient = values(2, 32, 4, 4)
    one, other = Thinning(padding)(x), padding(y)
    one.backward(gradient), other.backward(gradient)
    assert torch.equal(one, other) and torch.equal(x.grad, y.grad) and x.grad.is_contiguous(memory_format=torch.channels_last)


@needs_compiler
def test_a_training_stopped_and_resumed_ends_with_the_weights_of_an_unbroken_one():
    recipe = Recipe(iterations=6, batch_size=8, precision="fp32", record_every=1, test_every=100, layers_every=100, seed=3)
    config, data = (
        RunConfig(parse("ResNet-8"), DataConfig("sample", images_per_class=8), recipe),
        load(DataConfig("sample", images_per_class=8)),
    )
    whole = Trainer(config, data, PLAN)
    *_, end = whole.run()
    first = Trainer(config, data, PLAN)
    list(first.run(lambda: first.iteration == 3))
    second = Trainer(config, data, PLAN)
    second.load_state(first.state())
    *_, resumed = second.run()
    assert resumed["weights_sha256"] == end["weights_sha256"]
    unfused = Trainer(config, data, Plan("cpu", "fp32", threads=1))
    *_, usual = unfused.run()
    assert usual["weights_sha256"] != end["weights_sha256"] and usual["train_error"] == pytest.approx(end["train_error"], abs=15)


@needs_compiler
def test_more_threads_change_the_order_of_sums_only():
    torch.manual_seed(0)
    x, step, before = values(5, 16, 8, 8), step_of(16, True), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = step(x)[0]
        torch.set_num_threads(3)
        assert distance(step(x)[0], one) < 1e-6
    finally:
        torch.set_num_threads(before)


def test_they_are_for_trainings_on_a_cpu_that_torch_does_not_compile(monkeypatch):
    def plan(trains: bool = True, **recipe: str) -> Plan:
        return probe.decide(RunConfig(parse("ResNet-8"), DataConfig("sample"), Recipe(precision="fp32", device="cpu", **recipe)), trains)

    monkeypatch.setattr(build, "library", object)
    assert plan().fused and plan(compile="off").fused and not plan(compile="on").fused and not plan(trains=False).fused
    assert Plan.from_dict(plan().to_dict()) == plan() and not Plan.from_dict({"device": "cpu"}).fused
    monkeypatch.setattr(build, "library", lambda: None)
    monkeypatch.setattr(build, "why_not", lambda: "there is no C++ compiler")
    assert not plan().fused and plan().reason["fused"] == "there is no C++ compiler"


@pytest.fixture
def anew(tmp_path, monkeypatch):
    """Ask for the kernels as a new process does, with an empty cache; gives the function that does."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return build._found.__wrapped__


@pytest.mark.parametrize(
    "name, value, why",
    [
        ("CXX", "/no/such/compiler", "No such file"),
        ("CXX", "false", "returned non-zero"),
        pytest.param("CXX", "g++ -no-such-flag", "no-such-flag", marks=needs_compiler),
        ("RESNET_LAB_KERNELS", "off", "switched off"),
    ],
)
def test_without_a_compiler_or_switched_off_there_are_none_and_it_is_said_why(anew, tmp_path, monkeypatch, name, value, why):
    monkeypatch.setenv(name, value)
    found, reason = anew()
    assert found is None and why in reason
    assert list(tmp_path.rglob("*.so")) == []


@needs_compiler
def test_without_a_home_there_are_none(anew, monkeypatch):
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(build, "cache_folder", homeless)
    assert anew() == (None, "Could not determine home directory.")


@needs_compiler
def test_they_are_compiled_once_for_a_compiler_and_a_processor(anew, tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "g++ -pthread")  # as conda and CI set it
    assert anew()[0] is not None
    (kept,) = (tmp_path / "resnet-lab").iterdir()
    run = build._run
    monkeypatch.setattr(build, "_run", lambda *command: run(*command) if "-dM" in command else pytest.fail("compiled again"))
    assert anew()[0] is not None
    monkeypatch.setattr(build, "_run", lambda *command: b"another processor's instructions")
    assert build._place() != kept


@needs_compiler
def test_a_kept_library_that_is_damaged_is_compiled_again(anew):
    place = build._place()
    place.parent.mkdir(parents=True)
    place.write_bytes(b"no library")
    assert anew()[0] is not None and place.stat().st_size > 10_000


@needs_compiler
def test_second_derivatives_are_refused_rather_than_wrong():
    x = values(2, 16, 4, 4).requires_grad_()
    (gradient,) = torch.autograd.grad(step_of(16, True)(x)[0].square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@pytest.mark.parametrize("amx", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_can_be_followed(family, amx):
    with torch.device("meta"):
        net = Net(FAMILIES[family].presets[0])
    steps = [step for step in fused(training_form(net), amx).modules() if isinstance(step, NormJoinReLU)]
    assert len(steps) == sum(isinstance(module, nn.BatchNorm2d) for module in net.modules())
