"""Does a set of finished trainings show the degradation problem? In numbers, and in a sentence that says so either way.

He et al. 2016, section 1 and Figure 1: degradation is a deeper plain net ending with a *higher training error* than a shallower
one, so it is not overfitting; section 4.2 and Figure 6: residual nets of the same depths do not suffer from it. Only nets that were
trained alike are compared.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
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


def _gaps(errors: dict[ModelConfig, dict[int, float]]) -> list[Gap]:
    """Of every family (nets that differ in depth only): its deepest net against its shallowest, over the seeds that both have."""
    families: dict[tuple, list[ModelConfig]] = {}
    for model in errors:
        families.setdefault((model.shortcut, model.block, model.width, model.num_classes), []).append(model)
    gaps = []
    for nets in families.values():
        shallow, deep = min(nets, key=lambda m: m.depth), max(nets, key=lambda m: m.depth)
        seeds = sorted(set(errors[shallow]) & set(errors[deep]))
        if shallow.depth < deep.depth and seeds:
            means = [math.fsum(errors[net][seed] for seed in seeds) / len(seeds) for net in (shallow, deep)]
            gaps.append(Gap(shallow, deep, *means, len(seeds)))
    return gaps


def degradation(outcomes: Sequence[Outcome]) -> Degradation | None:
    """The clearest comparison that the outcomes allow, or None where no two depths of a family were trained alike.

    Runs are compared within one recipe and one data set; one where both plain and residual pairs exist at the same depths is preferred,
    then the one with the widest range of depths.
    """
    alike: dict[RunConfig, dict[ModelConfig, dict[int, float]]] = {}
    for outcome in outcomes:
        if outcome.train_error is not None and math.isfinite(outcome.train_error):
            nets = alike.setdefault(trained_alike(outcome.config), {})
            nets.setdefault(outcome.config.model, {})[outcome.config.recipe.seed] = outcome.train_error
    found: list[tuple[tuple, Degradation]] = []
    for config, errors in alike.items():
        gaps = _gaps(errors)
        plain_gaps = [gap for gap in gaps if gap.shallow.is_plain] or [None]
        residual_gaps = [gap for gap in gaps if not gap.shallow.is_plain] or [None]
        for plain in plain_gaps:
            for residual in residual_gaps:
                pair = [gap for gap in (plain, residual) if gap]
                if pair:
                    twins = len(pair) == 2 and _twins(*pair)
                    # Option A before B and C: it has no parameters more than the plain net.
                    rank = (twins, len(pair), residual is not None and residual.shallow.shortcut == "A", max(g.deep.depth for g in pair))
                    found.append((rank, Degradation(plain, residual, config.recipe.schedule_fraction)))
    return max(found, key=lambda item: item[0])[1] if found else None


def _twins(plain: Gap, residual: Gap) -> bool:
    return all(
        dataclasses.replace(one, shortcut="A") == dataclasses.replace(other, shortcut="A")
        for one, other in ((plain.shallow, residual.shallow), (plain.deep, residual.deep))
    )


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
