"""Error and loss on a set of images: single view, as in section 4.2 of He et al. 2016."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import nn

from resnet_core.activations import Progress, ShouldStop, images_at_once, in_batches
from resnet_core.data import normalize
from resnet_core.training.plan import Plan

Normalize = Callable[[torch.Tensor], torch.Tensor]


@torch.no_grad()
def answers(
    model: nn.Module,
    images: torch.Tensor,
    prepare: Normalize,
    plan: Plan,
    at_once: int | None = None,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield the first image of each batch and the batch's logits, float32 (B, classes); ``model`` stays in the mode that it is in.

    Args:
        images: uint8 (N, 3, S, S), anywhere.
        prepare: makes the input of a batch of them, float32 (B, 3, side, side) on the model's device.
        at_once: images in a batch; by default as many as ``images_at_once`` says.
        progress: called with the images done and the images in all; should_stop: asked before each batch.

    Raises:
        Stopped: ``should_stop`` returned True.
    """
    for start, stop in in_batches(len(images), at_once or images_at_once(model), progress, should_stop):
        x = prepare(images[start:stop])
        with plan.autocast():
            logits = model(x)
        yield start, logits.float()


@torch.no_grad()
def evaluate(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    mean: torch.Tensor,
    plan: Plan,
    progress: Progress | None = None,
) -> tuple[float, float]:
    """Top-1 error in percent, and mean cross-entropy. ``model`` comes back in the mode it was in.

    Args:
        images: uint8 (N, 3, 32, 32), anywhere; labels: int64 (N,); mean: float32 (3, 32, 32) on the model's device.
        progress: called with the images done and the images in all.
    """
    was_training = model.training
    wrong = torch.zeros((), dtype=torch.int64, device=mean.device)
    loss = torch.zeros((), device=mean.device)
    model.eval()
    try:
        for start, logits in answers(model, images, lambda batch: normalize(batch, mean), plan, progress=progress):
            y = labels[start : start + len(logits)].to(mean.device)
            wrong += (logits.argmax(1) != y).sum()
            loss += nn.functional.cross_entropy(logits, y, reduction="sum")
    finally:
        model.train(was_training)
    return 100.0 * wrong.item() / len(images), loss.item() / len(images)
