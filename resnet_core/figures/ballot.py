"""What a class has answered: a bar for each option, a histogram of numbers, or all curves with the one in their middle."""

from __future__ import annotations

import html
import itertools
import math
import textwrap
from collections.abc import Sequence

import plotly.graph_objects as go

from resnet_core.figures import style
from resnet_core.figures.predicted import predicted
from resnet_core.language import tr
from resnet_core.questions import Answer, Question

#: The blue of residual nets for the answers, and a green for what is right.
ANSWERS = {False: "#0072b2", True: "#56aeea"}
RIGHT = {False: "#00795a", True: "#35c39a"}
HEIGHT = 420
#: Letters of an option in one line.
_LINE = 28


def choice_figure(options: Sequence[str], counts: Sequence[int], right: int | None = None, dark: bool = False) -> go.Figure:
    """Draw a bar for each option, as long as it was chosen often.

    Args:
        options: for people, (N,); counts: (N,).
        right: the option that is right, where that is to be shown.
    """
    colors = [RIGHT[dark] if each == right else ANSWERS[dark] for each in range(len(options))]
    names = ["<br>".join(textwrap.wrap(html.escape(option, quote=False), _LINE)) for option in options]
    if right is not None:
        names[right] = f"<b>✓ {names[right]}</b>"
    figure = go.Figure(
        go.Bar(
            x=list(counts),
            y=list(range(len(options))),
            orientation="h",
            marker={"color": colors},
            text=[f"<b>{count}</b>" for count in counts],
            textposition="outside",
            cliponaxis=False,
            hoverinfo="skip",
        )
    )
    figure.update_layout(style.layout(dark, 18), height=max(HEIGHT, 90 * len(options)), bargap=0.35, showlegend=False, uirevision="viewer")
    figure.update_xaxes(title=tr("answers"), range=[0, max(1, *counts) * 1.12], **_whole(counts))
    figure.update_yaxes(autorange="reversed", tickvals=list(range(len(options))), ticktext=names, showgrid=False, ticks="")
    return figure


def number_figure(
    edges: Sequence[float], counts: Sequence[int], label: str, middle: float | None = None, right: float | None = None, dark: bool = False
) -> go.Figure:
    """Draw a histogram, with lines at the median of the answers and at the right one.

    Args:
        edges: (N + 1,); counts: (N,).
        label: of the axis, with its unit.
    """
    figure = go.Figure(
        go.Bar(
            x=[(low + high) / 2 for low, high in itertools.pairwise(edges)],
            y=list(counts),
            width=[high - low for low, high in itertools.pairwise(edges)],
            marker={"color": ANSWERS[dark], "line": {"color": style.BACKGROUNDS[dark], "width": 2}},
            hovertemplate="%{y}<extra></extra>",
            showlegend=False,
        )
    )
    figure.update_layout(style.layout(dark, 18), height=HEIGHT, uirevision="viewer", margin_t=40)
    figure.update_xaxes(title=html.escape(label, quote=False), range=[edges[0], edges[-1]])
    figure.update_yaxes(title=tr("answers"), range=[0, max(1, *counts) * 1.1], **_whole(counts))
    top = max(1, *counts) * 1.1
    for value, name, color, dash in (
        (middle, tr("median"), style.TEXT[dark], "8px,5px"),
        (right, tr("right"), RIGHT[dark], "solid"),
    ):
        if value is not None:
            line = {"color": color, "dash": dash, "width": 4}
            figure.add_scatter(x=[value, value], y=[0, top], mode="lines", name=f"{name}: {value:.4g}", line=line, hoverinfo="skip")
    legend = {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"}
    figure.update_layout(showlegend=middle is not None or right is not None, legend=legend)
    return figure


def _whole(counts: Sequence[int]) -> dict[str, int]:
    """Whole numbers beside an axis that counts, at most seven of them."""
    return {"tick0": 0, "dtick": max(1, math.ceil(max(counts) / 6))}


def curves_figure(
    question: Question,
    answers: Sequence[Answer],
    middle: Sequence[float] | None = None,
    right: Sequence[float] | None = None,
    dark: bool = False,
) -> go.Figure:
    """Draw all curves, the median of them at each place, and the right one.

    Args:
        question: for a curve; answers: to it.
        middle, right: heights as an answer has them, or None.
    """
    assert question.x is not None  # every curve has its axes
    figure = predicted(question, answers, [], dark)
    for heights, name, color, uid in ((middle, tr("median"), style.TEXT[dark], "median"), (right, tr("right"), RIGHT[dark], "right")):
        if heights is not None:
            x = [question.x.low + (question.x.high - question.x.low) * k / (len(heights) - 1) for k in range(len(heights))]
            figure.add_scatter(x=x, y=list(heights), uid=uid, name=name, mode="lines", line={"color": color, "width": 4}, hoverinfo="skip")
    return figure
