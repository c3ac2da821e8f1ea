"""What every family of nets declares: its configuration, the choices in it, and how its nets are called."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Self

from resnet_core.architectures.layouts import Layout, Names
from resnet_core.architectures.parts import Shape
from resnet_core.architectures.plan import Plan
from resnet_core.checks import check_choice, check_whole
from resnet_core.errors import ConfigError
from resnet_core.language import tr


@dataclass(frozen=True)
class Field:
    """One choice in a family's configuration, as data: forms, the command line and the names of nets are made from it.

    Attributes:
        name: of the attribute; title, help: for people.
        choices: what it may be, if it is one of several words; else it is a whole number from ``low`` to ``high``.
        tokens: how a value is written in a net's name; a value without one is not.
        prefix: of a number in a net's name, as ``w`` in ``ResNet-56-w32``.
        sign: -1 of a number that is negative or 0: it is written without its sign.
    """

    name: str
    title: str
    help: str
    choices: tuple[str, ...] = ()
    low: int = 0
    high: int = 0
    tokens: Mapping[str, str] = dataclasses.field(default_factory=dict)
    prefix: str = ""
    sign: int = 1

    def check(self, value: Any) -> None:
        """Raise ConfigError unless ``value`` is possible."""
        if self.choices:
            check_choice(self.name, value, self.choices)
        else:
            check_whole(self.name, value, self.low, self.high)

    def token(self, value: Any) -> str | None:
        """Return how the value is written in a name, if it is."""
        return f"{self.prefix}{value * self.sign}" if self.prefix else self.tokens.get(value)

    def read(self, token: str) -> Any:
        """Return the value that a token of a name stands for; None if it is no token of this field. Case does not matter."""
        if self.prefix:
            match = re.fullmatch(rf"{self.prefix}(\d{{1,6}})", token, re.ASCII | re.IGNORECASE)
            return int(match[1]) * self.sign if match else None
        return next((value for value, text in self.tokens.items() if text.lower() == token.lower()), None)


class ModelConfig:
    """The configuration of a net: a frozen dataclass of plain values, one subclass a family, with the fields that are legal in it.

    Attributes:
        family: the key of the family; fields: its choices.
        depth: weighted layers, as the family's paper counts them.
        num_classes: outputs of the classifier.
        is_numbered: its names have the depth in them, as ``ResNet-56``; AlexNet's do not.
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]
    family: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]
    depth: int
    num_classes: int
    is_numbered: ClassVar[bool] = True

    def check_fields(self) -> None:
        """Raise ConfigError for the first field that is out of its range."""
        for one in self.fields:
            one.check(getattr(self, one.name))

    @property
    def head(self) -> str:
        """The beginning of the name, before the depth."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """The name in the field's manner, e.g. ``ResNet-56-B-w32``; ``registry.parse`` reads it."""
        return "-".join([f"{self.head}-{self.depth}" if self.is_numbered else self.head, *self.tokens()])

    def tokens(self, *leave_out: str) -> list[str]:
        """List how the fields that are not at their default are written in a name."""
        defaults = {one.name: one.default for one in dataclasses.fields(self)}
        values = ((one, getattr(self, one.name)) for one in self.fields if one.name not in leave_out)
        return [token for one, value in values if value != defaults[one.name] and (token := one.token(value))]

    @classmethod
    def read(cls, head: str, depth: int, tokens: list[str]) -> ModelConfig | None:
        """Return the net of a name's pieces, in lower case; None if the name is not one of this family's.

        Args:
            head: the first word; depth: the first number, 0 where names have none.
            tokens: all other words, wherever they stand.

        Raises:
            ConfigError: it is one of this family's, and such a net cannot be.
        """
        raise NotImplementedError

    @classmethod
    def values(cls, tokens: list[str]) -> dict[str, Any]:
        """Return the fields that the tokens of a name stand for.

        Raises:
            ConfigError: a token stands for nothing, or two for the same field; ``field`` of the error is the token.
        """
        found: dict[str, Any] = {}
        for token in tokens:
            field, value = next(((one, value) for one in cls.fields if (value := one.read(token)) is not None), (None, None))
            if field is None or field.name in found:
                raise ConfigError(
                    token, tr("says twice what another part of the name says.") if field else tr("is no part of such a name.")
                )
            found[field.name] = value
        return found

    @classmethod
    def propose(cls, shapes: Mapping[str, Shape]) -> Iterable[ModelConfig]:
        """List the nets that may have tensors of these shapes, from the family's own keys; each is compared with them afterwards."""
        return ()

    @classmethod
    def brought_up(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of a file as they are called now; of a field that files did not always have, what it meant to have none."""
        return values

    def plan(self) -> Plan:
        """Return the net as data; equal configurations share one."""
        return _described(self)

    def describe(self) -> Plan:
        """Make the plan; see ``plan``, which keeps those that were asked for last."""
        raise NotImplementedError

    def twin(self) -> ModelConfig | None:
        """Return the same net without what makes the family (of a ResNet the plain net); None where there is none."""
        return None

    @property
    def is_plain(self) -> bool:
        """Whether it has no shortcuts of any kind."""
        return self.shortcut == "none"

    @property
    def shortcut(self) -> str:
        """What its units add to their branches: ``none`` in a plain net, else the family's word for it, or that of the join."""
        return next((unit.join.name for unit in self.plan().units if unit.skip is not None), "none")

    @property
    def weighted_layers(self) -> int:
        """How many weighted layers it has, as its paper counts: the depth, where that is not only a name."""
        return self.depth

    @property
    def may_pad_both_sides(self) -> bool:
        """Whether, in another order of channels, it computes what a net does whose option A puts half of the new channels on each side."""
        return False

    @property
    def series(self) -> str:
        """The name without the depth, e.g. ``ResNet-B-w32``: equal for nets that differ in depth alone."""
        return self.name.replace(f"-{self.depth}", "", 1)

    @property
    def kin(self) -> str:
        """The series of the net without what makes its family: equal for a net and its twin, at any depth."""
        return (self.twin() or self).series

    def identity(self) -> dict[str, Any]:
        """Return what makes it this net and no other, as JSON values: the family, and every field that is not at its default."""
        changed = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if getattr(self, f.name) != f.default}
        return {"family": self.family, **changed}


@lru_cache(maxsize=256)
def _described(config: ModelConfig) -> Plan:
    return config.describe()


class CifarForm(ModelConfig):
    """The name of a form for 32x32 images of a net whose names have no depth: ``AlexNet-CIFAR``."""

    is_numbered = False

    @property
    def name(self) -> str:
        return f"{super().name}-CIFAR"

    @classmethod
    def read(cls, head: str, depth: int, tokens: list[str]) -> Self | None:
        if head != cls().head.lower() or "cifar" not in tokens:
            return None
        return cls(**cls.values([token for token in tokens if token != "cifar"]))


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
