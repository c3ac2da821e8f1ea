"""What must stand beside the numbers of a net: how it was trained, and which nets can be compared."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from resnet_core.figures.captions import fraction_text
from resnet_core.nets import NORMALIZATIONS, Net


def is_active(net: Net) -> bool:
    """Whether it is being trained, or waits for it."""
    return net.state in ("running", "queued")


def conditions(net: Net) -> str:
    """``seed 0 · CIFAR-10 (50,000 images) · 1/4 of the paper's schedule · bf16``; of a net from elsewhere what is known of it."""
    if net.config is None:
        key = str(net.card.get("normalization") or "")
        shown = NORMALIZATIONS[key].label if key in NORMALIZATIONS else key or "unknown"
        return f"trained elsewhere · input: {shown}"
    recipe = net.config.recipe
    parts = [
        f"seed {recipe.seed}",
        net.config.data.label,
        fraction_text(recipe.schedule_fraction),
        net.precision or "precision not yet probed",
    ]
    if net.iteration is not None and net.iteration < recipe.iterations:
        parts.append(f"after {net.iteration:,} of {recipe.iterations:,} iterations")
    if net.state != "finished":
        parts.append(net.state)
    return " · ".join(parts)


def caption(nets: Sequence[Net], labels: Mapping[str, str]) -> str:
    """The conditions of all nets: once where they are alike, else of each kind with the nets that they hold for."""
    kinds: dict[str, list[str]] = {}
    for net in nets:
        kinds.setdefault(conditions(net), []).append(labels[net.id])
    if len(kinds) == 1:
        return f"Every net: {next(iter(kinds))}."
    return " ".join(f"{', '.join(names)}: {text}." for text, names in kinds.items())


def alike(net: Net, iteration: int | None) -> Hashable:
    """Equal for nets that can be compared: on the same data by the same schedule, and as far; those from elsewhere among themselves."""
    if net.config is None:
        return net.origin
    recipe = net.config.recipe
    return net.config.data, recipe.iterations, recipe.batch_size, iteration
