"""Questions: what they take for an answer, what they refuse, and the text of an answer."""

from __future__ import annotations

import math

import pytest

from resnet_core.errors import ConfigError
from resnet_core.questions import POINTS, Axis, Question

ERROR = Axis("training error (%)", 0, 100)
CHOICE = Question("which", "Which net ends lower?", "choice", ("plain-20", "plain-56"))
NUMBER = Question("how", "How large is it?", "number", y=ERROR)
CURVE = Question("draw", "Draw it.", "curve", x=Axis("iteration", 0, 352), y=ERROR)


@pytest.mark.parametrize(
    ("question", "answer", "text"),
    [
        (CHOICE, 1, "1"),
        (NUMBER, 71.5, "71.5"),
        (CURVE, tuple(90.0 - i for i in range(POINTS)), "_".join(str(90 - i) for i in range(POINTS))),
    ],
)
def test_an_answer_stands_in_an_address_and_comes_back(question, answer, text):
    assert question.to_text(question.check(answer)) == text
    assert question.from_text(text) == answer


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (CHOICE, 2), (CHOICE, -1), (CHOICE, True), (CHOICE, 0.0), (NUMBER, 100.1), (NUMBER, math.nan), (NUMBER, "1"), (NUMBER, None),
        (CURVE, [1.0] * (POINTS - 1)), (CURVE, [math.inf] * POINTS), (CURVE, 3),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused(question, answer):
    with pytest.raises(ConfigError, match=question.key):
        question.check(answer)


@pytest.mark.parametrize(
    ("question", "text"), [(CHOICE, "x"), (CHOICE, "7"), (NUMBER, "nan"), (NUMBER, ""), (CURVE, "1_2"), (CURVE, "1_x")]
)
def test_a_changed_address_is_refused(question, text):
    with pytest.raises(ConfigError, match=question.key):
        question.from_text(text)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"kind": "essay"}, "kind"),
        ({"kind": "choice", "options": ("one",)}, "options"),
        ({"kind": "number"}, "y"),
        ({"kind": "curve", "y": ERROR}, "x"),
        ({"kind": "number", "y": Axis("", 1, 1)}, "y"),
    ],
)
def test_questions_that_cannot_be_asked(values, field):
    with pytest.raises(ConfigError, match=f"^{field}: "):
        Question("key", "text", **values)
