"""Worker processes and their slots. The processes are real; only what they train is a fake that waits to be told to go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from resnet_core.errors import RunError
from resnet_core.runs import RunStore, files, launch
from tests import runs_tools
from tests.runs_tools import config, stored, wait_for_end
from tests.waiting import wait_for


@pytest.fixture
def store():
    with runs_tools.workers(RunStore()) as store:
        yield store


def test_one_process_trains_the_whole_queue(store, fake):
    runs = [store.submit(config(seed))[0] for seed in range(3)]
    threads = [threading.Thread(target=lambda: [RunStore(store.home).ensure_workers() for _ in range(5)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(lambda: runs[0].state().state == "running", "the first run")
    assert [run.state().state for run in runs] == ["running", "queued", "queued"]
    assert [run.state().place for run in runs] == [None, 1, 2]
    assert store.submit(config(0)) == (runs[0], False)
    fake.go()
    wait_for_end(*runs)
    assert [seed for seed, _ in fake.began()] == [0, 1, 2]
    assert len({pid for _, pid in fake.began()}) == 1
    wait_for(lambda: not files.is_held(launch.slot_path(store.home, "cpu-0")), "the free slot")
    later = store.submit(config(3))[0]
    wait_for_end(later)
    assert fake.began()[3][1] != fake.began()[0][1]


def test_two_slots_train_two_runs_at_once(store, fake, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "2")
    runs = [store.submit(config(seed))[0] for seed in range(3)]
    wait_for(lambda: [run.state().state for run in runs] == ["running", "running", "queued"], "two trainings")
    assert runs[2].state().place == 1
    fake.go()
    wait_for_end(*runs)


def test_a_second_worker_for_a_slot_leaves_quietly(store, fake, root):
    run = store.submit(config())[0]
    wait_for(lambda: run.state().state == "running", "the first worker")
    command = [sys.executable, "-m", "resnet_core.runs.worker", "--home", str(store.home), "--slot", "cpu-0"]
    second = subprocess.run(command, capture_output=True, cwd=root, timeout=60)
    assert (second.returncode, second.stdout, second.stderr) == (0, b"", b"")
    assert run.state().state == "running"
    fake.go()
    wait_for_end(run)


def test_stop_resume_and_delete_of_a_running_run(store, fake):
    run, other = store.submit(config(0))[0], store.submit(config(1))[0]
    wait_for(lambda: run.state().state == "running", "the training")
    store.stop(run.id)
    wait_for(lambda: run.state().state == "stopped", "the stop")
    wait_for(lambda: other.state().state == "running", "the next in the queue")
    store.resume(run.id)
    assert (run.state().state, run.state().place) == ("queued", 1)
    store.delete(other.id)
    wait_for(lambda: run.state().state == "running", "the training again")
    fake.go()
    wait_for_end(run)
    assert store.runs() == [run] and run.state().state == "finished"


def test_sigterm_stops_the_run_and_leaves_the_queue(store, fake):
    run, other = store.submit(config(0))[0], store.submit(config(1))[0]
    wait_for(lambda: run.state().state == "running", "the training")
    os.kill(stored(run)["pid"], signal.SIGTERM)
    wait_for(lambda: not files.is_held(launch.slot_path(store.home, "cpu-0")), "the end of the worker")
    assert run.state().state == "stopped" and "SIGTERM" in run.state().message
    assert other.state().state == "queued"
    store.ensure_workers()
    wait_for(lambda: other.state().state == "running", "another worker")
    fake.go()
    wait_for_end(other)


SUBMIT_AND_STAY = """
import time
from resnet_core.runs import RunStore
from tests.runs_tools import config
RunStore().submit(config())
print("submitted", flush=True)
time.sleep(600)
"""


def test_sigkill_of_the_submitting_process_does_not_touch_the_worker(store, fake):
    with subprocess.Popen([sys.executable, "-c", SUBMIT_AND_STAY], stdout=subprocess.PIPE) as app:
        assert app.stdout.readline() == b"submitted\n"
        [run] = store.runs()
        wait_for(lambda: run.state().state == "running", "the training")
        app.kill()
    worker_id = stored(run)["pid"]
    assert os.getsid(worker_id) == worker_id  # a session of its own: no terminal's signal reaches it either
    assert run.state().state == "running"
    fake.go()
    wait_for_end(run)
    assert run.state().state == "finished"


def test_sigkill_of_the_worker_interrupts_and_the_next_in_the_queue_goes_on(store, fake):
    run, other = store.submit(config(0))[0], store.submit(config(1))[0]
    wait_for(lambda: run.state().state == "running", "the training")
    assert runs_tools.kill(run)
    assert "killed" in run.state().message
    assert other.state().state == "queued"
    store.ensure_workers()
    wait_for(lambda: other.state().state == "running", "the next")
    store.resume(run.id)
    fake.go()
    wait_for_end(run, other)
    assert run.state().state == other.state().state == "finished"


def test_children_of_a_killed_worker_do_not_keep_it_alive(store, fake, monkeypatch):
    """A forked child shares its parent's open files, and a lock lives as long as one of them."""
    fake.install(monkeypatch, body="((control / 'child').write_text(str(os.getpid())), time.sleep(600)) if os.fork() == 0 else None")
    run = store.submit(config())[0]
    child = fake.folder / "child"
    wait_for(lambda: child.exists() and child.read_text(), "the child")
    try:
        assert runs_tools.kill(run)
        assert not files.is_held(launch.slot_path(store.home, "cpu-0"))
        os.kill(int(child.read_text()), 0)  # it lives
    finally:
        os.kill(int(child.read_text()), signal.SIGKILL)


def test_after_an_unexpected_error_another_process_goes_on(store, fake, monkeypatch):
    fake.install(monkeypatch, body="assert run.config.recipe.seed, 'broken for good'")
    fake.go()
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    runs = [store.submit(config(seed))[0] for seed in range(2)]
    monkeypatch.setenv("RESNET_LAB_SLOTS", "1")
    store.ensure_workers()
    wait_for_end(*runs)
    assert [run.state().state for run in runs] == ["failed", "finished"]
    assert "AssertionError: broken for good" in runs[0].state().message
    assert len({pid for _, pid in fake.began()}) == 2


def test_a_worker_that_cannot_start_is_told_and_not_started_again_at_once(store, tmp_path, monkeypatch):
    count = tmp_path / "starts"
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\necho start >> {count}\necho no such module >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    slot = launch.slot_path(store.home, "cpu-0")
    run = store.submit(config())[0]
    wait_for(lambda: count.exists() and not files.is_held(slot), "the end of the worker")
    for _ in range(5):
        store.ensure_workers()
    assert run.state().state == "queued"
    assert f"ended before it began; its log is {slot.with_suffix('.log')}" in run.state().message
    assert "no such module" in slot.with_suffix(".log").read_text()
    assert count.read_text() == "start\n"
    long_ago = time.time() - launch.RETRY_SECONDS - 1
    os.utime(slot, (long_ago, long_ago))
    store.ensure_workers()
    wait_for(lambda: count.read_text() == "start\nstart\n", "another start")
    wait_for(lambda: not files.is_held(slot), "its end")


def test_the_message_of_a_failed_start_goes_when_one_succeeds(store, fake, tmp_path, monkeypatch):
    executable = sys.executable
    monkeypatch.setattr(sys, "executable", "/bin/false")
    run = store.submit(config())[0]
    slot = launch.slot_path(store.home, "cpu-0")
    wait_for(lambda: not files.is_held(slot), "the end of the worker")
    store.ensure_workers()
    assert "ended before it began" in run.state().message
    monkeypatch.setattr(sys, "executable", executable)
    os.utime(slot, (0, 0))
    fake.go()
    store.ensure_workers()
    wait_for_end(run)
    assert (run.state().state, run.state().message) == ("finished", "")


def test_an_interpreter_that_is_not_there_is_a_users_error(store, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(RunError, match="/nonexistent/python"):
        store.submit(config())
    assert [run.state().state for run in store.runs()] == ["queued"]
