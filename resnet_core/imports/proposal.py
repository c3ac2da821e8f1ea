"""What an inspected file is, what is still to be decided about it, and all that an import needs. Nothing of it is on disk."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, cast

from resnet_core.architectures import LAYOUTS, ModelConfig, ResNetConfig
from resnet_core.imports.conversion import REORDERED, pad_behind
from resnet_core.imports.options import BOTH, OPTIONS

__all__ = ["LAYOUTS", "OWN", "Proposal"]

#: The normalisation of a file that brings its own tensors for it, which are none of the known ones.
OWN = "own"


@dataclass(frozen=True, eq=False)
class Proposal:
    """A file that can be imported.

    Attributes:
        file_name, file_bytes, sha256: of the file; its name as the user knows it.
        layout: a key of ``LAYOUTS``.
        model: the net, with the first of ``shortcuts``.
        shortcuts: keys of ``OPTIONS`` that fit the tensors, the likeliest first. More than one: it has to be asked.
        normalizations: keys of ``NORMALIZATIONS`` (or ``own``), the layout's own first. More than one: it has to be asked.
        notes: what was unwrapped, removed or converted; one sentence each.
        tensors: the net's ``state_dict`` as numpy arrays, float32 (BN's counters int64), the channels in the file's order.
        mean, std: float32 arrays of a file that says how its input is normalised; else None.
        classes, dataset: the names of its classes and the key of their data set, of a file that says them; else empty.
    """

    file_name: str
    file_bytes: int
    sha256: str
    layout: str
    model: ModelConfig
    shortcuts: tuple[str, ...]
    normalizations: tuple[str, ...]
    notes: tuple[str, ...]
    tensors: dict[str, Any] = field(repr=False)
    mean: Any = field(default=None, repr=False)
    std: Any = field(default=None, repr=False)
    classes: tuple[str, ...] = field(default=(), repr=False)
    dataset: str = ""

    @property
    def questions(self) -> tuple[str, ...]:
        """What the file leaves open: ``normalization``, ``shortcut``, both or nothing."""
        choices = (("normalization", self.normalizations), ("shortcut", self.shortcuts))
        return tuple(name for name, values in choices if len(values) > 1)

    def net(self, shortcut: str | None = None) -> ModelConfig:
        """The net with one of ``shortcuts``."""
        if shortcut is None or OPTIONS.get(shortcut, shortcut) == self.model.shortcut:
            return self.model
        return dataclasses.replace(self.model, shortcut=OPTIONS[shortcut])

    def arrays(self, shortcut: str) -> dict[str, Any]:
        """``tensors`` as those of ``net(shortcut)``, with the channels in our order."""
        return pad_behind(self.tensors, cast(ResNetConfig, self.model).width) if shortcut == BOTH else dict(self.tensors)

    def notes_of(self, shortcut: str) -> tuple[str, ...]:
        """``notes``, and what becomes of the channels where one of ``shortcuts`` is taken."""
        return (*self.notes, REORDERED) if shortcut == BOTH else self.notes

    def normalization_arrays(self, key: str) -> tuple[Any, Any]:
        """float32 mean (3, 32, 32) or (3, 1, 1), and std (3, 1, 1) or None, of one of ``normalizations``."""
        from resnet_core.nets import NORMALIZATIONS

        return (self.mean, self.std) if self.mean is not None else NORMALIZATIONS[key].arrays()
