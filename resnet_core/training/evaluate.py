"""Error and loss on a set of images: single view, as in section 4.2 of He et al. 2016."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from resnet_core.activations import images_at_once
from resnet_core.data import normalize
from resnet_core.training.plan import Plan


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
    at_once = images_at_once(model)
    model.eval()
    try:
        for start in range(0, len(images), at_once):
            x = normalize(images[start : start + at_once].to(device), mean)
            y = labels[start : start + at_once].to(device)
            with plan.autocast():
                logits = model(x)
            logits = logits.float()
            wrong += (logits.argmax(1) != y).sum()
            loss += nn.functional.cross_entropy(logits, y, reduction="sum")
            if progress:
                progress(min(start + at_once, len(images)), len(images))
    finally:
        model.train(was_training)
    return 100.0 * wrong.item() / len(images), loss.item() / len(images)
