"""Transfer: a trained net with a new classifier is trained on other data, as a whole or with its first stages frozen.

    config = planned(find("resnet-20"), DataConfig("fashion-sample", images_per_class=50), recipe, frozen=2)
    run, is_new = transfer(RunStore(), find("resnet-20"), config)

The images are normalised as they were for the trained net. Frozen BN computes with the running statistics of the data before (evaluation
mode), so that not a bit of a frozen stage changes; see ``architectures.net.Net.freeze``.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from resnet_core.architectures import ModelConfig
from resnet_core.config import DataConfig, Recipe, RunConfig, Start
from resnet_core.errors import ConfigError
from resnet_core.language import tr
from resnet_core.nets.catalog import Net
from resnet_core.nets.growth import begun_with
from resnet_core.runs import Run, RunStore

#: For a few images of other data: short, and gentle enough for weights that know something already.
RECIPE = Recipe(iterations=400, batch_size=32, learning_rate=0.02, schedule="linear", augmentation="none")

if TYPE_CHECKING:
    import torch

    from resnet_core.nets.loading import LoadedNet


def groups(model: ModelConfig) -> list[str]:
    """Name what can be frozen, from the data on: the stem, each stage, and what the head has before the classifier."""
    plan = model.plan()
    stages = {unit.name.rpartition(".")[0] for unit in plan.units}
    named, number = [], 0
    for i, group in enumerate(plan.groups):
        number += group[0] in stages
        named.append(tr("stage {number}", number=number) if group[0] in stages else tr("stem") if i == 0 else tr("head"))
    return named


def planned(net: Net, data: DataConfig, recipe: Recipe | None = None, frozen: int = 0, stage_decay: float = 1.0) -> RunConfig:
    """Give the training without its weights, e.g. to tell how long it takes.

    Args:
        recipe: ``RECIPE`` by default.
        frozen, stage_decay: as in ``Start``.

    Raises:
        ConfigError: the net cannot compute with such images, or a value is out of its range.
    """
    model = dataclasses.replace(net.model, num_classes=data.classes)
    start = Start(net.model.name, net.id, net.iteration or 0, "", "transferred", frozen, stage_decay)
    return RunConfig(model, data, recipe or RECIPE, start)


def from_scratch(config: RunConfig) -> RunConfig:
    """Give the same training from random weights: the same net, images, recipe and seed."""
    return dataclasses.replace(config, start=None)


def transfer(
    store: RunStore, net: Net, config: RunConfig, name: str | None = None, data_dir: Path | str | None = None, again: bool = False
) -> tuple[Run, bool]:
    """Queue a training of ``config``, as ``planned`` gives it, that begins with the weights of ``net`` and a new classifier.

    Returns:
        The run, and True; or the run of this configuration that exists already, and False.

    Raises:
        CheckpointError: the weights cannot be read.
        ConfigError, DataError, RunError: as ``RunStore.submit``.
    """
    from resnet_core.nets.loading import load
    from resnet_core.training.checkpoint import weights_sha256

    if config.start is None:
        raise ConfigError("start", "is that of a training from random weights; take the one of planned().")
    loaded = load(net, "cpu")
    tensors = start_tensors(loaded, config)
    start = dataclasses.replace(config.start, iteration=loaded.net.iteration or 0, weights=weights_sha256(tensors))
    return begun_with(tensors, store, dataclasses.replace(config, start=start), name=name, data_dir=data_dir, again=again)


def start_tensors(loaded: LoadedNet, config: RunConfig) -> dict[str, torch.Tensor]:
    """All tensors that a training begins with, on the CPU: the trained net's, a new classifier by the seed, and the mean of the input.

    What the trained net divides its input by, if anything, is put into its first convolution: trainings here only subtract.
    """
    from resnet_core.architectures.net import build_model
    from resnet_core.training.engine import MEAN

    fresh = build_model(config.model, config.recipe.seed)
    tensors = {name: value.contiguous().clone() for name, value in fresh.state_dict().items()}
    apart = (fresh.plan.classifier, *(one.name for one in fresh.plan.auxiliary))
    for name, value in loaded.model.state_dict().items():
        if name.split(".")[0] not in apart:
            tensors[name] = value.contiguous().clone()
    if loaded.std is not None:
        first = next(name for name, value in tensors.items() if value.dim() == 4)
        tensors[first] = (tensors[first] / loaded.std.cpu().view(1, 3, 1, 1)).contiguous()
    return tensors | {MEAN: loaded.mean.cpu().contiguous()}
