"""How papers test a net: which views of a picture it is shown, and what is averaged over them. Declared as data; without torch.

    >>> from resnet_core.architectures import parse
    >>> [view.side for view in PROTOCOLS["five-scales"].views(224)]
    [224, 256, 384, 480, 640]
    >>> [view.side for view in PROTOCOLS["five-scales"].views(32)]
    [32, 36, 56, 68, 92]

``views`` (torch) makes the inputs and the scores; ``evaluation.examine`` counts errors under them.

A paper's sides are those of a net whose input has 224 pixels. For another one they are taken in proportion to its own side, and rounded
to a multiple of 4: so nets that halve their maps twice (CIFAR's) halve even numbers, as the papers' nets do with theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any

from resnet_core.activations import config_of, side_of
from resnet_core.architectures.further_parts import AveragedTo
from resnet_core.architectures.parts import Flatten, GlobalPool
from resnet_core.architectures.plan import AUXILIARY, BRANCH, HEAD, SKIP, Placed, Plan
from resnet_core.architectures.table import complexity
from resnet_core.errors import ConfigError, DataError
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    from resnet_core.nets import Net

#: The side that the papers' sides are of, and what others are rounded to a multiple of.
_PAPERS, _MULTIPLE = 224, 4
#: Width of the zeros around an image that crops are taken from, as in training on images of that side (He et al. 2016, section 4.2).
PADDING, PADDED_SIDE = 4, 32
#: What stands beside errors of several protocols, or of an ensemble and its members.
SELECTS_NOTHING = mark(
    "The test set selects nothing: how a net is tested is settled before, and its error is the one under that protocol. To take the "
    "protocol, the net or the members of an ensemble with the lowest error here, and report that error, would be training on the test "
    "set; held out training images are for choosing."
)
#: And beside errors on pictures that were enlarged.
ENLARGED = mark(
    "Larger sides are for nets that were trained on crops of larger pictures, or at several sizes, as those of the papers were. A net "
    "trained on whole pictures of one size, as CIFAR's are, is shown larger objects here than it has ever seen, and may do worse."
)


@dataclass(frozen=True)
class View:
    """One input, made of one picture.

    Attributes:
        side: of the square that the whole picture is resized to.
        padding: zeros around it, once it is normalised.
        mirrored: from left to right, before a window is cut.
        window: top and left of a window of the net's own side; None: the whole of it, in the net's fully convolutional form.
    """

    side: int
    padding: int = 0
    mirrored: bool = False
    window: tuple[int, int] | None = None


@dataclass(frozen=True)
class Protocol:
    """A way to test.

    Attributes:
        key: stable, in options and results; title: for people; source: the paper; method: what is done, in words.
        sides: that pictures are resized to, of a net whose input has 224 pixels.
        crops: corners and centre instead of the whole picture; padding: zeros around the picture that they are cut from.
        mirrored: each view also as its mirror image.
        dense: the net as a fully convolutional one, on the whole picture; its map of scores is averaged over space before anything else.
        of_scores: what is averaged over views are the scores, before the softmax; else it is the softmax.
    """

    key: str
    title: str
    source: str
    method: str
    sides: tuple[int, ...] = (_PAPERS,)
    crops: bool = False
    padding: int = 0
    mirrored: bool = False
    dense: bool = False
    of_scores: bool = False

    @property
    def is_wider(self) -> bool:
        """Whether it shows more of a picture than its one view, which of larger pictures is cut from their centre."""
        return self.sides != (_PAPERS,)

    def views(self, side: int) -> tuple[View, ...]:
        """Return the views for a net whose images have ``side`` pixels, in the papers' order."""
        found = []
        for paper in self.sides:
            whole = scaled(paper, side)
            windows: Sequence[tuple[int, int] | None] = five_windows(whole + 2 * self.padding, side) if self.crops else (None,)
            mirrorings = (False, True) if self.mirrored else (False,)
            found += [View(whole, self.padding, mirrored, window) for mirrored in mirrorings for window in windows]
        return tuple(found)


def scaled(paper: int, side: int) -> int:
    """Give the side that stands to ``side`` as a paper's side to 224."""
    return side if paper == _PAPERS else paper if side == _PAPERS else _MULTIPLE * round(paper * side / _PAPERS / _MULTIPLE)


def five_windows(whole: int, side: int) -> tuple[tuple[int, int], ...]:
    """Give top and left of the windows in a square of ``whole`` pixels: top left, top right, bottom left, bottom right, centre.

    The centre is rounded as torchvision rounds it.
    """
    far, middle = whole - side, round((whole - side) / 2)
    return (0, 0), (0, far), (far, 0), (far, far), (middle, middle)


_KRIZHEVSKY = mark("Krizhevsky et al. 2012, section 4.1")
_SIMONYAN = mark("Simonyan and Zisserman 2015, sections 3.2 and 4")
_HE = mark("He et al. 2016, section 3.4")
_DENSE = mark(
    "The net as a fully convolutional one on the whole picture, its map of scores averaged over space; softmax of the picture and of its "
    "mirror image averaged"
)
PROTOCOLS: dict[str, Protocol] = {
    each.key: each
    for each in (
        Protocol(
            "single",
            mark("one view"),
            mark("He et al. 2016, section 4.2"),
            mark("The picture at the net's own size, once: how errors on CIFAR-10 are given."),
        ),
        Protocol(
            "mirrored",
            mark("with its mirror image"),
            _SIMONYAN,
            mark("The picture and its mirror image, their softmax averaged."),
            mirrored=True,
        ),
        Protocol(
            "ten-crops",
            mark("ten crops"),
            _KRIZHEVSKY,
            mark(
                "The picture resized so that its side is to the net's as 256 is to 224; windows of the net's size in the four corners and "
                "in the centre, then those of the mirrored picture; their softmax averaged."
            ),
            (256,),
            crops=True,
            mirrored=True,
        ),
        Protocol(
            "padded-crops",
            mark("ten padded crops"),
            mark("Krizhevsky et al. 2012, section 4.1, carried over to CIFAR"),
            mark(
                "The picture at the net's own size with 4 zeros around it, as in training; windows in the four corners and in the centre, "
                "then those of the mirrored picture; their softmax averaged."
            ),
            crops=True,
            padding=PADDING,
            mirrored=True,
        ),
        Protocol(
            "dense",
            mark("fully convolutional, one scale"),
            _SIMONYAN,
            mark("{how}. The picture is resized as for ten crops.", how=_DENSE),
            (256,),
            mirrored=True,
            dense=True,
        ),
        Protocol(
            "three-scales",
            mark("fully convolutional, three scales"),
            _SIMONYAN,
            mark("{how}, and over the scales: sides of 256, 384 and 512 for a net of 224, else in proportion.", how=_DENSE),
            (256, 384, 512),
            mirrored=True,
            dense=True,
        ),
        Protocol(
            "five-scales",
            mark("fully convolutional, five scales"),
            _HE,
            mark(
                "The net as a fully convolutional one on the whole picture, with sides of 224, 256, 384, 480 and 640 for a net of 224, "
                "else in proportion; the scores before the softmax averaged over space and scales. The paper names no mirror images."
            ),
            (224, 256, 384, 480, 640),
            dense=True,
            of_scores=True,
        ),
    )
}


def chosen(key: str) -> Protocol:
    """Return the protocol of a key. Raises ConfigError: there is none."""
    if key not in PROTOCOLS:
        raise ConfigError("protocol", "{key!r} is not one of {keys}.", key=key, keys=", ".join(PROTOCOLS))
    return PROTOCOLS[key]


@dataclass(frozen=True)
class Cost:
    """What one picture takes: ``passes`` through the net, and the multiply-adds of them all."""

    passes: int
    macs: int

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.passes + other.passes, self.macs + other.macs)


def cost(model: Any, protocol: Protocol) -> Cost:
    """Count what a protocol takes for one picture, from the net's configuration. ``model``: as of ``activations.config_of``."""
    config, side = config_of(model), side_of(model)
    views = protocol.views(side)
    return Cost(len(views), sum(_macs(config, side, side if view.window else view.side) for view in views))


def cost_of_all(models: Iterable[Any], protocol: Protocol) -> Cost:
    """Count what it takes for one picture, of all those nets that can be tested like that."""
    return sum((cost(each, protocol) for each in models if not why_not(each, protocol)), Cost(0, 0))


def told(protocol: Protocol, models: Iterable[Any]) -> str:
    """Say what is done, what it takes of these nets, and what must be known of enlarged pictures."""
    work = cost_of_all(models, protocol)
    text = tr(
        "{method} ({source}) For one image {passes} passes, {macs:,.0f} million multiply-adds.",
        method=protocol.method,
        source=protocol.source,
        passes=work.passes,
        macs=work.macs / 1e6,
    )
    return f"{text} {tr(ENLARGED)}" if protocol.is_wider else text


@lru_cache(maxsize=256)
def _macs(config: Any, own: int, side: int) -> int:
    """Multiply-adds for an input of ``side`` pixels; fully connected layers are computed at each place of the map that they read."""
    kernel = kernel_of(config.plan(), own)
    if side == own or kernel is None:
        return complexity(config, side).macs
    plan, total = config.plan(), 0
    places = prod(size - window + 1 for size, window in zip(_read(plan, side).shape[1:], kernel, strict=True))
    for placed in plan.walk((3, own, own)):
        total += places * placed.part.macs(placed.shape) if placed.place == HEAD and len(placed.shape) == 1 else 0
    return total + sum(one.part.macs(one.shape) for one in _maps(plan, side))


def kernel_of(plan: Plan, side: int) -> tuple[int, ...] | None:
    """Give height and width of the map that the first fully connected layer reads; None behind global average pooling.

    As a convolution that layer has a kernel of that size. A net with global average pooling is fully convolutional as it is: the mean of
    its map of scores is what its last layer makes of the mean of the features.
    """
    if any(isinstance(part, GlobalPool) for part in plan.head):
        return None
    return next(one for one in plan.walk((3, side, side)) if isinstance(one.part, Flatten)).shape[1:]


def _maps(plan: Plan, side: int) -> list[Placed]:
    """List the parts that compute with maps, before what makes a row of them or gives them a fixed size."""
    found = []
    for placed in plan.walk((3, side, side)):
        if placed.place == HEAD and isinstance(placed.part, (AveragedTo, Flatten)):
            break
        found += [] if placed.place == AUXILIARY else [placed]
    return found


def _read(plan: Plan, side: int) -> Placed:
    """Return the first part that makes a row of the maps, or gives them a fixed size; its ``shape`` is that of the maps."""
    return next(one for one in plan.walk((3, side, side)) if one.place == HEAD and isinstance(one.part, (AveragedTo, Flatten)))


def why_not(model: Any, protocol: Protocol) -> str:
    """Say why a net cannot be tested like that; empty where it can. ``model``: as of ``activations.config_of``."""
    config, side = config_of(model), side_of(model)
    plan = config.plan()
    if protocol.padding and side != PADDED_SIDE:
        return tr(
            "Images of {padded}x{padded} are padded by {padding} in training, and {name} takes images of {side}x{side}. Ten crops without "
            "padding are there for it.",
            padded=PADDED_SIDE,
            padding=PADDING,
            name=config.name,
            side=side,
        )
    if not protocol.dense:
        return ""
    kernel = kernel_of(plan, side)
    if kernel is not None:
        maps = _read(plan, side).shape[1:]
        if maps != kernel:
            return tr(
                "The fully connected layers of {name} read maps of {kernel}x{kernel}. At {side}x{side} pixels its pooling makes these of "
                "maps of {maps}x{maps}, and as convolutions the layers would compute something else.",
                name=config.name,
                kernel=kernel[0],
                side=side,
                maps=maps[0],
            )
        if any(one.place == HEAD and len(one.shape) == 1 and one.part.kind not in ("", "fc") for one in plan.walk()):
            return tr("{name} has parts between its fully connected layers that are not known as convolutions.", name=config.name)
    for view in protocol.views(side):
        if not _is_whole(plan, view.side):
            return tr(
                "{name} cannot compute with {side}x{side} pixels: maps vanish on the way, or branch and skip have different sizes.",
                name=config.name,
                side=view.side,
            )
    return ""


@lru_cache(maxsize=256)
def _is_whole(plan: Plan, side: int) -> bool:
    """Whether maps of that side come through the net: none vanishes, and branches have the size of their skips."""
    ends: dict[tuple[str, str], tuple[int, ...]] = {}
    for placed in _maps(plan, side):
        if min(placed.output) < 1:
            return False
        if placed.unit is not None and placed.unit.skip:
            ends[placed.unit.name, placed.place] = placed.output[1:]
    return all(ends[name, BRANCH] == output for (name, place), output in ends.items() if place == SKIP)


def check_ensemble(nets: Sequence[Net]) -> None:
    """Check that nets can be asked together.

    Raises:
        DataError: they tell other classes apart, were trained on other data, or one is named twice.
    """
    first = nets[0]
    for at, net in enumerate(nets[1:], 1):
        if net.id in [one.id for one in nets[:at]]:
            raise DataError("{name} is named twice; an ensemble has each net once.", name=net.name)
        if net.model.num_classes != first.model.num_classes:
            raise DataError(
                "{first} tells {classes:,} classes apart and {name} {others:,}: the answers of an ensemble are averaged class by class, so "
                "all of its nets need the same classes. Leave one of them out.",
                first=first.name,
                classes=first.model.num_classes,
                name=net.name,
                others=net.model.num_classes,
            )
        if None not in (first.class_names, net.class_names) and net.class_names != first.class_names:
            raise DataError(
                "{first} was trained on {one} and {name} on {other}: the nets of an ensemble need the same classes. Leave one of them out.",
                first=first.name,
                one=_trained_on(first),
                name=net.name,
                other=_trained_on(net),
            )


def _trained_on(net: Net) -> str:
    return net.config.data.title if net.config else tr("other data")
