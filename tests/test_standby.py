"""Workers that stand by: they begin at once, cost nothing while they wait, and go when the app goes."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from resnet_core.runs import RunStore, files, launch, standby
from tests import runs_tools
from tests.runs_tools import config, stored, wait_for_end
from tests.waiting import wait_for

APP = """
import sys
from pathlib import Path
from resnet_core.runs import launch
launch.stand_by(Path(sys.argv[1]))
print("standing by", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def store(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", str(runs_tools.threads()))
    with runs_tools.workers(RunStore()) as store:
        yield store


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Trainings that wait for ``go``; nothing is loaded beforehand."""
    fake = runs_tools.Fake(tmp_path / "fake")
    fake.install(monkeypatch)
    with open(fake.folder / "sitecustomize.py", "a") as file:
        file.write("from resnet_core.runs import standby\nstandby.prepare = lambda slot: (control / 'prepared').touch()\n")
    return fake


@pytest.fixture
def app(store, root):
    """A process that has workers standing by, and ends when its input is closed."""
    process = subprocess.Popen([sys.executable, "-c", APP, str(store.home)], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"standing by\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def slot(store: RunStore, number: int = 0):
    return launch.slot_path(store.home, f"{launch.pool_of('auto')}-{number}")


def test_it_waits_trains_waits_again_and_goes_with_the_app(store, fake, app):
    fake.go()
    wait_for(lambda: (fake.folder / "prepared").exists() and slot(store).stat().st_size == 0, "the worker")
    assert files.is_held(slot(store)) and not files.is_held(slot(store, 1))  # one slot in tests
    first = store.submit(config(0))[0]
    wait_for_end(first)
    second = store.submit(config(1))[0]
    wait_for_end(second)
    assert stored(first)["pid"] == stored(second)["pid"]  # the same process, which had nothing to do in between
    assert files.is_held(slot(store))
    app.stdin.close()
    wait_for(lambda: not files.is_held(slot(store)), "the end of the worker")
    assert app.wait(60) == 0


def test_of_a_killed_app_the_queue_is_trained_to_its_end_and_then_the_worker_goes(store, fake, app):
    run, other = store.submit(config(0))[0], store.submit(config(1))[0]
    wait_for(lambda: run.state().state == "running", "the training")
    app.kill()
    app.wait(60)
    time.sleep(0.3)
    assert run.state().state == "running"
    fake.go()
    wait_for_end(run, other)
    wait_for(lambda: not files.is_held(slot(store)), "the end of the worker")


def test_where_nothing_may_be_trained_or_nobody_wants_it_nothing_stands_by(store, fake, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_STANDBY", "0")
    launch.stand_by(store.home)
    monkeypatch.delenv("RESNET_LAB_STANDBY")
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    launch.stand_by(store.home)
    monkeypatch.setenv("RESNET_LAB_SLOTS", "no number")
    launch.stand_by(store.home)
    assert not list((store.home / ".slots").glob("*.lock"))


def test_who_waits_is_woken_by_what_came_before_too(tmp_path, monkeypatch):
    (tmp_path / ".slots").mkdir()
    monkeypatch.setattr(standby, "QUEUE_SECONDS", 600.0)
    monkeypatch.setattr(standby, "_LOOK_SECONDS", 0.01)
    reading, writing = os.pipe()
    bell = standby.Bell(tmp_path, "cpu-0")
    standby.wake(tmp_path)
    standby.wake(tmp_path)
    bell.wait(reading, lambda: False)  # returns: it was rung before
    looks = iter([False, False, True])
    bell.wait(reading, lambda: next(looks))  # and is heard once
    assert next(looks, "all were needed") == "all were needed"
    assert not standby.has_gone(reading)
    os.close(writing)
    assert standby.has_gone(reading)
    bell.wait(reading, lambda: False)
    os.close(reading)
    os.mkfifo(tmp_path / ".slots" / "cpu-9.bell")  # that of a worker that was killed
    standby.wake(tmp_path)
    standby.wake(tmp_path / "not there")


def test_where_there_are_no_named_pipes_the_queue_is_looked_at_once_in_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(standby, "QUEUE_SECONDS", 0.05)
    monkeypatch.setattr(standby, "_LOOK_SECONDS", 0.01)
    reading, writing = os.pipe()
    standby.Bell(tmp_path / "not there", "cpu-0").wait(reading, lambda: False)
    for end in (reading, writing):
        os.close(end)


@pytest.mark.slow
def test_a_real_one_has_everything_loaded(store, app):
    wait_for(lambda: slot(store).stat().st_size == 0, "the worker")
    run = store.submit(config())[0]
    wait_for_end(run)
    runs_tools.assert_as_if_never_interrupted(run)  # what was trained before, to warm up, leaves no trace
