"""What the net would say if it stopped after a block: a linear classifier on each block's pooled output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet_core.attribution.methods import Parameter
from resnet_core.experiments import readout_picture
from resnet_core.experiments.base import (
    PICTURE,
    Experiment,
    Measured,
    Progress,
    ShouldStop,
    Table,
    each_of,
    first,
    images_parameter,
    whole_net_macs,
)
from resnet_core.experiments.readout_picture import OnePicture
from resnet_core.figures.lines import Line, lines_figure
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from resnet_core.data import Cifar10
    from resnet_core.nets.loading import LoadedNet

EXPERIMENT = Experiment(
    key="readout",
    title=mark("Block by block"),
    module="resnet_core.experiments.readout",
    question=mark("What would the net say if it stopped after a block?"),
    source=mark("Alain and Bengio: Understanding intermediate layers using linear classifier probes (2016)"),
    method=(
        mark(
            "The output of each block is averaged over its positions, and a ridge regression on the one-hot "
            "classes is fitted to it on the sample's training images, in closed form, with standardised "
            "features; its error is counted on test images. Of one of these the class with the highest score is "
            "shown after each block. The net is not changed."
        )
    ),
    limits=(
        mark(
            "A linear readout of averages: what it cannot read may be there all the same. The blocks were not "
            "trained to be read, and the readout of a wide block has more weights than that of a narrow one. A "
            "score is a regression on 0 and 1, and no probability."
        )
    ),
    parameters=(
        images_parameter(),
        Parameter(
            "train", mark("training images"), "int", 5000, 500, 50_000, 500, help=mark("The first of the training set; of fewer, all.")
        ),
        Parameter(
            "ridge",
            mark("ridge"),
            "float",
            1.0,
            1e-3,
            1e4,
            0.1,
            help=mark("Penalty on the squared weights, times the number of images / 1,000."),
        ),
        PICTURE,
    ),
    macs=lambda model, values: whole_net_macs(model) * (values["images"] + values["train"]),
    views=("picture",),
)


@dataclass(frozen=True, eq=False)
class Readout:
    """Errors of a readout after each block.

    Attributes:
        blocks: names of the B blocks; wrong: (B,) int64, test images that the readout behind a block gets wrong.
        whole: those that the net itself gets wrong; n: test images; train: training images.
        scores: float32 (B, n, classes), the readouts' answers; said: (n,), the net's own; labels: (n,), the true classes.
        classes: their names.
    """

    blocks: tuple[str, ...]
    wrong: np.ndarray
    whole: int
    n: int
    train: int
    scores: np.ndarray
    said: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]

    @property
    def errors(self) -> np.ndarray:
        """(B,), in percent."""
        return 100.0 * self.wrong / self.n

    def at(self, part: float) -> float:
        """The error after that part of the blocks, 0 to 1, in percent."""
        return float(self.errors[max(0, round(part * len(self.blocks)) - 1)])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; errors in percent."""
        errors = {"error": 100.0 * self.whole / self.n, "errors": self.errors.tolist()}
        return {"n": self.n, "train": self.train, "blocks": list(self.blocks), **errors}


def measure(
    loaded: LoadedNet, images: Cifar10, values: Mapping[str, Any], progress: Progress = None, should_stop: ShouldStop = None
) -> Readout:
    """Fit and test the readouts.

    Raises:
        Stopped: ``should_stop`` returned True.
    """
    import torch

    from resnet_core.activations import images_at_once, in_batches
    from resnet_core.analysis.passes import check_labels, untouched
    from resnet_core.experiments import running

    net = loaded.model
    test, train = (
        first(images.test, values["images"]),
        first(images.train, values["train"]),
    )
    check_labels(train.labels, net.config.num_classes)
    both, labels = torch.cat([train.images, test.images]), torch.cat([train.labels, test.labels])
    pooled: list[list[torch.Tensor]] = [[] for _ in net.plan.units]
    said: list[torch.Tensor] = []
    with torch.no_grad(), untouched(net):
        net.eval()
        for start, stop in in_batches(len(both), images_at_once(net), progress, should_stop):
            with loaded.plan.autocast():
                steps = running.inputs(net, loaded.normalize(both[start:stop]))
                next(steps)
                for held, x in zip(pooled, steps, strict=True):
                    held.append(x.float().mean((2, 3)).cpu())
                said.append(running.head(net, x).argmax(1).cpu())
    split, wrong, scores = len(train), [], []
    for held in pooled:
        x = torch.cat(held).double()
        answers = ridge(x[:split], labels[:split], x[split:], values["ridge"] * split / 1000, net.config.num_classes)
        scores.append(answers.float().numpy())
        wrong.append(int((answers.argmax(1) != test.labels).sum()))
    own, names = torch.cat(said)[split:], tuple(unit.name for unit in net.plan.units)
    counts = np.array(wrong), int((own != test.labels).sum()), len(test), split
    return Readout(names, *counts, np.stack(scores), own.numpy(), test.labels.numpy(), images.classes)


def view(found: Readout, values: Mapping[str, Any]) -> Readout | OnePicture:
    """All test images, or one of them.

    Raises:
        DataError: that one was not read.
    """
    return found if values["picture"] is None else readout_picture.of(found, values["picture"])


def ridge(x: Any, labels: Any, queries: Any, penalty: float, classes: int) -> Any:
    """Fit one-hot ``labels`` (N,) to ``x`` (N, C), float64, and answer (M, classes) for ``queries`` (M, C). The intercept has no penalty.

    Features are standardised by the training set; one that is constant counts for nothing.
    """
    import torch

    mean, std = x.mean(0), x.std(0)
    x, queries = ((each - mean) / torch.where(std > 0, std, torch.inf) for each in (x, queries))
    wanted = torch.nn.functional.one_hot(labels, classes).double()
    weights = torch.linalg.solve(x.T @ x + penalty * torch.eye(x.shape[1], dtype=x.dtype), x.T @ (wanted - wanted.mean(0)))
    return queries @ weights + wanted.mean(0)


def table(results: Sequence[Measured]) -> Table:
    """The error after a quarter, a half, three quarters and all of the blocks, and the net's own."""
    if isinstance(results[0].result, OnePicture):
        return readout_picture.table(results)
    rows = [
        (one.label, *(one.result.at(part) for part in (0.25, 0.5, 0.75, 1.0)), 100.0 * one.result.whole / one.result.n) for one in results
    ]
    return Table(
        (tr("Net"), tr("after 1/4 (%)"), tr("after 1/2 (%)"), tr("after 3/4 (%)"), tr("after all (%)"), tr("its own classifier (%)")),
        tuple(rows),
    )


def figure(results: Sequence[Measured], dark: bool = False) -> go.Figure:
    """The readout's error over the blocks."""
    if isinstance(results[0].result, OnePicture):
        return readout_picture.figure(results, dark)
    lines = []
    for one in results:
        place = np.arange(1, len(one.result.blocks) + 1) / len(one.result.blocks)
        lines.append(Line(one.key, one.label, one.model, place, one.result.errors, one.result.blocks))
    return lines_figure(lines, tr("after which block, as part of the depth"), tr("error of the readout (%)"), dark)


def finding(results: Sequence[Measured]) -> str:
    """The errors halfway and at the end."""
    if isinstance(results[0].result, OnePicture):
        return readout_picture.finding(results)

    def of(one: Measured) -> str:
        return tr("{at:.1f} % after half of the blocks, {at2:.1f} % after all", at=one.result.at(0.5), at2=one.result.at(1.0))

    found = results[0].result
    return tr(
        "Error of a linear readout on {n:,} test images, fitted on {train:,}: {each_of}.",
        n=found.n,
        train=found.train,
        each_of=each_of(results, of),
    )
