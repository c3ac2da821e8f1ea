"""What a class has answered, as plain numbers, and as a table to take away."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from resnet_core.classroom.book import Asked
from resnet_core.csv_text import csv_text
from resnet_core.questions import POINTS, Answer, Question

#: Bars of the histogram of a number.
BINS = 20


def counts(question: Question, answers: Sequence[Answer]) -> list[int]:
    """Count the answers to a choice, for each option."""
    return [sum(answer == option for answer in answers) for option in range(len(question.options))]


def bins(question: Question, answers: Sequence[Answer]) -> tuple[list[float], list[int]]:
    """Count the answers to a number in ``BINS`` equal parts of its range: their (BINS + 1,) edges and (BINS,) counts.

    The upper edge belongs to the next part; the last part has both of its edges.
    """
    assert question.y is not None
    low, high = question.y.low, question.y.high
    found = [0] * BINS
    for answer in answers:
        assert not isinstance(answer, tuple)
        found[min(BINS - 1, math.floor((answer - low) / (high - low) * BINS))] += 1
    return [low + (high - low) * k / BINS for k in range(BINS + 1)], found


def median(values: Sequence[float]) -> float:
    """Give the middle value; of an even number of values, the mean of the two in the middle. There is at least one."""
    ordered = sorted(values)
    half, odd = divmod(len(ordered), 2)
    return ordered[half] if odd else (ordered[half - 1] + ordered[half]) / 2


def middle_curve(curves: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """Give the median of the curves at each of their points. There is at least one."""
    return tuple(median(heights) for heights in zip(*curves, strict=True))


def steps(question: Question) -> list[float]:
    """Give the (POINTS,) places of a curve's heights on its axis."""
    assert question.x is not None
    return [question.x.low + (question.x.high - question.x.low) * k / (POINTS - 1) for k in range(POINTS)]


def answers_csv(asked: Sequence[Asked], answers: Mapping[int, Mapping[str, Answer]], names: Mapping[str, str]) -> str:
    """Write all answers as CSV, a row for each: question, viewer (a number within the class, and a nickname), answer, whether it is right.

    A curve is its heights, with spaces between them. Whatever a spreadsheet would run as a formula is made a text.

    Args:
        answers: of each question's number, the answers by viewer.
    """
    viewers = {viewer: place for place, viewer in enumerate(dict.fromkeys(v for each in asked for v in sorted(answers[each.number])), 1)}
    rows: list[list[Any]] = []
    for each in asked:
        for viewer, answer in sorted(answers[each.number].items(), key=lambda pair: viewers[pair[0]]):
            right = None if each.answer is None or each.question.kind == "curve" else int(answer == each.answer)
            told = told_plainly(each.question, answer)
            rows.append([each.number, each.question.text, each.question.kind, viewers[viewer], names.get(viewer), told, right])
    return csv_text(["question", "text", "kind", "viewer", "nickname", "answer", "right"], rows)


def told_plainly(question: Question, answer: Answer) -> Any:
    """Give an answer as it stands in a table: the option's text, the number, or the heights with spaces between them."""
    if question.kind == "choice":
        assert isinstance(answer, int)
        return question.options[answer]
    return " ".join(f"{height:.6g}" for height in answer) if isinstance(answer, tuple) else answer
