"""The trainings of a step, made now: submitted to the queue, and watched in place."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import streamlit as st

from pages.learn.scene import Scene
from pages.ui import estimate
from pages.ui.guard import guarded
from pages.ui.live_chart import CAPTION, live_chart
from pages.ui.permitted import PermittedStore
from pages.ui.run_rows import progress_row
from pages.ui.runs_view import Seen, all_seen
from resnet_core.config import RunConfig
from resnet_core.figures.series import outcome
from resnet_core.language import tr
from resnet_core.runs import Look
from resnet_core.verdict import degradation_verdict

#: Another one than that of the records, so that there is something new to see.
FIRST_SEED = 1


#: In the session: the viewer's seed, on all steps.
_SEED = "learn.seed"


def run_it_now(recorded: Sequence[RunConfig], scene: Scene) -> bool:
    """The same trainings with a seed of the viewer's own: a button, and once they have begun their curves above it, as they grow.

    Args:
        recorded: the configurations of what ships.

    Returns:
        whether there are such curves.
    """
    watched = st.container()
    with guarded(tr("Run it now")):
        seed = FIRST_SEED
        looked = PermittedStore().tend()
        if not scene.presented:
            with st.container(horizontal=True, vertical_alignment="bottom"):
                _seed_input(scene)
                place = st.container(width="content")
        seed = st.session_state.get(_SEED, seed)
        # By depth, so that twins are trained beside each other, as in the demo.
        ordered = sorted(recorded, key=lambda config: config.model.depth)
        configs = [dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, seed=seed)) for config in ordered]
        found = _found(looked, configs)
        active = any(seen.is_active for seen in found)
        if not scene.presented:
            with place, st.container(key="one_of.run"):
                _button(configs, found, looked, scene)
        if found:
            with watched:
                st.fragment(_panel, run_every=1.5 if active else None)(configs, active, scene)
        return bool(found)
    return False


def _seed_input(scene: Scene) -> None:
    key = f"{scene.key}.seed"

    def keep() -> None:
        st.session_state[_SEED] = st.session_state[key]

    help_text = tr("Of the first weights and the order of the images: another seed, another training.")
    value = st.session_state.get(_SEED, FIRST_SEED)
    st.number_input(tr("Seed"), 0, 2**31 - 1, value, key=key, width=150, on_change=keep, help=help_text)


def _found(looked: Look, configs: Sequence[RunConfig]) -> list[Seen]:
    return [Seen(*pair) for config in configs if (pair := looked.find(config)) is not None]


def _button(configs: Sequence[RunConfig], found: Sequence[Seen], looked: Look, scene: Scene) -> None:
    def start() -> None:
        with guarded(tr("Run it now")):
            PermittedStore().begin_together(configs)

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
