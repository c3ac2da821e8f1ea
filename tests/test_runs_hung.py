"""Workers that say nothing: paused, or waiting for what does not come. The processes are real, what they train is a fake."""

from __future__ import annotations

import os
import signal
import time

import pytest

from resnet_core.cli import main
from resnet_core.errors import RunError
from resnet_core.runs import RunStore, files, hung, launch
from resnet_core.runs import run as runs
from tests import runs_tools
from tests.runs_tools import config, put, stored
from tests.waiting import wait_for

#: Waits for what does not come: computes nothing, and does not look whether it is to stop.
BLOCKS = "__import__('time').sleep(600)"


@pytest.fixture
def store(monkeypatch):
    monkeypatch.setattr(runs, "SILENT_SECONDS", 3.0)
    monkeypatch.setattr(hung, "END_SECONDS", 4.0)
    with runs_tools.workers(RunStore()) as store:
        yield store


def test_a_worker_that_gets_on_is_heard(store, fake):
    run = store.submit(config())[0]
    wait_for(lambda: fake.began(), "the training")
    os.utime(run.path / "lock", (0, 0))
    wait_for(lambda: 0 < run.state().silent_seconds < 3, "a sign of life")
    assert run.state().message == ""


def test_a_worker_that_computes_is_heard_though_it_does_not_look_up(store, fake, monkeypatch):
    fake.install(monkeypatch, body="exec('while not (control / \"go\").exists(): pass')")
    run = store.submit(config())[0]
    wait_for(lambda: fake.began(), "the training")
    for _ in range(2):  # the first could be the one at its beginning
        os.utime(run.path / "lock", (0, 0))
        wait_for(lambda: run.state().silent_seconds < 3, "a sign of life")
    fake.go()


def test_a_paused_worker_is_said_to_be_silent_and_wakes_to_stop(store, fake):
    run = store.submit(config())[0]
    wait_for(lambda: fake.began(), "the training")
    os.kill(stored(run)["pid"], signal.SIGSTOP)
    wait_for(lambda: run.state().silent_seconds >= 3, "silence")
    status = run.state()
    assert (status.state, status.eta_seconds) == ("running", None)
    assert "Its worker was last heard" in status.message and "seconds ago" in status.message
    store.stop(run.id)
    wait_for(lambda: run.state().state == "stopped", "the stop of a worker that was woken")
    assert "last heard" not in run.state().message


def test_stop_says_what_it_waits_for_and_ends_a_worker_that_hangs(store, fake, monkeypatch, capsys):
    fake.install(monkeypatch, body=BLOCKS)
    monkeypatch.setattr("resnet_core.cli.train.TELL_SECONDS", 1.0)
    run = store.submit(config())[0]
    wait_for(lambda: fake.began(), "the training")
    assert main(["stop", run.id]) == 0
    out, err = capsys.readouterr()
    assert f"Run {run.id} is interrupted" in out
    assert "its worker was last heard" in err and "was ended" in err
    assert not files.is_held(run.path / "lock")
    store.resume(run.id)
    assert run.state().state in ("queued", "running")


@pytest.mark.parametrize("by", ["a look at the runs", "deleting"])
def test_a_worker_that_hangs_does_not_hold_up_the_others(store, fake, monkeypatch, by):
    fake.install(monkeypatch, body=f"run.config.recipe.seed or {BLOCKS}")
    run, other = store.submit(config(0))[0], store.submit(config(1))[0]
    wait_for(lambda: fake.began(), "the training")
    if by == "deleting":
        store.delete(run.id, timeout=60)
        assert not run.path.exists()
    else:
        store.stop(run.id)
        wait_for(lambda: store.tend() and run.state().state == "interrupted", "its end")
    wait_for(lambda: store.tend() and other.state().state == "running", "the next")


def test_nobody_is_ended_who_was_not_asked_or_is_elsewhere_or_is_no_worker(store, tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    killed = []
    monkeypatch.setattr(hung.os, "kill", lambda *call: killed.append(call))
    run = store.submit(config())[0]
    lock = files.acquire(run.path / "lock")
    put(store, run, state="running", pid=os.getpid(), host=hung.platform.node())  # the tests are no worker
    os.utime(run.path / "lock", (0, 0))
    assert not hung.end(run.path)  # not asked
    (run.path / "stop").touch()
    os.utime(run.path / "stop", (0, 0))
    assert not hung.end(run.path)  # no worker
    monkeypatch.setattr(hung.Path, "read_bytes", lambda path: b"python\0-m\0resnet_core.runs.worker")
    put(store, run, host="elsewhere")
    assert not hung.end(run.path) and killed == []
    put(store, run, host=hung.platform.node())
    os.utime(run.path / "lock")
    assert not hung.end(run.path)  # heard just now
    os.utime(run.path / "lock", (0, 0))
    assert hung.end(run.path) and killed == [(os.getpid(), signal.SIGKILL)]
    with pytest.raises(RunError, match="is being trained"):
        store.delete(run.id, timeout=0)
    files.release(lock)


def test_the_time_of_the_first_request_counts(store, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    run = store.submit(config())[0]
    hung.ask(run.path)
    os.utime(run.path / "stop", (1000, 1000))
    hung.ask(run.path)
    assert (run.path / "stop").stat().st_mtime == 1000


def test_a_start_in_the_future_does_not_hold_up_the_queue(store, fake):
    slot = launch.slot_path(store.home, "cpu-0")
    slot.parent.mkdir(parents=True)
    slot.write_text("starting\n")
    os.utime(slot, (time.time() + 1e6,) * 2)
    run = store.submit(config())[0]
    wait_for(lambda: run.state().state == "running", "the training")
    assert slot.stat().st_mtime < time.time() + 1
