"""A net trained on as a deeper one: blocks that do nothing are added, and what training makes of them is seen beside a net from scratch."""

from __future__ import annotations

import dataclasses

import streamlit as st

from pages.checkpoints.queued import note_queued, queued_links
from pages.ui import estimate
from pages.ui.analyses import choose_images
from pages.ui.labels import escaped
from pages.ui.permitted import PermittedStore, admit
from pages.ui.runs_view import all_seen, going_on
from resnet_core.config import RunConfig
from resnet_core.errors import ConfigError
from resnet_core.language import mark, tr
from resnet_core.nets import Net, growth

WHY = mark(
    "Blocks that do nothing are added to each stage: the deeper net begins as the same function (He et al. 2016, section 1). Does training "
    "keep that solution, make it better, or lose it? The optimiser begins anew."
)


def grow_panel(net: Net) -> None:
    """Draws what may be chosen, what comes of it, and the button."""
    if why := growth.why_not(net):
        st.info(
            tr("{name} cannot be made deeper by blocks that do nothing: {why}", name=escaped(net.name), why=escaped(why)),
            icon=":material/info:",
        )
        return
    st.markdown(tr(WHY))
    config, where, scratch = _chosen(net)
    if config is None:
        return
    twin = RunConfig(config.model, config.data, config.recipe)
    store = PermittedStore()
    known = estimate.measured(all_seen(store.look()))
    time = estimate.words([config, twin] if scratch else [config], known)
    st.caption(
        tr(
            "{name} becomes {name2}, which is trained for {iterations:,} iterations on {label} by the rest of {value} recipe; {time}.",
            name=escaped(net.model.name),
            name2=escaped(config.model.name),
            iterations=config.recipe.iterations,
            label=escaped(config.data.label),
            value=tr("its own") if net.config else tr("the paper’s"),
            time=time,
        )
    )
    if net.config is None or config.data != net.config.data:
        st.caption(tr("These are other images than it was trained with: their mean differs, and so does what the net is shown."))
    if st.button(
        tr("Train on as {name}", name=escaped(config.model.name)), type="primary", icon=":material/trending_up:", key="grow.start"
    ):
        admit([config, twin] if scratch else [config])
        runs = [going_on(store, *growth.grow(store, net, config, data_dir=where))]
        if scratch:
            runs.append(going_on(store, *store.submit(twin, data_dir=where)))
        note_queued("grow", net, runs)
    queued_links("grow", net, beside=[net.id] if net.config else [])


def _chosen(net: Net) -> tuple[RunConfig | None, str | None, bool]:
    own = net.config
    left, middle, right = st.columns(3, vertical_alignment="bottom")
    rounds = left.number_input(
        tr("Blocks added to each stage"), 1, 100, 6, key="grow.rounds", help=tr("6 make 56 layers of 20 with basic blocks.")
    )
    config = growth.planned(net, 1)
    iterations = middle.number_input(tr("Iterations"), 1, 1_000_000, config.recipe.iterations, key=f"grow.iterations.{net.id}")
    rate = right.number_input(tr("Learning rate"), 0.0, 10.0, config.recipe.learning_rate, format="%g", key=f"grow.rate.{net.id}")
    images = choose_images([net], f"grow.data.{net.id}", tr("Images"), own=True, persist_state="session")
    if images is None:
        return None, None, False
    data = own.data if own and images.config.dataset == own.data.dataset else images.config
    scratch = st.checkbox(tr("Train the deeper net from scratch too, by the same recipe"), True, key="grow.scratch")
    try:
        recipe = dataclasses.replace(config.recipe, iterations=int(iterations), learning_rate=float(rate))
        return growth.planned(net, int(rounds), data, recipe), images.where, scratch
    except ConfigError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return None, None, scratch
