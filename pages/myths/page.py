"""Myths: what is said of deep plain nets, what would have to be seen if it were so, and what trainings say."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.myths import bench
from pages.myths.bench import Shown
from pages.ui import estimate
from pages.ui.figure_chart import figure_chart
from pages.ui.guard import guarded
from pages.ui.labels import escaped, titled
from pages.ui.linked import Linked
from pages.ui.permitted import PermittedStore
from pages.ui.runs_view import all_seen
from resnet_core.claims import myths
from resnet_core.claims.myths import MYTHS, Myth
from resnet_core.figures.captions import caption, grouped
from resnet_core.figures.curves import View, learning_curves
from resnet_core.figures.gradients_by_depth import gradients_by_depth
from resnet_core.language import tr
from resnet_core.runs import RunStore

#: verdict -> (icon, colour of its badge)
MARKS = {
    myths.CONTRADICTED: (":material/cancel:", "red"),
    myths.SUPPORTED: (":material/check_circle:", "green"),
    myths.IN_PART: (":material/contrast:", "orange"),
    myths.UNDECIDED: (":material/balance:", "orange"),
    myths.NOT_RUN: (":material/schedule:", "gray"),
}
INTRODUCTION = tr(
    "Why do deep plain nets train worse? What is often answered, each with a prediction that can fail, "
    "and with trainings that test it: 300 real images and {iterations} iterations (three times as many "
    "where that is the question). A verdict holds for these nets, images, rates and seeds, and no "
    "further."
)


LINK = Linked("myths", "myth")
_PICK = "myths.pick"


def _picked() -> None:
    LINK.choose([st.session_state[_PICK]])


def badge(verdict: str) -> str:
    """The verdict as a Markdown badge: icon and word, so that colour is not all there is."""
    icon, color = MARKS[verdict]
    return f":{color}-badge[{icon} {verdict}]"


def chart(myth: Myth, shown: Sequence[Shown], said: str) -> None:
    """The gradients by depth where they are what is spoken of, else the learning curves; ``said`` is what they show."""
    if myth.key == "vanishing":
        rows = [(one.label, one.records.config.model, one.layers) for one in shown if one.layers]
        figure_chart(gradients_by_depth(rows), gradients_by_depth(rows, dark=True), key=f"myths.{myth.key}", said=said)
        st.caption(tr("Before the first iteration; mini-batch of 32 images; seed and precision as of the training. Logarithmic."))
        return
    runs = [one.records for one in shown]
    view = View(kinds=("training",), smoothing=0.05)
    figure_chart(learning_curves(runs, view), learning_curves(runs, view, dark=True), key=f"myths.{myth.key}", said=said)
    st.caption(tr("{caption} Training error on the mini-batches, a moving mean over 5 % of each run.", caption=caption(grouped(runs))))


def show(myth: Myth, store: RunStore, found: bench.Found) -> None:
    """One myth: prediction, curves, verdict, and what would change it."""
    finding = myths.judged(myth, found.trained)
    st.markdown(f"## {escaped(myth.statement)}")
    st.markdown(escaped(myth.prediction))
    if shown := found.shown(myth):
        chart(myth, shown, finding.evidence)
    st.markdown(f"{badge(finding.verdict)} {escaped(finding.evidence)}")
    st.markdown(
        tr(
            "**What would change it.** {change}  \n:small[{source}. {seeds}]",
            change=escaped(myth.change),
            source=escaped(myth.source),
            seeds=escaped(found.seeds(myth)),
        )
    )
    train_here(myth, store, found)


def train_here(myth: Myth, store: RunStore, found: bench.Found) -> None:
    """The button that trains what the myth needs, with the first seed that nobody has trained yet."""
    seed = found.next_seed(myth)
    wanted = [label for label in myth.needs if seed not in found.trained.get(label, {})]
    active = [label for label in wanted if (label, seed) in found.active]
    if active:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(tr("Seed {seed} is trained here now: {active}.", seed=seed, active=escaped(", ".join(active))))
            st.page_link("train/page.py", label=tr("Watch it"), icon=":material/model_training:", query_params={"tab": "Runs"})
    time = estimate.words([myths.TRAININGS[label].config(seed) for label in wanted], estimate.measured(found.seen))
    if st.button(
        tr("Train it here with seed {seed} ({time})", seed=seed, time=time),
        icon=":material/play_arrow:",
        key="myths.train",
        disabled=bool(active),
    ):
        left = bench.train(store, wanted, seed)
        st.session_state["myths.said"] = (
            tr("In the queue. {left}: press once more when what they are grown from is through.", left=", ".join(left))
            if left
            else tr("In the queue.")
        )
        st.rerun()
    if said := st.session_state.pop("myths.said", None):
        st.success(escaped(said), icon=":material/playlist_add_check:")


def main() -> None:
    st.title(tr("Myths"), anchor=False)
    st.markdown(INTRODUCTION.format(iterations=myths.DEMO_RECIPE.iterations))
    store = PermittedStore()
    found = bench.find(all_seen(store.tend()))
    verdicts = {myth.key: myths.judged(myth, found.trained).verdict for myth in MYTHS}
    by_key = {myth.key: myth for myth in MYTHS}
    asked = LINK.current(lambda: [MYTHS[0].key])
    chosen = next((key for key in asked if key in by_key), MYTHS[0].key)
    st.session_state[_PICK] = chosen
    left, right = st.columns([0.3, 0.7], gap="large")
    with left:
        captions = [badge(verdicts[key]) for key in by_key]
        said = {key: escaped(myth.statement) for key, myth in by_key.items()}
        st.radio(tr("What is said"), list(by_key), format_func=titled(said), captions=captions, key=_PICK, on_change=_picked)
        if chosen not in asked:
            st.info(tr("There is no such myth here; the link may be of another version."), icon=":material/link_off:")
    with right, guarded(tr("Myths")):
        show(by_key[chosen], store, found)


main()
