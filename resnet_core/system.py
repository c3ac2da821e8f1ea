"""What the operating system must have. Standard library only, and imported before anything that needs it."""

from __future__ import annotations

import importlib

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
