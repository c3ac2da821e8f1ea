"""Lines of several nets over depth, length, lag or whatever an experiment measures along; and the band over draws or seeds behind them."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import plotly.graph_objects as go

from resnet_core.figures import style

HEIGHT = 500


@dataclass(frozen=True, eq=False)
class Line:
    """One net's line.

    Attributes:
        key: unique in the chart; label: for people; model: decides colour and symbol.
        x, y: (N,); names: (N,) of the points, for the hover text.
        low, high: (N,), a band around the line; empty where there is none.
        marked: (N,) bool, points drawn as open circles; empty where none is.
        dash: of the line, as plotly calls it: where one net has several.
    """

    key: str
    label: str
    model: Any
    x: np.ndarray
    y: np.ndarray
    names: Sequence[str] = ()
    low: np.ndarray = field(default_factory=lambda: np.empty(0))
    high: np.ndarray = field(default_factory=lambda: np.empty(0))
    marked: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=bool))
    dash: str = "solid"


def lines_figure(
    lines: Sequence[Line],
    x_title: str,
    y_title: str,
    dark: bool = False,
    *,
    log: bool = False,
    levels: Sequence[tuple[float, str]] = (),
) -> go.Figure:
    """Draw the lines.

    Args:
        log: of the y axis; what is not above 0 is left out then.
        levels: heights to compare with, each with its words, as dotted lines.
    """
    figure = go.Figure()
    looks = dict(zip((key := list(dict.fromkeys(line.key for line in lines))), _looks(lines, key, dark), strict=True))
    for line in lines:
        color, symbol = looks[line.key]
        y = np.asarray(line.y, dtype=float)
        y = np.where(y > 0, y, np.nan) if log else y
        if len(line.low):
            band = np.concatenate([line.high, line.low[::-1]])
            figure.add_scatter(
                x=np.concatenate([line.x, line.x[::-1]]),
                y=np.where(band > 0, band, np.nan) if log else band,
                uid=f"{line.key}-{line.dash}-band",
                legendgroup=line.key,
                showlegend=False,
                fill="toself",
                fillcolor=style.rgba(color, 0.18),
                line={"width": 0},
                hoverinfo="skip",
            )
        symbols = [f"{symbol or 'circle'}{'-open' if mark else ''}" for mark in line.marked] or symbol or "circle"
        figure.add_scatter(
            x=line.x,
            y=y,
            uid=f"{line.key}-{line.dash}",
            legendgroup=line.key,
            name=html.escape(line.label, quote=False),
            mode="lines+markers",
            line={"color": color, "width": 2.6, "dash": line.dash},
            marker={"symbol": symbols, "size": 8, "color": color},
            text=list(line.names) or None,
            hovertemplate=f"<b>%{{fullData.name}}</b>{'<br>%{text}' if len(line.names) else ''}<br>%{{y:.4g}}<extra></extra>",
        )
    for height, words in levels:
        figure.add_hline(height, line={"color": style.MUTED[dark], "dash": "dot", "width": 1.5})
        figure.add_annotation(
            x=1, xref="paper", xanchor="right", y=np.log10(height) if log else height, yanchor="bottom", text=html.escape(words),
            showarrow=False, font={"color": style.MUTED[dark], "size": 14},
        )  # fmt: skip
    base = style.layout(dark)
    figure.update_layout(
        **base,
        height=HEIGHT,
        hovermode="closest",
        showlegend=True,
        uirevision="viewer",
    )
    figure.update_layout(legend={**base["legend"], "orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"})
    figure.update_xaxes(title=x_title)
    figure.update_yaxes(title=y_title, type="log" if log else "linear")
    return figure


def _looks(lines: Sequence[Line], keys: Sequence[str], dark: bool) -> list[tuple[str, str | None]]:
    models = {line.key: line.model for line in reversed(lines)}
    return style.told_apart([models[key] for key in keys], dark)
