"""Maps as pictures: colour says for (green) or against (purple), or how much; the image stays visible in grey beneath. Plain numpy.

Green and purple are the ends of ColorBrewer's PRGn, which viewers with any common form of colour blindness tell apart, and neither is the
colour of a family of nets.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from resnet_core.language import tr

POSITIVE, NEGATIVE = (0.10, 0.86, 0.35), (0.80, 0.30, 1.00)
#: Colours of maps without signs, from little to much: orange to yellow.
_RAMP = ((0.88, 0.33, 0.05), (1.00, 0.62, 0.05), (1.00, 0.95, 0.30))
#: Darkest and brightest grey of the image beneath: it leaves the colours room on both sides.
_GREYS = (0.04, 0.66)
#: Weights of the luminance (ITU-R BT.601) from red, green and blue.
_LUMA = np.array([0.299, 0.587, 0.114])
#: Percent of a row's pixels that are within its scale; single outliers would leave all others grey.
PERCENTILE = 99.5
SIDE = 32


@dataclass(frozen=True)
class Scale:
    """The colour scale that the maps of a row share.

    Attributes:
        limit: the magnitude that has full colour; what is beyond looks the same.
        signed: from -limit over 0 to limit, symmetrical; else from 0 to limit.
        beyond: share of the pixels, 0 to 1, that are beyond the limit.
    """

    limit: float
    signed: bool
    beyond: float = 0.0

    @property
    def low(self) -> float:
        return -self.limit if self.signed else 0.0

    @property
    def text(self) -> str:
        """For a caption: what the colours say, from where to where."""
        sides = tr("green: for the target, purple: against it; symmetrical") if self.signed else tr("the brighter, the more; no sign")
        more = tr("; {beyond:.1f} % of the pixels are beyond it", beyond=100 * self.beyond) if self.beyond else ""
        return tr("Colours: {sides}, from {low:.3g} to {limit:.3g}{more}.", sides=sides, low=self.low, limit=self.limit, more=more)


def common_scale(maps: Sequence[np.ndarray], signed: bool, percentile: float = PERCENTILE) -> Scale:
    """One scale for all maps of a row; ``signed`` as the method declares it, not as the values happen to be."""
    sizes = np.abs(np.concatenate([np.asarray(each, dtype=float).ravel() for each in maps])) if len(maps) else np.zeros(1)
    limit = float(np.percentile(sizes, percentile))
    if limit <= 0:  # nearly all is zero: then what is not counts
        limit = float(sizes.max())
    if limit <= 0:
        return Scale(1.0, signed)
    return Scale(limit, signed, float((sizes > limit).mean()))


def colors(values: np.ndarray, scale: Scale) -> tuple[np.ndarray, np.ndarray]:
    """Colour (..., 3) and opacity (...), both 0 to 1, of values (...): nothing is transparent, the limit is opaque."""
    part = np.clip(np.asarray(values, dtype=float) / scale.limit, -1, 1)
    size = np.abs(part)
    if scale.signed:
        color = np.where(part[..., None] >= 0, POSITIVE, NEGATIVE)
    else:
        stops = np.linspace(0, 1, len(_RAMP))
        color = np.stack([np.interp(size, stops, [stop[i] for stop in _RAMP]) for i in range(3)], axis=-1)
    return color, size**0.8


def grey(image: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) -> (H, W, 3), 0 to 1: its luminance, flattened."""
    luma = np.asarray(image, dtype=float) @ _LUMA / 255
    return np.repeat((_GREYS[0] + (_GREYS[1] - _GREYS[0]) * luma)[..., None], 3, axis=2)


def overlay(image: np.ndarray, values: np.ndarray, scale: Scale, size: int = SIDE) -> np.ndarray:
    """The map on the image, uint8 RGBA (size, size, 4) or larger, opaque; pixels enlarged as squares.

    Args:
        image: uint8 (side, side, 3), as the net sees it; values: (side, side).
        size: of the picture's side at least; see ``enlarge``.
    """
    color, opacity = colors(values, scale)
    mixed = grey(image) * (1 - opacity[..., None]) + color * opacity[..., None]
    rgba = np.dstack([np.rint(255 * mixed).astype(np.uint8), np.full(mixed.shape[:2], 255, np.uint8)])
    return enlarge(rgba, size)


def enlarge(pixels: np.ndarray, size: int) -> np.ndarray:
    """(H, W, ...) -> each pixel a square, all of the least whole size with which the picture is ``size`` high or more."""
    times = -(-size // pixels.shape[0])
    return pixels.repeat(times, axis=0).repeat(times, axis=1)


def color_scale(scale: Scale, stops: int = 21) -> list[tuple[float, str]]:
    """The scale for a colour bar: as it looks over a middle grey."""
    values = np.linspace(scale.low, scale.limit, stops)
    color, opacity = colors(values, scale)
    mixed = np.rint(255 * (sum(_GREYS) / 2 * (1 - opacity[:, None]) + color * opacity[:, None])).astype(int)
    return [(i / (stops - 1), "rgb({},{},{})".format(*mixed[i])) for i in range(stops)]


def png(pixels: np.ndarray) -> bytes:
    """uint8 (H, W, 3) or (H, W, 4) as a PNG file."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()
