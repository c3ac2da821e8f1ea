"""Feature maps: what a layer passes on of one picture, channel by channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet_core.attribution.layers import outputs_of
from resnet_core.attribution.methods import Parameter
from resnet_core.errors import Stopped
from resnet_core.experiments.base import (
    PICTURE,
    Experiment,
    Measured,
    Picture,
    Progress,
    ShouldStop,
    Table,
    each_of,
    picture_of,
    whole_net_macs,
)
from resnet_core.figures.pictures import Sheet, gray, sheets
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from resnet_core.data import Cifar10
    from resnet_core.nets.loading import LoadedNet

ACROSS = 8

LAYER = Parameter(
    "layer", mark("layer"), "layer", inner=True,
    help=mark("A block's output, after the addition and the ReLU; or a convolution's own, after its BN and before "
"its ReLU."),
)  # fmt: skip

EXPERIMENT = Experiment(
    key="maps",
    title=mark("Feature maps"),
    module="resnet_core.experiments.maps",
    question=mark("What does a layer pass on of a picture?"),
    source=mark(
        "Zeiler and Fergus: Visualizing and Understanding Convolutional Networks (ECCV 2014), for looking at the maps of each layer"
    ),
    method=(
        mark(
            "One test image goes through the net, and the layer's output is drawn channel by channel. Each map "
            "is scaled by itself, from its least value (dark) to its greatest (light): pointing at it tells both."
        )
    ),
    limits=(
        mark(
            "Brightness cannot be compared between maps. A map says where a channel is active, and not what for "
            "(see Strongest images). A run keeps its last two checkpoints alone, so that maps through a training "
            "are not shown."
        )
    ),
    parameters=(
        LAYER,
        replace(PICTURE, label=mark("picture"), default=0, help=mark("The number of a test image, as on Predict.")),
        Parameter("channels", mark("channels"), "int", 64, 1, 4096, 16, help=mark("The first of the layer; of fewer, all.")),
    ),
    macs=lambda model, values: whole_net_macs(model),
    labelled=False,
)


@dataclass(frozen=True, eq=False)
class Maps:
    """What a layer passes on.

    Attributes:
        picture: which; layer: its name; channels: that it has.
        maps: float32 (C, H, W), of the first C channels.
    """

    picture: Picture
    layer: str
    channels: int
    maps: np.ndarray

    @property
    def highest(self) -> tuple[int, float]:
        """The channel with the greatest value, and that."""
        most = self.maps.max((1, 2))
        return int(most.argmax()), float(most.max())

    @property
    def idle(self) -> int:
        """Maps that are nowhere above zero."""
        return int((self.maps <= 0).all((1, 2)).sum())

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        each = [{"least": float(one.min()), "greatest": float(one.max()), "mean": float(one.mean())} for one in self.maps]
        size = {"channels": self.channels, "side": self.maps.shape[1]}
        return {"picture": self.picture.number, "class": self.picture.label, "layer": self.layer, **size, "maps": each}


def measure(
    loaded: LoadedNet, images: Cifar10, values: Mapping[str, Any], progress: Progress = None, should_stop: ShouldStop = None
) -> Maps:
    """Send the picture through the net.

    Raises:
        DataError: there is no such picture.
        Stopped: ``should_stop`` returned True.
    """
    import torch

    from resnet_core.analysis.passes import untouched

    number, net = values["picture"], loaded.model
    picture = picture_of(images, number)
    if should_stop is not None and should_stop():
        raise Stopped
    held: list[torch.Tensor] = []
    with torch.no_grad(), untouched(net) as hooks:
        net.eval()
        module = net.get_submodule(outputs_of(net)[values["layer"]])
        hooks.enter_context(module.register_forward_hook(lambda module, args, output: held.append(output)))
        with loaded.plan.autocast():
            net(loaded.normalize(images.test.images[number : number + 1]))
    if progress is not None:
        progress(1, 1)
    found = held[0][0].float().cpu()
    return Maps(picture, values["layer"], len(found), found[: values["channels"]].numpy().copy())


def table(results: Sequence[Measured]) -> Table:
    """One line a net."""
    rows = []
    for one in results:
        found: Maps = one.result
        channel, value = found.highest
        size = f"{found.maps.shape[1]}x{found.maps.shape[2]}"
        rows.append((one.label, found.layer, found.channels, len(found.maps), size, found.idle, channel, value))
    head = (
        tr("Net"),
        tr("Layer"),
        tr("Channels"),
        tr("shown"),
        tr("Pixels"),
        tr("Nowhere above 0"),
        tr("Greatest value in channel"),
        tr("Greatest value"),
    )
    return Table(head, tuple(rows))


def figure(results: Sequence[Measured], dark: bool = False) -> go.Figure:
    """The maps as pictures, a sheet for each net."""
    found = []
    for one in results:
        hover = [
            tr("channel {i}<br>{each:.3g} to {each2:.3g}", i=i, each=each.min(), each2=each.max()) for i, each in enumerate(one.result.maps)
        ]
        found.append(Sheet(one.key, f"{one.label}, {one.result.layer}", gray(one.result.maps), hover, ACROSS))
    return sheets(found, dark)


def finding(results: Sequence[Measured]) -> str:
    """How many maps are nowhere above zero, and the greatest value."""

    def of(one: Measured) -> str:
        found: Maps = one.result
        channel, value = found.highest
        idle = tr("{layer}, {idle} of {maps} maps nowhere above 0", layer=found.layer, idle=found.idle, maps=len(found.maps))
        return tr("{idle}, the greatest value {value:.3g} in channel {channel}", idle=idle, value=value, channel=channel)

    return tr("Of {name}: {each_of}.", name=results[0].result.picture.name, each_of=each_of(results, of))
