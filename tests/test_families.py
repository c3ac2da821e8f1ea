"""What makes each family: that its blocks compute what its paper says."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from resnet_core.architectures import ImageNetConfig, ResNetConfig, from_dict, parse, to_dict
from resnet_core.architectures.further_parts import LocalResponseNorm
from resnet_core.architectures.modules import SurvivingSum
from resnet_core.architectures.net import build_model
from resnet_core.architectures.resnext import ResNeXtConfig
from resnet_core.architectures.resnext_forms import reform
from resnet_core.architectures.table import complexity
from resnet_core.config import RunConfig
from resnet_core.errors import ConfigError
from tests.families_tools import random_statistics

# -- ResNets ---------------------------------------------------------------------------------------------------------------


def test_a_file_of_before_there_was_a_stride_means_torchvisions():
    old = {"family": "resnet_imagenet", "layers": [3, 4, 6, 3], "block": "bottleneck", "num_classes": 1000, "width": 64}
    assert from_dict(old) == parse("ResNet-50-ImageNet-v1.5") != parse("ResNet-50-ImageNet")
    assert from_dict({**old, "family": "imagenet", "layers": [2, 2, 2, 2], "block": "basic"}) == parse("ResNet-18-ImageNet")
    assert from_dict(to_dict(parse("ResNet-50-ImageNet"))) == parse("ResNet-50-ImageNet")
    # What such a training was called by has not changed; the paper's net is another training.
    assert from_dict(old).identity() == {"family": "resnet_imagenet", "layers": (3, 4, 6, 3), "block": "bottleneck"}
    assert parse("ResNet-50-ImageNet").identity() == {**from_dict(old).identity(), "stride": "1x1"}


def test_where_the_stride_is():
    for name, strides in (("ResNet-50-w1-ImageNet", (2, 1)), ("ResNet-50-w1-ImageNet-v1.5", (1, 2)), ("ResNet-50-w1-CIFAR", (1, 2))):
        block = build_model(parse(name)).layer2[0]
        assert (block.conv1.stride[0], block.conv2.stride[0]) == strides
    with pytest.raises(ConfigError, match="this net has basic blocks"):
        ImageNetConfig(stride="3x3")


@pytest.mark.parametrize("branch", ["rezero", "fixup"])
@pytest.mark.parametrize("shortcut", ["A", "B"])
@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_every_block_starts_as_the_identity(branch, shortcut, block):
    model = build_model(ResNetConfig(20, shortcut, 8, block, norm="none", branch=branch))
    for one in model.blocks():
        if not one.unit.dimensions_change:
            x = torch.rand(2, one.output[0], 8, 8)
            assert torch.equal(one(x), x)


def test_fixup_starts_with_equal_logits_and_smaller_weights():
    """Zhang et al. 2019: the classifier and the last layer of each branch are 0, the others L^(-1 / (2m - 2)) times He's."""
    for block, m in (("basic", 2), ("bottleneck", 3)):
        model = build_model(ResNetConfig(56, "A", block=block, norm="none", branch="fixup"))
        assert not model(torch.randn(2, 3, 32, 32)).any()
        one = model.layer3[2]
        expected = (2 / one.conv1.weight[0].numel()) ** 0.5 * len(model.blocks()) ** (-1 / (2 * m - 2))
        assert one.conv1.weight.std().item() == pytest.approx(expected, rel=0.05)
        assert not getattr(one, f"conv{m}").weight.any() and all(
            module.bias is None for module in model.modules() if hasattr(module, "groups")
        )


def test_skipinit_is_rezero_without_bn():
    assert parse("ResNet-56-skipinit") == parse("ResNet-56-nobn-rezero")
    assert parse("ResNet-56-fixup").name == "ResNet-56-nobn-fixup"


def test_survival_falls_linearly_and_is_expected_after_training():
    """p_l = 1 - (l / L)(1 - p_L) for l = 1, ..., L (Huang et al. 2016, equation 4)."""
    model = build_model(parse("ResNet-20-sd50"))
    joins = [module for module in model.modules() if isinstance(module, SurvivingSum)]
    assert [join.survival for join in joins] == pytest.approx([1 - number / 9 / 2 for number in range(1, 10)])
    assert sum(join.survival for join in joins) == pytest.approx((3 * 9 - 1) / 4)
    block, x = model.layer3[2], torch.rand(4, 64, 8, 8)
    branch = block.branch(x)
    outputs = [block(x) for _ in range(40)]
    seen = {tuple(torch.allclose(output, torch.relu(x + there * branch)) for there in (0, 1)) for output in outputs}
    assert seen == {(True, False), (False, True)}  # all images of a batch with the branch, or all without
    block.eval()
    torch.testing.assert_close(block(x), torch.relu(0.5 * block.branch(x) + x))
    with pytest.raises(ConfigError, match="stochastic depth needs shortcuts"):
        parse("plain-20-sd50")


@pytest.mark.parametrize(
    ("token", "variance"), [("", lambda i, o: 2 / i), ("-xavier", lambda i, o: 2 / (i + o)), ("-n0.01", lambda i, o: 1e-4)]
)
def test_initialisations(token, variance):
    model = build_model(parse(f"ResNet-20-w64{token}-tanh"))
    weights = [model.layer2[1].conv1.weight, model.layer3[0].conv1.weight]
    for weight in [*weights, *([model.fc.weight] if token else [])]:
        inputs, outputs = weight[0].numel(), weight.shape[0] * weight[0, 0].numel()
        assert weight.std().item() == pytest.approx(variance(inputs, outputs) ** 0.5, rel=0.05)
    kinds = {type(module) for module in model.modules()}
    assert nn.Tanh in kinds and nn.ReLU not in kinds


# -- Wide ResNets and ResNeXt -------------------------------------------------------------------------------------------------


def test_a_wide_block():
    block = random_statistics(build_model(parse("WRN-10-2-d30"))).layer2[0].eval()
    x = torch.randn(2, 32, 16, 16)
    active = torch.relu(block.bn1(x))
    torch.testing.assert_close(block(x), block.conv2(torch.relu(block.bn2(block.conv1(active)))) + block.shortcut.conv(active))
    block.train()
    assert not torch.equal(block(x), block(x)) and block.dropout.p == 0.3


@pytest.mark.parametrize("training", [False, True])
def test_the_three_forms_of_a_resnext_compute_the_same(training):
    config = ResNeXtConfig(11, 4, 8)
    grouped = random_statistics(build_model(config, 3)).double()
    x = torch.randn(4, 3, 32, 32, dtype=torch.float64)
    wanted = grouped.train(training)(x)
    wanted.square().sum().backward()
    for form in ("a", "b"):
        other = dataclasses.replace(config, form=form)
        tensors = reform(grouped.state_dict(), config, form)
        model = build_model(other, 5).double()
        model.load_state_dict(tensors)
        found = model.train(training)(x)
        torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-11)
        found.square().sum().backward()
        gradients = {name: parameter.grad for name, parameter in model.named_parameters()} | dict(model.named_buffers())
        together = reform(gradients, other, "c")
        for name, parameter in grouped.named_parameters():
            torch.testing.assert_close(together[name], parameter.grad, rtol=1e-8, atol=1e-8)
        again = reform(tensors, other, "c")
        assert again.keys() == grouped.state_dict().keys()


@pytest.mark.parametrize(
    ("plain", "dropped"),
    [
        ("ResNet-20", "ResNet-20-d50"),
        ("plain-20-nobn", "plain-20-nobn-d50"),
        ("ResNet-18-CIFAR", "ResNet-18-d50-CIFAR"),
        ("ResNet-50-ImageNet-v1.5", "ResNet-50-d50-ImageNet-v1.5"),
        ("ResNeXt-50-32x4d", "ResNeXt-50-32x4d-d50"),
        ("WRN-50-2", "WRN-50-2-d50"),
    ],
)
def test_dropout_before_the_classifier_changes_nothing_else(plain, dropped):
    one, other = parse(plain), parse(dropped)
    assert (other.name, other.dropout) == (dropped, 50) and dataclasses.replace(other, dropout=0) == one
    counts = [complexity(config, config.plan().input[1]) for config in (one, other)]
    assert (counts[0].params, counts[0].macs) == (counts[1].params, counts[1].macs)
    assert [part.name for part in other.plan().head if part not in one.plan().head] == ["dropout"]
    assert other.plan().head[-2].percent == 50 and other.plan().is_random and not one.plan().is_random


def test_dropout_and_survival_make_another_training():
    config = RunConfig()
    for name in ("ResNet-20-d50", "ResNet-20-sd50", "ResNet-20-tanh", "ResNet-20-xavier"):
        assert dataclasses.replace(config, model=parse(name)).fingerprint != config.fingerprint


# -- DenseNets and Highway nets ---------------------------------------------------------------------------------------------------------


def test_a_dense_layer_reads_all_before_it():
    """x_l = H_l([x_0, x_1, ..., x_(l-1)]) (Huang et al. 2017, equation 2)."""
    model = random_statistics(build_model(parse("DenseNet-13-k4"))).eval()
    x = torch.randn(2, 16, 32, 32)
    outputs = [x]
    for layer in list(model.layer1)[:3]:
        outputs.append(layer.conv1(torch.relu(layer.bn1(torch.cat(outputs, 1)))))
    found = x
    for layer in list(model.layer1)[:3]:
        found = layer(found)
    torch.testing.assert_close(found, torch.cat(outputs, 1))
    transition = model.layer1[3]
    wanted = nn.functional.avg_pool2d(transition.conv(torch.relu(transition.bn(found))), 2)
    torch.testing.assert_close(transition(found), wanted)


def test_a_dense_bottleneck_and_its_compression():
    model = build_model(parse("DenseNet-BC-16-k4"))
    layer = model.layer1[0]
    assert [(m.in_channels, m.out_channels, m.kernel_size[0]) for m in (layer.conv1, layer.conv2)] == [(8, 16, 1), (16, 4, 3)]
    assert (model.layer1[2].conv.in_channels, model.layer1[2].conv.out_channels) == (16, 8)
    assert parse("DenseNet-121-k32-ImageNet") == parse("DenseNet-121") != parse("DenseNet-121-k24-ImageNet")
    assert parse("DenseNet-121-k12").family == "densenet"  # 117 is a multiple of 3: a net for CIFAR, which always names its growth rate


@pytest.mark.parametrize("bias", [1, 4])
def test_a_highway_block_mixes_branch_and_skip_by_its_gate(bias):
    """y = H(x) T(x) + x (1 - T(x)) (Srivastava et al. 2015, equation 3)."""
    model = random_statistics(build_model(parse(f"Highway-8-b{bias}"), 3)).eval()
    for block, x in ((model.layer1[0], torch.rand(2, 16, 8, 8)), (model.layer2[0], torch.rand(2, 16, 8, 8))):
        conv = block.gate.conv
        assert torch.equal(conv.bias, torch.full_like(conv.bias, -bias))
        gate = torch.sigmoid(conv(x))
        torch.testing.assert_close(block(x), torch.relu(block.branch(x) * gate + block.shortcut(x) * (1 - gate)))
        with torch.no_grad():
            conv.weight.zero_()
            conv.bias.fill_(-200)
            assert torch.equal(block(x), block.shortcut(x))  # closed: the input goes on, as through an option A shortcut
            conv.bias.fill_(200)
            assert torch.equal(block(x), torch.relu(block.branch(x)))  # open: the plain net


def test_only_the_join_differs_from_plain_and_residual():
    nets = {name: build_model(parse(name), 5).state_dict() for name in ("plain-20", "ResNet-20", "Highway-20")}
    for name, tensor in nets["plain-20"].items():
        assert torch.equal(tensor, nets["ResNet-20"][name]) and torch.equal(tensor, nets["Highway-20"][name])
    assert all(".gate.conv." in name for name in nets["Highway-20"].keys() - nets["plain-20"].keys())
    assert (parse("Highway-20").twin(), parse("Highway-20").kin, parse("ResNet-20").kin) == (parse("plain-20"), "plain", "plain")


def test_the_19_layer_highway_net():
    model = build_model(parse("Highway-19")).eval()
    gated = [block for block in model.blocks() if block.gate is not None]
    assert len(gated) == 4 + 5 + 5 and len(model.blocks()) == 14 + 2
    block, x = model.layer1[0], torch.rand(2, 32, 32, 32)
    gate = torch.sigmoid(block.gate.conv(x))
    torch.testing.assert_close(block(x), torch.relu(block.conv(x)) * gate + x * (1 - gate))
    assert [tuple(model.layer2(model.layer1(x)).shape), tuple(model.features(torch.rand(2, 3, 32, 32)).shape)] == [(2, 80, 8, 8), (2, 100)]
    # Where the maps are halved the gate comes first: its output has the size of the branch's.
    last = model.layer1[3]
    assert last(x).shape == (2, 32, 16, 16)


# -- AlexNet, VGG, GoogLeNet ------------------------------------------------------------------------------------------------------------


def test_local_response_normalisation_is_the_papers_formula():
    """b_i = a_i / (k + alpha sum_(j = i - n/2)^(i + n/2) a_j^2)^beta (Krizhevsky et al. 2012, section 3.3)."""
    part = LocalResponseNorm("lrn")
    a = 20 * torch.randn(2, 7, 3, 3, dtype=torch.float64)
    wanted = torch.empty_like(a)
    for i in range(7):
        squares = a[:, max(0, i - 2) : min(7, i + 3)].square().sum(1)
        wanted[:, i] = a[:, i] / (2 + 1e-4 * squares) ** 0.75
    torch.testing.assert_close(part.module((7, 3, 3))(a), wanted, rtol=1e-12, atol=1e-12)


def test_the_two_towers_meet_in_the_third_convolution():
    model = build_model(parse("AlexNet-CIFAR-nolrn-d0"), 1).eval()
    x = torch.rand(1, 48, 15, 15)
    changed = x.clone()
    changed[:, :24] += 1
    with torch.no_grad():
        a, b = model.layer1(x), model.layer1(changed)
        assert not torch.equal(a[:, :64], b[:, :64]) and torch.equal(a[:, 64:], b[:, 64:])
        a, b = (model.layer2[0](each) for each in (a, b))
        assert not torch.equal(a[:, 96:], b[:, 96:])


def test_alexnets_own_initialisation():
    model = build_model(parse("AlexNet-CIFAR-n0.01"))
    biases = {name: set(tensor.tolist()) for name, tensor in model.named_parameters() if name.endswith("bias")}
    ones = {"layer1.0.conv.bias", "layer2.1.conv.bias", "layer2.2.conv.bias", "fc6.bias", "fc7.bias"}
    assert {name for name, values in biases.items() if values == {1.0}} == ones
    assert {name for name, values in biases.items() if values == {0.0}} == biases.keys() - ones
    assert model.fc6.weight.std().item() == pytest.approx(0.01, rel=0.02)


def test_the_maps_of_alexnet():
    """55, 27, 13, 13, 13 pixels (Krizhevsky et al. 2012, section 3.5), and 6 before the fully connected layers; with plain pooling too."""
    for name in ("AlexNet", "AlexNet-pool2", "AlexNet-torchvision"):
        plan = parse(name).plan()
        convolutions = [placed.output[1] for placed in plan.walk() if placed.part.kind == "conv"]
        assert (convolutions, list(plan.maps().values())[-1][1]) == ([55, 27, 13, 13, 13], 6)


def test_names_without_a_number():
    assert (parse("alexnet").name, parse("GoogLeNet cifar").name) == ("AlexNet", "GoogLeNet-CIFAR")
    assert parse("AlexNet-Figure1-tanh").nonlinearity == "tanh"
    with pytest.raises(ConfigError, match="'resnet' does not name a net"):
        parse("resnet")
    with pytest.raises(ConfigError, match="'56' is no part of such a name"):
        parse("GoogLeNet-56")
    with pytest.raises(ConfigError, match="torchvision's AlexNet has one tower"):
        dataclasses.replace(parse("AlexNet-torchvision"), lrn="yes")
    with pytest.raises(ConfigError, match="12 is not that of a VGG net; they have 11, 13, 16, 19 layers"):
        parse("VGG-12")


def test_a_module_of_googlenet():
    model = random_statistics(build_model(parse("GoogLeNet-CIFAR"))).eval()
    module, x = model.layer1[0].module, torch.rand(1, 192, 6, 6)

    def through(row, *numbers):
        y = nn.functional.max_pool2d(x, 3, 1, 1) if hasattr(row, "pool") else x
        for number in numbers:
            y = torch.relu(getattr(row, f"bn{number}")(getattr(row, f"conv{number}")(y)))
        return y

    rows = (module.branch1, [""]), (module.branch2, [1, 2]), (module.branch3, [1, 2, 3]), (module.branch4, [""])
    torch.testing.assert_close(module(x), torch.cat([through(row, *numbers) for row, numbers in rows], 1))
    assert [through(row, *numbers).shape[1] for row, numbers in rows] == [64, 128, 32, 32]
