"""The filters of the first convolution as colour pictures (AlexNet's Figure 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet_core.architectures.table import complexity
from resnet_core.errors import Stopped
from resnet_core.experiments.base import Experiment, Measured, Progress, ShouldStop, Table, each_of
from resnet_core.figures.pictures import Sheet, colored, sheets
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from resnet_core.data import Cifar10
    from resnet_core.nets.loading import LoadedNet

ACROSS = 8

EXPERIMENT = Experiment(
    key="filters",
    title=mark("First filters"),
    module="resnet_core.experiments.filters",
    question=mark("What do the filters of the first convolution look like?"),
    source=mark("Krizhevsky, Sutskever and Hinton: ImageNet Classification with Deep CNNs (2012), Figure 3"),
    method=(
        mark(
            "Each filter's weights on red, green and blue as the colours of a small picture. Each is scaled by "
            "itself, from its least weight to its greatest: what is grey in a picture is not zero. A filter is "
            "called mostly grey where more than half of the sum of its squared weights is of their mean over the "
            "three colours."
        )
    ),
    limits=(
        mark(
            "Only of the first convolution can weights be seen as pictures. Filters of 3x3 pixels show little; a "
            "filter that looks clear may still matter little to what follows."
        )
    ),
    parameters=(),
    macs=lambda model, values: float(complexity(model).params),
    labelled=False,
)


@dataclass(frozen=True, eq=False)
class Filters:
    """The first convolution's weights: float32 (N, 3, K, K); layer: its name."""

    layer: str
    weight: np.ndarray

    @property
    def gray(self) -> np.ndarray:
        """(N,), the part of the squared weights that is of their mean over the colours, 0 to 1; 0 of a filter of zeros."""
        whole = (self.weight**2).sum((1, 2, 3))
        return np.divide(3 * (self.weight.mean(1) ** 2).sum((1, 2)), whole, out=np.zeros_like(whole), where=whole > 0)

    @property
    def norm(self) -> np.ndarray:
        """(N,), length of each filter's vector of weights."""
        return np.sqrt((self.weight**2).sum((1, 2, 3)))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"layer": self.layer, "filters": list(self.weight.shape), "gray_part": self.gray.tolist(), "norm": self.norm.tolist()}


def measure(
    loaded: LoadedNet, images: Cifar10, values: Mapping[str, Any], progress: Progress = None, should_stop: ShouldStop = None
) -> Filters:
    """Read the weights; no image is looked at.

    Raises:
        Stopped: ``should_stop`` returned True.
    """
    if should_stop is not None and should_stop():
        raise Stopped
    layer = loaded.model.plan.taps[0].name
    weight = loaded.model.get_parameter(f"{layer}.weight").detach().float().cpu().numpy().copy()
    if progress is not None:
        progress(1, 1)
    return Filters(layer, weight)


def table(results: Sequence[Measured]) -> Table:
    """One line a net."""
    rows = []
    for one in results:
        found: Filters = one.result
        count, _, height, width = found.weight.shape
        gray, norm = int((found.gray > 0.5).sum()), found.norm
        rows.append((one.label, count, f"{height}x{width}", gray, float(norm.min()), float(norm.max())))
    return Table((tr("Net"), tr("Filters"), tr("Pixels"), tr("Mostly grey"), tr("Least norm"), tr("Greatest norm")), tuple(rows))


def figure(results: Sequence[Measured], dark: bool = False) -> go.Figure:
    """The filters as pictures, a sheet for each net."""
    found = []
    for one in results:
        hover = [tr("filter {i}<br>norm {norm:.3g}<br>grey {gray:.0f} %", i=i, norm=norm, gray=100 * gray) for i, (norm, gray) in enumerate(
            zip(one.result.norm, one.result.gray, strict=True))]  # fmt: skip
        found.append(Sheet(one.key, one.label, colored(one.result.weight), hover, ACROSS))
    return sheets(found, dark)


def finding(results: Sequence[Measured]) -> str:
    """How many filters are mostly grey."""

    def of(one: Measured) -> str:
        return tr("{value} of {weights}", value=int((one.result.gray > 0.5).sum()), weights=len(one.result.weight))

    return tr("First filters that are mostly grey: {each_of}.", each_of=each_of(results, of))
