"""What a net says an image is: probabilities of one view or of several, and the images over which nets disagree. Light until it computes.

For example::

    inputs = stack([to_input(picture)])
    probabilities = predict(load(find("resnet-56")), inputs, "ten-crops")  # (1, 10)
    [(names[i], p) for i, p in top(probabilities[0])]
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resnet_core.analysis.protocols import chosen
from resnet_core.errors import CheckpointError
from resnet_core.language import tr

if TYPE_CHECKING:
    import torch

    from resnet_core.activations import Progress, ShouldStop
    from resnet_core.nets import Net
    from resnet_core.nets.loading import LoadedNet


def predict(
    loaded: LoadedNet,
    images: torch.Tensor,
    protocol: str = "single",
    *,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> np.ndarray:
    """float32 (N, classes): the net's softmax for each image under a protocol, in the precision of its plan.

    Args:
        images: uint8 (N, 3, H, W), anywhere; enlarged to the net's size where they have another one.
        protocol: a key of ``protocols.PROTOCOLS``.
        progress: called with the images done and the images in all; should_stop: asked before each pass.

    Raises:
        CheckpointError: the net's outputs are not numbers.
        ConfigError: there is no such protocol, or the net cannot be tested like that.
        Stopped: ``should_stop`` returned True.
    """
    import torch

    from resnet_core.activations import in_batches
    from resnet_core.analysis.views import Asked

    asked = Asked(loaded, chosen(protocol))
    parts = [torch.empty(0, loaded.net.model.num_classes)]
    for start, stop in in_batches(len(images), asked.at_once, progress, should_stop):
        parts.append(asked(images[start:stop], should_stop).softmax(1).cpu())
    probabilities = torch.cat(parts).numpy()
    if not np.isfinite(probabilities).all():
        raise CheckpointError(
            "{name}: its outputs are not numbers (NaN); its training has diverged, or its file is damaged.", name=loaded.net.name
        )
    return probabilities


def stack(inputs: Sequence[np.ndarray], side: int | None = None) -> torch.Tensor:
    """Arrays uint8 (H, W, 3) -> uint8 (N, 3, H, W); with ``side``, all enlarged to that, and then they need not be of one size."""
    import torch

    if side is not None:
        from resnet_core.nets.loading import resized

        return torch.cat([resized(stack([each]), side) for each in inputs])
    return torch.from_numpy(np.stack(inputs)).permute(0, 3, 1, 2).contiguous()


def class_names(net: Net) -> tuple[str, ...]:
    """Name what a net's outputs stand for: its own classes, ImageNet's of 1,000; else ``class 17``: nobody says them."""
    count = net.model.num_classes
    if net.class_names is not None:
        return net.class_names
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
