"""Compare: any runs and shipped checkpoints in one chart, their final errors beside the paper's, and all of it to take away.

The view is in the URL.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from pages.compare.choice import CHOICE, SEARCH, Listed, choose_runs, of_origin
from pages.ui.figure_chart import figure_chart
from pages.ui.guard import guarded
from pages.ui.labels import escaped
from pages.ui.lecture_file import lecture_button
from pages.ui.net_words import nothing_yet
from pages.ui.runs_view import REACH, Kept, Seen, look, look_recorded, look_shipped
from resnet_core import paper
from resnet_core.figures import captions, export, series, table
from resnet_core.figures.curves import X_AXES, View, learning_curves, view_note
from resnet_core.language import mark, tr
from resnet_core.runs import RunStore
from resnet_core.verdict import degradation, degradation_verdict

#: Seconds between two looks at runs that are still going.
POLL = 1.5
#: What keeps a net's name, a range and a seed on one line of a narrow cell.
_UNBREAKABLE = str.maketrans({" ": "\u00a0", "-": "\u2011", "–": "–\u2060"})
_SMOOTHING = (0, 1, 2, 5, 10, 20)  # percent of a run
#: As they stand on the page and in the URL (which holds what the viewer sees) -> View.seeds.
_SEEDS = {mark("separate"): "separate", mark("mean and range"): "range", mark("mean and std"): "std"}


def view_controls() -> View:
    """What the chart shows. Each widget is bound to the URL under its key."""
    st.header(tr("View"), anchor=False)
    metric = st.segmented_control(
        tr("Show"), series.METRICS, default="error", format_func=tr, required=True, key="metric", bind="query-params"
    )
    x = st.segmented_control(tr("over"), X_AXES, default="iterations", format_func=tr, required=True, key="x", bind="query-params")
    kinds = st.pills(
        tr("of"), series.KINDS, selection_mode="multi", default=["training", "test"], format_func=tr, key="curves", bind="query-params"
    )
    smoothing = st.select_slider(
        tr("Smoothing, % of a run"),
        _SMOOTHING,
        5,
        key="smoothing",
        bind="query-params",
        help=tr("Width of a centred moving mean; the raw curve stays."),
    )
    seeds = st.segmented_control(
        tr("Seeds"), list(_SEEDS), default="separate", format_func=tr, required=True, key="seeds", bind="query-params",
        help=tr("Runs that differ in nothing but the seed, each on its own or as one mean with its spread."),
    )  # fmt: skip
    log = st.toggle(tr("Log scale"), key="log", bind="query-params")
    # An address with "?x=" empties even a control that must have a value.
    shown = tuple(kind for kind in series.KINDS if kind in kinds)
    return View(metric or "error", x or "iterations", shown, smoothing / 100, log, _SEEDS[seeds or "separate"])


def notes(seen: Sequence[Listed], runs: Sequence[series.RunRecords], view: View) -> str:
    """Everything that must be read with the chart."""
    groups = captions.grouped(runs, view.seeds)
    names = ", ".join(s.net for s in seen if isinstance(s, Kept) and s.origin == "shipped")
    shipped = tr("Shipped with ResNet Lab: {names}.", names=names) if names else ""
    return f"{captions.caption(groups)} {view_note(groups, view)} {shipped}".strip()


def show_table(seen: Sequence[Listed], runs: Sequence[series.RunRecords], view: View) -> None:
    groups = captions.grouped(runs, view.seeds)
    ids = {s.id for s in of_origin(seen, "shipped")}
    st.header(tr("Final errors"), anchor=False)
    final = table.final_table(groups, view.seeds)
    held_out = any(table.VALIDATION in row for row in final)
    rows = [_cells(row, held_out) for row in final]
    for row, group in zip(rows, groups, strict=True):
        if all(run.run_id in ids for run in group.runs):
            row[tr(table.STATE)] = tr("shipped")
    st.table(rows, border="horizontal")
    st.caption(
        tr(
            "Training error: mean over the last epoch, of augmented images as seen. Schedule: images seen, as a "
            "part of the paper's. The paper's errors are those of {paper}, Table 6 and caption of Figure 6, "
            "after its full schedule on all of CIFAR-10; of ResNet-110 the best of five runs.",
            paper=paper.PAPER,
        )
        + " "
        + tr(
            "Test errors are those of the last iteration and select nothing here: the lowest of many is partly luck. To choose a rate, an "
            "iteration or a net, hold out images for validation (Train); of their error the lowest is told."
        )
    )


def _cells(row: table.Row, held_out: bool) -> dict[str, str]:
    """A row as Markdown. ``held_out``: whether any of the rows has a validation error."""

    def error(value: str, spread: str) -> str:
        if row[value] is None:
            return "–"
        between = f"({row[spread]})".translate(_UNBREAKABLE) if row.get(spread) else ""
        return f"**{row[value]:.2f}** {between}".strip()

    return {
        tr("net"): escaped(str(row[table.NET]).replace("-", "\u2011")),
        tr("training error (%)"): error(table.TRAINING, table.TRAINING_SPREAD),
        **(
            {
                tr("validation error (%)"): error(table.VALIDATION, "") if table.VALIDATION in row else "–",
                tr("lowest (%, iteration)"): escaped(str(row.get(table.LOWEST, "–"))),
            }
            if held_out
            else {}
        ),
        tr("test error (%)"): error(table.TEST, table.TEST_SPREAD),
        tr("paper's test error (%)"): escaped(str(row[table.PAPER] or "–")),
        tr(table.SEEDS): str(row[table.SEEDS]).translate(_UNBREAKABLE),
        tr(table.DATA): str(row[table.DATA]).replace("-", "\u2011"),
        **{tr(key): str(row[key]) for key in (table.SCHEDULE, table.PRECISION, table.STATE)},
    }


def panel(ids: Sequence[str], view: View, polled: bool) -> None:
    """Chart, captions, verdict and table. ``polled`` tells whether this is run again and again."""
    with guarded(tr("Compare")):
        seen = chosen(ids)
        if any(s.is_active for s in seen) != polled:
            st.rerun()
        runs = [s.records() for s in seen]
        if not view.kinds:
            st.info(tr("Choose at least one of training, test and validation."), icon=":material/info:")
        outcomes = [series.outcome(run) for run in runs if run.state in ("finished", "diverged")]
        found = degradation(outcomes)
        verdict = degradation_verdict(outcomes) if found else ""
        figure_chart(learning_curves(runs, view), learning_curves(runs, view, dark=True), key="compare_chart", said=verdict)
        st.caption(notes(seen, runs, view))
        if found:
            (st.success if found.shown else st.info)(verdict, icon=":material/check_circle:" if found.shown else ":material/info:")
        show_table(seen, runs, view)


def chosen(ids: Sequence[str]) -> list[Listed]:
    wanted = set(ids)
    ships: list[Listed] = [*look_shipped(), *look_recorded()]
    return [s for s in ships if s.id in wanted] + look(RunStore().some(wanted))


def downloads(ids: Sequence[str], view: View) -> None:
    """Made when they are clicked, of the records as they then are."""
    dark = st.context.theme.type == "dark"

    def csv() -> bytes:
        return series.records_csv([s.records() for s in chosen(ids)]).encode()

    def drawn() -> tuple[go.Figure, str]:
        seen = chosen(ids)
        runs = [s.records() for s in seen]
        return learning_curves(runs, view, dark), notes(seen, runs, view)

    def html() -> bytes:
        return export.page(*drawn()).encode()

    def picture(kind: str) -> bytes:
        return export.picture(*drawn(), kind)

    st.header(tr("Take away"), anchor=False)
    with st.container(horizontal=True):
        icon = ":material/download:"
        st.download_button(tr("Records (CSV)"), csv, "resnet-lab-records.csv", "text/csv", key="csv", icon=icon, on_click="ignore")
        st.download_button(tr("Chart (HTML)"), html, "resnet-lab-chart.html", "text/html", key="html", icon=icon, on_click="ignore")
        drawable = export.browser() is not None
        for kind, mime in export.PICTURES.items():
            st.download_button(
                tr("Chart ({kind})", kind=kind.upper()), functools.partial(picture, kind), f"resnet-lab-chart.{kind}", mime, key=kind,
                icon=icon, on_click="ignore", disabled=not drawable,
            )  # fmt: skip
        lecture_button(lambda: [s.records(layers=True) for s in chosen(ids)], "lecture")
    camera = tr("makes a PNG too") if drawable else tr("makes a PNG: the server has no Chromium or Chrome to draw one")
    st.caption(
        tr("The camera button of the chart {camera}. The address of this page restores this view wherever these runs are.", camera=camera)
    )


def main() -> None:
    st.title(tr("Compare"), anchor=False)
    looked = RunStore().look()
    near = looked.reach(REACH, CHOICE.asked(), st.session_state.get(SEARCH, ""))
    seen: list[Listed] = [*look_shipped(), *look_recorded(), *(Seen(*pair) for pair in near)]
    if not seen:
        nothing_yet(tr("There are no runs yet. Start the demo on the front page, or choose nets to train; they can be compared here."))
        return
    with st.sidebar:
        ids = choose_runs(seen, len(looked.runs) - len(near))
        view = view_controls()
    if not ids:
        st.info(tr("Choose runs in the list of the sidebar (» opens it)."), icon=":material/info:")
        return
    polled = any(s.is_active for s in chosen(ids))
    st.fragment(panel, run_every=POLL if polled else None)(ids, view, polled)
    downloads(ids, view)


main()
