"""Texts of a lecture as HTML: all of them escaped, and of Markdown what lessons are written in."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from resnet_core.language import tr
from resnet_core.lessons import Lesson, Step, fill

_MARKED = re.compile(r"`(?P<code>[^`]+)`|\*\*(?P<strong>\S.*?)\*\*|\*(?P<em>[^\s*][^*]*)\*")


def inline(text: str) -> str:
    """A line of Markdown as HTML: bold, italic and code; everything else literally."""
    return _MARKED.sub(lambda found: f"<{found.lastgroup}>{found[found.lastgroup or 0]}</{found.lastgroup}>", html.escape(text))


def markdown(text: str) -> str:
    """Paragraphs and lists of Markdown as HTML."""
    made = []
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = block.splitlines()
        if lines and all(line.startswith("- ") for line in lines):
            made.append("<ul>" + "".join(f"<li>{inline(line[2:])}</li>" for line in lines) + "</ul>")
        elif block:
            made.append(f"<p>{inline(' '.join(lines))}</p>")
    return "\n".join(made)


def of_lesson(lesson: Lesson) -> str:
    """A lesson's text: each step with its question, and behind a click what is to be learned."""
    steps = "\n".join(_step(step) for step in lesson.steps)
    return f'<section class="lesson">\n<h2>{html.escape(lesson.title)}</h2>\n<p>{html.escape(lesson.about)}</p>\n{steps}\n</section>'


def _step(step: Step) -> str:
    parts = [f"<h3>{html.escape(step.title)}</h3>", markdown(fill(step.text))]
    if step.question is not None:
        parts.append(f'<p class="question">{html.escape(step.question.text)}</p>')
        if step.question.options:
            parts.append("<ul>" + "".join(f"<li>{html.escape(option)}</li>" for option in step.question.options) + "</ul>")
    revealed = [markdown(fill(text)) for text in (step.look, step.reveal) if text]
    if step.truth:
        revealed.insert(0, f"<p>{inline(tr('It is **{truth}**.', truth=fill(step.truth)))}</p>")
    if revealed:
        parts.append(f"<details><summary>{html.escape(tr('Reveal'))}</summary>\n" + "\n".join(revealed) + "\n</details>")
    return "\n".join(parts)


def table(head: Sequence[str], rows: Sequence[str], cells: Sequence[Sequence[str]], caption: str) -> str:
    """A table: first cells of its rows, and the others."""
    top = "".join(f'<th scope="col">{html.escape(each)}</th>' for each in head)
    body = "\n".join(
        f'<tr><th scope="row">{html.escape(first)}</th>{"".join(f"<td>{html.escape(cell)}</td>" for cell in row)}</tr>'
        for first, row in zip(rows, cells, strict=True)
    )
    return f"<table><caption>{html.escape(caption)}</caption><thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
