"""The experiments: each is whole, computes what its source defines, leaves the net as it was, and says no more than its numbers."""

from __future__ import annotations

import copy
import dataclasses
import json

import numpy as np
import pytest
import torch

from resnet_core import language
from resnet_core.architectures import ResNetConfig, parse
from resnet_core.architectures.net import build_model
from resnet_core.config import DataConfig
from resnet_core.errors import ConfigError, Stopped
from resnet_core.experiments import EXPERIMENTS, Measured, find_experiment, running
from resnet_core.experiments.base import shown
from resnet_core.language import tr
from resnet_core.nets import find
from resnet_core.nets.loading import load
from tests.chinese import english, texts_of
from tests.experiments_tools import NAMES, OTHERS, images, loaded, measured, values
from tests.nets_tools import write_checkpoint

__all__ = ["images"]


@pytest.mark.parametrize("key", EXPERIMENTS)
def test_each_is_whole(key, images, monkeypatch):
    names = OTHERS.get(key, NAMES)
    experiment, nets = EXPERIMENTS[key], [loaded(name) for name in names]
    assert (
        experiment.key == key and experiment.question.endswith("?") and experiment.method.endswith(".") and experiment.limits.endswith(".")
    )
    before = [{name: value.clone() for name, value in one.model.state_dict().items()} for one in nets]
    results = measured(key, images, *nets)
    for one, weights in zip(nets, before, strict=True):
        assert not one.model.training and all(torch.equal(value, weights[name]) for name, value in one.model.state_dict().items())
        assert not any(module._forward_hooks or module._backward_hooks for module in one.model.modules())
    for each in results:
        assert json.loads(json.dumps(each.result.to_dict(), allow_nan=False))
    module = experiment.functions
    table = module.table(results)
    assert table.rows and {len(row) for row in table.rows} == {len(table.head)}
    assert all(shown(cell) for row in table.rows for cell in row)
    for dark in (False, True):
        assert module.figure(results, dark).data
    finding = module.finding(results)
    assert finding.endswith(".") and all(name in finding for name in names)
    monkeypatch.setattr(language, "current", lambda: "zh")
    table = module.table(results)
    said = [tr(text) for text in (experiment.title, experiment.question, experiment.method, experiment.limits)]
    said += [*map(tr, table.head), *(shown(cell) for row in table.rows for cell in row), module.finding(results)]
    assert english([*said, *texts_of(module.figure(results))]) == []
    usual = parse({"gates": "Highway-20", "reuse": "DenseNet-40-k12"}.get(key, "ResNet-20"))
    assert not experiment.refusal(usual) and experiment.macs(usual, values(key, usual)) > (1e5 if key == "filters" else 1e6)


@pytest.mark.parametrize("key", EXPERIMENTS)
def test_each_tells_how_far_it_is_and_stops(key, images):
    one, seen = loaded(OTHERS.get(key, NAMES)[0]), []
    module = EXPERIMENTS[key].functions
    module.measure(one, images, values(key, one.model.config), lambda done, total: seen.append((done, total)), lambda: False)
    assert seen and seen[-1][0] == seen[-1][1] and seen == sorted(seen)
    with pytest.raises(Stopped):
        module.measure(one, images, values(key, one.model.config), None, lambda: True)
    assert not one.model.training


def test_a_key_or_a_parameter_that_is_none_names_the_right_ones():
    with pytest.raises(ConfigError, match="Is it lesions"):
        find_experiment("lesion")
    with pytest.raises(ConfigError, match=r"it has images"):
        EXPERIMENTS["lesions"].complete({"pictures": 3}, ResNetConfig(8))
    with pytest.raises(ConfigError, match="100 to 10,000"):
        EXPERIMENTS["lesions"].complete({"images": 3}, ResNetConfig(8))


def test_it_is_run_with_a_net_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path))
    write_checkpoint(tmp_path, "tiny", ResNetConfig(8, "A", 4))
    from resnet_core.experiments import run

    found = run(EXPERIMENTS["lesions"], find("tiny"), DataConfig(), {"images": 100})
    assert found.key == "tiny" and found.result.n == 100 and load(find("tiny"))


# -- lesions --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ResNet-8-w4", "ResNet-8-B-w4", "ResNet-8-preact-w4", "ResNet-11-bottleneck-w4"])
def test_a_deleted_block_is_one_whose_branch_is_zero(name, images):
    one = loaded(name)
    (found,) = measured("lesions", images, one)
    test = images.test.part(0, 100)
    for i, block in enumerate(one.model.blocks()):
        other = copy.deepcopy(one.model)
        zeroed = other.blocks()[i]
        last = [part.name for part in block.unit.branch if part.kind in ("conv", "bn")][-1]
        module = zeroed.get_submodule(last)
        torch.nn.init.zeros_(module.weight)
        if module.bias is not None:
            torch.nn.init.zeros_(module.bias)
        with torch.no_grad():
            wrong = int((other(one.normalize(test.images)).argmax(1) != test.labels).sum())
        assert wrong == found.result.wrong[i]
    assert found.result.whole == int((one.logits(test.images).argmax(1) != test.labels).sum())


@pytest.mark.parametrize("name", ["Highway-20-w4", "DenseNet-40-k4", "WRN-16-1", "VGG-11-CIFAR", "AlexNet-CIFAR", "ResNet-18-CIFAR-w4"])
def test_each_experiment_is_made_with_nets_of_other_families_or_says_why_not(name, images):
    one = loaded(name)
    few = dataclasses.replace(images, train=images.train.part(0, 100), test=images.test.part(0, 20))
    for key, experiment in EXPERIMENTS.items():
        if why := experiment.refusal(one.model.config):
            assert why.endswith(".") and key in ("ledger", "paths", "gates", "construction", "shuffles", "reuse")
        else:
            (found,) = measured(key, few, one)
            assert found.result.to_dict() and not one.model.training


def test_a_plain_block_gives_way_to_the_identity():
    net = build_model(parse("plain-8-w4")).eval()
    x = torch.rand(2, 4, 32, 32)
    first, second, _ = net.blocks()
    assert torch.equal(running.without(first, x), x)  # x is not negative, so the ReLU behind it does nothing
    smaller = running.without(second, x)
    assert smaller.shape == (2, 8, 16, 16) and torch.equal(smaller[:, :4], x[:, :, ::2, ::2]) and not smaller[:, 4:].any()


def test_the_parts_of_a_net_are_the_net():
    net = build_model(parse("ResNet-8-preact-w4")).eval()
    x = torch.randn(2, 3, 32, 32)
    *before, last = running.inputs(net, x)
    assert len(before) == 3 and torch.equal(running.head(net, last), net(x))
    assert torch.equal(running.through(net.blocks(), running.stem(net, x)), last)


def test_what_the_lesions_say():
    from resnet_core.experiments.lesions import Lesions, finding, table

    found = Lesions(("layer1.0", "layer2.0"), np.array([False, True]), np.array([12, 40]), 10, 100)
    each = Measured("a", "ResNet-8", ResNetConfig(8), found)
    assert found.increase.tolist() == [2.0, 30.0]
    assert table([each]).rows == (("ResNet-8", 10.0, 16.0, 30.0, "layer2.0"),)
    assert finding([each]) == (
        "Error that the deletion of one block adds, on 100 test images: ResNet-8: 16.0 points in the median, 30.0 at most."
    )
