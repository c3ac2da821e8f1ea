"""Whether whoever looks sits at the machine that the app runs on: only they may ask what lies in its folders."""

from __future__ import annotations

import streamlit as st


def at_the_servers_machine() -> bool:
    """Tell whether the page is looked at from this machine itself, by the address at the other end of its connection.

    A reverse proxy on this machine makes everybody look so: put one in front of the app only where that is meant.
    """
    return st.context.ip_address is None  # Streamlit's word for the loopback addresses
