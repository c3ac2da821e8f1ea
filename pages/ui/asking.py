"""What would begin by itself and takes long waits for a click, below a sentence that says what it takes."""

from __future__ import annotations

from collections.abc import Hashable

import streamlit as st

from pages.ui.labels import escaped
from resnet_core.imports.cost import said_before
from resnet_core.language import tr

#: In the session: what this viewer has asked for.
_ASKED = "asked.for"


def may_begin(key: Hashable, name: str, macs: float) -> bool:
    """Whether the page may compute: at once what is soon done, else when this viewer has asked for it. Draws the sentence and the button.

    Args:
        key: of what is computed; once asked for, it stays so in this session.
        name: for people.
        macs: multiply-adds of all of it.
    """
    asked, text = st.session_state.setdefault(_ASKED, set()), said_before(macs)
    if not text or key in asked:
        return True
    st.caption(f"**{escaped(name)}** · {text}")
    st.button(tr("Compute it"), icon=":material/hourglass_top:", key=f"ask.{key}", on_click=asked.add, args=(key,))
    return False
