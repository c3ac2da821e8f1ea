"""Published errors against what a net costs, by condition; and the costs of nets side by side."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from resnet_core.architectures.table import complexity
from resnet_core.csv_text import csv_text
from resnet_core.figures import style
from resnet_core.figures.diagram_parts import TEXT_ON_BOX
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    from resnet_core.architectures.table import Complexity
    from resnet_core.literature import Result

HEIGHT, ROW = 560, 46
#: Colours of families that a viewer with any common form of colour blindness tells apart (Okabe and Ito 2008), for both themes.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#7f7f7f")
#: A condition has a symbol: errors of different symbols cannot be compared.
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "star")
#: Quantity -> its title.
COSTS = {"macs": mark("MACs"), "params": mark("Parameters"), "activations": mark("Activations kept in training")}


def _head(result: Result) -> str:
    """``ResNet``, ``DenseNet``: the beginning of the name, which nets of a family share."""
    return "plain" if result.model.is_plain and result.net.startswith("plain") else result.net.partition("-")[0]


def tradeoff_figure(results: Sequence[Result], cost: str = "macs", dark: bool = False) -> go.Figure:
    """Error over MACs or parameters, logarithmic: a colour for each kind of net, a symbol for each condition, one trace for both.

    Args:
        results: all of one data set.
        cost: ``macs`` or ``params``.
    """
    heads = list(dict.fromkeys(map(_head, results)))
    conditions = list(dict.fromkeys(result.condition for result in results))
    figure, labelled = go.Figure(), _labelled(results, cost)
    for head in heads:
        for condition in conditions:
            of_both = [result for result in results if (_head(result), result.condition) == (head, condition)]
            if not of_both:
                continue
            counted = [getattr(complexity(result.model), cost) for result in of_both]
            figure.add_scatter(
                x=counted,
                y=[result.error for result in of_both],
                text=[result.net.removesuffix("-ImageNet") if result in labelled else "" for result in of_both],
                hovertext=[result.net for result in of_both],
                customdata=[[result.source] for result in of_both],
                name=f"{tr(head)}: {condition}",
                uid=f"{head}-{condition}",
                mode="markers+text",
                textposition="top center",
                textfont={"size": 12, "color": style.TEXT[dark]},
                marker={
                    "size": 11,
                    "color": _COLORS[heads.index(head) % len(_COLORS)],
                    "symbol": _SYMBOLS[conditions.index(condition) % len(_SYMBOLS)],
                    "line": {"width": 1, "color": style.BACKGROUNDS[dark]},
                },
                hovertemplate=tr(
                    "<b>%{{hovertext}}</b><br>%{{y}} % top-1 error<br>%{{x:,}} {cost}", cost=tr(COSTS[cost]).lower().replace("macs", "MACs")
                )
                + f"<br>{html.escape(condition)}<br>%{{customdata[0]}}<extra></extra>",
            )  # fmt: skip
    base = style.layout(dark)
    figure.update_layout(**base, height=HEIGHT, hovermode="closest", uirevision="viewer")
    figure.update_layout(legend={**base["legend"], "orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"})
    figure.update_xaxes(
        type="log",
        title=tr("{costs} of one image", costs=tr(COSTS[cost])) if cost == "macs" else tr(COSTS[cost]),
        exponentformat="SI",
        dtick=1,
    )
    figure.update_yaxes(title=tr("top-1 error (%)"))
    return figure


def _labelled(results: Sequence[Result], cost: str) -> list[Result]:
    """Those whose names do not lie over another's: from the lowest error on, each that is far enough from those before it."""
    places = {result: (math.log10(getattr(complexity(result.model), cost)), result.error) for result in results}
    width, height = (max(of) - min(of) for of in zip(*places.values(), strict=True))
    kept: list[Result] = []
    for result in sorted(results, key=lambda result: result.error):
        x, y = places[result]
        if all(abs(x - places[other][0]) > 0.11 * width or abs(y - places[other][1]) > 0.035 * height for other in kept):
            kept.append(result)
    return kept


def tradeoff_csv(results: Sequence[Result]) -> str:
    """A line a result."""
    rows = []
    for result in results:
        counted = complexity(result.model)
        rows.append((result.net, result.data, counted.params, counted.macs, result.error, result.condition, result.source))
    return csv_text(("net", "data", "params", "macs", "top1_error", "condition", "source"), rows)


def totals_figure(nets: Sequence[Complexity], dark: bool = False) -> go.Figure:
    """A bar each for MACs, parameters and activations, net under net."""
    figure = make_subplots(
        rows=1, cols=len(COSTS), shared_yaxes=True, horizontal_spacing=0.03, subplot_titles=[tr(title) for title in COSTS.values()]
    )
    names = [net.config.name for net in nets]
    for column, quantity in enumerate(COSTS, 1):
        values = [getattr(net, quantity) for net in nets]
        figure.add_trace(
            go.Bar(
                x=values,
                y=names,
                orientation="h",
                uid=quantity,
                marker={"color": [style.net_color(net.config, dark) for net in nets], "cornerradius": 3},
                texttemplate="%{x:.3~s}",
                textposition="auto",
                insidetextfont={"color": TEXT_ON_BOX},  # plotly's own grey is hard to read on the darker colours
                hovertemplate="<b>%{y}</b><br>%{x:,}<extra></extra>",
                showlegend=False,
            ),
            row=1,
            col=column,
        )
    base = style.layout(dark)
    figure.update_layout(**{key: value for key, value in base.items() if key not in ("xaxis", "yaxis")})
    figure.update_layout(height=90 + ROW * len(nets), uirevision="viewer", margin={**base["margin"], "t": 40})
    figure.update_xaxes({**base["xaxis"], "rangemode": "tozero", "tickformat": "~s", "nticks": 4})
    figure.update_yaxes({**base["yaxis"], "autorange": "reversed"})
    return figure
