"""A choice of ids that is kept in the session and stands in the address, as ``?nets=a&nets=b``: a link, or Back, restores it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st
from streamlit.errors import StreamlitAPIException


@dataclass(frozen=True)
class Linked:
    """One choice.

    Attributes:
        kept: what its keys in the session begin with; a widget's own value is forgotten when another page is opened.
        parameter: of the address.
    """

    kept: str
    parameter: str

    def current(self, default: Callable[[], list[str]]) -> list[str]:
        """The ids of a link that was followed, else of the session, else the default; also put into the address."""
        state, url = st.session_state, list(dict.fromkeys(st.query_params.get_all(self.parameter)))
        if url and url != state.get(self._written):
            state[self._chosen] = url
        elif self._chosen not in state:
            state[self._chosen] = default()
        if st.query_params.get_all(self.parameter) != state[self._chosen]:
            # In the first run behind a page with a widget of that parameter it is that widget's still; the next run writes it.
            with contextlib.suppress(StreamlitAPIException):
                st.query_params[self.parameter] = state[self._chosen]
        state[self._written] = state[self._chosen]
        return list(state[self._chosen])

    def choose(self, ids: list[str]) -> None:
        """Choose, in a callback. The address that stands is the one from before the click, and no link; the run that follows writes it."""
        st.session_state[self._chosen] = ids
        st.session_state[self._written] = st.query_params.get_all(self.parameter)

    def take(self, widget: str) -> None:
        """Choose what the widget of that key holds, in its callback."""
        self.choose(list(st.session_state[widget]))

    @property
    def _chosen(self) -> str:
        return f"{self.kept}.chosen"

    @property
    def _written(self) -> str:
        return f"{self.kept}.written"
