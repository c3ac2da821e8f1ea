"""Names and small texts that several pages use."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from resnet_core.figures.captions import Group, labels
from resnet_core.figures.series import RunRecords
from resnet_core.language import tr


def curve_names(runs: Sequence[RunRecords]) -> list[str]:
    """A distinct and short name for each run: its own; with its seed where others are called the same; else with all that differs."""
    called = Counter(run.name for run in runs)
    names = [run.name if called[run.name] == 1 else tr("{name}, seed {seed}", name=run.name, seed=run.config.recipe.seed) for run in runs]
    seeded = Counter(names)
    told_apart = labels([Group((run,)) for run in runs]) if max(seeded.values(), default=1) > 1 else names
    return [name if seeded[name] == 1 else label for name, label in zip(names, told_apart, strict=True)]


def titled(titles: Mapping[str, str]) -> Callable[[Any], str]:
    """Make the ``format_func`` of a widget whose options are the keys of ``titles``; what is none of them has no title."""
    return lambda option: tr(titles.get(option, ""))


#: Where Streamlit's Markdown would make a link of plain text, whatever is escaped: behind http, https and www, and after an @.
_AUTOLINK = re.compile(r"(?<=http)(?=s?://)|(?<=https)(?=://)|(?<=www)(?=\.)|(?<=@)", re.IGNORECASE)
_WORD_JOINER = "\u2060"  # invisible, and of no width

#: Names of classes in a row.
_TOLD = 10


def escaped(text: str) -> str:
    """Write other people's text (a run's name, a value from a link) so that Streamlit's Markdown shows it literally, without links."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|~:$<>])", r"\\\1", _AUTOLINK.sub(_WORD_JOINER, str(text)))


def listed_classes(names: Sequence[str]) -> str:
    """The first few names of classes, as Markdown that shows them literally."""
    told = escaped(", ".join(names[:_TOLD]))
    return told if len(names) <= _TOLD else tr("{told} and {more:,} more", told=told, more=len(names) - _TOLD)


def duration(seconds: float) -> str:
    """``42 s``, ``3 min 20 s``, ``2 h 05 min``, ``3 days 4 h``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return tr("{whole} min {whole2:02d} s", whole=whole // 60, whole2=whole % 60)
    if whole < 86_400:
        return tr("{whole} h {whole2:02d} min", whole=whole // 3600, whole2=whole % 3600 // 60)
    return tr("{whole} days {whole2} h", whole=whole // 86400, whole2=whole % 86400 // 3600)


def listed(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *first, last = [tr(part) for part in parts] or [""]
    return tr("{first} and {last}", first=tr(", ").join(first), last=last) if first else last
