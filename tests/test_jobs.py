"""Computations in the background: once for equal keys, with progress, stopped on request, and failing with a message."""

from __future__ import annotations

import threading

import pytest
from streamlit.runtime.scriptrunner import StopException

from pages.ui import analysis_cache, jobs
from pages.ui.jobs import Jobs
from resnet_core.errors import CheckpointError
from tests.runs_tools import wait_for


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


def test_a_job_that_waits_for_another_computation_says_so():
    made, begun = Jobs(), threading.Event()

    def work(job):
        begun.set()
        with analysis_cache.turn(job.should_stop, job.waits):
            return job.state

    with analysis_cache._ONE_AT_A_TIME:
        job = made.start("a", "one", work)
        begun.wait(60)
        wait_for(lambda: job.state == "waiting", "it to wait")
        assert job.is_active
    assert ended(job).result == "running"


def test_what_a_page_computes_ends_when_its_viewer_leaves(monkeypatch):
    """The session that is gone stops its script, here at the bar; the thread hears of it, and the next one has its turn."""
    left, ends = threading.Event(), threading.Event()

    class Bar:
        def progress(self, *args, **options):
            left.set()
            raise StopException

        def empty(self):
            pass

    def work(progress, should_stop):
        with analysis_cache.turn(should_stop):
            wait_for(should_stop, "the stop")
        ends.set()

    monkeypatch.setattr(analysis_cache.st, "empty", Bar)
    with pytest.raises(StopException):
        analysis_cache.with_progress("long", work)
    assert left.is_set() and ends.wait(60)
    with analysis_cache.turn(lambda: pytest.fail("it waits")):
        pass
