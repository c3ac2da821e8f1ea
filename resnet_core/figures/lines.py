"""Lines of several nets over depth, length, lag or whatever an experiment measures along; and the band over draws or seeds behind them."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from resnet_core.figures import style
from resnet_core.language import tr

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
                mode="lines",  # of few points plotly would mark each
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
    figure.update_xaxes(title=tr(x_title))
    figure.update_yaxes(title=tr(y_title), type="log" if log else "linear")
    return figure


def _looks(lines: Sequence[Line], keys: Sequence[str], dark: bool) -> list[tuple[str, str | None]]:
    models = {line.key: line.model for line in reversed(lines)}
    return style.told_apart([models[key] for key in keys], dark)


def heatmap(values: np.ndarray, rows: Sequence[str], columns: Sequence[str], y_title: str, x_title: str, dark: bool = False) -> go.Figure:
    """Values from 0 to 1 as colours: (R, C), the first row at the bottom."""
    figure = go.Figure(
        go.Heatmap(
            z=values, x=list(columns), y=list(rows), zmin=0, zmax=1, colorscale="Cividis", uid="heatmap",
            hovertemplate="%{y}<br>%{x}<br>%{z:.3f}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_layout(**style.layout(dark), height=HEIGHT, uirevision="viewer")
    figure.update_xaxes(title=html.escape(tr(x_title)))
    figure.update_yaxes(title=html.escape(tr(y_title)))
    return figure


@dataclass(frozen=True, eq=False)
class Panel:
    """One heat map of several: ``values`` (R, C) from 0 to 1, nan where there is none; the first row at the top."""

    title: str
    values: np.ndarray
    rows: Sequence[str]
    columns: Sequence[str]


def heatmaps(panels: Sequence[Panel], across: int, y_title: str, x_title: str, dark: bool = False) -> go.Figure:
    """Heat maps beside and under one another, ``across`` in a row, with one colour bar."""
    down = -(-len(panels) // across)
    titles = [html.escape(panel.title) for panel in panels]
    figure = make_subplots(down, across, subplot_titles=titles, horizontal_spacing=0.24 / across, vertical_spacing=0.3 / down)
    for index, panel in enumerate(panels):
        row, column = index // across + 1, index % across + 1
        figure.add_trace(
            go.Heatmap(
                z=panel.values, x=list(panel.columns), y=list(panel.rows), coloraxis="coloraxis", uid=panel.title,
                hovertemplate=tr("{x_title} %{{x}}<br>{y_title} %{{y}}<br>%{{z:.3f}}<extra></extra>", x_title=x_title, y_title=y_title),
                    hoverongaps=False,
            ),
            row,
            column,
        )  # fmt: skip
        figure.update_xaxes(title=html.escape(tr(x_title)) if row == down else None, row=row, col=column)
        figure.update_yaxes(title=html.escape(tr(y_title)) if column == 1 else None, row=row, col=column)
    base = style.layout(dark)
    axes = {name: base.pop(name) for name in ("xaxis", "yaxis")}
    figure.update_xaxes(type="category", showgrid=False, **{name: value for name, value in axes["xaxis"].items() if name != "title"})
    figure.update_yaxes(
        type="category", autorange="reversed", showgrid=False, **{name: value for name, value in axes["yaxis"].items() if name != "title"}
    )
    base["margin"] |= {"t": 40}
    figure.update_layout(**base, height=HEIGHT * down, coloraxis={"colorscale": "Cividis", "cmin": 0, "cmax": 1}, uirevision="viewer")
    return figure
