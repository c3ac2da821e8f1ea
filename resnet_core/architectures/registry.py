"""The families of nets, in the reader's order; from a configuration to its JSON values and its name, and back.

>>> parse("ResNet-56-B-w32").width, parse("resnet 56 b").name
(32, 'ResNet-56-B')
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import importlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resnet_core.architectures import projects
from resnet_core.architectures.base import ModelConfig
from resnet_core.architectures.layouts import OWN, Layout, Names
from resnet_core.architectures.resnet import ResNetConfig
from resnet_core.architectures.resnet_imagenet import TABLE_1, ImageNetConfig
from resnet_core.errors import ConfigError

_NAME = re.compile(r"([a-z]*)[\s_-]*(\d{1,6})((?:[\s_-]+[a-z0-9.]+)*)", re.ASCII)


@dataclass(frozen=True)
class Family:
    """A family of nets, declared once.

    Attributes:
        key: of its configurations in files; title, paper: for people.
        config: the class of its configurations.
        presets: its best known nets.
        aliases: how files called it before.
        layouts: of other projects' files; also: names that files in any layout may have for some modules instead.
    """

    key: str
    title: str
    paper: str
    config: type[ModelConfig]
    presets: tuple[ModelConfig, ...]
    aliases: tuple[str, ...] = ()
    layouts: tuple[Layout, ...] = ()
    also: tuple[Names, ...] = ()


_CIFAR = tuple(ResNetConfig(depth, shortcut) for shortcut in ("none", "A", "B", "C") for depth in (20, 32, 44, 56, 110))
FAMILIES: dict[str, Family] = {}
#: Layout of a file -> its title for people.
LAYOUTS = {OWN.key: OWN.title}


def register(family: Family) -> None:
    """Add a family: from then on its nets are built, counted, trained and shown like all others."""
    FAMILIES[family.key] = family
    LAYOUTS.update((layout.key, layout.title) for layout in family.layouts)


register(
    Family(
        "resnet",
        "ResNets for CIFAR",
        "He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition (CVPR 2016), section 4.2",
        ResNetConfig,
        (
            *_CIFAR,
            *(ResNetConfig(depth, "A", activation="pre") for depth in (56, 110)),
            ResNetConfig(56, "A", branch="rezero"),
            *(ResNetConfig(56, shortcut, norm="none") for shortcut in ("none", "A")),
            ResNetConfig(164, "B", block="bottleneck", activation="pre"),
            ResNetConfig(1202, "A"),
        ),
        aliases=("cifar",),
        layouts=projects.CIFAR_RESNETS,
        also=projects.STEMS,
    )
)
register(
    Family(
        "resnet_imagenet",
        "ResNets for ImageNet",
        "He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition (CVPR 2016), section 4.1",
        ImageNetConfig,
        tuple(ImageNetConfig(layers, block) for block, layers in TABLE_1.values()),
        aliases=("imagenet",),
        layouts=projects.IMAGENET_RESNETS,
        also=projects.STEMS,
    )
)


def presets() -> list[ModelConfig]:
    """List the best known nets of all families."""
    return [config for family in FAMILIES.values() for config in family.presets]


def parse(text: str) -> ModelConfig:
    """Give the net of that name: ``plain-56``, ``ResNet-56-B``, ``ResNet-50-ImageNet``; also ``56`` or ``resnet 56 b``.

    Raises:
        ConfigError: it is not such a name, or there can be no such net. The message names the nearest right ones.
    """
    match = _NAME.fullmatch(text.strip().lower())
    if match is None:
        raise ConfigError("net", f"{text[:60]!r} does not name a net. {_nearest(text)}")
    head, depth, rest = match[1], int(match[2]), re.split(r"[\s_-]+", match[3])[1:]
    problems: list[ConfigError] = []
    for family in FAMILIES.values():
        try:
            found = family.config.read(head, depth, rest)
        except ConfigError as error:
            problems.append(error)
            continue
        if found is not None:
            return found
    # A word that one family does not know may be another's; a value out of its range says which net is meant.
    problem = next((each for each in problems if each.field not in rest), next(iter(problems), None))
    if problem is None or problem.field in rest:
        what = f": {problem.field!r} {str(problem).partition(': ')[2]}" if problem else "."
        mended = _mended(head, depth, rest, problem.field) if problem else []
        raise ConfigError("net", f"{text[:60]!r} does not name a net{what} {_nearest(text, mended)}")
    raise problem


def _mended(head: str, depth: int, rest: list[str], wrong: str) -> list[str]:
    """Names with a token that is nearly the wrong one in its place."""
    found = []
    for family in FAMILIES.values():
        tokens = {text.lower() for field in family.config.fields for text in field.tokens.values()} - set(rest)
        for near in difflib.get_close_matches(wrong, sorted(tokens), 2, 0.6):
            with contextlib.suppress(ConfigError):
                found.append(family.config.read(head, depth, [near if token == wrong else token for token in rest]))
    return [config.name for config in found if config]


def _nearest(text: str, first: Sequence[str] = ()) -> str:
    names = {name.lower(): name for name in (config.name for config in presets())}
    near = [*first, *(names[name] for name in difflib.get_close_matches(text.strip().lower()[:60], names, 3, 0.5))]
    examples = list(dict.fromkeys(near))[:3] or ["plain-56", "ResNet-56", "ResNet-56-B", "ResNet-164-bottleneck", "ResNet-20-w32"]
    return f"{'The nearest are' if near else 'Write'} {', '.join(examples)}{'' if near else ' or the like'}."


def to_dict(config: ModelConfig) -> dict[str, Any]:
    """Return the configuration as JSON values; ``family`` says of which family."""
    return {"family": config.family, **json.loads(json.dumps(dataclasses.asdict(config)))}


def from_dict(values: Mapping[str, Any], default: str = "resnet") -> ModelConfig:
    """Make the configuration of JSON values; the inverse of ``to_dict``. What was written before there were families has none.

    Raises:
        ConfigError: a family or a field that is unknown, or a value that is out of its range.
    """
    fields = dict(values)
    key = fields.pop("family", default)
    family = next((one for one in FAMILIES.values() if isinstance(key, str) and key in (one.key, *one.aliases)), None)
    if family is None:
        raise ConfigError("family", f"{key!r:.40} is not one of {', '.join(FAMILIES)}.")
    known = sorted(field.name for field in dataclasses.fields(family.config))
    for unknown in sorted(map(str, set(fields) - set(known))):
        raise ConfigError(unknown, f"is not a field of model; they are {', '.join(known)}.")
    try:
        rows = {field.name for field in dataclasses.fields(family.config) if isinstance(field.default, tuple)}  # lists, in JSON
        return family.config(**{name: tuple(value) if name in rows else value for name, value in fields.items()})
    except (TypeError, ValueError, OverflowError) as error:  # of another type altogether, as a number where a list belongs
        raise ConfigError("model", f"has a field of the wrong type or size ({error}).") from error


def _load_others() -> None:
    """Import the families of other packages: ``RESNET_LAB_FAMILIES`` has the names of their modules, each of which calls ``register``."""
    for name in os.environ.get("RESNET_LAB_FAMILIES", "").split():
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ConfigError("RESNET_LAB_FAMILIES", f"the module {name!r} cannot be imported ({error}); mend or unset it.") from error


_load_others()
