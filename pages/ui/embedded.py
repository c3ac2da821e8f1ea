"""One chart alone, for an iframe on a course page: ``compare?embed=true&chart=compare`` is that page with everything but its chart hidden.

Streamlit's own ``embed=true`` takes away its bar and its margins. The rest of the address is the page's view, as ever.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import streamlit as st

from pages.ui.labels import escaped
from resnet_core.language import tr

PARAMETER = "chart"
#: In the session: the names of the charts that the page has drawn.
_DRAWN = "embedded.drawn"
_STYLE = Path(__file__).parent / "embedded.css"


def _asked() -> str | None:
    """The name of the chart that the address asks for alone, if it does."""
    return st.query_params.get(PARAMETER) if st.context.is_embedded else None


@contextlib.contextmanager
def place(key: str, passing: bool = False) -> Iterator[dict[str, Any]]:
    """Where a chart stands, and what its component is to know of that: its name in an address, and whether it stands alone.

    Args:
        key: the chart's.
        passing: it makes room for another one in a moment, and has no address of its own.
    """
    name = key.removesuffix("_chart")
    if passing:
        yield {}
        return
    st.session_state.setdefault(_DRAWN, {})[name] = None
    alone = name == _asked()
    words = {"alone": tr("This chart alone: its address is for an iframe"), "whole": tr("The whole page in ResNet Lab")}
    with st.container(key="embedded") if alone else contextlib.nullcontext():
        if alone:
            st.html(_STYLE)
        yield {"embed": {"name": name, "is_alone": alone, "words": words}}


@contextlib.contextmanager
def page() -> Iterator[None]:
    """Around a page: where its address asks for a chart that it does not draw, it says so above, with the names of those that it does."""
    above = st.container()
    st.session_state[_DRAWN] = {}
    yield
    asked, drawn = _asked(), st.session_state[_DRAWN]
    if asked is None or asked in drawn:
        return
    text = tr("The address asks for the chart “{name}” alone, and this page does not draw it.", name=asked[:60])
    if drawn:
        text += " " + tr("Those that it draws as it is now: {names}.", names=", ".join(drawn))
    else:
        text += " " + tr("As it is now it draws none.")
    above.warning(escaped(text), icon=":material/link_off:")
