"""What a run's state allows and what is said of it; deleting; damaged folders; full disks. Without a worker: RESNET_LAB_SLOTS=0."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import threading
import time

import pytest

from resnet_core.errors import RunError
from resnet_core.runs import RunStore, files
from tests.runs_tools import config, put, train_row

# -- what is allowed when -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["finished", "diverged", "failed", "stopped"])
def test_only_the_active_can_be_stopped(store, state):
    run = store.submit(config())[0]
    put(store, run, state=state)
    with pytest.raises(RunError, match=f"is {state}; only a queued or running"):
        store.stop(run.id)


@pytest.mark.parametrize(("state", "reason"), [("finished", "is finished"), ("diverged", "would do so again"), ("queued", "is queued")])
def test_what_cannot_be_resumed(store, state, reason):
    run = store.submit(config())[0]
    put(store, run, state=state)
    with pytest.raises(RunError, match=reason):
        store.resume(run.id)
    assert run.state().state == state


@pytest.mark.parametrize("state", ["stopped", "failed", "running"])
def test_what_can_be_resumed(store, state):
    """``running`` with nobody holding the lock is an interrupted run."""
    run = store.submit(config())[0]
    store.submit(config(1))
    put(store, run, state=state, message="old", plan={"device": "cpu"}, result={"test_error": 1.0})
    (run.path / "stop").touch()
    store.resume(run.id)
    status = run.state()
    assert (status.state, status.message, status.place, status.result) == ("queued", "", 2, None)
    assert status.plan == {"device": "cpu"}
    assert not (run.path / "stop").exists()


def test_interrupted_is_running_with_nobody_at_it(store):
    run = store.submit(config())[0]
    lock = files.acquire(run.path / "lock")
    put(store, run, state="running", started=files.now())
    (run.path / "records.jsonl").write_text(json.dumps(train_row(7)) + "\n")
    assert (run.state().state, run.state().iteration, run.state().message) == ("running", 7, "")
    with pytest.raises(RunError, match="is running"):
        store.resume(run.id)
    store.stop(run.id)
    assert run.state().state == "running" and run.state().stopping
    files.release(lock)
    status = run.state()
    assert (status.state, status.iteration, status.stopping, status.eta_seconds) == ("interrupted", 7, False, None)
    assert "after iteration 7" in status.message and "from the start" in status.message
    (run.path / "checkpoints" / "iter-00000005").mkdir()
    (run.path / "checkpoints" / ".iter-00000006.tmp").mkdir()
    assert "checkpoint at iteration 5" in run.state().message
    with pytest.raises(RunError, match="is interrupted; only a queued or running"):
        store.stop(run.id)


def test_speed_and_remaining_time_come_from_the_records(store):
    run = store.submit(config())[0]
    lock = files.acquire(run.path / "lock")
    put(store, run, state="running")
    assert run.state().images_per_second is run.state().eta_seconds is None
    rows = [(1, 10.0), (2, 12.0), (4, 16.0)]
    lines = [json.dumps(train_row(i, elapsed_seconds=t, images_per_second=4.0)) + "\n" for i, t in rows]
    (run.path / "records.jsonl").write_text(lines[0])
    assert (run.state().images_per_second, run.state().eta_seconds) == (4.0, None)
    (run.path / "records.jsonl").write_text("".join(lines))
    assert run.state().eta_seconds == pytest.approx(56 * 2.0)  # 56 iterations left, 2 s each
    files.release(lock)


def test_looking_at_a_lock_never_hides_it_from_others(tmp_path):
    path = tmp_path / "lock"
    assert not files.is_held(path)
    lock = files.acquire(path)
    seen = []
    threads = [threading.Thread(target=lambda: seen.extend(files.is_held(path) for _ in range(200))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 800
    assert files.acquire(path) is None
    files.release(lock)
    seen.clear()
    threads = [threading.Thread(target=lambda: seen.extend(files.is_held(path) for _ in range(200))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [False] * 800  # two lookers do not take each other for a worker


# -- deleting -------------------------------------------------------------------------------------------------------------------


def test_delete(store):
    run, other = store.submit(config())[0], store.submit(config(1))[0]
    store.delete(run.id)
    assert store.runs() == [other]
    assert sorted(p.name for p in store.home.iterdir()) == sorted([".lock", ".slots", other.id])
    with pytest.raises(RunError, match="No run"):
        store.delete(run.id)
    with pytest.raises(RunError, match="deleted"):
        run.state()
    assert run.records() == []
    assert store.submit(config())[0].id == run.id


@pytest.mark.parametrize("name", ["..", ".", "", "/", ".slots", "../outside", "*"])
def test_delete_takes_nothing_but_runs(store, tmp_path, name):
    store.submit(config())
    (tmp_path / "outside").mkdir()
    with pytest.raises(RunError, match="No run"):
        store.delete(name)
    assert len(store.runs()) == 1 and (tmp_path / "outside").is_dir()


def test_delete_waits_for_the_worker_and_says_when_it_does_not_answer(store):
    run = store.submit(config())[0]
    lock = files.acquire(run.path / "lock")
    put(store, run, state="running")
    with pytest.raises(RunError, match=r"not stopped within 0\.2 s"):
        store.delete(run.id, timeout=0.2)
    assert run.state().stopping
    (run.path / "stop").unlink()

    def worker():
        while not (run.path / "stop").exists():
            time.sleep(0.01)
        put(store, run, state="stopped")
        files.release(lock)

    thread = threading.Thread(target=worker)
    thread.start()
    store.delete(run.id, timeout=30)
    thread.join()
    assert store.runs() == []


# -- damage ---------------------------------------------------------------------------------------------------------------------


def _garbage(run):
    (run.path / "run.json").write_bytes(b"\x00\xff garbage")


def _no_identity(run):
    (run.path / "run.json").unlink()


def _other_config(run):
    values = json.loads((run.path / "run.json").read_text())
    values["config"]["model"]["depth"] = 21
    (run.path / "run.json").write_text(json.dumps(values))


def _no_config(run):
    (run.path / "run.json").write_text('{"created": "now"}')


def _cut_state(run):
    text = (run.path / "state.json").read_text()
    (run.path / "state.json").write_text(text[: len(text) // 2])


def _no_state(run):
    (run.path / "state.json").unlink()


def _unknown_state(run):
    (run.path / "state.json").write_text('{"state": "sleeping", "ticket": 1, "pool": "cpu"}')


def _no_ticket(run):
    (run.path / "state.json").write_text('{"state": "queued"}')


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_garbage, "run.json cannot be read"),
        (_no_identity, "run.json is missing"),
        (_other_config, "run.json.*depth: 21 is not of the form"),
        (_no_config, "run.json has no 'config'"),
        (_cut_state, "state.json cannot be read"),
        (_no_state, "state.json is missing"),
        (_unknown_state, "'sleeping' is not a state"),
        (_no_ticket, "no ticket"),
    ],
)
def test_a_damaged_run_is_named_kept_and_out_of_the_way(store, damage, reason):
    bad, good = store.submit(config())[0], store.submit(config(1))[0]
    damage(bad)
    assert store.runs() == store.queue() == [good]
    [(path, text)] = store.broken()
    assert path == bad.path
    assert re.search(reason, text)
    with pytest.raises(RunError, match=f"{bad.id} is broken"):
        store.get(bad.id)
    assert store.submit(config(2))[1]
    assert good.state().place == 1
    again, is_new = store.submit(config())  # the damaged one is not offered, and not overwritten
    assert is_new and again.id == f"{bad.id}-2"
    assert bad.path.is_dir()
    store.delete(bad.id)
    assert not bad.path.exists() and store.broken() == []


def test_strangers_in_the_home(store):
    run = store.submit(config())[0]
    (store.home / "notes.txt").write_text("mine")
    (store.home / "holiday pictures").mkdir()
    (store.home / ".hidden").mkdir()
    assert store.runs() == [run]
    assert store.broken() == [(store.home / "holiday pictures", "run.json is missing")]


def test_a_copied_folder_is_a_run_of_its_own(store):
    run = store.submit(config())[0]
    put(store, run, state="finished")
    shutil.copytree(run.path, store.home / "copy")
    assert [r.id for r in store.runs()] == ["copy", run.id]
    store.delete("copy")
    assert store.runs() == [run]


def test_what_a_killed_submit_left_behind_is_swept_by_the_next(store):
    store.submit(config())
    half = store.home / ".new-half"
    half.mkdir()
    (half / "run.json").write_text("{")
    assert len(store.runs()) == 1 and store.broken() == []
    store.submit(config(1))
    assert not half.exists()


def test_what_a_killed_delete_left_behind_is_swept_by_the_next(store):
    run = store.submit(config())[0]
    half = store.home / ".deleted-half-12345678"
    (half / "checkpoints").mkdir(parents=True)
    assert store.runs() == [run] and store.broken() == []
    store.delete(run.id)
    assert not half.exists()


def test_a_temporary_file_left_by_a_kill_does_no_harm(store):
    run = store.submit(config())[0]
    (run.path / "state.json.tmp").write_text('{"sta')
    store.stop(run.id)
    assert run.state().state == "stopped"
    assert not (run.path / "state.json.tmp").exists()


def test_damaged_records_are_told(store):
    run = store.submit(config())[0]
    (run.path / "records.jsonl").write_bytes(json.dumps(train_row(1)).encode() + b"\n\x00\x00\n")
    assert "left out: 1." in run.state().message
    assert len(run.records()) == 1


# -- a home that cannot be written ----------------------------------------------------------------------------------------------


def test_a_home_below_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "runs"):
        store = RunStore(path)
        with pytest.raises(RunError, match=r"file.*RESNET_LAB_HOME"):
            store.submit(config())


@pytest.mark.parametrize(
    ("code", "remedy"), [(errno.ENOSPC, "free some space"), (errno.EROFS, "make it writable"), (errno.EACCES, "make it writable")]
)
def test_a_full_or_read_only_disk_is_told_with_what_to_do(store, monkeypatch, code, remedy):
    run = store.submit(config())[0]

    def refuse(fd):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    for attempt in (lambda: store.submit(config(1)), lambda: store.stop(run.id), lambda: store.rename(run.id, "x")):
        with pytest.raises(RunError, match=f"{store.home}.*{remedy}"):
            attempt()
    monkeypatch.undo()
    assert RunStore(store.home).queue() == [run]  # nothing half done
    assert run.name == "ResNet-8-w4"


def test_a_lock_that_is_never_released_is_told(store):
    store.home.mkdir()
    lock = files.acquire(store.home / ".lock")
    with pytest.raises(RunError, match="another process has held the lock"), files.locked(store.home, timeout=0.05):
        pass
    files.release(lock)


def test_two_viewers_delete_at_once_and_neither_is_told_of_an_error(store):
    """Each sweeps up what it finds half deleted, so what it deletes itself may be gone when it comes to it."""
    problems: list[Exception] = []

    def delete(name: str) -> None:
        try:
            store.delete(name)
        except Exception as error:
            problems.append(error)

    for seed in range(0, 20, 2):
        runs = [store.submit(config(seed + k))[0] for k in range(2)]
        for run in runs:
            for k in range(30):
                (run.path / f"file-{k}").write_text("")
        threads = [threading.Thread(target=delete, args=(run.id,)) for run in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert problems == [] and store.runs() == []
    assert not list(store.home.glob(".deleted-*"))


def test_a_run_that_was_deleted_meanwhile_gets_no_name(store, monkeypatch):
    run = store.submit(config())[0]
    monkeypatch.setattr(store, "get", lambda _: run)
    shutil.rmtree(run.path)
    with pytest.raises(RunError, match="has just been deleted"):
        store.rename(run.id, "mine")
