"""What would begin by itself and takes long waits for a click, below a sentence that says what it takes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

import streamlit as st

from pages.ui.labels import escaped
from resnet_core.imports.cost import said_before
from resnet_core.language import tr
from resnet_core.nets import Net

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


def measurable(nets: Sequence[Net], labels: Mapping[str, str], key: tuple[Hashable, ...], work: Callable[[Net], float]) -> Iterator[Net]:
    """Yield the nets that may be measured now; what the others lack is drawn.

    Args:
        key: of what is measured; work: multiply-adds that it takes of a net.
    """
    for net in nets:
        if net.origin == "run" and net.iteration is None:
            st.caption(tr("{labels} has no checkpoint yet: it is shown through its training only.", labels=escaped(labels[net.id])))
        elif may_begin((*key, net.id), labels[net.id], work(net)):
            yield net
