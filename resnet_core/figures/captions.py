"""What must stand beside every curve: its name, how many seeds, which data, how much of the paper's schedule, which precision.

Also which runs make one curve: those that differ in nothing but the seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from resnet_core import conditions as words
from resnet_core.config import RunConfig
from resnet_core.figures.series import RunRecords
from resnet_core.language import mark, tr, tr_n
from resnet_core.verdict import without_seed


@dataclass(frozen=True)
class Group:
    """Runs drawn as one curve: one run, or several that differ in the seed only."""

    runs: tuple[RunRecords, ...]

    @property
    def config(self) -> RunConfig:
        return self.runs[0].config

    @property
    def drawn(self) -> tuple[RunRecords, ...]:
        """The runs that are in the curve: those that have a record; all of them while there is no curve."""
        return tuple(run for run in self.runs if run.records) or self.runs

    @property
    def seeds(self) -> int:
        """Different seeds among the runs that are drawn."""
        return len({run.config.recipe.seed for run in self.drawn})


def grouped(runs: Sequence[RunRecords], seeds: str = "separate") -> list[Group]:
    """The runs as the curves they make, plain nets first, then by shortcut and depth, then in the order given."""
    groups: dict[Any, list[RunRecords]] = {}
    for run in runs:
        groups.setdefault(run.run_id if seeds == "separate" else without_seed(run.config), []).append(run)
    made = [Group(tuple(members)) for members in groups.values()]
    order = {"none": 0, "A": 1, "B": 2, "C": 3}

    def place(group: Group) -> tuple:
        model = group.config.model
        return order.get(model.shortcut, len(order)), model.depth, model.name, group.config.recipe.seed

    return sorted(made, key=place)


def seeds_text(group: Group) -> str:
    """``seed 0``, ``3 seeds``, ``2 seeds, 3 runs``."""
    if len(group.drawn) == 1:
        return tr("seed {seed}", seed=group.drawn[0].config.recipe.seed)
    count = tr_n(group.seeds, "{number} seed", "{number} seeds")
    return count if group.seeds == len(group.drawn) else tr("{count}, {drawns} runs", count=count, drawns=len(group.drawn))


def precision_text(runs: Sequence[RunRecords]) -> str:
    """The precision that the runs were trained in; before a run has begun it is not decided."""
    return words.precision_text(run.precision for run in runs)


def conditions(group: Group) -> str:
    """What stands beside a curve: ``1 seed · sample (500 images) · 28.7 epochs · bf16``; of a grown net also what is before it."""
    count, start = tr_n(group.seeds, "{number} seed", "{number} seeds"), group.config.start
    before = []
    if start:
        begun = mark("behind {iteration:,} iterations of {net}, trained in its own way")
        with_layers = mark("with the layers of {net} after {iteration:,} iterations")
        before = [tr(begun if start.is_grown else with_layers, iteration=start.iteration, net=start.net)]
    return words.conditions(group.config, count, (run.precision for run in group.drawn), *before)


def caption(groups: Sequence[Group]) -> str:
    """The conditions of all curves: once where they are alike, else of each kind with the nets that they hold for."""
    return words.of_each_kind([(group.config.name, conditions(group)) for group in groups], mark("Every curve: {next}."))


_RECIPE_NAMES = {
    "iterations": mark("iterations"),
    "batch_size": mark("batch"),
    "learning_rate": mark("rate"),
    "schedule": mark("schedule"),
    "warmup": mark("warm-up"),
    "momentum": mark("momentum"),
    "weight_decay": mark("decay"),
    "augmentation": mark("augmentation"),
    "precision": mark("precision"),
    "device": mark("device"),
    "compile": mark("compile"),
    "milestones": mark("milestones"),
    "gamma": mark("gamma"),
    "scale_range": mark("scales"),
    "pca_colour": mark("PCA colour"),
    "colour_jitter": mark("colour jitter"),
    "patience": mark("patience"),
    "replicas": mark("replicas"),
}


def labels(groups: Sequence[Group]) -> list[str]:
    """A short name of each curve: what its runs were called, else the net and whatever tells it from the others; all different."""
    configs = [group.config for group in groups]
    names = [config.name for config in configs]
    if len({config.data for config in configs}) > 1:
        names = [f"{name}, {config.data.label}" for name, config in zip(names, configs, strict=True)]
    for field, word in _RECIPE_NAMES.items():
        values = [getattr(config.recipe, field) for config in configs]
        if len(set(values)) > 1:
            names = [f"{name}, {tr(word)} {_plain(value)}" for name, value in zip(names, values, strict=True)]
    several = len({config.recipe.seed for config in configs}) > 1 or any(len(group.runs) > 1 for group in groups)
    if several:
        names = [f"{name}, {seeds_text(group)}" for name, group in zip(names, groups, strict=True)]
    given = [given_name(group) for group in groups]
    taken = Counter([*given, *(name for name, own in zip(names, given, strict=True) if not own)])
    called = [name if not own else own if taken[own] == 1 else f"{own} ({name})" for name, own in zip(names, given, strict=True)]
    # The same training twice, or recipes that differ in something rarer: by their ids.
    return [
        f"{name} ({group.runs[0].run_id})" if called.count(label) > 1 else label
        for name, label, group in zip(names, called, groups, strict=True)
    ]


def given_name(group: Group) -> str:
    """What the user called the runs of a curve; empty where that is the net's own name, or differs among them."""
    names = {run.name for run in group.runs}
    return names.pop() if len(names) == 1 and names != {group.config.name} else ""


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return "/".join(f"{v:g}" for v in value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)
