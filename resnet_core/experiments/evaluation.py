"""The error of a net on test images, as an experiment: what it takes for what is on the page Checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet_core.attribution.methods import Parameter
from resnet_core.experiments.base import Experiment, Measured, Progress, ShouldStop, Table, first, whole_net_macs
from resnet_core.figures.lines import Line, lines_figure
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from resnet_core.analysis.evaluation import Evaluation
    from resnet_core.data import Cifar10
    from resnet_core.nets.loading import LoadedNet

EXPERIMENT = Experiment(
    key="evaluation",
    title=mark("Error by class"),
    module="resnet_core.experiments.evaluation",
    question=mark("How often is a net wrong, and on which classes?"),
    source=mark("He et al.: Deep Residual Learning for Image Recognition (CVPR 2016), section 4.2"),
    method=mark("The error of a single view of each test image, in evaluation mode."),
    limits=mark("One error of one training: another seed gives another one, and the test images are a sample too."),
    parameters=(Parameter("images", mark("test images"), "int", 1000, 100, 10_000, 100, help=mark("The first of the test set.")),),
    macs=lambda model, values: whole_net_macs(model) * values["images"],
)


def measure(
    loaded: LoadedNet, images: Cifar10, values: Mapping[str, Any], progress: Progress = None, should_stop: ShouldStop = None
) -> Evaluation:
    """Evaluate the net; see ``resnet_core.analysis.evaluation.evaluate_detailed``."""
    from resnet_core.analysis.evaluation import evaluate_detailed

    test = first(images.test, values["images"])
    found = evaluate_detailed(
        loaded.model, test.images, test.labels, loaded.normalize, loaded.plan, progress=progress, should_stop=should_stop
    )
    return replace(found, classes=images.classes)


def table(results: Sequence[Measured]) -> Table:
    """Error, its standard error by the number of images alone, and mean cross-entropy."""
    rows = [(each.label, each.result.top1_error, _of_images(each.result), each.result.loss, each.result.n) for each in results]
    return Table((tr("Net"), tr("Error (%)"), tr("± (images alone)"), tr("Cross-entropy"), tr("Images")), tuple(rows))


def _of_images(found: Evaluation) -> float:
    p = found.wrong / found.n
    return 100.0 * float(np.sqrt(p * (1 - p) / found.n))


def figure(results: Sequence[Measured], dark: bool = False) -> go.Figure:
    """The error of each class."""
    lines = [Line(each.key, each.label, each.model, np.array(each.result.classes), each.result.class_errors) for each in results]
    return lines_figure(lines, tr("true class"), tr("error (%)"), dark)


def finding(results: Sequence[Measured]) -> str:
    """The lowest and the highest error of these nets."""
    parts = [f"{each.label} {each.result.top1_error:.2f} ± {_of_images(each.result):.2f} %" for each in results]
    return tr(
        "Errors on {n:,} test images, with the standard error that their number alone gives: {parts}.",
        n=results[0].result.n,
        parts="; ".join(parts),
    )
