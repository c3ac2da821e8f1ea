"""Recognition from keys and shapes: every layout, depth and option; and what is refused, with the keys that are wrong."""

import subprocess
import sys

import pytest
import torch
import torchvision

from resnet_core.architectures import ImageNetConfig, ModelConfig, ResNetConfig
from resnet_core.architectures.net import Net
from resnet_core.imports import ImportRefused
from resnet_core.imports.recognition import recognize
from tests.imports_nets import Akamaster, Chenyaofo, shapes

DEPTHS = [8, 20, 32, 44, 56, 110]


def meta(make, *args, **kwargs):
    """Keys and shapes of a net, without its weights."""
    with torch.device("meta"):
        return shapes(Net(make) if isinstance(make, ModelConfig) else make(*args, **kwargs))


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("shortcut", ["none", "A", "B", "C"])
def test_our_own_layout(depth, shortcut):
    config = ResNetConfig(depth, shortcut)
    given = meta(config)
    found = recognize(given)
    assert found.layout == "resnet-lab"
    assert found.shortcuts == (("A-behind", "A-both", "none") if shortcut in ("none", "A") else (shortcut,))
    assert found.model == ResNetConfig(depth, found.shortcuts[0][0])
    assert found.keys == {key: key for key in given if not key.endswith("num_batches_tracked")}


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("option", ["none", "A", "B", "C"])
def test_akamasters_layout(depth, option):
    found = recognize(meta(Akamaster, depth, option))
    assert found.layout == "akamaster"
    assert found.shortcuts == (("A-both", "A-behind", "none") if option in ("none", "A") else (option,))
    assert found.model == ResNetConfig(depth, found.shortcuts[0][0])
    assert found.keys["linear.weight"] == "fc.weight"
    if option == "B":
        assert found.keys["layer2.0.shortcut.0.weight"] == "layer2.0.shortcut.conv.weight"
        assert found.keys["layer3.0.shortcut.1.running_var"] == "layer3.0.shortcut.bn.running_var"


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("num_classes", [10, 100])
def test_chenyaofos_layout(depth, num_classes):
    found = recognize(meta(Chenyaofo, depth, num_classes))
    assert (found.layout, found.shortcuts) == ("chenyaofo", ("B",))
    assert found.model == ResNetConfig(depth, "B", num_classes=num_classes)
    assert found.keys["layer2.0.downsample.1.weight"] == "layer2.0.shortcut.bn.weight"


@pytest.mark.parametrize(
    "name, layers, block, depth",
    [
        ("resnet18", (2, 2, 2, 2), "basic", 18),
        ("resnet34", (3, 4, 6, 3), "basic", 34),
        ("resnet50", (3, 4, 6, 3), "bottleneck", 50),
        ("resnet101", (3, 4, 23, 3), "bottleneck", 101),
        ("resnet152", (3, 8, 36, 3), "bottleneck", 152),
    ],
)
@pytest.mark.parametrize("num_classes", [1000, 10])
def test_torchvisions_layout(name, layers, block, depth, num_classes):
    found = recognize(meta(torchvision.models.get_model, name, num_classes=num_classes))
    assert (found.layout, found.shortcuts) == ("torchvision", ("B",))
    assert found.model == ImageNetConfig(layers, block, num_classes, stride="3x3" if block == "bottleneck" else "1x1")
    assert found.model.depth == depth
    ours = meta(found.model)
    assert set(found.keys.values()) == {key for key in ours if not key.endswith("num_batches_tracked")}


@pytest.mark.parametrize(
    "config", [ImageNetConfig(num_classes=10), ImageNetConfig((3, 4, 6, 3), "bottleneck", width=8, stride="3x3")], ids=str
)
def test_an_imagenet_resnet_of_our_own_layout(config):
    """What was imported from torchvision and exported here."""
    found = recognize(meta(config))
    assert (found.layout, found.model, found.shortcuts) == ("resnet-lab", config, ("B",))
    assert all(key == ours for key, ours in found.keys.items())


def test_an_imagenet_net_without_projections_has_option_a_or_no_shortcuts():
    given = {key: shape for key, shape in meta(torchvision.models.get_model, "resnet18").items() if "downsample" not in key}
    assert recognize(given).shortcuts == ("A-behind", "none")


@pytest.mark.parametrize("width", [1, 4, 7, 32, 160])
def test_width_is_that_of_the_first_convolution(width):
    assert recognize(meta(ResNetConfig(8, "B", width=width))).model.width == width
    assert recognize(meta(Chenyaofo, 8, width=width)).model.width == width


def test_bottlenecks_of_our_own():
    for shortcut in ("none", "A", "B", "C"):
        config = ResNetConfig(20, shortcut, block="bottleneck", num_classes=7)
        found = recognize(meta(config))
        assert (found.model.depth, found.model.block, found.model.num_classes) == (20, "bottleneck", 7)
        assert found.shortcuts == (("A-behind", "none") if shortcut in ("none", "A") else (shortcut,))


def test_where_every_block_changes_the_dimensions_options_b_and_c_are_one_net():
    for shortcut in ("B", "C"):
        found = recognize(meta(ResNetConfig(11, shortcut, block="bottleneck")))
        assert (found.model, found.shortcuts) == (ResNetConfig(11, "B", block="bottleneck"), ("B", "C"))
    config = ImageNetConfig((1, 1, 1, 1), "bottleneck", stride="3x3")
    assert recognize(meta(config)).model == config


def test_padding_on_both_sides_needs_an_even_width():
    given = {
        ("linear" + key.removeprefix("fc") if key.startswith("fc") else key): s for key, s in meta(ResNetConfig(8, "A", width=5)).items()
    }
    assert recognize(given).shortcuts == ("A-behind", "none")


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod.", "module.module."])
def test_prefixes_are_removed_and_told(prefix):
    given = {prefix + key: shape for key, shape in meta(Chenyaofo, 8).items()}
    found = recognize(given)
    assert found.model == ResNetConfig(8, "B")
    assert found.keys[f"{prefix}conv1.weight"] == "conv1.weight"
    assert any(repr(prefix) in note for note in found.notes)


def test_counters_of_batches_are_not_needed():
    given = {key: shape for key, shape in meta(Chenyaofo, 8).items() if not key.endswith("num_batches_tracked")}
    assert recognize(given).model == ResNetConfig(8, "B")


def test_it_does_without_torch():
    code = "import sys\nfrom resnet_core.imports import recognition, inspect_file\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def edited(make=None, drop=(), rename=(), **changes):
    """The keys and shapes of a ResNet-8 (option B, chenyaofo's) after changes; ``__`` stands for a dot."""
    given = dict(make() if make else meta(Chenyaofo, 8))
    given = {key: shape for key, shape in given.items() if not any(part in key for part in drop)}
    for old, new in rename:
        given = {key.replace(old, new): shape for key, shape in given.items()}
    return given | {key.replace("__", "."): shape for key, shape in changes.items()}


def vision(name, **kwargs):
    return lambda: meta(torchvision.models.get_model, name, **kwargs)


REFUSED = {
    "nothing": (lambda: {}, "It has no tensors"),
    "transformer": (vision("vit_b_16"), "there is no conv1.weight, but 'class_token'"),
    "video": (lambda: edited(conv1__weight=(16, 3, 3, 3, 3)), "of a 3D convolution"),
    "0-d": (lambda: edited(layer1__0__bn1__weight=()), "layer1.0.bn1.weight has () where (16,) is due"),
    "conv of 2": (lambda: edited(conv1__weight=(16, 27)), "a convolution's has four dimensions"),
    "grey": (lambda: edited(conv1__weight=(16, 1, 3, 3)), "takes 1 channels"),
    "no filters": (lambda: edited(conv1__weight=(0, 3, 3, 3)), "Its first convolution has no filters"),
    "5x5": (lambda: edited(conv1__weight=(16, 3, 5, 5)), "is 5x5"),
    "no blocks": (lambda: edited(drop=["layer"]), "no key begins with layer1.0"),
    "no classifier": (lambda: edited(drop=["fc."]), "neither fc.weight nor linear.weight"),
    "two classifiers": (lambda: edited(linear__weight=(10, 64)), "both fc.weight and linear.weight"),
    "no stage": (lambda: edited(drop=["layer2."]), "Stage layer2 is missing"),
    "gap": (lambda: edited(lambda: meta(Chenyaofo, 20), drop=["layer2.1."]), "Block layer2.1 is missing"),
    "uneven": (lambda: edited(lambda: meta(Chenyaofo, 20), drop=["layer3.2."]), "Its stages have 3, 3, 2 blocks"),
    "five stages": (
        lambda: edited(layer4__0__conv1__weight=(1, 1, 3, 3), layer5__0__conv1__weight=(1, 1, 3, 3)),
        "5 stages; ResNet-8-B, which begins so, has 3",
    ),
    "kuangliu": (lambda: edited(layer4__0__conv1__weight=(1, 1, 3, 3)), "4 stages; ResNet-8-B, which begins so, has 3"),
    "imagenet of 3": (vision("resnet18"), "7x7 first convolution and 3 stages", ["layer4."]),
    "missing conv": (lambda: edited(drop=["layer2.0.conv2"]), "'layer2.0.conv2.weight' is missing: 1 of"),
    "missing bn": (lambda: edited(drop=["layer1.0.bn2.running"]), "'layer1.0.bn2.running_mean', 'layer1.0.bn2.running_var' is missing"),
    "extra layer": (lambda: edited(layer1__0__conv7__weight=(16, 16, 3, 3)), "'layer1.0.conv7.weight' should not be there"),
    "attention": (
        lambda: edited(layer1__0__se__fc1__weight=(1, 16), layer1__0__se__fc2__weight=(16, 1)),
        "'layer1.0.se.fc1.weight', 'layer1.0.se.fc2.weight' should not be there",
    ),
    "renamed": (
        lambda: edited(rename=[("bn1", "norm1")]),
        "47 keys, 31 of them fit; 'norm1' stands where 'bn1' is due; 'layer1.0.norm1' stands where 'layer1.0.bn1' is due; "
        "'layer2.0.norm1' stands where 'layer2.0.bn1' is due; so do 1 more for others.",
    ),
    "biased": (lambda: edited(layer1__0__conv1__bias=(8,)), "'layer1.0.conv1.bias' should not be there"),
    "bias of nothing": (lambda: edited(layer1__0__bn2__conv1__bias=()), "'layer1.0.bn2.conv1.bias' should not be there"),
    "unknown stem": (
        lambda: {"first.weight": (16, 3, 3, 3)} | {k: s for k, s in meta(Chenyaofo, 8).items() if k != "conv1.weight"},
        "Nearest is chenyaofo's layout: 47 keys, 46 of them fit; 'first' stands where 'conv1' is due.",
    ),
    "unknown head": (
        lambda: edited(rename=[("fc.", "classifier.")]),
        "Nearest is chenyaofo's layout: 47 keys, 45 of them fit; 'classifier' stands where 'fc' is due.",
    ),
    "wrong shape": (
        lambda: edited(layer3__0__conv2__weight=(64, 32, 3, 3)),
        "layer3.0.conv2.weight has (64, 32, 3, 3) where (64, 64, 3, 3) is due",
    ),
    "1x1": (lambda: edited(layer1__0__conv2__weight=(16, 16, 1, 1)), "layer1.0.conv2.weight has (16, 16, 1, 1)"),
    "classifier": (lambda: edited(fc__bias=(12,)), "The classifier does not fit itself: fc.weight has 10 rows, fc.bias the shape (12,)"),
    "classifier of 4": (lambda: edited(fc__weight=(10, 64, 1, 1)), "fc.weight has the shape (10, 64, 1, 1)"),
    "features": (lambda: edited(fc__weight=(10, 65)), "fc.weight has (10, 65) where (10, 64) is due"),
    "many classes": (lambda: edited(fc__weight=(1001, 64), fc__bias=(1001,)), "has 1,001 classes"),
    "one class": (lambda: edited(fc__weight=(1, 64), fc__bias=(1,)), "has 1 classes"),
    "mixed names": (
        lambda: edited(rename=[("layer3.0.downsample.", "layer3.0.shortcut.")]),
        "It mixes layouts: 'layer3.0.shortcut.0', 'layer3.0.shortcut.1' as in akamaster's",
    ),
    "mixed head": (
        lambda: edited(rename=[("fc.", "linear.")]),
        "It mixes layouts: 'linear' as in akamaster's, the others as in chenyaofo's.",
    ),
    "half projected": (
        lambda: edited(drop=["layer3.0.downsample"]),
        "and 1 more is missing: 5 of 47 keys",
    ),
    "partly prefixed": (lambda: edited(rename=[("layer1", "module.layer1")]), "Only a part of its keys has a prefix"),
    "counter": (lambda: edited(bn1__num_batches_tracked=(16,)), "BN counts its batches in a single number"),
    "too wide": (lambda: meta(Chenyaofo, 8, width=257), "width: 257 is out of range"),
    "foreign bottlenecks": (
        lambda: edited(
            lambda: meta(ResNetConfig(20, "B", block="bottleneck")),
            rename=[("shortcut.conv", "downsample.0"), ("shortcut.bn", "downsample.1")],
        ),
        "Their stride may be in the first 1x1 or in the 3x3",
    ),
    "imagenet linear": (
        lambda: edited(vision("resnet18"), drop=["downsample"], rename=[("fc.", "linear.")]),
        "Its first convolution is 7x7 (conv1.weight (64, 3, 7, 7)); that of ResNet-18-A-c1000-CIFAR is 3x3",
    ),
    "imagenet C": (
        lambda: edited(vision("resnet18"), drop=["layer4.0.downsample"]),
        "and 1 more is missing: 5 of 102 keys",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_known_net_is_refused_by_what_is_wrong(case):
    make, phrase, *drop = REFUSED[case]
    given = edited(make, drop=drop[0]) if drop else make()
    with pytest.raises(ImportRefused) as caught:
        recognize(given)
    assert phrase in str(caught.value)
    assert len(str(caught.value)) < 600


def test_each_of_them_has_its_own_message():
    phrases = [phrase for _, phrase, *_ in REFUSED.values()]
    assert len(set(phrases)) == len(phrases) > 40
