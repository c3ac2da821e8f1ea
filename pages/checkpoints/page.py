"""Checkpoints: all nets that can be looked into; each with its card, its error anew, as a deeper net, to take away; and from elsewhere."""

from __future__ import annotations

import streamlit as st

from pages.checkpoints import gallery, import_panel
from pages.checkpoints.evaluate_panel import evaluate_panel
from pages.checkpoints.export_panel import export_panel
from pages.checkpoints.grow_panel import grow_panel
from pages.checkpoints.model_card import model_card
from pages.checkpoints.transfer_panel import transfer_panel
from pages.ui.guard import guarded
from pages.ui.labels import escaped
from pages.ui.net_words import nothing_yet
from pages.ui.nets_pick import warn_of
from pages.ui.permitted import ask, delete_checkpoint, may
from pages.ui.runs_view import REACH, search_box
from resnet_core.language import mark, tr
from resnet_core.nets import Catalog, catalog

GALLERY, IMPORT = mark("Gallery"), mark("Import")
CARD, EVALUATE, GROW = mark("Model card"), mark("Evaluate"), mark("Grow")
TRANSFER, TAKE_AWAY = mark("Transfer"), mark("Take away")
#: In the session: the tab (also in the URL), what is to be said once, what was imported just now, and what a dialog asks about.
_TAB, _SAID, _IMPORTED, _ASKED = "section", "checkpoints.said", "checkpoints.imported", "checkpoints.asked"
_SEARCH = "checkpoints.search"


def show_gallery(found: Catalog) -> None:
    """The table, and the chosen net below it."""
    listed = gallery.entries(found.nets)
    if not listed:
        nothing_yet(tr("There is no checkpoint yet: none ships with this copy, none was imported, and no run has saved one."))
        return
    entry = gallery.gallery(listed)
    net = entry.net
    with st.container(horizontal=True, vertical_alignment="center"):
        gallery.picker(listed, net.id)
        view = st.segmented_control(
            tr("What to see of it"), [CARD, EVALUATE, GROW, TRANSFER, TAKE_AWAY], format_func=tr, default=CARD,
            required=True, key="view", bind="query-params",
            label_visibility="collapsed",
        )  # fmt: skip
        if net.config is not None:
            link = {"runs": [net.id]}
            st.page_link("compare/page.py", label=tr("Its curves"), icon=":material/ssid_chart:", query_params=link)
        deletable = net.origin == "imported" and may("delete checkpoint")
        if deletable and st.button(tr("Delete"), icon=":material/delete:", key="checkpoints.delete", type="tertiary"):
            st.session_state[_ASKED] = net.id
            st.rerun()
    with guarded(tr("{view} of {name}", view=view or CARD, name=net.name)):
        if view == EVALUATE:
            evaluate_panel(net, entry.card)
        elif view == GROW:
            grow_panel(net)
        elif view == TRANSFER:
            transfer_panel(net)
        elif view == TAKE_AWAY:
            export_panel(net)
        else:
            model_card(entry)


def dialog() -> None:
    """The question whether to delete, while it is open."""
    asked = st.session_state.get(_ASKED)
    if asked is not None:
        st.dialog(tr("Delete this checkpoint?"), on_dismiss=_dismiss)(_delete)(asked)


def _dismiss() -> None:
    st.session_state.pop(_ASKED, None)


def _delete(name: str) -> None:
    with guarded(tr("Deleting a checkpoint")):
        st.markdown(
            tr(
                "The imported checkpoint **{name}** goes away for all viewers. The file that it was imported from is "
                "not touched. This cannot be undone.",
                name=escaped(name),
            )
        )
        with st.container(horizontal=True):
            if st.button(tr("Delete"), type="primary", icon=":material/delete:", key="delete.confirm"):
                delete_checkpoint(name)
                gallery.CHOICE.forget()
                st.session_state[_SAID] = tr("{name} was deleted.", name=escaped(name))
                _dismiss()
                st.rerun()
            if st.button(tr("Keep it"), key="delete.cancel"):
                _dismiss()
                st.rerun()


def main() -> None:
    st.title(tr("Checkpoints"), anchor=False)
    if said := st.session_state.pop(_SAID, None):
        st.success(said, icon=":material/check:")
    if (imported := st.session_state.pop(_IMPORTED, None)) is not None:
        gallery.choose(imported)
        st.session_state[_TAB] = tr(GALLERY)
    left, right = st.tabs([tr(GALLERY), tr(IMPORT)], key=_TAB, bind="query-params")
    found = catalog(newest=REACH, also=gallery.CHOICE.asked(), search=st.session_state.get(_SEARCH, ""))
    with left:
        warn_of(found.problems)
        search_box(found.left, _SEARCH)
        show_gallery(found)
    with right, guarded(tr("Importing a checkpoint")):
        ask("import")
        net = import_panel.import_panel()
        if net is not None:
            st.session_state[_IMPORTED] = net.id
            st.session_state[_SAID] = tr("**{name}** was imported; this is what is known of it.", name=escaped(net.name))
            st.rerun()
    dialog()


main()
