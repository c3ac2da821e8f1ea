"""A choice of ids that is kept in the session and stands in the address, as ``?nets=a&nets=b``: a link, or Back, restores it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

from pages.ui.labels import titled


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

    def asked(self) -> list[str]:
        """The ids of a link and of the session, which are among those to choose from however many there are."""
        return [*st.query_params.get_all(self.parameter), *st.session_state.get(self._chosen, ())]

    def forget(self) -> None:
        """Choose nothing: the default is taken again."""
        st.session_state.pop(self._chosen, None)

    def multiselect(
        self, key: str, label: str, titles: Mapping[str, str], chosen: list[str], placeholder: str, most: int | None = None
    ) -> None:
        """Draw the list to choose from.

        Args:
            key: of the widget; titles: of all that can be chosen, by their ids.
            chosen: those that are; most: how many can be.
        """
        # Set anew each time: the widget starts afresh, and empty, whenever its list of options changes.
        st.session_state[key] = chosen
        shared: dict[str, Any] = {"key": key, "on_change": self.take, "args": (key,), "placeholder": placeholder, "max_selections": most}
        st.multiselect(label, list(titles), format_func=titled(titles), **shared)

    def keep(self) -> None:
        """Put what was chosen, if anything was, into the address of a page that does not ask for it."""
        if self._chosen not in st.session_state and self.parameter not in st.query_params:
            return
        kept, again = self.current(list), f"{self.kept}.again"
        tried = st.session_state.pop(again, False)
        if st.query_params.get_all(self.parameter) != kept and not tried:
            st.session_state[again] = True  # behind a page with a widget of that parameter: see above
            st.rerun()

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


#: The viewer's seed of the seed bank. That of the demo on Home, where its address has one, is taken along.
BANK_SEED = Linked("learn.bank", "seed")
