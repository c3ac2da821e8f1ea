"""The worker in this process, with trainings that are fakes: what it does with the queue, and with all that can go wrong."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import shutil
import threading
import time

import pytest

from resnet_core.errors import DataError
from resnet_core.runs import RunStore, files, launch, session, worker
from tests import runs_tools
from tests.runs_tools import config, train_row
from tests.waiting import wait_for

END = {"kind": "end", "state": "finished", "iteration": 60, "message": "Finished.", "test_error": 50.0, "weights_sha256": "ab"}


@pytest.fixture
def store():
    with runs_tools.workers(RunStore()) as store:
        yield store


@pytest.fixture
def here(store, monkeypatch):
    """A function that works the queue off in this process, with the given function as the training."""
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    store.home.mkdir()
    (store.home / ".slots").mkdir()

    def work(train) -> None:
        monkeypatch.setattr(session, "train", lambda run, data_dir, should_stop, note, executor: train(run, data_dir, should_stop, note))
        worker.Worker(store, "cpu-0", files.acquire(launch.slot_path(store.home, "cpu-0"))).work()

    return work


def test_the_queue_is_worked_off_in_order(store, here):
    runs = [store.submit(config(seed))[0] for seed in range(3)]
    store.stop(runs[0].id)
    store.resume(runs[0].id)
    trained = []

    def train(run, data_dir, should_stop, note):
        assert run.state().state == "running" and files.is_held(run.path / "lock")
        note(plan={"device": "cpu"}, iteration=0)
        trained.append(run)
        os.write(1, b"a word\n")
        return END

    here(train)
    assert trained == [runs[1], runs[2], runs[0]]
    for run in runs:
        status = run.state()
        assert (status.state, status.iteration, status.message, status.plan) == ("finished", 60, "", {"device": "cpu"})
        assert status.result == {"test_error": 50.0, "weights_sha256": "ab"}
        assert status.started < status.ended
        assert not files.is_held(run.path / "lock")
        assert (run.path / "worker.log").read_text() == "a word\n"
    assert not files.is_held(launch.slot_path(store.home, "cpu-0"))


def test_a_request_to_stop_reaches_the_training(store, here):
    first, second = store.submit(config(0))[0], store.submit(config(1))[0]

    def train(run, data_dir, should_stop, note):
        if run == second:
            return END
        assert not should_stop()
        store.stop(run.id)
        assert run.state().stopping
        wait_for(should_stop, "the request")
        return {**END, "state": "stopped", "message": "Stopped at iteration 60."}

    here(train)
    assert first.state().state == "stopped" and first.state().message == "Stopped at iteration 60."
    assert not first.state().stopping
    assert second.state().state == "finished"  # the request was for the other


OUT_OF_MEMORY = [
    MemoryError(),
    RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] data. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
    RuntimeError("MPS backend out of memory"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda e: str(e)[:20])
def test_out_of_memory_names_what_to_lower_and_the_queue_goes_on(store, here, error):
    first, second = store.submit(config(0))[0], store.submit(config(1))[0]

    def train(run, data_dir, should_stop, note):
        if run == first:
            (run.path / "records.jsonl").write_text(json.dumps(train_row(7)) + "\n")
            raise error
        return END

    here(train)
    status = first.state()
    assert (status.state, status.iteration) == ("failed", 7)
    for part in ("Out of memory after iteration 7", "batch size (8)", "width (4)", "depth (8)"):
        assert part in status.message
    assert type(error).__name__ in (first.path / "worker.log").read_text()
    assert second.state().state == "finished"


def test_torchs_own_out_of_memory_error_is_known(store):
    import torch

    run = store.home / "x"
    assert session._is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert session._is_out_of_memory(caught.value), caught.value
    assert not session._is_out_of_memory(RuntimeError("shape mismatch"))
    assert not run.exists()


def test_a_users_error_is_told_as_it_is(store, here):
    first, second = store.submit(config(0))[0], store.submit(config(1))[0]

    def train(run, data_dir, should_stop, note):
        if run == first:
            raise DataError("data_batch_3 is missing; download it again.")
        return END

    here(train)
    assert (first.state().state, first.state().message) == ("failed", "data_batch_3 is missing; download it again.")
    assert second.state().state == "finished"


def test_a_full_disk_is_told_even_when_nothing_more_can_be_written(store, here, monkeypatch):
    """state.json cannot be replaced then, because that takes a new block; it is overwritten in place."""
    run = store.submit(config())[0]

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def train(run, data_dir, should_stop, note):
        monkeypatch.setattr(os, "replace", full)
        with open("/dev/full", "wb") as log:  # worker.log takes nothing either
            os.dup2(log.fileno(), 2)
        full()

    here(train)
    monkeypatch.undo()
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    status = run.state()
    assert status.state == "failed"
    assert "No space left on device; free some space" in status.message and "resume" in status.message
    assert not files.is_held(run.path / "lock")
    store.resume(run.id)
    assert run.state().state == "queued"


def test_a_full_disk_is_known_from_the_checkpoints_writer_too(store, here):
    import safetensors

    run, other = store.submit(config())[0], store.submit(config(1))[0]

    def train(run, data_dir, should_stop, note):
        raise safetensors.SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    here(train)
    assert run.state().message == f"{run.path}: No space left on device; free some space there (deleting runs helps). Then resume the run."
    assert other.state().state == "failed"  # it went on: nothing is wrong with the process


def test_an_unexpected_error_is_short_on_the_page_and_whole_in_the_log(store, here):
    run, other = store.submit(config())[0], store.submit(config(1))[0]

    def train(run, data_dir, should_stop, note):
        raise ZeroDivisionError("first line\nsecond line")

    here(train)
    assert run.state().state == "failed"
    assert (
        run.state().message
        == f"Unexpected error after iteration 0: ZeroDivisionError: first line The traceback is in {run.path / 'worker.log'}."
    )
    assert "Traceback" in (run.path / "worker.log").read_text()
    assert other.state().state == "queued"  # for another process
    assert not files.is_held(launch.slot_path(store.home, "cpu-0"))


def test_a_run_whose_lock_is_held_by_a_stranger_does_not_block_the_queue(store, here, monkeypatch):
    first, second = store.submit(config(0))[0], store.submit(config(1))[0]
    acquire, lock = files.acquire, files.acquire(first.path / "lock")
    monkeypatch.setattr(files, "acquire", lambda path, timeout=0.0: acquire(path, min(timeout, 0.05) if path.name == "lock" else timeout))
    here(lambda *_: END)
    assert first.state().state == "failed" and "Another process holds" in first.state().message
    assert second.state().state == "finished"
    files.release(lock)


def test_a_run_removed_by_hand_while_it_is_trained(store, here):
    first, second = store.submit(config(0))[0], store.submit(config(1))[0]

    def train(run, data_dir, should_stop, note):
        if run == first:
            shutil.rmtree(run.path)
        return END

    here(train)
    assert store.runs() == [second] and store.broken() == []
    assert second.state().state == "finished"


def test_no_run_is_lost_or_trained_twice_when_workers_end_as_runs_come(store, monkeypatch):
    """Workers that end within a millisecond, and three threads that submit: the moment between the last look at the queue and the
    free slot is hit many times."""
    trained, workers_started, errors = [], [], []

    def train(run, data_dir, should_stop, note):
        trained.append(run.id)
        return END

    def start(home, slot, lock):
        mine = os.dup(lock)  # as a child process would have it

        def work():
            try:
                worker.Worker(RunStore(home), slot, mine).work()
            except Exception as error:
                errors.append(error)

        workers_started.append(threading.Thread(target=work))
        workers_started[-1].start()

    def submit(seeds):
        pause = random.Random(seeds[0])
        for number, seed in enumerate(seeds, 1):
            store.submit(config(seed))
            time.sleep(pause.choice([0, 0.002, 0.02]))
            if number % 10 == 0:  # now and then a worker does end, however busy the machine is
                for thread in list(workers_started):
                    thread.join()

    monkeypatch.setattr(worker.gc, "collect", lambda: None)
    monkeypatch.setattr(os, "fsync", lambda fd: None)  # what a power cut would lose is not the question here
    monkeypatch.setattr(session, "train", lambda run, data_dir, should_stop, note, executor: train(run, data_dir, should_stop, note))
    monkeypatch.setattr(launch, "_start", start)
    monkeypatch.setattr(worker, "_output_to", lambda run: contextlib.nullcontext())
    submitters = [threading.Thread(target=submit, args=(range(i, 90, 3),)) for i in range(3)]
    for thread in submitters:
        thread.start()
    for thread in submitters:
        thread.join()
    for thread in workers_started:
        thread.join()
    assert errors == []
    assert len(trained) == len(set(trained)) == 90
    assert {run.state().state for run in store.runs()} == {"finished"}
    assert store.queue() == []
    assert len(workers_started) > 1, "no worker ended in between: the test did not test"
