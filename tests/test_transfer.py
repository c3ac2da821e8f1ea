"""Transfer: what the training begins with, what is frozen and stays so to the bit, rates by stage, and resuming."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch

from resnet_core.architectures import ResNetConfig, parse
from resnet_core.architectures.net import build_model
from resnet_core.config import DataConfig, Recipe, RunConfig, Start
from resnet_core.data import load as load_data
from resnet_core.differences import differing
from resnet_core.errors import ConfigError
from resnet_core.nets import find, transfer
from resnet_core.nets.folder import save_weights
from resnet_core.nets.loading import load
from resnet_core.runs import RunStore
from resnet_core.training import checkpoint
from resnet_core.training.engine import MEAN, Trainer
from resnet_core.training.plan import Plan
from tests.runs_tools import wait_for_end

DATA = DataConfig("fashion-sample", images_per_class=3)
RECIPE = Recipe(iterations=6, batch_size=10, learning_rate=0.05, schedule="constant", weight_decay=0.01, device="cpu", precision="fp32",
                compile="off", record_every=2, test_every=6, layers_every=3, checkpoint_every=3)  # fmt: skip
PLAN = Plan("cpu", "fp32", False, 1)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A net with statistics of its own, as a checkpoint that divides its input."""
    model = build_model(ResNetConfig(8, "B", width=4), seed=3)
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.is_floating_point() and ("running" in name or name.endswith("bias")):
                value.uniform_(0.5, 1.5, generator=torch.Generator().manual_seed(len(name)))
    folder = tmp_path_factory.mktemp("nets")
    mean, std = torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1), torch.tensor([0.2, 0.25, 0.5]).view(3, 1, 1)
    save_weights(folder / "weights.safetensors", model.state_dict(), mean, std, model.config, "half")
    return folder


@pytest.fixture
def net(source):
    return find(str(source / "weights.safetensors"))


def trainer(net, **choices) -> Trainer:
    config = transfer.planned(net, DATA, RECIPE, **choices)
    tensors = transfer.start_tensors(load(net, "cpu"), config)  # loading decides on threads of its own
    made = Trainer(config, load_data(DATA), PLAN)
    made.begin_with(tensors)
    return made


def test_it_begins_as_the_same_features_of_the_same_images(net):
    """Whatever the input was divided by: that is in the first convolution now."""
    loaded, made = load(net, "cpu"), trainer(net)
    images = load_data(DATA).test.images[:8]
    made.model.eval()
    with torch.no_grad():
        ours = made.model.features(images.float().div(255).sub(made.mean))
        theirs = loaded.model.features(loaded.normalize(images))
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    fresh = build_model(made.config.model, RECIPE.seed)
    assert torch.equal(made.model.fc.weight, fresh.fc.weight) and not torch.equal(made.model.fc.weight, loaded.model.fc.weight)


@pytest.mark.parametrize("frozen", [1, 2, 4])
def test_what_is_frozen_does_not_change_by_a_bit_its_bn_included(net, frozen):
    made = trainer(net, frozen=frozen)
    kept = [f"{name}." for group in made.model.plan.groups[:frozen] for name in group]
    before = {name: value.clone() for name, value in made.model.state_dict().items()}
    list(made.run())
    after = made.model.state_dict()
    is_kept = {name: any(name.startswith(each) for each in kept) for name in before}
    assert any("running_mean" in name for name, yes in is_kept.items() if yes)
    assert [name for name, yes in is_kept.items() if yes and not torch.equal(before[name], after[name])] == []
    free = [name for name, yes in is_kept.items() if not yes and before[name].is_floating_point()]
    assert "fc.weight" in free and [name for name in free if torch.equal(before[name], after[name])] == []
    assert not any(module.training for name in made.model.frozen for module in made.model.get_submodule(name).modules())


def test_what_is_not_frozen_sees_the_statistics_of_its_own_batches(net):
    made = trainer(net, frozen=2)
    made.model.train()
    modes = {name: module.training for name, module in made.model.named_modules() if isinstance(module, torch.nn.BatchNorm2d)}
    assert {name.split(".")[0] for name, training in modes.items() if not training} == {"bn1", "layer1"}
    made.model.eval()
    assert not any(module.training for module in made.model.modules())


def test_rates_fall_from_stage_to_stage_towards_the_data(net):
    made = trainer(net, stage_decay=0.5)
    made.step(0.08)
    rates = {}
    for group in made.optimizer.param_groups:
        for parameter in group["params"]:
            name = next(name for name, each in made.model.named_parameters() if each is parameter)
            rates.setdefault(name.split(".")[0], set()).add(group["lr"])
    assert rates == {"fc": {0.08}, "layer3": {0.04}, "layer2": {0.02}, "layer1": {0.01}, "conv1": {0.005}, "bn1": {0.005}}


def test_gradients_of_frozen_layers_are_recorded_as_if_they_were_trained(net):
    made = trainer(net, frozen=3)
    layers = [row for row in made.run() if row["kind"] == "layers"]
    assert all(norm > 0 for row in layers for norm in row["gradient_norm"])
    assert all(not parameter.requires_grad for name in made.model.frozen for parameter in made.model.get_submodule(name).parameters())


def test_a_resumed_one_goes_on_to_the_bit(net, tmp_path):
    """With the mean of the net that it began with, which the data know nothing of."""
    whole = trainer(net, frozen=1, stage_decay=0.5)
    rows = list(whole.run())
    first = trainer(net, frozen=1, stage_decay=0.5)
    for row in first.run():
        if row["kind"] == "checkpoint":
            break
    saved = checkpoint.save(tmp_path, first.state(), {})
    again = Trainer(first.config, load_data(DATA), PLAN)
    again.load_state(checkpoint.load(saved)[0])
    rest = list(again.run())
    assert rest[-1]["weights_sha256"] == rows[-1]["weights_sha256"] and torch.equal(again.mean, whole.mean)
    assert torch.equal(whole.mean[:, 0, 0], torch.tensor([0.4, 0.5, 0.6]))


def test_a_mean_image_of_another_size_becomes_its_mean_colour(net):
    made = trainer(net)
    tensors = transfer.start_tensors(load(net, "cpu"), made.config) | {MEAN: torch.arange(3.0).view(3, 1, 1).expand(3, 4, 4).clone()}
    made.begin_with(tensors)
    assert made.mean.shape == (3, 32, 32) and made.mean.unique().tolist() == [0.0, 1.0, 2.0]


def test_through_the_queue_with_its_twin_from_scratch(net, tmp_path, monkeypatch):
    store = RunStore(tmp_path / "runs")
    config = transfer.planned(net, DATA, RECIPE, frozen=2)
    run, is_new = transfer.transfer(store, net, config)
    twin, _ = store.submit(transfer.from_scratch(config))
    wait_for_end(run, twin)
    assert is_new and run.state().state == twin.state().state == "finished", run.state().message
    assert transfer.transfer(store, net, config) == (run, False)
    assert run.name == "ResNet-8-B-w4 transferred, 2 groups frozen" and twin.name == "ResNet-8-B-w4"
    again = RunConfig.from_dict(json.loads(json.dumps(run.config.to_dict())))
    assert again == run.config and again.start.kind == "transferred" and not again.start.is_grown
    assert differing([run.config, twin.config]) == ["first weights"]
    other = transfer.planned(net, DATA, RECIPE, stage_decay=0.5)
    assert set(differing([run.config, other])) == {"frozen groups", "rate by stage"}
    there = load(find(run.id, store.home), "cpu")
    assert torch.equal(there.mean[:, 0, 0], torch.tensor([0.4, 0.5, 0.6]))


def test_grown_nets_are_written_as_before():
    start = Start("plain-20", "plain-20", 10, "")
    assert set(RunConfig(ResNetConfig(26, "none"), start=start).to_dict()["start"]) == {"net", "origin", "iteration", "weights"}


@pytest.mark.parametrize("name", ["ResNet-20", "DenseNet-BC-100-k12", "VGG-16-CIFAR", "WRN-16-8", "Highway-20", "ResNet-20-preact"])
def test_groups_are_all_of_a_net_but_its_classifier(name):
    model = parse(name)
    plan = model.plan()
    weighted = {placed.name.split(".")[0] for placed in plan.walk() if placed.part.parameters(placed.shape)}
    assert {each for group in plan.groups for each in group} >= weighted - {plan.classifier}
    names = transfer.groups(model)
    assert len(names) == len(plan.groups) and names[0] == "stem" and "stage 1" in names and len(set(names)) == len(names)


def test_impossible_choices_are_refused(net):
    with pytest.raises(ConfigError, match="frozen: 9 groups, and ResNet-8-B-w4 has 4"):
        transfer.planned(net, DATA, RECIPE, frozen=9)
    with pytest.raises(ConfigError, match="stage_decay"):
        transfer.planned(net, DATA, RECIPE, stage_decay=0.0)
    with pytest.raises(ConfigError, match="kind"):
        dataclasses.replace(Start("plain-20", "x", 0, ""), kind="stolen")
    with pytest.raises(ConfigError, match="planned"):
        transfer.transfer(RunStore(), net, transfer.from_scratch(transfer.planned(net, DATA, RECIPE)))
