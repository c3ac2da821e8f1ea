"""What an experiment declares: the page and the command line are made from it. No torch.

An experiment is one module with ``EXPERIMENT`` and four functions, which it imports torch within::

    measure(loaded, images, values, progress, should_stop) -> Result   # of one net; plain values, with to_dict()
    table(results) -> Table                                           # of all nets, for people and for a CSV file
    figure(results, dark=False) -> plotly.graph_objects.Figure
    finding(results) -> str                                           # what these numbers say, and no more
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

from resnet_core.architectures import ModelConfig
from resnet_core.architectures.table import complexity
from resnet_core.attribution.methods import Parameter
from resnet_core.config import DataConfig
from resnet_core.errors import ConfigError, DataError
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    from resnet_core.data import Cifar10, Split
    from resnet_core.nets import Net


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


#: Called with the work done and all of it, if with anything; and asked whether to stop, if there is somebody to ask.
Progress = Callable[[int, int], None] | None
ShouldStop = Callable[[], bool] | None


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
        macs: the multiply-adds it takes, of a configuration and all parameters, on images of the size that the net is made for.
        refusal: why it cannot be made with a net; empty where it can.
        views: the parameters that choose what is shown of a result: another value of theirs computes nothing anew. The module has a
            function ``view(result, values)`` then, which returns what is shown.
        labelled: it holds answers against the classes of the images, which must be the net's own.
        passes: where images through the net are all that takes time: how many, of which one can be timed before it starts.
        previews: ``measure`` takes one argument more, ``preview``, and calls it with coarser results on the way.
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
    labelled: bool = True
    views: tuple[str, ...] = ()
    passes: Callable[[ModelConfig, Mapping[str, Any]], int] | None = None
    previews: bool = False

    def complete(self, given: Mapping[str, Any], model: ModelConfig) -> dict[str, Any]:
        """Return all parameters: those given, checked, and the defaults of the others.

        Raises:
            ConfigError: a value is out of its range, or there is no such parameter; names it.
        """
        names = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in names:
                raise ConfigError(
                    name, "{title} has no such parameter; it has {names}.", title=self.title, names=", ".join(names) or tr("none")
                )
        return {parameter.name: parameter.check(given.get(parameter.name), model) for parameter in self.parameters}

    def check(self, model: ModelConfig, name: str) -> None:
        """Raise ConfigError if it cannot be made with nets like that one, called ``name``."""
        if why := self.refusal(model):
            raise ConfigError("net", "{name}: {why}", name=name, why=why)

    def check_images(self, net: Net, data: DataConfig) -> None:
        """Raise ConfigError if it holds a net's answers against the classes of the images, and these are others."""
        if self.labelled and (why := net.refusal(data)):
            raise ConfigError("net", "{why} This experiment holds its answers against them.", why=why)

    def check_others(self, net: Net, given: Mapping[str, Any]) -> None:
        """Raise ConfigError if a net among the parameters is not another one of the same architecture."""
        for parameter in self.parameters:
            other = given.get(parameter.name) if parameter.kind == "net" else None
            if other and other.id == net.id:
                raise ConfigError(parameter.name, "{name} is the net itself: another of the same architecture is needed.", name=other.name)
            if other and other.model != net.model:
                which = tr(
                    "{name} ({name2}) and {name3} ({name4})", name=other.name, name2=other.model.name, name3=net.name, name4=net.model.name
                )
                raise ConfigError(parameter.name, "{which} are of different architectures: choose two of the same.", which=which)

    def work(self, net: Net, values: Mapping[str, Any]) -> float:
        """Multiply-adds that it takes with a net, on images of its size; ``values``: all parameters."""
        return self.macs(net.model, values) * complexity(net.model, net.side).macs / complexity(net.model).macs

    def viewed(self, found: Measured, values: Mapping[str, Any]) -> Measured:
        """What is shown of a result.

        Raises:
            DataError: it is not part of the result.
        """
        return replace(found, result=self.functions.view(found.result, values)) if self.views else found

    @property
    def functions(self) -> ModuleType:
        """The module with ``measure``, ``table``, ``figure`` and ``finding``."""
        return importlib.import_module(self.module)


def shown(value: Any) -> str:
    """A cell of a table as text: four digits of a number that is not whole, thousands of one that is."""
    if isinstance(value, bool) or value is None:
        return {True: tr("yes"), False: tr("no"), None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def images_parameter(default: int = 1000, most: int = 10_000) -> Parameter:
    """The number of test images."""
    return Parameter("images", mark("test images"), "int", default, 100, most, 100, help=mark("The first of the test set; of fewer, all."))


#: One test image instead of all.
PICTURE = Parameter(
    "picture", mark("one picture"), "int", None, 0, 9_999, 1, help=mark("The number of one test image, as on Predict; empty: all together.")
)


@dataclass(frozen=True)
class Picture:
    """One test image: its number from 0, and its class."""

    number: int
    label: str

    @property
    def name(self) -> str:
        """``test image 17 (ship)``."""
        return tr("test image {number} ({label})", number=self.number, label=self.label)


def picture_of(images: Cifar10, number: int) -> Picture:
    """The test image of that number.

    Raises:
        DataError: there are not so many.
    """
    labels = images.test.labels
    if number >= len(labels):
        raise DataError("There is no test image {number:,}: they go from 0 to {splits:,}.", number=number, splits=len(labels) - 1)
    return Picture(number, images.classes[int(labels[number])])


def first(split: Split, count: int) -> Split:
    """The first ``count`` images of a split; of fewer, all."""
    return split.part(0, min(count, len(split)))


def whole_net_macs(model: ModelConfig) -> float:
    """Multiply-adds of one image through the net."""
    return float(complexity(model).macs)


def each_of(results: Sequence[Measured], text: Callable[[Measured], str]) -> str:
    """``ResNet-20: ...; plain-20: ...`` in the order of the nets."""
    return "; ".join(f"{one.label}: {text(one)}" for one in results)


def needs_addition(model: ModelConfig) -> str:
    """A refusal for nets whose units add nothing."""
    return (
        "" if any(unit.join.name == "add" for unit in model.plan().units) else tr("it has no additions, and this experiment is about them.")
    )
