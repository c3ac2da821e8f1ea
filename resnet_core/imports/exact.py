"""A file in our own layout is the net whose description has exactly its tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from resnet_core.architectures import FAMILIES, ModelConfig
from resnet_core.imports.layouts import COUNTER, Shape
from resnet_core.imports.options import BEHIND


def matches(given: Mapping[str, Shape], told: ModelConfig | None = None) -> list[ModelConfig]:
    """List the nets that have these tensors, BN's counters left out; several where a shortcut has no parameters.

    Args:
        told: what the file says it is; then only that is looked at.
    """
    due = {key: tuple(shape) for key, shape in given.items() if not key.endswith(COUNTER)}
    candidates = _candidates(due) if told is None else [told]
    return [config for config in candidates if without_counters(config) == due]


def without_counters(config: ModelConfig) -> dict[str, Shape]:
    """Return the net's tensors, but for those that count BN's batches."""
    return {key: shape for key, shape in config.plan().tensors().items() if not key.endswith(COUNTER)}


def _candidates(given: Mapping[str, Shape]) -> Iterator[ModelConfig]:
    for family in FAMILIES.values():
        yield from family.config.propose(given)
        yield from family.presets


def option(config: ModelConfig) -> str:
    """Return what its shortcuts are called among the choices of an import."""
    return BEHIND if config.shortcut == "A" else config.shortcut
