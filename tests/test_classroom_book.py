"""The class file: nothing is lost however many write at once, one answer each, and nothing is left of what was deleted."""

from __future__ import annotations

import contextlib
import csv
import io
import sqlite3
import stat
import subprocess
import sys
import threading

import pytest

from resnet_core.classroom.book import ClassBook
from resnet_core.classroom.policy import Rules
from resnet_core.classroom.refusal import ClassError
from resnet_core.classroom.tally import BINS, MISSING, answers_csv, as_answer, bins, counts, middle_curve, steps
from resnet_core.errors import ConfigError
from resnet_core.questions import POINTS, Axis, Question

CHOICE = Question("deeper", "Which is better on its training images?", "choice", ("plain-20", "plain-56", "neither"))
NUMBER = Question("error", "How high is the error of plain-56?", "number", y=Axis("training error, %", 0, 100))
CURVE = Question("curve", "Draw it.", "curve", x=Axis("iteration", 0, 64), y=Axis("training error, %", 0, 100))


@pytest.fixture
def book(tmp_path) -> ClassBook:
    return ClassBook(tmp_path / "runs")


def test_before_there_is_a_class_looking_makes_none(book):
    assert (book.rules(), book.names(), book.asked(), book.latest(), book.count(1)) == (Rules(), {}, [], None, 0)
    assert not book.home.exists() and book.delete() is False


@pytest.mark.parametrize(
    ("question", "answer", "other"), [(CHOICE, 1, 2), (NUMBER, 71.5, 3.25), (CURVE, (90.0,) * POINTS, (1.5,) * POINTS)]
)
def test_a_question_from_its_opening_to_its_reveal(book, question, answer, other):
    asked = book.open(question, answer)
    assert book.latest() == asked and asked.number == 1 and asked.state == "open" and asked.answer == answer
    assert book.answer_of(asked, "a") is None
    book.answer(1, "a", other)
    book.answer(1, "b", answer)
    book.answer(1, "a", answer)  # another answer takes the place of the first
    assert book.answers(asked) == {"a": answer, "b": answer} and book.count(1) == 2 and book.answer_of(asked, "a") == answer
    book.close(1)
    with pytest.raises(ClassError, match="closed"):
        book.answer(1, "a", other)
    assert book.latest().state == "closed" and book.answer_of(asked, "a") == answer
    book.reveal(1)
    assert book.latest().state == "revealed"
    book.close(1)
    assert book.latest().state == "revealed" and book.latest().answer == answer
    book.reveal(1, other)
    assert book.latest().answer == other
    with pytest.raises(ConfigError):
        book.reveal(1, "no answer")


def test_the_next_question_closes_the_one_before(book):
    book.open(CHOICE)
    second = book.open(NUMBER)
    assert [each.state for each in book.asked()] == ["closed", "open"] and second.number == 2 and book.latest() == second


@pytest.mark.parametrize("wrong", [3, -1, True, "1", 1.0, None, [1]])
def test_what_is_no_answer_is_not_kept(book, wrong):
    asked = book.open(CHOICE)
    with pytest.raises(ConfigError):
        book.answer(1, "a", wrong)
    assert book.answers(asked) == {}


def test_a_wrong_right_answer_opens_nothing(book):
    with pytest.raises(ConfigError):
        book.open(NUMBER, 101)
    assert book.asked() == []


def test_no_question_no_answer(book):
    with pytest.raises(ClassError, match="not there"):
        book.answer(1, "a", 1)


def test_rules_and_nicknames(book):
    book.set_rules(Rules(locked=True, most_runs=3, most_minutes=2.5))
    assert ClassBook(book.home).rules() == Rules(locked=True, most_runs=3, most_minutes=2.5)
    book.set_name("a", "  <b>Ann   Lee</b> ")
    book.set_name("b", "'); DROP TABLE answers;")
    assert book.names() == {"a": "<b>Ann Lee</b>", "b": "'); DROP TABLE answers;"}
    book.set_name("a", "")
    assert list(book.names()) == ["b"]
    for wrong in ("x" * 25, "a\u202eb", "a\x00b"):
        with pytest.raises(ClassError, match="nickname"):
            book.set_name("b", wrong)


#: Of a process that says when it is ready, and then answers for 15 viewers.
PROCESS = """
import sys
from resnet_core.classroom.book import ClassBook
print("ready", flush=True)
sys.stdin.readline()
for each in range(15):
    ClassBook(sys.argv[1]).answer(1, f"{sys.argv[2]}-{each}", each % 3)
"""


def test_answers_of_threads_and_processes_at_once_are_all_kept(book):
    asked = book.open(CHOICE)
    command, pipes = [sys.executable, "-c", PROCESS, str(book.home)], {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([*command, f"process{k}"], **pipes) for k in range(2)]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 2
    start = threading.Event()

    def answer(viewer: str) -> None:
        start.wait()
        ClassBook(book.home).answer(1, viewer, 0)

    threads = [threading.Thread(target=answer, args=(f"thread{k}",)) for k in range(30)]
    for thread in threads:
        thread.start()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    start.set()
    for thread in threads:
        thread.join(120)
    for process in processes:
        process.communicate(timeout=120)
    assert [process.returncode for process in processes] == [0, 0]
    expected = {f"process{k}-{each}": each % 3 for k in range(2) for each in range(15)} | {f"thread{k}": 0 for k in range(30)}
    assert book.answers(asked) == expected


def test_the_first_writers_of_a_class_make_one_file(book):
    barrier = threading.Barrier(8)

    def name(viewer: str) -> None:
        barrier.wait()
        ClassBook(book.home).set_name(viewer, viewer)

    threads = [threading.Thread(target=name, args=(f"v{k}",)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sorted(book.names()) == [f"v{k}" for k in range(8)]


def test_an_answer_that_was_taken_is_there_after_the_process_was_killed(book):
    asked = book.open(CHOICE)
    code = (
        "import os, signal, sys; from resnet_core.classroom.book import ClassBook;"
        "ClassBook(sys.argv[1]).answer(1, 'a', 2); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(book.home)]).returncode == -9
    assert book.answers(asked) == {"a": 2}


def test_readers_do_not_wait_for_a_writer(book):
    asked = book.open(CHOICE)
    book.answer(1, "a", 1)
    with contextlib.closing(sqlite3.connect(book.path, isolation_level=None)) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM answers")
        assert book.answers(asked) == {"a": 1}
        other.execute("ROLLBACK")


def test_only_its_owner_may_read_the_file(book):
    book.open(CHOICE)
    assert stat.S_IMODE(book.path.stat().st_mode) == 0o600 and stat.S_IMODE(book.path.parent.stat().st_mode) == 0o700


def test_nothing_is_left_of_a_class_that_was_deleted(book):
    book.set_name("a", "Nickname")
    asked = book.open(CHOICE)
    book.answer(1, "a", 1)
    book.set_rules(Rules(locked=True))
    assert book.delete() is True
    left = [path for path in book.home.rglob("*") if path.is_file() and path.read_bytes()]
    assert left == [] and (book.rules(), book.names(), book.asked()) == (Rules(), {}, [])
    with pytest.raises(ClassError):
        book.answer(asked.number, "a", 1)
    assert book.open(NUMBER).number == 1  # a new class begins


def test_deleting_while_others_answer_breaks_nothing(book):
    book.open(CHOICE)
    stop, failed = threading.Event(), []

    def answer(viewer: str) -> None:
        while not stop.is_set():
            try:
                ClassBook(book.home).answer(1, viewer, 0)
            except ClassError as error:
                if "not there" not in str(error):
                    failed.append(str(error))

    threads = [threading.Thread(target=answer, args=(f"v{k}",)) for k in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        book.delete()
        book.open(CHOICE)
    stop.set()
    for thread in threads:
        thread.join(120)
    assert failed == [] and book.latest().number == 1


def test_a_damaged_file_is_named_with_what_to_do(book):
    book.open(CHOICE)
    for path in book.path.parent.iterdir():
        path.write_bytes(b"no database at all" * 100)
    with pytest.raises(ClassError, match=r"class\.sqlite cannot be used.*delete the class"):
        book.asked()
    assert book.delete() and book.asked() == []


# -- tallies ------------------------------------------------------------------------------------------------------------------


def test_counts_and_bins():
    assert counts(CHOICE, [0, 2, 2, 0, 2]) == [2, 0, 3]
    edges, found = bins(NUMBER, [0.0, 4.99, 5.0, 99.0, 100.0])
    assert edges[:2] == [0.0, 5.0] and edges[-1] == 100.0 and len(edges) == BINS + 1
    assert found == [2, 1] + [0] * (BINS - 3) + [2]


def test_the_middle_of_curves():
    assert middle_curve([(0.0, 5.0), (2.0, 1.0), (1.0, 3.0)]) == (1.0, 3.0)
    assert middle_curve([(0.0,), (3.0,)]) == (1.5,)
    assert steps(CURVE)[:2] == [0.0, 2.0] and steps(CURVE)[-1] == 64.0


def test_the_table_runs_no_formula_and_tells_no_id(book):
    evil = Question("evil", '=HYPERLINK("http://evil.test")', "choice", ("+1+1", "fine"))
    asked = [book.open(evil, 1), book.open(CURVE), book.open(NUMBER, 50)]
    book.set_name("4f2a", "@SUM(A1)")
    for number, answer in ((1, 0), (2, (1.0,) * POINTS), (3, 50)):
        for each in asked:  # as if each were open in its turn
            with contextlib.closing(sqlite3.connect(book.path)) as file, file:
                file.execute(
                    "UPDATE questions SET state = ? WHERE number = ?", ("open" if each.number == number else "closed", each.number)
                )
        book.answer(number, "4f2a", answer)
        book.answer(number, "77", answer)
    asked = book.asked()
    text = answers_csv(asked, {each.number: book.answers(each) for each in asked}, book.names())
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["question", "text", "kind", "viewer", "nickname", "answer", "right"]
    assert rows[1] == ["1", '\'=HYPERLINK("http://evil.test")', "choice", "1", "'@SUM(A1)", "'+1+1", "0"]
    assert rows[3][5].split() == ["1"] * POINTS and rows[3][6] == ""
    assert rows[5][3:] == ["1", "'@SUM(A1)", "50.0", "1"]
    assert len(rows) == 7 and {row[3] for row in rows[1:]} == {"1", "2"} and "4f2a" not in text


def test_a_measured_curve_is_read_on_straight_lines_and_cut_at_the_ends_of_its_axis():
    question = Question("curve", "Draw it.", "curve", x=Axis("iteration", 0, 64), y=Axis("error", 0, 100))
    found = as_answer(question, [2, 32, 40, 64], [90, 30, float("nan"), 150])
    places = [2 * k for k in range(POINTS)]
    slopes = [90 if at <= 2 else 90 - 2 * (at - 2) if at <= 32 else min(100, 30 + 120 * (at - 32) / 32) for at in places]
    assert found == pytest.approx(slopes) and question.check(found) == found
    reach = 64 * MISSING
    as_answer(question, [reach, 64 - reach], [1, 2])
    for x in ([reach + 0.1, 64], [0, 63.9 - reach]):
        with pytest.raises(ClassError, match="choose one as long"):
            as_answer(question, x, [1, 2])
    with pytest.raises(ClassError, match="nothing measured"):
        as_answer(question, [0.0], [float("nan")])
