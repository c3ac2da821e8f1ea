"""Reading a data set from the files of an official layout, and looking for damage while doing so."""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from resnet_core.data.folders import by_hand, file_in
from resnet_core.data.pickles import read_batch
from resnet_core.datasets import DataSet, File, Layout
from resnet_core.errors import DataError
from resnet_core.language import mark, together, tr

SUMS = "MD5SUMS"
#: Pixels of zeros around an image of 28x28.
_MARGIN = 2
_SIDE = 28


def _expected_md5(folder: Path) -> dict[str, str]:
    """Checksums that lie beside the files (the format of the tool ``md5sum``); empty if there are none."""
    try:
        lines = (folder / SUMS).read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    parts = [line.split() for line in lines]
    return {part[1].lstrip("*"): part[0].lower() for part in parts if len(part) == 2}


def _content(folder: Path, file: File, sums: dict[str, str]) -> tuple[Path, bytes]:
    """The file's path, and what is in it. Raises ValueError where its MD5 is not the one of MD5SUMS or of the official file."""
    path = file_in(folder, file)
    content = path.read_bytes()
    md5, source = sums.get(path.name), SUMS
    if md5 is None and file.official and len(content) == file.official[0]:
        md5, source = file.official[1], tr("the official file")
    if md5 is not None and hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise ValueError(tr("its MD5 is not the one of {source}", source=source))
    return path, content


def _planes(layout: Layout, content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """CIFAR's: uint8 (N, 3072), planes one after the other, and integers (N,)."""
    if layout.read == "binary":
        records = np.frombuffer(content, dtype=np.uint8).reshape(-1, layout.pixels + int(layout.labels) + 1)
        return records[:, int(layout.labels) + 1 :], records[:, int(layout.labels)]
    return read_batch(content, str(layout.labels))


def _matlab(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """SVHN's: uint8 (N, 32, 32, 3) and integers (N,), 0 for the digit 0."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        found = loadmat(path, variable_names=["X", "y"])
        images, labels = found["X"], found["y"].reshape(-1)
    except (MatReadError, ValueError, TypeError, KeyError, NotImplementedError, EOFError, zlib.error) as error:
        raise ValueError(tr("not a readable MATLAB file with X and y: {error}", error=error)) from error
    if images.dtype != np.uint8 or images.shape[:3] != (32, 32, 3) or images.ndim != 4 or labels.dtype.kind not in "iu":
        raise ValueError(tr("its X are {dtype} {shape}, not uint8 (32, 32, 3, images)", dtype=images.dtype, shape=images.shape))
    return images.transpose(3, 0, 1, 2), labels.astype(np.int64) % 10


def _idx(path: Path, content: bytes, dimensions: int) -> np.ndarray:
    """An array of uint8 of an IDX file. Raises ValueError if it is none of so many dimensions."""
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(tr("it cannot be unpacked: {error}", error=error)) from error
    head = 4 + 4 * dimensions
    if len(content) < head or content[:4] != bytes([0, 0, 8, dimensions]):
        raise ValueError(tr("it does not begin as an IDX file of bytes in {dimensions} dimensions does", dimensions=dimensions))
    shape = struct.unpack(f">{dimensions}I", content[4:head])
    if len(content) - head != int(np.prod(shape, dtype=np.int64)):
        raise ValueError(tr("{found:,} bytes instead of {shape}", found=len(content) - head, shape=" x ".join(map(str, shape))))
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)


def _checked(labels: np.ndarray, found: int, expected: int, classes: int) -> None:
    """Raises ValueError where there are not as many images and labels as there should be, or a label is none."""
    if found != expected or labels.shape != (expected,):
        raise ValueError(
            tr("{images:,} images and {labels:,} labels instead of {expected:,}", images=found, labels=len(labels), expected=expected)
        )
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        first = wrong[0]
        raise ValueError(tr("label {label} of image {first:,} is not from 0 to {last}", label=labels[first], first=first, last=classes - 1))


def _leak(file: File, pixels: np.ndarray, seen: dict[str, set[int]]) -> None:
    """Remembers a file's images, uint8 (N, 3072), in ``seen``. Raises ValueError if those of a file before are among them: one
    where they are to be tested on, which makes every error worthless, or more than a tenth, which no stray image does. Of CIFAR-10's 60,000
    no two are equal."""
    images = {hash(image.tobytes()) for image in pixels}
    most = 0 if file.split == "test" else len(pixels) // 10
    before = {other: count for other, known in seen.items() if (count := len(images & known)) > most}
    seen[file.name] = images
    if before:
        many = mark("{count:,} of its {images:,} images are in {other} too")
        raise ValueError(together(tr(many, count=count, images=len(pixels), other=other) for other, count in before.items()))


class _Reader:
    """Reads one copy of a data set, and collects what is wrong with its files."""

    def __init__(self, dataset: DataSet, layout: Layout, folder: Path):
        self.dataset, self.layout, self.folder = dataset, layout, folder
        self.sums = _expected_md5(folder)
        self.seen: dict[str, set[int]] = {}
        self.problems: list[str] = []

    def split(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """uint8 (N, 32, 32, 3) and int64 (N,); where a file is damaged, not all of them are filled."""
        files = [file for file in self.layout.files if file.split == name]
        step = 2 if self.layout.read == "idx" else 1  # its labels have a file of their own
        total = sum(file.images for file in files[::step])
        images, labels = np.zeros((total, 32, 32, 3), dtype=np.uint8), np.zeros(total, dtype=np.int64)
        start = 0
        for file in files[::step]:
            rows = slice(start, start + file.images)
            start += file.images
            if step == 2:
                self._fill_grey(file, files[1], images[rows], labels[rows])
            else:
                with self._noting(file):
                    self._fill(file, images[rows], labels[rows])
        return images, labels

    @contextmanager
    def _noting(self, file: File) -> Iterator[None]:
        """Take note of what is wrong with a file, and go on to the next one."""
        try:
            yield
        except (OSError, ValueError) as error:
            self.problems.append(f"{file.name} ({error})")

    def _fill(self, file: File, images: np.ndarray, labels: np.ndarray) -> None:
        classes = len(self.dataset.classes)
        if self.layout.read == "mat":
            path, _ = _content(self.folder, file, self.sums)
            pixels, digits = _matlab(path)
            _checked(digits, len(pixels), file.images, classes)
            images[:], labels[:] = pixels, digits
            return
        planes, digits = _planes(self.layout, _content(self.folder, file, self.sums)[1])
        _checked(digits, len(planes) if planes.shape[1:] == (self.layout.pixels,) else 0, file.images, classes)
        # No image of CIFAR is all black; a file that was allocated but never filled is.
        black = np.flatnonzero(~planes.any(axis=1))
        if len(black):
            raise ValueError(tr("image {black:,} is empty (all zeros)", black=black[0]))
        if self.dataset.key == "cifar10":
            _leak(file, planes, self.seen)
        for channel in range(3):  # plane by plane: 4 times as fast as one transposition
            images[..., channel] = planes[:, channel * 1024 : (channel + 1) * 1024].reshape(-1, 32, 32)
        labels[:] = digits

    def _fill_grey(self, file: File, of_labels: File, images: np.ndarray, labels: np.ndarray) -> None:
        grey = digits = None
        with self._noting(file):
            found = _idx(*_content(self.folder, file, self.sums), 3)
            if found.shape != (file.images, _SIDE, _SIDE):
                shape, due = (" x ".join(map(str, sides)) for sides in (found.shape, (file.images, _SIDE, _SIDE)))
                raise ValueError(tr("{shape} instead of {due}", shape=shape, due=due))
            grey = found
        with self._noting(of_labels):
            labels_found = _idx(*_content(self.folder, of_labels, self.sums), 1)
            _checked(labels_found, len(labels_found), of_labels.images, len(self.dataset.classes))
            digits = labels_found
        if grey is not None and digits is not None:
            padded(grey, images)
            labels[:] = digits


def padded(grey: np.ndarray, into: np.ndarray | None = None) -> np.ndarray:
    """Grey images of 28x28, uint8 (N, 28, 28), as nets for 32x32 see them: uint8 (N, 32, 32, 3), with zeros around."""
    images = np.zeros((len(grey), 32, 32, 3), dtype=np.uint8) if into is None else into
    images[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN] = grey[..., None]
    return images


def read(layout: Layout, folder: Path, dataset: DataSet) -> list[tuple[np.ndarray, np.ndarray]]:
    """The training and the test images, uint8 (N, 32, 32, 3), with their labels, int64 (N,).

    Raises:
        DataError: names every file that is damaged, with what is wrong with it.
    """
    reader = _Reader(dataset, layout, folder)
    splits = [reader.split("train"), reader.split("test")]
    if reader.problems:
        raise DataError(
            "{title} in {folder} ({name} layout) is damaged: {problems}. Copy or unpack these files again, or "
            "download the set anew; by hand: {by_hand}.",
            title=dataset.title,
            folder=folder,
            name=layout.name,
            problems="; ".join(reader.problems),
            by_hand=by_hand(dataset),
        )
    return splits
