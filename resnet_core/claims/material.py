"""What claims are judged by: trained nets as plain data, sorted into those that were trained alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from resnet_core.config import Recipe, RunConfig
from resnet_core.verdict import trained_alike

#: Shorter trainings are not judged by the paper's claims, as a part of its schedule: that of the nets that ship with the project.
SHORTEST = 0.25
#: Nets from this depth on may be warmed up (He et al. 2016, section 4.2: ResNet-110).
WARMED_UP = 110
#: Fields of a recipe that the paper's claims hang on.
_ALIKE = ("batch_size", "learning_rate", "schedule", "milestones", "gamma", "momentum", "weight_decay", "augmentation")
_NAMES = {"batch_size": "batch size", "learning_rate": "learning rate", "weight_decay": "weight decay"}


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
        return self.config.model.name

    def rows(self, kind: str) -> list[dict[str, Any]]:
        return [row for row in self.records if row["kind"] == kind]


@dataclass(frozen=True)
class Cohort:
    """Nets that were trained alike, one of each name (``plain-20``, ``ResNet-56``).

    Attributes:
        nets: by name.
        params: parameters of our net by depth, as counted; plain nets and option A have the same.
        fraction: of the paper's schedule, in images seen; None without nets.
    """

    nets: Mapping[str, TrainedNet] = field(default_factory=dict)
    params: Mapping[int, int] = field(default_factory=dict)
    fraction: float | None = None

    def __getitem__(self, name: str) -> TrainedNet:
        return self.nets[name]


def unlike_the_paper(config: RunConfig) -> str:
    """Why a training does not count for the paper's claims, as the end of a sentence; empty where it does.

    The paper's claims are on nets of basic blocks with 16 filters, plain or with option A, on all of CIFAR-10, by the recipe of its
    section 4.2. Of the schedule at least ``SHORTEST`` is asked for; 110 layers and more may be warmed up.
    """
    model, recipe, paper = config.model, config.recipe, Recipe()
    if (model.block, model.width, model.num_classes) != ("basic", 16, 10) or model.shortcut not in ("none", "A"):
        return "is not one of the paper's CIFAR-10 nets (plain or option A, basic blocks, 16 filters)"
    if config.data.dataset != "cifar10" or config.data.images_per_class:
        return "was not trained on all of CIFAR-10"
    if config.data.validation:
        return "was trained without the images that it held out for validation"
    for name in _ALIKE:
        if getattr(recipe, name) != getattr(paper, name):
            return f"has another {_NAMES.get(name, name)} than the paper's recipe"
    rule = (recipe.warmup, recipe.warmup_learning_rate, recipe.warmup_error)
    if recipe.warmup != "none" and (model.depth < WARMED_UP or rule != ("error", paper.warmup_learning_rate, paper.warmup_error)):
        return "has another warm-up than the paper's recipe"
    if recipe.schedule_fraction < SHORTEST * 0.999:
        return f"saw less than {SHORTEST:.0%} of the paper's schedule"
    return ""


def _conditions(config: RunConfig) -> RunConfig:
    """Equal for nets that may be compared: the warm-up belongs to the depth; what is only recorded or computed otherwise is left out."""
    plain = Recipe()
    indifferent = ("warmup", "warmup_iterations", "warmup_learning_rate", "warmup_error", "precision", "device", "compile")
    every = ("record_every", "test_every", "layers_every", "checkpoint_every")
    alike = trained_alike(config)
    changes = {name: getattr(plain, name) for name in indifferent + every}
    return dataclasses.replace(alike, recipe=dataclasses.replace(alike.recipe, **changes))


def cohorts(nets: Iterable[TrainedNet], params: Mapping[int, int]) -> list[Cohort]:
    """The nets that count, sorted by how they were trained: the longest schedule first.

    Of several trainings of one net in a cohort the shipped one counts, else that of the smallest seed, and of these the first.
    """
    found: dict[RunConfig, dict[str, TrainedNet]] = {}
    for net in sorted(nets, key=lambda net: (not net.shipped, net.config.recipe.seed)):
        if not unlike_the_paper(net.config):
            found.setdefault(_conditions(net.config), {}).setdefault(net.name, net)
    made = [Cohort(members, params, conditions.recipe.schedule_fraction) for conditions, members in found.items()]
    return sorted(made, key=lambda cohort: -(cohort.fraction or 0.0))
