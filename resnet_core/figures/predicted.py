"""Drawn curves, and the true ones over them."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from resnet_core.errors import ConfigError
from resnet_core.figures import style
from resnet_core.language import mark, tr
from resnet_core.questions import Answer, Question

#: Of a drawn curve: neither plain nor residual, and no depth.
DRAWN = {False: "#5b6472", True: "#a6afbd"}
HEIGHT = 460


@dataclass(frozen=True, eq=False)
class Truth:
    """A curve that was measured: its name for people, the net that decides its colour, and its points (N,)."""

    label: str
    model: Any
    x: np.ndarray
    y: np.ndarray


def predicted(question: Question, answers: Sequence[Answer], truths: Sequence[Truth] = (), dark: bool = False) -> go.Figure:
    """Draw curves as they were predicted, dashed, and what is true over them.

    Args:
        answers: to ``question``, each of ``questions.POINTS`` heights; many are drawn faintly, one above the other.

    Raises:
        ConfigError: the question asks for no curve.
    """
    if question.kind != "curve" or question.x is None or question.y is None:
        raise ConfigError("kind", mark("{key} asks for no curve."), key=question.key)
    figure, many = go.Figure(), len(answers) > 1
    for number, answer in enumerate(answers):
        assert isinstance(answer, tuple)
        figure.add_scatter(
            x=np.linspace(question.x.low, question.x.high, len(answer)),
            y=np.array(answer),
            uid=f"drawn-{number}",
            name=tr("predicted") if many else tr("your prediction"),
            legendgroup="drawn",
            showlegend=number == 0,
            mode="lines",
            line={"color": style.rgba(DRAWN[dark], 0.45 if many else 1), "width": 1.5 if many else 3, "dash": "8px,5px"},
            hoverinfo="skip",
        )
    looks = style.told_apart([truth.model for truth in truths], dark)
    for number, (truth, (color, symbol)) in enumerate(zip(truths, looks, strict=True)):
        figure.add_scatter(
            x=truth.x,
            y=truth.y,
            uid=f"true-{number}",
            name=html.escape(truth.label, quote=False),
            mode="lines+markers" if symbol else "lines",
            line={"color": color, "width": 4},
            marker={"symbol": symbol or "circle", "size": 9, "color": color, "maxdisplayed": 12},
            hovertemplate="%{fullData.name}: <b>%{y:.1f}</b><extra></extra>",
        )
    base = style.layout(dark)
    figure.update_layout(**base, height=HEIGHT, hovermode="closest", showlegend=True, uirevision="viewer")
    figure.update_layout(legend={**base["legend"], "orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"})
    figure.update_xaxes(title=html.escape(question.x.label), range=[question.x.low, question.x.high])
    figure.update_yaxes(title=html.escape(question.y.label), range=[question.y.low, question.y.high])
    return figure
