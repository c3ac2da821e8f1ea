"""A run as one row: where it stands, and what can be done with it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.ui.guard import guarded
from pages.ui.labels import escaped
from pages.ui.permitted import PermittedStore, may, may_change
from pages.ui.runs_view import BADGES, Seen, fraction_done, progress_text
from resnet_core.architectures import FAMILIES
from resnet_core.config import RunConfig
from resnet_core.errors import RunError
from resnet_core.language import retold, tr
from resnet_core.runs import RunStore
from resnet_core.runs.border import MAX_NAME
from resnet_core.runs.files import shown as shown_path
from resnet_core.runs.run import RESUMABLE

#: In the session: (what is asked, run id) while a dialog is open.
_ASKED = "runs.asked"


def state_badge(seen: Seen) -> str:
    """The run's state as a Markdown badge."""
    icon, color = BADGES[seen.status.state]
    return f":{color}-badge[{icon} {tr(seen.status.state)}]"


def progress_row(seen: Seen) -> None:
    """Name, state and progress, for a narrow column."""
    st.progress(fraction_done(seen.status), text=f"**{escaped(seen.run.name)}** {state_badge(seen)}  \n{progress_text(seen.status)}")
    if seen.status.message:
        st.caption(escaped(retold(seen.status.message)))


def run_row(seen: Seen, store: RunStore, shown: bool) -> bool:
    """Everything on one run, with its buttons, for a narrow column. Returns whether its curves are to be shown.

    Args:
        shown: whether they are as long as the viewer has not said otherwise.
    """
    run, status = seen.run, seen.status
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            seed = run.config.recipe.seed
            told = tr(", seed {seed}", seed=seed) if seed else ""
            label = f"**{escaped(run.name)}**{told}{_family(run.config)} {state_badge(seen)}"
            wanted = st.checkbox(label, shown, key=f"show.{run.id}", width="stretch")
            _buttons(seen, store)
        st.progress(fraction_done(status), text=progress_text(status))
        if status.message:
            st.caption(escaped(retold(status.message)))
    return wanted


def _family(config: RunConfig) -> str:
    """The family of a net that is not of the usual one."""
    family = config.model.family
    return "" if family == RunConfig().model.family else f" ({escaped(FAMILIES[family].title)})"


def broken_row(folder: Path, reason: str) -> None:
    """A run that cannot be read: what is wrong with it, and the button that deletes it."""
    name = shown_path(folder.name)
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.markdown(tr("**{name}** :red-badge[:material/broken_image: damaged]", name=escaped(name)), width="stretch")
            if may("delete") and st.button("", icon=":material/delete:", key=f"delete.{name}", type="tertiary", help=tr("Delete this run")):
                st.session_state[_ASKED] = ("delete", name)
                st.rerun()
        st.caption(tr("It cannot be read: {reason}.", reason=escaped(reason)))


def _buttons(seen: Seen, store: RunStore) -> None:
    run, status = seen.run, seen.status
    if not may_change(run):
        return
    with st.container(key=f"one_of.{run.id}", width="content"):
        if status.is_active:
            if st.button(tr("Stop"), icon=":material/stop:", key=f"stop.{run.id}", type="tertiary", disabled=status.stopping):
                with guarded(tr("Stopping a run")):
                    store.stop(run.id)
                    st.rerun()
        elif status.state in RESUMABLE and st.button(tr("Resume"), icon=":material/play_arrow:", key=f"resume.{run.id}", type="tertiary"):
            with guarded(tr("Resuming a run")):
                store.resume(run.id)
                st.rerun()
    actions = (("rename", ":material/edit:", tr("Rename this run")), ("delete", ":material/delete:", tr("Delete this run")))
    for what, icon, help_text in actions:
        if st.button("", icon=icon, key=f"{what}.{run.id}", type="tertiary", help=help_text):
            st.session_state[_ASKED] = (what, run.id)
            st.rerun()


def dialogs() -> None:
    """The question that is open, if any. To be called by the page itself: what a fragment draws is cleared by its next run."""
    asked = st.session_state.get(_ASKED)
    if asked is None:
        return
    what, run_id = asked
    title = {"rename": tr("Rename this run"), "delete": tr("Delete this run?")}[what]
    st.dialog(title, on_dismiss=_dismiss)({"rename": _rename, "delete": _delete}[what])(run_id)


def _dismiss() -> None:
    st.session_state.pop(_ASKED, None)


def _close() -> None:
    _dismiss()
    st.rerun()


def _rename(run_id: str) -> None:
    with guarded(tr("Renaming a run")):
        store = PermittedStore()
        run = store.get(run_id)
        name = st.text_input(tr("Name"), run.name, max_chars=MAX_NAME, key=f"name.{run_id}")
        if st.button(tr("Rename"), type="primary", key="rename.confirm"):
            store.rename(run_id, name)
            _close()


def _delete(run_id: str) -> None:
    with guarded(tr("Deleting a run")):
        store = PermittedStore()
        called, status = tr("Run `{run_id}`", run_id=run_id), None
        try:
            run = store.get(run_id)
            called, status = tr("Run **{name}** (`{run_id}`)", name=escaped(run.name), run_id=run_id), run.state()
        except RunError:  # it went away meanwhile, or cannot be read: deleting says which
            pass
        lost = (
            tr(" after {iteration:,} of {iterations:,} iterations", iteration=status.iteration, iterations=status.iterations)
            if status and status.iteration
            else ""
        )
        running = tr(" It is being trained: it will be stopped first.") if status and status.state == "running" else ""
        st.markdown(
            tr(
                "{called}{lost} goes away with its curves and weights, for all viewers.{running} This cannot be undone.",
                called=called,
                lost=lost,
                running=running,
            )
        )
        with st.container(horizontal=True):
            if st.button(tr("Delete"), type="primary", icon=":material/delete:", key="delete.confirm"):
                with st.spinner(tr("Deleting")):
                    store.delete(run_id)
                _close()
            if st.button(tr("Keep it"), key="delete.cancel"):
                _close()
