"""Real trainings that are killed, stopped and damaged, and end as if nothing had happened: bit for bit, row for row.

``RESNET_LAB_TEST_KILLS`` is the number of SIGKILLs of the random test, ``RESNET_LAB_TEST_SEED`` the seed of their moments.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from pathlib import Path

import pytest

from resnet_core.errors import CheckpointError, RunError
from resnet_core.nets import find
from resnet_core.nets.loading import read_weights
from resnet_core.runs import Run, RunStore, executor, files, launch, session
from tests import runs_tools
from tests.page_tools import held
from tests.runs_tools import assert_as_if_never_interrupted, config, kill, put, reference, stored, untimed, wait_for_end
from tests.waiting import wait_for

KILLS = int(os.environ.get("RESNET_LAB_TEST_KILLS", "5"))
SEED = int(os.environ.get("RESNET_LAB_TEST_SEED", "1"))


#: What is told of a run, and what becomes of it, is the same wherever it is computed.
over_both = pytest.mark.parametrize("store", ["local", "ray"], indirect=True)


@pytest.fixture
def store(request, monkeypatch):
    name = getattr(request, "param", "local")
    if name == "ray":
        monkeypatch.setenv("RAY_ADDRESS", request.getfixturevalue("ray_cluster").address)
    monkeypatch.setenv("RESNET_LAB_EXECUTOR", name)
    monkeypatch.setenv("OMP_NUM_THREADS", str(runs_tools.threads()))
    with runs_tools.workers(RunStore()) as store:
        yield store


def trained(run) -> int:
    """The iteration of the last row that is written."""
    rows = run.records()
    return rows[-1]["iteration"] if rows else -1


def saved(run) -> int:
    return int(run.checkpoints[-1].name.removeprefix("iter-")) if run.checkpoints else 0


@over_both
def test_stopped_and_resumed_it_ends_as_if_never_stopped(store):
    run, other = store.submit(config())[0], store.submit(config(shortcut="none"))[0]
    wait_for(lambda: trained(run) >= 9, "the training")
    store.stop(run.id)
    wait_for(lambda: run.state().state == "stopped", "the stop")
    status = run.state()
    assert 9 <= status.iteration < 60 and status.message.startswith("Stopped at iteration")
    assert saved(run) == status.iteration  # nothing is lost by stopping
    assert status.plan["precision"] == "fp32" and status.plan["threads"] == runs_tools.threads()
    store.resume(run.id)
    wait_for_end(run, other)
    assert_as_if_never_interrupted(run)
    assert_as_if_never_interrupted(other)
    assert [saved(run), saved(other)] == [60, 60]
    logs = [(r.path / "worker.log").read_text() for r in (run, other)]
    assert [log.count("training") for log in logs] == [2, 1]
    with pytest.raises(RunError, match="is finished"):
        store.resume(run.id)


def kill_at(run, target: int, delay: float) -> bool:
    """SIGKILL ``delay`` seconds after a worker has written a row of iteration ``target`` (-1: after it has taken the run)."""
    wait_for(lambda: run.state().state == "running", "a worker")
    # Rows of the last attempt are still there until the checkpoint is loaded: a sign of this one is its line in the log.
    log, mark = run.path / "worker.log", f"process {stored(run)['pid']} "
    if target >= 0:
        wait_for(
            lambda: not run.state().is_active or (log.exists() and mark in log.read_text() and trained(run) >= target),
            f"iteration {target}",
        )
    time.sleep(delay)
    return kill(run)


@pytest.mark.slow
@over_both
def test_sigkill_at_random_moments_loses_nothing(store):
    """The first kill comes while the worker is still loading, the others anywhere from the first row to the end."""
    moments = random.Random(SEED)
    kills = KILLS if executor.chosen() == executor.LOCAL else min(KILLS, 2)  # a process that knows Ray takes seconds to start
    killed, seed = 0, 0
    run = store.submit(config(seed))[0]
    while killed < kills:
        if not run.state().is_active:
            assert_as_if_never_interrupted(run)
            seed += 1
            run = store.submit(config(seed))[0]
        delay, target = (moments.uniform(0, 0.15), saved(run) + moments.randint(0, 12)) if killed else (moments.uniform(0, 1.5), -1)
        if not kill_at(run, target, delay):
            wait_for_end(run)
            continue
        killed += 1
        status = run.state()
        print(f"SIGKILL {killed}: row {target} + {delay * 1000:.0f} ms; rows to {trained(run)}, checkpoint {saved(run)}")
        assert status.iteration == max(trained(run), saved(run), 0)
        # What is trained again: at most the interval between checkpoints, and the one that was not yet renamed.
        assert status.iteration - saved(run) < 2 * 7
        assert [r["iteration"] for r in run.records("train")] == [1, *range(3, 61, 3)][: len(run.records("train"))]
        store.resume(run.id)
    wait_for_end(run)
    assert_as_if_never_interrupted(run)
    print(f"{killed} SIGKILLs over {seed + 1} trainings; weights and rows are those of trainings without")


@pytest.mark.slow
def test_killed_before_the_first_checkpoint_while_saving_one_and_with_a_damaged_one(store):
    run = store.submit(config())[0]
    wait_for(lambda: trained(run) >= 0, "the first row")
    assert kill(run)
    first_try = saved(run)
    assert first_try < 60

    # The worker is killed as soon as a checkpoint that is being written is seen. Should it have been renamed by then, half a one is
    # put there: what a kill a millisecond earlier would have left.
    store.resume(run.id)
    folder = run.path / "checkpoints"
    wait_for(
        lambda: not run.state().is_active or (saved(run) >= 14 and list(folder.glob(".iter-*.tmp"))),
        "a checkpoint being written",
        interval=0,
    )
    assert kill(run)
    if not list(folder.glob(".iter-*.tmp")):
        half = folder / f".iter-{saved(run) + 7:08d}.tmp"
        half.mkdir()
        (half / "model.safetensors").write_bytes((run.checkpoints[-1] / "model.safetensors").read_bytes()[:1000])
    [leftover] = list(folder.glob(".iter-*.tmp"))
    before = saved(run)
    assert before >= 14

    # Its newest whole checkpoint is then damaged: the one before it is used, and the damaged one is kept aside.
    damaged = run.checkpoints[-1]
    weights = (damaged / "model.safetensors").read_bytes()
    (damaged / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    store.resume(run.id)
    wait_for(lambda: list(folder.glob(".damaged-*")), "the damaged checkpoint to be set aside")
    wait_for_end(run)
    status = run.state()
    assert status.state == "finished"
    assert list(folder.glob(f".damaged-{damaged.name}-*")), "the damaged checkpoint was deleted"
    assert f"from iteration {before - 7} " in (run.path / "worker.log").read_text()
    assert not leftover.exists()
    assert_as_if_never_interrupted(run)


@pytest.mark.parametrize("by", ["nothing", "a folder", "a part"])
def test_missing_records_cost_the_curve_and_not_the_run(store, by):
    run = store.submit(config())[0]
    wait_for(lambda: saved(run) >= 21, "a checkpoint")
    assert kill(run)
    from_iteration, records = saved(run), run.path / "records.jsonl"
    content = records.read_bytes()
    records.unlink()
    if by == "a folder":
        records.mkdir()
    elif by == "a part":
        records.write_bytes(content[: len(content) // 4])
    store.resume(run.id)
    wait_for_end(run)
    status, (rows, end) = run.state(), reference(run.config)
    assert (status.state, status.result["weights_sha256"]) == ("finished", end["weights_sha256"])
    assert status.message == "Rows from before its checkpoint were missing in records.jsonl: the curve has a gap."
    seen = untimed(run.records())
    assert [row for row in seen if row["iteration"] > from_iteration] == [row for row in rows if row["iteration"] > from_iteration]
    assert all(row in rows for row in seen) and len(seen) < len(rows)
    assert bool(list(run.path.glob(".damaged-records.jsonl-*"))) == (by == "a folder")


def _flip(path: Path, at: int = -100) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def _no_sums(folder: Path) -> dict:
    """state.json as it was written before there were checksums."""
    state = json.loads((folder / "state.json").read_text())
    del state["sha256"]
    (folder / "state.json").write_text(json.dumps(state))
    return state


def _other_iteration(folder: Path) -> None:
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps(state | {"values": state["values"] | {"iteration": 3}}))


def _no_momentum(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    _no_sums(folder)
    save_file({"mean": load_file(folder / "training.safetensors")["mean"]}, folder / "training.safetensors")


FAULTS = {
    "a bit of the weights": lambda folder: _flip(folder / "model.safetensors"),
    "a bit of the momentum": lambda folder: _flip(folder / "training.safetensors"),
    "the state is a list": lambda folder: (folder / "state.json").write_text("[]"),
    "the state is nested": lambda folder: (folder / "state.json").write_text("[" * 100_000),
    "the state is empty": lambda folder: (folder / "state.json").write_text('{"values": {"iteration": 21}, "extra": {}}'),
    "another iteration": _other_iteration,
    "the weights are gone": lambda folder: (folder / "model.safetensors").unlink(),
    "a folder for weights": lambda folder: ((folder / "model.safetensors").unlink(), (folder / "model.safetensors").mkdir()),
    "no momentum, no sums": _no_momentum,
}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A real run that was stopped with two checkpoints, at 14 and 21, to be copied."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESNET_LAB_SLOTS", "0")
        store = RunStore(tmp_path_factory.mktemp("stopped"))
        run = store.submit(config())[0]
        put(store, run, state="running")
        looks = iter(range(100))
        with held(run):
            end = session.train(run, None, lambda: next(looks) >= 21, lambda **changes: put(store, run, **changes))
        assert (end["state"], saved(run), [p.name for p in run.checkpoints]) == ("stopped", 21, ["iter-00000014", "iter-00000021"])
        put(store, run, state="stopped", iteration=21)
        return run


@pytest.mark.parametrize("fault", FAULTS)
def test_any_fault_of_the_newest_checkpoint_means_the_one_before(stopped, tmp_path, fault):
    run = _copy_of(stopped, tmp_path)
    FAULTS[fault](run.checkpoints[-1])
    notes: dict = {}
    end = session.train(run, None, lambda: False, lambda **changes: notes.update(changes))
    rows, expected = reference(run.config)
    assert (end["state"], end["weights_sha256"]) == ("finished", expected["weights_sha256"])
    assert (notes["iteration"], untimed(run.records())) == (14, rows)
    assert "iter-00000021 could not be read; the training went on from the one before it" in notes["message"]
    assert list((run.path / "checkpoints").glob(".damaged-iter-00000021-*"))


def test_a_damaged_checkpoint_is_not_sent_to_a_node(stopped, tmp_path):
    from resnet_core.runs.cluster.executor import _contents

    run = _copy_of(stopped, tmp_path)
    whole, warnings = _contents(run)
    parts = ("model.safetensors", "state.json", "training.safetensors")
    expected = {f"checkpoints/iter-{at:08d}/{part}" for at in (14, 21) for part in parts} | {"run.json", "state.json"}
    assert (set(whole), warnings) == (expected, [])
    assert all((run.path / path).read_bytes() == content for path, content in whole.items())
    _flip(run.checkpoints[-1] / "model.safetensors")
    less, warnings = _contents(run)
    assert set(less) == {path for path in expected if "iter-00000021" not in path}
    assert len(warnings) == 1 and "iter-00000021 could not be read" in warnings[0]
    assert list((run.path / "checkpoints").glob(".damaged-iter-00000021-*"))


def test_checkpoints_from_before_there_were_sums_are_read(stopped, tmp_path):
    run = _copy_of(stopped, tmp_path)
    for folder in run.checkpoints:
        _no_sums(folder)
    notes: dict = {}
    end = session.train(run, None, lambda: False, lambda **changes: notes.update(changes))
    assert (end["weights_sha256"], notes["iteration"], notes["message"]) == (reference(run.config)[1]["weights_sha256"], 21, "")


def test_with_no_whole_checkpoint_the_training_begins_anew(stopped, tmp_path):
    run = _copy_of(stopped, tmp_path)
    for folder in run.checkpoints:
        _flip(folder / "model.safetensors")
    notes: dict = {}
    end = session.train(run, None, lambda: False, lambda **changes: notes.update(changes))
    rows, expected = reference(run.config)
    assert (end["weights_sha256"], notes["iteration"], untimed(run.records())) == (expected["weights_sha256"], 0, rows)


def test_a_flipped_bit_is_no_net_to_look_into(stopped, tmp_path):
    run = _copy_of(stopped, tmp_path)
    net = find(run.id, run.path.parent)
    assert read_weights(net).net.iteration == 21
    _flip(run.checkpoints[-1] / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"iter-00000021 cannot be read \(the checksum of model\.safetensors is"):
        read_weights(find(run.id, run.path.parent))


def test_weights_can_be_read_by_whom_the_records_can(stopped):
    modes = {path.name: path.stat().st_mode & 0o777 for path in stopped.path.rglob("*") if path.is_file() and path.name != "lock"}
    assert {"model.safetensors", "training.safetensors", "records.jsonl"} <= set(modes)
    assert len(set(modes.values())) == 1, modes


def _copy_of(run: Run, place: Path) -> Run:
    shutil.copytree(run.path, place / "runs" / run.id)
    return Run(place / "runs" / run.id)


@over_both
def test_divergence_ends_the_run_and_names_the_iteration(store):
    # Each update multiplies the weights by 1 - 100.
    run = store.submit(config(learning_rate=100.0, schedule="constant", weight_decay=1.0, record_every=1))[0]
    wait_for_end(run)
    status = run.state()
    assert status.state == "diverged"
    assert f"at iteration {status.iteration}" in status.message
    assert 1 <= status.iteration < 60
    assert run.records("train")[-1]["iteration"] == status.iteration - 1
    with pytest.raises(RunError, match="would do so again"):
        store.resume(run.id)


@over_both
def test_delete_of_a_real_training(store):
    run = store.submit(config(iterations=100_000))[0]
    wait_for(lambda: trained(run) >= 1, "the training")
    store.delete(run.id)
    assert store.runs() == [] and store.broken() == []
    assert [p.name for p in store.home.iterdir() if not p.name.startswith(".")] == []
    assert not list(store.home.glob(".deleted-*"))
    wait_for(lambda: not files.is_held(launch.slot_path(store.home, f"{launch.pool_of('cpu')}-0")), "the end of the worker")
    shutil.rmtree(store.home)  # nothing writes there any more
    time.sleep(0.3)
    assert not store.home.exists()
