"""The page Learn: steps, answers that lock, links that restore them, the presenter view, and what can be run."""

from __future__ import annotations

import gettext
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.learn.shows import taught
from resnet_core import language
from resnet_core.config import demo_configs
from resnet_core.lecture import lecture
from resnet_core.lessons import Lesson, fill, lessons
from resnet_core.questions import POINTS
from resnet_core.runs import RunStore
from tests.page_tools import app, opened

FIRST = lessons("en")[0]
KEYS = [lesson.key for lesson in lessons("en")]


@pytest.fixture
def page(root: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    made = app(root, monkeypatch, "learn/page.py")  # from the front page, which has no nets to draw
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(root / "checkpoints"))
    return made


def texts(page: AppTest) -> str:
    return " ".join(element.value for element in [*page.markdown, *page.caption, *page.info]).replace("\\", "")


def charts(page: AppTest) -> int:
    return len(page.get("bidi_component")) + len(page.get("plotly_chart"))


def reveals(page: AppTest, number: int = 2) -> bool:
    return FIRST.steps[number - 1].reveal in [box.value for box in page.info]


def test_lessons_are_listed_and_begun(page):
    page.run()
    keys = [button.key for button in page.button if button.key.startswith("learn.")]
    assert keys == [*(f"learn.open.{lesson.key}" for lesson in lessons("en")), "learn.seeds"]
    page.button(key=f"learn.open.{FIRST.key}").click().run()
    assert not page.exception and not page.error
    assert page.title[0].value == FIRST.steps[0].title and page.button(key="learn.back").disabled
    assert (page.query_params["lesson"], page.query_params["step"]) == (FIRST.key, "1")
    page.button(key="learn.next").click().run()
    assert page.title[0].value == FIRST.steps[1].title and page.query_params["step"] == "2"
    page.button(key="learn.back").click().run()
    assert page.title[0].value == FIRST.steps[0].title
    page.button(key="learn.list").click().run()
    assert page.title[0].value == "Learn" and "lesson" not in page.query_params


def test_nothing_is_revealed_before_an_answer_is_locked(page):
    opened(page, lesson=FIRST.key, step="2")
    lock = f"learn.{FIRST.key}.ends.lock"
    assert charts(page) == 0 and not reveals(page) and page.button(key=lock).disabled
    page.radio[0].set_value(1).run()
    assert charts(page) == 0 and not reveals(page) and "answers" not in page.query_params
    page.button(key=lock).click().run()
    assert not page.exception and not page.error
    assert charts(page) == 1 and reveals(page) and page.query_params["answers"] == "ends:1"
    assert "Clean training error at the end: plain-20 0.0 %, plain-56 74.0 %." in texts(page) and not page.radio
    page.button(key="learn.next").click().run()
    page.button(key="learn.back").click().run()
    assert reveals(page) and not page.radio  # it stays locked


def test_a_link_restores_lesson_step_and_answers(page):
    drawn = "_".join("50" for _ in range(POINTS))
    opened(page, lesson=FIRST.key, step="3", answers=["ends:0", f"draw:{drawn}"])
    assert page.title[0].value == FIRST.steps[2].title and reveals(page, 3) and charts(page) == 1
    assert page.query_params["answers"] == ["ends:0", f"draw:{drawn}"]
    page.button(key="learn.back").click().run()
    assert ":material/radio_button_checked: **plain-20, the shallower one**" in texts(page)
    page.query_params["answers"] = "ends:1"  # another answer does not undo the first
    page.run()
    assert page.query_params["answers"] == ["ends:0", f"draw:{drawn}"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"lesson": "unheard-of"}, "asks for the lesson “unheard-of”"),
        ({"lesson": FIRST.key, "step": "77"}, "asks for the step “77”"),
        ({"lesson": FIRST.key, "step": "<b>"}, "asks for the step “<b>”"),
        ({"lesson": FIRST.key, "step": "2", "answers": "ends:9"}, "choose one of the 3 options"),
        ({"lesson": FIRST.key, "step": "3", "answers": "draw:1_2_x"}, "is no answer to this question"),
        ({"lesson": FIRST.key, "step": "2", "answers": "nobody:1"}, "not in this lesson: nobody:1"),
    ],
)
def test_a_faulty_link_is_told_and_shows_something_else(page, query, words):
    opened(page, **query)
    assert words in " ".join(warning.value for warning in page.warning).replace("\\", "")
    assert page.title[0].value and not reveals(page)


def test_the_presenter_view_reveals_by_the_same_key_that_steps_on(page):
    opened(page, lesson=FIRST.key, step="2")
    page.button(key="learn.present").click().run()
    assert page.query_params["present"] == "true" and not page.radio and charts(page) == 0
    assert "- plain-20, the shallower one" in texts(page)
    page.button(key="learn.next").click().run()
    assert page.title[0].value == FIRST.steps[1].title and reveals(page) and charts(page) == 1
    assert "answers" not in page.query_params and not [button for button in page.button if button.key.endswith(".run")]
    page.button(key="learn.next").click().run()
    assert page.title[0].value == FIRST.steps[2].title and not reveals(page, 3)
    page.button(key="learn.end").click().run()
    assert "present" not in page.query_params and "revealed" not in page.query_params


def test_the_trainings_of_a_step_are_run_with_the_viewers_seed(page):
    opened(page, lesson=FIRST.key, step="2", answers="ends:1")
    key = f"learn.{FIRST.key}.2.0"
    page.number_input(key=f"{key}.seed").set_value(7).run()
    page.button(key=f"{key}.run").click().run()
    assert not page.exception and not page.error
    assert [run.config for run in RunStore().queue()] == [config for config in demo_configs(7) if config.model.is_plain]
    assert charts(page) == 2 and not [button for button in page.button if button.key == f"{key}.run"]
    assert len(page.get("progress")) == 2
    page.button(key="learn.next").click().run()  # the seed is the viewer's, on all steps
    page.button(key="learn.back").click().run()
    assert page.number_input(key=f"{key}.seed").value == 7 and len(page.get("progress")) == 2


def test_an_experiment_is_there_at_once_and_can_be_run(page):
    opened(page, lesson="the-solution-training-misses", step="2", answers="bits:0")
    assert charts(page) == 1 and "the same logits, bit for bit" in texts(page)
    assert [button.label for button in page.button if button.key.endswith(".run")] == ["Run it now"]


def test_without_the_nets_a_step_says_what_is_missing(root, monkeypatch):
    page = app(root, monkeypatch, "learn/page.py")
    page.query_params.update({"lesson": "the-solution-training-misses", "step": "2", "answers": "bits:0"})
    page.run()
    assert not page.exception and "plain-20" in page.error[0].value.replace("\\", "")
    page.button(key="learn.next").click().run()
    assert page.title[0].value


def test_a_lesson_with_curves_can_be_taken_along_from_its_last_step(page):
    opened(page, lesson=FIRST.key, step=str(len(FIRST.steps) - 1))
    assert not page.get("download_button")
    page.button(key="learn.next").click().run()
    assert [button.proto.label for button in page.get("download_button")] == ["Lecture file (HTML)"]
    page.button(key="learn.present").click().run()
    assert not page.get("download_button")


@pytest.mark.parametrize("key", KEYS)
def test_the_trainings_of_a_lesson_are_those_of_its_first_curves(root, monkeypatch, key):
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(root / "checkpoints"))
    lesson = next(each for each in lessons("en") if each.key == key)
    shown = [show for step in lesson.steps for show in step.shows if show.kind == "curves"]
    found = taught(lesson)
    assert [run.config.model.name for run in found] == list(shown[0].nets if shown else ())
    assert not found or lesson.steps[0].title in lecture(found, lesson)
    if shown and shown[0].arguments["set"] == "shipped":
        assert all(any(record["kind"] == "layers" for record in run.records) for run in found)


def answers(lesson: Lesson) -> list[str]:
    """Some answer to each question of a lesson, as a link has them."""
    given = []
    for question in [step.question for step in lesson.steps if step.question]:
        low = question.y.low if question.y else 0
        answer = {"choice": 0, "number": low, "curve": (low,) * POINTS}[question.kind]
        given.append(f"{question.key}:{question.to_text(answer)}")
    return given


@pytest.mark.parametrize("key", KEYS)
def test_every_step_of_a_lesson_can_be_looked_at(page, key):
    lesson = next(each for each in lessons("en") if each.key == key)
    opened(page, lesson=key, answers=answers(lesson))
    for number, step in enumerate(lesson.steps, 1):
        assert page.title[0].value == step.title
        assert not page.exception and not page.error and not page.warning, (number, page.exception, page.error, page.warning)
        assert charts(page) == len(step.shows) and fill(step.reveal) in [box.value for box in page.info] + [""]
        if number < len(lesson.steps):
            page.button(key="learn.next").click().run()
    assert page.button(key="learn.next").disabled
    if key != KEYS[-1]:
        page.button(key="learn.following").click().run()
        assert page.query_params["lesson"] == KEYS[KEYS.index(key) + 1] and "answers" not in page.query_params


@pytest.mark.parametrize("key", KEYS)
def test_every_lesson_can_be_presented_in_chinese(page, monkeypatch, key):
    """The lessons alone: what the app itself says has its own tests."""
    monkeypatch.setattr(language, "_catalogue", lambda _: gettext.NullTranslations())
    monkeypatch.setattr(language, "current", lambda: "zh")
    lesson = next(each for each in lessons("zh") if each.key == key)
    opened(page, lesson=key, present="true")
    for number, step in enumerate(lesson.steps, 1):
        assert page.title[0].value == step.title
        if step.question:
            page.button(key="learn.next").click().run()
        assert not page.exception and not page.error and not page.warning, (number, page.exception, page.error, page.warning)
        assert charts(page) == len(step.shows) and fill(step.reveal) in [box.value for box in page.info] + [""]
        if number < len(lesson.steps):
            page.button(key="learn.next").click().run()
