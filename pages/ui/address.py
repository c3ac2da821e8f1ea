"""The address of a page holds its view and nothing of other pages; it is one entry of the browser's history, where Back finds it again."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.ui import embedded

#: The parameters that pages write themselves -> those that have them. What is bound to a widget is Streamlit's to take away.
_PARAMETERS = {
    "runs": ("compare",),
    "nets": ("responses", "gradients", "predict", "experiments"),
    "checkpoint": ("checkpoints",),
    "lesion.block": ("experiments",),
    "myth": ("myths",),
    "lesson": ("learn",),
    "step": ("learn",),
    "answers": ("learn",),
    "present": ("learn",),
    "revealed": ("learn",),
    "open": ("learn",),
    "error": ("learn",),
}
#: Those of them whose values are names that nobody translates.
IDS = (*_PARAMETERS, embedded.PARAMETER)
_SCRIPT = (Path(__file__).parent / "address.js").read_text(encoding="utf-8")


def keep_address(page: str) -> None:
    """Draws nothing that is to be seen. To be called before the page is drawn.

    Args:
        page: its path in the address, ``""`` for the front page.
    """
    for name, pages in _PARAMETERS.items():
        if page not in pages and name in st.query_params:
            del st.query_params[name]
    if embedded.PARAMETER in st.query_params and not st.context.is_embedded:
        del st.query_params[embedded.PARAMETER]
    with st.container(key="address"):  # hidden by style.css
        st.html(f"<script>{_SCRIPT}</script>", unsafe_allow_javascript=True)
