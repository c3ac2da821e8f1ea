"""Learn: lessons for a class, a step at a time: a question, an answer that locks, what was measured, and what is to be learned from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from pages.learn import class_seeds, place, shows
from pages.learn.scene import Scene
from pages.ui.answering import answer_widget
from pages.ui.guard import guarded
from pages.ui.labels import escaped
from pages.ui.lecture_file import lecture_button
from pages.ui.linked import BANK_SEED
from resnet_core.language import current, tr
from resnet_core.lessons import Lesson, Step, fill, lessons
from resnet_core.questions import Answer, Question

_HERE = Path(__file__).parent
_COLUMNS = (0.36, 0.64)


def list_lessons(known: Sequence[Lesson]) -> None:
    """Draw all lessons, each with its button."""
    st.title(tr("Learn"), anchor=False)
    st.markdown(
        tr(
            "Lessons for a class, or for yourself: predict first, then see what was measured. Your answer locks before it is revealed. "
            "Step with the arrow keys; the link in the address bar keeps the lesson, the step and your answers."
        )
    )
    for row in range(0, len(known), 2):
        for column, lesson in zip(st.columns(2, gap="medium"), known[row : row + 2], strict=False):
            with column, st.container(border=True, height="stretch"):
                st.markdown(f"## {lesson.number}. {escaped(lesson.title)}")
                st.markdown(lesson.about)
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.button(
                        tr("Begin"),
                        icon=":material/school:",
                        key=f"learn.open.{lesson.key}",
                        on_click=place.open_lesson,
                        args=(lesson.key,),
                    )
                    st.caption(tr("about {minutes} minutes, {steps} steps", minutes=lesson.minutes, steps=len(lesson.steps)))
    class_seeds.invitation()


def options(question: Question) -> None:
    """Draw a question without anything to answer it by, for a projector."""
    st.markdown(f"**{escaped(question.text)}**")
    if question.options:
        st.markdown("\n".join(f"- {escaped(option)}" for option in question.options))


def draw_step(lesson: Lesson, number: int, presented: bool) -> bool:
    """Draw a step. Returns whether everything of it is shown: its question is answered, or there is none."""
    step = lesson.steps[number - 1]
    key = f"learn.{lesson.key}.{number}"
    answer = place.answered(lesson, step)
    whole = step.question is None or answer is not None or (presented and place.is_revealed())
    drawing = step.question is not None and step.question.kind == "curve"
    with st.container(key="learn_step"):
        left, right = st.columns(_COLUMNS, gap="large")
    with left:
        st.markdown(fill(step.text))
        if step.question is not None and not drawing:
            answer = _ask(lesson, step, step.question, presented)
            if whole and step.truth:
                st.markdown(tr("It is **{truth}**.", truth=fill(step.truth)))
    with right, guarded(step.title):
        if step.question is not None and drawing and not whole:
            _ask(lesson, step, step.question, presented)
            if presented:
                shows.empty_axes(step.question, f"{key}.axes")
        elif step.question is not None and drawing:
            st.markdown(f"**{escaped(step.question.text)}**")
        for index, show in enumerate(step.shows if whole else ()):
            shows.draw(show, Scene(f"{key}.{index}", step.question, answer, presented))
    with left, st.container(key="learn_after"):  # on a phone it comes after what is shown
        if whole and step.look:
            st.markdown(f":material/visibility: **{tr('What to look at.')}** {fill(step.look)}")
        if whole and step.reveal:
            st.info(fill(step.reveal), icon=":material/lightbulb:")
    return whole


def _ask(lesson: Lesson, step: Step, question: Question, presented: bool) -> Answer | None:
    if presented:
        options(question)
        return place.answered(lesson, step)
    return answer_widget(question, place.answer_key(lesson, step))


def controls(lesson: Lesson, number: int, whole: bool, presented: bool, following: str) -> None:
    """The buttons to step with, which the arrow keys press; in the presenter view they are there and not to be seen.

    Args:
        whole: everything of the step is shown.
        following: the key of the next lesson; empty behind the last one.
    """
    onward = place.reveal if presented and not whole else place.go_to
    arguments = () if presented and not whole else (number + 1,)
    last = number == len(lesson.steps) and (whole or not presented)
    with st.container(horizontal=True, vertical_alignment="center", key="learn_controls"):
        st.button(
            tr("Back"), icon=":material/arrow_back:", key="learn.back", shortcut="Left", disabled=number == 1, on_click=place.go_to,
            args=(number - 1,),
        )  # fmt: skip
        st.button(
            tr("Next"), icon=":material/arrow_forward:", key="learn.next", shortcut="Right", disabled=last, on_click=onward, args=arguments,
            type="primary" if whole else "secondary",
        )  # fmt: skip
        if number == len(lesson.steps) and following:
            st.button(tr("Next lesson"), icon=":material/school:", key="learn.following", on_click=place.open_lesson, args=(following,))
        if number == len(lesson.steps) and not presented and shows.taught(lesson):
            lecture_button(lambda: shows.taught(lesson), "learn.lecture", lesson, "tertiary")
        st.button(tr("All lessons"), icon=":material/list:", key="learn.list", type="tertiary", on_click=place.open_lesson, args=("",))
        if presented:
            st.button(tr("End the presentation"), key="learn.end", shortcut="Esc", on_click=place.present, args=(False,))
        else:
            about = tr("Larger letters and no buttons, for a projector. The arrow keys step and reveal; Escape ends it.")
            view: dict[str, Any] = {"icon": ":material/slideshow:", "type": "tertiary", "on_click": place.present, "args": (True,)}
            st.button(tr("Presenter view"), key="learn.present", help=about, **view)


def main() -> None:
    known = lessons(current())
    BANK_SEED.keep()
    lesson = place.chosen_lesson(known)
    if lesson is None:
        place.keep_answers(None)
        if class_seeds.is_open():
            class_seeds.main()
        else:
            list_lessons(known)
        return
    presented = place.is_presented()
    st.html(_HERE / "learn.css")
    if presented:
        st.html(_HERE / "present.css")
    place.restore_answers(lesson)
    number = place.chosen_step(lesson)
    step = tr("Step {number} of {count}", number=number, count=len(lesson.steps))
    st.caption(f"{escaped(f'{lesson.number}. {lesson.title}')} · {step}")
    st.title(lesson.steps[number - 1].title, anchor=False)
    following = next((each.key for each in known if each.number > lesson.number), "")
    controls(lesson, number, draw_step(lesson, number, presented), presented, following)
    place.keep_answers(lesson)


main()
