"""Make an embedded sample from a full CIFAR-10 or Fashion-MNIST.

    python -m resnet_core.data.make_sample FOLDER [--of fashion] [--to OTHER_FOLDER]

Of each class and split the images with the smallest SHA-256 of (seed, pixels) are taken. The choice thus depends on what
the images are, not on their order or the layout they lie in: any lossless copy gives the same sample, pixel for pixel.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from resnet_core.data import sample
from resnet_core.data.folders import find
from resnet_core.data.readers import read
from resnet_core.datasets import DATA_SETS

SEED = b"resnet-lab sample 0"
PER_CLASS = {"train": 500, "test": 100}


def choose(images: np.ndarray, labels: np.ndarray, per_class: int) -> np.ndarray:
    """Indices of ``per_class`` images of each class, the classes alternating: int64 (10 * per_class,)."""
    chosen = []
    for label in range(labels.max() + 1):
        # A dictionary by digest, so that an image that is there twice is taken once.
        ranked = {hashlib.sha256(SEED + images[i].tobytes()).digest(): i for i in np.flatnonzero(labels == label)[::-1]}
        chosen.append([ranked[digest] for digest in sorted(ranked)[:per_class]])
    return np.array(chosen).T.reshape(-1)


def mosaic(images: np.ndarray) -> np.ndarray:
    """Tiles, uint8 (N, S, S, 3), side by side: uint8 (N / 50 * S, 50 * S, 3)."""
    side, columns = images.shape[1], sample.COLUMNS
    rows = len(images) // columns
    return images.reshape(rows, columns, side, side, 3).swapaxes(1, 2).reshape(rows * side, columns * side, 3)


def make(source: Path, to: Path, of: str = "cifar10") -> None:
    """Write the mosaics, ``sample.json`` and ``SHA256SUMS`` of the full set in ``source`` into ``to``."""
    to.mkdir(parents=True, exist_ok=True)
    manifest: dict[str, Any] = {"seed": SEED.decode(), "classes": DATA_SETS[of].classes}
    margin = 2 if of == "fashion" else 0  # what the reader has put around it
    for (split, name), (images, labels) in zip(sample.MOSAICS.items(), read(*find(source, DATA_SETS[of]), DATA_SETS[of]), strict=True):
        indices = choose(images, labels, PER_CLASS[split])
        pixels = images[indices, margin : 32 - margin, margin : 32 - margin]
        # exact=True with lossless=True: no pixel is changed; the test reads it back.
        Image.fromarray(mosaic(pixels)).save(to / name, "WEBP", lossless=True, quality=100, method=4, exact=True)
        manifest[split] = {
            "file": name,
            "bytes": (to / name).stat().st_size,
            "pixels_sha256": hashlib.sha256(pixels.tobytes()).hexdigest(),
            "labels": "".join(str(label) for label in labels[indices]),
            "indices": indices.tolist(),
        }
    (to / sample.MANIFEST).write_text(json.dumps(manifest) + "\n", "ascii")
    names = (*sample.MOSAICS.values(), sample.MANIFEST)
    sums = [f"{hashlib.sha256((to / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (to / sample.SUMS).write_text("".join(sums), "ascii")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the full set, in an official layout")
    parser.add_argument("--of", choices=("cifar10", "fashion"), default="cifar10", help="of which set (default: cifar10)")
    parser.add_argument("--to", type=Path, help="where to write it (default: into the project)")
    arguments = parser.parse_args()
    make(arguments.folder, arguments.to or sample.FOLDERS["sample" if arguments.of == "cifar10" else "fashion-sample"], arguments.of)
