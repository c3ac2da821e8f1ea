"""Questions that are answered before the answer is shown: a choice, a number or a drawn curve. No torch.

An answer is plain data (the number of an option, a number, or the heights of a curve at even steps), and a short text where it stands in
an address: ``2``, ``71.5``, ``90_64_30``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from resnet_core.errors import ConfigError
from resnet_core.language import mark, tr

#: Heights of a drawn curve, at even steps from the left end of the axis to the right one.
POINTS = 33
KINDS = ("choice", "number", "curve")

Answer = int | float | tuple[float, ...]


@dataclass(frozen=True)
class Axis:
    """An axis, from ``low`` to ``high``; ``label`` with its unit."""

    label: str
    low: float
    high: float


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        key: unique among the questions of a lesson or a class; letters, digits, hyphens.
        text: the question, for people.
        kind: ``choice``, ``number`` or ``curve``.
        options: of a choice, for people, in their order.
        x: of a curve; y: of a curve, or the range and the unit of a number.
    """

    key: str
    text: str
    kind: str
    options: tuple[str, ...] = ()
    x: Axis | None = None
    y: Axis | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError("kind", mark("{kind} is none of {kinds}."), kind=repr(self.kind), kinds=", ".join(KINDS))
        if self.kind == "choice" and len(self.options) < 2:
            raise ConfigError("options", mark("a choice needs at least two."))
        for name, axis in (("x", self.x), ("y", self.y)):
            needed = self.kind == "curve" or (self.kind == "number" and name == "y")
            if needed and (axis is None or not (math.isfinite(axis.low) and math.isfinite(axis.high) and axis.low < axis.high)):
                raise ConfigError(name, mark("a {kind} needs an axis from a number to a higher one."), kind=tr(self.kind))

    def check(self, answer: Any) -> Answer:
        """Return an answer as this question takes it.

        Raises:
            ConfigError: it is none: names what is taken.
        """
        if self.kind == "choice":
            if isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(self.options):
                return answer
            raise ConfigError(self.key, mark("choose one of the {count} options."), count=len(self.options))
        assert self.y is not None
        if self.kind == "number":
            return self._height(answer)
        if isinstance(answer, (list, tuple)) and len(answer) == POINTS:
            return tuple(self._height(each) for each in answer)
        raise ConfigError(self.key, mark("a drawn curve has {points} heights."), points=POINTS)

    def _height(self, value: Any) -> float:
        assert self.y is not None
        if isinstance(value, (int, float)) and not isinstance(value, bool) and self.y.low <= value <= self.y.high:
            return float(value)
        raise ConfigError(self.key, mark("a number from {low:g} to {high:g} is needed."), low=self.y.low, high=self.y.high)

    def to_text(self, answer: Answer) -> str:
        """An answer for an address; heights to three digits."""
        return "_".join(f"{each:.3g}" for each in answer) if isinstance(answer, tuple) else f"{answer:.6g}"

    def from_text(self, text: str) -> Answer:
        """Read ``to_text`` back.

        Raises:
            ConfigError: it is no answer to this question.
        """
        try:
            if self.kind == "choice":
                return self.check(int(text))
            return self.check([float(each) for each in text.split("_")] if self.kind == "curve" else float(text))
        except ValueError:
            raise ConfigError(self.key, mark("{text} is no answer to this question."), text=repr(text[:40])) from None
