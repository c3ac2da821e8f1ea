"""What a class has answered, as plain numbers, and as a table to take away."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from typing import Any

from resnet_core.classroom.book import Asked
from resnet_core.classroom.refusal import ClassError
from resnet_core.csv_text import csv_text
from resnet_core.language import mark
from resnet_core.questions import POINTS, Answer, Question

#: Bars of the histogram of a number.
BINS = 20
#: So much of its axis a measured curve may leave out at either end: the first record of a training comes after its first batches.
MISSING = 1 / 16


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


def as_answer(question: Question, x: Sequence[float], y: Sequence[float]) -> tuple[float, ...]:
    """Give a measured curve as an answer to a question for one: its (POINTS,) heights, read on straight lines between its points.

    Before its first point and behind its last one it is as high as there; what is above or below the axis lies at its end.

    Args:
        x, y: (N,) in the units of the question's axes, from left to right; what is not finite is left out.

    Raises:
        ClassError: more than ``MISSING`` of the axis is left out at an end.
    """
    assert question.x is not None and question.y is not None
    measured = [(float(at), float(height)) for at, height in zip(x, y, strict=True) if math.isfinite(height)]
    low, high = question.x.low, question.x.high
    room = (high - low) * MISSING
    if not measured:
        raise ClassError(mark("There is nothing measured in this curve."))
    if measured[0][0] > low + room or measured[-1][0] < high - room:
        raise ClassError(
            mark("This curve goes from {first:g} to {last:g}, and the axis of the question from {low:g} to {high:g}: choose one as long."),
            first=measured[0][0],
            last=measured[-1][0],
            low=low,
            high=high,
        )
    places = [at for at, _ in measured]
    heights = []
    for at in steps(question):
        right = min(max(bisect.bisect_left(places, at), 1), len(places) - 1)
        (x0, y0), (x1, y1) = measured[right - 1], measured[right]
        part = min(max((at - x0) / (x1 - x0), 0.0), 1.0) if x1 > x0 else 1.0
        heights.append(min(max(y0 + part * (y1 - y0), question.y.low), question.y.high))
    return tuple(heights)


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
