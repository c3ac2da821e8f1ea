"""What of a text that should be Chinese is English."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import plotly.graph_objects as go

#: Titles and authors of papers, names of projects, commands: they stay as they were published.
QUOTED = re.compile(
    r"“[^”]*”|state dict|\w+ icon|Skip to main content|[\w.-]+/[\w.-]+|python -m [\w .]+|"
    r"[A-Z][\w:'-]*(?: (?:[A-Z][\w:'-]*|by|of|to|with|and|for|the|are|in|on|a|not))+"
)
#: What stands in Chinese papers and programs too: markup, code, modules, nets and files by their names, CIFAR-10's classes.
NOTATION = re.compile(
    r"<b>[\w.]+</b>|<[^>]*>|%?\{[^}]*\}|`[^`]*`|\S*[\w)][-_/.]\w\S*|\b(?:softmax|logits?|nat|auto|cpu|cuda|torch|gamma|plateau|train|val|plain|none|fvcore|torchvision|zip|cores?|safetensors|tanh|sigmoid|"
    r"conv\d?|concat|fc\d?|layer\d|aux\d?|airplane|automobile|bird|cat|deer|dog|frog|horse|ship|truck)\b"
)
ENGLISH = re.compile(r"\b[a-z]{3,}\b")


def english(texts: Iterable[str]) -> list[str]:
    """Those of the texts in which an English word is left."""
    return [text for text in texts if ENGLISH.search(NOTATION.sub(" ", QUOTED.sub(" ", text)))]


def texts_of(figure: go.Figure) -> list[str]:
    """All that a figure says: titles, labels of axes and of their ticks, names, what stands in it and what is seen where one points."""
    return list(_texts(figure.to_plotly_json(), ""))


#: Where a figure's words stand.
_PLACES = {"text", "name", "hovertext", "hovertemplate", "ticktext", "x", "y", "label", "texttemplate"}


def _texts(value: Any, key: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name != "template":
                yield from _texts(inner, name)
    elif isinstance(value, str):
        if key in _PLACES:
            yield value
    elif (key in _PLACES and hasattr(value, "__iter__")) or isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner, key)
