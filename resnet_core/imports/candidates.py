"""The nets that a file may be of, in every layout, as the families propose them from its keys and shapes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any

from resnet_core.architectures import FAMILIES, Family, ModelConfig
from resnet_core.architectures.layouts import OWN, Layout, Names
from resnet_core.architectures.parts import Shape
from resnet_core.errors import ConfigError

#: What counts the batches of a BN; nothing computes with it in evaluation mode.
COUNTER = "num_batches_tracked"


@lru_cache(maxsize=256)
def tensors(config: ModelConfig) -> Mapping[str, Shape]:
    """The net's tensors and their shapes, but for those that count BN's batches."""
    return MappingProxyType({key: shape for key, shape in config.plan().tensors().items() if not key.endswith(COUNTER)})


def computed(config: ModelConfig) -> tuple[Any, ...]:
    """What a net computes with after training: its parts and joins without those that only training has, as dropout."""
    plan = config.plan()
    return tuple((placed.name, placed.part) for placed in plan.walk() if not placed.part.is_random), [unit.join for unit in plan.units]


@dataclass(frozen=True)
class Candidate:
    """A net that a file may be of.

    Attributes:
        layout: that the names are of; renamed: what is called otherwise than there.
    """

    config: ModelConfig
    family: Family
    layout: Layout
    renamed: Names = ()

    @property
    def tensors(self) -> Mapping[str, Shape]:
        """Its tensors and their shapes, but for those that count BN's batches."""
        return tensors(self.config)

    @cached_property
    def keys(self) -> dict[str, str]:
        """The layout's key of each tensor -> ours."""
        return {self.layout.theirs(ours): ours for ours in self.tensors}

    @cached_property
    def due(self) -> dict[str, Shape]:
        """Its tensors under the layout's keys, and their shapes."""
        return {theirs: self.tensors[ours] for theirs, ours in self.keys.items()}

    def biases(self, given: Mapping[str, Shape]) -> dict[str, str] | None:
        """The file's key of each bias that is to be folded into a BN -> our key of its running mean; None if it is not this net's file.

        (x + b) - m is x - (m - b), so that a convolution before a BN needs no bias.
        """
        more = len(given) - len(self.tensors)
        folds = self.config.plan().folds if more > 0 else ()
        if not 0 <= more <= len(folds) or any(given.get(key) != shape for key, shape in self.due.items()):
            return None
        means = {self.layout.theirs(f"{conv}.bias"): f"{bn}.running_mean" for conv, bn in folds}
        found = {key: mean for key, mean in means.items() if key not in self.keys and given.get(key) == self.tensors[mean]}
        return found if given.keys() == self.keys.keys() | found.keys() else None


def candidates(given: Mapping[str, Shape]) -> tuple[list[Candidate], dict[str, ConfigError]]:
    """List the nets that the file may be of; and by family, why the net that it would be of cannot be."""
    found: list[Candidate] = []
    problems: dict[str, ConfigError] = {}
    read: dict[Names, dict[str, Shape]] = {}  # many families have the same layouts
    for family in FAMILIES.values():
        for layout in (OWN, *family.layouts):
            for renamed in ((), *family.also):
                named = layout.with_names(renamed)
                if not all(any(key.startswith(f"{theirs}.") for key in given) for _, theirs in renamed):
                    continue
                if (ours := read.get(named.names)) is None:
                    ours = read[named.names] = {named.ours(key): shape for key, shape in given.items()}
                try:
                    proposed = family.config.propose(ours) if len(ours) == len(given) else ()  # none where two keys would have one name
                    configs = dict.fromkeys([*proposed, *_known(family, named, given)])
                    found += [Candidate(config, family, named.of(config), renamed) for config in configs]
                except ConfigError as error:
                    problems.setdefault(family.key, error)
    return found, problems


def _known(family: Family, layout: Layout, given: Mapping[str, Shape]) -> Iterator[ModelConfig]:
    """The family's best known nets that have about as many tensors, of as many classes as the file."""
    for config in family.presets:
        if len(given) <= 2 * len(tensors(config)) <= 4 * len(given):
            classes = given.get(layout.of(config).theirs(f"{config.plan().classifier}.weight"), ())
            other = len(classes) == 2 and classes[0] != config.num_classes
            yield dataclasses.replace(config, num_classes=classes[0]) if other else config
