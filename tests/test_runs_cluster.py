"""Trainings on a Ray cluster: what concerns it alone. That all else is as without it, tests/test_runs_recovery.py holds."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys

import pytest
from PIL import Image

from resnet_core.config import DataConfig, RunConfig, fitted
from resnet_core.data import pictures
from resnet_core.datasets import PICTURES
from resnet_core.errors import ConfigError, RunError
from resnet_core.runs import RunStore, executor, files, launch
from tests import runs_tools
from tests.runs_tools import assert_as_if_never_interrupted, config, end_workers, stored, untimed, wait_for_end
from tests.waiting import wait_for


@pytest.fixture
def store(monkeypatch, ray_cluster):
    monkeypatch.setenv("RESNET_LAB_EXECUTOR", "ray")
    monkeypatch.setenv("RAY_ADDRESS", ray_cluster.address)
    monkeypatch.delenv("RESNET_LAB_SLOTS")
    with runs_tools.workers(RunStore()) as store:
        yield store


def tended(store: RunStore, condition, what: str) -> None:
    """Waits, and looks after the workers meanwhile, as the app does: those of further places begin once the first knows of them."""

    def met() -> object:
        store.ensure_workers()
        return condition()

    wait_for(met, what, interval=0.1)


@pytest.mark.slow
def test_of_eight_trainings_on_three_nodes_none_loses_anything_when_a_node_dies(store, ray_cluster):
    runs = [store.submit(config(seed, iterations=120))[0] for seed in range(8)]
    tended(store, lambda: sum(run.state().state == "running" and len(run.checkpoints) > 0 for run in runs) >= 3, "three trainings")
    ray_cluster.remove_node(next(iter(ray_cluster.worker_nodes)), allow_graceful=False)
    try:
        tended(store, lambda: not any(run.state().is_active for run in runs), "the end of all")
    finally:
        ray_cluster.add_node(num_cpus=1, object_store_memory=100_000_000)
    for run in runs:
        assert_as_if_never_interrupted(run)
    logs = [(run.path / "worker.log").read_text() for run in runs]
    assert sum("the node is lost" in log for log in logs) == 1


@pytest.mark.slow
def test_who_waits_for_a_place_can_be_stopped(store, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "4")
    runs = [store.submit(config(seed, iterations=100_000))[0] for seed in range(4)]
    tended(store, lambda: sum(len(run.records()) > 2 for run in runs) == 3, "three trainings")
    (waiting,) = [run for run in runs if not run.records()]
    tended(store, lambda: waiting.state().state == "running", "the fourth one")
    store.stop(waiting.id)
    wait_for(lambda: waiting.state().state == "stopped", "its end")
    assert (waiting.state().iteration, waiting.state().message) == (0, "Stopped at iteration 0 of 100,000.")


@pytest.mark.slow
def test_a_data_set_goes_through_the_object_store(store, tmp_path):
    folder = tmp_path / "mine"
    for label, colour in enumerate(("red", "green", "blue")):
        for number in range(12):
            picture = folder / colour / f"{number}.png"
            picture.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (40, 36), tuple(10 * number if channel == label else 30 for channel in range(3))).save(picture)
    mine = DataConfig(PICTURES, validation=True, pictures=pictures.look(folder, 32))
    wanted = RunConfig(fitted(config().model, mine), mine, config(iterations=20).recipe)
    run = store.submit(wanted, data_dir=folder)[0]
    tended(store, lambda: not run.state().is_active, "the end")
    assert (run.state().state, run.state().message) == ("finished", "")
    assert untimed(run.records()) == runs_tools.reference(wanted, folder)[0]


def test_what_goes_wrong_on_a_node_is_told_as_if_it_were_here(store):
    run = store.submit(config(device="cuda"))[0]
    wait_for_end(run)
    assert (run.state().state, run.state().message) == (
        "failed",
        "device: no node of the cluster has a GPU that Ray knows of; choose cpu or auto.",
    )
    end_workers(store)


def test_where_nothing_answers_the_run_says_so_at_once(monkeypatch, store):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    run = store.submit(config())[0]
    wait_for_end(run)
    assert run.state().state == "failed"
    assert "The Ray cluster at 127.0.0.1:9 does not answer: [Errno 111] Connection refused. Look at RAY_ADDRESS" in run.state().message
    monkeypatch.setenv("RESNET_LAB_EXECUTOR", "local")
    store.resume(run.id)  # here now, as whoever resumes it says
    wait_for_end(run)
    assert (run.state().state, stored(run)["pool"]) == ("finished", launch.pool_of("cpu"))


@pytest.mark.slow
def test_without_an_address_a_cluster_of_our_own_is_started(monkeypatch):
    monkeypatch.setenv("RESNET_LAB_EXECUTOR", "ray")
    monkeypatch.delenv("RESNET_LAB_SLOTS")
    store = RunStore()
    with runs_tools.workers(store):
        run = store.submit(config())[0]
        wait_for_end(run)
        assert_as_if_never_interrupted(run)
        place = store.home / ".slots" / "cluster.json"
        assert (store.home / ".slots" / "cluster.token").stat().st_mode & 0o077 == 0
        os.kill(json.loads(place.read_text())["pid"], signal.SIGTERM)
        wait_for(lambda: not files.is_held(store.home / ".slots" / "cluster.lock"), "the end of the cluster")
        assert not place.exists()


def test_the_choice_of_an_executor(monkeypatch):
    assert executor.chosen() == "local"
    monkeypatch.setenv("RESNET_LAB_EXECUTOR", "Ray ")
    assert (executor.chosen(), launch.pool_of("cpu"), launch.pool_of("auto")) == ("ray", "ray", "ray")
    monkeypatch.setenv("RESNET_LAB_EXECUTOR", "slurm")
    with pytest.raises(RunError, match="RESNET_LAB_EXECUTOR: 'slurm' is not local or ray"):
        RunStore().submit(config())
    monkeypatch.setenv("RESNET_LAB_EXECUTOR", "ray")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RunError, match="Ray is not installed"):
        RunStore().submit(config())


def test_nothing_else_imports_ray(root):
    code = "import sys, resnet_core.cli, resnet_core.runs.worker, resnet_core.runs.session; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=root, timeout=120).returncode == 0


def test_our_own_cluster_is_needed_while_somebody_trains_on_it_or_waits_for_that(monkeypatch):
    from resnet_core.runs.cluster import own

    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    store = RunStore()
    store.submit(config(1))
    assert not own._is_needed(store.home)  # one that waits for a processor here
    monkeypatch.setenv("RESNET_LAB_EXECUTOR", "ray")
    run = store.submit(config(0))[0]
    assert own._is_needed(store.home)
    store.stop(run.id)
    assert not own._is_needed(store.home)
    (store.home / ".slots").mkdir(exist_ok=True)
    lock = files.acquire(launch.slot_path(store.home, "ray-3"))
    assert own._is_needed(store.home)
    files.release(lock)
    assert not own._is_needed(store.home)


def test_places_are_told_and_bounded(store):
    (store.home / ".slots").mkdir(parents=True)
    assert launch._kinds(store.home, "ray") == [False]
    launch.tell_places(store.home, "ray", 5)
    assert launch._kinds(store.home, "ray") == [False] * 5
    launch.tell_places(store.home, "ray", 10**9)
    assert len(launch._kinds(store.home, "ray")) == launch.MOST_PLACES
    (store.home / ".slots" / "ray.json").write_text("[")
    assert launch._kinds(store.home, "ray") == [False]
    assert not launch.is_for_light("ray-7")


def test_needs(monkeypatch):
    from resnet_core.runs.cluster import executor as remote

    def nodes(*resources):
        alive = [{"Alive": True, "Resources": each} for each in resources]
        monkeypatch.setattr(remote.ray, "nodes", lambda: [*alive, {"Alive": False, "Resources": {"CPU": 64, "GPU": 8}}])

    monkeypatch.delenv("RESNET_LAB_SLOTS")
    light, heavy = config(), config(batch_size=128)
    nodes({"CPU": 2.0}, {"CPU": 8.0}, {})
    assert remote._needs(light) == ({"num_cpus": 1}, 10)
    assert remote._needs(heavy) == ({"num_cpus": 8}, 1)
    with pytest.raises(ConfigError, match="no node of the cluster has a GPU"):
        remote._needs(config(device="cuda"))
    nodes({"CPU": 16.0, "GPU": 2.0}, {"CPU": 8.0, "GPU": 1.0})
    assert remote._needs(config(device="auto")) == ({"num_gpus": 1, "num_cpus": 0}, 3)
    assert remote._needs(config(device="cpu", batch_size=128)) == ({"num_cpus": 16}, 1)
