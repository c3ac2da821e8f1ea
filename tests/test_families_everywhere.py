"""What is done with a net is done with those of every family: measured, explained, taken apart, drawn, counted by others' tools."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from resnet_core.activations import layer_shapes
from resnet_core.analysis.evaluation import evaluate_detailed
from resnet_core.analysis.gradients import layer_gradients
from resnet_core.analysis.measured import flop_counter
from resnet_core.analysis.neighbours import features
from resnet_core.analysis.responses import layer_responses
from resnet_core.analysis.shortcuts import shortcut_differences
from resnet_core.architectures import parse, presets
from resnet_core.architectures.net import build_model
from resnet_core.architectures.table import complexity
from resnet_core.attribution import METHODS, cascade_steps, default_layer
from resnet_core.attribution.compute import attribute
from resnet_core.experiments import running
from resnet_core.figures.diagram import diagram
from tests.attribution_tools import in_memory, sample
from tests.families_tools import SMALLEST, random_statistics

NETS = [*SMALLEST.values(), "ResNet-8-w4-fixup", "ResNet-8-w4-sd50-d20", "ResNeXt-11-2x4d-a", "ResNeXt-11-2x4d-b", "DenseNet-BC-10-k4"]


@pytest.fixture(scope="module", params=NETS)
def loaded(request):
    config = parse(request.param)
    return in_memory(config, random_statistics(build_model(config, 3)))


def test_it_is_evaluated_and_its_features_are_those_of_its_classifier(loaded):
    test = sample().test.part(0, 8)
    found = evaluate_detailed(loaded.model, test.images, test.labels, loaded.normalize, loaded.plan)
    with torch.no_grad():
        wrong = (loaded.model(loaded.normalize(test.images)).argmax(1) != test.labels).sum().item()
    assert (found.n, found.wrong) == (8, wrong)
    inputs = complexity(loaded.net.model).rows[-1].params // 10 - 1
    assert features(loaded, test.images).shape == (8, inputs)


def test_responses_and_gradients_are_those_of_its_layers(loaded):
    images, labels = sample().train.images[:4], sample().train.labels[:4]
    names = tuple(tap.name for tap in loaded.model.plan.taps)
    for batch_statistics in (False, True):
        found = layer_responses(loaded.model, images, loaded.normalize, loaded.plan, batch_statistics=batch_statistics)
        assert found.names == names and np.isfinite(found.std).all()
        assert found.has_addition != loaded.net.model.is_plain
    gradients = [layer_gradients(loaded.model, images, labels, loaded.normalize, loaded.plan, batch_size=4) for _ in range(2)]
    assert gradients[0].names == names and np.array_equal(
        gradients[0].gradient_norms, gradients[1].gradient_norms
    )  # chance has no part in it
    assert not loaded.model.training


@pytest.mark.parametrize("method", METHODS)
def test_it_is_explained(loaded, method):
    if method == "occlusion" and complexity(loaded.net.model).macs > 50_000_000:
        pytest.skip("hundreds of passes through a net that is not small")
    options = {"steps": 8} if method == "integrated-gradients" else {}
    found = attribute(loaded, sample().test.images[0], method, 3, **options)
    assert np.isfinite(found.map).all() and found.map.shape == (32, 32)


def test_the_cascade_reaches_all_of_its_weights(loaded):
    steps = cascade_steps(loaded.model)
    modules = [name for step in steps for name in step.modules]
    held = {name for name, _ in loaded.model.named_parameters()}
    assert {name for name in held if any(name.startswith(f"{module}.") for module in modules)} == held
    assert len(modules) == len(set(modules)) and default_layer(loaded.model) in layer_shapes(loaded.model)


def test_each_block_can_be_left_out(loaded):
    x = running.stem(loaded.model, torch.randn(2, 3, 32, 32))
    with torch.no_grad():
        for block in loaded.model.blocks():
            wanted = block(x)
            assert running.without(block, x).shape == wanted.shape
            x = wanted
        assert running.head(loaded.model, x).shape == (2, 10)


@pytest.mark.parametrize("config", presets(), ids=lambda config: config.name)
def test_it_is_drawn_and_counted(config):
    net = complexity(config)
    assert diagram(net).data
    found = [difference.net.config for difference in shortcut_differences(config)]
    assert found == [] or (config in found and [each.is_plain for each in found] == [True, False, False, False])
    if net.params < 3_000_000 and net.macs < 1_000_000_000:
        assert flop_counter(config) == 2 * net.macs
