"""Computations in the background: once for equal keys, with progress, stopped on request, and failing with a message."""

from __future__ import annotations

import threading
from collections import OrderedDict
from types import SimpleNamespace

import pytest
from streamlit.runtime.scriptrunner import StopException

from pages.predict import computed
from pages.ui import jobs
from pages.ui.jobs import Jobs
from resnet_core.errors import CheckpointError
from tests.waiting import wait_for


def ended(job):
    wait_for(lambda: not job.is_active, job.title)
    return job


def test_equal_keys_are_computed_once_and_the_result_is_kept():
    calls, made = [], Jobs()

    def work(job):
        calls.append(job.key)
        job.progress(1, 2)
        return 42

    first = made.start(("a", 1), "one", work)
    assert made.start(("a", 1), "one", work) is first
    assert ended(first).result == 42 and (first.done, first.total, first.state) == (1, 2, "done")
    assert made.start(("a", 1), "one", work) is first and made.get(("a", 1)) is first
    assert ended(made.start(("a", 2), "two", work)) is not first
    assert calls == [("a", 1), ("a", 2)] and made.get("nothing") is None


def test_what_is_left_is_told_at_the_pace_so_far(monkeypatch):
    clock = iter([100.0, 103.0, 106.0])
    monkeypatch.setattr(jobs, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    job = jobs.Job("a", "one", state="running")
    assert job.seconds_left is None
    job.progress(10, 100)  # at 100; what was done before is not part of the pace
    assert job.seconds_left is None and jobs._how_far(job, "images")[1] == "**one** · 10 of 100 images"
    job.progress(20, 100)
    assert job.seconds_left == 3.0 * 80 / 10  # at 103
    assert jobs._how_far(job, "images") == (0.2, "**one** · 20 of 100 images, about 48 s left")  # at 106


def test_one_works_at_a_time_and_one_that_waits_can_be_stopped():
    made, gate, began = Jobs(), threading.Event(), threading.Event()
    first = made.start(1, "first", lambda job: (began.set(), gate.wait()))
    second = made.start(2, "second", lambda job: "never")
    assert began.wait(60) and second.state == "waiting"
    second.stop()
    gate.set()
    assert ended(second).state == "stopped" and second.result is None and ended(first).state == "done"


def test_one_that_is_stopped_while_it_runs_can_be_started_again():
    made, began = Jobs(), threading.Event()

    def work(job):
        began.set()
        wait_for(job.should_stop, "the stop")
        raise RuntimeError("stopped, as asked")

    job = made.start(1, "long", work)
    assert began.wait(60)
    job.stop()
    again = made.start(1, "long", lambda job: "through")
    assert again is not job and ended(job).state == "stopped" and ended(again).result == "through"


def test_a_users_error_is_its_message_and_a_bug_names_the_log(caplog):
    made = Jobs()

    def refuse(job):
        raise CheckpointError("The weights are gone.")

    def fail(job):
        raise ZeroDivisionError("a private matter")

    assert ended(made.start(1, "one", refuse)).error == "The weights are gone."
    bug = ended(made.start(2, "Evaluating", fail))
    assert bug.state == "failed" and bug.error.startswith("Evaluating: something went wrong") and "private" not in bug.error
    assert "a private matter" in caplog.text
    assert ended(made.start(1, "one", lambda job: 1)).result == 1


def test_the_oldest_that_are_done_are_forgotten(monkeypatch):
    monkeypatch.setattr(jobs, "_KEPT", 3)
    made = Jobs()
    for key in range(5):
        ended(made.start(key, "job", lambda job: job.key))
    assert [key for key in range(5) if made.get(key)] == [2, 3, 4]


def test_what_a_page_waits_for_ends_when_its_viewer_turns_to_something_else(monkeypatch):
    """The script is stopped, here at the bar; the thread hears of it, and the next one has its turn."""
    made, ends = Jobs(), threading.Event()

    class Bar:
        def progress(self, *args, **options):
            raise StopException

        def empty(self):
            pass

    def work(job):
        wait_for(job.should_stop, "the stop")
        ends.set()
        raise RuntimeError("stopped, as asked")

    monkeypatch.setattr(jobs.st, "empty", Bar)
    with pytest.raises(StopException):
        made.outcome("a", "long", work)
    assert ends.wait(60) and made.outcome("b", "short", lambda job: 1) == 1
    assert made.outcome("a", "long", lambda job: "again") == "again"


def test_what_a_page_waits_for_is_computed_once_and_its_error_is_raised(monkeypatch):
    made, calls = Jobs(), []

    def refuse(job):
        calls.append(job.key)
        raise CheckpointError("The weights are gone.")

    assert [made.outcome("a", "one", lambda job: calls.append("a") or 42) for _ in range(2)] == [42, 42]
    for _ in range(2):  # what failed may be tried again
        with pytest.raises(CheckpointError, match="The weights are gone"):
            made.outcome("b", "two", refuse)
    assert calls == ["a", "b", "b"]


def test_what_takes_a_moment_does_not_wait(monkeypatch):
    made, gate = Jobs(), threading.Event()
    long = made.start("long", "long", lambda job: gate.wait())
    assert made.outcome("light", "light", lambda job: 1, light=True) == 1 and long.is_active
    gate.set()
    ended(long)


def test_what_a_session_has_forgotten_is_computed_again(monkeypatch):
    held, calls = OrderedDict(), []
    monkeypatch.setattr(computed, "_held", lambda name: held)
    task = computed.Task("key", lambda *_: calls.append(1) or len(calls), light=True)
    assert [computed.results("Asking", [task]) for _ in range(2)] == [[1], [1]]
    held.clear()  # as the oldest are, where there are very many
    assert computed.results("Asking", [task]) == [2]
