"""Which nets are looked into: shipped and imported checkpoints and runs, up to eight of them, kept in the session and as ``?nets=...``.

The choice is one for all pages that look into layers; Predict, which shows fewer nets, keeps one of its own. ``choice.py`` does the same
for the runs of Compare.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import streamlit as st

from pages.ui.labels import escaped, titled
from pages.ui.linked import Linked
from pages.ui.net_words import say_absent
from pages.ui.runs_view import REACH, search_box
from resnet_core.language import mark, tr
from resnet_core.nets import Catalog, Net, catalog
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


def nothing_yet() -> None:
    """What a page says where there is no net at all."""
    st.info(tr("There is no net to look into yet: no checkpoint ships with this copy, none was imported, and no run has been recorded."))
    with st.container(horizontal=True):
        st.page_link("home/page.py", label=tr("Home: run the demo"), icon=":material/home:")
        st.page_link("train/page.py", label=tr("Train: choose nets"), icon=":material/model_training:")


def offered(unsaved: bool = False, kept: str = "nets") -> Catalog:
    """The catalog as ``choose_nets`` offers it: of the runs the newest, those that are searched for, and those that are chosen."""
    ids = [*st.query_params.get_all(_PARAMETER), *st.session_state.get(f"{kept}.chosen", ())]
    return catalog(unsaved=unsaved, newest=REACH, also=ids, search=st.session_state.get(f"{kept}.search", ""))


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
    choice, widget = Linked(kept, _PARAMETER), f"{kept}.pick"
    ids = choice.current(lambda: quick["Shipped"] or default_set(found)[:most])
    missing = [i for i in ids if found.get(i) is None]
    if missing:
        say_absent(missing, "nets")
    known = [i for i in ids if i not in missing]
    if len(known) > most:
        st.warning(
            tr("Only the first {most} of the {knowns} nets of this link are shown.", most=most, knowns=len(known)),
            icon=":material/filter_list:",
        )
    known = known[:most]
    st.header(tr("Nets"), anchor=False)
    search_box(found.left, f"{kept}.search")
    offered = [net for net in found.nets if net.origin != "run"] + [net for net in reversed(found.nets) if net.origin == "run"]
    labels = option_labels(offered)
    # Set anew each time: the widget starts afresh, and empty, whenever its list of options changes.
    st.session_state[widget] = known
    st.multiselect(
        tr("Up to {most}", most=most),
        list(labels),
        format_func=titled(labels),
        key=widget,
        on_change=choice.take,
        args=(widget,),
        max_selections=most,
        placeholder=tr("Choose nets"),
    )
    with st.container(horizontal=True, gap="small"):
        for title, chosen in quick.items():
            if chosen:
                st.button(tr(title), key=f"{kept}." + title, on_click=choice.choose, args=(chosen,))
    return [net for net in found.nets if net.id in known]


def option_labels(nets: Sequence[Net]) -> dict[str, str]:
    """id -> a label that no other net has: its name, and in brackets where it comes from, its seed, its data and schedule, its id."""
    extras: dict[str, list[str]] = {net.id: [] for net in nets}

    def labels() -> dict[str, str]:
        return {net.id: f"{net.name} ({', '.join(extras[net.id])})" if extras[net.id] else net.name for net in nets}

    for more in (_origin, _seed, _schedule, lambda net: net.id):
        given = labels()
        count = Counter(given.values())
        for net in nets:
            if count[given[net.id]] > 1:
                extras[net.id].append(more(net))
    return labels()


def _origin(net: Net) -> str:
    return tr(net.origin)


def _seed(net: Net) -> str:
    return tr("seed {seed}", seed=net.config.recipe.seed) if net.config else tr("trained elsewhere")


def _schedule(net: Net) -> str:
    if net.config is None:
        return str(net.card.get("normalization"))
    return tr("{value}, {iterations:,} iterations", value=net.config.data.short_label, iterations=net.config.recipe.iterations)


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
