"""Vary one thing: configurations made from one, in what configurations differ, and which comparisons mix several things up.

>>> from resnet_core.config import RunConfig
>>> configs, _ = varied(RunConfig(), {"depth": (20, 56), "shortcut": ("none", "A")})
>>> [config.model.name for config in configs], differing(configs), confounded(configs)
(['plain-20', 'ResNet-20', 'plain-56', 'ResNet-56'], ['depth', 'shortcut'], [])
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resnet_core.architectures import FAMILIES, ModelConfig, changed
from resnet_core.config import RunConfig
from resnet_core.errors import ConfigError
from resnet_core.language import mark, together, tr
from resnet_core.verdict import without_seed

#: (section, what it is called) -> value, of one configuration.
_Facts = dict[tuple[str, str], Any]


def recipe_word(name: str) -> str:
    """Return what people call a field of the recipe or of the data, e.g. ``batch size``."""
    return name.replace("_", " ").replace("warmup", "warm-up").replace("pca", "PCA")


def recipe_label(name: str) -> str:
    """Return the same as the beginning of a form's line, e.g. ``Batch size``."""
    return name.replace("_", " ").capitalize().replace("Pca", "PCA")


def between_nets(a: ModelConfig, b: ModelConfig) -> list[tuple[str, str, str]]:
    """List in what two nets differ: what it is called, its value in ``a`` and in ``b``.

    Of one family, its depth and fields; of two, also how units join branch and skip, and what normalises.
    """
    found = [] if a.family == b.family else [(mark("family"), FAMILIES[a.family].title, FAMILIES[b.family].title)]
    found.append((mark("depth"), str(a.depth), str(b.depth)))
    words = {field.name: field.title for field in (*a.fields, *b.fields)}
    shared = [name for name in words if all(name in {field.name for field in model.fields} for model in (a, b))]
    found += [(words[name], str(getattr(a, name)), str(getattr(b, name))) for name in shared]
    if a.family != b.family:
        found += [(mark("join of branch and skip"), _joins(a), _joins(b)), (mark("normalisation"), _norm(a), _norm(b))]
    return [(word, one, other) for word, one, other in dict.fromkeys(found) if one != other]


def _joins(model: ModelConfig) -> str:
    words = {"none": tr("no skip"), "add": tr("addition"), "gate": tr("gate"), "concat": tr("concatenation")}
    joins = dict.fromkeys(unit.join.name for unit in model.plan().units)
    return together(words.get(join, join) for join in joins)


def _norm(model: ModelConfig) -> str:
    return tr("batch") if any(placed.part.kind == "bn" for placed in model.plan().walk()) else tr("none")


def varied(base: RunConfig, values: Mapping[str, Sequence[Any]]) -> tuple[list[RunConfig], list[str]]:
    """Make every combination of values; the last field varies fastest, and equal configurations are one.

    Args:
        values: ``depth``, a field of the net's family or one of the recipe -> what it shall be.

    Returns:
        the configurations; and of each combination that cannot be, why.
    """
    of_model = {"depth", *(field.name for field in base.model.fields)}
    made: dict[RunConfig, None] = {}
    impossible = []
    for combination in itertools.product(*values.values()):
        chosen = dict(zip(values, combination, strict=True))
        model = {name: value for name, value in chosen.items() if name in of_model}
        recipe = {name: value for name, value in chosen.items() if name not in of_model}
        try:
            made[RunConfig(changed(base.model, **model), base.data, dataclasses.replace(base.recipe, **recipe))] = None
        except ConfigError as error:
            impossible.append(str(error))
    return list(made), list(dict.fromkeys(impossible))


def differing(configs: Sequence[RunConfig]) -> list[str]:
    """List in what configurations differ, as words: family, depth, the families' fields, data, recipe, the seed last."""
    told: dict[tuple[str, str], set[Any]] = {}
    for facts in map(_facts, configs):
        for key, value in facts.items():
            told.setdefault(key, set()).add(value)
    found = [word for (_, word), values in told.items() if len(values) > 1]
    return [word for word in found if word != "seed"] + [word for word in found if word == "seed"]


@dataclass(frozen=True)
class Confounded:
    """Two configurations, by their places in the list, that differ in several things, and none between them that would tell these apart."""

    first: int
    second: int
    things: tuple[str, ...]


def confounded(configs: Sequence[RunConfig]) -> list[Confounded]:
    """List the comparisons that differ in more than one thing, the seed aside.

    Configurations that differ in one thing can be compared, and so can those between which others change one thing at a time, as in a grid
    of depths and shortcuts. Told are the shortest steps (a minimum spanning tree) between groups that are not joined in this way.
    """
    places: dict[RunConfig, int] = {}
    for place, config in enumerate(configs):
        places.setdefault(without_seed(config), place)
    facts = {place: _facts(config) for config, place in places.items()}
    steps = sorted(
        (Confounded(a, b, tuple(_between(facts[a], facts[b]))) for a, b in itertools.combinations(facts, 2)),
        key=lambda step: len(step.things),
    )
    group = {place: place for place in facts}
    found = []
    for step in steps:
        joined, other = group[step.first], group[step.second]
        if joined != other:
            group = {place: joined if of == other else of for place, of in group.items()}
            if len(step.things) > 1:
                found.append(step)
    return found


def _first_weights(config: RunConfig) -> str:
    if config.start is None:
        return tr("random")
    grown = config.start.is_grown
    return tr("of {net}, grown", net=config.start.net) if grown else tr("of {net}, transferred", net=config.start.net)


def _facts(config: RunConfig) -> _Facts:
    model = config.model
    found: _Facts = {("model", "family"): model.family, ("model", "depth"): model.depth}
    found |= {("model", field.title): getattr(model, field.name) for field in model.fields}
    found[("training", mark("first weights"))] = _first_weights(config)
    if config.start and not config.start.is_grown:
        found |= {("training", mark("frozen groups")): config.start.frozen, ("training", mark("rate by stage")): config.start.stage_decay}
    for section in (config.data, config.recipe):
        found |= {("training", recipe_word(field.name)): getattr(section, field.name) for field in dataclasses.fields(section)}
    return found


def _between(a: _Facts, b: _Facts) -> list[str]:
    """In what two differ. A field that only one of two families has comes with the family, and counts with it."""
    return [word for (section, word), value in a.items() if (section, word) in b and b[section, word] != value]
