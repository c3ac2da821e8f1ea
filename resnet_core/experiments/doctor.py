"""The doctor: what is to be known of a checkpoint before it is believed or compared, also of one from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet_core.experiments.base import Experiment, Measured, Progress, ShouldStop, Table, first, images_parameter, whole_net_macs
from resnet_core.figures.lines import Line, lines_figure
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from resnet_core.data import Cifar10
    from resnet_core.nets.loading import LoadedNet

#: Of the confidence, from 0 to 1 (Guo et al. 2017, section 2: M = 15).
BINS = 15
#: Training images that BN statistics are estimated anew on.
BN_IMAGES = 1000
#: Two-sided 95 % of the normal distribution.
_Z = 1.959963984540054


EXPERIMENT = Experiment(
    key="doctor",
    title=mark("Doctor"),
    module="resnet_core.experiments.doctor",
    question=mark("Is this checkpoint sound, and how sure may one be of its error?"),
    source=mark("Wilson 1927 (interval); Guo et al.: On Calibration of Modern Neural Networks (ICML 2017)"),
    method=(
        mark(
            "The error with Wilson's 95 % interval for that many images; the confidence of its answers against how often "
            "they are right, in 15 bins (ECE: their mean distance, weighted by images); channels whose ReLU is 0 for every "
            "image and position; and the error after BN's statistics were estimated anew on {images:,} training images: one"
            " that falls clearly says that they did not fit.",
            images=BN_IMAGES,
        )
    ),
    limits=(
        mark(
            "The interval is of the images alone, not of another training. A channel that is 0 here may answer "
            "others. Calibration on few images is biased upwards. Nets are comparable only as far as data, "
            "normalisation and schedule are: their cards say so."
        )
    ),
    parameters=(images_parameter(),),
    macs=lambda model, values: whole_net_macs(model) * (values["images"] + BN_IMAGES * 2),
)


@dataclass(frozen=True, eq=False)
class Findings:
    """What was found of one net.

    Attributes:
        wrong: test images; n: of so many; loss: mean cross-entropy in nats.
        confidence, accuracy, count: (15,), of the answers in each bin: mean confidence, part that is right, images; NaN where none is.
        dead: channels whose ReLU is 0 throughout; channels: all that have one; dead_by_layer: those of each layer that has some.
        wrong_anew: test images wrong with BN statistics estimated anew; None without BN.
        surest: of the wrong answers the surest ten: image, true class, answer, confidence.
    """

    wrong: int
    n: int
    loss: float
    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray
    dead: int
    channels: int
    dead_by_layer: dict[str, int]
    wrong_anew: int | None
    surest: tuple[tuple[int, int, int, float], ...]

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the error, in percent."""
        return wilson(self.wrong, self.n)

    @property
    def ece(self) -> float:
        """Expected calibration error, in points."""
        distance = np.abs(np.nan_to_num(self.confidence) - np.nan_to_num(self.accuracy))
        return float(100 * (self.count * distance).sum() / self.n)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; errors in percent."""
        return {
            "n": self.n, "error": 100.0 * self.wrong / self.n, "interval": list(self.interval), "loss": self.loss, "ece": self.ece,
            "dead_channels": self.dead, "channels": self.channels, "dead_by_layer": self.dead_by_layer,
            "error_with_new_bn_statistics": None if self.wrong_anew is None else 100.0 * self.wrong_anew / self.n,
            "surest_mistakes": [dict(zip(("image", "true", "answer", "confidence"), each, strict=True)) for each in self.surest],
        }  # fmt: skip


def wilson(wrong: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of ``wrong`` in ``n``, in percent."""
    p, z2 = wrong / n, _Z**2
    middle, half = p + z2 / (2 * n), _Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return 100 * (middle - half) / (1 + z2 / n), 100 * (middle + half) / (1 + z2 / n)


def calibration(confidence: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort answers into ``BINS`` by their confidence (N,): mean confidence, part that is right, and images of each bin."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(bins, weights=values, minlength=BINS) / count for values in (confidence, right.astype(float))]
    return means[0], means[1], count


def measure(
    loaded: LoadedNet, images: Cifar10, values: Mapping[str, Any], progress: Progress = None, should_stop: ShouldStop = None
) -> Findings:
    """Examine the net; it comes back as it was.

    Raises:
        Stopped: ``should_stop`` returned True.
    """
    import torch
    from torch import nn

    from resnet_core.activations import images_at_once, part_of
    from resnet_core.analysis.passes import check_labels, untouched
    from resnet_core.training.evaluate import answers

    net, test = loaded.model, first(images.test, values["images"])
    train = images.train.part(0, min(BN_IMAGES, len(images.train)))
    check_labels(test.labels, net.config.num_classes)
    alive: dict[str, torch.Tensor] = {}
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    size, total = images_at_once(net), len(test) * (2 if norms else 1) + (len(train) if norms else 0)

    def watch(name: str) -> Any:
        def hook(module: nn.Module, args: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            some = (output > 0).flatten(2).any(2).any(0) if output.dim() == 4 else (output > 0).any(0)
            alive[name] = some | alive[name] if name in alive else some

        return hook

    def passed(split: Any, at_once: int, before: int) -> torch.Tensor:
        told = part_of(progress, before, total)
        found = answers(net, split.images, loaded.normalize, loaded.plan, at_once, told, should_stop)
        return torch.cat([logits.cpu() for _, logits in found])

    wrong_anew = None
    with torch.no_grad(), untouched(net) as hooks:
        net.eval()
        watched = [module.register_forward_hook(watch(name)) for name, module in net.named_modules() if isinstance(module, nn.ReLU)]
        for handle in watched:
            hooks.enter_context(handle)
        logits = passed(test, size, 0)
        for handle in watched:
            handle.remove()
        if norms:
            momenta = [module.momentum for module in norms]
            try:
                for module in norms:
                    module.reset_running_stats()
                    module.momentum = None  # the mean over all batches
                net.train_without_chance()
                passed(train, min(size, 250), len(test))
                net.eval()
                wrong_anew = int((passed(test, size, len(test) + len(train)).argmax(1) != test.labels).sum())
            finally:
                for module, momentum in zip(norms, momenta, strict=True):
                    module.momentum = momentum
    probabilities = logits.double().softmax(1)
    sure, said = probabilities.max(1)
    right = said == test.labels
    mistakes = sorted((~right).nonzero()[:, 0].tolist(), key=lambda i: (-float(sure[i]), i))[:10]
    dead = {name: int((~some).sum()) for name, some in alive.items() if not some.all()}
    return Findings(
        int((~right).sum()),
        len(test),
        float(nn.functional.cross_entropy(logits, test.labels)),
        *calibration(sure.numpy(), right.numpy()),
        sum(dead.values()),
        sum(len(some) for some in alive.values()),
        dead,
        wrong_anew,
        tuple((i, int(test.labels[i]), int(said[i]), float(sure[i])) for i in mistakes),
    )


def table(results: Sequence[Measured]) -> Table:
    """One line a net."""
    rows = []
    for one in results:
        found: Findings = one.result
        low, high = found.interval
        anew = None if found.wrong_anew is None else 100.0 * found.wrong_anew / found.n
        dead = tr("{dead:,} of {channels:,}", dead=found.dead, channels=found.channels)
        rows.append(
            (one.label, 100.0 * found.wrong / found.n, tr("{low:.1f} to {high:.1f}", low=low, high=high), found.loss, found.ece, dead, anew)
        )
    head = (
        tr("Net"),
        tr("Error (%)"),
        tr("95 % interval"),
        tr("Cross-entropy"),
        tr("ECE (points)"),
        tr("Dead channels"),
        tr("Error, BN anew (%)"),
    )
    return Table(head, tuple(rows))


def figure(results: Sequence[Measured], dark: bool = False) -> go.Figure:
    """The reliability diagram: how often answers of a confidence are right."""
    lines = []
    for one in results:
        found: Findings = one.result
        there = found.count > 0
        names = [tr("{count:,} images", count=count) for count in found.count[there]]
        lines.append(Line(one.key, one.label, one.model, 100 * found.confidence[there], 100 * found.accuracy[there], names))
    made = lines_figure(lines, tr("confidence of the answer (%)"), tr("answers that are right (%)"), dark)
    made.add_shape(type="line", x0=0, y0=0, x1=100, y1=100, line={"dash": "dot", "width": 1.5, "color": "#7f8896"})
    return made


def finding(results: Sequence[Measured]) -> str:
    """The error with its interval, and whether BN's statistics fit."""
    parts = []
    for one in results:
        found: Findings = one.result
        low, high = found.interval
        said = tr(
            "{label} {wrong:.1f} % ({low:.1f} to {high:.1f})", label=one.label, wrong=100.0 * found.wrong / found.n, low=low, high=high
        )
        if found.wrong_anew is not None and 100.0 * found.wrong_anew / found.n < low:
            said += tr(
                ", with BN statistics estimated anew {wrong_anew:.1f} %: its own do not fit these images",
                wrong_anew=100.0 * found.wrong_anew / found.n,
            )
        parts.append(said)
    return tr("Error on {n:,} test images with its 95 % interval: {parts}.", n=results[0].result.n, parts="; ".join(parts))
