"""A net from fields that write its name, and rows of the table made by varying some of them. Made from what the families declare."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pages.train import nets_table
from pages.train.nets_table import OF_RECIPE, Row
from pages.ui.labels import escaped, listed, titled
from resnet_core.architectures import FAMILIES, Family, Field, changed
from resnet_core.architectures.table import complexity
from resnet_core.config import SCHEDULES, WARMUPS, DataConfig, Recipe, RunConfig
from resnet_core.differences import differing, recipe_word, varied
from resnet_core.errors import ConfigError
from resnet_core.language import mark, tr, tr_n

#: Rows that may be made at once.
MOST_ROWS = 100
_KEY, _VARY = "train.net.", "train.vary"
_RECIPE_CHOICES = {"schedule": SCHEDULES, "warmup": WARMUPS}


def net_builder(table: pd.DataFrame, rows: Sequence[Row], new_row: Recipe, data: DataConfig) -> None:
    """Draws the fields, what the net amounts to, and the buttons that put it, or variations of it, into the table.

    Args:
        table: as it stands; rows: what it means.
        new_row: the recipe of new rows where the table has none to be like.
    """
    recipe = next((row.config.recipe for row in rows if row.config), new_row)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        family = FAMILIES[
            st.selectbox(tr("Family"), _offered(data), format_func=lambda key: tr(FAMILIES[key].title), width=190, **_kept("family"))
        ]
        default = family.config()
        first, *others = [field for field in family.config.fields if field.name != "num_classes"]  # the data decide those
        help_text = tr("Weighted layers. Pick, or type another number and press Enter.")
        depth = st.selectbox(tr("Depth"), _depths(family), _depths(family).index(str(default.depth)), accept_new_options=True, width=100,
                             help=help_text, **_kept(f"{family.key}.depth"))  # fmt: skip
        values = {first.name: _widget(family, first, width=125)}
        with st.popover(tr("More"), icon=":material/tune:", key=f"{_KEY}more"):
            values |= {field.name: _widget(family, field) for field in others}
        try:
            model = changed(default, depth=_number("depth", depth, int), num_classes=data.classes, **values)
            base = RunConfig(model, data, recipe)
        except ConfigError as error:
            base, wrong = None, escaped(str(error))
        if st.button(tr("Add net"), icon=":material/add:", key=f"{_KEY}add", disabled=base is None) and base:
            nets_table.add(table, base.model, recipe)
            st.rerun()
        with st.popover(tr("Vary …"), icon=":material/grid_on:", key=_VARY, on_change="rerun", disabled=base is None):
            if base:
                with st.container(gap="xsmall"):
                    _vary(family, base, first, len(rows))
        if base:
            size = complexity(base.model, data.side)
            st.markdown(
                tr(
                    "**{name}**  \n:small[{params:,} parameters, {macs:,} MACs]",
                    name=escaped(model.name),
                    params=size.params,
                    macs=size.macs,
                ),
                width="content",
            )
    if base is None:
        st.error(wrong, icon=":material/error:")
    st.caption(first.help)


def _vary(family: Family, base: RunConfig, first: Field, replaced: int) -> None:
    """The form in which is said what varies, and what comes of it."""
    fields = {field.name: field for field in base.model.fields if field.name != "num_classes"}
    words = {"depth": mark("depth")} | {name: field.title for name, field in fields.items()}
    words |= {name: recipe_word(name) for name in OF_RECIPE if name != "seed"}
    st.markdown(tr("Rows from **{name}** and the recipe of the table's first row:", name=escaped(base.model.name)))
    names = st.multiselect(tr("What varies"), words, ["depth", first.name], format_func=titled(words), **_kept(f"{family.key}.vary"))
    grid = st.container(horizontal=True, gap="small")
    last = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    values: dict[str, Sequence[Any]] = {}
    try:
        for name in names:
            choices = fields[name].choices if name in fields else _RECIPE_CHOICES.get(name, ())
            label = tr(words[name]).capitalize()
            shared: dict[str, Any] = {"width": 255, **_kept(f"{family.key}.vary.{name}")}
            if choices:
                values[name] = grid.multiselect(label, choices, choices[:2], **shared)
                continue
            now = getattr(base.model if name in {"depth", *fields} else base.recipe, name)
            options, chosen = (_depths(family), _depths(family)[:3]) if name == "depth" else ([str(now)], [str(now)])
            typed = grid.multiselect(
                label, options, chosen, accept_new_options=True, help=tr("Pick, or type others, each with Enter."), **shared
            )
            values[name] = [_number(name, text, type(now)) for text in typed]
        count = last.number_input(tr("Seeds"), 1, MOST_ROWS, width=140, **_kept("seeds"), help=tr("So many trainings of each net."))
        values["seed"] = range(base.recipe.seed, base.recipe.seed + count)
        if empty := [words[name] for name in names if not values[name]]:
            raise ConfigError(tr(empty[0]), "choose at least one value.")
        if (size := math.prod(map(len, values.values()))) > MOST_ROWS:
            raise ConfigError("rows", "{size:,} would be made; at most {most_rows} can be.", size=size, most_rows=MOST_ROWS)
    except ConfigError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return
    made, impossible = varied(base, values)
    label = tr_n(len(made), "Make {number} row", "Make {number} rows")
    last.button(label, type="primary", key=f"{_VARY}.make", disabled=not made, on_click=_make, args=(made,))
    differ = tr("They differ in {listed}. ", listed=listed(differing(made))) if len(made) > 1 else ""
    st.caption(tr("{differ}All rows that the table has now ({replaced}) are replaced.", differ=differ, replaced=replaced))
    for reason in impossible:
        st.warning(tr("Left out: {reason}", reason=escaped(reason)), icon=":material/block:")


def _make(configs: Sequence[RunConfig]) -> None:
    nets_table.fill((config.model, config.recipe) for config in configs)
    st.session_state[_VARY] = False  # what was asked for is done


def _offered(data: DataConfig) -> list[str]:
    """The families whose nets are made for images of that size; where none is, those whose nets can compute with it."""
    made = [key for key, family in FAMILIES.items() if family.config().plan().input[-1] == data.side]
    return made or [key for key, family in FAMILIES.items() if family.config().plan().takes((3, data.side, data.side))]


def _depths(family: Family) -> list[str]:
    return [str(depth) for depth in sorted({config.depth for config in (family.config(), *family.presets)})]


def _widget(family: Family, field: Field, width: int | str = "stretch") -> Any:
    default, label = getattr(family.config(), field.name), tr(field.title).capitalize()
    shared: dict[str, Any] = {"help": tr(field.help), "width": width, **_kept(f"{family.key}.{field.name}")}
    if field.choices:
        return st.selectbox(label, field.choices, field.choices.index(default), **shared)
    return st.number_input(label, field.low, field.high, default, **shared)


def _kept(name: str) -> dict[str, Any]:
    return {"key": _KEY + name, "persist_state": "session"}


def _number(name: str, text: str, kind: Callable[[str], Any]) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise ConfigError(
            recipe_word(name), mark("{text!r} is not a whole number.") if kind is int else mark("{text!r} is not a number."), text=text[:20]
        ) from None
