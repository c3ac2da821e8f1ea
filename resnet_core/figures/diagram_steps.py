"""What the diagram of a net shows, as data read from its plan: the boxes of each unit in order, and rows of boxes side by side."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from resnet_core.architectures.further_parts import AveragedTo, AvgPool, Dropout, LocalResponseNorm
from resnet_core.architectures.joins import Parallel
from resnet_core.architectures.parts import Conv, GlobalPool, MaxPool
from resnet_core.architectures.plan import AFTER, AUXILIARY, BEFORE, BRANCH, GATE, HEAD, STEM, Auxiliary, Placed, Unit
from resnet_core.figures.diagram_parts import layer_hover, layer_text, shape_text
from resnet_core.language import tr

if TYPE_CHECKING:
    from resnet_core.architectures.table import Complexity, Layer

# Widths in boxes: of a small box; of a convolution in groups, which says so; of the lines that part before rows side by side; of the box
# that joins them again.
SMALL, GROUPED, FORK, JOINT = 0.72, 1.5, 0.35, 0.56
#: Equal rows side by side that are all drawn; of more, the first two and the last.
MOST_ROWS = 6


@dataclass(frozen=True)
class Box:
    """One box.

    Attributes:
        text: what stands in it; roomy: where there is room for words.
        hover: what it tells.
        width: in boxes.
        is_layer: it has weights and counts as a layer; else it is drawn grey.
        halves: text and hover of the two boxes of a convolution in two groups, each of which belongs to a tower.
    """

    text: str
    roomy: str
    hover: str
    width: float = 1.0
    is_layer: bool = True
    halves: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Rows:
    """Rows of boxes under one another that read the same input; ``combine`` says how they become one: ``concat`` or ``sum``."""

    rows: tuple[tuple[Box, ...], ...]
    combine: str
    hover: str
    count: int

    @property
    def width(self) -> float:
        return FORK + max(sum(box.width for box in row) for row in self.rows) + JOINT


Step = Box | Rows


@dataclass
class Sketch:
    """One unit.

    Attributes:
        unit: its description.
        steps: its branch, with what comes before it; after: what follows the join; gate: of a Highway net.
        auxiliary: a classifier that takes its output in training.
    """

    unit: Unit
    steps: list[Step] = field(default_factory=list)
    after: list[Step] = field(default_factory=list)
    gate: Box | None = None
    auxiliary: Box | None = None

    @property
    def inner(self) -> float:
        """The width up to the join, in boxes."""
        return sum(step.width for step in self.steps) + (self.gate.width if self.gate else 0.0)

    @property
    def gap(self) -> float:
        """The width between branch and what follows, where a symbol stands between them."""
        return 0.72 if self.after and self.unit.skip is not None and not self.gate else 0.0

    @property
    def width(self) -> float:
        return self.inner + self.gap + sum(step.width for step in self.after)

    @property
    def lanes(self) -> int:
        """Boxes under one another."""
        return max((len(step.rows) if isinstance(step, Rows) else 2 if step.halves else 1 for step in self.steps), default=1)

    @property
    def layers(self) -> int:
        """Weighted layers on the longest way through it."""
        longest = (
            max(sum(box.is_layer for box in row) for row in step.rows) if isinstance(step, Rows) else int(step.is_layer)
            for step in (*self.steps, *self.after)
        )
        return sum(longest)


@dataclass
class Sketches:
    """A whole net: ``units`` in order, by stage."""

    stem: list[Step]
    units: dict[int, list[Sketch]]
    head: list[Step]


def sketches(net: Complexity) -> Sketches:
    """Read what is drawn of a net from its plan."""
    plan, layers = net.config.plan(), {row.name: row for row in net.rows}
    placed: dict[tuple[str, str], list[Placed]] = {}
    for one in plan.walk():
        place = BRANCH if one.place == BEFORE else one.place
        owner = one.unit.name if one.unit else one.row if place == AUXILIARY else ""
        placed.setdefault((place, owner), []).append(one)
    units: dict[int, list[Sketch]] = {}
    by_name: dict[str, Sketch] = {}
    for unit in plan.units:
        branch, after, gate = (placed.get((place, unit.name), []) for place in (BRANCH, AFTER, GATE))
        sketch = by_name[unit.name] = Sketch(unit, steps(branch, layers, unit), steps(after, layers))
        sketch.gate = _gate(gate, layers) if gate else None
        units.setdefault(unit.stage, []).append(sketch)
    for aside in plan.auxiliary:
        by_name[aside.unit].auxiliary = _auxiliary(aside, placed[AUXILIARY, f"{aside.name}."], layers)
    return Sketches(steps(placed.get((STEM, ""), []), layers), units, steps(placed[HEAD, ""], layers))


def steps(parts: Sequence[Placed], layers: dict[str, Layer], unit: Unit | None = None) -> list[Step]:
    """Read the boxes of parts that follow one another; those of rows side by side are among ``parts``, behind what holds them."""
    if not parts:
        return []
    row = [one for one in parts if one.row == parts[0].row]
    first = next((one.part.kind for one in row if one.part.kind in ("conv", "bn")), "")
    found: list[Step] = []
    for index, one in enumerate(row):
        part = one.part
        if isinstance(part, Parallel):
            found.append(_rows(one, part, [each for each in parts if each.row.startswith(f"{one.name}.")], layers))
        elif part.kind in ("conv", "fc"):
            normed = unit is not None and first == "bn"
            bn = _bn(reversed(row[:index]) if normed else row[index + 1 : index + 2])
            found.append(_layer(layers[one.name], part, layers[bn.name] if bn else None, normed, unit))
        elif small := _small(one, [layers[each.name] for each in row[max(0, index - 2) : index] if each.part.kind == "bn"]):
            found.append(small)
    return found


def _bn(near: Iterable[Placed]) -> Placed | None:
    """The first BN, up to the next convolution."""
    kinds = itertools.takewhile(lambda one: one.part.kind != "conv", near)
    return next((one for one in kinds if one.part.kind == "bn"), None)


def _layer(layer: Layer, part: object, bn: Layer | None, bn_before: bool, unit: Unit | None) -> Box:
    groups = part.groups if isinstance(part, Conv) else 1
    hover = layer_hover(layer, bn, groups, bn_before)
    halves: tuple[tuple[str, str], ...] = ()
    if groups == 2 and unit is not None and unit.skip is None and len(unit.branch) == 1:
        text = layer_text(layer, True).replace(f"<br>{layer.output_shape[0]}", f"<br>{layer.output_shape[0] // 2}")
        more = tr("<br>this tower reads its half of the channels and makes its half of the filters")
        halves = tuple(
            (text, tr("{hover}<br><b>tower {number} of 2</b>{more}", hover=hover, number=number, more=more)) for number in (1, 2)
        )
    width = GROUPED if groups > 1 and not halves else 1.0
    return Box(layer_text(layer, False, groups), layer_text(layer, True, groups), hover, width, halves=halves)


def _small(placed: Placed, bn: Sequence[Layer]) -> Box | None:
    """What has no weights and yet shapes the net: pooling, LRN, dropout. None of other parts, and of a pooling that does nothing."""
    part, free = placed.part, tr("<br>output {shape_text}<br>no parameters, no MACs counted", shape_text=shape_text(placed.output))

    def box(text: str, words: str) -> Box:
        return Box(text, text, f"<b>{placed.name}</b>: {words}{free}", SMALL, False)

    if isinstance(part, GlobalPool):
        before = tr("<br>behind the last BN ({params:,} parameters) and its ReLU", params=bn[-1].params) if bn else ""
        words = tr(
            "<b>global average pooling</b>{before}<br>output {shape_text}<br>no parameters",
            before=before,
            shape_text=shape_text(placed.output),
        )
        return Box(tr("avg<br>pool"), tr("avg<br>pool"), words, 1.0, False)
    if isinstance(part, (MaxPool, AvgPool)):
        kind, word = (tr("max"), tr("max")) if isinstance(part, MaxPool) else (tr("avg"), tr("average"))
        every = tr(", every {stride} pixels", stride=part.stride) if part.stride > 1 else ""
        overlap = tr(" (windows overlap)") if 1 < part.stride < part.kernel else ""
        text = f"{kind}<br>/{part.stride}" if part.stride > 1 else tr("{kind}<br>pool", kind=kind)
        return box(
            text,
            tr("{word} pooling of {kernel}×{kernel} pixels{every}{overlap}", word=word, kernel=part.kernel, every=every, overlap=overlap),
        )
    if isinstance(part, AveragedTo) and placed.output != placed.shape:
        return box(tr("avg<br>pool"), tr("average pooling to {side}×{side}", side=part.side))
    if isinstance(part, LocalResponseNorm):
        return box("LRN", tr("local response normalisation over 5 neighbouring channels"))
    if isinstance(part, Dropout):
        return box(
            tr("drop<br>{percent} %", percent=part.percent),
            tr("dropout of {percent} % of the values, in training only", percent=part.percent),
        )
    return None


def _rows(placed: Placed, part: Parallel, inner: Sequence[Placed], layers: dict[str, Layer]) -> Rows:
    """The rows of a part that is made of them. Of very many that are equal, two, a box for those between, and the last."""
    paths = part.paths
    names = [f"{placed.name}.{name}." for name, _ in part.rows()]

    def boxes(name: str) -> tuple[Box, ...]:
        return tuple(_flat(steps([one for one in inner if one.row == name], layers)))

    if len(paths) > MOST_ROWS and all(path == paths[0] for path in paths):
        shown = [boxes(name) for name in (*names[:2], names[-1])]
        width, more = sum(box.width for box in shown[0]), len(paths) - 3
        rows = [layers[one.name] for one in inner if one.name in layers and one.row in names[2:-1]]
        params, macs = sum(row.params for row in rows), sum(row.macs for row in rows)
        hover = tr(
            "<b>{names} to {names2}</b>: each like those drawn<br>{params:,} parameters<br>{macs:,} MACs",
            names=names[2][:-1],
            names2=names[-2][:-1],
            params=params,
            macs=macs,
        )
        lanes = (
            *shown[:2],
            (Box(tr("<b>… {more} more …</b>", more=more), tr("<b>… {more} more …</b>", more=more), hover, width),),
            shown[2],
        )
    else:
        lanes = tuple(boxes(name) for name in names)
    words = {"concat": tr("their channels, one behind the other"), "sum": tr("added")}[part.combine]
    hover = tr(
        "<b>{name}</b>: {paths} rows side by side, {words}<br>output {shape_text}<br>no parameters of its own",
        name=placed.name,
        paths=len(paths),
        words=words,
        shape_text=shape_text(placed.output),
    )
    return Rows(lanes, part.combine, hover, len(paths))


def _flat(found: Sequence[Step]) -> Iterator[Box]:
    """Rows within rows are drawn one after the other: no net here has any."""
    for step in found:
        if isinstance(step, Box):
            yield step
        else:
            yield from itertools.chain.from_iterable(step.rows)


def _gate(parts: Sequence[Placed], layers: dict[str, Layer]) -> Box:
    row = next(layers[one.name] for one in parts if one.name in layers)
    what = tr("y = H·T + x·(1−T): T, between 0 and 1, lets the branch H through, and the input x as far as it is closed")
    start = next(one.part.bias_start for one in parts if isinstance(one.part, Conv))
    text = tr("<b>gate T</b><br>{kernel}×{kernel}, {output_shape}", kernel=row.kernel, output_shape=row.output_shape[0])
    return Box(
        text,
        text,
        tr(
            "{layer_hover}<br>its sigmoid is T; its biases start at {start:g}<br>{what}",
            layer_hover=layer_hover(row),
            start=start,
            what=what,
        ),
        is_layer=False,
    )


def _auxiliary(aside: Auxiliary, parts: Sequence[Placed], layers: dict[str, Layer]) -> Box:
    rows = []
    for one in parts:
        row = layers.get(one.name)
        if row is not None and row.kind != "bn":
            what = tr("{kernel}×{kernel} convolution", kernel=row.kernel) if row.kind == "conv" else tr("fully connected")
            rows.append(
                tr(
                    "{name}: {what}, output {shape_text}, {params:,} parameters",
                    name=row.name,
                    what=what,
                    shape_text=shape_text(row.output_shape),
                    params=row.params,
                )
            )
        elif small := _small(one, ()):
            rows.append(
                small.hover.split("<br>")[0].replace("<b>", "").replace("</b>", "")
                + tr(", output {shape_text}", shape_text=shape_text(one.output))
            )
    told = tr(
        "<b>{name}</b>: an auxiliary classifier, in training only; its loss counts {weight:g} times, its MACs do not",
        name=aside.name,
        weight=aside.weight,
    )
    return Box(
        tr("{name}<br>training only", name=aside.name),
        tr("{name}: training only", name=aside.name),
        "<br>".join([told, *rows]),
        is_layer=False,
    )
