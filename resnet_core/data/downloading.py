"""Downloading a data set through torchvision, whole or not at all.

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
from resnet_core.data.folders import by_hand, default_folder, find, is_whole
from resnet_core.datasets import DATA_SETS, DataSet
from resnet_core.errors import DataError
from resnet_core.language import tr

#: Seconds between two looks at how far it is.
INTERVAL = 0.2

Progress = Callable[[int, int], None]


def _lock(dataset: DataSet) -> str:
    return f".{dataset.key}-download.lock"


def _part(dataset: DataSet) -> str:
    """Name of the hidden folder that a download happens in."""
    return f".{dataset.key}-download"


def _arrived(part: Path, dataset: DataSet) -> int:
    """Bytes that are there of what is downloaded."""
    found = 0
    for each in dataset.fetched:
        for place in (part, part / dataset.unpacked):
            try:
                found += min((place / each.name).stat().st_size, each.size)
                break
            except OSError:
                continue
    return found


@contextmanager
def _alone(place: Path, dataset: DataSet, progress: Progress | None) -> Iterator[int]:
    """One download at a time in ``place``, over all processes; whoever waits is told the progress of the other."""
    descriptor = os.open(place / _lock(dataset), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if progress is not None:
                    progress(_arrived(place / _part(dataset), dataset), dataset.download_bytes)
                time.sleep(INTERVAL)
        yield descriptor
    finally:
        os.close(descriptor)


def _fetch(part: Path, dataset: DataSet, lock: int, progress: Progress | None) -> None:
    """Download and unpack into ``part``. Raises DataError if that fails."""
    # The child holds the lock too: should this process be killed, nobody clears the folder while the child still writes to it.
    pairs = [text for each in dataset.fetched for text in (each.url, each.md5)]
    command = [sys.executable, "-P", str(Path(__file__).with_name("fetch.py")), str(part), dataset.unpacked, *pairs]
    pipe, none = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, pass_fds=(lock,), text=True, stdin=pipe, stdout=pipe, stderr=none) as process:
        try:
            while process.poll() is None:
                if progress is not None:
                    progress(_arrived(part, dataset), dataset.download_bytes)
                time.sleep(INTERVAL)
            assert process.stdout is not None  # a pipe
            reason = process.stdout.read().strip().rstrip(".")
        finally:
            process.kill()  # a progress callback may raise, e.g. KeyboardInterrupt
    if process.returncode != 0:
        raise DataError(
            "{title} could not be downloaded from {url}: {reason} ({arrived:,} of {archive_bytes:,} bytes had "
            "arrived). Nothing was kept of it. Try again when the network is there, or by hand: {by_hand}.",
            title=dataset.title,
            url=dataset.fetched[0].url,
            reason=reason or tr("the downloading process ended ({returncode})", returncode=process.returncode),
            arrived=_arrived(part, dataset),
            archive_bytes=dataset.download_bytes,
            by_hand=by_hand(dataset),
        )


def download(progress: Progress | None = None, to: Path | None = None, key: str = "cifar10") -> Path:
    """Download a data set, CIFAR-10 (170 MB) by default, unless it is there already.

    Args:
        progress: called several times a second, in this thread, with bytes done and bytes in total. If it raises, the download ends.
        to: the folder to put the set's own folder into; by default ``~/.cache/resnet-lab``, where ``load`` finds it.
        key: of ``datasets.DATA_SETS``.

    Returns:
        The folder that holds the files, fit as a ``data_dir``.

    Raises:
        DataError: the network, the disk or what arrived was at fault; says what was tried and how to provide the data by hand.
    """
    from resnet_core.data.readers import read

    dataset = DATA_SETS[key]
    place = default_folder() if to is None else Path(os.path.expanduser(to))
    final, part = place / dataset.unpacked, place / _part(dataset)
    if is_whole(final, dataset):
        return final
    try:
        place.mkdir(parents=True, exist_ok=True)
        with _alone(place, dataset, progress) as lock:
            if is_whole(final, dataset):  # somebody else's download, while this one waited
                return final
            shutil.rmtree(part, ignore_errors=True)
            try:
                part.mkdir()
                _fetch(part, dataset, lock, progress)
                read(*find(part / dataset.unpacked, dataset), dataset)
                atomic.put_folder(part / dataset.unpacked, final, part / "old")  # what was there (it is not whole) goes with ``part``
            finally:
                shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise DataError(
            "{title} could not be downloaded to {place}: {error}. Name another folder, or by hand: {by_hand}.",
            title=dataset.title,
            place=place,
            error=error,
            by_hand=by_hand(dataset),
        ) from error
    if progress is not None:
        progress(dataset.download_bytes, dataset.download_bytes)
    return final
