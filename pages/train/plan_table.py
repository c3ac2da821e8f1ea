"""What the chosen trainings amount to before they are started: size, work, time, and which of them exist already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pages.train.nets_table import Row
from pages.ui import estimate
from pages.ui.labels import duration
from pages.ui.runs_view import AllSeen, Seen
from resnet_core.architectures.table import complexity
from resnet_core.conditions import fraction_text
from resnet_core.language import mark, tr

_STATES = {"finished": mark("trained already"), "running": mark("running now"), "queued": mark("in the queue")}


def existing(rows: Sequence[Row], seen: AllSeen) -> dict[str, Seen]:
    """fingerprint -> the newest run of that configuration, for those of the rows that have one."""
    found = {row.config.fingerprint: seen.newest_of(row.config) for row in rows if row.config}
    return {fingerprint: s for fingerprint, s in found.items() if s is not None}


def plan_table(rows: Sequence[Row], seen: AllSeen) -> None:
    """Draws one line for each valid row."""
    paces, notes = estimate.measured(seen), already(rows, seen)
    st.dataframe(
        pd.DataFrame([_line(row, notes[row.number], paces) for row in rows if row.config]),
        hide_index=True,
        width="stretch",
        column_config={
            "row": tr("Row"),
            "net": tr("Net"),
            "parameters": st.column_config.NumberColumn(tr("Parameters"), format="localized"),
            "MACs": st.column_config.NumberColumn(format="compact", help=tr("Multiply-adds of a forward pass of one image.")),
            "epochs": st.column_config.NumberColumn(tr("Epochs"), format="%.1f"),
            "schedule": tr("Length"),
            "time": st.column_config.TextColumn(
                tr("Time"), help=tr("Estimated from the speed of this machine's runs, by batch size and MACs.")
            ),
            "in the store": tr("In the store"),
        },
    )


def total_time(rows: Sequence[Row], seen: AllSeen) -> str:
    """``about 4 min 10 s``; says so when it is not known."""
    return estimate.words([row.config for row in rows if row.config], estimate.measured(seen))


def already(rows: Sequence[Row], seen: AllSeen) -> dict[int, str]:
    """Row number -> whether its configuration is in the store, or in an earlier row."""
    there = existing(rows, seen)
    first: dict[str, int] = {}
    notes = {}
    for row in rows:
        if row.config:
            fingerprint = row.config.fingerprint
            found = there.get(fingerprint)
            note = tr("new") if found is None else tr(_STATES.get(found.status.state, found.status.state))
            notes[row.number] = tr("the same as row {first}", first=first[fingerprint]) if fingerprint in first else note
            first.setdefault(fingerprint, row.number)
    return notes


def _line(row: Row, note: str, paces: Sequence[estimate.Pace]) -> dict[str, Any]:
    config = row.config
    assert config is not None  # a row without one has no line
    size = complexity(config.model, config.data.side)
    seconds = estimate.seconds(config, paces)
    return {
        "row": row.number,
        "net": config.model.name,
        "parameters": size.params,
        "MACs": size.macs,
        "epochs": config.epochs,
        "schedule": fraction_text(config.recipe.schedule_fraction),
        "time": tr("not yet measured") if seconds is None else tr("about {duration}", duration=duration(seconds)),
        "in the store": note,
    }
