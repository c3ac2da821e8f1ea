"""The next question of the class: one of the lessons', or one that the teacher types."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets

import streamlit as st

from pages.learn.shows import truths
from pages.ui.guard import guarded
from pages.ui.labels import escaped, titled
from pages.ui.permitted import PermittedBook
from resnet_core.classroom import tally
from resnet_core.errors import ConfigError, UserError
from resnet_core.language import current, mark, tr
from resnet_core.lessons import Step, lessons
from resnet_core.questions import Answer, Axis, Question

KINDS = {"choice": mark("choice"), "number": mark("number"), "curve": mark("curve")}
_SOURCES = {"lesson": mark("From a lesson"), "own": mark("My own")}
#: Letters of a question, and of an option.
MOST, MOST_OPTION, MOST_OPTIONS = 400, 120, 8


def ask_next() -> None:
    """Draw the form and its button."""
    source = st.segmented_control(
        tr("Question"), list(_SOURCES), format_func=lambda key: tr(_SOURCES[key]), default="lesson", required=True, key="class.source",
        label_visibility="collapsed",
    )  # fmt: skip
    step = _of_a_lesson() if source == "lesson" else None
    question = _own() if source != "lesson" else step and step.question
    st.button(
        tr("Ask the class"), type="primary", icon=":material/campaign:", key="class.ask", on_click=_ask, args=(question, step),
        disabled=question is None, width="stretch",
    )  # fmt: skip


def _ask(question: Question, step: Step | None) -> None:
    with guarded(tr("Asking the class")):
        # Another key each time: what somebody has answered before does not count for the same question asked again.
        PermittedBook().open(dataclasses.replace(question, key=f"{question.key}-{secrets.token_hex(3)}"), _true_curve(step))


def _true_curve(step: Step | None) -> Answer | None:
    """Of a step that asks for a curve: what was measured of the net that is asked for, where its records are here."""
    show = next((show for show in (step.shows if step else ()) if show.kind == "truth"), None)
    with contextlib.suppress(UserError):
        if show is not None and step is not None and step.question is not None and (found := truths(show)):
            return tally.as_answer(step.question, found[0].x.tolist(), found[0].y.tolist())
    return None


def _of_a_lesson() -> Step | None:
    found = {
        f"{lesson.key}-{number}": (lesson, step)
        for lesson in lessons(current())
        for number, step in enumerate(lesson.steps, 1)
        if step.question is not None
    }
    if not found:
        st.info(tr("There are no lessons with questions here."), icon=":material/info:")
        return None
    named = {key: f"{lesson.number}. {step.question.text}" for key, (lesson, step) in found.items() if step.question}
    chosen = st.selectbox(
        tr("Question of a lesson"), list(found), format_func=titled(named), key="class.lesson", label_visibility="collapsed"
    )
    lesson, step = found[chosen]
    st.caption(tr("Lesson {number}: {title}", number=lesson.number, title=escaped(lesson.title)))
    return step


def _own() -> Question | None:
    kind = st.segmented_control(
        tr("Answer"), list(KINDS), format_func=lambda key: tr(KINDS[key]), default="choice", required=True, key="class.kind"
    )
    text = " ".join(st.text_area(tr("What do you ask?"), max_chars=MOST, key="class.text", height=80).split())
    options: tuple[str, ...] = ()
    x = y = None
    if kind == "choice":
        lines = st.text_area(tr("Options, one on each line"), max_chars=MOST_OPTIONS * (MOST_OPTION + 1), key="class.options", height=120)
        options = tuple(line.strip()[:MOST_OPTION] for line in lines.splitlines() if line.strip())[:MOST_OPTIONS]
    elif kind == "number":
        y = _axis(tr("What is counted, with its unit"), "class.y")
    else:
        x, y = _axis(tr("Axis to the right, with its unit"), "class.x"), _axis(tr("Axis upwards, with its unit"), "class.y")
    if not text or (kind == "choice" and len(options) < 2):
        st.caption(tr("A choice needs a text and at least two options, all others a text."))
        return None
    try:
        return Question("own", text, kind or "choice", options, x, y)
    except ConfigError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return None


def _axis(label: str, key: str) -> Axis:
    left, middle, right = st.columns([0.5, 0.25, 0.25])
    named = left.text_input(label, max_chars=60, key=f"{key}.label").strip()
    low = middle.number_input(tr("from"), value=0.0, format="%g", key=f"{key}.low")
    high = right.number_input(tr("to"), value=100.0, format="%g", key=f"{key}.high")
    return Axis(named, low, high)
