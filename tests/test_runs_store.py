"""The run store and its queue, without a worker: RESNET_LAB_SLOTS=0 leaves every run in the queue."""

from __future__ import annotations

import errno
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from datetime import datetime

import pytest

from resnet_core.config import DataConfig, ModelConfig, Recipe, RunConfig
from resnet_core.errors import DataError, RunError
from resnet_core.runs import RunStore, files, home, launch


def config(seed: int = 0, shortcut: str = "A", **recipe) -> RunConfig:
    return RunConfig(ModelConfig(8, shortcut, 4), DataConfig(), Recipe(iterations=10, batch_size=8, seed=seed, device="cpu", **recipe))


@pytest.fixture
def store(monkeypatch) -> RunStore:
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    return RunStore()


def put(store: RunStore, run, **changes) -> None:
    """As a worker would."""
    with store.locked():
        store.change(run, **changes)


def ids(runs) -> list[str]:
    return [run.id for run in runs]


# -- the folder -----------------------------------------------------------------------------------------------------------------


def test_a_run_describes_itself(store):
    run, is_new = store.submit(config(seed=3), name="my run")
    assert is_new
    assert run.id == f"resnet-8-w4-sample-s3-{config(seed=3).fingerprint[:6]}"
    written = json.loads((run.path / "run.json").read_text())
    assert written["id"] == run.id
    assert RunConfig.from_dict(written["config"]) == run.config == config(seed=3)
    assert written["fingerprint"] == config(seed=3).fingerprint
    assert written["versions"]["torch"] == importlib.metadata.version("torch")
    assert written["versions"]["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}")
    assert datetime.fromisoformat(written["created"]).utcoffset().total_seconds() == 0
    assert run.name == "my run"
    status = run.state()
    assert (status.state, status.iteration, status.iterations, status.place) == ("queued", 0, 10, 1)
    assert status.is_active and not status.stopping
    assert status.plan is status.result is status.eta_seconds is None
    assert run.records() == [] and run.checkpoints == []


def test_looking_makes_nothing(store):
    assert store.runs() == [] and store.broken() == [] and store.queue() == []
    store.ensure_workers()
    assert not store.home.exists()


def test_home(tmp_path, monkeypatch):
    assert home() == tmp_path / "runs"
    assert home(tmp_path / "other") == tmp_path / "other"
    monkeypatch.delenv("RESNET_LAB_HOME")
    monkeypatch.chdir(tmp_path)
    assert home() == tmp_path / "runs"


def test_the_store_does_not_import_torch_or_streamlit(tmp_path, root):
    code = (
        "import sys; from resnet_core.runs import RunStore; from resnet_core.config import RunConfig; s = RunStore();"
        "s.submit(RunConfig()); [r.state() for r in s.runs()]; s.ensure_workers();"
        "import resnet_core.runs.worker;"
        "print([m for m in ('torch', 'streamlit', 'numpy') if m in sys.modules])"
    )
    environment = {**os.environ, "RESNET_LAB_SLOTS": "0", "PYTHONPATH": str(root)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_missing_data_is_told_before_anything_is_queued(store):
    with pytest.raises(DataError):
        store.submit(RunConfig(ModelConfig(8), DataConfig("cifar10")), data_dir=store.home / "nowhere")
    assert store.runs() == []


# -- the queue ------------------------------------------------------------------------------------------------------------------


def test_queue_is_in_the_order_of_submission_and_places_follow(store):
    runs = [store.submit(config(seed))[0] for seed in range(4)]
    assert store.queue() == store.runs() == runs
    assert [run.state().place for run in runs] == [1, 2, 3, 4]
    store.stop(runs[1].id)
    assert runs[1].state().state == "stopped"
    assert runs[1].state().place is None
    assert [run.state().place for run in runs] == [1, None, 2, 3]
    store.resume(runs[1].id)  # to the end
    assert ids(store.queue()) == ids([runs[0], runs[2], runs[3], runs[1]])
    store.delete(runs[2].id)
    assert [runs[i].state().place for i in (0, 3, 1)] == [1, 2, 3]
    with store.locked():
        assert store.next_queued("cpu") == runs[0]
        assert store.next_queued("cuda") is None


def test_each_device_has_its_own_queue(store):
    first = store.submit(config())[0]
    other = store.submit(RunConfig(recipe=Recipe(device="cuda")))[0]
    second = store.submit(config(1))[0]
    assert [run.state().place for run in (first, second, other)] == [1, 2, 1]


@pytest.mark.parametrize(
    ("nvidia", "visible", "expected"),
    [(True, None, "cuda"), (True, "", "cpu"), (True, "-1", "cpu"), (True, "0", "cuda"), (False, None, "cpu")],
)
def test_auto_joins_the_device_that_is_there(monkeypatch, nvidia, visible, expected):
    monkeypatch.setattr(launch.Path, "exists", lambda self: nvidia and str(self) == "/dev/nvidia0")
    monkeypatch.setattr(launch.sys, "platform", "linux")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert launch.pool_of("auto") == expected
    assert launch.pool_of("mps") == "mps"


def test_auto_on_a_mac(monkeypatch):
    monkeypatch.setattr(launch.Path, "exists", lambda self: False)
    monkeypatch.setattr(launch.sys, "platform", "darwin")
    monkeypatch.setattr(launch.platform, "machine", lambda: "arm64")
    assert launch.pool_of("auto") == "mps"


@pytest.mark.parametrize("value", ["two", "-1", "1.5", "17"])
def test_slots_must_be_a_small_whole_number(store, monkeypatch, value):
    monkeypatch.setenv("RESNET_LAB_SLOTS", value)
    with pytest.raises(RunError, match=r"RESNET_LAB_SLOTS.*whole number from 0 to 16"):
        store.submit(config())


SUBMIT = """
import sys, time
from pathlib import Path
from resnet_core.config import *
from resnet_core.runs import RunStore
who = int(sys.argv[1])
Path(sys.argv[2], f"ready-{who}").touch()
while not Path(sys.argv[2], "go").exists():
    time.sleep(0.001)
for seed in (100, *range(who * 10, who * 10 + 5)):
    print(*RunStore().submit(RunConfig(ModelConfig(8), recipe=Recipe(seed=seed, device="cpu"))))
"""


def test_processes_that_submit_at_once(store, tmp_path, root):
    """Different configurations get different tickets; one that all of them submit is queued once."""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    processes = [
        subprocess.Popen([sys.executable, "-c", SUBMIT, str(who), str(tmp_path)], env=environment, stdout=subprocess.PIPE, text=True)
        for who in range(3)
    ]
    while len(list(tmp_path.glob("ready-*"))) < 3:
        assert all(process.poll() is None for process in processes)
        time.sleep(0.01)
    (tmp_path / "go").touch()
    lines = [line for process in processes for line in process.communicate()[0].splitlines()]
    assert all(process.returncode == 0 for process in processes)
    assert len(lines) == 18
    runs = store.runs()
    assert len(runs) == 16
    tickets = [json.loads((run.path / "state.json").read_text())["ticket"] for run in runs]
    assert sorted(tickets) == list(range(1, 17))
    assert sum(line.endswith("False") for line in lines) == 2
    assert sorted(run.config.recipe.seed for run in store.queue()) == sorted([100, *(w * 10 + i for w in range(3) for i in range(5))])


# -- the same training again ----------------------------------------------------------------------------------------------------


def test_an_identical_configuration_is_not_trained_again(store):
    run, _ = store.submit(config())
    assert store.submit(config(), name="another name") == (run, False)
    assert run.name == "ResNet-8-w4"
    assert store.find(config()) == run
    assert store.find(config(seed=1)) is None
    second, is_new = store.submit(config(), again=True)
    third, _ = store.submit(config(), again=True)
    assert is_new
    assert ids([second, third]) == [f"{run.id}-2", f"{run.id}-3"]
    assert store.submit(config(seed=1))[1] and store.submit(config(shortcut="none"))[1]


def test_of_several_the_one_with_the_most_to_show_is_offered(store):
    runs = [store.submit(config(), again=True)[0] for _ in range(3)]
    assert store.find(config()) == runs[2]  # the newest of equals
    put(store, runs[0], state="finished")
    put(store, runs[2], state="failed")
    assert store.find(config()) == runs[0]
    put(store, runs[0], state="diverged")
    assert store.find(config()) == runs[1]


# -- names ----------------------------------------------------------------------------------------------------------------------


def test_runs_are_found_by_id_name_or_beginning(store):
    plain, residual = store.submit(config(shortcut="none"))[0], store.submit(config())[0]
    assert store.get(plain.id) == store.get(" plain-8-w4 ") == store.get("plain-8") == plain
    store.rename(residual.id, plain.id)  # an id goes before a name
    assert store.get(plain.id) == plain
    store.rename(residual.id, "plain-8-w4")
    with pytest.raises(RunError, match=f"several runs: {plain.id}, {residual.id}"):
        store.get("plain-8-w4")
    with pytest.raises(RunError, match=f"'nonsense'.*There are {plain.id}, {residual.id}"):
        store.get("nonsense")
    with pytest.raises(RunError, match="No run"):
        store.get("")


def test_rename(store):
    run = store.submit(config())[0]
    store.rename(run.id, "  Größe 2 × ²  ")
    assert run.name == store.get("Größe 2 × ²").name == "Größe 2 × ²"
    assert run.id == store.get(run.id).id
    store.rename(run.id, "x" * 80)
    for bad, message in [
        ("", "empty"),
        ("   ", "empty"),
        ("x" * 81, "at most 80"),
        ("a\nb", "control"),
        ("a\x00b", "control"),
        ("a\u202eb", "control"),
    ]:
        with pytest.raises(RunError, match=message):
            store.rename(run.id, bad)
        with pytest.raises(RunError, match=message):
            store.submit(config(seed=9), name=bad)
    assert run.name == "x" * 80
    assert len(store.runs()) == 1


def test_a_damaged_name_is_no_damaged_run(store):
    run = store.submit(config(), name="mine")[0]
    for text in ("{", '{"name": 3}', "[]"):
        (run.path / "meta.json").write_text(text)
        assert store.get(run.id).name == "ResNet-8-w4"
    (run.path / "meta.json").unlink()
    assert store.runs()[0].name == "ResNet-8-w4"
    store.rename(run.id, "mine again")
    assert run.name == "mine again"


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
    (run.path / "records.jsonl").write_text('{"kind":"train","iteration":7,"elapsed_seconds":1}\n')
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
    lines = [json.dumps({"kind": "train", "iteration": i, "elapsed_seconds": t, "images_per_second": 4.0}) + "\n" for i, t in rows]
    (run.path / "records.jsonl").write_text(lines[0])
    assert (run.state().images_per_second, run.state().eta_seconds) == (4.0, None)
    (run.path / "records.jsonl").write_text("".join(lines))
    assert run.state().eta_seconds == pytest.approx(6 * 2.0)  # 6 iterations left, 2 s each
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
    assert ids(store.runs()) == ["copy", run.id]
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
    (run.path / "records.jsonl").write_bytes(b'{"kind":"train","iteration":1}\n\x00\x00\n')
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
