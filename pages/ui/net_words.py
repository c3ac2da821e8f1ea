"""What must stand beside the numbers of a net: how it was trained, and which nets can be compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence

import streamlit as st

from pages.ui.labels import escaped
from pages.ui.permitted import PermittedStore
from resnet_core.errors import RunError
from resnet_core.figures.captions import schedule_text
from resnet_core.language import tr
from resnet_core.nets import NORMALIZATIONS, Net


def recorded(net: Net) -> Net:
    """The net as the records of its training show it, however far its newest checkpoint is: for ``conditions`` and ``caption``."""
    return dataclasses.replace(net, iteration=None)


def say_absent(ids: Sequence[str], what: str) -> None:
    """Says of ids of a link why they are not there: runs that have nothing to look into yet, and what is not known at all.

    Args:
        what: they are looked for among, e.g. ``nets``.
    """
    store = PermittedStore()
    early: list[str] = []
    unknown: list[str] = []
    for net_id in ids:
        try:
            run = store.get(net_id)
            (early if run.id == net_id and run.state().is_active else unknown).append(net_id)
        except RunError:
            unknown.append(net_id)
    if early:
        st.info(
            tr("In training or waiting for it, with nothing to look into yet: {shown}.", shown=_shown(early)),
            icon=":material/hourglass_empty:",
        )
    if unknown:
        text = tr("Not among the {what} here: {shown}. Deleted, or the link comes from elsewhere.", what=what, shown=_shown(unknown))
        st.warning(text, icon=":material/link_off:")


def _shown(ids: Sequence[str]) -> str:
    return ", ".join(escaped(net_id[:80]) for net_id in ids[:10])


def is_active(net: Net) -> bool:
    """Whether it is being trained, or waits for it."""
    return net.state in ("running", "queued")


def conditions(net: Net) -> str:
    """``seed 0 · CIFAR-10 (50,000 images) · 1/4 of the paper's schedule · bf16``; of a net from elsewhere what is known of it."""
    if net.config is None:
        key = str(net.card.get("normalization") or "")
        shown = NORMALIZATIONS[key].label if key in NORMALIZATIONS else key or "unknown"
        enlarged = tr(" · sees {side}x{side} pixels, to which CIFAR-10's images are enlarged", side=net.side) if net.side != 32 else ""
        return tr("trained elsewhere · input: {shown}{enlarged}", shown=shown, enlarged=enlarged)
    recipe = net.config.recipe
    parts = [
        tr("seed {seed}", seed=recipe.seed),
        net.config.data.label,
        schedule_text(net.config),
        net.precision or tr("precision not yet decided"),
    ]
    if net.iteration is not None and net.iteration < recipe.iterations:
        parts.append(tr("after {iteration:,} of {iterations:,} iterations", iteration=net.iteration, iterations=recipe.iterations))
    if net.state != "finished":
        parts.append(net.state)
    return " · ".join(parts)


def caption(nets: Sequence[Net], labels: Mapping[str, str]) -> str:
    """The conditions of all nets: once where they are alike, else of each kind with the nets that they hold for."""
    kinds: dict[str, list[str]] = {}
    for net in nets:
        kinds.setdefault(conditions(net), []).append(labels[net.id])
    if len(kinds) == 1:
        return tr("Every net: {next}.", next=next(iter(kinds)))
    return " ".join(f"{', '.join(names)}: {text}." for text, names in kinds.items())


def alike(net: Net, iteration: int | None) -> Hashable:
    """Equal for nets that can be compared: on the same data by the same schedule, and as far; those from elsewhere among themselves."""
    if net.config is None:
        return net.origin
    recipe = net.config.recipe
    return net.config.data, recipe.iterations, recipe.batch_size, iteration
