"""A net that is made for larger images than those it is to be trained on: what is said before it starts, and what to do."""

from __future__ import annotations

import dataclasses

import pytest

from resnet_core.architectures import parse
from resnet_core.cli.train import warn_of_size
from resnet_core.config import DataConfig, RunConfig, fitted, made_for_larger
from resnet_core.errors import ConfigError

DATA = DataConfig()


@pytest.mark.parametrize(
    ("name", "maps", "form"),
    [
        ("GoogLeNet", (7, 1), "GoogLeNet-CIFAR"),
        ("VGG-16", (7, 1), "VGG-16-CIFAR"),
        ("VGG-19-BN", (7, 1), "VGG-19-CIFAR"),
        ("DenseNet-121", (7, 1), "DenseNet-121-CIFAR"),
        ("plain-34-ImageNet", (7, 1), "plain-34-CIFAR"),
        ("ResNet-50-ImageNet-v1.5", (7, 1), "ResNet-50-CIFAR"),
        ("ResNeXt-50-32x4d", (7, 1), "a net that is made for 32x32"),
        ("WRN-50-2", (7, 1), "a net that is made for 32x32"),
    ],
)
def test_what_is_left_of_its_maps_and_what_to_do(name, maps, form):
    text = made_for_larger(parse(name), 32)
    due, left = maps
    assert text.startswith(f"{parse(name).name} is made for images of 224x224 pixels, and these have 32x32: ")
    assert f"{due}x{due} there, {left}x{left} is left" in text and f"Choose {form}" in text
    assert made_for_larger(parse(name), 224) == made_for_larger(parse(name), 256) == ""


def test_of_nets_for_such_images_nothing_is_said_and_larger_pictures_leave_more():
    assert not any(made_for_larger(parse(name), side) for name in ("ResNet-20", "VGG-16-CIFAR", "Highway-19") for side in (32, 64))
    assert "7x7 there, 2x2 is left" in (text := made_for_larger(parse("ResNet-18-ImageNet"), 64))
    assert "Choose a net that is made for 64x64 pixels" in text


@pytest.mark.parametrize("name", ["AlexNet", "AlexNet-torchvision"])
def test_one_that_cannot_compute_with_them_is_refused_with_what_to_do(name):
    with pytest.raises(ConfigError, match=r"cannot compute with 32x32: .* Choose AlexNet-CIFAR, its form for such images"):
        RunConfig(fitted(parse(name), DATA), DATA)
    assert made_for_larger(parse(name), 32) == ""


def test_the_command_line_says_it_once_for_each_net(capsys):
    configs = [RunConfig(fitted(parse(name), DATA), DATA) for name in ("GoogLeNet", "ResNet-20", "VGG-11")]
    warn_of_size([*configs, *(dataclasses.replace(one, recipe=dataclasses.replace(one.recipe, seed=1)) for one in configs)])
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("careful: ")[2].split(" is ")[0] for line in lines] == ["GoogLeNet-c10", "VGG-11-c10"]
