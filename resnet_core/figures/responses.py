"""Figure 7 of He et al. 2016 for any nets: how strongly their layers respond; and the residual branch beside its input, block by block."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from resnet_core.csv_text import csv_text
from resnet_core.figures import style
from resnet_core.language import mark, tr

#: Figure 7 in one sentence, to stand beside the chart.
HOOK_POINT = mark(
    "Each point is a layer: the standard deviation of its outputs after its BN, where one follows, "
    "before the nonlinearity (ReLU) or the addition."
)
#: What must be said where responses of plain nets are compared.
FREE_SCALE = mark(
    "In a plain net the size of the responses is a free scale: halve the scale and shift of a batch "
    "normalisation, and that layer's responses are half as large while every prediction stays. So this "
    "figure is no property of the function there; |F(x)| / |x| of a residual net is."
)
#: What the ratio means where there is no shortcut.
PLAIN_NOTE = mark("A plain net adds nothing: there F(x) is all that a block passes on, and the ratio is the block's gain over its input.")
HEIGHT = 520


@dataclass(frozen=True, eq=False)
class ResponseCurve:
    """The responses of one net as plain data (see ``resnet_core.analysis.responses.Responses``).

    Attributes:
        key: unique in the chart; plotly knows the traces of a net again by it.
        label: for people.
        model: decides colour and symbol.
        names: of the L layers in order; std: (L,), of their responses.
        blocks: names of the B blocks; empty where only the layers are known (as from a training's records).
        ratio: (B,), |F(x)| / |x|; dimensions_change: (B,), bool.
        note: what stands beside the net in the hover text: images, data, precision.
        untrained: (B,), the ratio of the same net before its first update; empty where it was not measured.
    """

    key: str
    label: str
    model: Any
    names: Sequence[str]
    std: np.ndarray
    blocks: Sequence[str] = ()
    ratio: np.ndarray = field(default_factory=lambda: np.empty(0))
    dimensions_change: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=bool))
    note: str = ""
    untrained: np.ndarray = field(default_factory=lambda: np.empty(0))


def only_added(curve: ResponseCurve) -> ResponseCurve:
    """The curve with the last layer of each block only: the one whose output is added to x (in a plain net, passed on)."""
    blocks = [name.rpartition(".")[0] for name in curve.names]
    last = [i for i, block in enumerate(blocks) if block and (i + 1 == len(blocks) or blocks[i + 1] != block)]
    return replace(curve, names=[curve.names[i] for i in last], std=np.asarray(curve.std)[last])


def ranked(curve: ResponseCurve) -> np.ndarray:
    """Indices of the layers, the largest response first; equal ones in the order of the layers, NaN last."""
    return np.argsort(-np.asarray(curve.std, dtype=float), kind="stable")


def traced(key: str, layer: str, label: str, color: str, symbol: str | None, count: int) -> dict[str, Any]:
    """The look of one net's line: bare, or with its symbol at some of its ``count`` points."""
    return {
        "uid": f"{key}-{layer}",
        "legendgroup": key,
        "name": html.escape(label, quote=False),
        "mode": "lines+markers" if symbol or count == 1 else "lines",
        "line": {"color": color, "width": 2.6},
        "marker": {"symbol": symbol or "circle", "size": 9, "color": color, "maxdisplayed": 12},
    }


def two_panels(titles: tuple[str, str], dark: bool, *, shared_y: bool = True) -> go.Figure:
    """Two charts side by side with headings, to a common y axis, and the legend above them."""
    figure = make_subplots(rows=1, cols=2, shared_yaxes=shared_y, horizontal_spacing=0.035 if shared_y else 0.09, subplot_titles=titles)
    base = style.layout(dark)
    for annotation in figure.layout.annotations:
        annotation.update(font={"size": 16}, yshift=2)
    figure.update_layout(
        {key: value for key, value in base.items() if key not in ("xaxis", "yaxis")},
        height=HEIGHT,
        hovermode="closest",
        showlegend=True,
        legend={**base["legend"], "orientation": "h", "x": 0, "xanchor": "left", "y": 1.1, "yanchor": "bottom"},
        margin={**base["margin"], "t": 24},
        uirevision="viewer",
    )
    figure.update_xaxes(base["xaxis"])
    figure.update_yaxes(base["yaxis"])
    return figure


def responses_figure(curves: Sequence[ResponseCurve], dark: bool = False, log: bool = False) -> go.Figure:
    """Figure 7: the standard deviation of each layer's responses, in the layers' order (left) and ranked by size (right)."""
    figure = two_panels((tr("<b>Layers in their order</b>"), tr("<b>Layers ranked by size</b>")), dark)
    for curve, (color, symbol) in zip(curves, style.told_apart([curve.model for curve in curves], dark), strict=True):
        std, names = np.asarray(curve.std, dtype=float), np.asarray(curve.names)
        if log:
            std = np.where(std > 0, std, np.nan)
        number = np.arange(1, len(std) + 1)
        order = ranked(curve)
        note = style.hover_note(curve.note)
        for column, (y, name, layer) in enumerate(((std, names, number), (std[order], names[order], number[order])), 1):
            figure.add_trace(
                go.Scatter(
                    **traced(curve.key, f"responses-{column}", curve.label, color, symbol, len(std)),
                    x=number,
                    y=y,
                    customdata=np.stack([name.astype(object), layer.astype(object)], axis=1),
                    hovertemplate=tr(
                        "%{{fullData.name}}: <b>%{{y:.3f}}</b><br>layer %{{customdata[1]}} of {stds}, "
                        "%{{customdata[0]}}{note}<extra></extra>",
                        stds=len(std),
                        note=note,
                    ),
                    showlegend=column == 1,
                ),
                1,
                column,
            )
    figure.update_xaxes(title_text=tr("layer"), rangemode="tozero", col=1)
    figure.update_xaxes(title_text=tr("rank, the largest first"), rangemode="tozero", col=2)
    title = tr("standard deviation of responses") + (tr(", log scale") if log else "")
    figure.update_yaxes(title_text=title, col=1)
    figure.update_yaxes(type="log" if log else "linear", rangemode="normal" if log else "tozero", uirevision=str(log))
    return figure


def branch_figure(curves: Sequence[ResponseCurve], dark: bool = False, log: bool = False) -> go.Figure:
    """|F(x)| / |x| of each block: how large the residual branch is beside what it is added to.

    Hollow points are blocks whose dimensions change. Plain nets are dotted: see ``PLAIN_NOTE``. Thin and dashed: the net untrained.
    """
    base = style.layout(dark)
    figure = go.Figure()
    shown = [curve for curve in curves if len(curve.blocks)]
    for curve, (color, symbol) in zip(shown, style.told_apart([curve.model for curve in shown], dark), strict=True):
        ratio, changes = np.asarray(curve.ratio, dtype=float), np.asarray(curve.dimensions_change, dtype=bool)
        against = np.where(changes, tr("beside the shortcut's output (dimensions change)"), tr("beside x"))
        if curve.model.is_plain:
            against = np.full(len(ratio), tr("no addition: the block's gain over its input"))
        look = traced(curve.key, "branch", curve.label, color, symbol, len(ratio))
        look["mode"] = "lines+markers"
        look["line"] = {**look["line"], "dash": "dot" if curve.model.is_plain else "solid"}
        look["marker"] = {
            "symbol": [(symbol or "circle") + ("-open" if change else "") for change in changes],
            "size": np.where(changes, 11, 7 if symbol else 5),
            "color": color,
            "line": {"width": np.where(changes, 2, 0), "color": color},
            "opacity": 1,
        }
        if len(curve.untrained):
            figure.add_trace(
                go.Scatter(
                    uid=f"{curve.key}-untrained", legendgroup=curve.key, showlegend=False, mode="lines", name=look["name"],
                    meta="untrained",
                    x=np.arange(1, len(ratio) + 1), y=curve.untrained, line={"color": color, "width": 1.4, "dash": "dash"},
                    hovertemplate=tr("%{fullData.name}, before its first update: <b>%{y:.3f}</b><br>block %{x}<extra></extra>"),
                )
            )  # fmt: skip
        note = style.hover_note(curve.note)
        figure.add_trace(
            go.Scatter(
                **look,
                x=np.arange(1, len(ratio) + 1),
                y=np.where(ratio > 0, ratio, np.nan) if log else ratio,
                customdata=np.stack([np.asarray(curve.blocks, dtype=object), against.astype(object)], axis=1),
                hovertemplate=tr(
                    "%{{fullData.name}}: |F(x)| / |x| <b>%{{y:.3f}}</b><br>block %{{x}} of {ratios}, "
                    "%{{customdata[0]}}<br>%{{customdata[1]}}{note}<extra></extra>",
                    ratios=len(ratio),
                    note=note,
                ),
                showlegend=True,
            )
        )
    figure.add_hline(y=1, line={"color": style.MUTED[dark], "width": 1, "dash": "dash"})
    figure.update_layout(
        base,
        height=HEIGHT - 80,
        hovermode="closest",
        showlegend=True,
        legend={**base["legend"], "orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        uirevision="viewer",
    )
    figure.update_xaxes(title_text=tr("block"), rangemode="tozero")
    figure.update_yaxes(
        title_text=tr("|F(x)| / |x|, root mean square") + (tr(", log scale") if log else ""),
        type="log" if log else "linear",
        rangemode="normal" if log else "tozero",
        uirevision=str(log),
    )
    return figure


def number_text(value: float) -> str:
    """For CSV: nine digits; ``inf``, ``-inf`` and ``nan`` as such."""
    return f"{float(value):.9g}"


def responses_csv(curves: Sequence[ResponseCurve]) -> str:
    """A row a layer and net: its place in the order and in the ranking, both from 1."""
    rows = []
    for curve in curves:
        ranks = np.empty(len(curve.std), dtype=int)
        ranks[ranked(curve)] = np.arange(1, len(curve.std) + 1)
        for i, (name, std) in enumerate(zip(curve.names, curve.std, strict=True)):
            rows.append((curve.model.name, curve.label, i + 1, name, ranks[i], number_text(std), curve.note))
    return csv_text(("net", "label", "layer", "name", "rank", "response_std", "conditions"), rows)


def branch_csv(curves: Sequence[ResponseCurve]) -> str:
    """A row a block and net: |F(x)| / |x|, and whether dimensions change there (then it is beside the shortcut's output)."""
    rows = []
    for curve in curves:
        for i, name in enumerate(curve.blocks):
            change, adds = bool(curve.dimensions_change[i]), not curve.model.is_plain
            rows.append((curve.model.name, curve.label, i + 1, name, number_text(curve.ratio[i]), change, adds, curve.note))
    return csv_text(("net", "label", "block", "name", "branch_over_input", "dimensions_change", "has_addition", "conditions"), rows)
