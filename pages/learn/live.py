"""The trainings of a step, made now: submitted to the queue, and watched in place."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import streamlit as st

from pages.learn.scene import Scene
from pages.ui import estimate
from pages.ui.guard import guarded
from pages.ui.live_chart import CAPTION, live_chart
from pages.ui.permitted import PermittedStore, admit
from pages.ui.run_rows import progress_row
from pages.ui.runs_view import Seen, all_seen, going_on
from resnet_core.config import RunConfig
from resnet_core.figures.series import outcome
from resnet_core.language import tr
from resnet_core.runs import Look
from resnet_core.verdict import degradation_verdict

#: Another one than that of the records, so that there is something new to see.
FIRST_SEED = 1


def run_it_now(recorded: Sequence[RunConfig], scene: Scene) -> None:
    """The same trainings with a seed of the viewer's own: a button, and once they have begun their curves as they grow.

    Args:
        recorded: the configurations of what is shown already.
    """
    with guarded(tr("Run it now")):
        seed = FIRST_SEED
        looked = PermittedStore().tend()
        if not scene.presented:
            with st.container(horizontal=True, vertical_alignment="bottom"):
                seed = st.number_input(tr("Seed"), 0, 2**31 - 1, FIRST_SEED, key=f"{scene.key}.seed", width=150)
                place = st.container(width="content")
        configs = [dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, seed=seed)) for config in recorded]
        found = _found(looked, configs)
        active = any(seen.is_active for seen in found)
        if not scene.presented:
            with place, st.container(key="one_of.run"):
                _button(configs, found, looked, scene)
        if found:
            st.fragment(_panel, run_every=1.5 if active else None)(configs, active, scene)


def _found(looked: Look, configs: Sequence[RunConfig]) -> list[Seen]:
    return [Seen(*pair) for config in configs if (pair := looked.find(config)) is not None]


def _button(configs: Sequence[RunConfig], found: Sequence[Seen], looked: Look, scene: Scene) -> None:
    def start() -> None:
        with guarded(tr("Run it now")):
            store = PermittedStore()
            admit(configs)
            for config in configs:
                going_on(store, *store.submit(config))

    ended = len(found) == len(configs) and all(seen.state in ("finished", "diverged") for seen in found)
    if not ended and not any(seen.is_active for seen in found):
        time = estimate.words(configs, estimate.measured(all_seen(looked)))
        label = tr("Run it now ({time})", time=time)
        st.button(label, icon=":material/play_arrow:", key=f"{scene.key}.run", on_click=start)


def _panel(configs: Sequence[RunConfig], polled: bool, scene: Scene) -> None:
    with guarded(tr("Run it now")):
        found = _found(PermittedStore().tend(), configs)
        if any(seen.is_active for seen in found) != polled:
            st.rerun()
        runs = [seen.records() for seen in found]
        live_chart(runs, key=f"{scene.key}.live", note=tr("The first points come after some seconds."))
        for seen in found:
            if seen.is_active:
                progress_row(seen)
        if len(found) == len(configs) and not polled:
            st.markdown(f"**{degradation_verdict([outcome(run) for run in runs])}**")
        st.caption(CAPTION)
