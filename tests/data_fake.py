"""Small stand-ins for a full CIFAR-10: random images in the official layouts, written by code that shares nothing with the readers."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import pickle
import struct
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from resnet_core.datasets import DATA_SETS

IMAGES_PER_FILE = 40
NAMES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")


@pytest.fixture
def small_files(monkeypatch):
    """Files of CIFAR-10 have 40 images instead of 10,000."""
    shrink(monkeypatch, "cifar10")


def shrink(monkeypatch, key: str, train: int = IMAGES_PER_FILE, test: int = IMAGES_PER_FILE, official=None) -> None:
    """Give each file of a data set so many images, or labels, and no official checksum (or this size and MD5)."""
    known = DATA_SETS[key]

    def smaller(file):
        return dataclasses.replace(file, images=train if file.split == "train" else test, official=official)

    layouts = tuple(dataclasses.replace(layout, files=tuple(map(smaller, layout.files))) for layout in known.layouts)
    monkeypatch.setitem(DATA_SETS, key, dataclasses.replace(known, layouts=layouts))


def batches(seed: int = 0) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pixels, uint8 (40, 3072) planar, and labels (40,) of each file; every class four times a file."""
    random = np.random.default_rng(seed)
    made = {}
    for name in NAMES:
        labels = random.permutation(np.arange(IMAGES_PER_FILE) % 10)
        made[name] = random.integers(0, 256, (IMAGES_PER_FILE, 3072), dtype=np.uint8), labels
    return made


def write_binary(folder: Path, content: dict) -> Path:
    folder.mkdir(parents=True)
    for name, (pixels, labels) in content.items():
        records = [bytes([label]) + image.tobytes() for image, label in zip(pixels, labels, strict=True)]
        (folder / f"{name}.bin").write_bytes(b"".join(records))
    return folder


class _Python2Pickler(pickle._Pickler):
    """Writes text and bytes as Python 2's ``str``, as the official files have them."""

    dispatch: ClassVar[dict] = dict(pickle._Pickler.dispatch)

    def save_string(self, value):
        content = value.encode("latin-1") if isinstance(value, str) else value
        head = b"U" + bytes([len(content)]) if len(content) < 256 else b"T" + struct.pack("<i", len(content))
        self.write(head + content)

    dispatch[str] = dispatch[bytes] = save_string


def python2(batch: dict) -> bytes:
    out = io.BytesIO()
    _Python2Pickler(out, 2).dump(batch)
    return out.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def write_python(folder: Path, content: dict, dump=python2) -> Path:
    folder.mkdir(parents=True)
    for name, (pixels, labels) in content.items():
        batch = {"batch_label": name, "labels": labels.tolist(), "data": pixels, "filenames": [f"{i}.png" for i in range(len(labels))]}
        (folder / name).write_bytes(dump(batch))
    return folder


def write_md5sums(folder: Path) -> None:
    files = [path for path in sorted(folder.iterdir()) if path.name.startswith(("data_batch", "test_batch"))]
    (folder / "MD5SUMS").write_text("".join(f"{hashlib.md5(f.read_bytes()).hexdigest()}  {f.name}\n" for f in files))
