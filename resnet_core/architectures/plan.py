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

#: Where a part stands. ``before`` is what branch and skip share, ``gate`` belongs to the join, ``after`` is what follows the join.
STEM, BEFORE, BRANCH, SKIP, GATE, AFTER, AUXILIARY, HEAD = "stem", "before", "branch", "skip", "gate", "after", "auxiliary", "head"
#: The module that holds the parts of a skip. That of a join's own parts is called ``gate``.
SHORTCUT = "shortcut"


@dataclass(frozen=True)
class Unit:
    """A block: ``after(join(branch(before(x)), skip(before(x))))``; without a skip ``after(branch(before(x)))``.

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
        place: ``stem``, ``before``, ``branch``, ``skip``, ``gate``, ``after``, ``auxiliary`` or ``head``.
        shape, output: of one image at its input and at its output.
        unit: that it is in; None in stem, head and auxiliary classifiers.
        row: what its name begins with: parts with the same one follow one another, those of rows side by side do not.
    """

    name: str
    part: Part
    place: str
    shape: Shape
    output: Shape
    unit: Unit | None = None
    row: str = ""

    def leads_to(self, other: Placed) -> bool:
        """Whether ``other``, the next part of the walk, takes this one's output, and stands in the same place."""
        return (self.place, self.row) == (other.place, other.row) and self.unit is other.unit


@dataclass(frozen=True)
class Auxiliary:
    """A classifier in the middle of a net, which helps in training and is left out afterwards (Szegedy et al. 2015, section 5).

    Attributes:
        name: of its module; unit: the name of the unit whose output it takes.
        parts: the last one gives logits.
        weight: of its cross-entropy in the training loss.
    """

    name: str
    unit: str
    parts: tuple[Part, ...]
    weight: float


@dataclass(frozen=True)
class Tap:
    """A weighted layer of the main path: those that Fig. 7 of He et al. 2016 is of, and whose gradients are compared.

    Attributes:
        name: of the layer's module; its weight is ``name + ".weight"``.
        response: the module whose output is the layer's response; see ``Plan.taps``.
        unit: that it is in; None in stem and head.
    """

    name: str
    response: str
    unit: Unit | None


def _row(prefix: str, parts: tuple[Part, ...], place: str, shape: Shape, unit: Unit | None = None) -> Generator[Placed, None, Shape]:
    """Yield parts that follow one another; return the shape that comes out of the last. Rows side by side, and then their parts."""
    for part in parts:
        output = part.output(shape)
        yield Placed(prefix + part.name, part, place, shape, output, unit, prefix)
        for name, row in part.rows():
            yield from _row(f"{prefix}{part.name}.{name}.", row, place, shape, unit)
        shape = output
    return shape


def _drained(row: Generator[Placed, None, Shape]) -> tuple[Shape, list[Placed]]:
    """Return what a walk ends with, and what it yields."""
    found = []
    while True:
        try:
            found.append(next(row))
        except StopIteration as end:
            return end.value, found


def _unit(unit: Unit, shape: Shape) -> Generator[Placed, None, Shape]:
    """Yield the parts of a unit; return the shape of its output."""
    shape = yield from _row(f"{unit.name}.", unit.before, BEFORE, shape, unit)
    joined = yield from _row(f"{unit.name}.", unit.branch, BRANCH, shape, unit)
    if unit.skip is not None:
        skipped = yield from _row(f"{unit.name}.{SHORTCUT}.", unit.skip, SKIP, shape, unit)
        yield from _row(f"{unit.name}.{GATE}.", unit.join.parts, GATE, shape, unit)
        joined = unit.join.output(joined, skipped)
    return (yield from _row(f"{unit.name}.", unit.after, AFTER, joined, unit))


@dataclass(frozen=True)
class Plan:
    """A net as data.

    Attributes:
        input: shape of one image, (3, height, width).
        stem, head: what comes before the first unit and after the last one; the last part of ``head`` is the classifier.
        units: the blocks in order.
        auxiliary: classifiers in the middle, for training.
        initialization: ``he``, ``xavier`` or ``normal``; see ``net.initialize``.
    """

    input: Shape
    stem: tuple[Part, ...]
    units: tuple[Unit, ...]
    head: tuple[Part, ...]
    auxiliary: tuple[Auxiliary, ...] = ()
    initialization: str = "he"

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
        middle: dict[str, Shape] = {}
        for unit in self.units:
            shape = middle[unit.name] = yield from _unit(unit, shape)
        for one in self.auxiliary:
            yield from _row(f"{one.name}.", one.parts, AUXILIARY, middle[one.unit])
        yield from _row("", self.head, HEAD, shape)

    @cached_property
    def is_random(self) -> bool:
        """Whether a training step depends on chance: dropout, stochastic depth."""
        return any(placed.part.is_random for placed in self.walk()) or any(unit.join.is_random for unit in self.units)

    @cached_property
    def taps(self) -> tuple[Tap, ...]:
        """The weighted layers of the main path in order, without the classifier, and what the response of each is.

        The main path is all but skips, gates and auxiliary classifiers; of rows side by side (the modules of GoogLeNet, ResNeXt's forms a
        and b) all are on it, one after the other. A response is what comes out of the layer's own BN, before ReLU and before it is joined
        with the skip: the layer's own output where

        - there is no BN: nets without it, AlexNet, GoogLeNet as published, the 19-layer Highway net; in VGG it is optional;
        - the BN behind the convolution belongs to the next one: units that begin with BN (pre-activation, Wide ResNets, DenseNets);
        - the rows are added before there is a BN (the last convolutions of ResNeXt's form a);
        - it is fully connected (the hidden layers at the end of AlexNet and VGG).

        In a Highway net it is the branch's, H, before it is multiplied by the gate.
        """
        main = [placed for placed in self.walk() if placed.place not in (SKIP, GATE, AUXILIARY)]
        begins: dict[str, str] = {}  # the kind of each unit's first
        for placed in main:
            if placed.unit is not None and placed.part.kind in ("conv", "bn"):
                begins.setdefault(placed.unit.name, placed.part.kind)
        found = []
        for placed, following in itertools.zip_longest(main, main[1:]):
            if placed.part.kind in ("conv", "fc") and placed.name != self.classifier:
                normed = following is not None and following.part.kind == "bn" and placed.leads_to(following)
                normed = normed and (placed.unit is None or begins[placed.unit.name] == "conv")
                found.append(Tap(placed.name, following.name if normed else placed.name, placed.unit))
        return tuple(found)

    @cached_property
    def gated(self) -> dict[str, int]:
        """Return the blocks that have a gate -> which of ``taps`` is the last layer of each."""
        return {tap.unit.name: at for at, tap in enumerate(self.taps) if tap.unit is not None and tap.unit.join.name == "gate"}

    @cached_property
    def folds(self) -> tuple[tuple[str, str], ...]:
        """The convolutions that a BN follows, with it: in evaluation mode the two are one convolution."""
        following = ((a, b) for a, b in itertools.pairwise(self.walk()) if a.part.kind == "conv" and b.part.kind == "bn" and a.leads_to(b))
        return tuple((conv.name, bn.name) for conv, bn in following)

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The top-level modules in the order of the data: those of the stem, each stage, those of the head before the classifier."""
        stages = dict.fromkeys(unit.name.rpartition(".")[0] for unit in self.units)
        rows = [tuple(part.name for part in self.stem), *((stage,) for stage in stages)]
        rows.append(tuple(part.name for part in self.head if part.name != self.classifier))
        weighted = {placed.name.split(".")[0] for placed in self.walk() if placed.part.parameters(placed.shape)}
        return tuple(row for row in rows if weighted & set(row))

    def takes(self, image: Shape) -> bool:
        """Whether the net can compute with images of this shape: no map vanishes on the way, and every weight has its inputs."""
        if image == self.input:
            return True
        pairs = zip(self.walk(image), self.walk(), strict=True)
        return all(min(one.output) > 0 and one.part.parameters(one.shape) == due.part.parameters(due.shape) for one, due in pairs)

    def maps(self, image: Shape | None = None) -> dict[str, Shape]:
        """Return the modules whose outputs are maps to look at -> their shapes: what the stem passes on, step by step, and each unit."""
        shape, stem = _drained(_row("", self.stem, STEM, image or self.input))
        # The ReLU of a convolution with BN and ReLU.
        found = {placed.name: placed.output for placed in stem if placed is stem[-1] or not (placed.part.kind or placed.part.is_random)}
        for unit in self.units:
            shape, _ = _drained(_unit(unit, shape))
            found[unit.name] = shape
        return found

    def tensors(self) -> dict[str, Shape]:
        """Return every tensor of the net's ``state_dict`` and its shape."""
        return dict(self._tensors)

    @cached_property
    def _tensors(self) -> dict[str, Shape]:
        found: dict[str, Shape] = {}
        for placed in self.walk():
            for name, shape in {**placed.part.parameters(placed.shape), **placed.part.buffers(placed.shape)}.items():
                found[f"{placed.name}.{name}"] = shape
        return found
