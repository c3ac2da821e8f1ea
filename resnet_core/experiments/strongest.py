"""The test images that a channel answers to most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet_core.attribution.layers import outputs_of
from resnet_core.attribution.methods import Parameter
from resnet_core.errors import DataError
from resnet_core.experiments.base import Experiment, Measured, Progress, ShouldStop, Table, each_of, first, images_parameter, whole_net_macs
from resnet_core.experiments.maps import LAYER
from resnet_core.figures.pictures import Sheet, sheets
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from resnet_core.data import Cifar10
    from resnet_core.nets.loading import LoadedNet

#: As many as are held of each channel.
MOST = 12
BY = {"maximum": mark("maximum"), "mean": mark("mean")}

EXPERIMENT = Experiment(
    key="strongest",
    title=mark("Strongest images"),
    module="resnet_core.experiments.strongest",
    question=mark("Which pictures does a channel answer to most?"),
    source=mark("Zeiler and Fergus: Visualizing and Understanding Convolutional Networks (ECCV 2014), Figure 2"),
    method=(
        mark(
            "All test images go through the net, and of each channel of a layer the maximum and the mean over "
            "its positions are kept; the images with the greatest ones are shown, with their classes and values. "
            "Once they are there, another channel takes no time."
        )
    ),
    limits=(
        mark(
            "The strongest images show what drives a channel to its utmost, among these images alone; what it "
            "does for all others may be something else, and a channel need not stand for anything that has a "
            "name."
        )
    ),
    parameters=(
        LAYER,
        images_parameter(),
        Parameter("channel", mark("channel"), "int", 0, 0, 4095, 1, help=mark("Of the layer, counted from 0.")),
        Parameter(
            "by",
            mark("strongest by"),
            "choice",
            "maximum",
            choices=tuple(BY.items()),
            help=mark("Over the positions of the channel's map."),
        ),
        Parameter("top", mark("pictures"), "int", 8, 1, MOST, 1, help=mark("The strongest first.")),
    ),
    macs=lambda model, values: whole_net_macs(model) * values["images"],
    labelled=False,
    views=("channel", "by", "top"),
)


@dataclass(frozen=True, eq=False)
class Activations:
    """The strongest of all channels of a layer.

    Attributes:
        layer: its name; n: test images.
        order: int64 (2, C, T), the images with the greatest maximum and mean, the strongest first; value: float32 (2, C, T), these.
        labels: (n,), indices into ``classes``; pictures: image -> uint8 (3, 32, 32), of those in ``order``.
    """

    layer: str
    n: int
    order: np.ndarray
    value: np.ndarray
    labels: np.ndarray
    pictures: Mapping[int, np.ndarray]
    classes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"layer": self.layer, "n": self.n, "channels": self.order.shape[1]}


@dataclass(frozen=True, eq=False)
class Strongest:
    """Those of one channel: layer, channel, ``maximum`` or ``mean``, test images in all; (T,) images, values, classes; uint8 pictures."""

    layer: str
    channel: int
    by: str
    n: int
    images: np.ndarray
    value: np.ndarray
    classes: tuple[str, ...]
    pictures: np.ndarray

    @property
    def commonest(self) -> tuple[str, int]:
        """The class of most of them, and of how many."""
        name = max(self.classes, key=lambda each: (self.classes.count(each), -self.classes.index(each)))
        return name, self.classes.count(name)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        rows = zip(self.images.tolist(), self.classes, self.value.tolist(), strict=True)
        found = [{"image": image, "class": name, "value": value} for image, name, value in rows]
        return {"layer": self.layer, "channel": self.channel, "by": self.by, "n": self.n, "images": found}


def measure(
    loaded: LoadedNet, images: Cifar10, values: Mapping[str, Any], progress: Progress = None, should_stop: ShouldStop = None
) -> Activations:
    """Send the images through the net.

    Raises:
        Stopped: ``should_stop`` returned True.
    """
    import torch

    from resnet_core.analysis.passes import untouched
    from resnet_core.training.evaluate import answers

    net, test = loaded.model, first(images.test, values["images"])
    pooled: list[torch.Tensor] = []

    def keep(module: Any, args: Any, output: torch.Tensor) -> None:
        x = output.float()
        pooled.append(torch.stack([x.amax((2, 3)), x.mean((2, 3))]).cpu())

    with torch.no_grad(), untouched(net) as hooks:
        net.eval()
        module = net.get_submodule(outputs_of(net)[values["layer"]])
        hooks.enter_context(module.register_forward_hook(keep))
        for _ in answers(net, test.images, loaded.normalize, loaded.plan, progress=progress, should_stop=should_stop):
            pass  # the hook keeps what it needs
    value, order = torch.cat(pooled, 1).transpose(1, 2).sort(dim=-1, descending=True, stable=True)
    top = min(MOST, len(test))
    kept = order[..., :top].numpy().copy()
    pictures = {int(i): test.images[int(i)].numpy().copy() for i in np.unique(kept)}
    return Activations(values["layer"], len(test), kept, value[..., :top].numpy().copy(), test.labels.numpy(), pictures, images.classes)


def view(found: Activations, values: Mapping[str, Any]) -> Strongest:
    """The strongest of one channel.

    Raises:
        DataError: the layer has no such channel.
    """
    channel, kind = values["channel"], list(BY).index(values["by"])
    if channel >= found.order.shape[1]:
        raise DataError(
            "{layer} has no channel {channel:,}: they go from 0 to {shape:,}.",
            layer=found.layer,
            channel=channel,
            shape=found.order.shape[1] - 1,
        )
    order = found.order[kind, channel, : values["top"]]
    classes, pictures = tuple(found.classes[int(found.labels[i])] for i in order), np.stack([found.pictures[int(i)] for i in order])
    value = found.value[kind, channel, : values["top"]]
    return Strongest(found.layer, channel, values["by"], found.n, order, value, classes, pictures.transpose(0, 2, 3, 1))


def table(results: Sequence[Measured]) -> Table:
    """One line a picture."""
    rows = [
        (one.label, one.result.layer, one.result.channel, rank, *line)
        for one in results
        for rank, line in enumerate(zip(one.result.images.tolist(), one.result.classes, one.result.value.tolist(), strict=True), 1)
    ]
    by = tr(BY[results[0].result.by])
    return Table(
        (tr("Net"), tr("Layer"), tr("Channel"), tr("Rank"), tr("Test image"), tr("Class"), tr("Activation ({by})", by=by)), tuple(rows)
    )


def figure(results: Sequence[Measured], dark: bool = False) -> go.Figure:
    """The pictures with class and value below, a sheet for each net."""
    found = []
    for one in results:
        each = list(zip(one.result.images.tolist(), one.result.classes, one.result.value.tolist(), strict=True))
        hover = [
            tr("test image {image}: {name}<br>{by} {value:.4g}", image=image, name=name, by=tr(BY[one.result.by]), value=value)
            for image, name, value in each
        ]
        words = [f"{name}<br>{value:.3g}" for _, name, value in each]
        title = tr("{label}, {layer}, channel {channel}", label=one.label, layer=one.result.layer, channel=one.result.channel)
        found.append(Sheet(one.key, title, one.result.pictures, hover, min(4, len(each)), words))
    return sheets(found, dark)


def finding(results: Sequence[Measured]) -> str:
    """How many of the strongest are of one class."""

    def of(one: Measured) -> str:
        name, count = one.result.commonest
        value = float(one.result.value[0])
        return tr(
            "{count} of the {classes} strongest in {layer} are of the class {name}, the first at {value:.3g}",
            count=count,
            classes=len(one.result.classes),
            layer=one.result.layer,
            name=name,
            value=value,
        )

    one: Strongest = results[0].result
    return tr(
        "Channel {channel} by its {by}, of {n:,} test images: {each_of}.",
        channel=one.channel,
        by=tr(BY[one.by]),
        n=one.n,
        each_of=each_of(results, of),
    )
