"""The loss surface around a trained net, in slices (Li et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet_core.architectures import ModelConfig
from resnet_core.attribution.methods import Parameter
from resnet_core.experiments.base import Experiment, Measured, Progress, ShouldStop, Table, each_of, first, whole_net_macs
from resnet_core.figures.lines import Line, lines_figure
from resnet_core.figures.surface import Slice, needs_log, surfaces_figure
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from resnet_core.data import Cifar10
    from resnet_core.nets.loading import LoadedNet

#: Nats above the net's own loss that the finding counts as near it.
NEAR = 1.0


def _half(values: Mapping[str, Any]) -> int:
    """Places to each side of the middle. A line has twice as many as the side of a plane."""
    return values["steps"] * (1 if _is_plane(values) else 2)


def _is_plane(values: Mapping[str, Any]) -> bool:
    return values["directions"] == "plane" and not values["towards"]


def _passes(model: ModelConfig, values: Mapping[str, Any]) -> int:
    points = 2 * _half(values) + 1
    return values["images"] * (1 + points ** (2 if _is_plane(values) else 1))


EXPERIMENT = Experiment(
    key="surface",
    title=mark("Loss surface"),
    module="resnet_core.experiments.surface",
    question=mark("How does the loss change when the weights move away from where training ended?"),
    source=mark("Li, Xu, Taylor, Studer and Goldstein: Visualizing the Loss Landscape of Neural Nets (NeurIPS 2018), "
"sections 3 and 4"),
    method=(
        mark("The mean cross-entropy on training images without augmentation, at the weights plus a times one "
"random direction, and b times another. Each filter of a direction is as long as the net's own "
"filter; biases and BN's parameters are not moved. BN keeps the running statistics of training "
"(evaluation mode). Towards another net of the same architecture, all weights and the running "
"statistics lie on the straight line from this net (0) to that one (1). Coarse places come first.")
    ),
    limits=(
        mark("Two directions of as many as there are weights: what is flat here may be steep elsewhere, and "
"another seed gives another slice. Running statistics do not fit moved weights, which raises the "
"loss far from the middle. Between two nets, a variance that the line takes below 0 counts as 0.")
    ),
    parameters=(
        Parameter(
            "directions", mark("directions"), "choice", "plane", choices=(("plane", mark("two: a plane")), ("line", mark("one: a line"))),
            help=mark("Of a plane a map is drawn, of a line a curve."),
        ),
        Parameter("steps", mark("steps each way"), "int", 5, 2, 25, 1,
            help=mark("5 make 11x11 places, 12 make 25x25; a line has twice the steps.")),
        Parameter("images", mark("training images"), "int", 200, 100, 5000, 100,
            help=mark("The first of the training set; of fewer, all.")),
        Parameter("reach", mark("reach"), "float", 1.0, 0.05, 2.0, 0.05, help=mark("How far it goes, as a multiple of the directions.")),
        Parameter("seed", mark("seed"), "int", 0, 0, 9999, 1, help=mark("Of the directions.")),
        Parameter(
            "towards", mark("towards"), "net", "", choices=(("", mark("at random")),),
            help=mark("Another net of the architecture of one that is chosen: the straight line from that one to it."),
        ),
    ),
    macs=lambda model, values: whole_net_macs(model) * _passes(model, values),
    passes=_passes,
    previews=True,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Surface:
    """The loss in a slice of one net's weights.

    Attributes:
        a, b: (A,) and (B,), places along the directions; b is (0,) of a line.
        loss: (A, B), mean cross-entropy in nats; nan where it is not finite.
        centre: at the net itself; n: images; towards: the net at a = 1, empty of random directions.
        cosine: of the two directions; None of a line.
    """

    a: np.ndarray
    b: np.ndarray
    loss: np.ndarray
    centre: float
    n: int
    towards: str = ""
    cosine: float | None = None

    @property
    def is_plane(self) -> bool:
        return len(self.b) > 1

    @property
    def near(self) -> float:
        """The part of the places whose loss is at most ``NEAR`` above that of the net."""
        return float((self.loss <= self.centre + NEAR).mean())

    @property
    def twice(self) -> float:
        """The part of the places whose loss is at most twice that of the net."""
        return float((self.loss <= 2 * self.centre).mean())

    @property
    def highest(self) -> float:
        """The highest finite loss; nan where there is none."""
        finite = self.loss[np.isfinite(self.loss)]
        return float(finite.max()) if len(finite) else float("nan")

    def at(self, a: float) -> float:
        """The loss of a line at a place on it."""
        return float(self.loss[int(np.abs(self.a - a).argmin()), 0])

    @property
    def ridge(self) -> float:
        """The highest loss from 0 to 1 of a line; nan where one there is not finite."""
        return float(self.loss[(self.a > -1e-9) & (self.a < 1 + 1e-9), 0].max())

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; None for what is not finite."""
        return {
            "n": self.n, "loss": _plain(self.centre), "towards": self.towards, "cosine": self.cosine,
            "a": self.a.tolist(), "b": self.b.tolist(), "losses": [[_plain(value) for value in row] for row in self.loss.tolist()],
            "share_within_1": self.near, "share_within_twice": self.twice, "highest": _plain(self.highest),
        }  # fmt: skip


def _plain(value: float) -> float | None:
    return value if np.isfinite(value) else None


def measure(
    loaded: LoadedNet,
    images: Cifar10,
    values: Mapping[str, Any],
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
    preview: Callable[[Surface], None] | None = None,
) -> Surface:
    """Compute the loss at all places, coarse ones first. The net comes back bit for bit.

    Args:
        preview: called with the slice at each of the coarser strides as soon as that is through.

    Raises:
        ConfigError: the net to go towards takes images that are normalised in another way.
        DataError: the images, which are held, take too much memory.
        Stopped: ``should_stop`` returned True.
    """
    from resnet_core.activations import images_at_once, in_batches
    from resnet_core.analysis.passes import check_labels
    from resnet_core.experiments import landscape, running

    net, train, plane = loaded.model, first(images.train, values["images"]), _is_plane(values)
    check_labels(train.labels, net.config.num_classes)
    running.check_room(loaded, 4 * 3 * loaded.side**2, len(train))
    other, cosine = values["towards"], None
    if other:
        from resnet_core.nets.loading import load

        directions = [landscape.direction_to(loaded, load(other, loaded.device.type))]
    else:
        directions = landscape.random_directions(net, values["seed"], 2 if plane else 1)
    if plane:
        cosine = landscape.cosine(*directions)
    size = images_at_once(net, running.AT_ONCE)
    batches = [
        (loaded.normalize(train.images[i : i + size]), train.labels[i : i + size].to(loaded.device)) for i in range(0, len(train), size)
    ]
    half = _half(values)
    along, across = range(-half, half + 1), range(-half, half + 1) if plane else range(1)
    found: dict[tuple[int, int], float] = {}
    centre = float("nan")

    def place(i: int) -> float:
        return 0.5 + i / half if other else values["reach"] * i / half

    def seen(rows: range, columns: range) -> Surface:
        losses = np.array([[found[i, j] for j in columns] for i in rows])
        at = [np.array([place(i) for i in each]) for each in (rows, columns)]
        return Surface(at[0], at[1] if plane else np.zeros(1), losses, centre, len(train), other.name if other else "", cosine)

    with landscape.moving(net, directions) as moved:
        steps = in_batches(len(train) * (1 + len(along) * len(across)), len(train), progress, should_stop)
        next(steps)
        centre = landscape.mean_loss(loaded, batches)
        for stride, rows in landscape.coarse_first(half):
            columns = rows if plane else across
            for i, j in ((i, j) for i in rows for j in columns if (i, j) not in found):
                next(steps)
                moved.to(*(place(i), place(j))[: len(directions)])
                found[i, j] = landscape.mean_loss(loaded, batches)
            if preview is not None and stride > 1:
                preview(seen(rows, columns))
        next(steps, None)  # which tells that the last is done
    return seen(along, across)


def table(results: Sequence[Measured]) -> Table:
    """The loss of each net, the highest of its slice, and how much of the slice is near its own."""
    rows = []
    for one in results:
        found: Surface = one.result
        count, bad = found.loss.size, int((~np.isfinite(found.loss)).sum())
        rows.append((one.label, _plain(found.centre), _plain(found.highest), 100 * found.near, 100 * found.twice, count, bad))
    head = (
        tr("Net"),
        tr("Its loss (nats)"),
        tr("Highest loss"),
        tr("Places at most {near:g} above (%)", near=NEAR),
        tr("at most twice as high (%)"),
        tr("Places"),
        tr("not finite"),
    )
    return Table(head, tuple(rows))


def figure(results: Sequence[Measured], dark: bool = False) -> go.Figure:
    """Of planes a map and a surface for each net, all on one colour scale; of lines the loss along them."""
    if results[0].result.is_plane:
        return surfaces_figure([Slice(one.label, one.result.a, one.result.b, one.result.loss) for one in results], dark)
    lines = [Line(one.key, one.label, one.model, one.result.a, one.result.loss[:, 0]) for one in results]
    x_title = tr("from the net (0) to the other (1)") if results[0].result.towards else tr("a, along the direction")
    return lines_figure(lines, x_title, tr("training loss (nats)"), dark, log=needs_log([one.result.loss for one in results]))


def finding(results: Sequence[Measured]) -> str:
    """How much of the slice is as low as the net, or the ridge between two nets."""

    def told(loss: float) -> str:
        return f"{loss:.2f}" if np.isfinite(loss) else tr("not finite")

    def of(one: Measured) -> str:
        found: Surface = one.result
        if found.towards:
            return tr(
                "{told} at the net, {told2} at {towards}, at most {told3} between them",
                told=told(found.at(0)),
                told2=told(found.at(1)),
                towards=found.towards,
                told3=told(found.ridge),
            )
        return tr("{near:.0f} % (its own loss is {told})", near=100 * found.near, told=told(found.centre))

    found = results[0].result
    if found.towards:
        return tr(
            "Loss in nats on {n:,} training images, on the straight line from one net to another: {each_of}.",
            n=found.n,
            each_of=each_of(results, of),
        )
    shape = (
        tr("{value}x{bs} places of a plane", value=len(found.a), bs=len(found.b))
        if found.is_plane
        else tr("{value} places of a line", value=len(found.a))
    )
    return tr(
        "Part of {shape} whose loss on {n:,} training images is at most {near:g} nat above the net's own: {each_of}.",
        shape=shape,
        n=found.n,
        near=NEAR,
        each_of=each_of(results, of),
    )
