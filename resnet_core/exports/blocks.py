"""The units of a net as classes in Python: what its blocks have in common becomes code, what differs a parameter.

For example::

    kinds = written(parse("ResNet-56").plan())  # one class for all 27 blocks
    print("\\n".join(kinds[0].lines()))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from resnet_core.architectures.further_parts import AveragedTo, AvgPool, Dropout, LocalResponseNorm, Shift, Sigmoid, Tanh
from resnet_core.architectures.joins import Add, Concat, Gate
from resnet_core.architectures.parts import BatchNorm, Conv, Flatten, GlobalPool, Linear, MaxPool, Part, Relu, Scale, Shape, ZeroPad
from resnet_core.architectures.plan import Plan, Unit
from resnet_core.errors import ConfigError, UserError
from resnet_core.language import mark

#: What a block's differences may be called, in the order of its parameters.
_PARAMETERS = ("channels", "filters", "kernel", "stride", "groups")
#: What behind a block may be there in some of them: the name of its switch.
_SWITCHES = {MaxPool: "pool", LocalResponseNorm: "normed", Dropout: "dropout"}
_JOINS = {Add: "y + {skip}", Concat: "torch.cat(({skip}, y), dim=1)", Gate: "y * gate + {skip} * (1 - gate)"}
_UNREADABLE = mark("{name} cannot be written as a short file: {why}. Export its weights or ONNX instead.")

_OURS = mark("it has a part that only this project knows, {part}")


class Unreadable(UserError):
    """There is no short code for it; says why, as a part of a sentence."""


def refused(name: str, error: Unreadable) -> ConfigError:
    """Say so of a net of that name."""
    return ConfigError("py", _UNREADABLE, name=name, why=error)


@dataclass(frozen=True)
class Call:
    """A module as it is made: ``nn.Conv2d(16, 32, 3, ...)``; options at their default are not written."""

    function: str
    values: tuple[int, ...] = ()
    options: tuple[tuple[str, Any, Any], ...] = ()  # name, value, default


def call(part: Part, shape: Shape) -> Call | None:
    """What makes the module of a part that has tensors; None for what has none."""
    match part:
        case Conv():
            options = (
                ("stride", part.stride, 1),
                ("padding", part.margin, 0),
                ("groups", part.groups, 1),
                ("bias", part.bias, True),
            )
            return Call("nn.Conv2d", (shape[0], part.filters, part.kernel), options)
        case BatchNorm():
            return Call("nn.BatchNorm2d", (shape[0],), (("eps", part.eps, 1e-5),))
        case Linear():
            return Call("nn.Linear", (shape[0], part.outputs))
        case Scale() | Shift():
            return Call(type(part).__name__)
    if part.parameters(shape):
        raise Unreadable(_OURS, part=type(part).__name__)
    return None


def applied(part: Part, x: str) -> str:
    """The expression for the part's output, where ``x`` is its input."""
    match part:
        case Relu():
            return f"F.relu({x})"
        case Tanh():
            return f"torch.tanh({x})"
        case Sigmoid():
            return f"torch.sigmoid({x})"
        case MaxPool():
            padding = f", padding={part.margin}" if part.margin else ""
            return f"F.max_pool2d({x}, {part.kernel}, {part.stride}{padding}{', ceil_mode=True' if part.ceil_mode else ''})"
        case AvgPool():
            return f"F.avg_pool2d({x}, {part.kernel}, {part.stride})"
        case GlobalPool():
            return f"F.adaptive_avg_pool2d({x}, 1)"
        case AveragedTo():
            return f"F.adaptive_avg_pool2d({x}, {part.side})"
        case Flatten():
            return f"{x}.flatten(1)"
        case Dropout():
            return f"F.dropout({x}, {part.percent / 100:g}, self.training)"
        case LocalResponseNorm():
            return f"F.local_response_norm({x}, 5, alpha=5e-4, beta=0.75, k=2.0)"
    if part.kind not in ("conv", "bn", "fc", "scale", "shift"):
        raise Unreadable(_OURS, part=type(part).__name__)
    return f"self.{part.name}({x})"


def statements(parts: Sequence[Part], x: str, y: str, returned: str = "") -> list[str]:
    """Lines that send ``x`` through the parts; each begins with a layer of the first one's kind, or where it would be too long.

    Args:
        y: the name of what comes out of each line.
        returned: ``return `` to return the last.
    """
    begins = next((part.kind for part in parts if part.kind in ("conv", "bn", "fc")), "")
    lines: list[str] = []
    expression = x
    for part in parts:
        longer = applied(part, expression)
        if expression != x and (part.kind == begins or len(longer) > 76):
            lines.append(f"{y} = {expression}")
            longer, x = applied(part, y), y
        expression = longer
    if expression != x or returned:
        lines.append(f"{returned}{expression}" if returned else f"{y} = {expression}")
    return lines


@dataclass
class Kind:
    """Units that one class is written for.

    Attributes:
        units: each with the shapes of its input and of what comes out of its branch.
        tail: what follows the join, in any of them.
    """

    name: str
    units: list[tuple[Unit, Shape, Shape]]
    tail: tuple[Part, ...] = ()
    used: set[str] = field(default_factory=set)

    @property
    def _first(self) -> Unit:
        return self.units[0][0]

    @property
    def _parts(self) -> tuple[Part, ...]:
        return (*self._first.before, *self._first.branch)

    def _known(self, unit: Unit, shape: Shape) -> dict[str, int]:
        convs = [part for part in (*unit.before, *unit.branch) if isinstance(part, Conv)]
        if not convs:
            return {"channels": shape[0]}
        stride = max(part.stride for part in convs)
        return {"channels": shape[0], "filters": convs[0].filters, "kernel": convs[0].kernel, "stride": stride, "groups": convs[0].groups}

    def _text(self, values: Sequence[Any], prefer: str = "filters") -> str:
        """One expression for a number that is ``values`` in the units: itself, or made of what is a parameter."""
        if len(set(values)) == 1:
            return str(values[0])
        known = [self._known(unit, shape) for unit, shape, _ in self.units]
        forms: list[tuple[str, Callable[[int], int]]] = [("{}", lambda x: x)]
        forms += [(f"{k} * {{}}", lambda x, k=k: k * x) for k in range(2, 9)]  # type: ignore[misc]  # mypy knows no defaults of lambdas
        forms += [(f"{{}} // {k}", lambda x, k=k: x // k) for k in range(2, 9)]  # type: ignore[misc]  # mypy knows no defaults of lambdas
        for form, made in forms:
            for name in sorted(_PARAMETERS, key=lambda name: name != prefer):
                if all(name in each and made(each[name]) == value for each, value in zip(known, values, strict=True)):
                    self.used.add(name)
                    return form.format(name)
        raise Unreadable("its blocks differ in more than their channels, filters and strides")

    def _made(self, calls: Sequence[Call]) -> str:
        first = calls[0]
        words = [
            self._text([each.values[at] for each in calls], "channels" if at == 0 else "kernel" if at == 2 else "filters")
            for at in range(len(first.values))
        ]
        for at, (name, _, default) in enumerate(first.options):
            values = [each.options[at][1] for each in calls]
            if set(values) != {default}:
                words.append(f"{name}={self._text(values, 'stride' if name == 'stride' else 'kernel')}")
        return f"{first.function}({', '.join(words)})"

    def _row(self, rows: Sequence[tuple[Sequence[Part], Shape]]) -> list[tuple[str, str]]:
        """Name and constructor of each module in a row of parts that the units have alike."""
        found = []
        shapes = [shape for _, shape in rows]
        for column in zip(*(parts for parts, _ in rows), strict=True):
            calls = [call(part, shape) for part, shape in zip(column, shapes, strict=True)]
            if made := [each for each in calls if each is not None]:
                found.append((column[0].name, self._made(made)))
            shapes = [part.output(shape) for part, shape in zip(column, shapes, strict=True)]
        return found

    def _when(self, flags: Sequence[bool], out: str) -> str:
        """A condition on the parameters that is true in just these units."""
        known = [self._known(unit, shape) for unit, shape, _ in self.units]
        outs = [branch[0] for *_, branch in self.units]
        wider = [each["channels"] != each_out for each, each_out in zip(known, outs, strict=True)]
        smaller = [each.get("stride", 1) != 1 for each in known]
        either = [one or other for one, other in zip(wider, smaller, strict=True)]
        for text, pattern in ((f"channels != {out}", wider), ("stride != 1", smaller), (f"stride != 1 or channels != {out}", either)):
            if list(flags) == pattern:
                self.used |= {name for name in _PARAMETERS if name in text}
                return text
        raise Unreadable("where its shortcuts have weights does not follow from their shapes")

    def lines(self) -> list[str]:
        """The class, without empty lines around it."""
        self.used, first = set(), self._first
        made = [f"self.{name} = {text}" for name, text in self._row([((*u.before, *u.branch), shape) for u, shape, _ in self.units])]
        out = self._text([branch[0] for *_, branch in self.units]) if first.skip is not None else ""
        skip, forward = "x", []
        if first.join.parts:
            modules = self._row([(unit.join.parts, shape) for unit, shape, _ in self.units])
            made += ["self.gate = nn.Sequential()", *(f'self.gate.add_module("{name}", {text})' for name, text in modules)]
            parts = [part for part in first.join.parts if call(part, (1,)) is None]
            gate = "self.gate(x)"
            for part in parts:
                gate = applied(part, gate)
            forward.append(f"gate = {gate}")
        shared = [bool(unit.before) for unit, *_ in self.units]
        if any(shared) and first.skip is not None:
            length = max(len(unit.before) for unit, *_ in self.units)
            forward += [*statements(self._parts[:length], "x", "a"), *statements(self._parts[length:], "a", "y")]
            skip = "a"
            if not all(shared):
                made.append(f"self.changes = {self._when(shared, out)}")
                forward += ["# Where dimensions change, the shortcut shares the first of these steps.", "skip = a if self.changes else x"]
                skip = "skip"
        else:
            forward += statements(self._parts, "x", "y")
        if first.skip is not None:
            more, skip = self._skip(made, skip, out)
            forward += more
            forward.append(f"y = {_JOINS[type(first.join)].format(skip=skip)}")
        forward += self._tail(made)
        if forward[-1].startswith("y = "):
            forward[-1] = "return " + forward[-1].removeprefix("y = ")
        else:
            forward.append("return y")
        signature = "".join(f", {text}" for text in [*self.parameters, *(f"{switch}=False" for switch in self._switched())])
        return [
            f"class {self.name}(nn.Module):",
            f'    """{self._told()}"""',
            "",
            f"    def __init__(self{signature}):",
            "        super().__init__()",
            *(f"        {line}" for line in made),
            "",
            "    def forward(self, x):",
            *(f"        {line}" for line in forward),
        ]

    def _skip(self, made: list[str], skip: str, out: str) -> tuple[list[str], str]:
        """Lines for what is added, and what it is called then."""
        strides = [next((part.stride for part in unit.skip or () if isinstance(part, ZeroPad)), 1) for unit, *_ in self.units]
        with_weights = [any(isinstance(part, Conv) for part in unit.skip or ()) for unit, *_ in self.units]
        if any(with_weights):
            changing = [one for one, has in zip(self.units, with_weights, strict=True) if has]
            inner = Kind(self.name, changing)
            shapes = [(unit.skip or (), _behind(unit.before, shape)) for unit, shape, _ in changing]
            modules = inner._row(shapes)
            if any(text.count(word) for _, text in modules for word in _PARAMETERS):
                self.used |= {word for word in _PARAMETERS if any(word in text for _, text in modules)}
            added = [f'self.shortcut.add_module("{name}", {text})' for name, text in modules]
            if all(with_weights):
                made += ["# Option C: the shortcut is a 1x1 convolution.", "self.shortcut = nn.Sequential()", *added]
            else:
                condition = self._when(with_weights, out)
                made += ["self.shortcut = nn.Sequential()  # the identity, which has no weights"]
                made += [f"if {condition}:  # option B: a 1x1 convolution", *(f"    {line}" for line in added)]
            return [], f"self.shortcut({skip})"
        if not any(unit.skip for unit, *_ in self.units):
            return [], skip
        stride = self._text(strides, "stride")
        self.used.add("channels")
        made.append(f"self.stride, self.new_channels = {stride}, {out} - channels")
        return [
            "# Option A: a shortcut without weights. Where the maps become smaller, it takes every second",
            "# pixel, and the channels that are new are zeros (elsewhere this changes nothing).",
            f"skip = {skip}[:, :, :: self.stride, :: self.stride]",
            "skip = F.pad(skip, (0, 0, 0, 0, 0, self.new_channels))",
        ], "skip"

    def _switched(self) -> dict[str, list[bool]]:
        """The switches, each with the units in which it is on."""
        found: dict[str, list[bool]] = {}
        for part in self.tail:
            there = [any(type(part) is type(other) for other in unit.after) for unit, *_ in self.units]
            if not all(there) and there not in found.values():
                found[_SWITCHES[type(part)]] = there
        return found

    def _tail(self, made: list[str]) -> list[str]:
        """Lines for what follows the join; the last one ends with the output."""
        lines, expression = [], "y"
        switches = self._switched()
        made += [f"self.{switch} = {switch}" for switch in switches]
        for part in self.tail:
            there = [any(type(part) is type(other) for other in unit.after) for unit, *_ in self.units]
            if all(there):
                expression = applied(part, expression)
                continue
            if expression != "y":
                lines.append(f"y = {expression}")
            switch = next(name for name, pattern in switches.items() if pattern == there)
            lines += [f"if self.{switch}:", f"    y = {applied(part, 'y')}"]
            expression = "y"
        return lines if expression == "y" else [*lines, f"y = {expression}"]

    @property
    def parameters(self) -> list[str]:
        """The names of what its units differ in; known when its lines have been written."""
        return [name for name in _PARAMETERS if name in self.used]

    def arguments(self, unit: Unit, shape: Shape) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """What one of its units is made with: the numbers, and the switches that are on."""
        known = self._known(unit, shape)
        at = next(at for at, (other, *_) in enumerate(self.units) if other is unit)
        return tuple(known[name] for name in self.parameters), tuple(name for name, on in self._switched().items() if on[at])

    def _told(self) -> str:
        convs = [part for part in self._parts if isinstance(part, Conv)]
        sizes = ", ".join(f"{part.kernel}x{part.kernel}" for part in convs)
        layers = f"One convolution ({sizes})" if len(convs) == 1 else f"{len(convs)} convolutions ({sizes})"
        if self._first.skip is None:
            return f"{layers}, without a shortcut."
        return (
            f"{layers}, and a shortcut: "
            + {
                "add": "their output is added to the input.",
                "concat": "their output follows the input's channels.",
                "gate": "a gate mixes the input and their output.",
            }[self._first.join.name]
        )


def _behind(parts: Sequence[Part], shape: Shape) -> Shape:
    for part in parts:
        shape = part.output(shape)
    return shape


def written(plan: Plan) -> list[Kind]:
    """The kinds of a net's units in the order they come.

    Raises:
        Unreadable: there are more than three, or there is no short code for them.
    """
    kinds: dict[tuple[Any, ...], Kind] = {}
    shape = _behind(plan.stem, plan.input)
    for unit in plan.units:
        if unit.join.is_random:
            raise Unreadable("its blocks are there by chance in training, each with a probability of its own")
        if unit.skip is not None and type(unit.join) not in _JOINS:
            raise Unreadable(_OURS, part=type(unit.join).__name__)
        parts = (*unit.before, *unit.branch)
        switchable = tuple(_SWITCHES)
        fixed = tuple(type(part) for part in unit.after if not isinstance(part, switchable))
        row = tuple((type(part), part.name) for part in parts)
        kind = kinds.setdefault((row, type(unit.join), unit.skip is None, fixed), Kind("", []))
        branch = _behind(parts, shape)
        kind.units.append((unit, shape, branch))
        kind.tail = max(kind.tail, unit.after, key=len)
        joined = branch if unit.skip is None else unit.join.output(branch, _behind(unit.skip, _behind(unit.before, shape)))
        shape = _behind(unit.after, joined)
    found = list(kinds.values())
    if len(found) > 2:
        raise Unreadable("its blocks are of more than two kinds")
    for kind, name in zip(found, ("Block", "Transition"), strict=False):
        kind.name = name
        if any(type(part) not in map(type, kind.tail) for unit, *_ in kind.units for part in unit.after):
            raise Unreadable("what follows its blocks differs too much")
    return found
