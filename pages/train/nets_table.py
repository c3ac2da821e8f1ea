"""The editable table of nets to train, and what its rows mean."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from resnet_core import memory
from resnet_core.architectures import ModelConfig, parse
from resnet_core.config import SCHEDULES, WARMUPS, DataConfig, Recipe, RunConfig, fitted
from resnet_core.errors import ConfigError
from resnet_core.language import mark, tr, tr_n

#: The fields of the recipe in which rows can differ.
OF_RECIPE = ("seed", "iterations", "batch_size", "learning_rate", "schedule", "warmup")
COLUMNS = ("net", *OF_RECIPE)
_WHOLE = ("seed", "iterations", "batch_size")

#: field -> heading of the column that says it.
TITLES = {
    "net": mark("Net"), "num_classes": mark("Net"), "seed": mark("Seed"), "iterations": mark("Iterations"), "batch_size": mark("Batch"),
    "learning_rate": mark("Rate"), "schedule": mark("Schedule"), "warmup": mark("Warm-up"),
}  # fmt: skip
#: After a double click Streamlit's table (1.67) opens a cell's editor and takes the keyboard back: the first key opens it once more, which
#: shows that key but knows nothing of it, and a number of one digit is lost. As long as an editor is open the keyboard is its own.
_KEEP_THE_KEYBOARD = """<script>
if (!window.resnetLabKeepsTheKeyboard) {
  window.resnetLabKeepsTheKeyboard = true;
  document.addEventListener("focusin", (event) => {
    const editor = document.querySelector(".gdg-input");
    if (editor && event.target.closest("canvas")) editor.focus();
  });
}
</script>"""

#: In the session: what the editor started from, what it showed last, and how often it was filled anew (a new key each time).
_BASE, _LAST, _FILLED = "train.nets.base", "train.nets.last", "train.nets.filled"


@dataclass(frozen=True)
class Row:
    """One row of the table: its number as the viewer counts, and its configuration, or what is wrong with it."""

    number: int
    config: RunConfig | None
    error: str = ""


def fill(trainings: Iterable[tuple[ModelConfig, Recipe]]) -> None:
    """Puts nets and how they are trained into the table, in place of what was there."""
    _show(pd.DataFrame([_cells(*training) for training in trainings], columns=list(COLUMNS)))


def add(table: pd.DataFrame, net: ModelConfig, recipe: Recipe) -> None:
    """Puts one more row below those of the table."""
    _show(pd.concat([table, pd.DataFrame([_cells(net, recipe)])], ignore_index=True))


def _cells(net: ModelConfig, recipe: Recipe) -> dict[str, Any]:
    return {"net": net.name, **{column: getattr(recipe, column) for column in OF_RECIPE}}


def _show(table: pd.DataFrame) -> None:
    st.session_state[_BASE] = st.session_state[_LAST] = table
    st.session_state[_FILLED] = st.session_state.get(_FILLED, 0) + 1


def keep_the_keyboard() -> None:
    """To be called where an element without height leaves no gap."""
    st.html(_KEEP_THE_KEYBOARD, unsafe_allow_javascript=True)


def is_filled() -> bool:
    return _BASE in st.session_state


def nets_table(new_row: Recipe) -> pd.DataFrame:
    """Draws the table and returns it as the viewer left it, also after a look at another page. ``new_row`` fills added rows."""
    key = f"train.nets.{st.session_state[_FILLED]}"
    if key not in st.session_state:  # the editor's own edits were forgotten: another page was open, or it is the first time
        st.session_state[_BASE] = st.session_state[_LAST].reset_index(drop=True)
    edited = st.data_editor(
        st.session_state[_BASE], key=key, num_rows="dynamic", hide_index=True, column_config=_column_config(new_row), width="stretch"
    )
    st.session_state[_LAST] = edited
    return edited


def _column_config(new: Recipe) -> dict[str, Any]:
    number, choice, t = st.column_config.NumberColumn, st.column_config.SelectboxColumn, {name: tr(title) for name, title in TITLES.items()}
    return {
        "net": st.column_config.TextColumn(t["net"], default="ResNet-20",
            help=tr("By its name: plain-56, ResNet-56-B, ResNet-20-w32-nobn.")),
        "seed": number(t["seed"], default=new.seed, step=1, format="%d",
            help=tr("Of the initial weights and the batches.")),
        "iterations": number(t["iterations"], default=new.iterations, step=1, format="%d",
            help=tr("Parameter updates; the paper has 64,000.")),
        "batch_size": number(t["batch_size"], default=new.batch_size, step=1, format="%d", help=tr("Images an update; the paper has 128.")),
        "learning_rate": number(t["learning_rate"], default=new.learning_rate, format="%g",
            help=tr("The schedule's highest learning rate.")),
        "schedule": choice(t["schedule"], options=SCHEDULES, default=new.schedule,
            help=tr("How the rate falls. plateau: whenever the error has stopped falling, which nobody knows in advance; by the "
"validation images where some are held out, else by the training error, never by the test set.")),
        "warmup": choice(t["warmup"], options=WARMUPS, default=new.warmup, help=tr("error: the paper's rule for 110 layers.")),
    }  # fmt: skip


def read(table: pd.DataFrame, shared: dict[str, Any], data: DataConfig) -> list[Row]:
    """The rows as configurations. A row that is no valid one carries the message that says why; an empty one is left out.

    Args:
        shared: fields of ``Recipe`` that are not columns.
    """
    rows = []
    for number, values in enumerate(table.to_dict("records"), start=1):
        given = {column: _value(values.get(column)) for column in COLUMNS}
        if all(value is None for value in given.values()):
            continue
        try:
            rows.append(Row(number, _config(given, shared, data)))
        except ConfigError as error:
            rows.append(Row(number, None, _as_the_table_says(error)))
    return rows


def complaints(rows: Sequence[Row]) -> list[str]:
    """The messages of the rows that are no valid ones: each once, with the rows that it is about."""
    about: dict[str, list[str]] = {}
    for row in rows:
        if row.error:
            about.setdefault(row.error, []).append(str(row.number))
    return [
        tr_n(len(numbers), "Row {numbers}: {error}", "Rows {numbers}: {error}", numbers=", ".join(numbers), error=error)
        for error, numbers in about.items()
    ]


def _config(given: dict[str, Any], shared: dict[str, Any], data: DataConfig) -> RunConfig:
    for column, value in given.items():
        if value is None:
            raise ConfigError(column, "is empty.")
        if column in _WHOLE and isinstance(value, float) and value.is_integer():
            given[column] = int(value)
    config = RunConfig(fitted(parse(str(given["net"])), data), data, Recipe(**{c: given[c] for c in OF_RECIPE}, **shared))
    memory.check(config)
    return config


def _as_the_table_says(error: ConfigError) -> str:
    """Its message, with the column's heading for the field."""
    text = str(error)
    return f"{TITLES.get(error.field, error.field)}{text.removeprefix(error.field)}"


def _value(cell: Any) -> Any:
    """The value of a cell, as Python's own type; an empty cell is None, whatever pandas calls it."""
    if cell is None or cell is pd.NA or (isinstance(cell, float) and math.isnan(cell)) or cell == "":
        return None
    return cell.item() if hasattr(cell, "item") else cell
