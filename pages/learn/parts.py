"""Charts of a step, and what stands with them."""

from __future__ import annotations

from collections.abc import Callable

import plotly.graph_objects as go
import streamlit as st

from pages.learn.scene import Scene
from pages.ui.figure_chart import figure_chart
from pages.ui.labels import escaped
from resnet_core.experiments import Table
from resnet_core.experiments.base import shown
from resnet_core.figures import style
from resnet_core.language import tr


def chart(make: Callable[[bool], go.Figure], scene: Scene, fixed: bool = False) -> None:
    """A figure for both themes; ``make`` takes whether it is the dark one. ``fixed``: with its own height."""
    light, dark = make(False), make(True)
    if scene.presented:
        for figure in (light, dark):
            right = (figure.layout.margin.r or 0) * scene.font_size / style.layout()["font"]["size"]  # of names at the ends of curves
            figure.update_layout(font_size=scene.font_size, legend_title_font_size=scene.font_size, margin_r=right)
    figure_chart(light, dark, key=scene.key, fixed=fixed)


def said(*texts: str) -> None:
    """What must be read with a chart, in small letters below it."""
    if found := [text for text in texts if text]:
        st.caption(" ".join(found))


def finding(text: str) -> None:
    """What the numbers say."""
    st.markdown(f"**{escaped(text)}**")


def numbers(table: Table, scene: Scene) -> None:
    """The numbers behind a chart, folded up; none in the presenter view."""
    if scene.presented:
        return
    lines = [table.head, ["---"] * len(table.head), *([escaped(shown(cell)) for cell in row] for row in table.rows)]
    with st.expander(tr("Numbers"), icon=":material/table:"):
        st.markdown("\n".join(f"| {' | '.join(line)} |" for line in lines))
