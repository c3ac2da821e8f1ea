"""Error and loss on a set of images: single view, as in section 4.2 of He et al. 2016."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import torch
from torch import nn

from resnet_core.data import normalize
from resnet_core.training.plan import Plan

EVALUATION_BATCH = 500
#: Of the maps that lie in memory at once while a batch goes through a net without gradients.
_MAP_BYTES = 512 << 20
#: A block's input, and what comes of it convolution by convolution: so many of its largest maps at once.
_MAPS = 6


def evaluation_batch(model: nn.Module, most: int | None = None) -> int:
    """Images that may go through a net together, without gradients: 1 to ``most`` (``EVALUATION_BATCH``), so that memory is bounded.

    Nets of up to 43 filters take 500; one of bottlenecks with 256 filters, whose maps have 1,024 channels, takes 21.
    """
    most, config = most or EVALUATION_BATCH, getattr(model, "config", None)
    if config is None:
        return most
    values = max(prod(placed.output) for placed in config.plan().walk((3, 32, 32)))
    return max(1, min(most, _MAP_BYTES // (4 * _MAPS * values)))


@torch.no_grad()
def evaluate(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    mean: torch.Tensor,
    plan: Plan,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[float, float]:
    """Top-1 error in percent, and mean cross-entropy. ``model`` comes back in the mode it was in.

    Args:
        images: uint8 (N, 3, 32, 32), anywhere; labels: int64 (N,); mean: float32 (3, 32, 32) on the model's device.
        progress: called with the images done and the images in all.
    """
    was_training = model.training
    device = mean.device
    wrong = torch.zeros((), dtype=torch.int64, device=device)
    loss = torch.zeros((), device=device)
    model.eval()
    try:
        for start in range(0, len(images), EVALUATION_BATCH):
            x = normalize(images[start : start + EVALUATION_BATCH].to(device), mean)
            y = labels[start : start + EVALUATION_BATCH].to(device)
            with plan.autocast():
                logits = model(x)
            logits = logits.float()
            wrong += (logits.argmax(1) != y).sum()
            loss += nn.functional.cross_entropy(logits, y, reduction="sum")
            if progress:
                progress(min(start + EVALUATION_BATCH, len(images)), len(images))
    finally:
        model.train(was_training)
    return 100.0 * wrong.item() / len(images), loss.item() / len(images)
