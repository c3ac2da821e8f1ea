"""Answers on a page: given once, then locked; and curves that were drawn, with the true one over them."""

from __future__ import annotations

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.answering import drawing_data, step
from resnet_core.architectures import parse
from resnet_core.errors import ConfigError
from resnet_core.figures import style
from resnet_core.figures.predicted import DRAWN, Truth, predicted
from resnet_core.questions import POINTS, Axis, Question
from tests.contrast import contrast

ERROR = Axis("training error (%)", 0, 100)
CURVE = Question("draw", "Draw it.", "curve", x=Axis("iteration", 0, 320), y=ERROR)


def asks(kind: str) -> AppTest:
    """A page with one question, which shows what ``answer_widget`` returns."""

    def script(kind):
        import streamlit as st

        from pages.ui.answering import answer_widget
        from resnet_core.questions import Axis, Question

        error = Axis("error (%)", 0, 100)
        asked = {
            "choice": Question("which", "Which *one*?", "choice", ("plain-20", "plain-56")),
            "number": Question("how", "How much?", "number", y=error),
            "curve": Question("draw", "Draw it.", "curve", x=Axis("iteration", 0, 320), y=error),
        }
        st.text(repr(answer_widget(asked[kind], "here")))

    return AppTest.from_function(script, kwargs={"kind": kind}).run()


def test_a_choice_locks():
    page = asks("choice")
    assert page.text[0].value == "None" and page.radio[0].value is None and page.button(key="here.lock").disabled
    assert page.markdown[0].value == r"**Which \*one\*?**"
    page.radio[0].set_value(1).run()
    assert page.text[0].value == "None" and not page.radio[0].disabled  # chosen is not yet locked
    page.button(key="here.lock").click().run()
    assert page.text[0].value == "1" and not page.radio and not page.button and not page.exception
    assert page.markdown[1].value.splitlines()[1] == r":material/radio_button_checked: **plain\-56**"


def test_a_number_locks_with_the_digits_of_a_link():
    page = asks("number")
    page.number_input[0].set_value(71.666666666).run()
    page.button(key="here.lock").click().run()
    assert page.text[0].value == "71.6667" and not page.number_input
    assert "71\\.6667" in page.markdown[1].value
    page.run()
    assert page.text[0].value == "71.6667"


def test_a_curve_is_asked_for_until_it_is_locked():
    page = asks("curve")
    assert len(page.get("bidi_component")) == 1 and page.text[0].value == "None"
    page.session_state["here.locked"] = ("draw", (50.0,) * POINTS)
    page.run()
    assert not page.get("bidi_component") and page.text[0].value.startswith("(50.0, 50.0")
    page.session_state["here.locked"] = ("another", 1)
    page.run()
    assert page.text[0].value == "None"


def test_the_component_is_told_the_axes():
    data = drawing_data(CURVE, "here")
    assert data["points"] == POINTS and data["key"] == "here.draw" and data["question"] == "Draw it."
    assert data["x"] == {"label": "iteration", "low": 0, "high": 320} and data["y"]["high"] == 100


@pytest.mark.parametrize(("low", "high", "size"), [(0, 100, 1), (0, 1, 0.1), (0, 64_000, 1000), (0, 30, 1), (0, 3.6, 0.1)])
def test_the_step_of_a_number(low, high, size):
    assert step(Axis("", low, high)) == pytest.approx(size)


@pytest.mark.parametrize("dark", [False, True])
def test_the_true_curve_lies_over_the_drawn_one(dark):
    truth = Truth("plain-56", parse("plain-56"), np.array([0, 160, 320]), np.array([90.0, 80.0, 71.7]))
    figure = predicted(CURVE, [tuple(90.0 - i for i in range(POINTS))], [truth], dark)
    drawn, true = figure.data
    assert (drawn.x[0], drawn.x[-1], drawn.y[-1]) == (0, 320, 90.0 - POINTS + 1) and drawn.line.dash
    assert true.name == "plain-56" and true.line.color == style.net_color(truth.model, dark) and true.y[-1] == 71.7
    assert tuple(figure.layout.yaxis.range) == (0, 100) and figure.layout.xaxis.title.text == "iteration"
    assert drawn.line.color == style.rgba(DRAWN[dark], 1) and contrast(DRAWN[dark], style.BACKGROUNDS[dark]) >= 3


def test_many_drawn_curves_share_one_entry():
    figure = predicted(CURVE, [(50.0,) * POINTS, (60.0,) * POINTS])
    assert [trace.showlegend for trace in figure.data] == [True, False]
    with pytest.raises(ConfigError, match="asks for no curve"):
        predicted(Question("how", "?", "number", y=ERROR), [])
