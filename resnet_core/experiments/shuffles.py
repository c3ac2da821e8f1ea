"""Several blocks deleted, or swapped with each other, at random (Veit, Wilber and Belongie 2016, sections 4.2 and 4.3)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet_core.architectures import ModelConfig
from resnet_core.attribution.methods import Parameter
from resnet_core.experiments.base import Experiment, Measured, Progress, ShouldStop, Table, each_of, first, images_parameter, whole_net_macs
from resnet_core.figures.lines import Line, lines_figure
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from resnet_core.data import Cifar10
    from resnet_core.nets.loading import LoadedNet

#: Blocks deleted, and pairs swapped, as far as a net has so many.
COUNTS = (1, 2, 3, 5, 7, 10, 15, 20)


def _movable(model: ModelConfig) -> list[int]:
    """The blocks that leave dimensions as they are: they can be deleted, and those of one stage swapped."""
    return [i for i, unit in enumerate(model.plan().units) if not unit.dimensions_change]


def _counts(model: ModelConfig) -> list[int]:
    return [count for count in COUNTS if count < len(_movable(model))]


def _refusal(model: ModelConfig) -> str:
    return "" if len(_movable(model)) > 2 else tr("it has too few blocks that leave dimensions as they are.")


EXPERIMENT = Experiment(
    key="shuffles",
    title=mark("Deletions and swaps"),
    module="resnet_core.experiments.shuffles",
    question=mark("How does the error grow as blocks are deleted, or swapped?"),
    source=mark("Veit, Wilber and Belongie: Residual Networks Behave Like Ensembles of Relatively Shallow Networks (NeurIPS 2016)"),
    method=(
        mark(
            "So many blocks that leave dimensions as they are, drawn at random, are deleted, their skips stay; "
            "or so many randomly drawn pairs of blocks of one stage change places. Mean and range over draws; of "
            "swaps also Kendall's tau of the new order with the old."
        )
    ),
    limits=mark("The net was trained whole and in its order. Few draws tell the mean, not the extremes."),
    parameters=(
        images_parameter(500, 5_000),
        Parameter("draws", mark("draws"), "int", 3, 1, 50, 1, help=mark("Of each number of blocks.")),
        Parameter("seed", mark("seed"), "int", 0, 0, 9999, 1, help=mark("Of the draws.")),
    ),
    macs=lambda model, values: whole_net_macs(model) * values["images"] * values["draws"] * 2 * len(_counts(model)),
    refusal=_refusal,
)


@dataclass(frozen=True, eq=False)
class Shuffles:
    """Errors of one net, damaged at random.

    Attributes:
        counts: (K,), blocks deleted, and pairs swapped.
        deleted, swapped: (K, draws), errors in percent; tau: (K, draws), Kendall's tau of the swapped order.
        whole: the error of the net, in percent; n: images.
    """

    counts: tuple[int, ...]
    deleted: np.ndarray
    swapped: np.ndarray
    tau: np.ndarray
    whole: float
    n: int

    def after(self, count: int, what: str = "deleted") -> float | None:
        """The mean error after so many deletions or swaps; None if that was not measured."""
        return float(getattr(self, what)[self.counts.index(count)].mean()) if count in self.counts else None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        rows = zip(self.counts, self.deleted.tolist(), self.swapped.tolist(), self.tau.tolist(), strict=True)
        found = [{"count": count, "deleted": deleted, "swapped": swapped, "tau": tau} for count, deleted, swapped, tau in rows]
        return {"n": self.n, "error": self.whole, "damages": found}


def kendall(order: Sequence[int]) -> float:
    """Kendall's tau of a permutation of 0 to n - 1 with the identity."""
    pairs = list(itertools.combinations(order, 2))
    return sum(1 if a < b else -1 for a, b in pairs) / len(pairs)


def swaps(model: ModelConfig, count: int, draw: np.random.Generator) -> list[int]:
    """Draw pairs of movable blocks of one stage, one after the other, and return the order that comes of it."""
    units = model.plan().units
    pairs = [pair for pair in itertools.combinations(_movable(model), 2) if units[pair[0]].stage == units[pair[1]].stage]
    order = list(range(len(units)))
    for i in draw.choice(len(pairs), count):
        a, b = pairs[i]
        order[a], order[b] = order[b], order[a]
    return order


def measure(
    loaded: LoadedNet, images: Cifar10, values: Mapping[str, Any], progress: Progress = None, should_stop: ShouldStop = None
) -> Shuffles:
    """Count the errors of nets with blocks deleted and swapped.

    Raises:
        DataError: the inputs of the first block, which are held, take too much memory.
        Stopped: ``should_stop`` returned True.
    """
    import torch

    from resnet_core.activations import images_at_once, in_batches
    from resnet_core.analysis.passes import check_labels, untouched
    from resnet_core.experiments import running

    net, test = loaded.model, first(images.test, values["images"])
    check_labels(test.labels, net.config.num_classes)
    running.check_room(loaded, running.held_bytes(net)[0], len(test))
    draw, blocks, counts = np.random.default_rng(values["seed"]), net.blocks(), _counts(net.config)
    gone = [[set(draw.choice(_movable(net.config), k, replace=False).tolist()) for _ in range(values["draws"])] for k in counts]
    orders = [[swaps(net.config, k, draw) for _ in range(values["draws"])] for k in counts]
    wrong = np.zeros((2, len(counts), values["draws"]), dtype=np.int64)
    whole, jobs = 0, list(itertools.product(range(len(counts)), range(values["draws"])))
    size = images_at_once(net)
    batches = -(-len(test) // size)
    with torch.no_grad(), untouched(net), loaded.plan.autocast():
        net.eval()
        starts = [running.stem(net, loaded.normalize(test.images[i * size : (i + 1) * size])) for i in range(batches)]
        labels = [test.labels[i * size : (i + 1) * size].to(loaded.device) for i in range(batches)]

        def missed(i: int, order: Sequence[int], without: set[int]) -> int:
            x = starts[i]
            for place in order:
                x = running.without(blocks[place], x) if place in without else blocks[place](x)
            return int((running.head(net, x).argmax(1) != labels[i]).sum())

        usual = range(len(blocks))
        steps = in_batches(len(test) * (1 + 2 * len(jobs)), len(test), progress, should_stop)
        next(steps)
        whole = sum(missed(i, usual, set()) for i in range(batches))
        for (k, d), _ in zip(jobs, steps, strict=False):
            wrong[0, k, d] = sum(missed(i, usual, gone[k][d]) for i in range(batches))
        for (k, d), _ in zip(jobs, steps, strict=False):
            wrong[1, k, d] = sum(missed(i, orders[k][d], set()) for i in range(batches))
        next(steps, None)  # which tells that the last is done
    tau = np.array([[kendall(order) for order in each] for each in orders])
    errors = 100.0 * wrong / len(test)
    return Shuffles(tuple(counts), errors[0], errors[1], tau, 100.0 * whole / len(test), len(test))


def table(results: Sequence[Measured]) -> Table:
    """Mean errors after 1, 3, 5 and 10 deletions, and as many swaps."""
    shown = (1, 3, 5, 10)
    rows = []
    for one in results:
        found: Shuffles = one.result
        rows.append((one.label, found.whole, *(found.after(k, what) for what in ("deleted", "swapped") for k in shown)))
    return Table(
        (tr("Net"), tr("Whole (%)"), *(tr("{k} deleted (%)", k=k) for k in shown), *(tr("{k} swapped (%)", k=k) for k in shown)),
        tuple(rows),
    )


def figure(results: Sequence[Measured], dark: bool = False) -> go.Figure:
    """The mean error over the number of blocks, deleted (solid, with its range) and swapped (dotted)."""
    lines = []
    for one in results:
        found: Shuffles = one.result
        x, low, high = np.array([0, *found.counts]), found.deleted.min(1), found.deleted.max(1)
        start = [found.whole]
        low, high, mean = (np.concatenate([start, each]) for each in (low, high, found.deleted.mean(1)))
        lines.append(Line(one.key, tr("{label}, deleted", label=one.label), one.model, x, mean, low=low, high=high))
        lines.append(
            Line(one.key, tr("{label}, swapped", label=one.label), one.model, x, np.concatenate([start, found.swapped.mean(1)]), dash="dot")
        )
    guessing = 100.0 - 100.0 / results[0].model.num_classes
    return lines_figure(lines, tr("blocks deleted, or pairs swapped"), tr("error (%)"), dark, levels=[(guessing, tr("guessing"))])


def finding(results: Sequence[Measured]) -> str:
    """The errors after one and after five deletions."""

    def of(one: Measured) -> str:
        found: Shuffles = one.result
        many = max(count for count in found.counts if count <= 5)
        return tr(
            "{after:.1f} % without one block, {after2:.1f} % without {many}", after=found.after(1), after2=found.after(many), many=many
        )

    found = results[0].result
    return tr(
        "Mean error over {shape} draws on {n:,} test images: {each_of}.",
        shape=found.deleted.shape[1],
        n=found.n,
        each_of=each_of(results, of),
    )
