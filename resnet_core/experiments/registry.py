"""The experiments in the reader's order, and how one is run with one net."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
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
    shattered,
    shuffles,
    strongest,
    surface,
)
from resnet_core.experiments.base import Experiment, Measured
from resnet_core.language import tr
from resnet_core.nets import find

if TYPE_CHECKING:
    from resnet_core.config import DataConfig
    from resnet_core.nets import Net

_MODULES = (
    construction,
    lesions,
    shuffles,
    paths,
    shattered,
    surface,
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
        hint = tr(" Is it {near}?", near=near[0]) if near else ""
        raise ConfigError(
            "experiment", "{key!r} is none.{hint} They are {experiments}.", key=key[:60], hint=hint, experiments=", ".join(EXPERIMENTS)
        )
    return EXPERIMENTS[key]


def run(
    experiment: Experiment,
    net: Net,
    data: DataConfig,
    given: Mapping[str, Any],
    *,
    folder: Path | str | None = None,
    label: str = "",
    precision: str = "fp32",
    device: str = "auto",
    whole: bool = False,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    preview: Callable[[Measured], None] | None = None,
) -> Measured:
    """Make the experiment with a copy of the net, loaded now.

    Args:
        data: the images; folder: where they are, if not where ``data.load`` looks for them.
        given: parameters; those left out have their defaults. Another net may be given by its name.
        label: of the net for people; by default its name.
        precision, device: as in ``Recipe``.
        whole: the result is to be seen in several ways (``Experiment.viewed``); else as ``given`` says.
        preview: called with coarser results on the way, of an experiment that has them.

    Raises:
        ConfigError: a parameter is out of its range, or the experiment cannot be made with this net.
        RunError: there is no net of a name that was given.
        CheckpointError, DataError: the weights or the images cannot be read.
        Stopped: ``should_stop`` returned True.
    """
    values = experiment.complete(given, net.model)
    experiment.check(net.model, net.name)
    experiment.check_images(net, data)
    for parameter in experiment.parameters:
        if parameter.kind == "net" and isinstance(values[parameter.name], str) and values[parameter.name]:
            values[parameter.name] = find(values[parameter.name])
    experiment.check_others(net, values)
    from resnet_core.data import load as load_data
    from resnet_core.nets.loading import load

    images, loaded = load_data(data, folder), load(net, device, precision)

    def measured(result: Any) -> Measured:
        return Measured(net.id, label or net.name, net.model, result)

    told = {"preview": lambda result: preview(measured(result))} if experiment.previews and preview is not None else {}
    found = measured(experiment.functions.measure(loaded, images, values, progress, should_stop, **told))
    return found if whole else experiment.viewed(found, values)


def seconds_per_image(net: Net, device: str = "auto", precision: str = "fp32") -> float:
    """Time some images through the net now: with ``Experiment.passes``, how long an experiment takes.

    Raises:
        CheckpointError: the weights cannot be read.
    """
    from resnet_core.experiments import running
    from resnet_core.nets.loading import load

    return running.seconds_per_image(load(net, device, precision))
