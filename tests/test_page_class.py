"""The page of a class: the teacher asks, viewers answer, what came of it; the rules and the queue; and how pages keep to the one door."""

from __future__ import annotations

import ast
import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import estimate
from pages.ui.estimate import until_turn
from pages.ui.runs_view import all_seen
from resnet_core.classroom import keys
from resnet_core.classroom.book import ClassBook
from resnet_core.classroom.policy import Rules
from resnet_core.questions import POINTS, Axis, Question
from resnet_core.runs import RunStore
from tests.page_tools import app, become, live_chart, write_run
from tests.runs_tools import config, put

CHOICE = Question("which", "Which is **better**?", "choice", ("plain-20", "<b>plain-56</b>"))
NUMBER = Question("error", "How high?", "number", y=Axis("training error, %", 0, 100))
CURVE = Question("curve", "Draw it.", "curve", x=Axis("iteration", 0, 64), y=Axis("training error, %", 0, 100))


@pytest.fixture
def book(monkeypatch) -> ClassBook:
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    become(monkeypatch, "teacher")
    return ClassBook()


def class_page(root: Path, monkeypatch, who: str) -> AppTest:
    become(monkeypatch, who)
    page = app(root, monkeypatch, address="192.0.2.7").run().switch_page("class_/page.py").run()
    assert not page.exception and not page.error
    return page


def words(page: AppTest) -> str:
    said = [each.value for kind in (page.markdown, page.caption, page.info, page.success) for each in kind]
    return " ".join(said).replace("\\", "")


def test_there_is_no_such_page_without_a_class(root, monkeypatch):
    monkeypatch.delenv(keys.KEY_DIGEST, raising=False)
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    with pytest.raises(Exception, match="class_"):
        app(root, monkeypatch).run().switch_page("class_/page.py")


def test_a_typed_question_from_asking_to_the_table(book, root, monkeypatch):
    teacher = class_page(root, monkeypatch, "teacher")
    teacher.button_group(key="class.source").set_value("own").run()
    assert teacher.button(key="class.ask").disabled
    teacher.text_area(key="class.text").set_value("Which  is deeper?")
    teacher.text_area(key="class.options").set_value("plain-20\n\n plain-56 \n").run()
    teacher.button(key="class.ask").click().run()
    asked = book.latest()
    assert (asked.question.text, asked.question.options, asked.state) == ("Which is deeper?", ("plain-20", "plain-56"), "open")

    viewer = class_page(root, monkeypatch, "a")
    assert "Which is deeper?" in words(viewer)
    viewer.radio(key="class.answer.0.choice").set_value(1).run()
    viewer.button(key="class.answer.0.lock").click().run()
    assert book.answers(asked) == {become(monkeypatch, "a"): 1} and "Your answer: **plain-56**" in words(viewer)
    viewer.button(key="class.change").click().run()
    viewer.radio(key="class.answer.1.choice").set_value(0).run()
    viewer.button(key="class.answer.1.lock").click().run()
    assert list(book.answers(asked).values()) == [0] and "Your answer: **plain-20**" in words(viewer)
    again = class_page(root, monkeypatch, "a")  # the page is loaded once more
    assert "Your answer: **plain-20**" in words(again) and again.button(key="class.change")

    become(monkeypatch, "teacher")
    teacher.run()
    assert "**1** of 1 have answered" in words(teacher) and "plain-20: 1; plain-56: 0" in words(teacher)
    teacher.button(key="class.close").click().run()
    assert book.latest().state == "closed"
    become(monkeypatch, "a")
    viewer.run()
    assert "The question is closed; 1 answer came in." in words(viewer) and not [b for b in viewer.button if b.key == "class.change"]
    assert not viewer.get("bidi_component")[1:]  # no chart before the teacher shows it
    become(monkeypatch, "teacher")
    teacher.selectbox(key=f"class.right.{asked.question.key}").set_value(1).run()
    teacher.button(key="class.reveal").click().run()
    assert book.latest().state == "revealed" and book.latest().answer == 1
    become(monkeypatch, "a")
    viewer.run()
    assert "The right answer: **plain-56**" in words(viewer) and "plain-20: 1; plain-56: 0" in words(viewer)
    (bars,) = live_chart(viewer)["figure"]["traces"]
    assert bars["x"] == [1, 0]


def test_a_question_of_a_lesson(book, root, monkeypatch):
    teacher = class_page(root, monkeypatch, "teacher")
    chosen = teacher.selectbox(key="class.lesson")
    assert len(chosen.options) > 3
    teacher.button(key="class.ask").click().run()
    assert chosen.options[0].endswith(book.latest().question.text)
    first = book.latest().question.key
    teacher.button(key="class.ask").click().run()
    assert book.latest().number == 2 and book.latest().question.key != first  # what was answered before does not count


@pytest.mark.parametrize(
    ("question", "mine", "others"), [(NUMBER, 40.0, [10.0, 90.0]), (CURVE, (5.0,) * POINTS, [(90.0,) * POINTS, (10.0,) * POINTS])]
)
def test_numbers_and_curves_are_drawn_when_they_are_shown(book, root, monkeypatch, question, mine, others):
    asked = book.open(question, mine)
    for who, answer in zip("bc", others, strict=True):
        book.answer(1, become(monkeypatch, who), answer)
    viewer = class_page(root, monkeypatch, "a")
    book.answer(1, become(monkeypatch, "a"), mine)
    book.reveal(asked.number)
    viewer.run()
    assert not viewer.exception and not viewer.error
    traces = live_chart(viewer)["figure"]["traces"]
    if question is NUMBER:
        assert sum(traces[0]["y"]) == 3 and "3 answers from 10 to 90; the median is 40." in words(viewer)
    else:
        assert [trace.get("name") for trace in traces[3:]] == ["median", "right"] and traces[3]["y"] == [10.0] * POINTS


def test_the_curve_of_a_lesson_is_drawn_over_those_of_the_class_once_it_is_shown(book, root, monkeypatch):
    teacher = class_page(root, monkeypatch, "teacher")
    chosen = teacher.selectbox(key="class.lesson")
    chosen.set_value("deeper-and-worse-3").run()
    teacher.button(key="class.ask").click().run()
    asked = book.latest()
    assert asked.question.kind == "curve" and asked.answer[0] > 80 and asked.answer[-1] < 10  # ResNet-56 fits the 300 images
    viewer = class_page(root, monkeypatch, "a")
    for who, height in (("a", 20.0), ("b", 60.0)):
        book.answer(asked.number, become(monkeypatch, who), (height,) * POINTS)
    book.close(asked.number)
    become(monkeypatch, "a")
    viewer.run()
    assert str(list(asked.answer)[5]) not in str(viewer.main)  # not before it is shown
    become(monkeypatch, "teacher")
    teacher.run()
    key = f"class.right.{asked.question.key}"
    assert teacher.selectbox(key=key).value == "lesson"
    teacher.button(key="class.reveal").click().run()
    become(monkeypatch, "a")
    viewer.run()
    (right,) = [trace for trace in live_chart(viewer)["figure"]["traces"] if trace.get("uid") == "right"]
    assert right["y"] == list(asked.answer)
    assert "The curve named right was measured." in words(viewer)


def test_the_teacher_names_a_training_for_the_true_curve(book, root, monkeypatch):
    run = write_run(RunStore(), config(0, iterations=64), 30.0)
    long = book.open(replace(CURVE, x=Axis("iteration", 0, 640)))
    book.close(1)
    teacher = class_page(root, monkeypatch, "teacher")
    key = f"class.right.{CURVE.key}"
    assert teacher.selectbox(key=key).value is None
    teacher.selectbox(key=key).set_value(run.id).run()
    teacher.selectbox(key=f"{key}.kind").set_value("test error").run()
    teacher.button(key="class.reveal").click().run()
    assert "goes from 3 to 64" in teacher.error[0].value.replace("\\", "") and book.latest().state == "closed" and long.number == 1
    book.open(CURVE)
    book.close(2)
    teacher.run()
    teacher.selectbox(key=key).set_value(run.id).run()
    teacher.selectbox(key=f"{key}.kind").set_value("test error").run()
    teacher.button(key="class.reveal").click().run()
    assert book.latest().state == "revealed" and book.latest().answer[-1] == pytest.approx(32)


def test_what_people_write_is_text(book, root, monkeypatch):
    book.open(CHOICE)
    book.set_name(become(monkeypatch, "a"), "<img src=x> [x](y)")
    RunStore().submit(config(0), owner=become(monkeypatch, "a"))
    page = class_page(root, monkeypatch, "teacher")
    texts = [each.value for each in page.markdown]
    assert any("Which is \\*\\*better\\*\\*?" in text for text in texts) and not any("<img" in text for text in texts)
    (bars,) = live_chart(page)["figure"]["layouts"]["light"]["yaxis"]["ticktext"][1:]
    assert bars == "&lt;b&gt;plain-56&lt;/b&gt;"
    assert "<img src=x> [x](y)" in {str(cell) for frame in page.dataframe for cell in frame.value.to_numpy().ravel()}  # a table shows text


def test_rules_are_kept_and_the_queue_is_shown(book, root, monkeypatch):
    for seed, owner in enumerate(("a", "a", "b")):
        RunStore().submit(config(seed), owner=become(monkeypatch, owner))
    book.set_name(become(monkeypatch, "b"), "Ben")
    page = class_page(root, monkeypatch, "teacher")
    queue = page.dataframe[0].value
    assert queue["place"].tolist() == ["1", "2", "3"]
    assert [text[:6] for text in queue["whose"]] == ["viewer", "Ben", "viewer"]
    page.toggle(key="class.locked").set_value(True)
    page.number_input(key="class.most_runs").set_value(4)
    page.number_input(key="class.most_minutes").set_value(2.5).run()
    assert book.rules() == Rules(True, 4, 2.5)


def test_the_table_to_take_away_and_the_end_of_the_class(book, root, monkeypatch):
    asked = book.open(CHOICE)
    book.answer(asked.number, become(monkeypatch, "a"), 1)
    page = class_page(root, monkeypatch, "teacher")
    assert page.button(key="class.delete").disabled
    from pages.class_ import lead

    rows = list(csv.reader(io.StringIO(lead._csv(book).decode("utf-8-sig"))))
    assert rows[1][:3] == ["1", "Which is **better**?", "choice"] and rows[1][5] == "<b>plain-56</b>"
    page.checkbox(key="class.sure").check().run()
    page.button(key="class.delete").click().run()
    assert not page.exception and book.latest() is None and not book.path.exists()


def test_a_nickname(book, root, monkeypatch):
    me = become(monkeypatch, "a")
    page = class_page(root, monkeypatch, "a")
    page.text_input(key="class.nickname").set_value("  Ann ").run()
    page.button(key="class.nickname.keep").click().run()
    assert book.names() == {me: "Ann"}


# -- the time until one's turn ------------------------------------------------------------------------------------------------


def test_the_time_until_a_turn(monkeypatch):
    """One slot and runs of 10 s: each begins when all before it are through; with a slot more, two at a time."""
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    store = RunStore()
    for seed in range(4):
        store.submit(config(seed))
    put(store, store.runs()[0], state="finished")
    seen = [s for s in all_seen(store.look()) if s.is_active]
    monkeypatch.setattr(estimate, "seconds", lambda *_: 10.0)
    monkeypatch.setattr(estimate, "slots", lambda pool: [False])
    assert [until_turn(s, seen, []) for s in seen] == [0.0, 10.0, 20.0]
    monkeypatch.setattr(estimate, "slots", lambda pool: [False, False])
    assert [until_turn(s, seen, []) for s in seen] == [0.0, 0.0, 10.0]
    monkeypatch.setattr(estimate, "seconds", lambda *_: None)
    assert [until_turn(s, seen, []) for s in seen] == [0.0, None, None]


def test_a_viewer_sees_their_place_and_the_time_until_their_turn(book, root, monkeypatch):
    for seed, owner in enumerate(("b", "b", "a")):
        RunStore().submit(config(seed), owner=become(monkeypatch, owner))
    monkeypatch.setattr(estimate, "seconds", lambda *_: 10.0)
    page = class_page(root, monkeypatch, "a")
    assert [text.value.replace("\\", "") for text in page.info][1:] == [
        "Yours, **ResNet-8-w4**: place 2 of 3 in the queue, begins in about 10 s."
    ]
    monkeypatch.setattr(estimate, "seconds", lambda *_: None)
    page.run()
    assert "place 2 of 3 in the queue. When it begins is not known yet." in words(page)
    assert "Yours" not in words(class_page(root, monkeypatch, "c"))


# -- one door -----------------------------------------------------------------------------------------------------------------

#: What only looks at runs.
LOOKS = {"look", "tend", "some", "get", "find", "runs", "broken", "home", "queue"}
#: What changes something outside of the store -> where pages may name it.
CHANGES = {("resnet_core.imports", "accept"), ("resnet_core.imports", "delete"), ("resnet_core.data", "download")}


def test_pages_change_things_through_the_one_door(root):
    """Only pages/ui/permitted.py makes a store or a class file that asks nobody, and names what else changes something."""
    found = []
    for path in sorted((root / "pages").rglob("*.py")):
        if path.name == "permitted.py":
            continue
        tree = ast.parse(path.read_text())
        looked_at = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in LOOKS}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("RunStore", "ClassBook"):
                found += [(path.name, node.func.id)] if id(node) not in looked_at or node.func.id == "ClassBook" else []
            if isinstance(node, ast.ImportFrom):
                found += [(path.name, alias.name) for alias in node.names if (node.module, alias.name) in CHANGES]
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("data", "imports"):
                found += [(path.name, node.attr)] if (f"resnet_core.{node.value.id}", node.attr) in CHANGES else []
    assert found == []
