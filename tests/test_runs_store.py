"""The run store and its queue, without a worker: RESNET_LAB_SLOTS=0 leaves every run in the queue."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import time
from datetime import datetime

import pytest

from resnet_core.architectures import ResNetConfig
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.errors import DataError, RunError
from resnet_core.runs import home, launch
from tests.runs_tools import config, put


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
    assert (status.state, status.iteration, status.iterations, status.place) == ("queued", 0, 60, 1)
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
        store.submit(RunConfig(ResNetConfig(8), DataConfig("cifar10")), data_dir=store.home / "nowhere")
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
    print(*RunStore().submit(RunConfig(ResNetConfig(8), recipe=Recipe(seed=seed, device="cpu"))))
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
