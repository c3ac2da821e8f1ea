"""Which runs and shipped checkpoints are looked at: a list with quick filters, kept in the session and as ``?runs=...&runs=...``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from pages.ui.linked import Linked
from pages.ui.net_words import say_absent
from pages.ui.runs_view import Kept, Seen, search_box, started_together
from resnet_core.language import mark, tr
from resnet_core.nets import told_apart
from resnet_core.verdict import trained_alike

#: What can be chosen: a run of this home, or what ships.
Listed = Seen | Kept

CHOICE, SEARCH = Linked("compare", "runs"), "compare.search"

#: Chosen for somebody who has chosen nothing: more curves than this nobody tells apart, and a class starts run upon run.
MOST_CURVES = 24

#: name -> (what it is about, its test), beside the names of data sets. Within one matter any of the chosen will do; all matters must be
#: met.
FILTERS = {
    mark("running"): ("state", lambda s: s.is_active),
    mark("finished"): ("state", lambda s: s.state == "finished"),
    mark("plain"): ("family", lambda s: s.config.model.is_plain),
    mark("residual"): ("family", lambda s: not s.config.model.is_plain),
    mark("own"): ("origin", lambda s: s.origin == "run"),
    mark("shipped"): ("origin", lambda s: s.origin == "shipped"),
}


def choose_runs(seen: Sequence[Listed], left: int = 0) -> list[str]:
    """Draws the list and returns the ids of the chosen runs, those that exist. At first: those trained alike with the newest run.

    Ids in the URL that are no runs are named in a warning and stay in the URL until the choice is changed. ``left`` runs of this
    home are not in ``seen``.
    """
    asked, known = CHOICE.current(lambda: newest_set(seen)), {s.id for s in seen}
    say_absent([i for i in asked if i not in known], mark("runs"))
    ids = [i for i in asked if i in known]
    st.header(tr("Runs"), anchor=False)
    options = [*FILTERS, *dict.fromkeys(s.config.data.name for s in seen)]
    if not set(st.session_state.get("compare.filters") or ()) <= set(options):
        st.session_state["compare.filters"] = []  # runs of a data set were deleted
    names = st.pills(
        tr("Filter the list"),
        options,
        selection_mode="multi",
        format_func=tr,
        key="compare.filters",
        help=tr("Shortens the list to choose from."),
    )
    search_box(left, SEARCH)
    own, ships, recorded = (of_origin(seen, origin) for origin in ("run", "shipped", "recorded"))
    listed = [s for s in [*reversed(own), *ships, *recorded] if s.id in ids or passes(s, names)]
    title = tr("{listeds} of {seens} listed", listeds=len(listed), seens=len(seen) + left)
    CHOICE.multiselect("compare.runs", title, told_apart(listed), ids, tr("Choose runs"))
    sets: dict[str, tuple[Sequence[Listed], str]] = {
        mark("newest"): (
            own,
            tr("The runs trained alike with the newest one, the newest {most_curves} of them.", most_curves=MOST_CURVES),
        ),
        mark("shipped"): (ships, tr("Those that ship, trained alike.")),
    }
    with st.container(horizontal=True, gap="small"):
        for name, (among, about) in sets.items():
            if among:
                title = tr("Only the {name} set", name=name)
                st.button(title, key="compare." + name, on_click=CHOICE.choose, args=(newest_set(among),), help=about)
        if joins := [s.id for s in recorded]:
            about = tr("Plain, Highway, ResNet and DenseNet, trained once on 300 images of the sample: what joins a block and its skip.")
            st.button(tr("Compare by join"), key="compare.joins", on_click=CHOICE.choose, args=(joins,), help=about)
    return ids


def of_origin(seen: Sequence[Listed], origin: str) -> list[Listed]:
    """Those that are ``run``, of this home; ``shipped``; or ``recorded``; in their order."""
    return [s for s in seen if s.origin == origin]


def _of_data(name: str) -> Callable[[Listed], bool]:
    return lambda s: s.config.data.name == name


def passes(seen: Listed, names: Sequence[str]) -> bool:
    """Whether a run meets the filters."""
    met: dict[str, bool] = {}
    for name in names:
        matter, test = FILTERS.get(name, ("data", _of_data(name)))
        met[matter] = met.get(matter, False) or test(seen)
    return all(met.values())


def newest_set(seen: Sequence[Listed]) -> list[str]:
    """The runs with the newest run's recipe and data, of its seed or started with it: what one click on Start or on the demo trains.

    Where nothing was trained yet: the shipped nets that were trained like the first of them (the deepest have a warm-up of their own).
    """
    own = of_origin(seen, "run")
    among = own or seen
    model = own[-1].config if own else among[0].config
    like = trained_alike(model)
    together = started_together([s for s in among if isinstance(s, Seen)])
    near = [s for s in among if s.config.recipe.seed == model.recipe.seed or s.id in together]  # few, and told at once
    return [s.id for s in near if trained_alike(s.config) == like][-MOST_CURVES:]
