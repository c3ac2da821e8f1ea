"""What a net says an image is: probabilities of one view or of ten, and the images over which nets disagree. Light until it computes.

For example::

    inputs = stack([to_input(picture)])
    probabilities = predict(load(find("resnet-56")), inputs, crops=10)  # (1, 10)
    [(names[i], p) for i, p in top(probabilities[0])]
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet_core.activations import images_at_once, side_of
from resnet_core.data import CLASSES
from resnet_core.errors import CheckpointError, ConfigError
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    import torch

    from resnet_core.analysis.passes import Progress, ShouldStop
    from resnet_core.nets.loading import LoadedNet

#: One view of an image, or the average over ten.
CROPS = (1, 10)
#: Width of the zeros around an image that ten crops are taken from: as in training (He et al. 2016, section 4.2).
PADDING = 4
#: Why a net for larger images has one view only.
ONE_VIEW = mark(
    "it sees one view of an image. Ten crops are offered for nets of 32x32 pixels, whose image is "
    "padded; those of ImageNet's nets are cut from a picture of 256 pixels, of which only the centre is "
    "kept here."
)


def predict(
    loaded: LoadedNet,
    images: torch.Tensor,
    crops: int = 1,
    *,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> np.ndarray:
    """float32 (N, classes): the net's softmax for each image, in the precision of its plan.

    Args:
        images: uint8 (N, 3, H, W), anywhere; enlarged to the net's size where they have another one.
        crops: 1, or 10: the mean of the probabilities of ``ten_crops``, which are of nets for images of 32x32.
        progress: called with the images done and the images in all; should_stop: asked before each batch.

    Raises:
        CheckpointError: the net's outputs are not numbers.
        ConfigError: the net has no ten crops.
        Stopped: ``should_stop`` returned True.
        ValueError: ``crops`` is neither.
    """
    import torch

    from resnet_core.analysis.passes import in_batches

    if crops not in CROPS:
        raise ValueError(f"crops: {crops!r} is not one of {CROPS}")
    if crops > most_crops(loaded):
        raise ConfigError("crops", "{name}: {one_view}", name=loaded.net.name, one_view=ONE_VIEW)
    parts = [torch.empty(0, loaded.net.model.num_classes)]
    with torch.no_grad():
        for start, stop in in_batches(len(images), max(1, images_at_once(loaded.model) // crops), progress, should_stop):
            x = loaded.normalize(images[start:stop])
            if crops == 10:
                x = ten_crops(x).flatten(0, 1).contiguous(memory_format=torch.channels_last)
            with loaded.plan.autocast():
                logits = loaded.model(x)
            parts.append(logits.float().softmax(1).unflatten(0, (stop - start, crops)).mean(1).cpu())
    probabilities = torch.cat(parts).numpy()
    if not np.isfinite(probabilities).all():
        raise CheckpointError(
            "{name}: its outputs are not numbers (NaN); its training has diverged, or its file is damaged.", name=loaded.net.name
        )
    return probabilities


def most_crops(model: Any) -> int:
    """How many views of an image there are for a net: 10 for images of 32x32, else 1. ``model``: as of ``activations.config_of``."""
    return 10 if side_of(model) == 32 else 1


def ten_crops(x: torch.Tensor) -> torch.Tensor:
    """float32 (N, 3, H, W), normalised -> (N, 10, 3, H, W): windows of the image with ``PADDING`` zeros around it.

    The corners (top left, top right, bottom left, bottom right), the centre, then the mirror images of these five: the ten patches of
    Krizhevsky et al. 2012, section 4.1, carried over to CIFAR. As in training the zeros are those of the normalised image; the centre
    is the image itself.
    """
    import torch

    height, width = x.shape[2:]
    padded = torch.nn.functional.pad(x, (PADDING,) * 4)
    far, middle = 2 * PADDING, PADDING
    places = ((0, 0), (0, far), (far, 0), (far, far), (middle, middle))
    windows = [padded[:, :, top : top + height, left : left + width] for top, left in places]
    return torch.stack(windows + [window.flip(3) for window in windows], dim=1)


def stack(inputs: Sequence[np.ndarray], side: int | None = None) -> torch.Tensor:
    """Arrays uint8 (H, W, 3) -> uint8 (N, 3, H, W); with ``side``, all enlarged to that, and then they need not be of one size."""
    import torch

    if side is not None:
        from resnet_core.nets.loading import resized

        return torch.cat([resized(stack([each]), side) for each in inputs])
    return torch.from_numpy(np.stack(inputs)).permute(0, 3, 1, 2).contiguous()


def class_names(count: int) -> tuple[str, ...]:
    """Name the classes of a net with so many outputs: CIFAR-10's for 10, ImageNet's for 1,000; else ``class 17``: nobody says them."""
    if count == len(CLASSES):
        return CLASSES
    return _imagenet() if count == 1000 else tuple(tr("class {i}", i=i) for i in range(count))


@cache
def _imagenet() -> tuple[str, ...]:
    """The classes of ILSVRC2012 in the order of its nets' outputs, as torchvision names them."""
    return tuple(Path(__file__).with_name("imagenet_classes.txt").read_text(encoding="utf-8").splitlines())


def top(probabilities: np.ndarray, count: int = 5) -> list[tuple[int, float]]:
    """Class and probability of the most likely classes of one image, (classes,); of equal ones the lower class first."""
    order = np.argsort(-probabilities, kind="stable")[:count]
    return [(int(i), float(probabilities[i])) for i in order]


def disagreements(predictions: Sequence[np.ndarray]) -> np.ndarray:
    """int64: the images, rising, that the nets do not all take for the same class.

    Args:
        predictions: of each net (N, classes), of the same N images.
    """
    if not predictions:
        return np.empty(0, np.int64)
    answers = np.stack([net.argmax(1) for net in predictions])
    return np.flatnonzero((answers != answers[0]).any(0))


def mistakes(predictions: Sequence[np.ndarray], labels: np.ndarray, by: str = "any") -> np.ndarray:
    """int64: the images, rising, that ``any`` of the nets, or ``all`` of them, take for something else than they are.

    Args:
        predictions: of each net (N, classes), of the same N images.
        labels: (N,), their classes.
    """
    if by not in ("any", "all"):
        raise ValueError(f"by: {by!r} is not one of any, all")
    if not predictions:
        return np.empty(0, np.int64)
    wrong = np.stack([net.argmax(1) != np.asarray(labels) for net in predictions])
    return np.flatnonzero(wrong.any(0) if by == "any" else wrong.all(0))
