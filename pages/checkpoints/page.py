"""Checkpoints: all nets that can be looked into; each with its card, its error anew, as a deeper net, to take away; and from elsewhere."""

from __future__ import annotations

import streamlit as st

from pages.checkpoints import gallery, import_panel
from pages.checkpoints.evaluate_panel import evaluate_panel
from pages.checkpoints.export_panel import export_panel
from pages.checkpoints.grow_panel import grow_panel
from pages.checkpoints.model_card import model_card
from pages.ui.guard import guarded
from pages.ui.labels import escaped
from pages.ui.nets_pick import warn_of
from pages.ui.permitted import ask, delete_checkpoint, may
from resnet_core.nets import Catalog, catalog

GALLERY, IMPORT = "Gallery", "Import"
CARD, EVALUATE, GROW, TAKE_AWAY = "Model card", "Evaluate", "Grow", "Take away"
#: In the session: the tab (also in the URL), what is to be said once, what was imported just now, and what a dialog asks about.
_TAB, _SAID, _IMPORTED, _ASKED = "section", "checkpoints.said", "checkpoints.imported", "checkpoints.asked"


def show_gallery(found: Catalog) -> None:
    """The table, and the chosen net below it."""
    listed = gallery.entries(found.nets)
    if not listed:
        st.info(
            "There is no checkpoint yet: none ships with this copy, none was imported, and no run has saved one.", icon=":material/info:"
        )
        with st.container(horizontal=True):
            st.page_link("home/page.py", label="Home: run the demo", icon=":material/home:")
            st.page_link("train/page.py", label="Train: choose nets", icon=":material/model_training:")
        return
    entry = gallery.gallery(listed)
    net = entry.net
    with st.container(horizontal=True, vertical_alignment="center"):
        gallery.picker(listed, net.id)
        view = st.segmented_control(
            "What to see of it", [CARD, EVALUATE, GROW, TAKE_AWAY], default=CARD, required=True, key="view", bind="query-params",
            label_visibility="collapsed",
        )  # fmt: skip
        if net.config is not None:
            link = {"runs": [net.id]}
            st.page_link("compare/page.py", label="Its curves", icon=":material/ssid_chart:", query_params=link)
        if (
            net.origin == "imported"
            and may("delete checkpoint")
            and st.button("Delete", icon=":material/delete:", key="checkpoints.delete", type="tertiary")
        ):
            st.session_state[_ASKED] = net.id
            st.rerun()
    with guarded(f"{view or CARD} of {net.name}"):
        if view == EVALUATE:
            evaluate_panel(net, entry.card)
        elif view == GROW:
            grow_panel(net)
        elif view == TAKE_AWAY:
            export_panel(net)
        else:
            model_card(entry)


def dialog() -> None:
    """The question whether to delete, while it is open."""
    asked = st.session_state.get(_ASKED)
    if asked is not None:
        st.dialog("Delete this checkpoint?", on_dismiss=_dismiss)(_delete)(asked)


def _dismiss() -> None:
    st.session_state.pop(_ASKED, None)


def _delete(name: str) -> None:
    with guarded("Deleting a checkpoint"):
        st.markdown(
            f"The imported checkpoint **{escaped(name)}** goes away for all viewers. The file that it was imported from is not touched. "
            "This cannot be undone."
        )
        with st.container(horizontal=True):
            if st.button("Delete", type="primary", icon=":material/delete:", key="delete.confirm"):
                delete_checkpoint(name)
                st.session_state[_SAID] = f"{escaped(name)} was deleted."
                _dismiss()
                st.rerun()
            if st.button("Keep it", key="delete.cancel"):
                _dismiss()
                st.rerun()


def main() -> None:
    st.title("Checkpoints", anchor=False)
    if said := st.session_state.pop(_SAID, None):
        st.success(said, icon=":material/check:")
    if (imported := st.session_state.pop(_IMPORTED, None)) is not None:
        gallery.choose(imported)
        st.session_state[_TAB] = GALLERY
    left, right = st.tabs([GALLERY, IMPORT], key=_TAB, bind="query-params")
    found = catalog()
    with left:
        warn_of(found.problems)
        show_gallery(found)
    with right, guarded("Importing a checkpoint"):
        ask("import")
        net = import_panel.import_panel()
        if net is not None:
            st.session_state[_IMPORTED] = net.id
            st.session_state[_SAID] = f"**{escaped(net.name)}** was imported; this is what is known of it."
            st.rerun()
    dialog()


main()
