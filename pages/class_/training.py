"""Trainings of a class: what viewers may start, whether they may at all now, and who waits."""

from __future__ import annotations

import streamlit as st

from pages.ui import estimate
from pages.ui.guard import guarded
from pages.ui.labels import duration
from pages.ui.permitted import PermittedBook
from pages.ui.runs_view import all_seen
from resnet_core.classroom.policy import Rules
from resnet_core.language import tr
from resnet_core.runs import RunStore


def trainings(book: PermittedBook, is_open: bool) -> None:
    """Draw the rules and the queue.

    Args:
        is_open: whether the teacher looks at it: only then it is drawn again and again.
    """
    left, right = st.columns([0.36, 0.64], gap="large")
    with left:
        _rules(book)
    with right:
        st.fragment(_queue, run_every=2.0 if is_open else None)()


def _rules(book: PermittedBook) -> None:
    rules = book.rules()
    st.markdown(f"## {tr('Rules for viewers')}")
    locked = st.toggle(tr("Lock training"), rules.locked, key="class.locked")
    most_runs = st.number_input(tr("Trainings of one viewer, queued or running, at once"), 1, 20, rules.most_runs, key="class.most_runs")
    most_minutes = st.number_input(
        tr("Minutes that one may take, by the estimate for this machine"), 0.5, 1440.0, rules.most_minutes, step=1.0, format="%g",
        key="class.most_minutes",
    )  # fmt: skip
    chosen = Rules(bool(locked), int(most_runs), float(most_minutes))
    if chosen != rules:
        book.set_rules(chosen)
    st.caption(
        tr(
            "What runs or waits already goes on. Who asks for a training that is there already sees that one. People take turns: nobody's "
            "second training comes before another's first. What a lesson trains at one press counts as one training, and each net of it "
            "may take as long as one."
        )
    )


def _queue() -> None:
    """Who waits, in the order of their turns."""
    with guarded(tr("Trainings")):
        seen = all_seen(RunStore().look())
        active = sorted(seen.active, key=lambda s: s.status.place or 0)
        st.markdown(f"## {tr('Running and waiting')}")
        if not active:
            st.info(tr("Nothing is being trained."), icon=":material/info:")
            return
        paces, names = estimate.measured(seen), PermittedBook().names()
        rows = []
        for s in active:
            wait = estimate.until_turn(s, active, paces)
            begins = "" if s.status.place is None else tr("unknown") if wait is None else duration(wait)
            who = names.get(s.run.owner) or (tr("viewer {id}", id=s.run.owner[:4]) if s.run.owner else tr("teacher or command line"))
            rows.append(
                {
                    tr("place"): "–" if s.status.place is None else str(s.status.place),
                    tr("whose"): who,
                    tr("training"): s.name,
                    tr("iterations"): f"{s.status.iteration:,} / {s.status.iterations:,}",
                    tr("begins in"): begins,
                }
            )
        st.dataframe(rows, hide_index=True)
        st.page_link("train/page.py", label=tr("Stop or delete trainings"), icon=":material/model_training:", query_params={"tab": "Runs"})
