"""How many of a class have the app open. Kept in memory alone."""

from __future__ import annotations

import threading

from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.ui.permitted import person
from resnet_core.classroom.policy import VIEWER

_sessions: dict[str, str] = {}
_mutex = threading.Lock()


def note() -> None:
    """Remember the viewer whose page is being drawn; nobody else."""
    context, who = get_script_run_ctx(suppress_warning=True), person()
    if context is not None and who.role == VIEWER:
        with _mutex:
            _sessions[context.session_id] = who.id


def count() -> int:
    """Count the viewers who have the app open, however many windows each of them has."""
    with _mutex:
        for session in [each for each in _sessions if not (runtime.exists() and runtime.get_instance().is_active_session(each))]:
            del _sessions[session]
        return len(set(_sessions.values()))
