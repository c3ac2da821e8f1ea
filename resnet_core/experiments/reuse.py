"""Feature reuse: how much weight each layer of a DenseNet puts on each layer before it (Huang et al. 2017, section 5 and Fig. 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet_core.architectures import ModelConfig
from resnet_core.architectures.joins import Concat
from resnet_core.architectures.parts import Conv, Linear
from resnet_core.architectures.plan import BRANCH, HEAD, Placed
from resnet_core.architectures.table import complexity
from resnet_core.errors import Stopped
from resnet_core.experiments.base import Experiment, Measured, Progress, ShouldStop, Table, each_of
from resnet_core.figures.lines import Panel, heatmaps
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from resnet_core.data import Cifar10
    from resnet_core.nets.loading import LoadedNet


def _refusal(model: ModelConfig) -> str:
    joined = any(isinstance(unit.join, Concat) for unit in model.plan().units)
    return "" if joined else tr("its layers do not read the outputs of all layers before them: it has no concatenations of skips.")


EXPERIMENT = Experiment(
    key="reuse",
    title=mark("Feature reuse"),
    module="resnet_core.experiments.reuse",
    question=mark("Which earlier layers does each layer of a DenseNet use?"),
    source=mark("Huang, Liu, van der Maaten and Weinberger: Densely Connected Convolutional Networks (CVPR 2017), section 5, Fig. 5"),
    method=(
        mark(
            "The mean absolute weight that the convolution which reads the concatenated channels has on those of "
            "each source: the L1 norm of these weights, divided by their number, and so by the number of input "
            "feature maps. Sources are the block's input and the layers before; the transition behind a block, "
            "and behind the last one the classifier, are targets too. In the figure each block's values are "
            "divided by the largest among its layers and what follows it."
        )
    ),
    limits=(
        mark(
            "A small weight on channels with large values counts for much, and the BN before a convolution "
            "scales each channel: weights alone do not say how much a source adds to an answer. No images are "
            "looked at. A transition or a classifier has another number of weights for each source, so its "
            "column is not to be compared with those of the layers."
        )
    ),
    parameters=(),
    macs=lambda model, values: float(complexity(model).params),
    refusal=_refusal,
    labelled=False,
)


@dataclass(frozen=True)
class Reader:
    """What reads the channels of a block: the name of its module, and how many channels each source has, in their order."""

    name: str
    channels: tuple[int, ...]


def readers(model: ModelConfig) -> list[list[Reader]]:
    """Return all that read the concatenated channels of each block: its layers, then the transition or the classifier."""
    plan, walk = model.plan(), list(model.plan().walk())
    found: list[list[Reader]] = []
    open_block: list[Reader] = []
    channels: list[int] = []
    first: dict[str, Placed] = {}
    for placed in walk:
        if placed.unit is not None and placed.place == BRANCH and isinstance(placed.part, Conv):
            first.setdefault(placed.unit.name, placed)
    for unit in plan.units:
        placed = first[unit.name]
        if not isinstance(unit.join, Concat):
            if open_block:
                found.append([*open_block, Reader(placed.name, tuple(channels))])
            open_block = []
            continue
        if not open_block:
            channels = [placed.shape[0]]
        open_block.append(Reader(placed.name, tuple(channels)))
        channels.append(next(part.filters for part in reversed(unit.branch) if isinstance(part, Conv)))
    if open_block:
        end = next(placed for placed in walk if placed.place == HEAD and isinstance(placed.part, (Conv, Linear)))
        found.append([*open_block, Reader(end.name, tuple(channels))])
    return found


@dataclass(frozen=True, eq=False)
class Reuse:
    """Mean absolute weights of one net, block by block.

    Attributes:
        targets: names of what reads, T in each block, the last of them the transition or the classifier.
        weights: (T, T) of each block: row t, column s is the weight of target t on source s, the block's input (0) or layer s (from 1);
            nan where s does not come before t.
    """

    targets: tuple[tuple[str, ...], ...]
    weights: tuple[np.ndarray, ...]

    @property
    def nearest(self) -> float:
        """The weight of layers on the layer just before them, as a multiple of their mean over all sources; those with three or more."""
        shares = [row[t] / np.nanmean(row) for block in self.weights for t, row in enumerate(block[:-1]) if t >= 2]
        return float(np.mean(shares)) if shares else float("nan")

    @property
    def input(self) -> float:
        """The same of the block's input."""
        shares = [row[0] / np.nanmean(row) for block in self.weights for t, row in enumerate(block[:-1]) if t >= 2]
        return float(np.mean(shares)) if shares else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; of each target the weights on its sources in order."""
        blocks = zip(self.targets, self.weights, strict=True)
        rows = [
            [{"target": name, "weights": row[: t + 1].tolist()} for t, (name, row) in enumerate(zip(*one, strict=True))] for one in blocks
        ]
        return {"blocks": rows}


def measure(
    loaded: LoadedNet, images: Cifar10, values: Mapping[str, Any], progress: Progress = None, should_stop: ShouldStop = None
) -> Reuse:
    """Average the absolute weights; no image is looked at.

    Raises:
        Stopped: ``should_stop`` returned True.
    """
    blocks = readers(loaded.model.config)
    total, done, found = sum(len(block) for block in blocks), 0, []
    for block in blocks:
        weights = np.full((len(block), len(block)), np.nan)
        for row, reader in enumerate(block):
            if should_stop is not None and should_stop():
                raise Stopped
            weight = loaded.model.get_parameter(f"{reader.name}.weight").detach().double().abs().cpu()
            for source, part in enumerate(weight.split(reader.channels, 1)):
                weights[row, source] = float(part.mean())
            done += 1
            if progress is not None:
                progress(done, total)
        found.append(weights)
    return Reuse(tuple(tuple(reader.name for reader in block) for block in blocks), tuple(found))


def table(results: Sequence[Measured]) -> Table:
    """Of each block of each net the mean weight of its layers on its input, on the layer just before, and on all sources."""
    rows = []
    for one in results:
        for number, weights in enumerate(one.result.weights, start=1):
            inner = weights[:-1]
            first, near = float(inner[:, 0].mean()), float(np.diagonal(inner).mean())
            rows.append((one.label, number, len(inner), first, near, float(np.nanmean(inner)), float(np.nanmean(weights[-1]))))
    head = (
        tr("Net"),
        tr("Block"),
        tr("Layers"),
        tr("Mean |w| on the block's input"),
        tr("on the nearest source"),
        tr("on all sources"),
        tr("of what follows the block"),
    )
    return Table(head, tuple(rows))


def figure(results: Sequence[Measured], dark: bool = False) -> go.Figure:
    """A heat map of each block, one row of them for each net: sources from the top, what reads them from the left, as in Fig. 5."""
    maps = []
    for one in results:
        for number, (targets, weights) in enumerate(zip(one.result.targets, one.result.weights, strict=True), start=1):
            layers = [str(layer) for layer in range(1, len(targets))]
            last = tr("classifier") if number == len(one.result.targets) else tr("transition")
            maps.append(
                Panel(
                    tr("{label}, block {number}", label=one.label, number=number),
                    weights.T / np.nanmax(weights),
                    [tr("input"), *layers],
                    [*layers, last],
                )
            )
    columns = max(len(one.result.weights) for one in results)
    return heatmaps(maps, columns, tr("source"), tr("layer that reads"), dark)


def finding(results: Sequence[Measured]) -> str:
    """How much more weight layers put on the nearest source, and on the block's input, than on a source in the mean."""

    def of(one: Measured) -> str:
        if np.isnan(one.result.nearest):
            return tr("no block has three layers to compare")
        return tr(
            "{nearest:.2f} times on the nearest layer, {input:.2f} times on the block's input",
            nearest=one.result.nearest,
            input=one.result.input,
        )

    return tr("Mean absolute weight of a layer, against its mean over all its sources: {each_of}.", each_of=each_of(results, of))
