"""What the tests of the worker share: waiting, tiny configurations, real and fake trainings."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil

from resnet_core.architectures import ResNetConfig
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.runs import Run, RunStore
from tests.waiting import wait_for

#: Fields of records and results that tell the time or the memory: the only ones that may differ between two equal trainings.
TIMING = ("images_per_second", "elapsed_seconds", "peak_memory_mb")


def config(seed: int = 0, shortcut: str = "A", **recipe) -> RunConfig:
    """A net that trains 60 iterations in a second or two. Checkpoints fall between records: no interval is a multiple of another."""
    values = {
        "iterations": 60,
        "batch_size": 8,
        "learning_rate": 0.02,
        "schedule": "linear",
        "device": "cpu",
        "precision": "fp32",
        "compile": "off",
    }
    values |= {"record_every": 3, "test_every": 20, "layers_every": 15, "checkpoint_every": 7}
    return RunConfig(ResNetConfig(8, shortcut, 4), DataConfig(), Recipe(seed=seed, **(values | recipe)))


def train_row(iteration: int, **values) -> dict:
    """A row with what every train row has."""
    return {"kind": "train", "iteration": iteration, "train_error": 50.0, "images": 8, "elapsed_seconds": 1.0} | values


def wait_for_end(*runs: Run) -> None:
    wait_for(lambda: not any(run.state().is_active for run in runs), f"the end of {runs}")


def put(store: RunStore, run: Run, **changes) -> None:
    """Changes state.json, as a worker would."""
    with store.locked():
        store.change(run, **changes)


def stored(run: Run) -> dict:
    """state.json as it is."""
    return json.loads((run.path / "state.json").read_text())


def untimed(rows: list[dict]) -> list[dict]:
    return [{key: value for key, value in row.items() if key not in TIMING} for row in rows]


def kill(run: Run) -> bool:
    """SIGKILL to the worker that trains ``run``, and waiting until the kernel has taken its locks. False if it had ended before."""
    try:
        os.kill(stored(run)["pid"], signal.SIGKILL)
    except ProcessLookupError:
        return False
    wait_for(lambda: run.state().state != "running", "the lock of a killed worker")
    return run.state().state == "interrupted"


def end_workers(store: RunStore) -> None:
    """No worker outlives its test, nor one that has not taken its run yet."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            command = process.cmdline()
            if "resnet_core.runs.worker" in command and str(store.home) in command:
                process.kill()


def threads() -> int:
    """That the workers of these tests compute with; one by default, because the tests share their processors."""
    return int(os.environ.get("OMP_NUM_THREADS", "1"))


@functools.cache
def reference(which: RunConfig, data_dir: Path | None = None) -> tuple[list[dict], dict]:
    """Rows without times, and the end record, of a training that nothing interrupts: the trainer alone, in this process."""
    import torch

    from resnet_core import data
    from resnet_core.kernels import build
    from resnet_core.training.engine import Trainer
    from resnet_core.training.plan import Plan

    before = torch.get_num_threads()
    try:
        plan = Plan("cpu", "fp32", False, threads(), fused=build.library() is not None)
        records = list(Trainer(which, data.load(which.data, data_dir), plan).run())
    finally:
        torch.set_num_threads(before)
    return untimed([r for r in records if r["kind"] not in ("checkpoint", "end")]), records[-1]


def assert_as_if_never_interrupted(run: Run) -> None:
    """The weights bit for bit, every row once, in order, and equal but for the times."""
    rows, end = reference(run.config)
    status = run.state()
    assert (status.state, status.iteration, status.message) == ("finished", end["iteration"], "")
    assert status.result["weights_sha256"] == end["weights_sha256"]
    assert untimed(run.records()) == rows
    assert untimed([status.result]) == untimed([{k: v for k, v in end.items() if k in status.result}])
    elapsed = [row["elapsed_seconds"] for row in run.records()]
    assert elapsed == sorted(elapsed)
    lines = (run.path / "records.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == run.records()


FAKE = """
import os, sys, time
from pathlib import Path
from resnet_core.runs import session
control = Path({control!r})
def train(run, data_dir, should_stop, note, executor):
    note(plan={{"fake": True}})
    (control / f"began-{{run.config.recipe.seed}}-{{os.getpid()}}").touch()
    end = {{"kind": "end", "iteration": 1, "message": "", "weights_sha256": ""}}
    {body}
    while not (control / "go").exists():
        if should_stop():
            return {{**end, "state": "stopped"}}
        time.sleep(0.005)
    return {{**end, "state": "finished"}}
session.train = train
"""


class Fake:
    """Worker processes that are real but for the training: each waits for ``go``. Started in a tenth of a second."""

    def __init__(self, folder: Path):
        self.folder = folder

    def install(self, monkeypatch, body: str = "pass") -> None:
        """``body``: a statement run first in each training; it may use ``run``, ``control`` and ``os``."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "sitecustomize.py").write_text(FAKE.format(control=str(self.folder), body=body))
        root = Path(__file__).resolve().parent.parent
        monkeypatch.setenv("PYTHONPATH", f"{self.folder}{os.pathsep}{root}")

    def go(self) -> None:
        (self.folder / "go").touch()

    def began(self) -> list[tuple[int, int]]:
        """(seed, process id) of each training that has begun."""
        return [
            tuple(map(int, path.name.split("-")[1:])) for path in sorted(self.folder.glob("began-*"), key=lambda p: p.stat().st_mtime_ns)
        ]


@contextlib.contextmanager
def workers(store: RunStore) -> Iterator[RunStore]:
    try:
        yield store
    finally:
        end_workers(store)
