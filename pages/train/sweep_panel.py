"""Trainings that were started together: how far they are as a whole, mean and spread over seeds as they come in, and what failed."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.ui.labels import escaped, listed
from pages.ui.permitted import ask, may
from resnet_core import sweeps
from resnet_core.language import tr, tr_n
from resnet_core.runs import Look, Run, RunStore
from resnet_core.sweeps import Progress, Spread, Sweep

_CHOSEN = "train.sweep"
#: Sweeps to choose from, newest first; nets named in the name of one; failures listed.
OFFERED, NAMED, FAILURES = 20, 3, 5


def keep(store: RunStore, runs: Sequence[Run]) -> None:
    """Keep what one click has started as a sweep, where it is more than one training. Raises RunError."""
    if len(runs) > 1 and may("delete"):
        names = list(dict.fromkeys(run.config.model.name for run in runs))
        seeds = len({run.config.recipe.seed for run in runs})
        more = [tr_n(len(names) - NAMED, "{number} more", "{number} more")] if len(names) > NAMED else []
        name = f"{listed(names[:NAMED] + more)}: {tr_n(seeds, '{number} seed', '{number} seeds')}"
        st.session_state[_CHOSEN] = sweeps.keep(store, runs, name[:120]).id


def sweep_panel(store: RunStore, look: Look) -> None:
    """The sweep chosen, of those whose runs are not all deleted; nothing where there is none."""
    known = {brief.id for brief in look.briefs}
    found = {sweep.id: sweep for sweep in sweeps.all_of(store.home) if not known.isdisjoint(sweep.runs)}
    if not found:
        return
    st.subheader(tr("Started together"), anchor=False)
    offered = list(found)[:OFFERED]
    if st.session_state.get(_CHOSEN) not in offered:
        st.session_state.pop(_CHOSEN, None)
    chosen = offered[0]
    if len(offered) > 1:
        # Not escaped: the options of a select box are plain text.
        chosen = st.selectbox(tr("Which"), offered, format_func=lambda key: found[key].name, key=_CHOSEN, label_visibility="collapsed")
    sweep = found[chosen]
    _show(sweep, sweeps.progress(sweep, look))
    if may("delete"):
        with st.container(horizontal=True):
            st.button(tr("Show its curves"), icon=":material/ssid_chart:", key="train.sweep.show", on_click=_tick, args=(sweep, known))
            st.button(tr("Forget this group"), icon=":material/close:", key="train.sweep.forget", on_click=_forget, args=(store, sweep),
                      help=tr("Its trainings stay; they are only no longer told as one."))  # fmt: skip


def _show(sweep: Sweep, found: Progress) -> None:
    states = [f"{count} {tr(state)}" for state, count in sorted(found.states.items())]
    deleted = [tr("{number} deleted", number=found.missing)] if found.missing else []
    st.progress(found.done, f"{escaped(sweep.name)}: {', '.join(states + deleted)}")
    head = [tr("net"), tr("seeds done"), tr("clean training error (%)"), tr("test error (%)")]
    rows = [
        [escaped(group.config.name), f"{len(group.test.values)} / {group.seeds}", _cell(group.train), _cell(group.test)]
        for group in found.groups
    ]
    st.table([dict(zip(head, row, strict=True)) for row in rows], border="horizontal")
    st.caption(tr("Mean and sample standard deviation over the seeds that have finished, as they come in. With few seeds both may change."))
    for run, why in found.failed[:FAILURES]:
        st.warning(f"{escaped(run.name)}, {escaped(run.id)}: {escaped(why)}", icon=":material/error:")
    if len(found.failed) > FAILURES:
        st.caption(tr("{number} more have failed.", number=len(found.failed) - FAILURES))


def _cell(spread: Spread) -> str:
    if spread.mean is None:
        return "–"
    return f"{spread.mean:.2f}" if spread.deviation is None else f"{spread.mean:.2f} ± {spread.deviation:.2f}"


def _tick(sweep: Sweep, known: set[str]) -> None:
    for run in known:
        st.session_state[f"show.{run}"] = run in sweep.runs


def _forget(store: RunStore, sweep: Sweep) -> None:
    ask("delete")
    sweeps.forget(store.home, sweep)
