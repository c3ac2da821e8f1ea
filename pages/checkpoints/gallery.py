"""The gallery's table: a row for each net that can be looked into; the chosen one is kept in the session and as ``?checkpoint=...``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from pages.ui.labels import titled
from pages.ui.linked import Linked
from pages.ui.net_words import say_absent
from resnet_core import paper
from resnet_core.conditions import fraction_short
from resnet_core.config import DataConfig
from resnet_core.errors import UserError
from resnet_core.language import current, mark, tr
from resnet_core.nets import Net, export, told_apart

#: Rows shown before the table scrolls by itself.
_MOST_ROWS = 11
_ROW_PIXELS = 39
CHOICE = Linked("gallery", "checkpoint")
#: In the session: the list below the table; the turn gives the table a new key.
_PICKER, _TURN = "gallery.net", "gallery.turn"


@dataclass(frozen=True)
class Entry:
    """A net with its card (see ``export.card``) and its line of the table."""

    net: Net
    card: dict[str, Any]
    row: dict[str, Any]


#: What is known of finished runs, by their folders and the language that it is said in.
_ENTRIES: dict[tuple[Path, str], Entry] = {}


def entries(nets: Sequence[Net]) -> list[Entry]:
    """The nets with what is known of them; those that were deleted while we looked are left out."""
    found = []
    for net in nets:
        key = (net.path, current())
        known = _ENTRIES.get(key)
        if known is not None and known.net is net:
            found.append(known)
            continue
        try:
            card = export.card(net)
            found.append(Entry(net, card, row(net, card)))
        except (UserError, FileNotFoundError):
            continue
        if net.origin == "run" and net.state == "finished":  # nothing more happens to it: the catalog has the same net again
            _ENTRIES[key] = found[-1]
    return found


#: The last rows that were drawn, as a frame: a draw of a page changes few of them, and a frame of thousands takes time.
_LAST: list[tuple[list[dict[str, Any]], pd.DataFrame]] = []


_ORIGINS = {"shipped": mark("shipped"), "imported": mark("imported"), "run": mark("run")}


def frame(found: Sequence[Entry]) -> pd.DataFrame:
    """The rows as a table. It is shared: do not change it."""
    rows = [entry.row for entry in found]
    for known, made in _LAST:
        if known == rows:  # of what has not changed these are the very objects of the draw before: quick to compare
            return made
    made = pd.DataFrame(rows)
    _LAST[:] = [(rows, made)]
    return made


def row(net: Net, card: dict[str, Any]) -> dict[str, Any]:
    """A line of the table. Errors in percent, the size in MB (1,000,000 bytes); None where it is not known."""
    published = paper.published(net.model, net.class_names)
    fraction, on = card.get("schedule_fraction"), tested_on(net, card)
    config = net.config
    return {
        "name": net.name,
        "origin": tr(_ORIGINS[net.origin]) if net.state == "finished" else f"{tr(_ORIGINS[net.origin])}, {tr(net.state)}",
        "depth": net.model.depth,
        "shortcut": tr(net.model.shortcut),
        "parameters": card.get("params") or export.parameters(net.weights),
        "MB": net.weights.stat().st_size / 1e6,
        "training error": net.train_error,
        "test error": test_error(net, card),
        "tested on": on and f"{on[0]:,} ({on[1].title})",
        "paper": published.text if published else None,
        "schedule": None if fraction is None else fraction_short(fraction),
        "precision": net.precision,
        "data": config.data.short_label if config else card.get("data"),
        "seed": config.recipe.seed if config else card.get("seed"),
        "date": str(card.get("created") or "")[:10] or None,
    }


def test_error(net: Net, card: dict[str, Any]) -> float | None:
    """In percent: as its training measured it; of an imported net, as it was measured on the sample when it was imported."""
    return card.get("sample_error") if net.test_error is None else net.test_error


def tested_on(net: Net, card: dict[str, Any]) -> tuple[int, DataConfig] | None:
    """How many images its test error was counted on, and of which data set."""
    if net.test_error is None:
        return None if card.get("sample_error") is None else (card["sample_images"], DataConfig())
    return (net.config.data.test_images, net.config.data) if net.config else None


def gallery(found: Sequence[Entry]) -> Entry:
    """Draws the table; returns the chosen net. There must be one at least."""
    nets = [entry.net for entry in found]
    ids = [net.id for net in nets]
    chosen = _restored(ids)
    st.dataframe(
        frame(found),
        # Selected anew when the choice was made elsewhere, or the list has changed: the rows have moved.
        key=f"gallery.table.{st.session_state.get(_TURN, 0)}.{hash(tuple(ids))}",
        on_select=lambda: _picked_in_table(ids),
        selection_mode="single-row",
        selection_default={"selection": {"rows": [ids.index(chosen)]}},
        hide_index=True,
        placeholder="–",
        height=_ROW_PIXELS * (min(len(nets), _MOST_ROWS) + 1),
        row_height=_ROW_PIXELS,
        column_config=_columns(),
    )
    st.caption(
        tr(
            "Errors in percent. Paper: {paper}, Table 6 and caption of Figure 6, after its full schedule. A "
            "click on a heading sorts, a tick in the box at the left of a row chooses it, and so does the list "
            "below.",
            paper=paper.PAPER,
        )
    )
    return found[ids.index(chosen)]


def picker(found: Sequence[Entry], chosen: str) -> None:
    """The same choice as a list to search in, for where there are many."""
    names = told_apart([entry.net for entry in found])
    # Set anew each time: the widget starts afresh whenever its list of options changes.
    st.session_state[_PICKER] = chosen
    st.selectbox(
        tr("Checkpoint"),
        list(names),
        format_func=titled(names),
        key=_PICKER,
        on_change=_picked_below,
        label_visibility="collapsed",
        width=380,
    )


def choose(net_id: str) -> None:
    """Chooses a net from elsewhere: an imported one, once it is there."""
    CHOICE.choose([net_id])
    st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1


def _restored(ids: Sequence[str]) -> str:
    """The id that is chosen, if there is such a net; else that of the first."""
    asked = CHOICE.current(lambda: list(ids[:1]))
    say_absent([i for i in asked if i not in ids], mark("checkpoints"))
    return next((i for i in asked if i in ids), ids[0])


def _picked_in_table(ids: Sequence[str]) -> None:
    for key, value in st.session_state.items():
        if str(key).startswith("gallery.table.") and (rows := value["selection"]["rows"]):
            CHOICE.choose([ids[rows[0]]])


def _picked_below() -> None:
    choose(st.session_state[_PICKER])


_TRAINING_ERROR = mark("Of augmented images as seen: the mean over the last epoch; of a run that has not finished, its newest record.")


def _columns() -> dict[str, Any]:
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    return {
        "name": text(tr("name"), width=170),
        "origin": text(
            tr("origin"), help=tr("shipped: with ResNet Lab. imported: from elsewhere. run: trained here, its newest checkpoint.")
        ),
        "depth": number(tr("depth"), format="%d", width=65),
        "shortcut": text(tr("shortcut"), width=85),
        "parameters": number(tr("parameters"), format="localized", width=105),
        "MB": number("MB", format="%.2f", help=tr("Weights on disk, in MB of 1,000,000 bytes."), width=65),
        "training error": number(tr("training"), format="%.2f", help=tr(_TRAINING_ERROR), width=80),
        "test error": number(tr("test"), format="%.2f", help=tr("Test error, single view."), width=65),
        "tested on": text(tr("test images"), help=tr("Images that the test error was counted on."), width=165),
        "paper": text(tr("paper"), help=tr("Test error that the paper reports of this net."), width=70),
        "schedule": text(tr("schedule"), help=tr("Images seen in training, as a part of the paper's 64,000 iterations of 128."), width=85),
        "precision": text(tr("precision"), width=85),
        "seed": number(tr("seed"), format="%d", width=60),
    }
