"""The embedded samples: 5,000 training and 1,000 test images of CIFAR-10 and of Fashion-MNIST, 500 and 100 of each class.

``embedded/`` and ``embedded/fashion/`` hold one lossless WebP mosaic a split (tiles, row by row), ``sample.json`` (labels, which images
they are), ``SHA256SUMS`` and the provenance in ``README.md``; ``make_sample.py`` made them. The classes alternate (0, 1, ... 9, 0, ...), so
that any run of images is balanced, the validation split too.
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
#: Where each sample lies, and the height and width of its tiles: of 28 they are grey.
FOLDERS = {"sample": FOLDER, "fashion-sample": FOLDER / "fashion"}
SIDES = {"sample": 32, "fashion-sample": 28}
MANIFEST, SUMS = "sample.json", "SHA256SUMS"
MOSAICS = {"train": "train.webp", "test": "test.webp"}
#: Tiles in a row of a mosaic.
COLUMNS = 50
RESTORE = mark("It is part of the project: restore it (git checkout -- resnet_core/data/embedded) or clone again.")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            "The embedded sample's file {folder} cannot be read: {strerror}. {restore}",
            folder=path,
            strerror=error.strerror,
            restore=RESTORE,
        ) from error


def _sums(folder: Path) -> dict[str, str]:
    """File name -> SHA-256 in hexadecimal, from ``SHA256SUMS`` (the format of the tool ``sha256sum``)."""
    lines = _bytes(folder / SUMS).decode("ascii", "replace").splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _verified(path: Path, sums: dict[str, str]) -> bytes:
    content = _bytes(path)
    if hashlib.sha256(content).hexdigest() != sums.get(path.name):
        raise DataError(
            "The embedded sample's file {folder} is corrupted: its SHA-256 is not the one in {sums}. {restore}",
            folder=path,
            sums=SUMS,
            restore=RESTORE,
        )
    return content


def _manifest(folder: Path, sums: dict[str, str]) -> dict[str, Any]:
    return json.loads(_verified(folder / MANIFEST, sums))


def check(key: str = "sample") -> None:
    """Raises DataError if a file is missing or of the wrong size; names every one."""
    folder = FOLDERS[key]
    manifest = _manifest(folder, _sums(folder))
    problems = []
    for split, name in MOSAICS.items():
        path, expected = folder / name, manifest[split]["bytes"]
        if not path.is_file():
            problems.append(tr("{path} (missing)", path=path))
        elif path.stat().st_size != expected:
            problems.append(
                tr("{path} ({st_size:,} bytes instead of {expected:,})", path=path, st_size=path.stat().st_size, expected=expected)
            )
    if problems:
        raise DataError("The embedded sample is not whole: {problems}. {restore}", problems=", ".join(problems), restore=RESTORE)


def read(split: str, key: str = "sample") -> tuple[np.ndarray, np.ndarray]:
    """The images, uint8 (N, 32, 32, 3), and labels, int64 (N,), of ``split``: "train" (N = 5,000) or "test" (N = 1,000).

    Raises:
        DataError: a file is missing or its SHA-256 is wrong; names it.
    """
    import io

    import numpy as np
    from PIL import Image

    from resnet_core.data.readers import padded

    folder, side = FOLDERS[key], SIDES[key]
    sums = _sums(folder)
    labels = np.array([int(digit) for digit in _manifest(folder, sums)[split]["labels"]], dtype=np.int64)
    content = _verified(folder / MOSAICS[split], sums)
    try:
        with Image.open(io.BytesIO(content), formats=["WEBP"]) as image:
            mosaic = np.asarray(image.convert("RGB"))
    except (OSError, KeyError) as error:  # the file is whole, so it is Pillow that cannot read it
        raise DataError(
            "This Pillow was built without WebP, which the embedded sample needs: pip install --force-reinstall pillow"
        ) from error
    rows = mosaic.shape[0] // side
    tiles = mosaic.reshape(rows, side, COLUMNS, side, 3).swapaxes(1, 2).reshape(rows * COLUMNS, side, side, 3)
    return (tiles if side == 32 else padded(tiles[..., 0])), labels
