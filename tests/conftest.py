"""What all tests share: no test sees or touches the developer's own runs, data or settings."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import psutil
import pytest

from resnet_core import pace
from tests import chromium
from tests.command_line import CommandLine

ROOT = Path(__file__).resolve().parent.parent

# A background job of a shell ignores Ctrl-C, and so would every process of the tests, those too that are to be stopped by it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests share the processors with each other or with other work, and threads that wait for each other starve. torch is not loaded yet.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Tens of thousands of small files, written through to a disk, take minutes; in memory no time. Few stay: those of tests that failed.
MEMORY, ROOM = Path("/dev/shm"), 6 << 30
if os.access(MEMORY, os.W_OK) and min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available) > ROOM:
    for name in ("TMPDIR", "PYTEST_DEBUG_TEMPROOT"):  # pytest has asked for the first one by now
        os.environ.setdefault(name, str(MEMORY))


@pytest.fixture(autouse=True)
def _own_home(tmp_path, tmp_path_factory, monkeypatch):
    """Every test has its own run folder, no shipped checkpoints but those it makes, no data set but the embedded sample, and one slot.

    What the probe finds is kept for all tests. No speed is: a page that is drawn here would have it measured, beside all tests that follow.
    """
    for name in [name for name in os.environ if name.startswith("RESNET_LAB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RESNET_LAB_HOME", str(tmp_path / "runs"))
    shared = tmp_path_factory.getbasetemp()
    (shared / "no-checkpoints").mkdir(exist_ok=True)
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(shared / "no-checkpoints"))
    monkeypatch.setenv("RESNET_LAB_SLOTS", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared / "cache"))
    (shared / "cache" / "resnet-lab" / "pace.json").unlink(missing_ok=True)
    monkeypatch.setattr(pace, "begin", lambda: None)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The system's Chromium; the test fails, rather than being skipped, where there is none."""
    path = chromium.find()
    if path is None:
        pytest.fail(chromium.MISSING)
    return path


@pytest.fixture(scope="session")
def ray_cluster(tmp_path_factory):
    """A Ray cluster of three nodes, for trainings that have its address in RAY_ADDRESS."""
    from tests.cluster_tools import cluster

    with cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
def toys():
    """A family from outside of the project, for this test only."""
    from resnet_core.architectures import FAMILIES
    from tests.toy_family import FAMILY

    FAMILIES["toy"] = FAMILY  # importing the module has registered it, for the first test that does
    yield
    del FAMILIES["toy"]


@pytest.fixture
def cli(tmp_path):
    """Calls ``python -m resnet_core`` in a process of its own, on the test's own run folder; the workers it leaves are ended."""
    line = CommandLine(tmp_path / "runs")
    yield line
    line.end_workers()


@pytest.fixture
def store(monkeypatch):
    """The test's own run folder, where whatever is submitted stays in the queue."""
    from resnet_core.runs import RunStore

    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    return RunStore()


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Trainings of real workers that wait for ``go``."""
    from tests.runs_tools import Fake

    made = Fake(tmp_path / "fake")
    made.install(monkeypatch)
    return made
