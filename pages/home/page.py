"""Home: the degradation problem in three sentences, the paper's Figure 6 from the nets that ship, the demo, and what is being trained now.

Figure 6 stands first until the demo runs: then its curves are what there is to look at, and Figure 6 follows below.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.home import demo
from pages.ui import estimate, shipped
from pages.ui.figure_chart import figure_chart
from pages.ui.guard import guarded
from pages.ui.labels import duration, escaped
from pages.ui.linked import BANK_SEED
from pages.ui.live_chart import CAPTION, live_chart
from pages.ui.permitted import PermittedStore, may_change
from pages.ui.recorded import recorded
from pages.ui.run_rows import progress_row
from pages.ui.runs_view import AllSeen, all_seen
from resnet_core.conditions import fraction_text
from resnet_core.config import demo_configs
from resnet_core.errors import UserError
from resnet_core.figures.captions import caption, grouped
from resnet_core.figures.figure6 import NOTE, figure6, gap_over_time, missing_text, seeds_of, seeds_text
from resnet_core.figures.series import RunRecords, outcome
from resnet_core.language import tr
from resnet_core.runs import Look, RunStore
from resnet_core.verdict import degradation, degradation_verdict

SENTENCES = tr(
    "Make a **plain** convolutional net deeper and, beyond some depth, its error goes **up**, even on "
    "the very images it is trained on: this is *degradation*, not overfitting. It need not be so, as the "
    "deeper net could copy the shallower one and let its additional layers do nothing; training does not "
    "find that solution. A **residual** net adds a shortcut around every two layers, without more "
    "parameters, and the deeper net is no longer worse. The idea of He et al.: doing nothing then only "
    "takes a block whose output is zero. Why it works so well is still being studied."
)
#: What the demo is to be looked at for, and what it cannot tell.
TO_SEE = tr(
    "Look at the training error at the end: a deep plain net that does not fit the few images which a "
    "shallower one fits has not overfitted them."
)
#: Measured once, see benchmarks/demo_seeds.py (--longer 4).
LONGER = tr(
    "Four times as long, plain-56 ends at 0.7 and 28.7 % (seeds 0 and 1): time closes most of the gap "
    "between the plain nets. What is seen here is that the deeper plain net does not get there in the "
    "time in which the others do."
)
NOT_SEEN = tr(
    "The errors above are of the trained nets on their own training images. How good they are is not to "
    "be seen here: trained on so few images, their test errors mean little."
)
#: In the session: the demo has run here, so its curves stay on top of Figure 6.
_DEMO_FIRST = "home.demo_first"
_COLUMNS = (0.69, 0.31)


def figure6_nets(problems: list[str]) -> list[RunRecords]:
    """The nets of Figure 6 that ship; none where the project is without checkpoints."""
    return [run for seeds in seeds_of(trained.records for trained in shipped.shipped(problems)) for run in seeds]


def show_figure6(nets: Sequence[RunRecords], problems: Sequence[str]) -> None:
    """The paper's Figure 6 from the nets that ship, and what must be read with it."""
    with st.container(key="figure6"):
        figure_chart(figure6(nets), figure6(nets, dark=True), key="home_figure6")
    made = tr("Figure 6 of the paper from nets trained with this project.")
    texts = (made, caption(grouped(nets, "range")), seeds_text(nets), missing_text(nets), tr(NOTE))
    st.caption(" ".join(text for text in texts if text))
    show_problems(problems)


def show_problems(problems: Sequence[str]) -> None:
    """What was left out of the nets that ship, and why."""
    for problem in problems:
        st.caption(f":material/warning: {escaped(problem)}")


def show_facts(nets: Sequence[RunRecords]) -> None:
    """How the nets of Figure 6 ended: plain against residual, from the shallowest to the deepest that were trained alike."""
    seen = degradation([outcome(run) for run in nets])
    if seen is not None:
        st.markdown(tr("**Depth and training error**, on {fraction_text}:", fraction_text=fraction_text(seen.fraction)))
        st.markdown("\n".join(f"- {gap}" for gap in seen.gaps))
        st.caption(
            tr(
                "({capitalize}; a difference counts from {threshold:.1f} points on.) {gap_over_time}",
                capitalize=seen.seeds_text.capitalize(),
                threshold=seen.threshold,
                gap_over_time=gap_over_time(nets),
            )
        )
    st.page_link("paper/page.py", label=tr("The paper, claim by claim"), icon=":material/fact_check:")
    st.page_link("learn/page.py", label=tr("Learn: lessons to predict and see"), icon=":material/school:")


def picture(found: demo.Demo, looked: Look) -> tuple[list[RunRecords], str]:
    """The curves to draw, and where they come from: this demo's own, another one trained here, or those that ship with the project."""
    if found.begun:
        return [s.records() for s in found.seen], ""
    if other := demo.ended_before(looked):
        return [s.records() for s in other.seen], tr("Trained here before, with seed {seed}.", seed=other.configs[0].recipe.seed)
    shipped = recorded("demo")
    return shipped.runs, tr(
        "Recorded {source}; run the demo to see it happen on this machine.", source=shipped.source
    ) if shipped.runs else ""


def errors_table(runs: list[RunRecords]) -> str:
    """The four final training errors (clean ones, if all have them), family by family, as a Markdown table."""
    results = {(run.config.model.is_plain, run.config.model.depth): outcome(run) for run in runs}
    clean = all(result.clean_error is not None for result in results.values() if result.train_error is not None)
    final = {key: result.clean_error if clean else result.train_error for key, result in results.items()}
    shallow, deep = (f(run.config.model.depth for run in runs) for f in (min, max))
    rows = [tr("| layers | {shallow} | {deep} | change |", shallow=shallow, deep=deep), "|:--|--:|--:|--:|"]
    for is_plain, name in ((True, tr("plain")), (False, tr("residual"))):
        low, high = final.get((is_plain, shallow)), final.get((is_plain, deep))
        cells = [tr("diverged") if value is None else f"{value:.1f} %" for value in (low, high)]
        change = "" if low is None or high is None else f"**{high - low:+.1f}**"
        rows.append(f"| {name} | {cells[0]} | {cells[1]} | {change} |")
    return "\n".join(rows)


def show_verdict(runs: list[RunRecords]) -> None:
    """What the runs that are drawn show, computed from how they ended."""
    results = [outcome(run) for run in runs]
    seen = degradation(results)
    show = st.success if seen and seen.shown else st.warning
    show(degradation_verdict(results), icon=":material/check_circle:" if seen and seen.shown else ":material/info:")
    st.markdown(errors_table(runs))
    st.caption(f"{NOT_SEEN} {LONGER}")


def next_seed() -> None:
    """Moves on to a seed that has not been trained yet, and starts it."""
    with guarded(tr("Starting the demo")):
        store = PermittedStore()
        seed, looked = st.session_state.seed, store.look()
        while demo.find(looked, seed).ended:
            seed += 1
        demo.start(store, seed)
        st.session_state.seed = seed


def seed_input(looked: Look) -> int:
    """The seed of the demo. Whoever comes in while one runs sees that one, as all others do, unless the address asks for another."""
    if "seed" not in st.session_state and "seed" not in st.query_params:
        st.session_state.seed = demo.running_seed(looked) or 0
    if "seed" in st.query_params:
        BANK_SEED.choose(st.query_params.get_all("seed"))
    help_text = tr("Of the initial weights and the batches: another seed, another demo.")
    return st.number_input(tr("Seed"), 0, 2**31 - 1, 0, key="seed", bind="query-params", help=help_text)


def controls(store: RunStore, found: demo.Demo, seed: int) -> None:
    """The button that fits: run, stop, go on, or once more."""
    if found.active:
        mine = all(may_change(s.run, "stop") for s in found.active)
        if mine and st.button(tr("Stop the demo"), icon=":material/stop:", width="stretch", key="demo_stop"):
            demo.stop(store, found)
            st.rerun()
    elif found.ended:
        st.button(tr("Train another seed"), icon=":material/replay:", width="stretch", key="demo_again", on_click=next_seed)
    else:
        label = tr("Resume the demo") if found.begun else tr("Run the demo")
        if st.button(label, type="primary", icon=":material/play_arrow:", width="stretch", key="demo_start"):
            demo.start(store, seed)
            st.rerun()


def announcement(found: demo.Demo, everything: AllSeen) -> str:
    """What the demo will do, and how long it will take as far as this machine has shown."""
    recipe = found.configs[0].recipe
    seconds = estimate.together(demo.in_turn(found.configs), estimate.measured(everything))
    time, shipped = tr("how long it takes is not yet measured on this machine"), recorded("demo")
    if seconds is not None:
        time = tr("about {duration} here", duration=duration(seconds))
    elif [run.config for run in shipped.runs] == demo_configs(0):
        time += tr(" ({duration} on {machine})", duration=duration(shipped.seconds), machine=shipped.machine)
    return tr(
        "Trains plain-20, plain-56, ResNet-20 and ResNet-56 on {train_images:,} real CIFAR-10 images: "
        "{iterations:,} iterations of {batch_size} images each, until they are through; {time}. {to_see}",
        train_images=found.configs[0].data.train_images,
        iterations=recipe.iterations,
        batch_size=recipe.batch_size,
        time=time,
        to_see=TO_SEE,
    )


def start_box(store: RunStore, looked: Look) -> demo.Demo:
    """Button and seed, and what the demo will do. Returns the demo of the seed that was chosen."""
    button, chooser = st.columns([0.66, 0.34], vertical_alignment="bottom")
    with chooser:
        seed = seed_input(looked)
    found = demo.find(looked, seed)
    with button, st.container(key="one_of.demo"):
        controls(store, found, seed)
    if not found.begun:
        st.caption(announcement(found, all_seen(looked)))
    return found


def _is_judged(found: demo.Demo) -> bool:
    """Whether there is a verdict on what is drawn: of the demo when it has ended, of the curves that ship before it has begun."""
    return found.ended or not found.begun


def beside(found: demo.Demo, drawn: list[RunRecords], everything: AllSeen) -> None:
    """What stands beside the chart: the outcome, else how far it is; and what else is being trained."""
    active = everything.active
    if drawn and not found.begun:
        st.markdown(tr("**What these curves show**"))
    if drawn and _is_judged(found):
        show_verdict(drawn)
    for s in found.seen:
        progress_row(s)
    left = estimate.remaining(active, estimate.measured(everything))
    if found.active and left is not None:
        st.caption(tr("About {duration} until everything in the queue is through.", duration=duration(left)))
    mine = {s.run.id for s in found.seen}
    others = [s for s in active if s.run.id not in mine]
    if others:
        st.markdown(tr("**Also in training**"))
        for s in others:
            progress_row(s)
    if found.begun:
        st.page_link("train/page.py", label=tr("Stop, resume or delete single runs"), icon=":material/model_training:")


def panel(polled: bool, has_button: bool, first: list[Look]) -> None:
    """The demo: chart, progress and verdict.

    Args:
        polled: whether this is run again and again.
        has_button: with the demo's button.
        first: what the page has just seen, for the first time this is run.
    """
    with guarded(tr("Home")), st.container(key="demo_panel"):
        left, right = st.columns(_COLUMNS, gap="medium")
        store = PermittedStore()
        looked = first.pop() if first else store.tend()
        everything = all_seen(looked)
        if bool(everything.active) != polled:
            st.rerun()
        with right:
            found = start_box(store, looked) if has_button else demo.find(looked, st.session_state.seed)
        with left:
            runs, source = picture(found, looked)
            message = tr("The first points come after some seconds.") if found.active else tr("No curves yet: run the demo.")
            verdict = degradation_verdict([outcome(run) for run in runs]) if runs and _is_judged(found) else ""
            live_chart(runs, key="home_chart", note=message, said=verdict)
            if runs:
                st.caption(" ".join(part for part in (source, caption(grouped(runs)), tr(CAPTION)) if part))
        with right:
            beside(found, runs, everything)


def opening(nets: Sequence[RunRecords], problems: Sequence[str], looked: Look | None) -> bool:
    """Figure 6 with the demo's button beside it. Returns whether the demo can be shown too: if not, the message stands here."""
    left, right = st.columns(_COLUMNS, gap="medium")
    with left:
        show_figure6(nets, problems)
    shown = False
    with right, guarded(tr("Home")):
        store = PermittedStore()
        found = start_box(store, looked or store.look())
        show_facts(nets)
        shown = True
        if found.active:  # begun by another viewer since this page was made
            st.rerun()
    return shown


def activity(looked: Look) -> tuple[bool, bool]:
    """Whether anything is being trained or waits for it, and whether that is a demo."""
    active = [run.config for run, _ in looked.active]
    return bool(active), any(config in demo.configs(config.recipe.seed) for config in active)


def main() -> None:
    st.title(tr("Deeper, and worse: the degradation problem"), anchor=False)
    st.markdown(SENTENCES)
    problems: list[str] = []
    nets: list[RunRecords] = []
    with guarded(tr("Figure 6")):
        nets = figure6_nets(problems)
    looked: Look | None = None
    try:
        looked = PermittedStore().tend()
        polled, demo_runs = activity(looked)
    except UserError:
        polled = demo_runs = False  # the panel shows the message
    if demo_runs:
        st.session_state[_DEMO_FIRST] = True
    demo_first = not nets or st.session_state.get(_DEMO_FIRST, False)
    if demo_first or opening(nets, problems, looked):
        if not demo_first:
            st.header(tr("The same in minutes, on this machine: the demo"), anchor=False)
        st.fragment(panel, run_every=1.5 if polled else None)(polled, demo_first, [looked] if looked else [])
    if demo_first and nets:
        st.header(tr("Figure 6 of the paper, from nets trained with this project"), anchor=False)
        left, right = st.columns(_COLUMNS, gap="medium")
        with left:
            show_figure6(nets, problems)
        with right:
            show_facts(nets)
    elif demo_first:
        show_problems(problems)


main()
