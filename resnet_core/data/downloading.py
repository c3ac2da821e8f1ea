"""Downloading CIFAR-10 through torchvision, whole or not at all.

Everything happens in a hidden folder beside the final place; only what was unpacked and read through without an error is
renamed to it. What a broken-off or killed download leaves behind is removed, at the latest by the next one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from resnet_core import atomic
from resnet_core.data.folders import BY_HAND, PYTHON, default_folder, find
from resnet_core.errors import DataError
from resnet_core.language import tr

#: As in torchvision.datasets.CIFAR10 (a test compares), which is not imported for it; and the archive's size.
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
MD5 = "c58f30108f718f92721af3b95e74349a"
ARCHIVE_BYTES = 170_498_071
#: Names inside the folder of downloads.
PART, LOCK = ".cifar-10-download", ".cifar-10-download.lock"
#: Seconds between two looks at how far it is.
INTERVAL = 0.2

Progress = Callable[[int, int], None]


def _is_whole(folder: Path) -> bool:
    try:
        find(folder)
    except DataError:
        return False
    return True


def _arrived(part: Path) -> int:
    """Bytes of the archive that are there."""
    try:
        return min((part / URL.rsplit("/", 1)[-1]).stat().st_size, ARCHIVE_BYTES)
    except OSError:
        return 0


@contextmanager
def _alone(place: Path, progress: Progress | None) -> Iterator[int]:
    """One download at a time in ``place``, over all processes; whoever waits is told the progress of the other."""
    descriptor = os.open(place / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if progress is not None:
                    progress(_arrived(place / PART), ARCHIVE_BYTES)
                time.sleep(INTERVAL)
        yield descriptor
    finally:
        os.close(descriptor)


def _fetch(part: Path, lock: int, progress: Progress | None) -> None:
    """Download and unpack into ``part``. Raises DataError if that fails."""
    # The child holds the lock too: should this process be killed, nobody clears the folder while the child still writes to it.
    command = [sys.executable, "-P", str(Path(__file__).with_name("fetch.py")), URL, MD5, str(part)]
    pipe, none = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, pass_fds=(lock,), text=True, stdin=pipe, stdout=pipe, stderr=none) as process:
        try:
            while process.poll() is None:
                if progress is not None:
                    progress(_arrived(part), ARCHIVE_BYTES)
                time.sleep(INTERVAL)
            assert process.stdout is not None  # a pipe
            reason = process.stdout.read().strip().rstrip(".")
        finally:
            process.kill()  # a progress callback may raise, e.g. KeyboardInterrupt
    if process.returncode != 0:
        raise DataError(
            "CIFAR-10 could not be downloaded from {url}: {reason} ({arrived:,} of {archive_bytes:,} bytes had "
            "arrived). Nothing was kept of it. Try again when the network is there, or by hand: {by_hand}.",
            url=URL,
            reason=reason or tr("the downloading process ended ({returncode})", returncode=process.returncode),
            arrived=_arrived(part),
            archive_bytes=ARCHIVE_BYTES,
            by_hand=BY_HAND,
        )


def download(progress: Progress | None = None, to: Path | None = None) -> Path:
    """Download the full CIFAR-10 (170 MB), unless it is there already.

    Args:
        progress: called several times a second, in this thread, with bytes done and bytes in total. If it raises, the download ends.
        to: the folder to put ``cifar-10-batches-py`` into; by default ``~/.cache/resnet-lab``, where ``load`` finds it.

    Returns:
        The folder that holds the batches, fit as a ``data_dir``.

    Raises:
        DataError: the network, the disk or what arrived was at fault; says what was tried and how to provide the data by hand.
    """
    from resnet_core.data.readers import read

    place = default_folder() if to is None else Path(os.path.expanduser(to))
    final, part = place / PYTHON.folder, place / PART
    if _is_whole(final):
        return final
    try:
        place.mkdir(parents=True, exist_ok=True)
        with _alone(place, progress) as lock:
            if _is_whole(final):  # somebody else's download, while this one waited
                return final
            shutil.rmtree(part, ignore_errors=True)
            try:
                part.mkdir()
                _fetch(part, lock, progress)
                read(*find(part / PYTHON.folder))
                atomic.put_folder(part / PYTHON.folder, final, part / "old")  # what was there (it is not whole) goes away with ``part``
            finally:
                shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise DataError(
            "CIFAR-10 could not be downloaded to {place}: {error}. Name another folder, or by hand: {by_hand}.",
            place=place,
            error=error,
            by_hand=BY_HAND,
        ) from error
    if progress is not None:
        progress(ARCHIVE_BYTES, ARCHIVE_BYTES)
    return final
