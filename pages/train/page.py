"""Train: choose nets and a recipe, see what they cost, start them, and watch all runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path

import streamlit as st

from pages.train import data_pick, nets_table, recipe_form, sweep_panel
from pages.train.augmented import augmented
from pages.train.net_builder import net_builder
from pages.train.nets_table import Row
from pages.train.plan_table import existing, plan_table, total_time
from pages.train.presets import PRESETS, Preset
from pages.ui import estimate, uploaded
from pages.ui.guard import guarded
from pages.ui.labels import duration, escaped, listed
from pages.ui.live_chart import CAPTION, live_chart
from pages.ui.permitted import PermittedStore, admit, may, may_change
from pages.ui.run_rows import broken_row, dialogs, run_row
from pages.ui.runs_view import AllSeen, Seen, all_seen, look, started_together
from pages.ui.turns import say_turns
from resnet_core.config import doubts
from resnet_core.differences import confounded, differing
from resnet_core.errors import ConfigError
from resnet_core.figures.captions import caption, grouped
from resnet_core.language import mark, tr, tr_n
from resnet_core.runs import Look, RunStore
from resnet_core.runs.run import RESUMABLE, Run

SET_UP, RUNS = mark("Set up"), mark("Runs")
_TAB, _PRESET, _SAID = "tab", "train.preset", "train.said"
#: Ended runs listed at first.
LISTED = 8
#: Ended runs on a page of the list of all.
PAGE = 50
#: Warnings of rows that differ in more than one thing.
MIXED = 2
#: Pixels of the list beside the chart; it scrolls by itself, so that the chart stays in sight.
LIST_HEIGHT = 620


def fill(preset: Preset) -> None:
    nets_table.fill((net, preset.recipe) for net in preset.nets)
    recipe_form.fill(preset.recipe)
    data_pick.fill(preset.data)
    st.session_state[_PRESET] = preset.name


def presets() -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(tr("Start from:"))
        for preset in PRESETS:
            st.button(tr(preset.name), key="preset." + preset.name, help=tr(preset.about), on_click=fill, args=(preset,))


def set_up(store: RunStore, seen: AllSeen) -> None:
    """The form: nets, images, recipe; what it amounts to; the button."""
    presets()
    base = next(preset for preset in PRESETS if preset.name == st.session_state[_PRESET]).recipe
    builder = st.container(gap="xsmall")
    table = nets_table.nets_table(base)
    below_table = st.container(gap="xsmall")
    uploaded.tidy(seen.active)
    data, folder, data_are_there = data_pick.data_pick()
    more = tr("More of the recipe, shared by all nets: optimiser, augmentation, schedule, warm-up, device, precision, records")
    with st.expander(more, icon=":material/tune:", key="train.more"):
        try:
            shared = recipe_form.recipe_form()
            rows = nets_table.read(table, shared, data)
            augmented(shared, data.side)
        except ConfigError as error:
            below_table.error(escaped(str(error)), icon=":material/error:")
            rows = None
    with builder:  # drawn last: a net is added to the table as it stands
        net_builder(table, rows or [], base, data)
    if rows is None:
        return
    with below_table:
        about(rows)
    if any(row.config for row in rows):
        start_button(store, rows, seen, folder, data_are_there)
        plan_table(rows, seen)


def about(rows: Sequence[Row]) -> None:
    """What is wrong with the rows; else in what they differ, and which of them cannot be compared."""
    for complaint in nets_table.complaints(rows):
        st.error(escaped(complaint), icon=":material/error:")
    if not rows:
        st.info(tr("The table is empty: add a net above or in its last line, or start from a preset."), icon=":material/info:")
    configs = [row.config for row in rows if row.config]
    for doubt in doubts(configs):
        st.warning(escaped(doubt), icon=":material/photo_size_select_small:")
    if len(configs) < max(2, len(rows)):
        return
    things = differing(configs)
    said = (
        tr("These {rows} rows differ in {listed}.", rows=len(rows), listed=listed(things))
        if things
        else tr("These {rows} rows are the same training.", rows=len(rows))
    )
    st.caption(said)
    mixed = confounded(configs)
    for pair in mixed[:MIXED]:
        names = [
            tr("row {number} ({name})", number=rows[place].number, name=escaped(configs[place].model.name))
            for place in (pair.first, pair.second)
        ]
        st.warning(
            tr(
                "More than one thing differs between {names} and {names2}: {listed}. No rows between them change one "
                "thing at a time, so their results cannot tell which of these matters.",
                names=names[0],
                names2=names[1],
                listed=listed(pair.things),
            ),
            icon=":material/call_split:",
        )
    if len(mixed) > MIXED:
        st.caption(tr("So it is with {mixeds} more pairs of rows.", mixeds=len(mixed) - MIXED))


def start_button(store: RunStore, rows: Sequence[Row], seen: AllSeen, folder: str | None, data_are_there: bool) -> None:
    there = existing(rows, seen)
    again = False
    if there:
        found = [there[row.config.fingerprint] for row in rows if row.config and row.config.fingerprint in there]
        names = ", ".join(dict.fromkeys(f"{escaped(s.run.name)} ({tr(s.status.state)})" for s in found))
        st.info(
            tr(
                "Exactly these configurations exist already: {names}. Starting shows the existing runs beside the "
                "new ones; those that have stopped before their end go on.",
                names=names,
            ),
            icon=":material/content_copy:",
        )
        again = may("train again") and st.checkbox(tr("Train them again all the same"), key="train.again")
    # A configuration that stands in two rows is one training.
    wanted = {row.config.fingerprint: row for row in rows if row.config}
    new = [row for fingerprint, row in wanted.items() if again or fingerprint not in there]
    count = tr_n(len(new), "{number} net", "{number} nets")
    label = (
        tr("Start training {count} ({total_time})", count=count, total_time=total_time(new, seen)) if new else _label_of_old(there.values())
    )
    st.button(
        label,
        type="primary",
        icon=":material/play_arrow:",
        key="train.start",
        disabled=any(row.error for row in rows) or not data_are_there,
        on_click=start,
        args=(store, list(wanted.values()), folder, again),
    )


def _label_of_old(there: Collection[Seen]) -> str:
    stopped = sum(s.status.state in RESUMABLE for s in there)
    if not stopped:
        return tr("Show the existing runs")
    return tr("Resume the existing runs") if stopped == len(there) else tr("Show the existing runs, and resume {stopped}", stopped=stopped)


def start(store: RunStore, rows: Sequence[Row], folder: str | None, again: bool) -> None:
    """Submits all rows, and turns to the runs. Submitting asks the store once more: another viewer may have been faster."""
    with guarded(tr("Starting")):
        if not again:
            admit([row.config for row in rows if row.config])
        new: list[Run] = []
        old: list[Run] = []
        for config in (row.config for row in rows if row.config):
            run, is_new = store.submit(config, data_dir=folder, again=again)
            (new if is_new else old).append(run)
        for run in [*new, *old]:
            st.session_state[f"show.{run.id}"] = True
        sweep_panel.keep(store, [*new, *old])
        said = [tr_n(len(new), "{number} run queued.", "{number} runs queued.")] if new else []
        for s in look(old):
            if s.status.state in RESUMABLE:
                store.resume(s.run.id)
                said.append(tr("{name} goes on from iteration {iteration:,}.", name=escaped(s.run.name), iteration=s.status.iteration))
                continue
            said.append(tr("{name} exists already ({state}) and was not trained again.", name=escaped(s.run.name), state=s.status.state))
        st.session_state[_SAID] = " ".join(said)
        st.session_state[_TAB] = tr(RUNS)


def in_order(active: Sequence[Seen]) -> list[Seen]:
    """Running, newest first, then the queue in its order."""
    running = [s for s in reversed(active) if s.status.state == "running"]
    return running + sorted((s for s in active if s.status.state == "queued"), key=lambda s: s.status.place or 0)


def ended(seen: AllSeen, count: int) -> list[Seen]:
    """Those of the ended runs that are listed, newest first: some, or a page of those that are searched for.

    Args:
        count: how many runs have ended.
    """
    lines = seen.look.briefs
    places = (k for k in reversed(range(len(lines))) if lines[k].state not in ("running", "queued"))
    if not st.session_state.get("train.all"):
        return [seen[k] for k in islice(places, LISTED)]
    found = list(places)
    if count > PAGE:
        hint = tr("Name, net or state")
        search = st.text_input(tr("Search"), key="train.search", placeholder=hint, icon=":material/search:")
        words = search.casefold().split()
        found = [k for k in found if lines[k].is_meant(words)] if words else found
        pages = max(1, -(-len(found) // PAGE))
        page = 1
        if pages > 1:
            # Within what there is now, whatever was chosen before: runs go, and a search finds fewer.
            st.session_state["train.page"] = min(st.session_state.get("train.page", 1), pages)
            page = st.number_input(tr("Page, of {pages:,}", pages=pages), 1, pages, key="train.page")
        found = found[(page - 1) * PAGE : page * PAGE]
        if not found:
            st.caption(tr("No run is called that."))
    return [seen[k] for k in found]


def stop_all(store: RunStore, active: Sequence[Seen]) -> None:
    """The last in the queue first, so that none begins meanwhile."""
    for s in reversed(in_order(active)):
        if s.run.state().is_active and may_change(s.run, "stop"):
            store.stop(s.run.id)


def rows_of_runs(store: RunStore, seen: AllSeen, broken: Sequence[tuple[Path, str]]) -> list[Seen]:
    """The list of runs with their buttons. Returns those whose curves are to be shown."""
    active = seen.active
    by_default = {s.run.id for s in active} | started_together(seen)
    count = len(seen) - len(active)
    left = estimate.remaining(active, estimate.measured(seen))
    stoppable = [s for s in active if may_change(s.run, "stop")]
    if len(stoppable) > 1 and st.button(tr("Stop all"), icon=":material/stop:", key="train.stop_all", width="stretch"):
        stop_all(store, active)
        st.rerun()
    if active and left is not None:
        st.caption(tr("About {duration} until everything in the queue is through.", duration=duration(left)))
    say_turns(seen)
    listed = in_order(active) + ended(seen, count)
    with st.container(height=LIST_HEIGHT if len(listed) > 4 else "content", border=False, gap="small"):
        shown = [s for s in listed if run_row(s, store, s.run.id in by_default)]
        for folder, reason in broken:
            broken_row(folder, reason)
    if count > LISTED:
        st.toggle(tr("List all {ordereds:,} runs", ordereds=len(seen)), key="train.all", persist_state="session")
    return shown


def runs_panel(was_active: bool, first: list[Look]) -> None:
    """One live chart, and beside it a row for each run.

    Args:
        was_active: whether anything was trained or queued when the page was drawn, which decides whether this is run again and again.
        first: what the page has just seen, for the first time this is run.
    """
    with guarded(tr("Train")):
        store = PermittedStore()
        looked = first.pop() if first else store.tend()
        seen = all_seen(looked)
        active = bool(seen.active)
        if active != was_active:
            st.rerun()
        left, right = st.columns([0.66, 0.34], gap="medium")
        with right:
            shown = rows_of_runs(store, seen, looked.broken)
        # In an order that does not change while runs come and go, so that the legend stands still.
        records = [s.records() for s in sorted(shown, key=lambda s: (s.run.created_at, s.id))]
        with left:
            note = tr("The first points come after some seconds.") if active else tr("Tick runs to see their curves.")
            live_chart(records, key="train_chart", note=note)
            if records:
                st.caption(f"{caption(grouped(records))} {CAPTION}")
                ids = [record.run_id for record in records]
                st.page_link("compare/page.py", label=tr("Compare these runs"), icon=":material/ssid_chart:", query_params={"runs": ids})
            sweep_panel.sweep_panel(store, looked)


def main() -> None:
    store = PermittedStore()
    looked = store.tend()
    seen = all_seen(looked)
    active = bool(seen.active)
    if not nets_table.is_filled():
        fill(PRESETS[0])
        if active and _TAB not in st.query_params:
            st.session_state[_TAB] = tr(RUNS)
    st.title(tr("Train"), anchor=False)
    form, runs = st.tabs([tr(SET_UP), tr(RUNS)], key=_TAB, bind="query-params")
    with form:
        set_up(store, seen)
    with runs:
        if said := st.session_state.pop(_SAID, None):
            st.success(said, icon=":material/playlist_add_check:")
        if seen or looked.broken:
            st.fragment(runs_panel, run_every=1.5 if active and runs.open else None)(active, [looked])
        else:
            st.info(tr("There are no runs yet. Choose nets under *Set up* and start them."), icon=":material/info:")
    nets_table.keep_the_keyboard()
    dialogs()


main()
