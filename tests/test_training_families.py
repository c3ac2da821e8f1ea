"""Trainings of nets of all families: on the sample for a few iterations, resumed to the bit, with chance and auxiliary classifiers."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from resnet_core.architectures import FAMILIES, parse
from resnet_core.architectures.net import build_model
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.data import load
from resnet_core.training import checkpoint
from resnet_core.training.engine import Trainer
from resnet_core.training.layers import layer_statistics
from resnet_core.training.plan import Plan
from resnet_core.training.timing import training_step
from tests.families_tools import SMALLEST

PLAN = Plan("cpu", "fp32", False, 1)
TIMES = {"elapsed_seconds", "images_per_second", "peak_memory_mb"}


@pytest.fixture(scope="module")
def sample():
    full = load(DataConfig("sample"))
    return dataclasses.replace(full, train=full.train.part(0, 40), test=full.test.part(0, 8))


def config(name, **recipe):
    defaults = {"iterations": 4, "batch_size": 4, "record_every": 1, "test_every": 4, "layers_every": 2, "checkpoint_every": 2}
    return RunConfig(parse(name), DataConfig("sample"), Recipe(**defaults | {"learning_rate": 0.01} | recipe))


def without_times(records):
    return [{name: value for name, value in record.items() if name not in TIMES} for record in records]


@pytest.mark.parametrize("side", [32, 224])
def test_what_is_timed_before_a_training_has_images_of_its_size(side):
    seen = []

    class Told(nn.Linear):
        def forward(self, x):
            seen.append(tuple(x.shape))
            return super().forward(x.mean((2, 3)))

    training_step(Told(3, 10), PLAN, 2, side)()
    assert seen == [(2, 3, side, side)]


def test_every_family_of_small_images_is_here():
    assert SMALLEST.keys() == {key for key, family in FAMILIES.items() if family.config().plan().input[-1] == 32 and key != "toy"}
    assert all(parse(name).family == family for family, name in SMALLEST.items())


@pytest.mark.parametrize("name", [name for family, name in SMALLEST.items() if family != "resnet"])
def test_it_trains(sample, name):
    trainer = Trainer(config(name), sample, PLAN)
    before = {key: value.clone() for key, value in trainer.model.named_parameters()}
    records = list(trainer.run())
    assert records[-1]["state"] == "finished"
    assert [key for key, value in trainer.model.named_parameters() if torch.equal(value, before[key])] == []
    layers = next(record for record in records if record["kind"] == "layers")
    assert layers["names"] == [tap.name for tap in trainer.model.plan.taps]


@pytest.mark.parametrize("name", ["ResNet-8-w4-d50", "ResNet-8-w4-sd50", "WRN-10-1-d30", "DenseNet-7-k4-d20", "AlexNet-Figure1"])
def test_chance_is_the_same_when_a_training_is_resumed(sample, tmp_path, name):
    run = config(name)
    assert run.model.plan().is_random == (name != "AlexNet-Figure1")
    torch.manual_seed(1)
    whole = list(Trainer(run, sample, PLAN).run())
    trainer = Trainer(run, sample, PLAN)
    parts = []
    for record in trainer.run(lambda: trainer.iteration == 2):
        parts.append(record)
        if record["kind"] == "checkpoint":
            path = checkpoint.save(tmp_path, trainer.state())
    torch.manual_seed(2)
    again = Trainer(run, sample, PLAN)
    again.load_state(checkpoint.load(path)[0])
    assert without_times(parts[:-2] + list(again.run())) == without_times(whole)


def test_chance_differs_from_step_to_step_and_from_seed_to_seed(sample):
    def drawn(seed):
        trainer = Trainer(config("ResNet-8-w4-d50", seed=seed), sample, PLAN)
        masks = []
        trainer.model.dropout.register_forward_hook(lambda m, args, output: masks.append(tuple((output == 0).flatten().tolist())))
        for _ in range(3):
            trainer.step(0.0)
        return masks

    first, again, other = drawn(0), drawn(0), drawn(1)
    assert first == again and len({*first, *other}) == 6


def test_what_layers_are_measured_by_does_not_depend_on_chance(sample):
    model = build_model(parse("ResNet-8-w4-d50-sd50"))
    model.dropout.eval()
    images, labels = torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 3])
    found = [layer_statistics(model, images, labels, PLAN) for _ in range(2)]
    assert found[0] == found[1]
    assert model.training and not model.dropout.training


def test_auxiliary_classifiers_add_to_the_gradient_and_not_to_the_answer(sample):
    """The loss is the net's own plus 0.3 times that of each (Szegedy et al. 2015, section 5)."""
    trainer = Trainer(config("GoogLeNet-aux-CIFAR"), sample, PLAN)
    model = trainer.model
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    images, labels = trainer._batches(0)
    logits, first, second = model.training_outputs(images)
    losses = [nn.functional.cross_entropy(output, labels) for output in (logits, first, second)]
    wanted = torch.autograd.grad(losses[0] + 0.3 * losses[1] + 0.3 * losses[2], model.layer1[0].module.branch1.conv.weight)[0]
    trainer.step(0.0)
    torch.testing.assert_close(model.layer1[0].module.branch1.conv.weight.grad, wanted)
    assert trainer._sums["loss"].item() == pytest.approx(losses[0].item(), rel=1e-5)
    model.eval()
    assert torch.equal(model(images), model.training_outputs(images)[0])
    assert model.aux1.fc2.weight.grad.any() and model.aux2.fc2.weight.grad.any()
