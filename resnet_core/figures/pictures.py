"""Small pictures in rows and columns, a sheet for each net: filters, feature maps, images. Plain numpy and plotly."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.colors import get_colorscale, sample_colorscale
from plotly.subplots import make_subplots

from resnet_core.figures import style
from resnet_core.figures.overlay import png

#: Pixels of the page: of a sheet's row of pictures, of its title, and of the words below a row.
ROW, TITLE, WORDS = 96, 40, 42
#: A picture of fewer pixels than this is enlarged, pixel by pixel, so that the lines between pictures are thin.
_SIDE = 24


@dataclass(frozen=True, eq=False)
class Sheet:
    """The pictures of one net.

    Attributes:
        key: unique in the chart; title: for people.
        pictures: uint8 (N, H, W, 3); hover: N texts.
        across: pictures in a row; words: N texts below the pictures, or none.
    """

    key: str
    title: str
    pictures: np.ndarray
    hover: Sequence[str]
    across: int
    words: Sequence[str] = ()

    @property
    def rows(self) -> int:
        return -(-len(self.pictures) // self.across)


def scaled(values: np.ndarray) -> np.ndarray:
    """(N, ...) -> the same from 0 to 1, each of the N by itself from its least to its greatest value; 0 where all are equal."""
    flat = values.reshape(len(values), -1)
    low, high = flat.min(1), flat.max(1)
    spread = np.where(high > low, high - low, 1.0)
    return ((flat - low[:, None]) / spread[:, None]).reshape(values.shape)


def gray(values: np.ndarray) -> np.ndarray:
    """(N, H, W) -> uint8 (N, H, W, 3): each map by itself, in the colours of Cividis from dark (least) to light."""
    stops = sample_colorscale(get_colorscale("Cividis"), [i / 255 for i in range(256)])
    table = np.array([[float(part) for part in stop[4:-1].split(",")] for stop in stops]).round().astype(np.uint8)
    return table[np.rint(255 * scaled(values)).astype(int)]


def colored(filters: np.ndarray) -> np.ndarray:
    """(N, 3, H, W) weights -> uint8 (N, H, W, 3): each filter by itself, its least weight black and its greatest full."""
    return np.rint(255 * scaled(filters)).astype(np.uint8).transpose(0, 2, 3, 1)


def mosaic(sheet: Sheet) -> tuple[np.ndarray, int, int]:
    """The sheet as one picture, uint8 (H', W', 4), clear between the pictures; and the steps from one to the next, down and across."""
    count, height, width = sheet.pictures.shape[:3]
    times = -(-_SIDE // min(height, width))
    large = sheet.pictures.repeat(times, 1).repeat(times, 2)
    gap = max(1, height * times // 12)
    below = int(np.ceil((height * times) * WORDS / ROW)) if sheet.words else gap
    down, across = height * times + below, width * times + gap
    whole = np.zeros((sheet.rows * down, sheet.across * across, 4), np.uint8)
    for index in range(count):
        y, x = index // sheet.across * down, index % sheet.across * across
        whole[y : y + height * times, x : x + width * times, :3] = large[index]
        whole[y : y + height * times, x : x + width * times, 3] = 255
    return whole, down, across


def sheets(found: Sequence[Sheet], dark: bool = False) -> go.Figure:
    """Draw the sheets one below the other; pointing at a picture tells its text."""
    heights = [sheet.rows * (ROW + (WORDS if sheet.words else 0)) for sheet in found]
    total = sum(heights) + TITLE * len(found)
    titles = [html.escape(sheet.title) for sheet in found]
    gap = TITLE / total if len(found) > 1 else 0.0
    figure = make_subplots(len(found), 1, subplot_titles=titles, row_heights=heights, vertical_spacing=gap)
    for row, sheet in enumerate(found, 1):
        whole, down, across = mosaic(sheet)
        source = "data:image/png;base64," + base64.b64encode(png(whole)).decode()
        figure.add_trace(go.Image(source=source, uid=f"{sheet.key}-image", hoverinfo="skip"), row, 1)
        y, x = np.divmod(np.arange(len(sheet.pictures)), sheet.across)
        side = across - 1
        marks = go.Scatter(
            x=x * across + side / 2, y=y * down + side / 2, mode="markers", uid=f"{sheet.key}-marks", hovertext=list(sheet.hover),
            hovertemplate="%{hovertext}<extra></extra>", marker={"size": 40, "symbol": "square", "opacity": 0}, showlegend=False,
        )  # fmt: skip
        figure.add_trace(marks, row, 1)
        if sheet.words:
            words = go.Scatter(
                x=x * across + side / 2, y=y * down + side, mode="text", text=list(sheet.words), textposition="bottom center",
                uid=f"{sheet.key}-words", hoverinfo="skip", showlegend=False, textfont={"size": 13, "color": style.TEXT[dark]},
            )  # fmt: skip
            figure.add_trace(words, row, 1)
        figure.update_xaxes(visible=False, range=[-0.5, whole.shape[1] - 0.5], constrain="domain", row=row, col=1)
        figure.update_yaxes(visible=False, range=[whole.shape[0] - 0.5, -0.5], constrain="domain", row=row, col=1)
    base = {name: value for name, value in style.layout(dark).items() if not name.endswith("axis")}
    base["margin"] = {"l": 8, "r": 8, "t": TITLE, "b": 8}
    figure.update_layout(**base, height=total + 8, hovermode="closest", dragmode=False, uirevision="viewer")
    return figure
