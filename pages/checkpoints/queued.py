"""What a panel has put into the queue: said once more for as long as the net is looked at, with the ways to where it is seen."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from resnet_core.language import tr
from resnet_core.nets import Net
from resnet_core.runs import Run

_QUEUED = "checkpoints.queued."


def note_queued(panel: str, net: Net, runs: Sequence[Run]) -> None:
    """Keeps in the session that ``panel`` has queued these of this net."""
    st.session_state[_QUEUED + panel] = (net.id, [run.id for run in runs])


def queued_links(panel: str, net: Net, beside: Sequence[str] = ()) -> None:
    """Draws the links; nothing where the panel has queued nothing of this net.

    Args:
        beside: ids of what is compared with them.
    """
    owner, ids = st.session_state.get(_QUEUED + panel, (None, []))
    if owner != net.id:
        return
    st.success(tr("In the queue, or trained already."), icon=":material/playlist_add_check:")
    with st.container(horizontal=True):
        st.page_link("train/page.py", label=tr("Watch it"), icon=":material/model_training:", query_params={"tab": "Runs"})
        st.page_link("compare/page.py", label=tr("Compare"), icon=":material/ssid_chart:", query_params={"runs": [*beside, *ids]})
