"""Shattered gradients: how soon the input gradient forgets itself along a line of images (Balduzzi et al. 2017, sections 2 and 3)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet_core.architectures import ModelConfig
from resnet_core.attribution.methods import Parameter
from resnet_core.differences import changed
from resnet_core.errors import ConfigError
from resnet_core.experiments.base import Experiment, Measured, Progress, ShouldStop, Table, each_of, whole_net_macs
from resnet_core.figures.lines import Line, lines_figure
from resnet_core.language import mark, together, tr

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import torch

    from resnet_core.architectures.net import Net
    from resnet_core.data import Cifar10
    from resnet_core.nets.loading import LoadedNet

#: Of the branches of a net that adds them to its skips: as the net is built, and the paper's.
FACTORS = (1.0, 0.1)
#: Lags of the figure, and those that the table tells.
LAGS, TOLD = 30, (1, 10)
#: Training images whose statistics BN has at initialisation: a training's first batch.
_BATCH = 128


@dataclass(frozen=True)
class Variant:
    """A net that is measured, made of the chosen one.

    Attributes:
        model: its configuration; factor: what its branches are multiplied by before they are added.
        trained: with the weights of the chosen net; else as it is before its first update.
    """

    model: ModelConfig
    factor: float
    trained: bool

    @property
    def has_norm(self) -> bool:
        return any(placed.part.kind == "bn" for placed in self.model.plan().walk())

    @property
    def short(self) -> str:
        """What tells it from the other variants of its net, in a legend."""
        return tr("trained") if self.trained else f"{'BN' if self.has_norm else tr('no BN')}{self._factor}"

    @property
    def words(self) -> str:
        """The same in a sentence."""
        return (
            tr("trained")
            if self.trained
            else tr(mark("initial with BN{factor}") if self.has_norm else mark("initial without BN{factor}"), factor=self._factor)
        )

    @property
    def _factor(self) -> str:
        return f", β = {self.factor:g}" if self.factor != 1 else ""


def variants(model: ModelConfig) -> list[Variant]:
    """List the nets that are made of one: trained, then before training with BN and without, if it may have both, with each factor."""
    models = []
    for norm in ("batch", "none") if hasattr(model, "norm") else ():
        with contextlib.suppress(ConfigError):  # as Fixup, which has none
            models.append(changed(model, norm=norm))
    factors = FACTORS if any(unit.join.name == "add" for unit in model.plan().units) else FACTORS[:1]
    return [Variant(model, 1.0, True), *(Variant(one, factor, False) for one in models or [model] for factor in factors)]


def _macs(model: ModelConfig, values: Mapping[str, Any]) -> float:
    passes = 1 + values["draws"] * (len(variants(model)) - 1)
    return whole_net_macs(model) * 2 * values["points"] * values["lines"] * passes  # forward, and back to the input


EXPERIMENT = Experiment(
    key="shattered",
    title=mark("Shattered gradients"),
    module="resnet_core.experiments.shattered",
    question=mark("How far does the input gradient at one image resemble that at the next?"),
    source=mark("Balduzzi, Frean, Leary, Lewis, Ma and McWilliams: The Shattered Gradients Problem (ICML 2017)"),
    method=(
        mark(
            "Along the straight line from one test image to another lie so many inputs, equally far apart. At "
            "each of them the gradient of one logit with respect to the input is taken, of the class that the "
            "net prefers at the line's beginning; then the autocorrelation of these gradients over the lag, less "
            "their mean. It is done for the trained net and for nets of its configuration at their "
            "initialisation, with BN and without, and where branches are added to skips also with branches "
            "multiplied by 0.1 (β). BN has the running statistics of the trained net, at initialisation those of "
            "128 training images, and they count as constants."
        )
    ),
    limits=(
        mark(
            "The paper's inputs are single numbers from -2 to 2, and these lie between two images, so the order "
            "of nets can be compared, and heights cannot. A lag is a part of the line: more points on it make "
            "lag 1 a smaller step. That gradients resemble each other does not say that a net trains well; the "
            "function that is constant has the most alike."
        )
    ),
    parameters=(
        Parameter("points", mark("inputs on a line"), "int", 256, 32, 1024, 32, help=mark("Equally far apart, both images among them.")),
        Parameter("lines", mark("lines"), "int", 2, 1, 20, 1, help=mark("The first pairs of the test images.")),
        Parameter("draws", mark("initialisations"), "int", 2, 1, 20, 1, help=mark("Draws of the weights at the start.")),
        Parameter("seed", mark("seed"), "int", 0, 0, 9999, 1, help=mark("Of the first draw; the next ones follow.")),
    ),
    macs=_macs,
    labelled=False,
)


@dataclass(frozen=True, eq=False)
class Shattered:
    """Autocorrelations of one net and of what was made of it.

    Attributes:
        variants: V of them.
        correlation: for each (draws x lines, lags), from lag 1; nan where the gradient is the same at all inputs, or not finite.
        points, lines, draws: of what it was measured.
    """

    variants: tuple[Variant, ...]
    correlation: tuple[np.ndarray, ...]
    points: int
    lines: int
    draws: int

    def mean(self, index: int) -> np.ndarray:
        """(lags,), of a variant the mean over lines and draws; nan where one of them is."""
        return self.correlation[index].mean(0)

    def at(self, index: int, lag: int) -> float | None:
        """The mean of a variant at a lag; None where there is none."""
        value = float(self.mean(index)[lag - 1])
        return value if np.isfinite(value) else None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        rows = []
        for index, (one, found) in enumerate(zip(self.variants, self.correlation, strict=True)):
            lags: list[float | None] = [self.at(index, lag) for lag in range(1, found.shape[1] + 1)]
            told = {f"lag_{lag}": lags[lag - 1] for lag in TOLD}
            what = {"net": one.model.name, "trained": one.trained, "batch_norm": one.has_norm, "branch_factor": one.factor}
            rows.append({**what, **told, "by_lag": lags})
        return {"points": self.points, "lines": self.lines, "draws": self.draws, "variants": rows}


def autocorrelation(values: torch.Tensor, lags: int) -> np.ndarray:
    """Return how alike values are that lie 1 to ``lags`` places apart: covariance at the lag over variance, both around the mean.

    Args:
        values: (P, D), P places of D numbers each, whose products are summed.

    Returns:
        (lags,), float64; nan where all values are the same, or one is not finite.
    """
    centred = (values - values.mean(0)).double()
    products = [float((centred[lag:] * centred[: len(centred) - lag]).sum()) for lag in range(lags + 1)]
    spread = len(values) * float(values.double().square().mean() * values.shape[1])
    # What is left of equal numbers by rounding is no variance.
    if not np.isfinite(products).all() or products[0] <= 1e-12 * spread:
        return np.full(lags, np.nan)
    return np.array(products[1:]) / products[0]


@contextlib.contextmanager
def scaled_branches(net: Net, factor: float) -> Iterator[None]:
    """Within it what each block adds to its skip is multiplied by ``factor``; a net that adds nothing stays as it is."""
    with contextlib.ExitStack() as stack:
        for block in net.blocks():
            if block.join is not None and block.unit.join.name == "add":
                hook = block.join.register_forward_pre_hook(lambda module, ways: (ways[0] * factor, *ways[1:]))
                stack.callback(hook.remove)
        yield


def input_gradients(net: Net, x: torch.Tensor, step: int) -> torch.Tensor:
    """Return the gradient at each input of the logit that is largest at the first.

    Args:
        net: in evaluation mode; x: (P, 3, H, W), on its device; step: of so many at once.

    Returns:
        (P, 3 x H x W), float32, on the CPU.
    """
    import torch

    found, logit = [], 0
    for start in range(0, len(x), step):
        part = x[start : start + step].detach().requires_grad_()
        logits = net(part).float()
        logit = logit if start else int(logits[0].argmax())
        found.append(torch.autograd.grad(logits[:, logit].sum(), part)[0].float().flatten(1).cpu())
    return torch.cat(found)


def measure(
    loaded: LoadedNet, images: Cifar10, values: Mapping[str, Any], progress: Progress = None, should_stop: ShouldStop = None
) -> Shattered:
    """Measure the trained net and its variants at initialisation, in fp32.

    Raises:
        DataError: the gradients of all inputs of a line, which are held, take too much memory.
        Stopped: ``should_stop`` returned True.
    """
    import torch

    from resnet_core.activations import images_at_once, in_batches
    from resnet_core.analysis.passes import untouched
    from resnet_core.architectures.net import build_model
    from resnet_core.experiments import running

    net, points, lines, draws = loaded.model, values["points"], values["lines"], values["draws"]
    running.check_room(loaded, 4 * 4 * 3 * loaded.side**2, points)
    ends = loaded.normalize(images.test.images[: 2 * lines])
    first = loaded.normalize(images.train.images[:_BATCH])
    made, places = variants(net.config), torch.linspace(0, 1, points, device=loaded.device)[:, None, None, None]
    step, lags = images_at_once(net, points, gradients=True), min(LAGS, points // 2)
    found: list[list[np.ndarray]] = [[] for _ in made]
    jobs = [(index, draw) for index, one in enumerate(made) for draw in range(1 if one.trained else draws)]
    steps = in_batches(len(jobs) * lines * points, points, progress, should_stop)
    for index, draw in jobs:
        one = made[index]
        other = net if one.trained else build_model(one.model, values["seed"] + draw).to(first)
        with untouched(other), scaled_branches(other, one.factor):
            for parameter in other.parameters():
                parameter.requires_grad_(False)
            if not one.trained:
                _settle(other, first)
            other.eval()
            for line, _ in zip(range(lines), steps, strict=False):
                begin, end = ends[2 * line : 2 * line + 1], ends[2 * line + 1 : 2 * line + 2]
                gradients = input_gradients(other, begin + (end - begin) * places, step)
                found[index].append(autocorrelation(gradients, lags))
    next(steps, None)  # which tells that the last is done
    return Shattered(tuple(made), tuple(np.stack(each) for each in found), points, lines, draws)


def _settle(net: Net, batch: torch.Tensor) -> None:
    """Give BN the statistics of a batch, layer after layer, as in a training's first step."""
    import torch

    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        net.train_without_chance()(batch)


def table(results: Sequence[Measured]) -> Table:
    """The correlation of each variant at lag 1 and 10."""
    rows = []
    for one in results:
        for index, variant in enumerate(one.result.variants):
            rows.append((one.label, variant.words, *(one.result.at(index, lag) for lag in TOLD)))
    return Table((tr("Net"), tr("Weights"), *(tr("Correlation at lag {lag}", lag=lag) for lag in TOLD)), tuple(rows))


def figure(results: Sequence[Measured], dark: bool = False) -> go.Figure:
    """The mean correlation over the lag, a line for each variant; all but the trained ones are at initialisation."""
    dashes, lines = ("solid", "longdash", "dash", "dashdot", "dot"), []
    for one in results:
        for index, variant in enumerate(one.result.variants):
            y = one.result.mean(index)
            lines.append(Line(one.key, f"{one.label}, {variant.short}", one.model, np.arange(1, len(y) + 1), y, dash=dashes[index]))
    found = results[0].result
    return lines_figure(
        lines, tr("lag, in steps of 1/{points} of the line", points=found.points - 1), tr("correlation of input gradients"), dark
    )


def finding(results: Sequence[Measured]) -> str:
    """The correlations at lag 1 and 10: before training as the net is built, with small branches, and trained."""

    def of(one: Measured) -> str:
        found: Shattered = one.result
        texts = []
        for index, variant in enumerate(found.variants):
            if variant.trained or variant.model == one.model:
                pair = [found.at(index, lag) for lag in TOLD]
                # Adding 0 makes -0.0 of the rounding 0.
                told = [f"{round(value, 2) + 0.0:.2f}" for value in pair if value is not None]
                texts.append(f"{variant.words} {together(told) if len(told) == len(pair) else tr('undefined')}")
        return ", ".join(texts)

    found = results[0].result
    how = tr(
        "{points:,} inputs a line, lines: {lines}, initialisations: {draws}", points=found.points, lines=found.lines, draws=found.draws
    )
    return tr(
        "Correlation of input gradients at lag {told} and at lag {told2} ({how}): {each_of}.",
        told=TOLD[0],
        told2=TOLD[1],
        how=how,
        each_of=each_of(results, of),
    )
