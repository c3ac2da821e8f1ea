"""A page that is opened by its own address, before anybody has seen the front page.

Streamlit 1.67 takes a folder named ``pages`` for its older way of multipage apps until ``st.navigation`` has run once in the server. A
cold link would then run the page's file alone, without ``app.py``: no top navigation, no style, no guard.
"""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager


def through_the_front_door() -> None:
    """Called first by every page: where ``app.py`` was passed over, runs the same address again, through it."""
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False  # what st.navigation does; there is no setting for it
        st.rerun()
