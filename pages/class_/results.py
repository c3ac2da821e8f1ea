"""What the class has answered, drawn: bars, a histogram, or all curves."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.ui.figure_chart import figure_chart
from pages.ui.labels import escaped
from resnet_core.classroom import tally
from resnet_core.classroom.book import REVEALED, Asked
from resnet_core.figures.ballot import choice_figure, curves_figure, number_figure
from resnet_core.language import tr
from resnet_core.questions import Answer, Question

#: Curves drawn at once; of more than these the median tells as much.
MOST_CURVES = 60


def show_answers(asked: Asked, answers: Sequence[Answer]) -> None:
    """Draw all answers; the right one, if it was given, once the question is revealed."""
    question, right = asked.question, asked.answer if asked.state == REVEALED else None
    if question.kind == "choice":
        assert not isinstance(right, (float, tuple))
        counts = tally.counts(question, answers)
        light, dark = (choice_figure(question.options, counts, right, night) for night in (False, True))
    elif question.kind == "number":
        assert question.y is not None and not isinstance(right, tuple)
        numbers = [answer for answer in answers if not isinstance(answer, tuple)]
        edges, counts = tally.bins(question, numbers)
        middle = tally.median(numbers) if numbers else None
        light, dark = (number_figure(edges, counts, question.y.label, middle, right, night) for night in (False, True))
    else:
        assert right is None or isinstance(right, tuple)
        curves = [answer for answer in answers if isinstance(answer, tuple)]
        between = tally.middle_curve(curves) if len(curves) > 1 else None
        light, dark = (curves_figure(question, curves[-MOST_CURVES:], between, right, night) for night in (False, True))
    figure_chart(light, dark, key=f"class.answers.{asked.number}")
    st.caption(escaped(summary(question, answers)))
    if right is not None and question.kind == "curve":
        st.success(tr("The curve named right was measured."), icon=":material/check_circle:")
    elif right is not None:
        st.success(tr("The right answer: **{answer}**", answer=escaped(in_words(question, right))), icon=":material/check_circle:")


def in_words(question: Question, answer: Answer) -> str:
    """An answer to a choice or a number, for people."""
    if isinstance(answer, tuple):
        return tr("a curve")
    if question.kind == "choice":
        return question.options[int(answer)]
    assert question.y is not None  # every number has its range
    return f"{answer:g} ({question.y.label})"


def summary(question: Question, answers: Sequence[Answer]) -> str:
    """What the chart shows, in a sentence: it is read out where a chart cannot be seen."""
    if not answers:
        return tr("No answers yet.")
    if question.kind == "choice":
        counts = tally.counts(question, answers)
        told = "; ".join(f"{option}: {count}" for option, count in zip(question.options, counts, strict=True))
        return tr("{number} answers. {told}.", number=len(answers), told=told)
    if question.kind == "number":
        numbers = [answer for answer in answers if not isinstance(answer, tuple)]
        return tr(
            "{number} answers from {low:.4g} to {high:.4g}; the median is {middle:.4g}.",
            number=len(numbers),
            low=min(numbers),
            high=max(numbers),
            middle=tally.median(numbers),
        )
    return tr("{number} curves; the thick line is the median at each place.", number=len(answers))
