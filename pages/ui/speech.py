"""The language of a viewer: what the address asks for (``lang=``), else what was chosen, else what their browser speaks; and its switch."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.ui.address import IDS
from resnet_core import language
from resnet_core.language import LANGUAGES

_PARAMETER = "lang"
#: In the session: what the viewer is answered in; what they have asked for, if anything.
_SPOKEN, _ASKED = "language", "language.asked"


def _of_the_viewer() -> str | None:
    """The language of the viewer whom this thread draws for, if any: fragments and callbacks come here without passing ``speak``."""
    return st.session_state.get(_SPOKEN) if get_script_run_ctx(suppress_warning=True) is not None else None


def speak() -> None:
    """Sets the language that this viewer is answered in, in the address too. To be called before anything is drawn."""
    state, asked = st.session_state, st.query_params.get(_PARAMETER)
    if asked in LANGUAGES:
        state[_ASKED] = asked
    state[_SPOKEN] = state.get(_ASKED) or language.nearest(st.context.locale)
    language.serve(_of_the_viewer)
    language.use(state[_SPOKEN])
    if _ASKED in state and asked != state[_ASKED]:
        st.query_params[_PARAMETER] = state[_ASKED]
    _translate_address()


def _translate_address() -> None:
    """What widgets write into the address are the titles of their options: a link from somebody who reads another language holds those."""
    for name in [name for name in st.query_params if name not in (_PARAMETER, *IDS)]:
        values = st.query_params.get_all(name)
        said = [language.again(value) for value in values]
        if said != values:
            st.query_params[name] = said


def switch() -> None:
    """Draws the other language, to change to it, in the bar above every page."""
    with st.container(key="languages", horizontal=True, width="content"):  # placed by style.css
        for other in [each for each in LANGUAGES if each != language.current()]:
            st.button(LANGUAGES[other], type="tertiary", key=f"language.{other}", icon=":material/translate:", on_click=_ask, args=(other,))


def _ask(other: str) -> None:
    st.session_state[_ASKED] = other
    st.query_params[_PARAMETER] = other
