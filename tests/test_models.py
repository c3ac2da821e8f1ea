"""The nets of section 4.2: counts, shapes, shortcuts, initialisation. A failing parameter is named."""

import pytest
import torch
from torch import nn

from resnet_core.architectures import ResNetConfig
from resnet_core.architectures.modules import ZeroPadding
from resnet_core.architectures.net import build_model

# shared PAPER: arithmetic, checked against two public implementations.
GOLDEN_PARAMS = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962, 1202: 19_421_274}
VARIANTS = [
    ResNetConfig(depth, shortcut, width=width, block=block)
    for depth, block in ((8, "basic"), (20, "basic"), (11, "bottleneck"), (20, "bottleneck"))
    for shortcut in ("none", "A", "B", "C")
    for width in (4, 16)
]


def ids(config):
    return f"{config.name}-{config.block}"


def parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("depth", GOLDEN_PARAMS)
@pytest.mark.parametrize("shortcut, extra", [("none", 0), ("A", 0), ("B", 2_752)])
def test_parameter_counts_are_the_published_ones(depth, shortcut, extra):
    with torch.device("meta"):
        from resnet_core.architectures.net import Net

        model = Net(ResNetConfig(depth, shortcut))
    assert parameters(model) == GOLDEN_PARAMS[depth] + extra


@pytest.mark.parametrize("config", VARIANTS, ids=ids)
def test_every_parameter_gets_a_gradient(config):
    model = build_model(config)
    out = model(torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert out.shape == (4, 10)
    nn.functional.cross_entropy(out, torch.tensor([0, 1, 2, 3])).backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not without


@pytest.mark.parametrize("config", VARIANTS, ids=ids)
def test_depth_is_the_number_of_weighted_layers_of_the_main_path(config):
    layers = build_model(config).taps()
    assert len(layers) + 1 == config.depth  # and the fully connected one
    assert all(conv.out_channels == bn.num_features for _, conv, bn in layers)


def test_stages_have_the_papers_maps_and_filters():
    model = build_model(ResNetConfig(20, "A"))
    x = torch.randn(2, 3, 32, 32)
    for stage, shape in ((model.layer1, (16, 32, 32)), (model.layer2, (32, 16, 16)), (model.layer3, (64, 8, 8))):
        x = stage(x if x.shape[1] > 3 else model.relu(model.bn1(model.conv1(x))))
        assert x.shape == (2, *shape)


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("shortcut", ["none", "A", "B", "C"])
def test_where_the_shortcuts_are(shortcut, block):
    model = build_model(ResNetConfig(20, shortcut, block=block))
    projection = [nn.Conv2d, nn.BatchNorm2d]
    for b in model.blocks():
        changes = b.unit.dimensions_change
        kinds = {"none": None, "A": [ZeroPadding] if changes else [], "B": projection if changes else [], "C": projection}
        assert (b.shortcut and [type(module) for module in b.shortcut.children()]) == kinds[shortcut]
        assert b.unit.join.name == ("none" if shortcut == "none" else "add")


def test_option_a_subsamples_and_pads_with_zeros():
    x = torch.arange(2 * 3 * 4 * 4, dtype=torch.float32).reshape(2, 3, 4, 4)
    y = ZeroPadding(2, stride=2)(x)
    assert torch.equal(y[:, :3], x[:, :, ::2, ::2])
    assert y.shape == (2, 5, 2, 2) and not y[:, 3:].any()


def test_a_residual_block_is_its_branch_plus_its_input():
    model = build_model(ResNetConfig(8, "A")).eval()
    x = torch.randn(2, 16, 32, 32)
    block = model.layer1[0]
    assert torch.equal(block(x), torch.relu(block.branch(x) + x))
    plain = build_model(ResNetConfig(8, "none")).eval().layer1[0]
    assert torch.equal(plain(x), torch.relu(plain.branch(x)))


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("shortcut", ["A", "B", "C"])
def test_twins_of_one_seed_start_from_the_same_weights(shortcut, block):
    plain = build_model(ResNetConfig(20, "none", block=block), seed=3).state_dict()
    residual = build_model(ResNetConfig(20, shortcut, block=block), seed=3).state_dict()
    assert [name for name, t in plain.items() if not torch.equal(t, residual[name])] == []
    assert all(".shortcut." in name for name in residual.keys() - plain.keys())


def test_seeds_differ():
    a, b = (build_model(ResNetConfig(8), seed=s).conv1.weight for s in (0, 1))
    assert not torch.equal(a, b)


def test_he_initialisation():
    model = build_model(ResNetConfig(20, "B", width=64))
    for name, conv, bn in model.taps():
        expected = (2 / conv.weight[0].numel()) ** 0.5
        assert conv.weight.std().item() == pytest.approx(expected, rel=0.1), name
        assert torch.equal(bn.weight, torch.ones_like(bn.weight)) and not bn.bias.any()
    assert not model.fc.bias.any()
