"""The one description of a net: stem, units, head, each a row of parts. Counts, layers, names and the module are read from it.

>>> from resnet_core.architectures import parse
>>> plan = parse("ResNet-20").plan()
>>> [tap.name for tap in plan.taps][:3], len(plan.units)
(['conv1', 'layer1.0.conv1', 'layer1.0.conv2'], 9)
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from resnet_core.architectures.parts import Join, Part, Shape

#: Where a part stands. ``before`` is what branch and skip share, ``after`` what follows the join.
STEM, BEFORE, BRANCH, SKIP, AFTER, HEAD = "stem", "before", "branch", "skip", "after", "head"
#: The module that holds the parts of a skip.
SHORTCUT = "shortcut"


@dataclass(frozen=True)
class Unit:
    """A block: ``after(join(branch(before(x)), skip(before(x))))``.

    Attributes:
        name: of its module, e.g. ``layer2.0``: the stage's container, then its index.
        stage: counted from 1; index: within the stage, from 0.
        skip: None where there is none (a plain net); empty where it is the identity.
        dimensions_change: the output has another shape than the input (a dotted shortcut in Fig. 3 of He et al. 2016).
    """

    name: str
    stage: int
    index: int
    branch: tuple[Part, ...]
    skip: tuple[Part, ...] | None = None
    join: Join = field(default_factory=Join)
    before: tuple[Part, ...] = ()
    after: tuple[Part, ...] = ()
    dimensions_change: bool = False


@dataclass(frozen=True)
class Placed:
    """A part at its place in a net.

    Attributes:
        name: of the module in the built net, e.g. ``layer2.0.shortcut.conv``.
        place: ``stem``, ``before``, ``branch``, ``skip``, ``after`` or ``head``.
        shape, output: of one image at its input and at its output.
        unit: that it is in; None in stem and head.
    """

    name: str
    part: Part
    place: str
    shape: Shape
    output: Shape
    unit: Unit | None = None


@dataclass(frozen=True)
class Tap:
    """A weighted layer of the main path: those that Fig. 7 of He et al. 2016 is of, and whose gradients are compared.

    Attributes:
        name: of the layer's module; its weight is ``name + ".weight"``.
        response: the module whose output is the layer's response: its BN where one follows, before ReLU or the addition.
        unit: that it is in; None of the first layer.
    """

    name: str
    response: str
    unit: Unit | None


def _row(prefix: str, parts: tuple[Part, ...], place: str, shape: Shape, unit: Unit | None = None) -> Generator[Placed, None, Shape]:
    """Yield parts that follow one another; return the shape that comes out of the last."""
    for part in parts:
        output = part.output(shape)
        yield Placed(prefix + part.name, part, place, shape, output, unit)
        shape = output
    return shape


@dataclass(frozen=True)
class Plan:
    """A net as data.

    Attributes:
        input: shape of one image, (3, height, width).
        stem, head: what comes before the first unit and after the last one; the last part of ``head`` is the classifier.
        units: the blocks in order.
    """

    input: Shape
    stem: tuple[Part, ...]
    units: tuple[Unit, ...]
    head: tuple[Part, ...]

    @property
    def classifier(self) -> str:
        """The name of the last layer's module."""
        return self.head[-1].name

    def walk(self, image: Shape | None = None) -> Iterator[Placed]:
        """Yield every part with its place and shapes, in the order of the built net.

        Args:
            image: shape of one image, where it is not that which the net is made for.
        """
        shape = yield from _row("", self.stem, STEM, image or self.input)
        for unit in self.units:
            shape = yield from _row(f"{unit.name}.", unit.before, BEFORE, shape, unit)
            joined = yield from _row(f"{unit.name}.", unit.branch, BRANCH, shape, unit)
            if unit.skip is not None:
                skipped = yield from _row(f"{unit.name}.{SHORTCUT}.", unit.skip, SKIP, shape, unit)
                joined = unit.join.output(joined, skipped)
            shape = yield from _row(f"{unit.name}.", unit.after, AFTER, joined, unit)
        yield from _row("", self.head, HEAD, shape)

    @cached_property
    def taps(self) -> tuple[Tap, ...]:
        """The weighted layers of the main path in order, without the classifier."""
        main = [placed for placed in self.walk() if placed.place not in (SKIP, HEAD)]
        found = []
        for placed, following in itertools.zip_longest(main, main[1:]):
            if placed.part.kind == "conv":
                normed = following is not None and following.part.kind == "bn" and following.unit is placed.unit
                normed = normed and self._normalises_the_response(placed.unit)
                found.append(Tap(placed.name, following.name if normed else placed.name, placed.unit))
        return tuple(found)

    @staticmethod
    def _normalises_the_response(unit: Unit | None) -> bool:
        """Whether a BN behind a convolution belongs to it: in pre-activation units it belongs to the convolution that follows it."""
        return unit is None or (unit.branch[0].kind == "conv" and not unit.before)

    @cached_property
    def folds(self) -> tuple[tuple[str, str], ...]:
        """The convolutions that a BN follows, with it: in evaluation mode the two are one convolution."""
        pairs = itertools.pairwise(self.walk())
        following = ((a, b) for a, b in pairs if a.part.kind == "conv" and b.part.kind == "bn" and a.place == b.place and a.unit is b.unit)
        return tuple((conv.name, bn.name) for conv, bn in following)

    def maps(self, image: Shape | None = None) -> dict[str, Shape]:
        """Return the modules whose outputs are maps to look at -> their shapes: what the stem passes on, step by step, and each unit."""
        found: dict[str, Shape] = {}
        for placed, following in itertools.pairwise(self.walk(image)):
            last = following.place != placed.place or following.unit is not placed.unit
            if placed.place == STEM and (last or not placed.part.kind):  # of a convolution with BN and ReLU, the ReLU
                found[placed.name] = placed.output
            elif placed.unit is not None and following.unit is not placed.unit:
                found[placed.unit.name] = following.shape
        return found

    def tensors(self) -> dict[str, Shape]:
        """Return every tensor of the net's ``state_dict`` and its shape."""
        found: dict[str, Shape] = {}
        for placed in self.walk():
            for name, shape in {**placed.part.parameters(placed.shape), **placed.part.buffers(placed.shape)}.items():
                found[f"{placed.name}.{name}"] = shape
        return found
