"""Does a set of finished trainings show the degradation problem? In numbers, and in a sentence that says so either way.

He et al. 2016, section 1 and Figure 1: degradation is a deeper plain net ending with a *higher training error* than a shallower
one, so it is not overfitting; section 4.2 and Figure 6: residual nets of the same depths do not suffer from it. Only nets that were
trained alike are compared, and the word is used of trainings that have ended (``MIN_EPOCHS``). A difference counts if it is clear
(``noise``).
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from resnet_core import noise
from resnet_core.architectures import ModelConfig, ResNetConfig
from resnet_core.config import RunConfig
from resnet_core.language import mark, together, tr, tr_n

#: Before that many epochs, or at a rate that was never lowered, trainings show how fast nets learn. In those that ship, ResNet-56 is 36
#: points above ResNet-20 after 1 epoch, 9 after 5, 5 after 8, 0.2 after 20 (where the rate falls) and 1.7 below it at the end.
MIN_EPOCHS = 20.0


@dataclass(frozen=True)
class Outcome:
    """How one training ended: its configuration and its final errors in percent. ``train_error`` is None for one that diverged.

    Attributes:
        train_error: mean over the last epoch, of the images as they were trained on.
        clean_error: of the trained net on training images without augmentation; None where it was not measured.
        last_rate: the learning rate at the end; None where it is not known.
    """

    config: RunConfig
    train_error: float | None
    test_error: float | None = None
    clean_error: float | None = None
    last_rate: float | None = None

    @property
    def is_lowered(self) -> bool:
        """Whether its rate fell: by its schedule, but for ``plateau``, which need not have come to one."""
        recipe = self.config.recipe
        if recipe.schedule == "plateau":
            return self.last_rate is not None and self.last_rate < recipe.learning_rate
        return recipe.schedule != "constant"


@dataclass(frozen=True)
class Gap:
    """A deep net against a shallow one of its family, trained alike. Errors are training errors in percent, means over ``seeds`` seeds.

    ``standard_error`` is that of ``points``, as in ``noise``.
    """

    shallow: ModelConfig
    deep: ModelConfig
    shallow_error: float
    deep_error: float
    seeds: int
    standard_error: float

    @property
    def points(self) -> float:
        return self.deep_error - self.shallow_error

    @property
    def is_worse(self) -> bool:
        """Whether the deep net is clearly worse."""
        return self.points > noise.CLEAR * self.standard_error

    def __str__(self) -> str:
        size = (
            tr("as high as")
            if abs(self.points) < 0.05
            else tr(
                mark("{gap:.{decimals}f} points above") if self.points > 0 else mark("{gap:.{decimals}f} points below"),
                gap=abs(self.points),
                decimals=1,
            )
        )
        return tr(
            "{name} ends {size} {name2} ({deep_error:.1f} against {shallow_error:.1f} %)",
            name=self.deep.name,
            size=size,
            name2=self.shallow.name,
            deep_error=self.deep_error,
            shallow_error=self.shallow_error,
        )


@dataclass(frozen=True)
class Degradation:
    """What the trainings show. ``plain`` or ``residual`` is None where no pair of depths was trained alike.

    Attributes:
        config: what all of them share: data and recipe (its net and seed mean nothing).
        clean: whether the errors are clean training errors.
        lowered: whether all of them lowered their rate.
    """

    plain: Gap | None
    residual: Gap | None
    config: RunConfig
    clean: bool
    lowered: bool

    @property
    def fraction(self) -> float:
        """The part of the paper's schedule."""
        return self.config.recipe.schedule_fraction

    @property
    def gaps(self) -> list[Gap]:
        """Those of the two that there are."""
        return [gap for gap in (self.plain, self.residual) if gap]

    @property
    def threshold(self) -> float:
        """Points from which on a difference counts."""
        return noise.CLEAR * max(gap.standard_error for gap in self.gaps)

    @property
    def seeds_text(self) -> str:
        seeds = min(gap.seeds for gap in self.gaps)
        return tr("mean of {seeds} seeds", seeds=seeds) if seeds > 1 else tr("one seed")

    @property
    def ended(self) -> bool:
        """Whether the trainings are long enough, and lowered their rate, so that more of the same would change little."""
        return self.config.epochs >= MIN_EPOCHS and self.lowered

    @property
    def plain_degrades(self) -> bool:
        return self.ended and self.plain is not None and self.plain.is_worse

    @property
    def residual_degrades(self) -> bool:
        return self.ended and self.residual is not None and self.residual.is_worse

    @property
    def shown(self) -> bool:
        """The whole effect: the plain net got clearly worse with depth, the residual one did not."""
        return self.plain_degrades and self.residual is not None and not self.residual_degrades


def without_seed(config: RunConfig) -> RunConfig:
    """The configuration with seed 0: equal for runs that differ in nothing but the seed."""
    start = config.start and dataclasses.replace(config.start, origin="", weights="")  # which are those of one seed
    return dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, seed=0), start=start)


def trained_alike(config: RunConfig) -> RunConfig:
    """The configuration with a fixed net and seed: equal for runs on the same data by the same recipe."""
    fixed: ModelConfig = ResNetConfig(num_classes=config.data.classes)
    if config.start and config.start.frozen > len(fixed.plan().groups):
        fixed = config.model
    return dataclasses.replace(without_seed(config), model=fixed)


@dataclass(frozen=True)
class _Series:
    """Nets that differ in depth only, by their depths, and their final training errors: depth -> seed -> percent."""

    models: dict[int, ModelConfig] = field(default_factory=dict)
    errors: dict[int, dict[int, float]] = field(default_factory=dict)

    @property
    def any(self) -> ModelConfig:
        return next(iter(self.models.values()))


def _gap(series: _Series, depths: Iterable[int], spread: float) -> Gap | None:
    """The deepest of the depths against the shallowest, over the seeds that both have; None without such seeds, or a second depth."""
    depths, errors = sorted(depths), series.errors
    found = noise.difference(errors[depths[-1]], errors[depths[0]], spread) if len(depths) > 1 else None
    if found is None:
        return None
    seeds = set(errors[depths[0]]) & set(errors[depths[-1]])
    shallow, deep = (math.fsum(errors[depth][seed] for seed in seeds) / len(seeds) for depth in (depths[0], depths[-1]))
    return Gap(series.models[depths[0]], series.models[depths[-1]], shallow, deep, found.seeds, found.standard_error)


def _series(outcomes: Sequence[Outcome], clean: bool) -> list[_Series]:
    """Training errors by nets that differ in depth only."""
    found: dict[str, _Series] = {}
    for outcome in outcomes:
        model = outcome.config.model
        one = found.setdefault(model.series, _Series())
        one.models[model.depth] = model
        error = outcome.clean_error if clean else outcome.train_error
        if error is not None:
            one.errors.setdefault(model.depth, {})[outcome.config.recipe.seed] = error
    return list(found.values())


def degradation(outcomes: Sequence[Outcome]) -> Degradation | None:
    """The clearest comparison that the outcomes allow, or None where no two depths of a family were trained alike.

    Runs are compared within one recipe and one data set, by their clean training errors where all have one. Plain and residual nets of
    the same depths, block and width are preferred, with option A before B and C, as it adds no parameters; then the widest range of depths.
    """
    ended = [o for o in outcomes if o.train_error is not None and math.isfinite(o.train_error)]
    found: list[tuple[tuple, Degradation]] = []
    for recipe in {trained_alike(outcome.config): None for outcome in ended}:
        alike = [outcome for outcome in ended if trained_alike(outcome.config) == recipe]
        clean, spread = all(outcome.clean_error is not None for outcome in alike), noise.seed_spread(recipe)
        series, lowered = _series(alike, clean), all(outcome.is_lowered for outcome in alike)
        plain: list[_Series | None] = [one for one in series if one.any.is_plain] or [None]
        residual: list[_Series | None] = [one for one in series if not one.any.is_plain] or [None]
        for one, other in itertools.product(plain, residual):
            gaps, twins = _pair(one, other, spread)
            if any(gaps):
                option_a = other is not None and other.any.shortcut == "A"
                deepest = max(gap.deep.depth for gap in gaps if gap)
                found.append(((twins, all(gaps), option_a, deepest), Degradation(gaps[0], gaps[1], recipe, clean, lowered)))
    return max(found, key=lambda item: item[0])[1] if found else None


def _pair(plain: _Series | None, residual: _Series | None, spread: float) -> tuple[list[Gap | None], bool]:
    """The gaps of both, and whether they are of twins: at the depths that both have, if there are two, else each at its own."""
    if plain is not None and residual is not None and residual.any.kin == plain.any.series:
        common = set(plain.errors) & set(residual.errors)
        gaps = [_gap(one, common, spread) for one in (plain, residual)]
        if all(gaps):
            return gaps, True
    return [None if one is None else _gap(one, one.errors, spread) for one in (plain, residual)], False


def degradation_verdict(outcomes: Sequence[Outcome]) -> str:
    """A few sentences: whether these trainings show degradation in the plain nets and its absence in the residual ones.

    A set that does not show the effect says so, and what would.
    """
    diverged = sorted({outcome.config.model.name for outcome in outcomes if outcome.train_error is None})
    tail = (
        tr_n(
            len(diverged),
            " {diverged} diverged and is left out.",
            " {diverged} diverged and are left out.",
            diverged=together(diverged),
        )
        if diverged
        else ""
    )
    found = degradation(outcomes)
    if found is None:
        return (
            tr(
                "Nothing to compare yet: degradation needs a shallow and a deep net of one family (say plain-20 and "
                "plain-56), trained by the same recipe on the same data."
            )
            + tail
        )
    if found.config.recipe.schedule == "plateau":
        tail += tr(
            " With the schedule plateau a net's rate falls when its own error has stopped falling, so these nets had "
            "different rates at the same iteration, which is a part of what is compared."
        )
    what = tr("Clean training error at the end") if found.clean else tr("Training error, mean over the last epoch")
    tail += tr(
        " ({what}, {seeds_text}; a difference counts from {threshold:.1f} points on.)",
        what=what,
        seeds_text=found.seeds_text,
        threshold=found.threshold,
    )
    if not found.ended:
        pairs = ", and ".join(map(str, found.gaps))
        return tr(
            "After {epochs:.1f} epochs: {pairs}. So early the curves show how fast nets learn, not where they "
            "end: a deep residual net lags at first too. Train at least {min_epochs:g} epochs with a rate that "
            "falls.{tail}",
            epochs=found.config.epochs,
            pairs=pairs,
            min_epochs=MIN_EPOCHS,
            tail=tail,
        )
    if found.plain is None:
        return tr(
            "{residual}. Only residual nets: train their plain twins to see what the shortcuts do.{tail}",
            residual=found.residual,
            tail=tail,
        )
    if found.residual is None:
        shows = tr("This is degradation") if found.plain_degrades else tr("No clear degradation")
        return tr(
            "{plain}. {shows}; train the residual twins to see what shortcuts change.{tail}", plain=found.plain, shows=shows, tail=tail
        )
    if found.shown:
        return tr(
            "Degradation in the plain nets, and none in the residual ones: {plain}, while {residual}.{tail}",
            plain=found.plain,
            residual=found.residual,
            tail=tail,
        )
    if found.plain_degrades:
        return tr(
            "{plain}, but {residual} too: both families get worse with depth here.{tail}",
            plain=found.plain,
            residual=found.residual,
            tail=tail,
        )
    return tr(
        "These runs do not show degradation: {plain}, and {residual}. More seeds, a wider range of depths or "
        "more epochs may show it.{tail}",
        plain=found.plain,
        residual=found.residual,
        tail=tail,
    )
