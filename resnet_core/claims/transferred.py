"""What a transferred net gains over the same net from scratch, by the number of training images: judged from ends of trainings alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from resnet_core.config import RunConfig
from resnet_core.language import tr, tr_n


@dataclass(frozen=True)
class Way:
    """One way to train a net: from scratch, or transferred with some groups frozen.

    Attributes:
        scratch: it began with random weights.
        frozen, stage_decay: as in ``config.Start``.
    """

    scratch: bool
    frozen: int = 0
    stage_decay: float = 1.0

    @property
    def name(self) -> str:
        """For a legend."""
        if self.scratch:
            return tr("from scratch")
        parts = [tr("transferred")]
        if self.frozen:
            parts.append(tr_n(self.frozen, "{number} group frozen", "{number} groups frozen"))
        if self.stage_decay != 1:
            parts.append(tr("rate × {factor:g} a stage", factor=self.stage_decay))
        return ", ".join(parts)


@dataclass
class Curve:
    """Test errors in percent of one way: images of each class -> seed -> error."""

    way: Way
    errors: dict[int, dict[int, float]] = field(default_factory=dict)


def way_of(config: RunConfig) -> Way:
    """Tell how a net was trained."""
    start = config.start
    return Way(True) if start is None else Way(False, start.frozen, start.stage_decay)


def per_class(config: RunConfig) -> int:
    """Training images of each class (of the class with the fewest, where all are taken)."""
    return config.data.images_per_class or config.data.most_per_class


def curves(ended: Iterable[tuple[RunConfig, float]]) -> list[Curve]:
    """Sort configurations and their final test errors: from scratch first, then by what is frozen. Of two equal ones the first counts."""
    found: dict[Way, Curve] = {}
    for config, error in ended:
        curve = found.setdefault(way_of(config), Curve(way_of(config)))
        curve.errors.setdefault(per_class(config), {}).setdefault(config.recipe.seed, error)
    return sorted(found.values(), key=lambda each: (not each.way.scratch, each.way.frozen, -each.way.stage_decay))


def comparable(config: RunConfig) -> RunConfig:
    """Give what trainings of one chart share: net, data and recipe, but for the seed, the number of images, the weights before, and how
    often something is recorded."""
    recipe = dataclasses.replace(config.recipe, seed=0, record_every=0, test_every=0, layers_every=0, checkpoint_every=0)
    return dataclasses.replace(config, data=dataclasses.replace(config.data, images_per_class=0), recipe=recipe, start=None)


def near_the_data(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Give the mean gradient norm of the first third of the layers, over that of the last third, in the last layers record."""
    norms = [norm for norm in (rows[-1]["gradient_norm"] if rows else ()) if norm is not None]
    third = len(norms) // 3
    return fmean(norms[:third]) / fmean(norms[-third:]) if third and fmean(norms[-third:]) > 0 else None


def sentences(found: Sequence[Curve]) -> list[str]:
    """Say for each way and number of images by how much its test error differs from that from scratch, seed by seed."""
    scratch = next((each.errors for each in found if each.way.scratch), {})
    said = []
    for curve in found:
        for images in () if curve.way.scratch else sorted(curve.errors):
            before = scratch.get(images, {})
            gaps = [error - before[seed] for seed, error in curve.errors[images].items() if seed in before]
            if gaps:
                said.append(
                    tr_n(
                        len(gaps),
                        "{images:,} images of each class, {way}: test error {gap:+.1f} points against scratch, with one seed.",
                        "{images:,} images of each class, {way}: test error {gap:+.1f} points against scratch, on average over {number} "
                        "seeds ({low:+.1f} to {high:+.1f}).",
                        images=images,
                        way=curve.way.name,
                        gap=fmean(gaps),
                        low=min(gaps),
                        high=max(gaps),
                    )
                )
    return said
