"""Growing: a trained net is trained on as a deeper one, which begins as the same function."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resnet_core.architectures.deeper import deeper, why_not_deeper
from resnet_core.config import DataConfig, Recipe, RunConfig, Start
from resnet_core.errors import ConfigError, UserError
from resnet_core.language import tr
from resnet_core.nets.catalog import Net, find
from resnet_core.nets.fitting import fitting
from resnet_core.runs import Run, RunStore


def why_not(net: Net) -> str:
    """Say why a net cannot be grown, as the end of a sentence; empty where it can."""
    if net.config is None and net.card.get("normalization") != "pixel-mean":
        return tr("its input is not normalised as in trainings here, which subtract the mean image.")
    if net.class_names is None:
        return tr("nothing is known of the {num_classes:,} classes that it tells apart.", num_classes=net.model.num_classes)
    if not fitting(net):
        return tr("no data set with a name has the {num_classes:,} classes that it tells apart.", num_classes=net.model.num_classes)
    return why_not_deeper(net.model)


def planned(net: Net, rounds: int, data: DataConfig | None = None, recipe: Recipe | None = None) -> RunConfig:
    """Give the deeper training without its weights, e.g. to tell how long it takes.

    Args:
        rounds: blocks that are added to each stage.
        data, recipe: by default those that the net was trained with, else the embedded sample and the paper's.

    Raises:
        ConfigError: the net cannot be grown.
    """
    if why := why_not(net):
        raise ConfigError("net", "{name}: {why}", name=net.name, why=why)
    own = net.config or RunConfig(net.model, fitting(net)[0])
    if data is not None and (why := net.refusal(data)):
        raise ConfigError("data", why)
    return RunConfig(deeper(net.model, rounds), data or own.data, recipe or own.recipe)


def records_before(config: RunConfig, home: Path) -> Sequence[dict[str, Any]]:
    """Give the train and test rows of the training that a grown net goes on from, up to there; none where that is not here any more."""
    return _records_before(config.start, home) if config.start and config.start.is_grown else ()


@functools.lru_cache(maxsize=64)
def _records_before(start: Start, home: Path) -> tuple[dict[str, Any], ...]:
    try:
        net = find(start.origin, home)
    except UserError:
        return ()
    rows = net.records("train") + net.records("test")
    return tuple(row for row in rows if row["iteration"] <= start.iteration) if net.model.name == start.net else ()


def grow(
    store: RunStore, net: Net, config: RunConfig, name: str | None = None, data_dir: Path | str | None = None, again: bool = False
) -> tuple[Run, bool]:
    """Queue a training of ``config``, as ``planned`` gives it, that begins with the weights of ``net`` and blocks that do nothing.

    In evaluation mode it begins as the same function where the data have the mean image that the net was trained with. The optimiser
    begins anew: momentum at 0, the schedule at its first iteration.

    Returns:
        The run, and True; or the run of this configuration that exists already, and False.

    Raises:
        CheckpointError: the weights cannot be read.
        ConfigError, DataError, RunError: as ``RunStore.submit``.
    """
    from resnet_core.architectures.deeper import construct
    from resnet_core.nets.loading import load
    from resnet_core.training.checkpoint import weights_sha256

    loaded = load(net, "cpu")
    tensors = {key: value.contiguous() for key, value in construct(loaded.model, config.model, config.recipe.seed).state_dict().items()}
    start = Start(net.model.name, net.id, loaded.net.iteration or 0, weights_sha256(tensors))
    return begun_with(tensors, store, dataclasses.replace(config, start=start), name=name, data_dir=data_dir, again=again)


def begun_with(tensors: dict[str, Any], store: RunStore, config: RunConfig, **options: Any) -> tuple[Run, bool]:
    """Queue a training that begins with these tensors, as its ``start`` says. ``options``: as of ``RunStore.submit``, which it is."""
    from safetensors.torch import save_file

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "start.safetensors")
        save_file(tensors, path)
        return store.submit(config, start=path, **options)
