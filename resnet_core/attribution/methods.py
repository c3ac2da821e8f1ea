"""The attribution methods and what checks them, declared as data: widgets, options and their checks are made from this. No torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from resnet_core.activations import config_of, side_of
from resnet_core.attribution.layers import default_layer, layers_of, outputs_of
from resnet_core.errors import ConfigError
from resnet_core.language import mark, tr

#: Pixels of the images' side that the declared numbers of pixels are for.
SIDE = 32


def scaled(pixels: float, side: int) -> int:
    """So many pixels of an image of ``SIDE`` as pixels of one of ``side``."""
    return max(1, round(pixels * side / SIDE))


@dataclass(frozen=True)
class Parameter:
    """What a viewer may choose.

    Attributes:
        name: of the keyword argument, and of the field in an error.
        label: for people.
        kind: ``int``, ``float``, ``choice``, ``layer`` (one of ``layers_of(model)``) or ``net`` (another one of the catalog; empty for
            none).
        default: of a ``layer`` None: ``default_layer(model)``; of a number None: it may be left out.
        minimum, maximum, step: of an ``int`` or a ``float``; both ends are allowed.
        choices: of a ``choice``: value -> what it is called; of a ``net`` what stands for none.
        help: one or two sentences.
        pixels: default and ends are those for images of ``SIDE`` pixels, and grow with a net's images; see ``at``.
        inner: of a ``layer``: it may be a convolution within a block, too.
    """

    name: str
    label: str
    kind: str
    default: Any = None
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[tuple[str, str], ...] = ()
    help: str = ""
    pixels: bool = False
    inner: bool = False

    def layers(self, model: Any) -> Sequence[str]:
        """The layers that a ``layer`` may be."""
        return list(outputs_of(model)) if self.inner else layers_of(model)

    def at(self, side: int) -> Parameter:
        """The parameter for images of ``side`` pixels."""
        if not self.pixels or self.maximum is None:
            return self
        return replace(self, default=scaled(self.default, side), maximum=scaled(self.maximum, side))

    def check(self, value: Any, model: Any) -> Any:
        """The value, or the default for None.

        Args:
            model: the net or its configuration, which know its layers and its images' size; see ``activations.config_of``.

        Raises:
            ConfigError: it is none of the possible ones; ``field`` is the parameter's name.
        """
        if value is None:
            return default_layer(model) if self.kind == "layer" else self.at(side_of(model)).default if self.pixels else self.default
        if self.kind == "net":
            return value
        if self.kind in ("choice", "layer"):
            possible = [key for key, _ in self.choices] if self.kind == "choice" else list(self.layers(model))
            if value not in possible:
                raise ConfigError(self.name, "{value!r} is not one of {few}.", value=value, few=_few(possible))
            return value
        if isinstance(value, bool) or not isinstance(value, int if self.kind == "int" else (int, float)) or not math.isfinite(value):
            raise ConfigError(
                self.name,
                mark("{value!r} is not a whole number.") if self.kind == "int" else mark("{value!r} is not a finite number."),
                value=value,
            )
        low, high = self.minimum, self.at(side_of(model)).maximum if self.pixels else self.maximum
        assert low is not None and high is not None  # every number's ends are declared
        if not low <= value <= high:
            raise ConfigError(
                self.name,
                "{value:g} is out of range; it must be from {exact} to {exact2}.",
                value=value,
                exact=_exact(low),
                exact2=_exact(high),
            )
        return value if self.kind == "int" else float(value)


def _few(names: list[str]) -> str:
    """All of a few names; of many the first and the last ones."""
    return ", ".join(names) if len(names) <= 12 else f"{', '.join(names[:3])}, ... {', '.join(names[-3:])}"


@dataclass(frozen=True)
class Method:
    """One way to say which pixels a net's answer comes from.

    Attributes:
        key: of the command line and of URLs.
        label: for people.
        source: the paper.
        signed: the map has negative values too, and its colour scale is symmetrical around zero.
        meaning: what a value of the map is, in which unit, and what its sign says.
        channels: how the values of the three colour channels become one.
        local: a value is a rate, per unit of change of the pixel; else it is a contribution to the answer. Infidelity treats them
            differently (Yeh et al. 2019, section 2).
        warning: what every viewer of such a map must know; empty for most.
        before: what a map without signs was before it lost them.
        parameters: what may be chosen.
    """

    key: str
    label: str
    source: str
    signed: bool
    meaning: str
    channels: str
    local: bool
    parameters: tuple[Parameter, ...]
    warning: str = ""
    before: str = ""

    def complete(self, given: Mapping[str, Any], model: Any) -> dict[str, Any]:
        """All parameters of the method: those given, checked, and the defaults of the others.

        Raises:
            ConfigError: a value is out of its range, or the method has no such parameter; names it.
        """
        names = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in names:
                has = tr("it has {names}", names=", ".join(names)) if names else tr("it has none")
                raise ConfigError(name, "{label} has no such parameter; {has}.", label=self.label, has=has)
        values = {parameter.name: parameter.check(given.get(parameter.name), model) for parameter in self.parameters}
        if "stride" in values and values["stride"] > values["window"]:
            raise ConfigError(
                "stride",
                "{stride} is more than the window of {window}: pixels between the windows would never be hidden.",
                stride=values["stride"],
                window=values["window"],
            )
        return values


_BASELINE = (("mean", mark("mean image")), ("black", mark("black")))
_NOTHING = mark("What counts as no image: the mean that the net's input is normalised with, or black.")
_LAYER = Parameter(
    "layer",
    mark("layer"),
    "layer",
    help=mark("The block whose output is weighted. The last one is the most specific to a class; earlier ones have finer maps."),
)
_STEPS = Parameter(
    "steps",
    mark("steps"),
    "int",
    50,
    2,
    500,
    1,
    help=mark("Points on the path from the baseline to the image (Gauss-Legendre). More bring the sum closer."),
)
_FROM = Parameter(
    "baseline",
    mark("baseline"),
    "choice",
    "mean",
    choices=_BASELINE,
    help=_NOTHING,
)
_FILL = Parameter(
    "baseline",
    mark("hidden by"),
    "choice",
    "mean",
    choices=_BASELINE,
    help=_NOTHING,
)
_WINDOW = Parameter(
    "window",
    mark("window"),
    "int",
    6,
    1,
    SIDE,
    1,
    help=mark("Pixels of the side of the square that hides a part of the image, if that has 32; of larger images as much larger."),
    pixels=True,
)
_STRIDE = Parameter(
    "stride",
    mark("stride"),
    "int",
    2,
    1,
    SIDE,
    1,
    help=mark("Pixels from one window to the next, as for the window; at most that. Half of it takes four times as long."),
    pixels=True,
)
_CHANNELS = Parameter(
    "channels",
    mark("colours joined by"),
    "choice",
    "maximum",
    choices=(("maximum", mark("maximum")), ("sum", mark("sum"))),
    help=mark("Of the absolute gradients of red, green and blue the largest, as in the paper, or their sum."),
)

METHODS: dict[str, Method] = {
    each.key: each
    for each in (
        Method(
            "integrated-gradients",
            mark("Integrated Gradients"),
            mark("Sundararajan et al. 2017"),
            signed=True,
            meaning=mark(
                "Part of the difference between the target's logit for the image and for the baseline. Positive: the "
                "pixel speaks for the target; negative: against it. All of them sum to the difference, up to the "
                "convergence delta."
            ),
            channels="sum",
            local=False,
            parameters=(_STEPS, _FROM),
        ),
        Method(
            "grad-cam",
            "Grad-CAM",
            mark("Selvaraju et al. 2017"),
            signed=False,
            meaning=mark(
                "A layer's maps, each weighted by its mean gradient of the target's logit, summed; below zero cut "
                "off (ReLU); enlarged bilinearly to the image's size. Zero: nothing there speaks for the target at "
                "this layer."
            ),
            channels=mark("one value a pixel"),
            local=False,
            parameters=(_LAYER,),
            before=mark("the sum before its ReLU"),
        ),
        Method(
            "occlusion",
            mark("Occlusion"),
            mark("Zeiler and Fergus 2014"),
            signed=True,
            meaning=mark(
                "By how much the target's logit drops while the pixel is hidden: the mean over the windows that "
                "cover it. Positive: the pixel speaks for the target; negative: the logit rises without it."
            ),
            channels=mark("one value a pixel"),
            local=False,
            parameters=(_WINDOW, _STRIDE, _FILL),
        ),
        Method(
            "saliency",
            mark("Saliency"),
            mark("Simonyan et al. 2014"),
            signed=False,
            meaning=mark(
                "Absolute gradient of the target's logit, per unit of pixel / 255: how strongly a small change of "
                "the pixel would act, whichever way."
            ),
            channels=mark("the parameter says: maximum or sum of the absolute values"),
            local=True,
            parameters=(_CHANNELS,),
            before=mark("the gradient itself"),
        ),
        Method(
            "guided-grad-cam",
            mark("Guided Grad-CAM"),
            mark("Selvaraju et al. 2017"),
            signed=True,
            meaning=mark(
                "Grad-CAM times guided backpropagation (Springenberg et al. 2015), in which no ReLU passes a "
                "negative gradient back. Its scale has no unit."
            ),
            channels="sum",
            local=True,
            parameters=(_LAYER,),
            warning=mark(
                "Fails the sanity checks of Adebayo et al. 2018: guided backpropagation shows edges of the image, "
                "and in the nets tried there it hardly changed when weights were replaced by random ones. It is no "
                "evidence of what a net has learned."
            ),
        ),
    )
}

_SEED = Parameter("seed", mark("seed"), "int", 0, 0, 2**31 - 1, 1, help=mark("Of the random numbers: the same seed gives the same result."))
#: What checks a map -> its parameters: ``infidelity``, ``sensitivity`` and ``sanity``.
TRUST: dict[str, tuple[Parameter, ...]] = {
    "infidelity": (Parameter("samples", mark("hidden squares"), "int", 64, 2, 1000, 1, help=mark("How many squares are tried.")), _SEED),
    "sensitivity": (
        Parameter(
            "radius", mark("radius"), "float", 0.02, 0.001, 0.5, 0.005, help=mark("The most that a pixel changes, of 1: 0.02 is 5 of 255.")
        ),
        Parameter("samples", mark("changed images"), "int", 10, 1, 100, 1, help=mark("Each one takes a map of its own.")),
        _SEED,
    ),
    "sanity": (
        Parameter(
            "per_stage",
            mark("steps of a stage"),
            "int",
            3,
            1,
            20,
            1,
            help=mark("A stage's blocks are randomised in at most so many steps, the last ones first."),
        ),
        _SEED,
    ),
}


def method(key: str) -> Method:
    """Raises ConfigError for a key that is none of ``METHODS``."""
    if key not in METHODS:
        raise ConfigError("method", "{key!r} is not one of {methods}.", key=key, methods=", ".join(METHODS))
    return METHODS[key]


def _exact(value: float) -> str:
    """``0.05``, ``2,147,483,647``: as ``:g``, but no digit of a whole number is lost."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:g}"


def check_target(target: Any, model: Any) -> int:
    """The class to be explained, as an index; ``model``: as of ``Parameter.check``.

    Raises:
        ConfigError: the net has no such class.
    """
    if isinstance(target, bool) or not isinstance(target, int):
        raise ConfigError("target", "{target!r} is not the number of a class.", target=target)
    classes = config_of(model).num_classes
    if not 0 <= target < classes:
        raise ConfigError("target", "{target} is out of range; the net's classes are 0 to {classes}.", target=target, classes=classes - 1)
    return target
