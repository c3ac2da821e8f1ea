"""Folders that last as long as a file is looked at, and are gone soon after the process that made them is, however it ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from resnet_core.imports.refusal import ReaderFailed
from resnet_core.runs import files

_PREFIX, _HELD = "resnet-lab-scratch-", ".held"


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder of one's own. Whoever makes one first removes those whose makers were killed.

    Raises:
        ReaderFailed: there is no room for it, or no permission.
    """
    tidy()
    try:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        held = files.acquire(folder / ".new")
        os.rename(folder / ".new", folder / _HELD)  # the lock is the file's, whatever its name: nobody finds one that is not taken yet
    except OSError as error:
        raise ReaderFailed("no folder for temporary files could be made ({strerror})", strerror=error.strerror or error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if held is not None:
            files.release(held)


def tidy() -> None:
    """Removes the folders whose makers are gone: the lock that a living one holds is free."""
    for held in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_HELD}"):
        with contextlib.suppress(OSError):
            if not files.is_held(held):
                shutil.rmtree(held.parent, ignore_errors=True)
