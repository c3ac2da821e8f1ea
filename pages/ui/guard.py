"""What a page shows when something goes wrong: the next step for the viewer, never a traceback."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import streamlit as st

from resnet_core.errors import UserError

LOG = logging.getLogger("resnet_lab")


@contextlib.contextmanager
def guarded(what: str) -> Iterator[None]:
    """Runs a page, a panel or a callback: a ``UserError`` becomes its message, anything else a line that names the log.

    Streamlit's own signals (rerun, stop) are not ``Exception`` and pass through.

    Args:
        what: what was being done, as it is named on the page and in the log.
    """
    try:
        yield
    except UserError as error:
        st.error(str(error), icon=":material/error:")
    except Exception as error:
        LOG.exception("%s", what)
        st.error(
            f"{what}: something went wrong that is no fault of yours ({type(error).__name__}). "
            "Reload the page to try again; the details are in the terminal where the app was started.",
            icon=":material/bug_report:",
        )
