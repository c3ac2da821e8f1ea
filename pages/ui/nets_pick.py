"""Which nets are looked into: shipped and imported checkpoints and runs, up to eight of them, kept in the session and as ``?nets=...``.

The choice is one for all pages that look into layers; Predict, which shows fewer nets, keeps one of its own. ``choice.py`` does the same
for the runs of Compare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from pages.ui.labels import escaped
from pages.ui.linked import Linked
from pages.ui.net_words import is_active, nothing_yet, say_absent
from pages.ui.runs_view import REACH, search_box
from resnet_core.language import mark, tr
from resnet_core.nets import Catalog, Net, catalog, told_apart
from resnet_core.verdict import trained_alike

#: More cannot be told apart in one chart.
MOST_NETS = 8
#: The nets of Figure 7 of He et al. 2016, as the checkpoints that ship are called.
FIGURE_7 = ("plain-20", "plain-56", "resnet-20", "resnet-56", "resnet-110")

_PARAMETER = "nets"


def warn_of(problems: Sequence[str]) -> None:
    """Names what the catalog left out, e.g. a checkpoint whose checksum is wrong."""
    for problem in problems:
        st.warning(escaped(problem), icon=":material/report:")


def offered(unsaved: bool = False, kept: str = "nets") -> Catalog:
    """The catalog as ``choose_nets`` offers it: of the runs the newest, those that are searched for, and those that are chosen.

    What was left out is named; where there is no net at all that is said.
    """
    search = st.session_state.get(f"{kept}.search", "")
    found = catalog(unsaved=unsaved, newest=REACH, also=Linked(kept, _PARAMETER).asked(), search=search)
    warn_of(found.problems)
    if not found.nets:
        nothing_yet(
            tr("There is no net to look into yet: no checkpoint ships with this copy, none was imported, and no run has been recorded.")
        )
    return found


def anew(ids: Sequence[str], polled: bool) -> list[Net]:
    """The chosen nets as they are now, for a panel that is run every few seconds; with ``polled`` no longer right, the page runs again."""
    nets = [net for net in catalog(unsaved=True, newest=0, also=ids).nets if net.id in ids]
    if any(map(is_active, nets)) != polled:
        st.rerun()
    return nets


def choose_nets(
    found: Catalog, most: int = MOST_NETS, shipped: Callable[[Catalog], list[str]] | None = None, kept: str = "nets"
) -> list[Net]:
    """Draws the list and returns the chosen nets, in the order of the catalog.

    Ids in the URL that are no nets are named in a warning and stay in the URL until the choice is changed.

    Args:
        most: nets that can be chosen.
        shipped: the ids that *Shipped* chooses, and which are chosen at first (default: ``shipped_set``).
        kept: what the session's keys begin with; pages with the same share the choice.
    """
    quick = {mark("Shipped"): (shipped or shipped_set)(found)[:most], mark("Newest runs"): newest_runs(found)[-most:]}
    choice = Linked(kept, _PARAMETER)
    ids = choice.current(lambda: quick["Shipped"] or default_set(found)[:most])
    known = [i for i in ids if found.get(i)]
    say_absent([i for i in ids if i not in known], mark("nets"))
    if len(known) > most:
        st.warning(
            tr("Only the first {most} of the {knowns} nets of this link are shown.", most=most, knowns=len(known)),
            icon=":material/filter_list:",
        )
    known = known[:most]
    st.header(tr("Nets"), anchor=False)
    search_box(found.left, f"{kept}.search")
    offered = [net for net in found.nets if net.origin != "run"] + [net for net in reversed(found.nets) if net.origin == "run"]
    labels = told_apart(offered)
    choice.multiselect(f"{kept}.pick", tr("Up to {most}", most=most), labels, known, tr("Choose nets"), most)
    with st.container(horizontal=True, gap="small"):
        for title, chosen in quick.items():
            if chosen:
                st.button(tr(title), key=f"{kept}." + title, on_click=choice.choose, args=(chosen,))
    return [net for net in found.nets if net.id in known]


def shipped_set(found: Catalog) -> list[str]:
    """Those of the paper's Figure 7 that ship, else the first that ship."""
    shipped = [net.id for net in found.nets if net.origin == "shipped"]
    return [i for i in shipped if i in FIGURE_7] or shipped[:MOST_NETS]


def newest_runs(found: Catalog) -> list[str]:
    """The runs with the newest run's recipe and data, seed included: what one click on Start or on the demo trains."""
    runs = [net for net in found.nets if net.origin == "run"]
    if not runs:
        return []
    newest = runs[-1].training
    like = trained_alike(newest)
    alike = [net.id for net in runs if net.training.recipe.seed == newest.recipe.seed and trained_alike(net.training) == like]
    return alike[-MOST_NETS:]


def default_set(found: Catalog) -> list[str]:
    """What a visitor sees who has chosen nothing."""
    return shipped_set(found) or newest_runs(found) or [net.id for net in found.nets[:MOST_NETS]]
