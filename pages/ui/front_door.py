"""A page that is opened by its own address, before anybody has seen the front page.

Streamlit 1.67 takes a folder named ``pages`` for its older way of multipage apps until ``st.navigation`` has run once in the server. A
cold link would then run the page's file alone, without ``app.py``: no top navigation, no style, no guard.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

_APP = Path(__file__).resolve().parents[2] / "app.py"


def through_the_front_door() -> None:
    """Called first by every page: where ``app.py`` was passed over, runs it now, which runs the page; then nothing is left to do.

    In the same run of the script: a rerun would lose the click that this one may be about.
    """
    if PagesManager.uses_pages_directory:  # st.navigation, in app.py, turns it off for good
        exec(compile(_APP.read_bytes(), str(_APP), "exec"), {"__name__": "__main__", "__file__": str(_APP)})
        st.stop()
