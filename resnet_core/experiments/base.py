"""What an experiment declares: the page and the command line are made from it. No torch.

An experiment is one module with ``EXPERIMENT`` and four functions, which it imports torch within::

    measure(loaded, images, values, progress, should_stop) -> Result   # of one net; plain values, with to_dict()
    table(results) -> Table                                           # of all nets, for people and for a CSV file
    figure(results, dark=False) -> plotly.graph_objects.Figure
    finding(results) -> str                                           # what these numbers say, and no more
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from resnet_core.architectures import ModelConfig
from resnet_core.attribution.methods import Parameter
from resnet_core.errors import ConfigError


@dataclass(frozen=True)
class Measured:
    """An experiment's result of one net.

    Attributes:
        key: of the net, unique among those compared; label: its name for people; model: its configuration.
        result: what ``measure`` returned.
    """

    key: str
    label: str
    model: ModelConfig
    result: Any


@dataclass(frozen=True)
class Table:
    """Rows for people; ``head`` names the columns with their units. A number is formatted where it is shown."""

    head: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def _always(model: ModelConfig) -> str:
    return ""


@dataclass(frozen=True)
class Experiment:
    """An experiment, declared once.

    Attributes:
        key: of the command line and of links; title: for people; module: where its functions are.
        question: what it answers, as a question.
        source: the papers.
        method: what is done, exactly.
        limits: what it cannot show.
        parameters: what may be chosen.
        macs: the multiply-adds it takes, of a configuration and all parameters.
        refusal: why it cannot be made with a net; empty where it can.
    """

    key: str
    title: str
    module: str
    question: str
    source: str
    method: str
    limits: str
    parameters: tuple[Parameter, ...]
    macs: Callable[[ModelConfig, Mapping[str, Any]], float]
    refusal: Callable[[ModelConfig], str] = _always

    def complete(self, given: Mapping[str, Any], model: ModelConfig) -> dict[str, Any]:
        """Return all parameters: those given, checked, and the defaults of the others.

        Raises:
            ConfigError: a value is out of its range, or there is no such parameter; names it.
        """
        names = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in names:
                raise ConfigError(name, f"{self.title} has no such parameter; it has {', '.join(names) or 'none'}.")
        return {parameter.name: parameter.check(given.get(parameter.name), model) for parameter in self.parameters}

    def check(self, model: ModelConfig, name: str) -> None:
        """Raise ConfigError if it cannot be made with a net, called ``name``."""
        if why := self.refusal(model):
            raise ConfigError("net", f"{name}: {why}")

    @property
    def functions(self) -> ModuleType:
        """The module with ``measure``, ``table``, ``figure`` and ``finding``."""
        return importlib.import_module(self.module)


def shown(value: Any) -> str:
    """A cell of a table as text: four digits of a number that is not whole, thousands of one that is."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
