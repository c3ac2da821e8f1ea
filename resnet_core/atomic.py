"""Files and folders that are there as a whole or not at all, whoever is killed meanwhile and whoever else writes."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path


def sync(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def replacing(path: Path, temporary: str = "") -> Iterator[Path]:
    """Give a path beside ``path`` to write to; at the end it takes the place of ``path`` in one step, and an exception leaves nothing.

    Args:
        temporary: its name, where only one can write at a time, so that what a killed process has left is written over; by default one
            that no other has.

    Raises:
        OSError: the disk is full or the folder cannot be written; ``path`` is as it was.
    """
    written = path.with_name(temporary or f".{path.name}-{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield written
        sync(written)
        os.replace(written, path)
    except BaseException:
        written.unlink(missing_ok=True)
        raise
    sync(path.parent)


@contextlib.contextmanager
def new_folder(final: Path) -> Iterator[Path]:
    """Give an empty folder beside ``final`` to fill; at the end it is called ``final``, and an exception leaves nothing.

    Where somebody else was quicker, theirs stays. Raises OSError.
    """
    made = final.with_name(f".{final.name}-{uuid.uuid4().hex[:8]}.tmp")
    made.mkdir()
    try:
        yield made
        with contextlib.suppress(FileExistsError):
            if not final.exists():
                os.rename(made, final)
        sync(final.parent)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def put_folder(new: Path, final: Path, aside: Path) -> None:
    """Rename the folder ``new`` to ``final``; what was there is ``aside`` afterwards, or back where renaming fails. Raises OSError."""
    if final.exists():
        os.rename(final, aside)
    try:
        os.rename(new, final)
    except OSError:
        if aside.exists():
            os.rename(aside, final)
        raise
    sync(final.parent)
