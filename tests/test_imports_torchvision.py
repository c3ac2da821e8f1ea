"""torchvision's nets are recognised from their keys and shapes, and give torchvision's outputs once they are converted."""

from __future__ import annotations

import dataclasses
import os
import re

import pytest
import torch
import torchvision
from torch import nn

from resnet_core.architectures import parse
from resnet_core.architectures.net import Net
from resnet_core.imports import limits
from resnet_core.imports.conversion import convert
from resnet_core.imports.recognition import recognize
from resnet_core.nets import NORMALIZATIONS
from tests.imports_nets import randomized, shapes

#: torchvision's name -> ours, and the side of the images that both are tried with.
NETS = {
    "resnet18": ("ResNet-18-ImageNet", 64),
    "resnet34": ("ResNet-34-ImageNet", 64),
    "resnet50": ("ResNet-50-ImageNet-v1.5", 64),
    "resnet101": ("ResNet-101-ImageNet-v1.5", 64),
    "resnet152": ("ResNet-152-ImageNet-v1.5", 64),
    "resnext50_32x4d": ("ResNeXt-50-32x4d", 64),
    "resnext101_32x8d": ("ResNeXt-101-32x8d", 64),
    "resnext101_64x4d": ("ResNeXt-101-64x4d", 64),
    "wide_resnet50_2": ("WRN-50-2", 64),
    "wide_resnet101_2": ("WRN-101-2", 64),
    "densenet121": ("DenseNet-121", 64),
    "densenet161": ("DenseNet-161", 64),
    "densenet169": ("DenseNet-169", 64),
    "densenet201": ("DenseNet-201", 64),
    "googlenet": ("GoogLeNet-torchvision-aux", 96),
    "vgg11": ("VGG-11", 64),
    "vgg11_bn": ("VGG-11-BN", 64),
    "vgg13": ("VGG-13", 64),
    "vgg13_bn": ("VGG-13-BN", 64),
    "vgg16": ("VGG-16", 64),
    "vgg16_bn": ("VGG-16-BN", 64),
    "vgg19": ("VGG-19", 64),
    "vgg19_bn": ("VGG-19-BN", 64),
    "alexnet": ("AlexNet-torchvision", 96),
}
#: The smallest of each kind. The others, of the same modules, take a minute together: RESNET_LAB_TEST_ALL=1 has them compared too.
QUICK = ("resnet18", "resnet34", "resnet50", "resnext50_32x4d", "wide_resnet50_2", "densenet121", "googlenet", "vgg11_bn", "alexnet")
_LARGE = pytest.mark.skipif("RESNET_LAB_TEST_ALL" not in os.environ, reason="as its smaller relatives (RESNET_LAB_TEST_ALL=1)")


def theirs(name: str, num_classes: int) -> nn.Module:
    return torchvision.models.get_model(name, num_classes=num_classes, **({"init_weights": False} if name == "googlenet" else {}))


@pytest.mark.parametrize("num_classes", [1000, 7])
@pytest.mark.parametrize("name", NETS)
def test_it_is_recognised(name, num_classes):
    with torch.device("meta"):
        given = shapes(theirs(name, num_classes))
    found = recognize({f"module.{key}": shape for key, shape in given.items()})
    assert (found.model, found.layout) == (dataclasses.replace(parse(NETS[name][0]), num_classes=num_classes), "torchvision")
    assert found.normalization == ("half" if name == "googlenet" else "imagenet")
    tensors = found.model.plan().tensors()
    assert found.keys.keys() == {f"module.{key}" for key in given if not key.endswith("num_batches_tracked")}
    assert set(found.keys.values()) == {key for key in tensors if not key.endswith("num_batches_tracked")}


def test_the_files_of_densenets_that_torchvision_offers_have_older_names():
    """``norm.1`` for ``norm1``: torchvision renames them as it loads them."""
    with torch.device("meta"):
        given = shapes(theirs("densenet169", 1000))
    older = {re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", key): shape for key, shape in given.items()}
    assert "features.denseblock4.denselayer32.norm.2.running_var" in older
    found = recognize(older)
    assert (found.model, found.layout) == (parse("DenseNet-169"), "torchvision")
    assert found.keys["features.denseblock4.denselayer32.norm.2.running_var"] == "layer4.31.bn2.running_var"


def test_a_googlenet_without_its_auxiliary_classifiers_is_known_too():
    with torch.device("meta"):
        net = torchvision.models.googlenet(aux_logits=False, init_weights=False)
    assert recognize(shapes(net)).model == parse("GoogLeNet-torchvision")


def test_half_is_what_its_googlenet_makes_of_images_normalised_for_imagenet():
    """Its weights were trained with ``transform_input``, so the files that it offers want exactly that."""
    net = torchvision.models.googlenet(aux_logits=False, init_weights=False, transform_input=True)
    pixels = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    (mean, std), half = NORMALIZATIONS["imagenet"].arrays(), NORMALIZATIONS["half"].arrays()
    torch.testing.assert_close(
        (pixels - torch.tensor(half[0])) / torch.tensor(half[1]),
        net._transform_input((pixels - torch.tensor(mean)) / torch.tensor(std)),
        rtol=0,
        atol=1e-6,
    )


def test_the_largest_file_that_it_offers_may_be_read():
    with torch.device("meta"):
        values = [sum(tensor.numel() for tensor in theirs(name, 1000).state_dict().values()) for name in ("vgg19_bn", "wide_resnet101_2")]
    assert max(values) < limits.MAX_VALUES and 4 * max(values) + limits.MAX_HEADER_BYTES < limits.MAX_FILE_BYTES


def converted(net: nn.Module) -> nn.Module:
    state = net.state_dict()
    recognition = recognize({key: tuple(tensor.shape) for key, tensor in state.items()})
    tensors, _ = convert({key: tensor.numpy() for key, tensor in state.items()}, recognition)
    with torch.device("meta"):
        ours = Net(recognition.model)
    ours.load_state_dict({key: torch.from_numpy(array) for key, array in tensors.items()}, strict=True, assign=True)
    return ours.eval()


@pytest.mark.parametrize("name", [name if name in QUICK else pytest.param(name, marks=_LARGE) for name in NETS])
@torch.no_grad()
def test_it_computes_the_same(name):
    with torch.device("meta"):
        net = theirs(name, 7)
    net = randomized(net.to_empty(device="cpu"))
    x = torch.randn(2, 3, NETS[name][1], NETS[name][1], generator=torch.Generator().manual_seed(1))
    expected = net(x)
    assert expected.std() > 1e-3
    torch.testing.assert_close(converted(net)(x), expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())
