"""Spearman's rank correlation: whether two maps put the pixels in the same order, whatever their scales."""

from __future__ import annotations

import numpy as np


def ranks(values: np.ndarray) -> np.ndarray:
    """float64, the shape flattened: 1 for the smallest; equal values share the mean of their ranks."""
    flat = np.asarray(values).ravel()
    _, inverse, counts = np.unique(flat, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def spearman(first: np.ndarray, second: np.ndarray) -> float | None:
    """-1 to 1; None where one of the maps is flat or not finite, and so has no order.

    Raises:
        ValueError: they are not of one shape.
    """
    if np.shape(first) != np.shape(second):
        raise ValueError(f"maps of {np.shape(first)} and {np.shape(second)} have no pixels in common")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return None
    a, b = ranks(first), ranks(second)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(np.clip(a @ b / size, -1.0, 1.0)) if size > 0 else None
