"""The command line as its user has it: a process of its own, with stdout, stderr and an exit status."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil

from resnet_core.runs import RunStore
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
#: A net and a recipe that train in seconds; fp32 without compiling leaves the probe nothing to measure.
TINY = ["--depth", "8", "--width", "4", "--batch-size", "16", "--precision", "fp32", "--device", "cpu", "--compile", "off"]


class CommandLine:
    """``python -m resnet_core`` with the run folder ``home``."""

    def __init__(self, home: Path, **environment: str):
        self.home = home
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RESNET_LAB_")}
        # One thread: these nets are too small for more, and threads that wait for each other starve where much else runs.
        own = {"RESNET_LAB_HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self.environment = clean | own | environment

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """The process, its stdout and stderr piped unless ``options`` say otherwise."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
        return subprocess.Popen([sys.executable, "-m", "resnet_core", *arguments], env=self.environment, cwd=self.home.parent, **options)

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def json(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        """The object on the last line of stdout, after checking the exit status."""
        ended = self(*arguments, "--json")
        assert ended.returncode == status, ended.stderr
        return json.loads(ended.stdout.splitlines()[-1])

    @property
    def store(self) -> RunStore:
        return RunStore(self.home)

    def workers(self) -> list[psutil.Process]:
        """The worker processes of this home, and of no other."""
        return named("resnet_core.runs.worker", str(self.home), among=psutil.process_iter())

    def end_workers(self) -> None:
        workers = self.workers()
        for worker in workers:
            worker.kill()
        psutil.wait_procs(workers, timeout=PATIENCE)


def named(*words: str, among: Iterable[psutil.Process] | None = None) -> list[psutil.Process]:
    """Those of the processes (by default this one's children) with all the words in their command line.

    What ends while it is looked at, or has ended and was not asked for its end yet, has no command line.
    """
    found = []
    for each in psutil.Process().children() if among is None else among:
        with contextlib.suppress(psutil.Error):
            line = " ".join(each.cmdline())
            if all(word in line for word in words):
                found.append(each)
    return found
