"""Downloading data sets, and weights, through torchvision, whole or not at all.

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
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from resnet_core import atomic
from resnet_core.data.folders import by_hand, default_folder, find, is_whole
from resnet_core.datasets import DATA_SETS, Fetched
from resnet_core.errors import DataError
from resnet_core.language import tr

#: Seconds between two looks at how far it is.
INTERVAL = 0.2

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Item:
    """Something to download into a folder of its own.

    Attributes:
        key: part of the names of what is there only meanwhile.
        title: what an error calls it, at its beginning.
        fetched, unpacked: as of a ``DataSet``.
        by_hand: how to get it without us.
        is_whole: tells whether a folder holds it.
        verify: reads what has arrived, more thoroughly; raises DataError.
    """

    key: str
    title: str
    fetched: tuple[Fetched, ...]
    unpacked: str
    by_hand: str
    is_whole: Callable[[Path], bool]
    verify: Callable[[Path], object] = lambda folder: None

    @cached_property
    def bytes(self) -> int:
        """Bytes that a download takes."""
        return sum(each.size for each in self.fetched)


def _lock(item: Item) -> str:
    return f".{item.key}-download.lock"


def _part(item: Item) -> str:
    """Name of the hidden folder that a download happens in."""
    return f".{item.key}-download"


def _arrived(part: Path, item: Item) -> int:
    """Bytes that are there of what is downloaded."""
    found = 0
    for each in item.fetched:
        for place in (part, part / item.unpacked):
            try:
                found += min((place / each.name).stat().st_size, each.size)
                break
            except OSError:
                continue
    return found


@contextmanager
def _alone(place: Path, item: Item, progress: Progress | None) -> Iterator[int]:
    """One download at a time in ``place``, over all processes; whoever waits is told the progress of the other."""
    descriptor = os.open(place / _lock(item), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if progress is not None:
                    progress(_arrived(place / _part(item), item), item.bytes)
                time.sleep(INTERVAL)
        yield descriptor
    finally:
        os.close(descriptor)


def _fetch(part: Path, item: Item, lock: int, progress: Progress | None) -> None:
    """Download and unpack into ``part``. Raises DataError if that fails."""
    # The child holds the lock too: should this process be killed, nobody clears the folder while the child still writes to it.
    pairs = [text for each in item.fetched for text in (each.url, each.digest)]
    command = [sys.executable, "-P", str(Path(__file__).with_name("fetch.py")), str(part), item.unpacked, *pairs]
    pipe, none = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, pass_fds=(lock,), text=True, stdin=pipe, stdout=pipe, stderr=none) as process:
        try:
            while process.poll() is None:
                if progress is not None:
                    progress(_arrived(part, item), item.bytes)
                time.sleep(INTERVAL)
            assert process.stdout is not None  # a pipe
            reason = process.stdout.read().strip().rstrip(".")
        finally:
            process.kill()  # a progress callback may raise, e.g. KeyboardInterrupt
    if process.returncode != 0:
        raise DataError(
            "{title} could not be downloaded from {url}: {reason} ({arrived:,} of {archive_bytes:,} bytes had "
            "arrived). Nothing was kept of it. Try again when the network is there, or by hand: {by_hand}.",
            title=item.title,
            url=item.fetched[0].url,
            reason=reason or tr("the downloading process ended ({returncode})", returncode=process.returncode),
            arrived=_arrived(part, item),
            archive_bytes=item.bytes,
            by_hand=item.by_hand,
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
    item = Item(
        key, tr(dataset.title), dataset.fetched, dataset.unpacked, by_hand(dataset), lambda folder: is_whole(folder, dataset),
        lambda folder: read(*find(folder, dataset), dataset),
    )  # fmt: skip
    return obtain(item, default_folder() if to is None else Path(os.path.expanduser(to)), progress)


def obtain(item: Item, place: Path, progress: Progress | None = None) -> Path:
    """Download something, unless it is there already. ``download`` says the rest.

    Args:
        place: the folder to put the item's own folder into.

    Returns:
        the item's own folder.
    """
    final, part = place / item.unpacked, place / _part(item)
    if item.is_whole(final):
        return final
    try:
        place.mkdir(parents=True, exist_ok=True)
        with _alone(place, item, progress) as lock:
            if item.is_whole(final):  # somebody else's download, while this one waited
                return final
            shutil.rmtree(part, ignore_errors=True)
            try:
                part.mkdir()
                _fetch(part, item, lock, progress)
                item.verify(part / item.unpacked)
                atomic.put_folder(part / item.unpacked, final, part / "old")  # what was there (it is not whole) goes with ``part``
            finally:
                shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise DataError(
            "{title} could not be downloaded to {place}: {error}. Name another folder, or by hand: {by_hand}.",
            title=item.title,
            place=place,
            error=error,
            by_hand=item.by_hand,
        ) from error
    if progress is not None:
        progress(item.bytes, item.bytes)
    return final
