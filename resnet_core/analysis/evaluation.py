"""How often a net is wrong, on what, and how sure of it: the error with everything that a page shows beside it.

    found = evaluate_detailed(loaded.model, test.images, test.labels, loaded.normalize, loaded.plan)
    found.top1_error, found.confusion, found.worst[0]
    rows = examine([loaded, another], test.images, test.labels, list(PROTOCOLS.values()))  # and as an ensemble

Error and loss are, to the last bit, those of ``resnet_core.training.evaluate`` under the same plan and batch size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from resnet_core import data
from resnet_core.activations import Progress, ShouldStop, in_batches, part_of
from resnet_core.analysis.passes import check_labels, untouched
from resnet_core.analysis.protocols import Cost, Protocol, check_ensemble, chosen, cost, why_not
from resnet_core.analysis.views import Asked, mean_softmax
from resnet_core.config import DataConfig
from resnet_core.errors import ConfigError
from resnet_core.language import tr
from resnet_core.nets import Net
from resnet_core.nets.loading import LoadedNet, load
from resnet_core.training.evaluate import Normalize, answers

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
    """The result of an evaluation: of a single view, as in section 4.2 of He et al. 2016, or under another protocol.

    Attributes:
        n: images; wrong: how many of them the net took for something else.
        loss: mean cross-entropy in nats.
        confusion: int64 (C, C), images by true class (row) and predicted class (column); C is the net's number of classes.
        worst: the mistakes that the net was surest of, the surest first.
        precision: ``fp32`` or ``bf16``, of the plan.
        classes: their names, where they were told.
    """

    n: int
    wrong: int
    loss: float
    confusion: np.ndarray
    worst: tuple[Mistake, ...]
    precision: str
    classes: tuple[str, ...] = ()

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
    counted = _Counted(labels, worst)
    with untouched(model):
        model.eval()
        for start, logits in answers(model, images, normalize, plan, batch_size, progress, should_stop):
            counted.add(logits, start)
    return counted.evaluation(plan.precision)


class _Counted:
    """What is known of a net, or of several together, batch by batch.

    Args:
        labels: int64 (N,) of all images; worst: how many mistakes are kept.
    """

    def __init__(self, labels: torch.Tensor, worst: int):
        self.labels, self.worst, self.wrong = labels, worst, 0
        self.confusion: torch.Tensor | None = None
        self.loss: torch.Tensor | None = None
        self.kept: list[Mistake] = []

    def add(self, logits: torch.Tensor, start: int) -> None:
        """Count the images that begin at ``start``: float32 (B, classes), whose softmax is what is said of them."""
        y, classes = self.labels[start : start + len(logits)].to(logits.device), logits.shape[1]
        if self.confusion is None or self.loss is None:
            check_labels(self.labels, classes)
            self.confusion, self.loss = torch.zeros(classes * classes, dtype=torch.int64), torch.zeros((), device=logits.device)
        predicted = logits.argmax(1)
        missed = predicted != y
        self.wrong += int(missed.sum())
        self.loss += nn.functional.cross_entropy(logits, y, reduction="sum")
        self.confusion += torch.bincount((y * classes + predicted).cpu(), minlength=classes * classes)
        self.kept = _surest(self.kept + _mistakes(logits[missed], y[missed], predicted[missed], start, missed, self.worst), self.worst)

    def evaluation(self, precision: str) -> Evaluation:
        """Give the result; there was an image."""
        assert self.confusion is not None and self.loss is not None
        n, classes = len(self.labels), math.isqrt(len(self.confusion))
        confusion = self.confusion.view(classes, classes).numpy()
        return Evaluation(n, self.wrong, self.loss.item() / n, confusion, tuple(self.kept), precision)


@dataclass(frozen=True, eq=False)
class Examined:
    """A net under a protocol, or several nets as an ensemble.

    Attributes:
        nets: their ids in the catalog; more than one are an ensemble.
        protocol: the key.
        evaluation: None where ``why_not`` says why there is none.
        cost: of one picture.
    """

    nets: tuple[str, ...]
    protocol: str
    evaluation: Evaluation | None
    cost: Cost
    why_not: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: ``nets``, ``protocol``, ``passes`` and ``macs`` of one image, ``why_not``, and those of the evaluation."""
        told = {"nets": list(self.nets), "protocol": self.protocol, "passes": self.cost.passes, "macs": self.cost.macs}
        return told | ({"why_not": self.why_not} if self.evaluation is None else self.evaluation.to_dict())


def examine(
    nets: Sequence[LoadedNet],
    images: torch.Tensor,
    labels: torch.Tensor,
    protocols: Sequence[Protocol],
    *,
    worst: int = 25,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> list[Examined]:
    """Count the errors of nets under protocols: of each protocol a row for each net, and one for all of them as an ensemble.

    The ensemble's answer is the mean of the softmax of its members (He et al. 2016, section 4.1), each tested under the same protocol.

    Args:
        nets: on one device and of one precision; images: uint8 (N, 3, S, S), anywhere, N at least 1; labels: int64 (N,).
        progress: called with the passes done and the passes in all; should_stop: asked before each pass.

    Raises:
        Stopped: ``should_stop`` returned True.
        DataError: the nets are no ensemble (see ``protocols.check_ensemble``), or there are labels that they have no output for.
        ConfigError: the one protocol that is asked for is none for any of the nets.
        ValueError: there are no images.
    """
    if not len(images):
        raise ValueError("an evaluation needs at least one image")
    check_ensemble([one.net for one in nets])
    reasons = {(each.key, i): why_not(one.model, each) for each in protocols for i, one in enumerate(nets)}
    if len(protocols) == 1 and all(reasons.values()):
        raise ConfigError("protocol", "{why}", why=next(iter(reasons.values())))
    passes = {each.key: sum(cost(one.model, each).passes for i, one in enumerate(nets) if not reasons[each.key, i]) for each in protocols}
    total, before, rows = len(images) * sum(passes.values()), 0, []
    for protocol in protocols:
        told = part_of(progress, before, total, passes[protocol.key])
        found = _examine(nets, images, labels, protocol, worst, told, should_stop)
        ids = [one.net.id for one in nets]
        costs = [cost(one.model, protocol) for one in nets]
        for i, (net_id, one_cost) in enumerate(zip(ids, costs, strict=True)):
            rows.append(Examined((net_id,), protocol.key, found.get(i), one_cost, reasons[protocol.key, i]))
        if len(nets) > 1:
            lacking = [one.net.name for i, one in enumerate(nets) if i not in found]
            why = tr("Not all of its nets can be tested like that: {names}.", names=", ".join(lacking)) if lacking else ""
            whole = Cost(sum(one.passes for one in costs), sum(one.macs for one in costs))
            rows.append(Examined(tuple(ids), protocol.key, found.get(len(nets)), whole, why))
        before += len(images) * passes[protocol.key]
    return rows


def _examine(
    nets: Sequence[LoadedNet],
    images: torch.Tensor,
    labels: torch.Tensor,
    protocol: Protocol,
    worst: int,
    progress: Progress | None,
    should_stop: ShouldStop | None,
) -> dict[int, Evaluation]:
    """Evaluate each net that can be, by its place, and behind the last place all together, where all can."""
    asked = {i: Asked(one, protocol) for i, one in enumerate(nets) if not why_not(one.model, protocol)}
    if not asked:
        return {}
    everybody = len(nets) if len(asked) == len(nets) > 1 else None
    counted = {i: _Counted(labels, worst) for i in [*asked, *([everybody] if everybody else [])]}
    for start, stop in in_batches(len(images), min(one.at_once for one in asked.values()), progress, should_stop):
        scores = {i: one(images[start:stop], should_stop) for i, one in asked.items()}
        if everybody:
            scores[everybody] = mean_softmax(list(scores.values()))
        for i, logits in scores.items():
            counted[i].add(logits, start)
    return {i: one.evaluation(nets[0].plan.precision) for i, one in counted.items()}


def examine_nets(
    nets: Sequence[Net],
    test: DataConfig,
    folder: str | None = None,
    *,
    protocols: Sequence[str] = ("single",),
    precision: str = "fp32",
    worst: int = 25,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> tuple[list[Examined], int | None]:
    """Examine copies of nets, loaded now, on all test images; also give the iteration of the first one's weights, of a run.

    Args:
        test: the data set; folder: where it is, if not where ``data.load`` looks for it.
        protocols: keys of ``PROTOCOLS``; precision: as in ``Recipe``; the rest as in ``examine``, which raises what this raises.

    Raises:
        CheckpointError: the weights cannot be read. DataError: the data are not there, or the nets are no ensemble.
    """
    check_ensemble(nets)
    loaded, images = [load(net, precision=precision) for net in nets], data.load(test, folder).test
    found = examine(
        loaded, images.images, images.labels, [chosen(key) for key in protocols], worst=worst, progress=progress, should_stop=should_stop
    )
    return found, loaded[0].net.iteration


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
