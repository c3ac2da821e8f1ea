"""What a number holds for, in words: data, how long, how many seeds, which precision; it stands beside every curve, table and verdict.

>>> conditions(config, "1 seed", ["bf16"])
'1 seed · CIFAR-10 (50,000 images) · 1/4 of the paper\'s schedule · bf16'
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from resnet_core.config import Recipe, RunConfig
from resnet_core.language import mark, together, tr


def fraction_short(fraction: float) -> str:
    """How much of the paper's schedule, in images seen: ``1/284``, ``full``, ``2 times``."""
    if abs(fraction - 1) < 0.005:
        return "full"
    if fraction > 1:
        return tr("{fraction:.3g} times", fraction=fraction)
    near = Fraction(fraction).limit_denominator(8) if fraction > 0.1 else Fraction(1, round(1 / fraction))
    return f"{near.numerator}/{near.denominator:,}" if abs(near / Fraction(fraction) - 1) < 0.02 else f"1/{1 / fraction:.1f}"


def fraction_text(fraction: float) -> str:
    """The same as a phrase: ``1/284 of the paper's schedule``, ``the paper's full schedule``."""
    short = fraction_short(fraction)
    if short == "full":
        return tr("the paper's full schedule")
    return tr("{short} the paper's schedule", short=short) if fraction > 1 else tr("{short} of the paper's schedule", short=short)


_AUGMENTATIONS = {
    "standard": mark("4 pixels of padding, random crop, random flip"),
    "none": mark("none"),
    "crop": mark("random crop of the larger image, random flip"),
    "scale": mark("random scale, random crop, random flip"),
    "resized": mark("random part resized, random flip"),
}


def augmentation_text(recipe: Recipe) -> str:
    """What was done to the images, as a phrase: ``random part resized, random flip; PCA colour 0.1``."""
    said = [tr(_AUGMENTATIONS[recipe.augmentation])]
    if recipe.augmentation == "scale" and recipe.scale_range:
        said.append(tr("{low} to {high} pixels", low=recipe.scale_range[0], high=recipe.scale_range[1]))
    said += [tr("PCA colour {strength:g}", strength=recipe.pca_colour)] if recipe.pca_colour else []
    said += [tr("colour jitter {strength:g}", strength=recipe.colour_jitter)] if recipe.colour_jitter else []
    return "; ".join(said)


def falling_text(recipe: Recipe) -> str:
    """How the rate falls, to be set behind it: ``, times 0.1 at 8,000 and 12,000``. When a plateau comes is not known in advance."""
    if recipe.schedule == "step":
        steps = [f"{round(milestone * recipe.iterations):,}" for milestone in recipe.milestones]
        return tr(", times {gamma:g} at {steps}", gamma=recipe.gamma, steps=together(steps)) if steps else ""
    if recipe.schedule == "plateau":
        return tr(
            ", times {gamma:g} whenever {patience} measurements of the error in a row are not below the lowest (not known in advance)",
            gamma=recipe.gamma,
            patience=recipe.patience,
        )
    falls = {"linear": mark(", falling linearly to 0"), "cosine": mark(", falling to 0 as a cosine"), "constant": mark(", constant")}
    return tr(falls[recipe.schedule])


def schedule_text(config: RunConfig) -> str:
    """How long a training is, as a phrase: as a part of the paper's schedule, or where that is a small one in epochs."""
    fraction = config.recipe.schedule_fraction
    return fraction_text(fraction) if fraction >= 1 / 8 else tr("{epochs:.3g} epochs", epochs=config.epochs)


def precision_text(found: Iterable[str | None]) -> str:
    """The precision of trainings; before one has begun it is not decided."""
    return together(sorted({each or tr("precision not yet decided") for each in found}))


def conditions(config: RunConfig, seeds: str, precisions: Iterable[str | None], *more: str) -> str:
    """What trainings that differ in nets and seeds hold for.

    Args:
        seeds: which, or how many; precisions: of all of them, None where it is not decided; more: what else must be known.
    """
    return " · ".join([seeds, config.data.label, schedule_text(config), precision_text(precisions), *more])


def of_each_kind(told: Iterable[tuple[str, str]], every: str) -> str:
    """The conditions of all: once where they are alike, else of each kind with the nets that they hold for.

    Args:
        told: name and conditions of each; every: the sentence where all are alike, with the place ``{next}``.
    """
    kinds: dict[str, dict[str, None]] = {}
    for name, text in told:
        kinds.setdefault(text, {})[name] = None
    if len(kinds) == 1:
        return tr(every, next=next(iter(kinds)))
    return " ".join(f"{', '.join(names)}: {text}." for text, names in kinds.items())
