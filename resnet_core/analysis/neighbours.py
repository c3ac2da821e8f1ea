"""The training images that a net finds most like an image: nearest in the last hidden layer's feature space.

Euclidean distance between the vectors that the fully connected layer is given, as in Figure 4 (right) of Krizhevsky et al. 2012. The
vectors of a training set are an index, computed once for a net's weights and kept on disk.

    index = cached_index(loaded, data.train.images, "sample", home)
    nearest, distances = index.nearest(features(loaded, image[None])[0])
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import torch
from safetensors.numpy import save

from resnet_core import atomic
from resnet_core.activations import Progress, ShouldStop, images_at_once, in_batches
from resnet_core.errors import CheckpointError, DataError
from resnet_core.language import tr
from resnet_core.nets.loading import LoadedNet

#: How many neighbours the AlexNet paper shows.
COUNT = 6
#: Indices kept on disk; of the 50,000 images one has 13 MB (64 features). The longest unused are deleted first.
MAX_FILES = 48
#: A temporary file this old was left by a process that died.
_STALE_SECONDS = 3600.0
_TENSOR = "features"
#: The largest index that is kept: that of 50,000 images by a ResNet-50, with its 2,048 features, has 410 MB.
MAX_BYTES = 512 << 20
#: Compared at a time: of a ResNet-50's 2,048 features, the differences of 50,000 images would have 410 MB.
_ROWS = 4096


@dataclass(frozen=True, eq=False)
class FeatureIndex:
    """The features of a set of images.

    Attributes:
        features: float32 (N, d), read-only.
        problem: why it could not be kept on disk, as a sentence; None if it was, or was not meant to be.
    """

    features: np.ndarray
    problem: str | None = None

    def __post_init__(self) -> None:
        self.features.flags.writeable = False

    def nearest(self, feature: np.ndarray, k: int = COUNT) -> tuple[np.ndarray, np.ndarray]:
        """int64 (k,) images, nearest first (of equally near ones the first), and their Euclidean distances, float64 (k,).

        Exact. An image of the set is its own neighbour, at 0 but for rounding: a net's sums depend on the batch that an image is in.

        Args:
            feature: (d,), of ``features`` of one image.
            k: at most; there are no more than images.
        """
        # Differences first: by |a|^2 - 2ab + |b|^2, small distances would drown in rounding.
        query = np.asarray(feature, np.float32)
        rows = (self.features[start : start + _ROWS] for start in range(0, len(self.features), _ROWS))
        squares = np.concatenate([np.square(part - query).sum(1, dtype=np.float64) for part in rows])
        order = np.argsort(squares, kind="stable")[:k]
        return order, np.sqrt(squares[order])


def _width(loaded: LoadedNet) -> int:
    """Features of one image: what goes into the classifier."""
    return loaded.model.get_parameter(f"{loaded.model.plan.classifier}.weight").shape[1]


@torch.no_grad()
def features(
    loaded: LoadedNet, images: torch.Tensor, progress: Progress | None = None, should_stop: ShouldStop | None = None
) -> np.ndarray:
    """float32 (N, d): what the fully connected layer is given, in the precision of the net's plan.

    Args:
        images: uint8 (N, 3, H, W), anywhere, N at least 1; enlarged to the net's size where they have another one.
        progress: called with the images done and the images in all; should_stop: asked before each batch.

    Raises:
        CheckpointError: they are not numbers.
        Stopped: ``should_stop`` returned True.
    """
    made = np.empty((len(images), _width(loaded)), np.float32)
    for start, stop in in_batches(len(images), images_at_once(loaded.model), progress, should_stop):
        with loaded.plan.autocast():
            made[start:stop] = loaded.model.features(loaded.normalize(images[start:stop])).float().cpu().numpy()
    if not np.isfinite(made).all():
        raise CheckpointError(
            "{name}: its features are not numbers (NaN); its training has diverged, or its file is damaged.", name=loaded.net.name
        )
    return made


def cached_index(
    loaded: LoadedNet,
    images: torch.Tensor,
    data: str,
    home: Path,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> FeatureIndex:
    """The index of a training set: from disk, if it is there, whole, and of these weights and images; else computed and kept.

    Several processes may compute the same one at once: each writes a file of its own, and the last to end gives its own the name.
    Where it cannot be written, the index says so and works.

    Args:
        data: short name of the set, a part of the file's name; see ``DataConfig.key``.
        home: the folder of the runs, which the cache lies in.

    Raises:
        DataError: the index would have more than ``MAX_BYTES``. And as ``features``.
    """
    needed = len(images) * _width(loaded) * 4
    if needed > MAX_BYTES:
        raise DataError(
            "{name} has {width:,} features: those of {images:,} images take {needed:.1f} GB of memory, and "
            "{max_bytes:.1f} GB are allowed. Take the training images of the sample.",
            name=loaded.net.name,
            width=_width(loaded),
            images=len(images),
            needed=needed / 1000000000.0,
            max_bytes=MAX_BYTES / 1000000000.0,
        )
    path = index_path(loaded, data, home)
    wanted = {"images": _digest_of_images(images)}
    held = _read(path, wanted, len(images))
    if held is not None:
        with contextlib.suppress(OSError):
            os.utime(path)
        return FeatureIndex(held)
    made = features(loaded, images, progress, should_stop)
    try:
        _write(path, made, wanted)
    except OSError as error:
        return FeatureIndex(
            made,
            tr(
                "The features cannot be kept in {parent} ({strerror}); they will be computed again.",
                parent=path.parent,
                strerror=error.strerror,
            ),
        )
    return FeatureIndex(made)


def index_path(loaded: LoadedNet, data: str, home: Path) -> Path:
    """Where the index of these weights is kept, whether it is there or not."""
    return Path(home) / ".cache" / "features" / f"{weights_sha256(loaded)[:32]}-{data}-{loaded.plan.precision}.safetensors"


def weights_sha256(loaded: LoadedNet) -> str:
    """Hash all that its features depend on: the net's tensors with their names, and its normalisation. The same for equal nets."""
    enlarged = (
        "" if loaded.side == 32 else tr(" at {side}", side=loaded.side)
    )  # indices of before nets had a size of their own are not taken for theirs
    digest = hashlib.sha256((repr(loaded.net.model) + enlarged).encode())
    tensors = {**loaded.model.state_dict(), "normalization.mean": loaded.mean}
    if loaded.std is not None:
        tensors["normalization.std"] = loaded.std
    for name, tensor in sorted(tensors.items()):
        held = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {held.dtype} {tuple(held.shape)}\n".encode())
        digest.update(held.numpy().data)
    return digest.hexdigest()


def _digest_of_images(images: torch.Tensor) -> str:
    # In memory the channels come last: no copy.
    return hashlib.sha256(images.permute(0, 2, 3, 1).cpu().contiguous().numpy().data).hexdigest()


def _read(path: Path, wanted: dict[str, str], count: int) -> np.ndarray | None:
    """The features in a file; None if there is none, it is damaged, or it is of other images."""
    try:
        with safetensors.safe_open(path, "numpy") as file:
            metadata, held = file.metadata() or {}, file.get_tensor(_TENSOR)
    except (OSError, safetensors.SafetensorError):
        return None
    whole = metadata.get("sha256") == hashlib.sha256(held.data).hexdigest()
    fits = held.ndim == 2 and len(held) == count and held.dtype == np.float32
    return held if whole and fits and wanted.items() <= metadata.items() else None


def _write(path: Path, made: np.ndarray, wanted: dict[str, str]) -> None:
    """Under a name of its own first, so that nobody ever sees half a file."""
    content = save({_TENSOR: made}, {**wanted, "sha256": hashlib.sha256(made.data).hexdigest()})
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as written:
        written.write_bytes(content)
    _tidy(path.parent)


def _tidy(folder: Path) -> None:
    """Deletes the longest unused indices beyond ``MAX_FILES``, and what processes that died have left."""
    now = time.time()
    with contextlib.suppress(OSError):  # another process tidies too
        for left in folder.glob(".*.tmp"):
            if now - left.stat().st_mtime > _STALE_SECONDS:
                left.unlink(missing_ok=True)
        kept = sorted(folder.glob("*.safetensors"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in kept[MAX_FILES:]:
            path.unlink(missing_ok=True)
