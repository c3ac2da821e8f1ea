"""The ImageNet ResNets compute what torchvision's do, and show their parts as the CIFAR nets show theirs."""

import pytest
import torch
import torchvision
from torch import nn

from resnet_core.architectures import ImageNetConfig, ResNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.errors import ConfigError

LAYERS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def config(depth, num_classes=1000):
    block, stride = ("basic", "1x1") if depth < 50 else ("bottleneck", "3x3")
    return ImageNetConfig(LAYERS[depth], block, num_classes, stride=stride)


def random_torchvision(depth, num_classes=1000):
    """torchvision's net with random weights and BN statistics that are not the initial ones: each of them must arrive."""
    torch.manual_seed(depth)
    theirs = torchvision.models.get_model(f"resnet{depth}", num_classes=num_classes).eval()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return theirs


def ours_from(theirs, model):
    renamed = {k.replace("downsample.0", "shortcut.conv").replace("downsample.1", "shortcut.bn"): v for k, v in theirs.state_dict().items()}
    model.load_state_dict(renamed, strict=True)
    return model.eval()


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("side", [32, 64])
def test_logits_are_torchvisions(depth, side):
    theirs = random_torchvision(depth, 17)
    ours = ours_from(theirs, build_model(config(depth, 17)))
    x = torch.randn(3, 3, side, side)
    with torch.no_grad():
        assert torch.equal(ours(x), theirs(x))
        assert torch.equal(ours.fc(ours.features(x)), ours(x))


@pytest.mark.parametrize("depth", LAYERS)
def test_depth_name_and_parts(depth):
    model_config = config(depth)
    assert (model_config.depth, model_config.name) == (depth, f"ResNet-{depth}-ImageNet{'-v1.5' * (depth >= 50)}")
    assert (model_config.shortcut, model_config.is_plain) == ("B", False)
    with torch.device("meta"):
        from resnet_core.architectures.net import Net

        model, theirs = Net(model_config), torchvision.models.get_model(f"resnet{depth}")
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in theirs.parameters())
    layers = model.taps()
    assert len(layers) == depth - 1
    assert layers[0][0] == "conv1" and layers[-1][0] == f"layer4.{LAYERS[depth][3] - 1}.conv{2 if depth < 50 else 3}"
    assert all(conv.out_channels == bn.num_features for _, conv, bn in layers)
    blocks = model.blocks()
    assert len(blocks) == sum(LAYERS[depth])
    for block in blocks:
        assert [type(module) for module in block.shortcut.children()] == [nn.Conv2d, nn.BatchNorm2d] * block.unit.dimensions_change


def test_no_relu_is_used_twice_and_none_is_in_place():
    model = build_model(config(18, 10))
    calls = []
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            assert not module.inplace
            module.register_forward_hook(lambda m, args, out: calls.append(m))
    model(torch.randn(2, 3, 32, 32))
    assert len(calls) == len(set(calls)) == 17


def test_cifar_nets_are_built_as_before():
    assert build_model(ResNetConfig(8, "A")).conv1.kernel_size == (3, 3)
    assert build_model(ResNetConfig(20, "B", block="bottleneck")).layer2[0].conv1.stride == (2, 2)


@pytest.mark.parametrize(
    "fields, named",
    [
        ({"layers": (2, 2, 2)}, "layers"),
        ({"layers": [2, 2, 2, 2]}, "layers"),
        ({"layers": (2, 0, 2, 2)}, "layers"),
        ({"block": "wide"}, "block"),
        ({"num_classes": 1001}, "num_classes"),
        ({"width": 0}, "width"),
    ],
)
def test_a_wrong_field_is_named(fields, named):
    with pytest.raises(ConfigError) as caught:
        ImageNetConfig(**fields)
    assert caught.value.field == named
