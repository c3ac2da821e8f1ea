"""What a file leaves open, tried out: the error on training images of the embedded sample for every choice.

Training images, since whatever is chosen by an error fits the images it was counted on a little better than others: test images select
nothing here. They measure what was chosen, once, and only that (``measure``)::

    found = trial(proposal)
    measured = measure(proposal, found.suggested.normalization, found.suggested.shortcut)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch

from resnet_core import data
from resnet_core.activations import Progress, part_of
from resnet_core.architectures.net import Net, build_model
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.datasets import CIFAR10_CLASSES
from resnet_core.imports.proposal import Proposal
from resnet_core.language import mark, tr
from resnet_core.nets.loading import resized
from resnet_core.training import probe
from resnet_core.training.evaluate import answers
from resnet_core.training.plan import Plan

CLASSES = 10
#: The first training images of the embedded sample, whose classes alternate; and as many are its test images.
SAMPLE_IMAGES = 1000
#: Guessing is wrong 90.0 % of the time, with a standard deviation of 0.95 on 1,000 images.
GUESSED_ERROR = 87.0
#: Above this many percent of error somebody should ask whether the net was read as it was meant.
DOUBTFUL = 50.0
GUESSING = mark("No choice does better than guessing: the net was trained on something else, or on these classes in another order.")


@dataclass(frozen=True)
class Attempt:
    """One choice and its outcome: ``error`` in percent and mean cross-entropy ``loss``; None where the classes are not CIFAR-10's."""

    normalization: str
    shortcut: str
    error: float | None = None
    loss: float | None = None


@dataclass(frozen=True)
class Trial:
    """All choices tried.

    Attributes:
        attempts: the suggested one, then the lowest error first; in the order of likelihood where there are no errors.
        suggested: of those that the images cannot tell from the lowest error (see ``near``), the one with the lowest loss; the likeliest
            where there are no errors.
        images: those each was tried on; 0 where there are no errors.
        precision: that they were computed in; empty where there are no errors.
        note: why there are no errors, that none is better than guessing, or that the images were enlarged for the net; else empty.
    """

    attempts: tuple[Attempt, ...]
    suggested: Attempt
    images: int
    precision: str = ""
    note: str = ""

    def find(self, normalization: str, shortcut: str) -> Attempt | None:
        wanted = (normalization, shortcut)
        return next((attempt for attempt in self.attempts if (attempt.normalization, attempt.shortcut) == wanted), None)

    @property
    def near(self) -> tuple[Attempt, ...]:
        """The choices beside ``suggested`` that were as good as far as these images tell."""
        return tuple(each for each in _near(self.attempts, self.images) if each is not self.suggested) if self.images else ()

    def doubt(self, attempt: Attempt | None) -> str:
        """What may be wrong, of a choice with more than ``DOUBTFUL`` percent of error; else empty."""
        if attempt is None or attempt.error is None or attempt.error <= DOUBTFUL:
            return ""
        return tr(
            "{error:.1f} % of {images:,} training images of the sample are wrong. This may not be the net that was "
            "trained: its input may have been normalised in another way or have its colours in another order, "
            "its shortcuts may be of another kind (option A with its zeros on the other side, or after an "
            "average), its classes may come in another order; or it was trained on other images, or hardly at "
            "all.",
            error=attempt.error,
            images=self.images,
        )


def trial(
    proposal: Proposal,
    progress: Progress | None = None,
    device: str = "auto",
    precision: str = "fp32",
    choices: Iterable[tuple[str, str]] | None = None,
) -> Trial:
    """Tries every open choice on the first 1,000 training images of the embedded sample.

    Args:
        progress: called with the images done and the images in all, over all choices.
        device, precision: as in ``Recipe``; fp32 unless asked otherwise, as in ``nets.loading.load``.
        choices: pairs of a normalisation and a shortcut, instead of all that are open.

    Raises:
        ConfigError: the device is not on this machine. DataError: the sample is damaged.
    """
    pairs = list(itertools.product(proposal.normalizations, proposal.shortcuts) if choices is None else choices)
    return _tried(proposal, pairs, "train", progress, device, precision)


def measure(
    proposal: Proposal,
    normalization: str,
    shortcut: str,
    progress: Progress | None = None,
    device: str = "auto",
    precision: str = "fp32",
) -> Trial:
    """Measures a choice that was made on the 1,000 test images of the embedded sample. Arguments and errors as of ``trial``."""
    return _tried(proposal, [(normalization, shortcut)], "test", progress, device, precision)


def _tried(
    proposal: Proposal,
    pairs: list[tuple[str, str]],
    split: str,
    progress: Progress | None,
    device: str,
    precision: str,
) -> Trial:
    classes = proposal.model.num_classes
    note = ""
    if classes != CLASSES:
        note = tr(
            "The net tells {classes:,} classes apart, the sample's images have {classes2}: there is no error to measure.",
            classes=classes,
            classes2=CLASSES,
        )
    elif proposal.classes not in ((), CIFAR10_CLASSES):
        note = tr("The file names other classes than those of the sample's images: there is no error to measure.")
    if note:
        attempts = tuple(Attempt(*pair) for pair in pairs)
        return Trial(attempts, attempts[0], 0, "", note)
    plan = probe.decide(RunConfig(recipe=Recipe(device=device, precision=precision, compile="off")), trains=False)
    images = getattr(data.load(DataConfig("sample")), split).part(0, SAMPLE_IMAGES)
    total, done = len(images) * len(pairs), 0
    tried: list[Attempt] = []
    for shortcut in dict.fromkeys(shortcut for _, shortcut in pairs):
        model = _build(proposal, shortcut, plan)
        for normalization in [key for key, option in pairs if option == shortcut]:
            wrong, loss = _count(model, proposal, normalization, images, plan, part_of(progress, done, total))
            done += len(images)
            tried.append(Attempt(normalization, shortcut, 100.0 * wrong / len(images), loss / len(images)))
    tried.sort(key=lambda each: (_measured(each)[0], pairs.index((each.normalization, each.shortcut))))
    suggested = _suggestion(tried, len(images))
    notes = [GUESSING] if _measured(tried[0])[0] > GUESSED_ERROR else []
    if model.side != images.images.shape[-1]:
        notes.append(tr("The images were enlarged from 32x32 to the {side}x{side} pixels that the net is made for.", side=model.side))
    tried.sort(key=lambda each: each is not suggested)
    return Trial(tuple(tried), suggested, len(images), plan.precision, " ".join(notes))


def _measured(attempt: Attempt) -> tuple[float, float]:
    """Error and loss of one that was tried."""
    assert attempt.error is not None and attempt.loss is not None
    return attempt.error, attempt.loss


def _near(attempts: Iterable[Attempt], images: int) -> list[Attempt]:
    """Those whose error is at most one standard deviation above the lowest: that of an error counted on so many images.

    A trained net has learned these images and may get all of them right. The usual estimate then has no noise at all, and one image would
    decide between two choices; so two right and two wrong answers are added to the count (Agresti and Coull 1998).
    """
    lowest = min(_measured(each)[0] for each in attempts)
    chance = (lowest * images / 100 + 2) / (images + 4)
    noise = 100 * math.sqrt(chance * (1 - chance) / (images + 4))
    return [each for each in attempts if _measured(each)[0] <= lowest + noise]


def _suggestion(attempts: list[Attempt], images: int) -> Attempt:
    """Of ``_near`` the one with the lowest loss, which tells more than the count of errors does; the first of equals."""
    return min(_near(attempts, images), key=lambda each: loss if math.isfinite(loss := _measured(each)[1]) else math.inf)


def _build(proposal: Proposal, shortcut: str, plan: Plan) -> Net:
    model = build_model(proposal.net(shortcut))
    model.load_state_dict({name: torch.from_numpy(array) for name, array in proposal.arrays(shortcut).items()})
    if proposal.mean is not None and proposal.mean.shape[-1] > 1:
        model.side = proposal.mean.shape[-1]
    return model.to(plan.device).to(memory_format=torch.channels_last).eval()


def _count(
    model: Net, proposal: Proposal, normalization: str, images: data.Split, plan: Plan, progress: Progress | None
) -> tuple[int, float]:
    """Wrong answers, and the sum of the cross-entropies."""
    first, second = proposal.normalization_arrays(normalization)
    mean, std = torch.from_numpy(first).to(plan.device), None if second is None else torch.from_numpy(second).to(plan.device)

    def prepare(batch: torch.Tensor) -> torch.Tensor:
        return data.normalize(resized(batch.to(plan.device), model.side), mean, std)

    wrong, loss = 0, 0.0
    for start, logits in answers(model, images.images, prepare, plan, progress=progress):
        labels = images.labels[start : start + len(logits)].to(plan.device)
        loss += float(torch.nn.functional.cross_entropy(logits, labels, reduction="sum"))
        # A net whose answer is not a number gives none.
        wrong += int(((logits.argmax(1) != labels) | ~logits.isfinite().all(1)).sum())
    return wrong, loss
