"""Lesions: what each block of a trained net is worth, by deleting it (Veit, Wilber and Belongie 2016, section 4.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet_core.architectures import ModelConfig
from resnet_core.attribution.methods import Parameter
from resnet_core.experiments.base import Experiment, Measured, Progress, ShouldStop, Table, first, whole_net_macs
from resnet_core.figures.lines import Line, lines_figure
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from resnet_core.data import Cifar10
    from resnet_core.nets.loading import LoadedNet


def _macs(model: ModelConfig, values: Mapping[str, Any]) -> float:
    blocks = len(model.plan().units)  # of each deletion, what comes behind the block
    return whole_net_macs(model) * values["images"] * (1 + blocks / 2)


EXPERIMENT = Experiment(
    key="lesions",
    title=mark("Lesions"),
    module="resnet_core.experiments.lesions",
    question=mark("What happens if one block of a trained net is deleted?"),
    source=mark("Veit, Wilber and Belongie: Residual Networks Behave Like Ensembles of Relatively Shallow Networks (NeurIPS 2016)"),
    method=(
        mark(
            "Each block is deleted in turn, its skip stays, and the error on the same test images is counted; "
            "weights and running statistics stay as they are. A plain block has no skip: in its place stands the "
            "identity, or where dimensions change every second pixel with zeros for the new channels."
        )
    ),
    limits=(
        mark(
            "A deleted block was trained with the others: that a net survives without it does not say that it "
            "learned nothing, and a net trained without it may be as good. The error is of so many test images, "
            "without training on."
        )
    ),
    parameters=(Parameter("images", mark("test images"), "int", 1000, 100, 10_000, 100, help=mark("The first of the test set.")),),
    macs=_macs,
)


@dataclass(frozen=True, eq=False)
class Lesions:
    """Errors of one net, whole and without each of its blocks.

    Attributes:
        blocks: names of the B blocks in order; dimensions_change: (B,) bool.
        wrong: (B,) int64, images that the net without that block takes for something else; whole: the same of the whole net.
        n: images.
    """

    blocks: tuple[str, ...]
    dimensions_change: np.ndarray
    wrong: np.ndarray
    whole: int
    n: int

    @property
    def errors(self) -> np.ndarray:
        """(B,), in percent."""
        return 100.0 * self.wrong / self.n

    @property
    def increase(self) -> np.ndarray:
        """(B,), points of error that the deletion costs."""
        return self.errors - 100.0 * self.whole / self.n

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "blocks": list(self.blocks), "dimensions_change": self.dimensions_change.tolist(), "n": self.n,
            "error": 100.0 * self.whole / self.n, "errors": self.errors.tolist(),
            "median_increase": float(np.median(self.increase)), "largest_increase": float(self.increase.max()),
        }  # fmt: skip


def measure(
    loaded: LoadedNet, images: Cifar10, values: Mapping[str, Any], progress: Progress = None, should_stop: ShouldStop = None
) -> Lesions:
    """Count the errors without each block. What comes before a block is computed once for all deletions behind it.

    Raises:
        Stopped: ``should_stop`` returned True.
    """
    import torch

    from resnet_core.activations import images_at_once, in_batches
    from resnet_core.analysis.passes import check_labels, untouched
    from resnet_core.experiments import running

    net, test = loaded.model, first(images.test, values["images"])
    check_labels(test.labels, net.config.num_classes)
    blocks = net.blocks()
    wrong, whole = torch.zeros(len(blocks), dtype=torch.int64), 0

    def missed(y: torch.Tensor, labels: torch.Tensor) -> int:
        return int((running.head(net, y).argmax(1) != labels).sum())

    with torch.no_grad(), untouched(net):
        net.eval()
        for start, stop in in_batches(len(test), images_at_once(net), progress, should_stop):
            labels = test.labels[start:stop].to(loaded.device)
            with loaded.plan.autocast():
                x = running.stem(net, loaded.normalize(test.images[start:stop]))
                for i, block in enumerate(blocks):
                    wrong[i] += missed(running.through(blocks[i + 1 :], running.without(block, x)), labels)
                    x = block(x)
                whole += missed(x, labels)
    units = [block.unit for block in blocks]
    changes = np.array([unit.dimensions_change for unit in units])
    return Lesions(tuple(unit.name for unit in units), changes, wrong.numpy(), whole, len(test))


def table(results: Sequence[Measured]) -> Table:
    """Error of each net whole, and how much the deletion of one block costs."""
    rows = []
    for each in results:
        found: Lesions = each.result
        worst = int(found.increase.argmax())
        rows.append(
            (each.label, 100.0 * found.whole / found.n, float(np.median(found.increase)), float(found.increase.max()), found.blocks[worst])
        )
    return Table(
        (tr("Net"), tr("Error whole (%)"), tr("Median increase (points)"), tr("Largest increase (points)"), tr("at block")), tuple(rows)
    )


def figure(results: Sequence[Measured], dark: bool = False) -> go.Figure:
    """The error without each block, over the blocks in their order; an open symbol where dimensions change."""
    lines = []
    for each in results:
        found: Lesions = each.result
        place = np.arange(1, len(found.blocks) + 1) / len(found.blocks)
        lines.append(Line(each.key, each.label, each.model, place, found.errors, found.blocks, marked=found.dimensions_change))
    classes = results[0].model.num_classes
    return lines_figure(
        lines,
        tr("deleted block, as part of the depth"),
        tr("error without it (%)"),
        dark,
        levels=[(100.0 - 100.0 / classes, tr("guessing"))],
    )


def finding(results: Sequence[Measured]) -> str:
    """Which nets lose least by a deletion, in these numbers."""
    ordered = sorted(results, key=lambda each: float(np.median(each.result.increase)))
    parts = [
        tr(
            "{label}: {median:.1f} points in the median, {increase:.1f} at most",
            label=each.label,
            median=float(np.median(each.result.increase)),
            increase=float(each.result.increase.max()),
        )
        for each in ordered
    ]
    n = results[0].result.n
    return tr("Error that the deletion of one block adds, on {n:,} test images: {parts}.", n=n, parts="; ".join(parts))
