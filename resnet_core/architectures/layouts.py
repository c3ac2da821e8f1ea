"""How files of other projects call the tensors of a family's nets, as data.

>>> layout = Layout("theirs", "somebody/nets", names=(("layer{}.{}.shortcut.conv", "layer{}.{+1}.downsample.0"), ("fc", "linear")))
>>> layout.theirs("layer2.0.shortcut.conv.weight"), layout.ours("linear.bias")
('layer2.1.downsample.0.weight', 'fc.bias')
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from resnet_core.architectures.plan import HEAD, Plan

#: Our names of modules and theirs.
Names = tuple[tuple[str, str], ...]
_NUMBER = re.compile(r"\{(?:\+\d+)?\}")


def _fits(config: Any) -> str:
    return ""


@dataclass(frozen=True)
class Layout:
    """The names that one project has for the modules of a family.

    Attributes:
        key: of the layout in cards; title: of the project, for people.
        names: pairs of our name of a module and theirs, where they differ; the first that fits the beginning of a tensor's name counts.
            ``{}`` is a number, the same on both sides; ``{+1}`` is one that is larger by 1 than its fellow ``{}``. Theirs may leave out
            numbers at the end, which has no way back.
        of_plan: gives the names of one net from its plan, where they follow no pattern, as numbers that run through the whole net.
        normalization: how the project prepares images, a key of ``NORMALIZATIONS``; by_classes: of those with another number of classes.
        likely: what a file may be beside other things (see ``imports.options``) that it is first taken for.
        assumed: what is taken for granted of every file in this layout, though it does not say so; a sentence, or empty.
        order: gives, of one net's plan, for tensors of ours whose channels come in another order there, which of theirs is our i-th: of
            the inputs of a convolution or a fully connected layer, of all that a BN has.
        unclear: tells why a file in this layout would not say which net it is, for a configuration; empty where it does.
    """

    key: str
    title: str
    names: Names = ()
    of_plan: Callable[[Plan], Names] | None = None
    normalization: str = "imagenet"
    by_classes: Mapping[int, str] = dataclasses.field(default_factory=dict, hash=False)
    likely: str = ""
    assumed: str = ""
    order: Callable[[Plan], Mapping[str, Sequence[int]]] | None = None
    unclear: Callable[[Any], str] = _fits

    def of(self, config: Any) -> Layout:
        """Return the layout with the names of this net."""
        return dataclasses.replace(self, names=(*self.names, *self.of_plan(config.plan())), of_plan=None) if self.of_plan else self

    def theirs(self, key: str) -> str:
        """Return their name of a tensor of ours."""
        return _renamed(key, self.names)

    def ours(self, key: str) -> str:
        """Return our name of a tensor of theirs."""
        return _renamed(key, self._back)

    @cached_property
    def _back(self) -> Names:
        return tuple((theirs, ours) for ours, theirs in self.names)

    def with_names(self, names: Names) -> Layout:
        """Return the layout with other names for some modules."""
        return dataclasses.replace(self, names=(*names, *self.names)) if names else self

    def usual(self, num_classes: int) -> str:
        """Return how the project prepares images of so many classes."""
        return self.by_classes.get(num_classes, self.normalization)


@lru_cache(maxsize=512)
def _reader(template: str) -> tuple[re.Pattern[str], tuple[str, ...], tuple[int, ...]]:
    """Return what finds a template at the beginning of a key, its pieces between the numbers, and what is added to each number."""
    pieces = tuple(_NUMBER.split(template))
    added = tuple(int(each[2:-1] or 0) for each in _NUMBER.findall(template))
    return re.compile(r"(\d{1,4})".join(map(re.escape, pieces)) + r"(?=\.)", re.ASCII), pieces, added


def _renamed(key: str, names: Names) -> str:
    for source, target in names:
        pattern, _, taken = _reader(source)
        _, pieces, added = _reader(target)
        if len(added) <= len(taken) and (match := pattern.match(key)):
            numbers = [int(text) - less + more for text, less, more in zip(match.groups(), taken, added, strict=False)]
            return pieces[0] + "".join(f"{number}{piece}" for number, piece in zip(numbers, pieces[1:], strict=True)) + key[match.end() :]
    return key


#: Our own names: those of the plan.
OWN = Layout("resnet-lab", "ResNet Lab", normalization="pixel-mean")


def newest_first(plan: Plan) -> dict[str, Sequence[int]]:
    """Return the ``Layout.order`` of a DenseNet whose layers put their output before their input, where ours put it behind."""
    found: dict[str, Sequence[int]] = {}
    order: Sequence[int] = ()  # of what comes into the next unit, or into the head; empty where it is ours
    for unit, row in itertools.groupby(plan.walk(), key=lambda placed: placed.unit):
        parts = list(row)
        for placed in parts:
            tensors = {**placed.part.parameters(placed.shape), **placed.part.buffers(placed.shape)} if order else {}
            is_layer = placed.part.kind in ("conv", "fc")
            found |= {f"{placed.name}.{key}": order for key, shape in tensors.items() if (key == "weight" if is_layer else shape)}
            if is_layer:  # behind it come channels of its own
                break
        if unit is not None and unit.join.name == "concat":
            channels, added = parts[0].shape[0], parts[-1].output[0]
            order = (*(added + index for index in order or range(channels)), *range(added))
        else:
            order = ()
    return found


def numbered(container: str) -> Callable[[Plan], Names]:
    """Return what names the modules before the head as in one ``nn.Sequential`` of that name, which counts those without weights too."""

    def names(plan: Plan) -> Names:
        parts = [placed for placed in plan.walk() if placed.place != HEAD]
        return tuple((placed.name, f"{container}.{index}") for index, placed in enumerate(parts) if placed.part.kind)

    return names
