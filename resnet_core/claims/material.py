"""What claims are judged by: trained nets as plain data, sorted into those that were trained alike."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from resnet_core import noise
from resnet_core.config import Recipe, RunConfig
from resnet_core.differences import recipe_word
from resnet_core.language import mark, tr
from resnet_core.verdict import trained_alike

#: Shorter trainings are not judged by the paper's claims, as a part of its schedule: that of the nets that ship with the project.
SHORTEST = 0.25
#: Nets from this depth on may be warmed up (He et al. 2016, section 4.2: ResNet-110).
WARMED_UP = 110
#: Behind the name of such a net that was not.
UNWARMED = mark(" without warm-up")
#: Of CIFAR-10.
TEST_IMAGES = 10_000
#: Fields of a recipe that the paper's claims hang on.
_ALIKE = ("batch_size", "learning_rate", "schedule", "milestones", "gamma", "momentum", "weight_decay", "augmentation", "scale_range",
          "pca_colour", "colour_jitter")  # fmt: skip


@dataclass(frozen=True)
class TrainedNet:
    """A training that ran to its end.

    Attributes:
        id: of the run or the checkpoint.
        config: what was trained.
        train_error, test_error: final, in percent; the training error is the mean over the last epoch seen.
        records: all rows in order: ``train``, ``test`` and ``layers``.
        shipped: whether it comes with the project; such a one is preferred to a viewer's own.
    """

    id: str
    config: RunConfig
    train_error: float
    test_error: float
    records: Sequence[dict[str, Any]] = field(default=(), repr=False)
    shipped: bool = True

    @property
    def name(self) -> str:
        """The net's; with ``UNWARMED`` where the paper warms it up and this training did not."""
        unwarmed = self.config.model.depth >= WARMED_UP and self.config.recipe.warmup == "none"
        return self.config.model.name + (UNWARMED if unwarmed else "")

    def rows(self, kind: str) -> list[dict[str, Any]]:
        return [row for row in self.records if row["kind"] == kind]


@dataclass(frozen=True)
class Cohort:
    """Nets that were trained alike, each with one or more seeds.

    Attributes:
        nets: by name (``plain-20``, ``ResNet-56``), shipped ones first, then by seed; one of each seed.
        params: parameters of our nets by name, as counted.
        fraction: of the paper's schedule, in images seen; None without nets.
        spread: standard deviation over seeds that is assumed of one seed, in points (``noise.seed_spread``).
    """

    nets: Mapping[str, Sequence[TrainedNet]] = field(default_factory=dict)
    params: Mapping[str, int] = field(default_factory=dict)
    fraction: float | None = None
    spread: float = noise.SEED_SPREAD

    def __getitem__(self, name: str) -> TrainedNet:
        """The first of that name, whose records are looked at."""
        return self.nets[name][0]

    def errors(self, name: str, kind: str) -> dict[int, float]:
        """Final errors, seed -> percent; ``kind`` is ``train`` or ``test``."""
        return {net.config.recipe.seed: getattr(net, f"{kind}_error") for net in self.nets[name]}

    def mean(self, name: str, kind: str) -> float:
        """Their mean over the seeds, in percent."""
        return statistics.fmean(self.errors(name, kind).values())

    def standard_error(self, name: str, kind: str) -> float:
        """The standard error of the mean, in points."""
        return noise.standard_error(self.errors(name, kind), self.spread, _images(kind))

    def shown(self, name: str, kind: str) -> str:
        """The mean with its standard error: ``9.63 ± 0.36 %``."""
        return f"{self.mean(name, kind):.2f} ± {self.standard_error(name, kind):.2f} %"

    def difference(self, a: str, b: str, kind: str) -> noise.Difference:
        """Error of ``a`` minus error of ``b``, over the seeds that both have; over their means where they share none."""
        ours, theirs = self.errors(a, kind), self.errors(b, kind)
        found = noise.difference(ours, theirs, self.spread, _images(kind))
        if found is None:
            found = noise.difference({0: self.mean(a, kind)}, {0: self.mean(b, kind)}, self.spread, _images(kind))
        assert found is not None  # the means share their 0
        return found


def _images(kind: str) -> int | None:
    return TEST_IMAGES if kind == "test" else None


def unlike_the_paper(config: RunConfig) -> str:
    """Why a training does not count for the paper's claims, as the end of a sentence; empty where it does.

    The paper's claims are on nets of basic blocks with 16 filters, plain or with a shortcut, on all of CIFAR-10, by the recipe of its
    section 4.2. Of the schedule at least ``SHORTEST`` is asked for; 110 layers and more may be warmed up.
    """
    model, recipe, paper = config.model, config.recipe, Recipe()
    if config.start:
        return tr("did not begin with random weights")
    if model.series not in ("plain", "ResNet", "ResNet-B", "ResNet-C"):
        return tr("is not one of the paper's CIFAR-10 nets (basic blocks, 16 filters)")
    if config.data.dataset != "cifar10" or config.data.images_per_class:
        return tr("was not trained on all of CIFAR-10")
    if config.data.validation:
        return tr("was trained without the images that it held out for validation")
    for name in _ALIKE:
        if getattr(recipe, name) != getattr(paper, name):
            return tr("has another {name} than the paper's recipe", name=tr(recipe_word(name)))
    rule = (recipe.warmup, recipe.warmup_learning_rate, recipe.warmup_error)
    if recipe.warmup != "none" and (model.depth < WARMED_UP or rule != ("error", paper.warmup_learning_rate, paper.warmup_error)):
        return tr("has another warm-up than the paper's recipe")
    if recipe.schedule_fraction < SHORTEST * 0.999:
        return tr("saw less than {shortest:.0%} of the paper's schedule", shortest=SHORTEST)
    return ""


def _conditions(config: RunConfig) -> RunConfig:
    """Equal for nets that may be compared: the warm-up belongs to the depth; what is only recorded or computed otherwise is left out."""
    plain = Recipe()
    indifferent = ("warmup", "warmup_iterations", "warmup_learning_rate", "warmup_error", "precision", "device", "compile")
    every = ("record_every", "test_every", "layers_every", "checkpoint_every")
    alike = trained_alike(config)
    changes = {name: getattr(plain, name) for name in indifferent + every}
    return dataclasses.replace(alike, recipe=dataclasses.replace(alike.recipe, **changes))


def cohorts(nets: Iterable[TrainedNet], params: Mapping[str, int]) -> list[Cohort]:
    """Sort the nets that count by how they were trained: the longest schedule first.

    All seeds count; of several trainings of one net and seed in a cohort the shipped one does, else the first.
    """
    found: dict[RunConfig, dict[str, dict[int, TrainedNet]]] = {}
    for net in sorted(nets, key=lambda net: (not net.shipped, net.config.recipe.seed)):
        if not unlike_the_paper(net.config):
            seeds = found.setdefault(_conditions(net.config), {}).setdefault(net.name, {})
            seeds.setdefault(net.config.recipe.seed, net)
    made = [
        Cohort(
            {name: tuple(seeds.values()) for name, seeds in members.items()},
            params,
            conditions.recipe.schedule_fraction,
            noise.seed_spread(conditions),
        )
        for conditions, members in found.items()
    ]
    return sorted(made, key=lambda cohort: cohort.fraction or 0.0, reverse=True)
