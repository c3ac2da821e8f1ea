"""Does a set of finished trainings show the degradation problem? In numbers, and in a sentence that says so either way.

He et al. 2016, section 1 and Figure 1: degradation is a deeper plain net ending with a *higher training error* than a shallower
one, so it is not overfitting; section 4.2 and Figure 6: residual nets of the same depths do not suffer from it. Only nets that were
trained alike are compared.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from resnet_core.config import ModelConfig, RunConfig

#: A gap in training error, in percentage points, that is taken for an effect and not for the luck of a seed.
CLEAR_GAP = 3.0


@dataclass(frozen=True)
class Outcome:
    """How one training ended: its configuration and its final errors in percent. ``train_error`` is None for one that diverged."""

    config: RunConfig
    train_error: float | None
    test_error: float | None = None


@dataclass(frozen=True)
class Gap:
    """A deep net against a shallow one of its family, trained alike. Errors are training errors in percent, means over ``seeds`` seeds."""

    shallow: ModelConfig
    deep: ModelConfig
    shallow_error: float
    deep_error: float
    seeds: int

    @property
    def points(self) -> float:
        return self.deep_error - self.shallow_error

    def __str__(self) -> str:
        size = "as high as" if abs(self.points) < 0.05 else f"{abs(self.points):.1f} points {'above' if self.points > 0 else 'below'}"
        return f"{self.deep.name} ends {size} {self.shallow.name} ({self.deep_error:.1f} against {self.shallow_error:.1f} %)"


@dataclass(frozen=True)
class Degradation:
    """What the trainings show. ``plain`` or ``residual`` is None where no pair of depths was trained alike."""

    plain: Gap | None
    residual: Gap | None
    fraction: float  # of the paper's schedule

    @property
    def plain_degrades(self) -> bool:
        return self.plain is not None and self.plain.points >= CLEAR_GAP

    @property
    def residual_degrades(self) -> bool:
        return self.residual is not None and self.residual.points >= CLEAR_GAP

    @property
    def shown(self) -> bool:
        """The whole effect: the plain net got clearly worse with depth, the residual one did not."""
        return self.plain_degrades and self.residual is not None and not self.residual_degrades


def without_seed(config: RunConfig) -> RunConfig:
    """The configuration with seed 0: equal for runs that differ in nothing but the seed."""
    return dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, seed=0))


def trained_alike(config: RunConfig) -> RunConfig:
    """The configuration with a fixed net and seed: equal for runs on the same data by the same recipe."""
    return dataclasses.replace(without_seed(config), model=ModelConfig())


Errors = dict[int, dict[int, float]]  # of one family: depth -> seed -> final training error


def _gap(family: ModelConfig, errors: Errors, depths: Iterable[int]) -> Gap | None:
    """The deepest of the depths against the shallowest, over the seeds that both have; None without such seeds, or a second depth."""
    depths = sorted(depths)
    seeds = sorted(set(errors[depths[0]]) & set(errors[depths[-1]])) if len(depths) > 1 else []
    if not seeds:
        return None
    shallow, deep = (math.fsum(errors[depth][seed] for seed in seeds) / len(seeds) for depth in (depths[0], depths[-1]))
    models = (dataclasses.replace(family, depth=depth) for depth in (depths[0], depths[-1]))
    return Gap(*models, shallow, deep, len(seeds))


def _families(outcomes: Sequence[Outcome]) -> dict[ModelConfig, Errors]:
    """By nets that differ in depth only; each family under one of its nets."""
    found: dict[tuple, tuple[ModelConfig, Errors]] = {}
    for outcome in outcomes:
        model = outcome.config.model
        _, errors = found.setdefault((model.shortcut, model.block, model.width, model.num_classes), (model, {}))
        errors.setdefault(model.depth, {})[outcome.config.recipe.seed] = outcome.train_error
    return dict(found.values())


def degradation(outcomes: Sequence[Outcome]) -> Degradation | None:
    """The clearest comparison that the outcomes allow, or None where no two depths of a family were trained alike.

    Runs are compared within one recipe and one data set. Plain and residual nets of the same depths, block and width are preferred,
    with option A before B and C, as it adds no parameters; then the widest range of depths.
    """
    ended = [o for o in outcomes if o.train_error is not None and math.isfinite(o.train_error)]
    found: list[tuple[tuple, Degradation]] = []
    for recipe in {trained_alike(outcome.config): None for outcome in ended}:
        families = _families([outcome for outcome in ended if trained_alike(outcome.config) == recipe])
        plain = [family for family in families if family.is_plain] or [None]
        residual = [family for family in families if not family.is_plain] or [None]
        for one, other in itertools.product(plain, residual):
            gaps, twins = _pair(one, other, families)
            if any(gaps):
                option_a = other is not None and other.shortcut == "A"
                deepest = max(gap.deep.depth for gap in gaps if gap)
                found.append(((twins, all(gaps), option_a, deepest), Degradation(*gaps, recipe.recipe.schedule_fraction)))
    return max(found, key=lambda item: item[0])[1] if found else None


def _pair(plain: ModelConfig | None, residual: ModelConfig | None, families: dict[ModelConfig, Errors]) -> tuple[list[Gap | None], bool]:
    """The gaps of both families, and whether they are of twins: at the depths that both have, if there are two, else each at its own."""
    pair = [plain, residual]
    if (
        plain is not None
        and residual is not None
        and dataclasses.replace(plain, depth=residual.depth, shortcut=residual.shortcut) == residual
    ):
        common = set(families[plain]) & set(families[residual])
        gaps = [_gap(family, families[family], common) for family in pair]
        if all(gaps):
            return gaps, True
    return [family and _gap(family, families[family], families[family]) for family in pair], False


def degradation_verdict(outcomes: Sequence[Outcome]) -> str:
    """One to three sentences: whether these trainings show degradation in the plain nets and its absence in the residual ones.

    A set that does not show the effect says so, and what would.
    """
    diverged = sorted({outcome.config.model.name for outcome in outcomes if outcome.train_error is None})
    tail = f" {' and '.join(diverged)} diverged and {'is' if len(diverged) == 1 else 'are'} left out." if diverged else ""
    found = degradation(outcomes)
    if found is None:
        return (
            "Nothing to compare yet: degradation needs a shallow and a deep net of one family (say plain-20 and plain-56), "
            "trained by the same recipe on the same data." + tail
        )
    seeds = min(gap.seeds for gap in (found.plain, found.residual) if gap)
    tail += f" (Final training error, {'mean of ' + str(seeds) + ' seeds' if seeds > 1 else 'one seed'}.)"
    if found.plain is None:
        return f"{found.residual}. Only residual nets: train their plain twins to see what the shortcuts do.{tail}"
    if found.residual is None:
        shows = "This is degradation" if found.plain_degrades else f"No clear degradation (under {CLEAR_GAP:g} points)"
        return f"{found.plain}. {shows}; train the residual twins to see what shortcuts change.{tail}"
    if found.shown:
        return f"Degradation, and its cure: {found.plain}, while {found.residual}.{tail}"
    if found.plain_degrades:
        return (
            f"{found.plain}, but {found.residual} too: both families get worse with depth here. "
            f"A longer schedule would tell whether the residual nets recover.{tail}"
        )
    reason = " The schedule may be too short for it" if found.fraction < 0.5 else " The range of depths may be too small for it"
    return (
        f"These runs do not show degradation: {found.plain} (at least {CLEAR_GAP:g} points would be clear), "
        f"and {found.residual}.{reason}.{tail}"
    )
