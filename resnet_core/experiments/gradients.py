"""Gradient norms as an experiment: what the loss says to each layer, net beside net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet_core.attribution.methods import Parameter
from resnet_core.experiments.base import Experiment, Measured, Progress, ShouldStop, Table, each_of, whole_net_macs
from resnet_core.figures.lines import Line, lines_figure
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from resnet_core.analysis.gradients import Gradients
    from resnet_core.data import Cifar10
    from resnet_core.nets.loading import LoadedNet

EXPERIMENT = Experiment(
    key="gradients",
    title=mark("Gradients"),
    module="resnet_core.experiments.gradients",
    question=mark("How large is the gradient at each layer?"),
    source=mark("He et al.: Deep Residual Learning for Image Recognition (CVPR 2016), section 4.1; Yang et al. (2019)"),
    method=(
        mark(
            "The L2 norm of the gradient of the mean loss with respect to each layer's weight, on batches of "
            "training images that are not augmented, BN with the statistics of the batch; the mean over the "
            "batches."
        )
    ),
    limits=(
        mark(
            "The gradients of weights as they are now: a trained net's say nothing of how training began. A norm "
            "says how much, not in which direction, and a small weight gradient in front of a BN may still move "
            "that layer much."
        )
    ),
    parameters=(
        Parameter(
            "batches", mark("batches"), "int", 4, 1, 40, 1, help=mark("The first of the training set; the norms are the mean over them.")
        ),
        Parameter("batch_size", mark("images a batch"), "int", 128, 2, 1024, 1, help=mark("BN takes its statistics from each batch.")),
    ),
    macs=lambda model, values: 3 * whole_net_macs(model) * values["batches"] * values["batch_size"],
)


def measure(
    loaded: LoadedNet, images: Cifar10, values: Mapping[str, Any], progress: Progress = None, should_stop: ShouldStop = None
) -> Gradients:
    """Measure the gradients; see ``resnet_core.analysis.gradients.layer_gradients``."""
    from resnet_core.analysis.gradients import layer_gradients

    train, options = images.train, {"batches": values["batches"], "batch_size": values["batch_size"]}
    return layer_gradients(
        loaded.model, train.images, train.labels, loaded.normalize, loaded.plan, **options, progress=progress, should_stop=should_stop
    )


def table(results: Sequence[Measured]) -> Table:
    """The first and the last layer's norm, and the largest over the smallest."""
    rows = []
    for one in results:
        norm = one.result.gradient_norm
        rows.append((one.label, float(norm[0]), float(norm[-1]), _range(one)))
    return Table((tr("Net"), tr("First layer"), tr("Last layer"), tr("Largest / smallest")), tuple(rows))


def _range(one: Measured) -> float:
    norm = one.result.gradient_norm
    return float(norm.max() / norm.min()) if norm.min() > 0 else float("inf")


def figure(results: Sequence[Measured], dark: bool = False) -> go.Figure:
    """The norm over the layers, on a logarithmic scale."""
    lines = []
    for one in results:
        place = np.linspace(0, 1, len(one.result.names))
        lines.append(Line(one.key, one.label, one.model, place, one.result.gradient_norm, one.result.names))
    return lines_figure(lines, tr("layer, as part of the depth"), tr("gradient norm"), dark, log=True)


def finding(results: Sequence[Measured]) -> str:
    """How far apart the layers' norms are."""
    found = results[0].result
    batches = tr("{losses} batches of {batch_size} training images", losses=len(found.losses), batch_size=found.batch_size)
    return tr(
        "The largest gradient norm of a layer over the smallest, {batches}: {each_of}.",
        batches=batches,
        each_of=each_of(results, lambda one: f"{_range(one):.3g}"),
    )
