"""Puts a lecture together: texts, charts, tables, and the script that moves them."""

from __future__ import annotations

import html
import json
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resnet_core.errors import DataError
from resnet_core.figures import style
from resnet_core.figures.captions import caption, grouped
from resnet_core.figures.responses import FREE_SCALE, HOOK_POINT
from resnet_core.figures.series import RunRecords, outcome
from resnet_core.language import current, mark, tr
from resnet_core.lecture import words
from resnet_core.lecture.charts import Chart, charts, moments
from resnet_core.lessons import Lesson
from resnet_core.verdict import degradation, degradation_verdict

_HERE = Path(__file__).parent


def lecture(runs: Sequence[RunRecords], lesson: Lesson | None = None, title: str = "") -> str:
    """Make the file, in the language that is spoken now.

    Args:
        runs: with all their records; those of the layers are shown where there are some.
        lesson: whose text stands below the charts.
        title: of the page; other people's text as everything in it.

    Raises:
        DataError: there is no run, or none has a record.
    """
    if not any(run.records for run in runs):
        raise DataError(mark("A lecture shows one training or more that have begun; choose some."))
    at = moments(runs)
    shown = charts(runs, at)
    verdict = _verdict(runs)
    heading = title or (lesson.title if lesson else tr("ResNet Lab: a lecture"))
    data = {"moments": at, "charts": {chart.key: chart.figure | {"cells": chart.cells} for chart in shown}, "words": _script_words()}
    values = {
        "language": current(),
        "title": html.escape(heading),
        "css": (_HERE / "lecture.css").read_text(encoding="utf-8"),
        "light": style.BACKGROUNDS[False],
        "dark": style.BACKGROUNDS[True],
        "verdict": html.escape(verdict),
        "caption": html.escape(caption(grouped(runs))),
        "last": str(len(at) - 1),
        "moment": html.escape(tr("Iteration")),
        "play": html.escape(tr("Play")),
        "theme": html.escape(tr("Light or dark")),
        "charts": "\n".join(_section(chart, verdict, at[-1]) for chart in shown),
        "lesson": words.of_lesson(lesson) if lesson else "",
        "made": html.escape(tr("Made with ResNet Lab. This file needs no network.")),
        "data": _json(data),
        "plotly": _plotly(),
        "js": (_HERE / "lecture.js").read_text(encoding="utf-8"),
    }
    return string.Template((_HERE / "lecture.html").read_text(encoding="utf-8")).substitute(values)


def _verdict(runs: Sequence[RunRecords]) -> str:
    """Whether these trainings show degradation; of those that do not bear on it, how they ended."""
    ended = [(run.name, outcome(run)) for run in runs if run.state in ("finished", "diverged")]
    if degradation([one for _, one in ended]) is not None:
        return degradation_verdict([one for _, one in ended])
    told = [
        tr("{net}: training error {train:.1f} %, test error {test:.1f} %", net=name, train=one.train_error, test=one.test_error)
        for name, one in ended
        if one.train_error is not None and one.test_error is not None
    ]
    return tr("At the end: {ends}.", ends="; ".join(told)) if told else tr("None of these trainings has come to its end.")


def _section(chart: Chart, verdict: str, last: int) -> str:
    note = {"response_std": f"{tr(HOOK_POINT)} {tr(FREE_SCALE)}", "gradient_norm": tr("Logarithmic; of the weights of each layer.")}
    said = note.get(chart.key, tr("Training error: a moving mean over 5 % of each run."))
    label = tr("{title}. {verdict} The numbers are in the table below.", title=chart.title, verdict=verdict)
    numbers = words.table(
        chart.head, chart.rows, chart.cells[-1], tr("{title}, after iteration {iteration:,}", title=chart.title, iteration=last)
    )
    return (
        f'<section class="chart" id="{chart.key}" data-title="{html.escape(chart.title)}">\n<h2>{html.escape(chart.title)}</h2>\n'
        f'<div class="plot" role="figure" aria-label="{html.escape(label)}"></div>\n<p class="note">{html.escape(said)}</p>\n'
        f"<details><summary>{html.escape(tr('Numbers'))}</summary>\n{numbers}\n</details>\n</section>"
    )


def _script_words() -> dict[str, str]:
    """What the script says; ``{title}`` and ``{iteration}`` are put in there."""
    return {
        "caption": tr("{title}, after iteration {iteration}", title="{title}", iteration="{iteration}"),
        "play": tr("Play"),
        "pause": tr("Pause"),
    }


def _json(value: Any) -> str:
    """JSON that can stand in a script element whatever its strings hold."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()
