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
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from resnet_core.architectures.base import Family, ModelConfig
from resnet_core.architectures.layouts import OWN
from resnet_core.errors import ConfigError
from resnet_core.language import mark, tr

#: Head, words before the depth, depth, words behind it; and of a name without a depth the head and the words.
_NAME = re.compile(r"(?:([a-z]+)((?:[\s_-]+[a-z]+)*?)[\s_-]*)?(\d{1,6})((?:[\s_-]+[a-z0-9.]+)*)", re.ASCII)
_UNNUMBERED = re.compile(r"([a-z]+)((?:[\s_-]+[a-z0-9.]+)*)", re.ASCII)
#: The modules with the families, in the reader's order. Each is imported when a family of it, or one behind it, is asked for.
_MODULES = ("resnet", "resnet_imagenet", "wide_resnet", "resnext", "densenet", "highway", "alexnet", "vgg", "googlenet")


class _Families(MutableMapping[str, Family]):
    """Key -> family, in the reader's order; what is looked for among the first ones does not import the others."""

    def __init__(self) -> None:
        self._given: dict[str, Family] = {}
        self._held: dict[str, dict[str, Family]] = {}

    def _of(self, module: str) -> dict[str, Family]:
        if module not in self._held:
            families = importlib.import_module(f"resnet_core.architectures.{module}").FAMILIES
            self._held[module] = {family.key: family for family in families}
        return self._held[module]

    def __iter__(self) -> Iterator[str]:
        for module in _MODULES:
            yield from self._of(module)
        yield from list(self._given)

    def __getitem__(self, key: str) -> Family:
        for module in _MODULES:
            if key in self._of(module):
                return self._held[module][key]
        return self._given[key]

    def __setitem__(self, key: str, family: Family) -> None:
        self._given[key] = family

    def __delitem__(self, key: str) -> None:
        del self._given[key]

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Layouts(Mapping[str, str]):
    """Layout of a file -> its title for people: ours, and those of all families."""

    def __getitem__(self, key: str) -> str:
        return self._all()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    @staticmethod
    def _all() -> dict[str, str]:
        return {OWN.key: OWN.title} | {layout.key: layout.title for family in FAMILIES.values() for layout in family.layouts}


FAMILIES = _Families()
LAYOUTS = _Layouts()


def register(family: Family) -> None:
    """Add a family: from then on its nets are built, counted, trained and shown like all others."""
    FAMILIES[family.key] = family


def presets() -> list[ModelConfig]:
    """List the best known nets of all families."""
    return [config for family in FAMILIES.values() for config in family.presets]


def parse(text: str) -> ModelConfig:
    """Give the net of that name: ``plain-56``, ``ResNet-56-B``, ``AlexNet``, ``DenseNet-BC-100-k12``; also ``56`` or ``resnet 56 b``.

    Raises:
        ConfigError: it is not such a name, or there can be no such net. The message names the nearest right ones.
    """
    pieces = _pieces(text)
    problems: list[tuple[ConfigError, _Pieces]] = []
    for family in FAMILIES.values():
        piece = pieces.get(family.config.is_numbered)
        try:
            found = family.config.read(*piece) if piece else None
        except ConfigError as error:
            if piece:
                problems.append((error, piece))
            continue
        if found is not None:
            return found
    # A word that one family does not know may be another's; a value out of its range says which net is meant.
    if out_of_range := next((problem for problem, (_, _, tokens) in problems if problem.field not in tokens), None):
        raise out_of_range
    if problems:
        problem, piece = problems[0]
        mended = _mended(piece, problem.field)
        what = f"{problem.field!r} {str(problem).partition(': ')[2]}"
        raise ConfigError(
            "net", "{text!r} does not name a net: {what} {nearest}", text=text[:60], what=what, nearest=_nearest(text, mended)
        )
    raise ConfigError("net", "{text!r} does not name a net. {nearest}", text=text[:60], nearest=_nearest(text))


#: The head of a name, its depth (0 where it has none), and its other words.
_Pieces = tuple[str, int, list[str]]


def _pieces(text: str) -> dict[bool, _Pieces]:
    """Take a name to pieces: under True as one with a depth, under False as one without, where it can be that."""

    def words(joined: str | None) -> list[str]:
        return re.split(r"[\s_-]+", joined or "")[1:]

    found: dict[bool, _Pieces] = {}
    if match := _NAME.fullmatch(text.strip().lower()):
        found[True] = match[1] or "", int(match[3]), words(match[2]) + words(match[4])
    if match := _UNNUMBERED.fullmatch(text.strip().lower()):
        found[False] = match[1], 0, words(match[2])
    return found


def _mended(pieces: _Pieces, wrong: str) -> list[str]:
    """Names with a token that is nearly the wrong one in its place."""
    head, depth, rest = pieces
    found = []
    for family in FAMILIES.values():
        tokens = {text.lower() for field in family.config.fields for text in field.tokens.values()} - set(rest)
        for near in difflib.get_close_matches(wrong, sorted(tokens), 2, 0.6):
            with contextlib.suppress(ConfigError):
                if family.config.is_numbered == bool(depth):
                    found.append(family.config.read(head, depth, [near if token == wrong else token for token in rest]))
    return [config.name for config in found if config]


def _nearest(text: str, first: Sequence[str] = ()) -> str:
    names = {name.lower(): name for name in (config.name for config in presets())}
    near = [*first, *(names[name] for name in difflib.get_close_matches(text.strip().lower()[:60], names, 3, 0.5))]
    examples = list(dict.fromkeys(near))[:3] or ["plain-56", "ResNet-56", "ResNet-56-B", "ResNet-164-bottleneck", "ResNet-20-w32"]
    text = mark("The nearest are {names}.") if near else mark("Write {names} or the like.")
    return tr(text, names=", ".join(examples))


def changed(model: ModelConfig, **values: Any) -> ModelConfig:
    """Return the net with other values of ``depth`` and of its family's fields.

    Raises:
        ConfigError: there is no such net.
    """
    depth = values.pop("depth", model.depth)
    if "depth" in {field.name for field in dataclasses.fields(model)}:
        return dataclasses.replace(model, depth=depth, **values)
    other = dataclasses.replace(model, **values)  # its depth follows from something else: the name has it
    return other if depth == other.depth else parse(other.name.replace(f"-{other.depth}", f"-{depth}", 1))


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
        raise ConfigError("family", "{key!r:.40} is not one of {families}.", key=key, families=", ".join(FAMILIES))
    fields = family.config.brought_up(fields)
    known = sorted(field.name for field in dataclasses.fields(family.config))
    for unknown in sorted(map(str, set(fields) - set(known))):
        raise ConfigError(unknown, "is not a field of model; they are {known}.", known=", ".join(known))
    try:
        rows = {field.name for field in dataclasses.fields(family.config) if isinstance(field.default, tuple)}  # lists, in JSON
        return family.config(**{name: tuple(value) if name in rows else value for name, value in fields.items()})
    except (TypeError, ValueError, OverflowError) as error:  # of another type altogether, as a number where a list belongs
        raise ConfigError("model", "has a field of the wrong type or size ({error}).", error=error) from error


def _load_others() -> None:
    """Import the families of other packages: ``RESNET_LAB_FAMILIES`` has the names of their modules, each of which calls ``register``."""
    for name in os.environ.get("RESNET_LAB_FAMILIES", "").split():
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ConfigError(
                "RESNET_LAB_FAMILIES", "the module {name!r} cannot be imported ({error}); mend or unset it.", name=name, error=error
            ) from error


_load_others()
