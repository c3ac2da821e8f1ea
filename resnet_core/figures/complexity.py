"""MACs and parameters layer by layer, one row of panels for each net.

The two columns show the rule by which the nets are made (He et al. 2016, section 3.3): where the maps are halved the filters are doubled,
so that the MACs of a layer stay the same from stage to stage (but for the first layer of each, which has half as many input channels),
while its parameters grow fourfold.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from resnet_core.figures.diagram import SHORTCUT_COLOR, STAGE_COLORS, STEM_COLOR
from resnet_core.figures.diagram_parts import layer_hover, shortcut_hover
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    from resnet_core.architectures.table import Complexity, Shortcut

#: Quantity -> title of its column, and what it counts.
COLUMNS = {"macs": (mark("MACs per layer"), "MACs"), "params": (mark("Parameters per layer"), mark("parameters"))}
STEM_NAME, PROJECTION_NAME = mark("first and last layer"), mark("projection of a shortcut")
#: Pixels: a net's panels, the line above them with its name, and what legend, titles and axis take.
PANEL, NAME, TOP, BOTTOM = 120, 54, 96, 56
#: With more bars than this the gaps between them would be thinner than a pixel.
MAX_BARS_WITH_GAPS = 150
GRID_COLOR = "rgba(127,136,150,0.3)"
_TITLE = {"showarrow": False, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}


def layers_figure(nets: Sequence[Complexity]) -> go.Figure:
    """Bars over the weighted layers, coloured by stage; those of projections stand on their block's first layer.

    The parameters of a layer include those of its BN. The figure is as wide as its container; its height in pixels is set.
    """
    inner = len(nets) * (PANEL + NAME) - NAME
    figure = make_subplots(
        rows=len(nets),
        cols=2,
        vertical_spacing=NAME / inner if len(nets) > 1 else 0,
        horizontal_spacing=0.08,
        subplot_titles=[
            f"<b>{net.config.name}</b>: {getattr(net, quantity):,} {noun}" for net in nets for quantity, (_, noun) in COLUMNS.items()
        ],
    )
    named: set[str] = set()
    for column, (quantity, (title, _)) in enumerate(COLUMNS.items(), 1):
        highest = 0
        for row, net in enumerate(nets, 1):
            for name, bars in _bars(net, quantity).items():
                figure.add_trace(_trace(name, bars, show=name not in named, gaps=net.layers <= MAX_BARS_WITH_GAPS), row, column)
                named.add(name)
                highest = max(highest, max(bar.base + bar.height for bar in bars))
        figure.update_yaxes(range=[0, highest * 1.06], tickformat="~s", nticks=4, gridcolor=GRID_COLOR, col=column)
        figure.add_annotation(x=_left(figure, column), y=1, yshift=NAME - 16, text=f"<b>{title}</b>", font={"size": 18}, **_TITLE)
    # make_subplots centres the titles of its panels; they are read as headings here.
    for index, annotation in enumerate(figure.layout.annotations[: 2 * len(nets)]):
        annotation.update(x=_left(figure, index % 2 + 1), font={"size": 15}, **_TITLE)
    deepest = max(sum(row.kind in ("conv", "fc") for row in net.rows) for net in nets)  # more than its depth, where branches are parallel
    # One axis for all, so that depth shows as length.
    figure.update_xaxes(range=[0, deepest + 1], showgrid=False, zeroline=False, tickfont={"size": 13})
    figure.update_xaxes(title={"text": tr("weighted layer"), "standoff": 4, "font": {"size": 15}}, row=len(nets))
    figure.update_layout(
        barmode="overlay",
        height=inner + TOP + BOTTOM,
        margin={"l": 56, "r": 8, "t": TOP, "b": BOTTOM},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "top", "yref": "container", "font": {"size": 15}},
        hoverlabel={"font": {"size": 15}, "align": "left"},
    )
    return figure


def _left(figure: go.Figure, column: int) -> float:
    return figure.layout[f"xaxis{column if column > 1 else ''}"].domain[0]


@dataclass(frozen=True)
class _Bar:
    """``first`` and ``last``: weighted layers, from 1, that one bar stands for."""

    first: int
    last: int
    base: int
    height: int
    hover: str


def _bars(net: Complexity, quantity: str) -> dict[str, list[_Bar]]:
    """Legend entry -> its bars. Of very deep nets, layers in a row that are alike are one wide bar: a browser has its limits."""
    entries: dict[str, list[_Bar]] = {}
    projections: dict[tuple[int | None, int | None], Shortcut]
    projections = {(shortcut.stage, shortcut.block): shortcut for shortcut in net.shortcuts if shortcut.kind == "projection"}
    index, merge = 0, net.layers > MAX_BARS_WITH_GAPS
    for layer, after in zip(net.rows, [*net.rows[1:], None], strict=True):
        if layer.kind not in ("conv", "fc"):
            continue
        index += 1
        bn = after if after is not None and after.kind == "bn" else None
        value = getattr(layer, quantity) + (getattr(bn, quantity) if bn else 0)
        bars = entries.setdefault(STEM_NAME if layer.stage is None else tr("stage {stage}", stage=layer.stage), [])
        if merge and bars and bars[-1].last == index - 1 and bars[-1].height == value:
            hover = tr(
                "layers {first} to {index}, each like<br>{layer_hover}",
                first=bars[-1].first,
                index=index,
                layer_hover=layer_hover(layer, bn),
            )
            bars[-1] = dataclasses.replace(bars[-1], last=index, hover=hover)
        else:
            bars.append(_Bar(index, index, 0, value, layer_hover(layer, bn)))
        if shortcut := projections.pop((layer.stage, layer.block), None):
            bar = _Bar(index, index, value, getattr(shortcut, quantity), shortcut_hover(shortcut))
            entries.setdefault(PROJECTION_NAME, []).append(bar)
    return entries


def _trace(name: str, bars: list[_Bar], *, show: bool, gaps: bool) -> go.Bar:
    stages = {tr("stage {stage}", stage=stage): color for stage, color in STAGE_COLORS.items()}
    colors = {STEM_NAME: STEM_COLOR, **stages, PROJECTION_NAME: SHORTCUT_COLOR}
    return go.Bar(
        x=[(bar.first + bar.last) / 2 for bar in bars],
        y=[bar.height for bar in bars],
        base=[bar.base for bar in bars],
        width=[bar.last - bar.first + (0.8 if gaps else 1) for bar in bars],
        hovertext=[bar.hover for bar in bars],
        hovertemplate="%{hovertext}<extra></extra>",
        name=tr(name),
        legendgroup=name,
        legendrank=list(colors).index(name),
        showlegend=show,
        marker={"color": colors[name], "line": {"width": 0}},
    )
