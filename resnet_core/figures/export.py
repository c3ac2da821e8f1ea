"""A chart to take away: PNG, SVG and self-contained HTML, with what must stand beside the curves written under them."""

from __future__ import annotations

import html
import textwrap

import plotly.graph_objects as go
import plotly.io

from resnet_core.errors import UserError
from resnet_core.figures import style
from resnet_core.language import current, mark

#: The kinds of pictures, and their types as files.
PICTURES = {"png": "image/png", "svg": "image/svg+xml"}
#: Size of the picture in layout pixels; the file has SCALE times as many.
WIDTH, HEIGHT, SCALE = 1280, 640, 2
_LINE = 150  # characters of the caption in one line of the picture
_TIMEOUT = 60  # seconds


class ExportError(UserError):
    """The picture could not be made; the message says what to do instead."""


def browser() -> str | None:
    """The Chromium or Chrome on this machine that would draw a picture, or None. ``BROWSER_PATH`` names one in an unusual place."""
    try:
        from choreographer.browsers.chromium import Chromium
    except ImportError:
        return None
    return Chromium.find_browser(skip_local=False)


def with_caption(figure: go.Figure, caption: str) -> go.Figure:
    """A copy of the figure with the caption below the x axis, and room for it."""
    dark = figure.layout.paper_bgcolor == style.BACKGROUNDS[True]
    lines = textwrap.wrap(caption, _LINE)
    made = go.Figure(figure)
    made.add_annotation(
        text="<br>".join(html.escape(line, quote=False) for line in lines), showarrow=False, align="left", xref="paper", x=0, yref="paper",
        y=0, yanchor="top", yshift=-62, xanchor="left", font={"size": 13, "color": style.MUTED[dark]},
    )  # fmt: skip
    made.update_layout(margin_b=72 + 18 * len(lines))
    return made


def picture(figure: go.Figure, caption: str, kind: str = "png") -> bytes:
    """The chart as a PNG of 2560 x 1280 pixels or as an SVG, drawn by a headless browser that fetches nothing from the network.

    Args:
        kind: one of ``PICTURES``.

    Raises:
        ExportError: there is no browser on this machine, or it failed.
    """
    if browser() is None:
        text = mark("A {kind} is drawn by Chromium or Chrome, and this machine has none: use the camera button of the chart instead.")
        raise ExportError(text, kind=kind.upper())
    import kaleido

    size = {"format": kind, "width": WIDTH, "height": HEIGHT, "scale": SCALE if kind == "png" else 1}
    try:
        # Without mathjax=False it would be fetched from a CDN.
        return kaleido.calc_fig_sync(with_caption(figure, caption).to_dict(), opts=size, kopts={"mathjax": False, "timeout": _TIMEOUT})
    except Exception as error:  # of a browser that cannot start, dies or hangs: there are many, and none is of our making
        text = mark("The browser that draws the {kind} failed ({error}): use the camera button of the chart instead.")
        raise ExportError(text, kind=kind.upper(), error=error) from error


def page(figure: go.Figure, caption: str, title: str = mark("ResNet Lab: learning curves")) -> str:
    """The chart as one HTML file that can be zoomed and needs no network: plotly.js is in it."""
    dark = figure.layout.paper_bgcolor == style.BACKGROUNDS[True]
    config = {"responsive": True, "displaylogo": False}
    chart = plotly.io.to_html(figure, config=config, include_plotlyjs=True, full_html=False, default_height="78vh")
    look = f"margin: 1rem; background: {style.BACKGROUNDS[dark]}; color: {style.MUTED[dark]}; font: 15px {style.FONT};"
    return (
        f'<!DOCTYPE html>\n<html lang="{current()}">\n<head><meta charset="utf-8"><title>{html.escape(title)}</title>\n'
        f"<style>body {{ {look} }}</style></head>\n<body>\n{chart}\n<p>{html.escape(caption)}</p>\n</body>\n</html>\n"
    )
