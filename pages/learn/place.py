"""Where a viewer is in the lessons: lesson, step and answers, which stand in the address, so that a link restores them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.ui import answering, links
from pages.ui.labels import escaped
from pages.ui.linked import Linked
from resnet_core.errors import UserError
from resnet_core.language import tr
from resnet_core.lessons import Lesson, Step
from resnet_core.questions import Answer

_LESSON, _STEP = Linked("learn.lesson", "lesson"), Linked("learn.step", "step")
_PRESENT, _REVEALED = Linked("learn.present", "present"), Linked("learn.revealed", "revealed")
ANSWERS = "answers"
_YES = "true"


def open_lesson(key: str) -> None:
    """Go to a lesson's first step; with an empty key, to the list. To be called in a callback, as all that go somewhere."""
    _LESSON.choose([key] if key else [])
    go_to(1)
    if not key:
        present(False)


def go_to(step: int) -> None:
    """Go to a step, counted from 1."""
    _STEP.choose([str(step)])
    _REVEALED.choose([])


def present(on: bool) -> None:
    """Begin or end the presenter view."""
    _PRESENT.choose([_YES] if on else [])
    _REVEALED.choose([])


def reveal() -> None:
    """Show what is behind the question of this step without an answer, in the presenter view."""
    _REVEALED.choose([_YES])


def is_presented() -> bool:
    """Whether this is the presenter view."""
    return _PRESENT.current(list) == [_YES]


def is_revealed() -> bool:
    """Whether what is behind the question is shown without an answer."""
    return _REVEALED.current(list) == [_YES]


def chosen_lesson(lessons: Sequence[Lesson]) -> Lesson | None:
    """The lesson that is open; of a link to one that is not there, a message and None."""
    keys = {lesson.key: lesson for lesson in lessons}
    links.check_choice("lesson", tr("the lesson"), keys)
    asked = _LESSON.current(list)
    return keys.get(asked[0]) if asked else None


def chosen_step(lesson: Lesson) -> int:
    """The number of the step, from 1; of a link to one that is not there, a message and 1."""
    numbers = [str(number) for number in range(1, len(lesson.steps) + 1)]
    links.check_choice("step", tr("the step"), numbers)
    asked = _STEP.current(lambda: ["1"])
    return int(asked[0]) if asked and asked[0] in numbers else 1


def answer_key(lesson: Lesson, step: Step) -> str:
    """Under which the answer to a step's question is locked."""
    assert step.question is not None  # steps without one are not asked
    return f"learn.{lesson.key}.{step.question.key}"


def answered(lesson: Lesson, step: Step) -> Answer | None:
    """The answer that is locked to a step's question, or None."""
    return None if step.question is None else answering.locked(step.question, answer_key(lesson, step))


def restore_answers(lesson: Lesson) -> None:
    """Lock the answers of a link, unless others are locked already; what cannot be read is said and left out."""
    asking = {step.question.key: step for step in lesson.steps if step.question}
    for text in st.query_params.get_all(ANSWERS):
        key, _, value = text.partition(":")
        step = asking.get(key)
        if step is None or step.question is None:
            _say(tr("The link has an answer to a question that is not in this lesson: {text}.", text=text[:60]))
        elif answered(lesson, step) is None:
            try:
                answering.lock(step.question, answer_key(lesson, step), step.question.from_text(value))
            except UserError as error:
                _say(tr("The link has an answer that cannot be read: {reason}", reason=error))


def keep_answers(lesson: Lesson | None) -> None:
    """Write the locked answers of a lesson into the address; without a lesson, take them out."""
    found = []
    for step in lesson.steps if lesson else ():
        answer = answered(lesson, step) if lesson else None
        if step.question is not None and answer is not None:
            found.append(f"{step.question.key}:{step.question.to_text(answer)}")
    if st.query_params.get_all(ANSWERS) != found:
        st.query_params[ANSWERS] = found


def _say(text: str) -> None:
    st.warning(escaped(text), icon=":material/link_off:")
