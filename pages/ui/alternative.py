"""A chart for those who do not see it: a sentence that says what it shows, and the words of the table of what it draws (chart_table.js)."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any

from resnet_core.language import tr

#: So many names are told; of more, their number.
_MOST_NAMES = 8


def words() -> dict[str, Any]:
    """Return what the table of a chart says, in the language of the viewer."""
    return {
        "title": tr("Data as a table"),
        "curve": tr("curve"),
        "value": tr("value"),
        "kinds": {
            "training": tr("training"),
            "test": tr("test"),
            "validation": tr("validation"),
            "untrained": tr("before its first update"),
        },
        "thinned": tr(
            "Where a curve or matrix has more values than a table can be read with, some at even distances stand for all, with the first "
            "and the last."
        ),
    }


def sentence(x: str, y: str, names: Iterable[str], said: str = "") -> str:
    """Return what a chart shows, in plain text.

    Args:
        x, y: titles of its axes; names: of its curves, bars or panels. All may have tags, as plotly takes them, and may be empty.
        said: what the page has found in it, as Markdown.
    """
    x, y = plain(x), plain(y)
    text = tr("Chart: {y}.", y=x or y) if x or y else tr("Chart.")
    if x and y:
        text = tr("Chart: {y} by {x}.", x=x, y=y)
    told = [name for name in dict.fromkeys(map(plain, names)) if name]
    if len(told) > _MOST_NAMES:
        text += " " + tr("It shows {count} curves.", count=len(told))
    elif told:
        text += " " + tr("It shows {names}.", names=", ".join(told))
    return f"{text} {unmarked(said)}".strip()


def of_figure(figure: Mapping[str, Any], said: str = "") -> str:
    """Return ``sentence`` of a figure as plain values, as plotly writes it to JSON."""
    layout = figure["layout"]
    x, y = _title(layout, "x"), _title(layout, "y")
    if not (x or y):  # panels with titles of their own
        titles = [note["text"] for note in layout.get("annotations", ()) if note.get("yref") == "paper" and note.get("yanchor") == "bottom"]
        y = ", ".join(titles[:_MOST_NAMES])
    names = [trace.get("name", "") for trace in figure["data"] if trace.get("hoverinfo") != "skip"]
    return sentence(x, y, names, said)


def _title(layout: Mapping[str, Any], letter: str) -> str:
    """That of the first axis that has one."""
    axes = [layout[name] for name in sorted(layout) if name.startswith(f"{letter}axis")]
    axes += [layout[name].get(f"{letter}axis", {}) for name in layout if name.startswith("scene")]
    return next((title for axis in axes if (title := (axis.get("title") or {}).get("text"))), "")


def unmarked(text: str) -> str:
    """Return Markdown without its marks, in one line."""
    return plain(re.sub(r":material/\w+:|[*`#]|\\(?=\W)|\[([^]]*)\]\([^)]*\)", r"\1", text))


def plain(text: str) -> str:
    """Return a text without its tags, in one line."""
    return " ".join(html.unescape(re.sub(r"</?[a-zA-Z][^<>]*>", " ", text)).split())
