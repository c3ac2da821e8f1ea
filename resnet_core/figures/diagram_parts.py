"""What the diagram of a net is put together from: boxes, lines, and what they say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from resnet_core.language import tr

if TYPE_CHECKING:
    from resnet_core.architectures.table import Layer, Shortcut

TEXT_ON_BOX = "#12151b"
#: Share of an arch's width that each of its rounded corners takes, and the points that a corner is drawn with.
CORNER, CORNER_POINTS = 0.12, 6


@dataclass
class Bars:
    """Boxes of one colour. Bars, as hovering anywhere on a bar tells what it is, and text in it shrinks to fit.

    ``unit`` names the block that a box belongs to, which a click on it tells.
    """

    left: list[float] = field(default_factory=list)
    middle: list[float] = field(default_factory=list)
    width: list[float] = field(default_factory=list)
    height: list[float] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    hover: list[str] = field(default_factory=list)
    unit: list[str] = field(default_factory=list)

    def add(self, left: float, middle: float, width: float, height: float, text: str, hover: str, unit: str = "") -> None:
        for values, value in zip(vars(self).values(), (left, middle, width, height, text, hover, unit), strict=True):
            values.append(value)

    def trace(self, color: str, font_size: int, zorder: int, name: str | None = None) -> go.Bar:
        """The boxes as a trace, in the legend if it has a name."""
        return go.Bar(
            zorder=zorder,
            x=self.left,
            y=self.height,
            base=[middle - height / 2 for middle, height in zip(self.middle, self.height, strict=True)],
            width=self.width,
            offset=0,
            text=self.text,
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            insidetextfont={"size": font_size, "color": TEXT_ON_BOX},
            hovertext=self.hover,
            hovertemplate="%{hovertext}<extra></extra>",
            customdata=self.unit,
            marker={"color": color, "cornerradius": 5, "line": {"width": 0}},
            selected={"marker": {"opacity": 1}},  # where a click chooses a box, the others stay as they are
            unselected={"marker": {"opacity": 1}, "textfont": {"color": TEXT_ON_BOX}},
            name=name,
            showlegend=name is not None,
        )


@dataclass
class Path:
    """Strokes of one line style, separated by None, or single points."""

    x: list[float | None] = field(default_factory=list)
    y: list[float | None] = field(default_factory=list)
    hover: list[str] = field(default_factory=list)

    def point(self, x: float, y: float, hover: str = "") -> None:
        self.x.append(x)
        self.y.append(y)
        self.hover.append(hover)

    def stroke(self, points: list[tuple[float, float]]) -> None:
        self.x += [x for x, _ in points] + [None]
        self.y += [y for _, y in points] + [None]

    def arch(self, start: float, end: float, bottom: float, top: float) -> None:
        """A stroke up, over and down, with rounded corners."""
        radius_x, radius_y = (end - start) * CORNER, (top - bottom) * 0.4
        angles = [math.pi / 2 * step / CORNER_POINTS for step in range(CORNER_POINTS + 1)]
        corner = [(start + radius_x * (1 - math.cos(angle)), top - radius_y * (1 - math.sin(angle))) for angle in angles]
        self.stroke([(start, bottom), *corner, *((start + end - x, y) for x, y in reversed(corner)), (end, bottom)])

    def lines(self, name: str, color: str, dash: str = "solid", **kwargs: Any) -> go.Scatter:
        # Simplified lines would slant: plotly drops points that are less than a pixel off.
        line = {"color": color, "width": 2, "dash": dash, "simplify": False}
        return go.Scatter(x=self.x, y=self.y, mode="lines", name=name, line=line, hoverinfo="skip", **kwargs)

    def points(self, symbol: str, size: int, color: str, outline: str | None = None, **kwargs: Any) -> go.Scatter:
        marker = {"symbol": symbol, "size": size, "color": color, "opacity": 1, "line": {"width": 2 if outline else 0, "color": outline}}
        hover = {"hovertext": self.hover, "hovertemplate": "%{hovertext}<extra></extra>"} if any(self.hover) else {"hoverinfo": "skip"}
        return go.Scatter(x=self.x, y=self.y, mode="markers", marker=marker, **hover, **kwargs)


def shape_text(shape: tuple[int, ...]) -> str:
    """``16 × 32 × 32``: channels, height, width."""
    return " × ".join(str(side) for side in shape)


def layer_text(layer: Layer, roomy: bool, groups: int = 1) -> str:
    """What stands in the box of a layer: kernel, filters, and ``/2`` where it subsamples, as in Fig. 3; groups where there are some."""
    if layer.kind == "fc":
        return f"fc<br>{layer.output_shape[0]}"
    kernel = f"{layer.kernel}×{layer.kernel}{' conv' if roomy else ''}"
    apart = "<br>" if not roomy and groups == 1 and layer.output_shape[0] >= 100 else ", "  # else it would be written small
    stride = f"{apart}/{layer.stride}" if layer.stride and layer.stride > 1 else ""
    parted = "<br>" + tr("{groups} groups", groups=groups) if groups > 1 else ""
    return f"{kernel}<br>{layer.output_shape[0]}{stride}{parted}"


def layer_hover(layer: Layer, bn: Layer | None = None, groups: int = 1, bn_before: bool = False) -> str:
    """Name, geometry, output shape, parameters and MACs of a layer, and the parameters of its BN."""
    if layer.kind == "fc":
        title = tr("<b>{name}</b>: fully connected, {output_shape} outputs", name=layer.name, output_shape=layer.output_shape[0])
    else:
        title = tr(
            "<b>{name}</b>: {kernel}×{kernel} convolution, {output_shape} filters, stride {stride}",
            name=layer.name,
            kernel=layer.kernel,
            output_shape=layer.output_shape[0],
            stride=layer.stride,
        )
        title += tr(", {groups} groups", groups=groups) if groups > 1 else ""
        title += tr("<br>output {shape_text}", shape_text=shape_text(layer.output_shape))
    with_bn = tr(" + {params:,} of {value}", params=bn.params, value=tr("the BN before it") if bn_before else tr("its BN")) if bn else ""
    return tr(
        "{title}<br>{params:,} parameters{with_bn}<br>{macs:,} MACs ({share:.2%} of the net's)",
        title=title,
        params=layer.params,
        with_bn=with_bn,
        macs=layer.macs,
        share=layer.share,
    )


def join_text(shortcut: Shortcut) -> str:
    """How a shortcut and its branch become one: ``the sum, then ReLU``."""
    return _joined(shortcut, {"add": tr("the sum"), "concat": tr("the concatenation")})


def join_name(shortcut: Shortcut) -> str:
    """The same as a name: ``sum, then ReLU``."""
    return _joined(shortcut, {"add": tr("sum"), "concat": tr("concatenation")})


def _joined(shortcut: Shortcut, words: Mapping[str, str]) -> str:
    what = words.get(shortcut.join, shortcut.join)
    return tr("{what}, then {activation}", what=what, activation=shortcut.activation) if shortcut.activation else what


def shortcut_hover(shortcut: Shortcut) -> str:
    """What a shortcut does to its input, and what that costs."""
    cost, bn = (
        tr("{params:,} parameters, {macs:,} MACs", params=shortcut.params, macs=shortcut.macs),
        tr(", with BN") if shortcut.normed else "",
    )
    where = tr("dimensions change") if shortcut.dimensions_change else tr("dimensions match")
    where = tr("all channels that came in are passed on") if shortcut.join == "concat" else where
    what = {
        "identity": tr("identity: no parameters, no MACs"),
        "zero-padded": tr(
            "zeros for the new channels{value}: no parameters, no MACs", value=tr(", every second pixel") if shortcut.stride == 2 else ""
        ),
        "projection": tr("1×1 projection, stride {stride}{bn}: {cost}", stride=shortcut.stride, bn=bn, cost=cost),
    }[shortcut.kind]
    return tr(
        "<b>{name}</b>: {where}<br>{what}<br>output {shape_text}",
        name=shortcut.name,
        where=where,
        what=what,
        shape_text=shape_text(shortcut.output_shape),
    )
