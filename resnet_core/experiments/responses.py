"""Layer responses as an experiment: Figure 7 of He et al. 2016, net beside net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet_core.experiments.base import Experiment, Measured, Progress, ShouldStop, Table, each_of, first, images_parameter, whole_net_macs
from resnet_core.figures.lines import Line, lines_figure
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from resnet_core.analysis.responses import Responses
    from resnet_core.data import Cifar10
    from resnet_core.nets.loading import LoadedNet

EXPERIMENT = Experiment(
    key="responses",
    title=mark("Layer responses"),
    module="resnet_core.experiments.responses",
    question=mark("How strongly does each layer respond?"),
    source=mark("He et al.: Deep Residual Learning for Image Recognition (CVPR 2016), section 4.2 and Figure 7"),
    method=mark(
        "The standard deviation of each layer's outputs, after its BN where one follows, before ReLU or the addition, over test images."
    ),
    limits=(
        mark(
            "In a plain net the size of the responses is a free scale: halving a BN's scale and shift halves its "
            "curve and keeps every prediction. The curve of a residual net is largely there before the first "
            "update."
        )
    ),
    parameters=(images_parameter(),),
    macs=lambda model, values: whole_net_macs(model) * values["images"],
    labelled=False,
)


def measure(
    loaded: LoadedNet, images: Cifar10, values: Mapping[str, Any], progress: Progress = None, should_stop: ShouldStop = None
) -> Responses:
    """Measure the responses; see ``resnet_core.analysis.responses.layer_responses``."""
    from resnet_core.analysis.responses import layer_responses

    test = first(images.test, values["images"]).images
    return layer_responses(loaded.model, test, loaded.normalize, loaded.plan, progress=progress, should_stop=should_stop)


def table(results: Sequence[Measured]) -> Table:
    """Median and extremes of the layers' standard deviations, and the branch beside what it is added to."""
    rows = []
    for one in results:
        std = one.result.std
        ratio = float(np.nanmedian(one.result.ratio)) if one.result.has_addition else None
        rows.append((one.label, float(np.median(std)), float(std.min()), float(std.max()), ratio))
    return Table((tr("Net"), tr("Median"), tr("Smallest"), tr("Largest"), tr("Median of |F(x)| / |x|")), tuple(rows))


def figure(results: Sequence[Measured], dark: bool = False) -> go.Figure:
    """The standard deviation over the layers, from the first to the last."""
    lines = []
    for one in results:
        place = np.linspace(0, 1, len(one.result.std))
        lines.append(Line(one.key, one.label, one.model, place, one.result.std, one.result.names))
    return lines_figure(lines, tr("layer, as part of the depth"), tr("standard deviation"), dark)


def finding(results: Sequence[Measured]) -> str:
    """The median response of each net."""
    n = results[0].result.n
    return tr(
        "Median over the layers of the standard deviation of responses, {n:,} test images: {each_of}.",
        n=n,
        each_of=each_of(results, _median),
    )


def _median(one: Measured) -> str:
    return f"{float(np.median(one.result.std)):.3g}"
