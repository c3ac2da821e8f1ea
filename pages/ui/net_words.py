"""What pages say of nets that cannot be shown, and which nets can be compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence

import streamlit as st

from pages.ui.labels import escaped
from pages.ui.permitted import PermittedStore
from resnet_core.errors import RunError
from resnet_core.language import tr
from resnet_core.nets import Net


def recorded(net: Net) -> Net:
    """The net as the records of its training show it, however far its newest checkpoint is: for ``conditions`` and ``caption``."""
    return dataclasses.replace(net, iteration=None)


def nothing_yet(text: str) -> None:
    """What a page says where there is nothing that it could show, and where there will be."""
    st.info(text)
    with st.container(horizontal=True):
        st.page_link("home/page.py", label=tr("Home: run the demo"), icon=":material/home:")
        st.page_link("train/page.py", label=tr("Train: choose nets"), icon=":material/model_training:")


def say_absent(ids: Sequence[str], what: str) -> None:
    """Says of ids of a link why they are not there: runs that have nothing to look into yet, and what is not known at all.

    Args:
        what: they are looked for among, e.g. ``nets``, declared by ``mark``.
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
        text = tr("Not among the {what} here: {shown}. Deleted, or the link comes from elsewhere.", what=tr(what), shown=_shown(unknown))
        st.warning(text, icon=":material/link_off:")


def _shown(ids: Sequence[str]) -> str:
    return ", ".join(escaped(net_id[:80]) for net_id in ids[:10])


def is_active(net: Net) -> bool:
    """Whether it is being trained, or waits for it."""
    return net.state in ("running", "queued")


def alike(net: Net, iteration: int | None) -> Hashable:
    """Equal for nets that can be compared: on the same data by the same schedule, and as far; those from elsewhere among themselves."""
    if net.config is None:
        return net.origin
    recipe = net.config.recipe
    return net.config.data, recipe.iterations, recipe.batch_size, iteration
