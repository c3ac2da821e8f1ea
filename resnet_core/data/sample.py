"""The embedded sample: 5,000 training and 1,000 test images of CIFAR-10, 500 and 100 of each class.

``embedded/`` holds one lossless WebP mosaic a split (32 x 32 tiles, row by row), ``sample.json`` (labels, which images they
are), ``SHA256SUMS`` and the provenance in ``README.md``; ``make_sample.py`` made them. The classes alternate (0, 1, ... 9, 0, ...), so that
any run of images is balanced, the validation split too.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet_core.errors import DataError
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    import numpy as np

FOLDER = Path(__file__).parent / "embedded"
MANIFEST, SUMS = "sample.json", "SHA256SUMS"
MOSAICS = {"train": "train.webp", "test": "test.webp"}
#: Pixels of an image's side, and tiles in a row of a mosaic.
SIDE, COLUMNS = 32, 50
RESTORE = mark("It is part of the project: restore it (git checkout -- resnet_core/data/embedded) or clone again.")


def _bytes(name: str) -> bytes:
    try:
        return (FOLDER / name).read_bytes()
    except OSError as error:
        raise DataError(
            "The embedded sample's file {folder} cannot be read: {strerror}. {restore}",
            folder=FOLDER / name,
            strerror=error.strerror,
            restore=RESTORE,
        ) from error


def _sums() -> dict[str, str]:
    """File name -> SHA-256 in hexadecimal, from ``SHA256SUMS`` (the format of the tool ``sha256sum``)."""
    lines = _bytes(SUMS).decode("ascii", "replace").splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _verified(name: str, sums: dict[str, str]) -> bytes:
    content = _bytes(name)
    if hashlib.sha256(content).hexdigest() != sums.get(name):
        raise DataError(
            "The embedded sample's file {folder} is corrupted: its SHA-256 is not the one in {sums}. {restore}",
            folder=FOLDER / name,
            sums=SUMS,
            restore=RESTORE,
        )
    return content


def _manifest(sums: dict[str, str]) -> dict[str, Any]:
    return json.loads(_verified(MANIFEST, sums))


def check() -> None:
    """Raises DataError if a file is missing or of the wrong size; names every one."""
    manifest = _manifest(_sums())
    problems = []
    for split, name in MOSAICS.items():
        path, expected = FOLDER / name, manifest[split]["bytes"]
        if not path.is_file():
            problems.append(tr("{path} (missing)", path=path))
        elif path.stat().st_size != expected:
            problems.append(
                tr("{path} ({st_size:,} bytes instead of {expected:,})", path=path, st_size=path.stat().st_size, expected=expected)
            )
    if problems:
        raise DataError("The embedded sample is not whole: {problems}. {restore}", problems=", ".join(problems), restore=RESTORE)


def read(split: str) -> tuple[np.ndarray, np.ndarray]:
    """The images, uint8 (N, 32, 32, 3), and labels, int64 (N,), of ``split``: "train" (N = 5,000) or "test" (N = 1,000).

    Raises:
        DataError: a file is missing or its SHA-256 is wrong; names it.
    """
    import io

    import numpy as np
    from PIL import Image

    sums = _sums()
    labels = np.array([int(digit) for digit in _manifest(sums)[split]["labels"]], dtype=np.int64)
    content = _verified(MOSAICS[split], sums)
    try:
        with Image.open(io.BytesIO(content), formats=["WEBP"]) as image:
            mosaic = np.asarray(image.convert("RGB"))
    except (OSError, KeyError) as error:  # the file is whole, so it is Pillow that cannot read it
        raise DataError(
            "This Pillow was built without WebP, which the embedded sample needs: pip install --force-reinstall pillow"
        ) from error
    rows = mosaic.shape[0] // SIDE
    tiles = mosaic.reshape(rows, SIDE, COLUMNS, SIDE, 3).swapaxes(1, 2)
    return tiles.reshape(rows * COLUMNS, SIDE, SIDE, 3), labels
