"""A run as one row: where it stands, and what can be done with it."""

from __future__ import annotations

import streamlit as st

from pages.ui.labels import escaped
from pages.ui.runs_view import BADGES, Seen, fraction_done, progress_text


def state_badge(seen: Seen) -> str:
    """The run's state as a Markdown badge."""
    icon, color = BADGES[seen.status.state]
    return f":{color}-badge[{icon} {seen.status.state}]"


def progress_row(seen: Seen) -> None:
    """Name, state and progress, for a narrow column."""
    st.progress(fraction_done(seen.status), text=f"**{escaped(seen.run.name)}** {state_badge(seen)}  \n{progress_text(seen.status)}")
    if seen.status.message:
        st.caption(escaped(seen.status.message))
