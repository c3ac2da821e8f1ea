"""How well one colour stands out from another (WCAG 2.1)."""

from __future__ import annotations

import numpy as np

from resnet_core.figures.style import rgb


def linear(color: str) -> np.ndarray:
    """``#rrggbb`` -> linear red, green and blue, 0 to 1."""
    values = np.array(rgb(color)) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def luminance(color: str) -> float:
    """Relative luminance, 0 (black) to 1 (white)."""
    return float(linear(color) @ (0.2126, 0.7152, 0.0722))


def contrast(one: str, other: str) -> float:
    """The contrast ratio, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
