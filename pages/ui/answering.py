"""The answer to a question (``resnet_core.questions``): given once, then locked; a curve is drawn with finger, pen, mouse or arrow keys.

For example::

    answer = answer_widget(question, key="lesson.1.which")  # None until the viewer has locked one
    if answer is not None:
        ...  # show what is true
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from pages.ui.guard import guarded
from pages.ui.labels import escaped
from resnet_core.language import tr
from resnet_core.questions import POINTS, Answer, Axis, Question

_HERE = Path(__file__).parent
_drawing = st.components.v2.component(
    "resnet_lab_drawing",
    css=(_HERE / "drawing.css").read_text(encoding="utf-8"),
    js=(_HERE / "drawing.js").read_text(encoding="utf-8"),
)


def answer_widget(question: Question, key: str) -> Answer | None:
    """Draw the question with what it is answered by, or with the answer once it is locked.

    Args:
        key: of this viewer's answer: what has been locked under it stays so in this session.

    Returns:
        The answer, from the moment on when it was locked; None before.
    """
    st.markdown(f"**{escaped(question.text)}**")
    answer = locked(question, key)
    if question.kind == "choice":
        _choice(question, key, answer)
    elif question.kind == "number":
        _number(question, key, answer)
    elif answer is None:
        _curve(question, key)
    return answer


def locked(question: Question, key: str) -> Answer | None:
    """The answer that is locked under ``key``, or None; one of another question does not count."""
    kept = st.session_state.get(_kept(key))
    return kept[1] if kept is not None and kept[0] == question.key else None


def lock(question: Question, key: str, answer: Any) -> None:
    """Lock an answer, e.g. one that a link holds, in the digits that a link keeps.

    Raises:
        ConfigError: it is no answer to this question.
    """
    st.session_state[_kept(key)] = (question.key, question.from_text(question.to_text(question.check(answer))))


def _kept(key: str) -> str:
    return f"{key}.locked"


def _lock_from(question: Question, key: str, widget: str) -> None:
    answer = st.session_state[widget]
    if answer is not None:  # nothing was chosen or written yet
        with guarded(question.text):
            lock(question, key, answer)


def _lock_button(question: Question, key: str, widget: str) -> None:
    st.button(
        tr("Lock my answer"), icon=":material/lock:", key=f"{key}.lock", on_click=_lock_from, args=(question, key, widget),
        disabled=st.session_state.get(widget) is None,
    )  # fmt: skip


def _choice(question: Question, key: str, answer: Answer | None) -> None:
    if answer is not None:  # in words, since what is disabled is too pale for a projector
        told = [
            f":material/radio_button_checked: **{escaped(option)}**"
            if index == answer
            else f":material/radio_button_unchecked: {escaped(option)}"
            for index, option in enumerate(question.options)
        ]
        st.markdown("  \n".join(told))
        st.caption(f":material/lock: {tr('Your answer is locked.')}")
        return
    widget, options = f"{key}.choice", range(len(question.options))
    named: dict[str, Any] = {"format_func": lambda index: escaped(question.options[index]), "label_visibility": "collapsed"}
    st.radio(question.text, options, index=None, key=widget, **named)
    _lock_button(question, key, widget)


def _number(question: Question, key: str, answer: Answer | None) -> None:
    assert question.y is not None  # every number has its range
    if answer is not None:
        said = tr("Your answer, locked: {answer:g} ({label})", answer=answer, label=question.y.label)
        st.markdown(f":material/lock: {escaped(said)}")
        return
    widget, low, high = f"{key}.number", float(question.y.low), float(question.y.high)
    label = tr("{label}, from {low:g} to {high:g}", label=question.y.label, low=low, high=high)
    st.number_input(label, low, high, value=None, step=step(question.y), format="%g", key=widget, width=420)
    _lock_button(question, key, widget)


def step(axis: Axis) -> float:
    """How much one press of a button changes a number: 1 of a range up to 100, else a power of ten that is about a hundredth of it."""
    size = 1.0
    while (axis.high - axis.low) / size > 200:
        size *= 10
    while (axis.high - axis.low) / size < 5:
        size /= 10
    return size


def _curve(question: Question, key: str) -> None:
    widget = f"{key}.drawing"

    def given() -> None:
        with guarded(question.text):
            lock(question, key, st.session_state[widget].answer)

    _drawing(key=widget, data=drawing_data(question, key), on_answer_change=given)


def drawing_data(question: Question, key: str) -> dict[str, Any]:
    """What the component draws, as plain JSON values."""
    assert question.x is not None and question.y is not None  # every curve has its axes
    return {
        "key": f"{key}.{question.key}",
        "question": question.text,
        "points": POINTS,
        "x": {"label": question.x.label, "low": question.x.low, "high": question.x.high},
        "y": {"label": question.y.label, "low": question.y.low, "high": question.y.high},
        "words": {
            "here": tr("Draw your curve here"),
            "how": tr("Draw with a finger, a pen or the mouse, from left to right. By keyboard: arrow keys move the point and raise it."),
            "keys": tr("Left and right move the point, up and down raise and lower it; what you leave out is joined by straight lines."),
            "lock": tr("Lock my curve"),
            "clear": tr("Begin again"),
        },
    }
