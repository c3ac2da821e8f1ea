"""The language of a viewer: what the address asks for (``lang=``), else what was chosen, else what their browser speaks; and its switch."""

from __future__ import annotations

import contextlib

import streamlit as st
from streamlit.errors import StreamlitAPIException
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.ui.address import IDS
from resnet_core import language
from resnet_core.language import LANGUAGES

_PARAMETER = "lang"
#: In the session: what the viewer is answered in; what they have asked for, if anything; and what of that was put into the address.
_SPOKEN, _ASKED, _WRITTEN = "language", "language.asked", "language.written"


def _of_the_viewer() -> str | None:
    """The language of the viewer whom this thread draws for, if any: fragments and callbacks come here without passing ``speak``."""
    return st.session_state.get(_SPOKEN) if get_script_run_ctx(suppress_warning=True) is not None else None


def speak() -> None:
    """Sets the language that this viewer is answered in. To be called before anything is drawn."""
    state, asked = st.session_state, st.query_params.get(_PARAMETER)
    if asked in LANGUAGES and asked != state.get(_WRITTEN):  # a link, and not what stands there from before a click
        state[_ASKED] = asked
    state[_SPOKEN] = state.get(_ASKED) or language.nearest(st.context.locale)
    language.serve(_of_the_viewer)
    language.use(state[_SPOKEN])
    _translate_address()


def _translate_address() -> None:
    """What widgets write into the address are the titles of their options: a link from somebody who reads another language holds those.

    What is bound to a widget already is that widget's to write.
    """
    asked = {name: st.query_params.get_all(name) for name in st.query_params if name not in (_PARAMETER, *IDS)}
    said = {name: [language.again(value) for value in values] for name, values in asked.items()}
    if said == asked:
        return
    for name, values in said.items():
        if values != asked[name]:
            with contextlib.suppress(StreamlitAPIException):
                st.query_params[name] = values
    # A widget takes its first value from the address as it came; Streamlit (1.67) itself has it look again after a change of page.
    if (context := get_script_run_ctx(suppress_warning=True)) is not None:
        with context.session_state.query_params() as parameters:
            parameters.set_initial_query_params_from_current()


def switch() -> None:
    """Draws the other language, to change to it, in the bar above every page, and has the address say what was chosen.

    To be called between ``st.navigation``, which takes away what stands in the address before it, and the page.
    """
    state = st.session_state
    if _ASKED in state and st.query_params.get(_PARAMETER) != state[_ASKED]:
        st.query_params[_PARAMETER] = state[_ASKED]
    state[_WRITTEN] = state.get(_ASKED)
    with st.container(key="languages", horizontal=True, width="content"):  # placed by style.css
        for other in [each for each in LANGUAGES if each != language.current()]:
            st.button(LANGUAGES[other], type="tertiary", key=f"language.{other}", icon=":material/translate:", on_click=_ask, args=(other,))


def _ask(other: str) -> None:
    st.session_state[_ASKED] = other
