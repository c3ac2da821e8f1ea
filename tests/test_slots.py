"""How many trainings at once, of which kind, and on how many threads: as set, else by the size of a batch."""

from __future__ import annotations

import pytest

from resnet_core import slots
from resnet_core.architectures import ResNetConfig, parse
from resnet_core.config import DataConfig, Recipe, RunConfig, demo_configs, join_configs
from resnet_core.runs import RunStore, launch
from tests import runs_tools
from tests.runs_tools import wait_for_end
from tests.waiting import wait_for

LIGHT, HEAVY = runs_tools.config(), runs_tools.config(batch_size=128)


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch):
    monkeypatch.delenv("RESNET_LAB_SLOTS", raising=False)


@pytest.fixture
def cores(monkeypatch):
    return lambda number: monkeypatch.setattr(slots.os, "sched_getaffinity", lambda _: set(range(number)), raising=False)


def test_small_batches_are_light():
    assert all(slots.is_light(config) for config in demo_configs() + join_configs() + [LIGHT])
    assert not slots.is_light(HEAVY) and not slots.is_light(RunConfig())
    of_64 = RunConfig(ResNetConfig(8), DataConfig(), Recipe(batch_size=64))
    assert slots.is_light(of_64)
    assert not slots.is_light(RunConfig(ResNetConfig(8), DataConfig(), Recipe(batch_size=65)))


@pytest.mark.parametrize(("number", "further"), [(1, 0), (2, 1), (3, 2), (4, 3), (64, 3)])
def test_each_further_core_is_for_light_trainings(cores, number, further):
    cores(number)
    assert slots.slots("cpu") == [False] + [True] * further
    assert slots.slots("cuda") == slots.slots("mps") == [False]
    assert (slots.threads(LIGHT, number), slots.threads(HEAVY, number)) == (1, number)


def test_what_is_set_holds_for_all(monkeypatch, cores):
    cores(4)
    for text, number, threads in (("0", 0, 8), ("1", 1, 8), ("2", 2, 4), ("16", 16, 1)):
        monkeypatch.setenv("RESNET_LAB_SLOTS", text)
        assert slots.slots("cpu") == slots.slots("cuda") == [False] * number
        assert slots.threads(LIGHT, 8) == slots.threads(HEAVY, 8) == threads


def test_only_light_ones_are_taken_to_a_further_core(cores, monkeypatch):
    cores(2)
    started = []
    monkeypatch.setattr(launch, "_start", lambda home, slot, lock: started.append(slot))
    store = RunStore()
    heavy, _, light = (store.submit(config)[0] for config in (HEAVY, runs_tools.config(1, batch_size=128), LIGHT))
    assert [launch.is_for_light(slot) for slot in ("cpu-0", "cpu-1", "cpu-2", "cuda-0")] == [False, True, False, False]
    with store.locked():
        assert (store.next_queued("cpu"), store.next_queued("cpu", only_light=True)) == (heavy, light)
    started.clear()
    launch.fill(store.home, "cpu", [HEAVY, HEAVY])
    assert started == ["cpu-0"]
    started.clear()
    launch.fill(store.home, "cpu", [HEAVY, HEAVY, LIGHT])
    assert started == ["cpu-0", "cpu-1"]
    started.clear()
    launch.fill(store.home, "cpu", [LIGHT])
    assert started == ["cpu-0"]


def test_a_plain_net_and_its_twin_are_trained_beside_each_other(tmp_path, monkeypatch):
    if slots.slots("cpu") == [False]:
        pytest.skip("one core: one training at a time")
    fake = runs_tools.Fake(tmp_path / "fake")
    fake.install(monkeypatch)
    with runs_tools.workers(RunStore()) as store:
        twins = [
            store.submit(RunConfig(parse(name), DataConfig(), Recipe(batch_size=32, device="cpu")))[0] for name in ("plain-8", "ResNet-8")
        ]
        wait_for(lambda: [run.state().state for run in twins] == ["running", "running"], "both trainings")
        fake.go()
        wait_for_end(*twins)
