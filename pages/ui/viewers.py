"""Who still looks: what is computed for a viewer alone ends when that viewer has gone."""

from __future__ import annotations

import threading
import time

from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

#: Seconds without anybody before they count as gone: a connection may break and come back.
GRACE = 10.0


class Viewers:
    """Those who wait for one computation."""

    def __init__(self) -> None:
        self._sessions: set[str] = set()
        self._seen = time.monotonic()
        self._mutex = threading.Lock()

    def add(self) -> None:
        """The viewer whose page is being drawn waits for it too."""
        context = get_script_run_ctx(suppress_warning=True)
        with self._mutex:
            self._seen = time.monotonic()
            if context is not None:
                self._sessions.add(context.session_id)

    def remove(self) -> bool:
        """The viewer whose page was drawn has turned to something else; whether nobody else waits."""
        context = get_script_run_ctx(suppress_warning=True)
        with self._mutex:
            if context is not None:
                self._sessions.discard(context.session_id)
            return not self._sessions

    def are_one(self) -> bool:
        """Whether nobody waits but the viewer whose page is being drawn. False outside of a server."""
        context = get_script_run_ctx(suppress_warning=True)
        with self._mutex:
            here = {each for each in self._sessions if runtime.exists() and runtime.get_instance().is_active_session(each)}
            return context is not None and here <= {context.session_id}

    def have_left(self) -> bool:
        """Whether none of them has had the app open for ``GRACE`` seconds. False outside of a server."""
        with self._mutex:
            if not self._sessions or not runtime.exists() or any(map(runtime.get_instance().is_active_session, self._sessions)):
                self._seen = time.monotonic()
            return time.monotonic() - self._seen > GRACE
