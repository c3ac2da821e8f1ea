"""Words for nets: how they, and runs as they are listed, are called where several stand side by side, and what their numbers hold for.

>>> told_apart(nets)
{'resnet-20': 'ResNet-20 (shipped)', 'resnet-20-sample-s0-1f0c': 'ResNet-20 (run, seed 0)', 'plain-56': 'plain-56'}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from resnet_core import conditions as words
from resnet_core.language import mark, tr
from resnet_core.nets.catalog import Net
from resnet_core.nets.normalization import NORMALIZATIONS


def told_apart(listed: Sequence[Any]) -> dict[str, str]:
    """id -> its name, and in brackets what tells it from the others of that name: where it comes from, seed, data and schedule, its id.

    Args:
        listed: each a ``Net``, or with an id, a name, an origin and the config of a training.
    """
    more: dict[str, list[str]] = {one.id: [] for one in listed}

    def labels() -> dict[str, str]:
        return {one.id: f"{one.name} ({', '.join(more[one.id])})" if more[one.id] else one.name for one in listed}

    details: tuple[Callable[[Any], str], ...] = (lambda one: tr(one.origin), _seed, _schedule, lambda one: one.id)
    for detail in details:
        alike: dict[str, list[Any]] = {}
        for one, label in zip(listed, labels().values(), strict=True):
            alike.setdefault(label, []).append(one)
        for same in alike.values():
            found = [detail(one) for one in same] if len(same) > 1 else []
            if len(set(found)) > 1:
                for one, told in zip(same, found, strict=True):
                    more[one.id].append(told)
    return labels()


def _seed(one: Any) -> str:
    return tr("seed {seed}", seed=one.config.recipe.seed) if one.config else tr("trained elsewhere")


def _schedule(one: Any) -> str:
    if one.config is None:
        return str(one.card.get("normalization"))
    return tr("{value}, {iterations:,} iterations", value=one.config.data.short_label, iterations=one.config.recipe.iterations)


def conditions(net: Net) -> str:
    """``seed 0 · CIFAR-10 (50,000 images) · 1/4 of the paper's schedule · bf16``; of a net from elsewhere what is known of it."""
    if net.config is None:
        key = str(net.card.get("normalization") or "")
        shown = NORMALIZATIONS[key].label if key in NORMALIZATIONS else key or tr("unknown")
        enlarged = tr(" · sees {side}x{side} pixels, to which CIFAR-10's images are enlarged", side=net.side) if net.side != 32 else ""
        return tr("trained elsewhere · input: {shown}{enlarged}", shown=shown, enlarged=enlarged)
    recipe, more = net.config.recipe, []
    if net.iteration is not None and net.iteration < recipe.iterations:
        more.append(tr("after {iteration:,} of {iterations:,} iterations", iteration=net.iteration, iterations=recipe.iterations))
    if net.state != "finished":
        more.append(net.state)
    return words.conditions(net.config, tr("seed {seed}", seed=recipe.seed), [net.precision], *more)


def caption(nets: Sequence[Net], labels: Mapping[str, str]) -> str:
    """The conditions of all nets: once where they are alike, else of each kind with the nets that they hold for."""
    return words.of_each_kind([(labels[net.id], conditions(net)) for net in nets], mark("Every net: {next}."))
