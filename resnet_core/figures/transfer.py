"""The test error by the number of training images: transferred nets beside the same net from scratch."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import plotly.graph_objects as go

from resnet_core.claims.transferred import Curve
from resnet_core.figures import style
from resnet_core.language import tr

HEIGHT = 440
#: From scratch, and the ways to transfer in their order: colours that are told apart in both themes, and symbols with them.
_COLOURS = {False: ("#5b6472", "#0072b2", "#00795a", "#a0457f", "#c85200"), True: ("#a6afbd", "#56aeea", "#35c39a", "#dc90bc", "#f5873a")}
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x")


def transfer_figure(found: Sequence[Curve], dark: bool = False) -> go.Figure:
    """Draw the mean over seeds as lines and each seed as a dot, over images of each class (logarithmic)."""
    figure = go.Figure()
    sizes = sorted({images for curve in found for images in curve.errors})
    for i, curve in enumerate(found):
        color, symbol = _COLOURS[dark][i % len(_COLOURS[dark])], _SYMBOLS[i % len(_SYMBOLS)]
        shared = {"legendgroup": curve.way.name, "name": curve.way.name}
        mine = sorted(curve.errors)
        figure.add_scatter(
            x=mine, y=[fmean(curve.errors[images].values()) for images in mine], **shared, uid=f"{i}-mean", mode="lines+markers",
            line={"color": color, "width": 3, "dash": "5px,3px" if curve.way.scratch else "solid"},
            marker={"size": 11, "symbol": symbol}, customdata=[len(curve.errors[images]) for images in mine],
            hovertemplate=tr("{way}, {images} images of each class: <b>%{{y:.1f}} %</b> (mean of %{{customdata}})<extra></extra>",
                             way=curve.way.name, images="%{x:,}"),
        )  # fmt: skip
        seeds = [(images, seed, error) for images in mine for seed, error in sorted(curve.errors[images].items())]
        figure.add_scatter(
            x=[each[0] for each in seeds], y=[each[2] for each in seeds], **shared, uid=f"{i}-seeds", mode="markers", showlegend=False,
            marker={"color": style.rgba(color, 0.5), "size": 7, "symbol": symbol}, customdata=[each[1] for each in seeds],
            hovertemplate=tr("{way}, seed %{{customdata}}: <b>%{{y:.1f}} %</b><extra></extra>", way=curve.way.name),
        )  # fmt: skip
    figure.update_layout(style.layout(dark), height=HEIGHT)
    figure.update_xaxes(
        type="log", tickvals=sizes, ticktext=[f"{size:,}" for size in sizes], title_text=tr("training images of each class")
    )
    figure.update_yaxes(title_text=tr("test error (%)"), rangemode="tozero")
    return figure
