"""One description of a net: every family's counts, names, layers and modules say the same thing."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from math import prod
from pathlib import Path

import pytest
import torch
from torch import nn

from resnet_core import architectures
from resnet_core.architectures import ImageNetConfig, ResNetConfig, parse, presets
from resnet_core.architectures.modules import Scaling
from resnet_core.architectures.net import Net, build_model
from resnet_core.architectures.table import complexity
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.errors import ConfigError

OPTIONS = [
    ResNetConfig(20 if block == "basic" else 29, shortcut, 8, block, 10, norm, activation, branch)
    for shortcut, block, norm, activation, branch in itertools.product(
        ("none", "A", "B", "C"), ("basic", "bottleneck"), ("batch", "none"), ("post", "pre"), ("plain", "rezero")
    )
    if (shortcut, branch) != ("none", "rezero")
]
SMALL = [config for config in presets() if config.depth <= 56 and complexity(config).params < 3_000_000 and config.family != "toy"]
NAMES = {"ids": lambda config: config.name}


@pytest.mark.parametrize("config", [*OPTIONS, *presets()], **NAMES)
def test_a_name_gives_the_configuration_back(config):
    assert parse(config.name) == parse(config.name.lower().replace("-", " ")) == config
    assert architectures.from_dict(json.loads(json.dumps(architectures.to_dict(config)))) == config


@pytest.mark.parametrize(
    "layers, block, classes", [((1, 2, 1, 3), "bottleneck", 1000), ((2, 2, 2, 3), "basic", 1000), ((2, 2, 2, 2), "basic", 7)]
)
def test_nets_without_a_name_of_their_own_have_one_too(layers, block, classes):
    config = ImageNetConfig(layers, block, classes)
    assert parse(config.name) == config


@pytest.mark.parametrize("config", [*OPTIONS, *presets()], **NAMES)
def test_the_description_is_that_of_the_built_net(config):
    plan = config.plan()
    with torch.device("meta"):
        model = Net(config)
    assert {name: tuple(value.shape) for name, value in model.state_dict().items()} == plan.tensors()
    parts = [placed.name for placed in plan.walk()]
    assert parts == [name for name, module in model.named_modules() if name in set(parts)]
    apart = tuple(f"{one.name}." for one in plan.auxiliary)
    on_the_path = [
        name
        for name, module in model.named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))
        and not {"shortcut", "gate"} & set(name.split("."))
        and not name.startswith(apart or "-")
    ]
    assert [tap.name for tap in plan.taps] == on_the_path[:-1] and on_the_path[-1] == plan.classifier
    assert [block.unit for block in model.blocks()] == list(plan.units)


@pytest.mark.parametrize("config", [*OPTIONS, *presets()], **NAMES)
def test_the_depth_is_the_number_of_weighted_layers(config):
    taps = len(config.plan().taps)
    if config.family == "wide_resnet":  # which counts three projections, and not the fully connected layer (28 = 1 + 24 + 3)
        assert config.depth == taps + 3
    elif config.family.startswith("googlenet"):  # on the longest way: of each of 9 modules two layers; 57 convolutions in all (torchvision)
        assert (config.depth, taps - 9 * config.family.endswith("cifar")) == (3 + 9 * 2 + 1, 57 - 2 * config.family.endswith("cifar"))
    else:
        assert config.weighted_layers == taps + 1


@pytest.mark.parametrize("config", presets(), **NAMES)
def test_a_response_has_the_filters_of_its_layer(config):
    with torch.device("meta"):
        model = Net(config)
    for _, layer, response in model.taps():
        filters = getattr(layer, "out_channels", None) or layer.out_features
        assert filters == getattr(response, "num_features", filters)


@pytest.mark.parametrize("config", presets(), **NAMES)
def test_the_maps_are_those_that_come_out(config):
    with torch.device("meta"):
        model = Net(config).eval()
        found = {}
        for name, module in model.named_modules():
            module.register_forward_hook(lambda m, args, output, name=name: found.update({name: tuple(output.shape[1:])}))
        assert model(torch.zeros(2, *config.plan().input)).shape == (2, config.num_classes)
    assert {placed.name: placed.output for placed in config.plan().walk() if placed.place != "auxiliary"}.items() <= found.items()
    assert config.plan().maps().items() <= found.items()


@pytest.mark.parametrize("config", OPTIONS, **NAMES)
def test_shapes_are_those_that_come_out(config):
    model = build_model(config).eval()
    shapes = {}
    hooks = [
        module.register_forward_hook(lambda m, args, output, name=name: shapes.update({name: tuple(output.shape[1:])}))
        for name, module in model.named_modules()
    ]
    model(torch.zeros(1, *config.plan().input))
    for hook in hooks:
        hook.remove()
    assert {placed.name: placed.output for placed in config.plan().walk()}.items() <= shapes.items()
    assert config.plan().maps().items() <= shapes.items()


@pytest.mark.parametrize("config", OPTIONS, **NAMES)
def test_every_parameter_gets_a_gradient(config):
    model = build_model(config)
    model(torch.randn(4, 3, 32, 32)).square().sum().backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert without == []


@pytest.mark.parametrize("config", SMALL, **NAMES)
def test_the_plain_twin_starts_from_the_same_weights(config):
    twin = config.twin()
    if twin is None:
        # Fixup's branches end in weights of 0, and what DenseNets join has other shapes: no plain net has such.
        assert config.is_plain or getattr(config, "branch", "") == "fixup" or config.shortcut in ("concat", "gate")
        return
    assert twin.is_plain and twin.depth == config.depth
    ours, theirs = build_model(config, 3).state_dict(), build_model(twin, 3).state_dict()
    assert theirs.keys() <= ours.keys()
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())


def test_without_bn_every_convolution_has_a_bias():
    model = build_model(ResNetConfig(20, "B", norm="none"))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert all(module.bias is not None for module in model.modules() if isinstance(module, nn.Conv2d))


def test_rezero_starts_as_the_identity():
    # He initialisation of everything else: only the scale, which is 0, makes each block do nothing to what a ReLU has passed on.
    model = build_model(ResNetConfig(20, "A", branch="rezero"))
    x = torch.rand(2, 16, 32, 32)
    assert torch.equal(model.layer1(x), x)
    assert [module.weight.item() for module in model.modules() if isinstance(module, Scaling)] == [0.0] * 9


def test_nothing_stands_on_the_skip_of_a_preactivation_net():
    """x_L = x_l + the sum of the branches (He et al. 2016b, equation 4): for inputs of any sign, where dimensions match."""
    model = build_model(ResNetConfig(20, "A", activation="pre")).eval()
    x = torch.randn(2, 16, 32, 32)
    total, at = x.clone(), x
    for block in model.layer1:
        total = total + block.branch(at)
        at = block(at)
    assert torch.equal(model.layer1(x), at)
    torch.testing.assert_close(at, total)


@pytest.mark.parametrize("shortcut", ["A", "B", "C"])
def test_preactivation_is_shared_where_dimensions_change(shortcut):
    model = build_model(ResNetConfig(20, shortcut, activation="pre")).eval()
    block, x = model.layer2[0], torch.randn(2, 16, 32, 32)
    active = torch.relu(block.bn1(x))
    branch = block.conv2(torch.relu(block.bn2(block.conv1(active))))
    torch.testing.assert_close(block(x), branch + block.shortcut(active))
    # The projection has no BN of its own; what the last block leaves is activated before it is pooled.
    assert not any(isinstance(module, nn.BatchNorm2d) for module in block.shortcut.modules())
    last = model.layer3(model.layer2(model.layer1(model.conv1(torch.ones(1, 3, 32, 32)))))
    torch.testing.assert_close(model.features(torch.ones(1, 3, 32, 32)), torch.relu(model.bn1(last)).mean((2, 3)))


def test_the_response_of_a_layer():
    """Behind its own BN; a convolution whose BN stands before it, or that has none, gives its response itself."""
    taps = {name: parse(name).plan().taps[2] for name in ("ResNet-20", "ResNet-20-preact", "ResNet-20-nobn", "ResNet-20-rezero")}
    assert {tap.name for tap in taps.values()} == {"layer1.0.conv2"}
    assert [tap.response.rpartition(".")[2] for tap in taps.values()] == ["bn2", "conv2", "conv2", "bn2"]


def test_a_plain_net_cannot_start_from_zero():
    with pytest.raises(ConfigError, match="rezero needs a shortcut"):
        ResNetConfig(20, "none", branch="rezero")


@pytest.mark.parametrize(
    "typed, message",
    [
        ("RestNet-56", "The nearest are ResNet-56"),
        ("ResNet-56-preakt", "'preakt' is no part of such a name. The nearest are ResNet-56-preact"),
        ("resnet 20 nobm w8", "'nobm' is no part of such a name. The nearest are ResNet-20-nobn-w8, "),
        ("ResNet-20-nobm-preakt", "'nobm' is no part of such a name. The nearest are ResNet-"),
        ("ResNet-56-B-C", "'c' says twice what another part of the name says"),
        ("ResNet-51-ImageNet", "depth: 51 is not that of a ResNet for ImageNet; they have 18, 34, 50, 101, 152 layers"),
        ("ResNet-20-2.2.2.2-ImageNet", "depth: 20 is not that of the blocks 2.2.2.2, which make 18 layers"),
        ("ResNet-56-w300", "width: 300 is out of range"),
        ("plain-20-rezero", "branch: rezero needs a shortcut"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest_right_ones(typed, message):
    with pytest.raises(ConfigError) as raised:
        parse(typed)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "config, fingerprint",
    [
        (RunConfig(ResNetConfig(20, "B"), DataConfig("cifar10"), Recipe(16_000)), "133368a75ec0ab94"),
        (RunConfig(), "cea163cb247f9236"),
        (RunConfig(ResNetConfig(164, "C", 32, "bottleneck"), DataConfig("sample", True), Recipe(300, seed=7)), "0e358ecdd0a0db2b"),
    ],
)
def test_a_training_of_before_there_were_families_is_still_the_same(config, fingerprint):
    assert config.fingerprint.startswith(fingerprint)
    old = config.to_dict()
    old["model"] = {name: old["model"][name] for name in ("depth", "shortcut", "width", "block", "num_classes")}
    assert RunConfig.from_dict(old) == config


@pytest.mark.parametrize("changes", [{"norm": "none"}, {"activation": "pre"}, {"branch": "rezero"}])
def test_an_option_makes_another_training(changes):
    config = RunConfig()
    assert dataclasses.replace(config, model=dataclasses.replace(config.model, **changes)).fingerprint != config.fingerprint


def test_counts_are_the_sums_of_the_tensors():
    for config in OPTIONS:
        buffers = ("running_mean", "running_var", "num_batches_tracked")
        tensors = {name: shape for name, shape in config.plan().tensors().items() if not name.endswith(buffers)}
        assert complexity(config).params == sum(map(prod, tensors.values()))


def test_the_data_decide_how_many_outputs_a_trained_net_has():
    with pytest.raises(ConfigError, match="has 1,000 outputs, and the data 10 classes"):
        RunConfig(parse("ResNet-18-ImageNet"))


def test_no_family_is_asked_for_by_its_class():
    """What differs between families stands in their descriptions: ``isinstance`` on one outside of architectures/ is in the wrong place."""
    root = Path(__file__).parent.parent
    asked = re.compile(r"isinstance\(.*(ResNetConfig|ImageNetConfig)\)")
    files = [path for folder in ("resnet_core", "pages") for path in root.glob(f"{folder}/**/*.py") if "architectures" not in path.parts]
    assert [str(path) for path in files if asked.search(path.read_text(encoding="utf-8"))] == []
