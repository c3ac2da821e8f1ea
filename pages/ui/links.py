"""What an address asks for and the page does not have: said, since the widget that is bound to it falls back without a word."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from pages.ui.labels import escaped
from resnet_core.language import tr


def check_choice(parameter: str, label: str, options: Iterable[str], why: str = "") -> None:
    """To be called before the widget of these options is drawn, which puts the address right.

    Args:
        options: as they stand in the address: the titles that the viewer sees.
        why: the reason, and what to do, as a sentence.
    """
    for value in st.query_params.get_all(parameter):
        if value not in {tr(option) for option in options}:
            _say(label, value, why or tr("There is no such choice here."))


def check_number(parameter: str, label: str, low: float, high: float) -> None:
    """As ``check_choice``, of a number from ``low`` to ``high``."""
    for value in st.query_params.get_all(parameter):
        try:
            fits = low <= float(value) <= high
        except ValueError:
            fits = False
        if not fits:
            _say(label, value, tr("It goes from {low:,g} to {high:,g}.", low=low, high=high))


def _say(label: str, value: str, why: str) -> None:
    shown = value if len(value) <= 60 else value[:59] + "…"
    text = tr("The link asks for {label} “{shown}”. {why} Something else is shown.", label=label, shown=shown, why=why)
    st.warning(escaped(text), icon=":material/link_off:")
