"""When one's own trainings come to their turn: for viewers of a class, who share a queue with many."""

from __future__ import annotations

import streamlit as st

from pages.ui import estimate
from pages.ui.labels import duration, escaped
from pages.ui.permitted import is_mine
from pages.ui.runs_view import AllSeen
from resnet_core.language import tr


def say_turns(seen: AllSeen) -> None:
    """Say of each training of the viewer who looks that waits: its place, of how many, and when it begins. ``seen`` are all runs."""
    waiting = [s for s in seen.active if s.status.place is not None]
    mine = [s for s in waiting if is_mine(s.run)]
    if not mine:
        return
    active, paces = seen.active, estimate.measured(seen)
    for s in mine:
        values = {"name": escaped(s.name), "place": s.status.place, "count": len(waiting)}
        wait = estimate.until_turn(s, active, paces)
        if wait is None:
            said = tr("Yours, **{name}**: place {place} of {count} in the queue. When it begins is not known yet.", **values)
        else:
            said = tr("Yours, **{name}**: place {place} of {count} in the queue, begins in about {time}.", **values, time=duration(wait))
        st.info(said, icon=":material/hourglass_top:")
