"""How often a net is wrong, on what, and how sure of it: the error with everything that a page shows beside it.

    found = evaluate_detailed(loaded.model, test.images, test.labels, loaded.normalize, loaded.plan)
    found.top1_error, found.confusion, found.worst[0]

Error and loss are, to the last bit, those of ``resnet_core.training.evaluate`` under the same plan and batch size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from resnet_core import data
from resnet_core.activations import images_at_once
from resnet_core.analysis.passes import Normalize, Progress, ShouldStop, check_labels, in_batches, untouched
from resnet_core.config import DataConfig
from resnet_core.nets import Net
from resnet_core.nets.loading import load

if TYPE_CHECKING:
    from resnet_core.training.plan import Plan


@dataclass(frozen=True)
class Mistake:
    """An image that the net takes for something else.

    Attributes:
        index: of the image among those evaluated.
        true, predicted: classes.
        probability: the softmax of the predicted class, 0 to 1.
        true_probability: the softmax of the true class.
    """

    index: int
    true: int
    predicted: int
    probability: float
    true_probability: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The result of an evaluation: single view, as in section 4.2 of He et al. 2016.

    Attributes:
        n: images; wrong: how many of them the net took for something else.
        loss: mean cross-entropy in nats.
        confusion: int64 (C, C), images by true class (row) and predicted class (column); C is the net's number of classes.
        worst: the mistakes that the net was surest of, the surest first.
        precision: ``fp32`` or ``bf16``, of the plan.
    """

    n: int
    wrong: int
    loss: float
    confusion: np.ndarray
    worst: tuple[Mistake, ...]
    precision: str

    @property
    def top1_error(self) -> float:
        """In percent."""
        return 100.0 * self.wrong / self.n

    @property
    def class_errors(self) -> np.ndarray:
        """(C,), the error in percent among the images of each class; NaN for a class that has none."""
        images = self.confusion.sum(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return 100.0 * (1.0 - np.diag(self.confusion) / images)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: ``top1_error``, ``n``, ``wrong``, ``loss`` (None if it is not finite), ``confusion``, ``precision``."""
        return {
            "top1_error": self.top1_error,
            "n": self.n,
            "wrong": self.wrong,
            "loss": self.loss if math.isfinite(self.loss) else None,
            "confusion": self.confusion.tolist(),
            "precision": self.precision,
        }


def evaluate_detailed(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    normalize: Normalize,
    plan: Plan,
    *,
    worst: int = 25,
    batch_size: int | None = None,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> Evaluation:
    """Evaluate ``model``, in evaluation mode; it comes back in the mode it was in.

    Args:
        model: on the plan's device.
        images: uint8 (N, 3, 32, 32), anywhere, N at least 1; labels: int64 (N,).
        normalize: uint8 (B, 3, 32, 32) -> float32 (B, 3, 32, 32) on the model's device, as the net was trained.
        worst: how many of the most confident mistakes are kept.
        batch_size: images in a pass; by default as many as ``images_at_once`` says.
        progress: called with the images done and the images in all.
        should_stop: asked before each batch.

    Raises:
        Stopped: ``should_stop`` returned True.
        DataError: there are labels that the net has no output for.
        ValueError: there are no images.
    """
    if not len(images):
        raise ValueError("an evaluation needs at least one image")
    wrong = 0
    confusion: torch.Tensor | None = None
    loss: torch.Tensor | None = None
    kept: list[Mistake] = []
    with torch.no_grad(), untouched(model):
        model.eval()
        for start, stop in in_batches(len(images), batch_size or images_at_once(model), progress, should_stop):
            x = normalize(images[start:stop])
            y = labels[start:stop].to(x.device)
            with plan.autocast():
                logits = model(x)
            logits = logits.float()
            classes = logits.shape[1]
            if confusion is None or loss is None:
                check_labels(labels, classes)
                confusion, loss = torch.zeros(classes * classes, dtype=torch.int64), torch.zeros((), device=x.device)
            predicted = logits.argmax(1)
            missed = predicted != y
            wrong += int(missed.sum())
            loss += nn.functional.cross_entropy(logits, y, reduction="sum")
            confusion += torch.bincount((y * classes + predicted).cpu(), minlength=classes * classes)
            kept = _surest(kept + _mistakes(logits[missed], y[missed], predicted[missed], start, missed, worst), worst)
    assert confusion is not None and loss is not None  # there was an image
    return Evaluation(
        n=len(images),
        wrong=wrong,
        loss=loss.item() / len(images),
        confusion=confusion.view(classes, classes).numpy(),
        worst=tuple(kept),
        precision=plan.precision,
    )


def evaluate_net(
    net: Net,
    test: DataConfig,
    folder: str | None = None,
    *,
    precision: str = "fp32",
    worst: int = 25,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> tuple[Evaluation, int | None]:
    """Evaluate a copy of a net, loaded now, on all test images; also give the iteration of its weights, of a run.

    Args:
        test: the data set; folder: where it is, if not where ``data.load`` looks for it.
        precision: as in ``Recipe``; worst, progress, should_stop: as in ``evaluate_detailed``, which raises what this raises.

    Raises:
        CheckpointError: the weights cannot be read. DataError: the data are not there.
    """
    loaded, images = load(net, precision=precision), data.load(test, folder).test
    found = evaluate_detailed(
        loaded.model, images.images, images.labels, loaded.normalize, loaded.plan, worst=worst, progress=progress, should_stop=should_stop
    )
    return found, loaded.net.iteration


def _surest(mistakes: list[Mistake], count: int) -> list[Mistake]:
    """Ties in the order of the images, so that the same net always shows the same ones."""
    return sorted(mistakes, key=lambda mistake: (-mistake.probability, mistake.index))[:count]


def _mistakes(
    logits: torch.Tensor, true: torch.Tensor, predicted: torch.Tensor, start: int, missed: torch.Tensor, count: int
) -> list[Mistake]:
    """The ``count`` surest mistakes of a batch that begins at image ``start``; the first three arguments are of the missed images only."""
    if not len(true) or count < 1:
        return []
    probabilities = logits.double().softmax(1) if logits.device.type != "mps" else logits.softmax(1)
    of_predicted = probabilities.gather(1, predicted[:, None])[:, 0]
    of_true = probabilities.gather(1, true[:, None])[:, 0]
    index = missed.nonzero()[:, 0] + start
    order = torch.argsort(of_predicted, descending=True, stable=True)[:count]
    columns = (index, true, predicted, of_predicted, of_true)
    return [Mistake(*values) for values in zip(*(column[order].tolist() for column in columns), strict=True)]
