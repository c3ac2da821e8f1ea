"""What a page shows when something goes wrong: the next step for the viewer, never a traceback."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator

import streamlit as st

from pages.ui.labels import escaped
from resnet_core.errors import UserError
from resnet_core.language import tr
from resnet_core.runs.files import shown

LOG = logging.getLogger("resnet_lab")
#: A panel that is drawn every second would fill the log with one and the same error: it is logged once in this many seconds.
_QUIET_SECONDS = 60.0
_logged: dict[tuple[str, str], float] = {}


@contextlib.contextmanager
def guarded(what: str) -> Iterator[None]:
    """Runs a page, a panel or a callback: a ``UserError`` becomes its message, an error of the file system names its path, anything else
    becomes a line that names the log.

    Streamlit's own signals (rerun, stop) are not ``Exception`` and pass through.

    Args:
        what: what was being done, as it is named on the page and in the log.
    """
    try:
        yield
    except UserError as error:
        st.error(escaped(str(error)), icon=":material/error:")
    except Exception as error:
        _log(what, error)
        if isinstance(error, OSError) and error.filename is not None and error.strerror:
            reason = tr(
                "{filename}: {strerror}. Check that path and who may use it, or name another one.",
                filename=shown(error.filename),
                strerror=error.strerror,
            )
            st.error(escaped(reason), icon=":material/error:")
            return
        st.error(
            tr(
                "{what}: something went wrong that is no fault of yours ({name}). Reload the page to try again; the "
                "details are in the terminal where the app was started.",
                what=escaped(what),
                name=type(error).__name__,
            ),
            icon=":material/bug_report:",
        )


def _log(what: str, error: Exception) -> None:
    signature, now = (what, repr(error)[:500]), time.monotonic()
    if now - _logged.get(signature, float("-inf")) >= _QUIET_SECONDS:
        _logged[signature] = now
        LOG.error("%s", what, exc_info=error)
