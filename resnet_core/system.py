"""What the operating system must have, and where it keeps what is known of the machine. Standard library only, and imported first."""

from __future__ import annotations

import importlib
import os
import platform
from pathlib import Path

#: ``fcntl``: locks that pass from one process to another and die with it; ``resource``: limits for processes that read foreign files.
_NEEDED = ("fcntl", "resource")


def problem() -> str:
    """What is to be said where ResNet Lab cannot run; empty where it can."""
    for name in _NEEDED:
        try:
            importlib.import_module(name)
        except ImportError:
            return (
                f"ResNet Lab runs on Linux and macOS. This system lacks what its queue of trainings is built on (Python's {name} module). "
                "On Windows, install WSL 2 and run it there."
            )
    return ""


def with_this_code() -> dict[str, str]:
    """Give the environment for a process of Python that finds this code, wherever it is started, before what it would find by itself."""
    paths = str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def cache_folder() -> Path:
    """Where answers about the machine are kept: ``resnet-lab`` in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "resnet-lab"


def processor() -> str:
    """Name the processor with the cores that this process may use, e.g. ``AMD EPYC, 2 cores``."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            name = next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} core{'' if cores == 1 else 's'}"
