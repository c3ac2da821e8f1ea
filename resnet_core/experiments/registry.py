"""The experiments in the reader's order, and how one is run with one net."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from resnet_core.errors import ConfigError
from resnet_core.experiments import (
    cka,
    construction,
    doctor,
    evaluation,
    filters,
    gates,
    gradients,
    ledger,
    lesions,
    maps,
    neighbours,
    paths,
    readout,
    responses,
    reuse,
    shuffles,
    strongest,
)
from resnet_core.experiments.base import Experiment, Measured

if TYPE_CHECKING:
    from resnet_core.config import DataConfig
    from resnet_core.nets import Net

_MODULES = (
    construction,
    lesions,
    shuffles,
    paths,
    ledger,
    readout,
    filters,
    maps,
    strongest,
    cka,
    neighbours,
    gates,
    reuse,
    doctor,
    evaluation,
    responses,
    gradients,
)
EXPERIMENTS: dict[str, Experiment] = {module.EXPERIMENT.key: module.EXPERIMENT for module in _MODULES}


def find_experiment(key: str) -> Experiment:
    """Return the experiment of that key.

    Raises:
        ConfigError: there is none; names the nearest, and all.
    """
    if key not in EXPERIMENTS:
        near = difflib.get_close_matches(key, EXPERIMENTS, 1, 0.5)
        hint = f" Is it {near[0]}?" if near else ""
        raise ConfigError("experiment", f"{key[:60]!r} is none.{hint} They are {', '.join(EXPERIMENTS)}.")
    return EXPERIMENTS[key]


def run(
    experiment: Experiment,
    net: Net,
    data: DataConfig,
    given: Mapping[str, Any],
    *,
    folder: str | None = None,
    label: str = "",
    precision: str = "fp32",
    device: str = "auto",
    whole: bool = False,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Measured:
    """Make the experiment with a copy of the net, loaded now.

    Args:
        data: the images; folder: where they are, if not where ``data.load`` looks for them.
        given: parameters; those left out have their defaults.
        label: of the net for people; by default its name.
        precision, device: as in ``Recipe``.
        whole: the result is to be seen in several ways (``Experiment.viewed``); else as ``given`` says.

    Raises:
        ConfigError: a parameter is out of its range, or the experiment cannot be made with this net.
        CheckpointError, DataError: the weights or the images cannot be read.
        Stopped: ``should_stop`` returned True.
    """
    values = experiment.complete(given, net.model)
    experiment.check(net.model, net.name)
    from resnet_core.data import load as load_data
    from resnet_core.nets.loading import load

    images, loaded = load_data(data, folder), load(net, device, precision)
    result = experiment.functions.measure(loaded, images, values, progress, should_stop)
    found = Measured(net.id, label or net.name, net.model, result)
    return found if whole else experiment.viewed(found, values)
