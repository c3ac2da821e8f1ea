"""The layout of a figure for a phone: its panels one below the other, the legend under them, smaller letters."""

from __future__ import annotations

import copy
import math
from typing import Any

#: Pixels: a panel, what lies between two (with titles), the height of one line of the legend, and the row of the chart's buttons.
PANEL, GAP, LINE, BUTTONS = 250, 96, 27, 32
#: Pixels of a name in the legend: with its line more than half of the screen.
ENTRY = 230
#: Panels without axes (bars with their own words) are as high as this, and stand two in a row.
BARE_PANEL, BARE_GAP = 270, 40
#: Of a panel of pictures, which is as high as these need.
WIDTH = 340
FONT_SIZE = 13


def narrow_layout(figure: dict[str, Any]) -> dict[str, Any]:
    """Return the layout for a chart some 350 pixels wide.

    Args:
        figure: with ``data`` and ``layout`` as plain values, as plotly writes a figure to JSON; it is not changed.

    Returns:
        a layout for the same data. ``height`` is in pixels.
    """
    layout = copy.deepcopy(figure["layout"])
    panels = _panels(layout)
    bare = all(layout[x].get("visible") is False for x, _ in panels)
    pictures = any(trace.get("type") == "image" for trace in figure["data"])
    columns = 2 if bare and len(panels) > 1 and not pictures else 1
    rows = max(1, math.ceil(len(panels) / columns))
    panel, gap = (BARE_PANEL, BARE_GAP) if bare and panels else (PANEL, GAP)
    if figure["data"] and all(trace.get("type") == "bar" and trace.get("orientation") == "h" for trace in figure["data"]):
        panel = min(panel, round(layout["height"] - sum(layout.get("margin", {}).get(side, 0) for side in "tb")))
    if pictures:
        panel = max(round(WIDTH * _length(layout[y]) / _length(layout[x])) for x, y in panels)
    inner = rows * panel + (rows - 1) * gap
    moved = {}
    for index, (x, y) in enumerate(panels):
        row, column = divmod(index, columns)
        top = 1 - row * (panel + gap) / inner
        width = 1.0 if columns == 1 else 0.47
        moved[x, y] = (column * (1 - width), column * (1 - width) + width, top - panel / inner, top)
    _annotations(layout, moved)
    first = layout[panels[0][1]].get("title", {}) if panels else {}
    for (x, y), (left, right, bottom, top) in moved.items():
        if x == y:  # in three dimensions
            layout[x]["domain"] = {"x": [left, right], "y": [bottom, top]}
            continue
        layout[x]["domain"], layout[y]["domain"] = [left, right], [bottom, top]
        layout[x]["nticks"] = 5
        if layout[y].get("showticklabels") is False:  # beside the panel that it shared its axis with
            layout[y] |= {"showticklabels": True, "title": {**first}}
    layout["font"] = {**layout.get("font", {}), "size": FONT_SIZE}
    margin = layout.get("margin", {})
    below = _legend(layout, figure["data"])
    layout["margin"] = {
        **margin,
        "l": min(margin.get("l", 56), 52),
        "r": 12 + (margin.get("r", 16) - 12) * FONT_SIZE / 16,
        "t": margin.get("t", 16) + BUTTONS,
        "b": margin.get("b", 56) + below,
    }
    layout["height"] = inner + layout["margin"]["t"] + layout["margin"]["b"]
    return layout


def _length(axis: dict[str, Any]) -> float:
    low, high = axis["range"]
    return abs(high - low)


def _panels(layout: dict[str, Any]) -> list[tuple[str, str]]:
    """The pairs of axes, row by row from the top, by the names of their layouts; of a scene in three dimensions its name twice."""
    pairs = [(name, name) for name in layout if name.startswith("scene")]
    for x in [name for name in layout if name.startswith("xaxis")]:
        y = "yaxis" + str(layout[x].get("anchor") or "y").removeprefix("y")
        if y in layout:
            pairs.append((x, y))
    return sorted(pairs, key=lambda pair: (-_domain(layout, pair[1], "y")[1], _domain(layout, pair[0], "x")[0]))


def _domain(layout: dict[str, Any], name: str, axis: str) -> tuple[float, float]:
    domain = layout[name].get("domain")
    low, high = (domain.get(axis) if isinstance(domain, dict) else domain) or (0, 1)
    return low, high


def _annotations(layout: dict[str, Any], moved: dict[tuple[str, str], tuple[float, float, float, float]]) -> None:
    """Moves what stands at places of the whole chart with the panel that it is beside; what is tied to axes moves with these."""
    for note in layout.get("annotations", ()):
        size = note.get("font", {}).get("size")
        if size:
            note["font"] = {**note["font"], "size": max(FONT_SIZE - 1, round(size * FONT_SIZE / 16))}
        free = {axis for axis in "xy" if note.get(f"{axis}ref", "paper") == "paper"}
        if not free or not moved:
            continue
        at = {axis: note.get(axis, 0) for axis in free}

        def far(pair: tuple[str, str], note: dict[str, Any] = note, at: dict[str, float] = at) -> float:
            """How far the note lies outside of a panel; a panel whose axis it is tied to is nearest."""
            total = 0.0
            for axis, name in zip("xy", pair, strict=True):
                low, high = _domain(layout, name, axis)
                if axis in at:
                    total += max(low - at[axis], at[axis] - high, 0) + abs(at[axis] - (low if axis == "x" else high)) / 100
                elif f"{axis}axis{str(note[f'{axis}ref']).partition(' ')[0].removeprefix(axis)}" != name:
                    total += 10
            return total

        pair = min(moved, key=far)
        left, right, bottom, top = moved[pair]
        for axis, name, start, end in (("x", pair[0], left, right), ("y", pair[1], bottom, top)):
            if axis in at:
                low, high = _domain(layout, name, axis)
                note[axis] = start + (end - start) * min(1.0, max(0.0, (at[axis] - low) / (high - low)))


def _legend(layout: dict[str, Any], data: list[dict[str, Any]]) -> int:
    """Puts legend and colour bar below; returns the pixels that they need there."""
    bar = layout.get("coloraxis", {}).get("colorbar")
    if bar is not None:
        bar |= {"orientation": "h", "x": 0.5, "xanchor": "center", "y": 0, "yref": "container", "yanchor": "bottom", "thickness": 14}
        bar["title"] = {**bar.get("title", {}), "side": "bottom"}  # at the top it would lie on the bar
        return 3 * LINE
    named = [trace for trace in data if trace.get("showlegend", True) and trace.get("name")]
    if not layout.get("showlegend", len(named) > 1) or not named:
        return 0
    title = layout.get("legend", {}).get("title", {})
    # Horizontal with one entry a line: a vertical legend would push the plot aside.
    below = {"x": 0, "xanchor": "left", "xref": "container", "y": 0, "yanchor": "bottom", "yref": "container"}
    layout["legend"] = {**layout.get("legend", {}), **below, "orientation": "h", "entrywidth": ENTRY}
    if title.get("text"):
        layout["legend"]["title"] = {**title, "side": "top", "font": {**title.get("font", {}), "size": FONT_SIZE}}
    return LINE * (len(named) + bool(title.get("text")))
