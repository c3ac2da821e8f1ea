"""Untrained nets and small values, for the tests of the experiments."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from resnet_core import data
from resnet_core.architectures import ResNetConfig, parse
from resnet_core.architectures.net import build_model
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.experiments import EXPERIMENTS, Measured
from resnet_core.nets.catalog import Net
from resnet_core.nets.loading import LoadedNet
from resnet_core.training import probe

#: The fewest of everything, so that each is quick.
SMALL = {
    "images": 100,
    "draws": 1,
    "batches": 1,
    "batch_size": 16,
    "train": 500,
    "rounds": 1,
    "points": 32,
    "lines": 1,
    "steps": 2,
    "directions": "line",
}
NAMES = ("ResNet-8-w4", "ResNet-8-B-w4")
#: Of experiments that these cannot be made with.
OTHERS = {
    "gates": ("Highway-8-w4", "Highway-8-b4-w4"),
    "shuffles": ("plain-14-w4", "ResNet-14-w4"),
    "reuse": ("DenseNet-7-k4", "DenseNet-BC-16-k4"),
}


def loaded(name: str, seed: int = 0) -> LoadedNet:
    """An untrained net, in evaluation mode, whose BN has seen a batch."""
    net = build_model(parse(name), seed)
    images = data.load(DataConfig()).train.images[:64]
    mean = torch.full((3, 1, 1), 0.47)
    net(images.float().div(255).sub(mean))
    plan = probe.decide(RunConfig(recipe=Recipe(device="cpu", precision="fp32", compile="off")))
    about = Net(id=name, name=name, origin="file", model=net.config, path=Path("none"), card={})
    return LoadedNet(about, net.eval(), mean, None, plan)


@pytest.fixture(scope="module")
def images():
    return data.load(DataConfig())


def values(key: str, model: ResNetConfig, **given) -> dict:
    experiment = EXPERIMENTS[key]
    names = {each.name for each in experiment.parameters}
    return experiment.complete({name: value for name, value in (SMALL | given).items() if name in names}, model)


def measured(key: str, images, *nets: LoadedNet, **given) -> list[Measured]:
    experiment, found = EXPERIMENTS[key], []
    for one in nets:
        chosen = values(key, one.model.config, **given)
        result = experiment.functions.measure(one, images, chosen)
        found.append(experiment.viewed(Measured(one.net.id, one.net.name, one.model.config, result), chosen))
    return found
