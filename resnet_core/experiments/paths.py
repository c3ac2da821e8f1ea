"""Paths through a residual net by their length, and where the gradient comes from (Veit, Wilber and Belongie 2016, section 4.3)."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet_core.attribution.methods import Parameter
from resnet_core.experiments.base import Experiment, Measured, Progress, ShouldStop, Table, each_of, needs_addition, whole_net_macs
from resnet_core.figures.lines import Line, lines_figure
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from resnet_core.data import Cifar10
    from resnet_core.nets.loading import LoadedNet

EXPERIMENT = Experiment(
    key="paths",
    title=mark("Paths"),
    module="resnet_core.experiments.paths",
    question=mark("Along paths of which length does the gradient reach the first block?"),
    source=mark(
        "Veit, Wilber and Belongie: Residual Networks Behave Like Ensembles of Relatively Shallow Networks (NeurIPS 2016), section 4.3"
    ),
    method=(
        mark(
            "A net of n blocks has 2^n paths: through each block either its branch or its skip. On the way back "
            "from the loss, k blocks are drawn; through these the gradient takes the branch alone, through the "
            "others the skip alone; its norm at the input of the first block is the mean over the draws. Times "
            "the number of paths of that length, it is their share. Forward, the net is whole."
        )
    ),
    limits=(
        mark(
            "Norms of single paths do not add up like the gradients themselves, which point in different "
            "directions; so the shares say along which lengths gradient flows, not how much of the sum they "
            "make. Where dimensions change, the skip is no identity."
        )
    ),
    parameters=(
        Parameter("draws", mark("draws of each length"), "int", 4, 1, 200, 1, help=mark("Sets of blocks drawn for each length.")),
        Parameter("images", mark("training images"), "int", 32, 2, 512, 2, help=mark("The first of the training set, as one batch.")),
        Parameter("seed", mark("seed"), "int", 0, 0, 9999, 1, help=mark("Of the draws.")),
    ),
    macs=lambda model, values: 2 * whole_net_macs(model) * values["images"] * values["draws"] * len(model.plan().units),
    refusal=needs_addition,
)


@dataclass(frozen=True, eq=False)
class Paths:
    """Gradients by path length.

    Attributes:
        n: blocks; norm: (n + 1,), mean norm of the gradient along one path of each length, 0 to n.
        low, high: (n + 1,), the smallest and largest of the draws; images, draws: of what it was measured.
    """

    n: int
    norm: np.ndarray
    low: np.ndarray
    high: np.ndarray
    images: int
    draws: int

    @property
    def paths(self) -> np.ndarray:
        """(n + 1,), the part of all 2^n paths that has each length: binomial."""
        return np.array([math.comb(self.n, k) / 2**self.n for k in range(self.n + 1)])

    @property
    def share(self) -> np.ndarray:
        """(n + 1,), norm times number of paths, as part of the sum of that."""
        product = self.norm * self.paths
        return product / product.sum()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        rows = zip(self.norm.tolist(), self.paths.tolist(), self.share.tolist(), strict=True)
        lengths = [{"length": k, "norm": norm, "paths": paths, "share": share} for k, (norm, paths, share) in enumerate(rows)]
        return {"blocks": self.n, "images": self.images, "draws": self.draws, "lengths": lengths}


def between(shares: np.ndarray, part: float) -> tuple[int, int]:
    """The lengths between which ``part`` of shares (n + 1,) lies, the rest on both sides equally."""
    total = np.cumsum(shares)
    return int(np.searchsorted(total, (1 - part) / 2)), int(np.searchsorted(total, (1 + part) / 2))


def measure(
    loaded: LoadedNet, images: Cifar10, values: Mapping[str, Any], progress: Progress = None, should_stop: ShouldStop = None
) -> Paths:
    """Draw paths of each length and measure the gradient along them.

    Raises:
        DataError: the inputs of all blocks, which are held, take too much memory.
        Stopped: ``should_stop`` returned True.
    """
    import torch

    from resnet_core.activations import check_stop
    from resnet_core.experiments import running

    batch = images.train.part(0, values["images"])
    running.check_room(loaded, sum(running.held_bytes(loaded.model)), len(batch))
    draw = np.random.default_rng(values["seed"])
    n = len(loaded.model.plan.units)
    norms = np.zeros((n + 1, values["draws"]))
    walker = Walker(loaded, batch.images, batch.labels)
    done, total = 0, norms.size
    for k in range(n + 1):
        for i in range(values["draws"]):
            check_stop(should_stop)
            chosen = set(draw.choice(n, k, replace=False).tolist())
            norms[k, i] = float(torch.linalg.vector_norm(walker.gradient(chosen).double()))
            done += 1
            if progress is not None:
                progress(done, total)
    return Paths(n, norms.mean(1), norms.min(1), norms.max(1), len(batch), values["draws"])


class Walker:
    """The gradient of the mean loss at the input of the first block, along single paths; the net is in evaluation mode meanwhile."""

    def __init__(self, loaded: LoadedNet, images: Any, labels: Any):
        import torch

        from resnet_core.analysis.passes import untouched
        from resnet_core.experiments import running

        net = loaded.model
        self.blocks = net.blocks()
        with untouched(net):
            net.eval()
            with torch.no_grad():
                self.inputs = list(running.inputs(net, loaded.normalize(images)))
            last = self.inputs[-1].requires_grad_()
            loss = torch.nn.functional.cross_entropy(running.head(net, last).float(), labels.to(last.device))
            (self.end,) = torch.autograd.grad(loss, last)
        self.net = net

    def gradient(self, branches: Container[int]) -> Any:
        """(B, C, H, W), along the path through the branches of these blocks and the skips of all others."""
        from resnet_core.analysis.passes import untouched

        gradient = self.end
        with untouched(self.net):
            self.net.eval()
            for i in reversed(range(len(self.blocks))):
                gradient = _back(self.blocks[i], self.inputs[i], gradient, i in branches)
        return gradient


def _back(block: Any, x: Any, gradient: Any, branch: bool) -> Any:
    """The gradient at a block's input from that at its output, through one of its two ways; what follows the sum is of both."""
    import torch

    with torch.enable_grad():
        x = x.detach().requires_grad_()
        shared = x
        for part in block.unit.before:
            shared = block.get_submodule(part.name)(shared)
        ways = block.branch(shared), block.shortcut(shared)
        total = block.join(*ways)
        y = total
        for part in block.unit.after:
            y = block.get_submodule(part.name)(y)
        at_sum = gradient if y is total else torch.autograd.grad(y, total, gradient, retain_graph=True)[0]
        return torch.autograd.grad(ways[0 if branch else 1], x, at_sum)[0]


def table(results: Sequence[Measured]) -> Table:
    """Blocks, the lengths that carry nine tenths of the share, and the lengths that nine tenths of the paths have."""
    rows = []
    for one in results:
        gradient, paths = (between(each, 0.9) for each in (one.result.share, one.result.paths))
        rows.append(
            (
                one.label,
                one.result.n,
                tr("{gradient} to {gradient2}", gradient=gradient[0], gradient2=gradient[1]),
                tr("{paths} to {paths2}", paths=paths[0], paths2=paths[1]),
            )
        )
    return Table((tr("Net"), tr("Blocks"), tr("90 % of the gradient: lengths"), tr("90 % of the paths: lengths")), tuple(rows))


def figure(results: Sequence[Measured], dark: bool = False) -> go.Figure:
    """The share of each length, and dotted the part of the paths that has it."""
    lines = []
    for one in results:
        place = np.arange(one.result.n + 1)
        lines.append(Line(one.key, tr("{label}, gradient", label=one.label), one.model, place, 100 * one.result.share))
        lines.append(Line(one.key, tr("{label}, paths", label=one.label), one.model, place, 100 * one.result.paths, dash="dot"))
    return lines_figure(lines, tr("length of the path: blocks whose branch it takes"), tr("part (%)"), dark)


def finding(results: Sequence[Measured]) -> str:
    """Between which lengths the share lies."""

    def of(one: Measured) -> str:
        low, high = between(one.result.share, 0.9)
        return tr("from {low} to {high} of {n} blocks", low=low, high=high, n=one.result.n)

    found = results[0].result
    how = tr("{draws} draws a length, {images} images", draws=found.draws, images=found.images)
    return tr("Nine tenths of the gradient's share ({how}) come along paths: {each_of}.", how=how, each_of=each_of(results, of))
