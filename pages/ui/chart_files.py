"""A chart to take away: its numbers as CSV, itself as HTML, PNG and SVG, made when they are clicked."""

from __future__ import annotations

import functools
from collections.abc import Callable

import plotly.graph_objects as go
import streamlit as st

from resnet_core.figures import export
from resnet_core.language import mark, tr


def chart_files(name: str, title: str, csv: Callable[[], str], figure: Callable[[bool], go.Figure], note: str, label: str = "") -> None:
    """Buttons in a row, under the chart or with its ``label`` before them.

    Args:
        name: of the files, and of the buttons' keys: ``layer-responses``.
        title: of the HTML page.
        csv: makes the numbers; figure: makes the chart, with ``dark`` as its argument.
        note: what must be read with the chart.
    """
    drawable = export.browser() is not None
    icon = ":material/download:"
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        if label:
            st.caption(label, width="content")
        looks = (mark("light"), mark("dark"))
        chosen = st.segmented_control(
            tr("Look of the files"), looks, format_func=tr, default="light", required=True,
            key=f"{name}.look", label_visibility="collapsed",
                width="content",
            help=tr("Of HTML, PNG and SVG: light for paper and most slides, whatever this page looks like."),
        )  # fmt: skip
        dark = chosen == "dark"
        st.download_button(
            tr("CSV"), lambda: csv().encode(), f"{name}.csv", "text/csv", key=f"{name}.csv", icon=icon, on_click="ignore", type="tertiary"
        )
        st.download_button(
            tr("HTML"),
            lambda: export.page(figure(dark), note, title).encode(),
            f"{name}.html",
            "text/html",
            key=f"{name}.html",
            icon=icon,
            on_click="ignore",
            type="tertiary",
        )

        def picture(kind: str) -> bytes:
            return export.picture(figure(dark), note, kind)

        for kind, mime in export.PICTURES.items():
            st.download_button(
                kind.upper(),
                functools.partial(picture, kind),
                f"{name}.{kind}",
                mime,
                key=f"{name}.{kind}",
                icon=icon,
                on_click="ignore",
                type="tertiary",
                disabled=not drawable,
                help=None if drawable else tr("Needs Chromium or Chrome on the server. The camera does not."),
            )
