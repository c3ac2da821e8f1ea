"""What is computed for a viewer alone ends with that viewer."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from pages.ui import viewers
from pages.ui.jobs import Jobs
from pages.ui.viewers import Viewers
from tests.waiting import wait_for


@pytest.fixture
def server(monkeypatch):
    """A server of which this test says who is there: ``here`` holds the sessions, ``drawing`` whose page is drawn, ``time`` the clock."""
    made = SimpleNamespace(here={"one", "two"}, drawing="one", time=0.0)
    monkeypatch.setattr(viewers.runtime, "exists", lambda: True)
    monkeypatch.setattr(viewers.runtime, "get_instance", lambda: SimpleNamespace(is_active_session=lambda each: each in made.here))
    monkeypatch.setattr(viewers, "get_script_run_ctx", lambda suppress_warning: SimpleNamespace(session_id=made.drawing))
    monkeypatch.setattr(viewers, "time", SimpleNamespace(monotonic=lambda: made.time))
    return made


def test_they_have_left_when_the_last_one_has_for_a_while(server):
    waiting = Viewers()
    waiting.add()
    server.drawing = "two"
    waiting.add()
    server.time = 100.0
    assert not waiting.have_left()
    server.here = {"two"}
    server.time = 200.0
    assert not waiting.have_left()
    server.here = set()
    server.time = 200.0 + viewers.GRACE
    assert not waiting.have_left()
    server.time += 0.1
    assert waiting.have_left()


def test_a_connection_may_break_and_come_back(server):
    waiting = Viewers()
    waiting.add()
    server.here, server.time = set(), viewers.GRACE / 2
    assert not waiting.have_left()
    server.here, server.time = {"one"}, viewers.GRACE
    assert not waiting.have_left()
    server.here, server.time = set(), viewers.GRACE * 1.5
    assert not waiting.have_left()


def test_outside_of_a_server_nobody_leaves(server, monkeypatch):
    waiting = Viewers()
    waiting.add()
    monkeypatch.setattr(viewers.runtime, "exists", lambda: False)
    server.time = 1e6
    assert not waiting.have_left()


def test_a_job_ends_with_its_last_viewer_and_lets_the_next_begin(server):
    made, through = Jobs(), threading.Event()

    def work(job):
        wait_for(lambda: job.should_stop() or through.is_set(), "an end")
        if job.should_stop():
            raise RuntimeError("stopped, as asked")

    left = made.start("left", "left", work)
    wait_for(lambda: left.state == "running", "its begin")
    server.drawing = "two"
    wanted = made.start("wanted", "wanted", work)
    assert wanted.state == "waiting" and made.start("wanted", "wanted", work) is wanted
    server.here, server.time = {"two"}, 100.0
    wait_for(lambda: wanted.state == "running", "the turn of the other")
    assert left.state == "stopped" and made.get("left") is None and not wanted.should_stop()
    through.set()
    wait_for(lambda: not wanted.is_active, "its end")
    assert wanted.state == "done" and made.get("wanted") is wanted


def test_who_asks_for_what_another_began_is_one_of_its_viewers(server):
    made, through = Jobs(), threading.Event()
    job = made.start("one", "one", lambda job: wait_for(through.is_set, "an end"))
    server.drawing = "two"
    assert made.start("one", "one", lambda job: None) is job
    server.here, server.time = {"two"}, 100.0
    assert not job.should_stop()
    through.set()
    wait_for(lambda: job.state == "done", "its end")
    server.here, server.time = set(), 200.0
    assert made.get("one") is job  # a result is for whoever comes


def test_what_one_viewer_turns_away_from_goes_on_for_another(server):
    waiting = Viewers()
    waiting.add()
    server.drawing = "two"
    waiting.add()
    assert not waiting.remove()
    server.drawing = "one"
    assert waiting.remove()


def test_whether_one_waits_alone(server):
    waiting = Viewers()
    assert waiting.are_one()  # nobody waits but who looks
    waiting.add()
    assert waiting.are_one()
    server.drawing = "two"
    assert not waiting.are_one()
    server.here = {"two"}  # the other has left
    assert waiting.are_one()
