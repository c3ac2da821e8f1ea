"""Reading the full CIFAR-10 from the files of either official layout, and looking for damage while doing so."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from resnet_core.data import folders
from resnet_core.data.folders import CLASSES, PIXELS, TEST_BATCHES, TRAIN_BATCHES, Layout
from resnet_core.data.pickles import read_batch
from resnet_core.errors import DataError
from resnet_core.language import tr

#: Size and MD5 of the official files. A file of that very size but with another MD5 is damaged or of another set. (A pickle of another
#: size was written anew, and its structure is what counts; binary files all have one size.)
OFFICIAL = {
    "data_batch_1": (31_035_704, "c99cafc152244af753f735de768cd75f"),
    "data_batch_2": (31_035_320, "d4bba439e000b95fd0a9bffe97cbabec"),
    "data_batch_3": (31_035_999, "54ebc095f3ab1f0389bbae665268c751"),
    "data_batch_4": (31_035_696, "634d18415352ddfa80567beed471001a"),
    "data_batch_5": (31_035_623, "482c414d41f54cd18b22e5b47cb7c3cb"),
    "test_batch": (31_035_526, "40351d587109b95175f43aff81a1287e"),
    "data_batch_1.bin": (30_730_000, "5dd7e06a14cb22eb9f671a540d1b7c25"),
    "data_batch_2.bin": (30_730_000, "5ea93a67294ea407fff1d09f752e9692"),
    "data_batch_3.bin": (30_730_000, "942cd6a4bcdd0dd3c604fbe906cb4421"),
    "data_batch_4.bin": (30_730_000, "ae636b3ba5c66a11e91e8cb52e771fcb"),
    "data_batch_5.bin": (30_730_000, "53f37980c15c3d472c316c40844f3f0d"),
    "test_batch.bin": (30_730_000, "803d5f7f4d78ea53de84dbe85f74fb6d"),
}
SUMS = "MD5SUMS"


def _expected_md5(folder: Path) -> dict[str, str]:
    """Checksums that lie beside the files (the format of the tool ``md5sum``); empty if there are none."""
    try:
        lines = (folder / SUMS).read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    parts = [line.split() for line in lines]
    return {part[1].lstrip("*"): part[0].lower() for part in parts if len(part) == 2}


def _pixels_and_labels(layout: Layout, name: str, content: bytes, md5: str | None) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (N, 3072) and integers (N,) of one file. Raises ValueError with what is wrong with it."""
    source = SUMS
    if md5 is None and len(content) == OFFICIAL[name][0]:
        md5, source = OFFICIAL[name][1], tr("the official file")
    if md5 is not None and hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise ValueError(f"its MD5 is not the one of {source}")
    if layout is folders.BINARY:
        records = np.frombuffer(content, dtype=np.uint8).reshape(-1, PIXELS + 1)
        pixels, labels = records[:, 1:], records[:, 0]
    else:
        pixels, labels = read_batch(content)
    expected = folders.IMAGES_PER_FILE
    if pixels.shape != (expected, PIXELS) or labels.shape != (expected,):
        raise ValueError(f"{pixels.shape[0]:,} images and {len(labels):,} labels instead of {expected:,}")
    wrong = np.flatnonzero((labels < 0) | (labels >= len(CLASSES)))
    if len(wrong):
        raise ValueError(f"label {labels[wrong[0]]} of image {wrong[0]:,} is not from 0 to {len(CLASSES) - 1}")
    # No image of CIFAR-10 is all black; a file that was allocated but never filled is.
    black = np.flatnonzero(~pixels.any(axis=1))
    if len(black):
        raise ValueError(f"image {black[0]:,} is empty (all zeros)")
    return pixels, labels


def _leak(name: str, pixels: np.ndarray, seen: dict[str, set[int]]) -> None:
    """Remembers a file's images, uint8 (N, 3072), in ``seen``. Raises ValueError if those of a file before are among them: one
    where they are to be tested on, which makes every error worthless, or more than a tenth, which no stray image does. Of CIFAR-10's 60,000
    no two are equal."""
    images = {hash(image.tobytes()) for image in pixels}
    most = 0 if name.startswith(TEST_BATCHES) else len(pixels) // 10
    before = {other: count for other, known in seen.items() if (count := len(images & known)) > most}
    seen[name] = images
    if before:
        raise ValueError(" and ".join(f"{count:,} of its {len(pixels):,} images are in {other} too" for other, count in before.items()))


def read(layout: Layout, folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """The training and the test images, uint8 (N, 32, 32, 3), with their labels, int64 (N,): N = 50,000 and 10,000.

    Raises:
        DataError: names every file that is damaged, with what is wrong with it.
    """
    sums, problems, splits = _expected_md5(folder), [], []
    seen: dict[str, set[int]] = {}
    for batches in (TRAIN_BATCHES, TEST_BATCHES):
        number = folders.IMAGES_PER_FILE
        images = np.empty((len(batches) * number, 32, 32, 3), dtype=np.uint8)
        labels = np.empty(len(images), dtype=np.int64)
        for i, name in enumerate(layout.files(batches)):
            try:
                content = (folder / name).read_bytes()
                pixels, digits = _pixels_and_labels(layout, name, content, sums.get(name))
                _leak(name, pixels, seen)
            except (OSError, ValueError) as error:
                problems.append(f"{name} ({error})")
                continue
            rows = slice(i * number, (i + 1) * number)
            for channel in range(3):  # plane by plane: 4 times as fast as one transposition
                images[rows, ..., channel] = pixels[:, channel * 1024 : (channel + 1) * 1024].reshape(-1, 32, 32)
            labels[rows] = digits
        splits.append((images, labels))
    if problems:
        raise DataError(
            "CIFAR-10 in {folder} ({name} layout) is damaged: {problems}. Copy or unpack these files again, or "
            "download the set anew; by hand: {by_hand}.",
            folder=folder,
            name=layout.name,
            problems="; ".join(problems),
            by_hand=folders.BY_HAND,
        )
    return splits
