"""Whether a map is to be believed, in two numbers (Yeh et al. 2019, "On the (In)fidelity and Sensitivity of Explanations"), by Captum.

    found = attribute(loaded, image, "saliency", target=3)
    infidelity(loaded, image, found).relative  # 0: the map foretells what hiding a part does; 1: it tells nothing
    sensitivity(loaded, image, found).value  # 0.5: a change of the image too small to be seen changes the map by half

All random numbers come from the seed, and from generators of our own: neither other viewers nor batch sizes change a result.
"""

from __future__ import annotations

from dataclasses import dataclass

import captum.metrics
import numpy as np
import torch

from resnet_core.activations import Progress, ShouldStop, images_at_once
from resnet_core.attribution.compute import Attribution, Raw, compute
from resnet_core.attribution.methods import METHODS, SIDE, TRUST, scaled
from resnet_core.attribution.subject import Subject
from resnet_core.language import tr
from resnet_core.nets.loading import LoadedNet

#: Sides of the hidden squares, in pixels of an image of 32: from and to.
SQUARES = (4, 12)
_AT_ONCE = 50


@dataclass(frozen=True)
class Infidelity:
    """How badly a map foretells what hiding parts of the image does to the target's logit.

    Attributes:
        value: mean squared error in squared logits, the map scaled so that it is smallest: most maps have no unit of their own
            (``normalize=True`` of Captum).
        relative: the same, divided by the mean squared change of the logit: 0 (foretold exactly) to 1 (a map of zeros does as well).
            None where hiding changes nothing.
        constant, random: ``relative`` of a map that is the same everywhere, and of one of Gaussian noise: what is not clearly below both
            has foretold nothing. Hiding more changes more, and that alone a constant map knows.
        samples, seed: of the hidden squares.
        text: how it was measured, for people.
    """

    value: float
    relative: float | None
    samples: int
    seed: int
    text: str
    constant: float | None = None
    random: float | None = None


@dataclass(frozen=True)
class Sensitivity:
    """How much a map changes when the image hardly does.

    Attributes:
        value: the largest change found, in L2 norm, relative to the map's own norm; None for a map of zeros.
        radius: the most that a pixel changed, in units of pixel / 255.
        samples, seed: of the changed images.
        text: how it was measured, for people.
    """

    value: float | None
    radius: float
    samples: int
    seed: int
    text: str


def _checked(loaded: LoadedNet, which: str, **given: float) -> None:
    for parameter in TRUST[which]:
        parameter.check(given[parameter.name], loaded)


def squares(samples: int, seed: int, side: int = SIDE) -> np.ndarray:
    """float32 (samples, 1, side, side): 1 where a random square hides the image."""
    random = np.random.default_rng(seed)
    masks = np.zeros((samples, 1, side, side), dtype=np.float32)
    low, high = (scaled(pixels, side) for pixels in SQUARES)
    for mask in masks:
        width = int(random.integers(low, high + 1))
        top, left = random.integers(0, side - width + 1, size=2)
        mask[0, top : top + width, left : left + width] = 1
    return masks


def infidelity(
    loaded: LoadedNet,
    image: torch.Tensor,
    found: Attribution,
    *,
    samples: int = 64,
    seed: int = 0,
    should_stop: ShouldStop | None = None,
) -> Infidelity:
    """Hides random squares and compares what the map says with what happens.

    Where a map's values are contributions, it says the sum of those in the square; where they are rates (``Method.local``), the sum of
    rate times change of the pixel. Squares show the mean image, as with Occlusion; so Occlusion has an advantage here.

    Args:
        image: uint8 (3, H, W), the one that was explained; ``found``: its map.
        should_stop: asked before each batch of squares.

    Raises:
        ConfigError: ``samples`` or ``seed`` is out of its range.
        Stopped: ``should_stop`` returned True.
    """
    _checked(loaded, "infidelity", samples=samples, seed=seed)
    subject = Subject(loaded, should_stop=should_stop)
    x = subject.pixels(image)
    blank = subject.baseline("mean", x)
    local = METHODS[found.method].local
    per_channel = None if found.per_channel is None else torch.from_numpy(found.per_channel)
    attributions = Raw(torch.from_numpy(found.map), per_channel).for_input.to(x.device)
    masks = torch.from_numpy(squares(samples, seed, loaded.side)).to(x.device)

    def mean_squared_error(of: torch.Tensor, normalize: bool = True) -> float:
        taken = 0

        def hide(inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            nonlocal taken
            mask = masks[taken : taken + len(inputs)].expand_as(inputs)
            taken += len(inputs)
            change = mask * (inputs - blank)
            return (change if local else mask), inputs - change

        at_once = images_at_once(loaded.model, min(samples, _AT_ONCE))
        options = {"n_perturb_samples": samples, "max_examples_per_batch": at_once, "normalize": normalize}
        return float(captum.metrics.infidelity(subject, hide, x, of, target=found.target, **options))

    changes = mean_squared_error(torch.zeros_like(attributions))

    def score(of: torch.Tensor) -> float:
        value = mean_squared_error(of)
        # Captum's best scale may be negative: a map that says the contrary would do as well as the map. Ours is 0 at the least.
        if value < changes and mean_squared_error(-of, False) < mean_squared_error(of, False):
            return changes
        return max(value, 0.0)  # rounding may leave a fit just below 0

    noise = np.random.default_rng([seed, 1]).standard_normal(tuple(attributions.shape)).astype(np.float32)
    others = (torch.ones_like(attributions), torch.from_numpy(noise).to(x.device))
    value, *compared = (score(of) for of in (attributions, *others))
    low, high = (scaled(pixels, loaded.side) for pixels in SQUARES)
    text = tr(
        "{samples:,} squares of {low} to {high} pixels a side at random places (seed {seed}), hidden by the "
        "mean image; the map scaled to fit best",
        samples=samples,
        low=low,
        high=high,
        seed=seed,
    )
    # Rounding may leave a fit just above 1.
    relative, constant, random = (min(one / changes, 1.0) if changes > 0 else None for one in (value, *compared))
    return Infidelity(value, relative, samples, seed, text, constant, random)


def sensitivity(
    loaded: LoadedNet,
    image: torch.Tensor,
    found: Attribution,
    *,
    radius: float = 0.02,
    samples: int = 10,
    seed: int = 0,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> Sensitivity:
    """Changes each pixel by a random amount up to ``radius``, again and again, and takes the map anew: the largest change counts.

    Takes as long as ``samples`` + 1 maps.

    Args:
        progress: called with the maps done and the maps in all.
        should_stop: asked before each pass.

    Raises:
        ConfigError: ``radius``, ``samples`` or ``seed`` is out of its range.
        Stopped: ``should_stop`` returned True.
    """
    _checked(loaded, "sensitivity", radius=radius, samples=samples, seed=seed)
    text = tr(
        "the largest of {samples:,} random changes of each pixel by at most {radius:g} of 1 (seed {seed})",
        samples=samples,
        radius=radius,
        seed=seed,
    )
    subject = Subject(loaded, should_stop=should_stop)
    noise = np.random.default_rng(seed).uniform(-radius, radius, (samples, 3, loaded.side, loaded.side)).astype(np.float32)
    changes = iter(torch.from_numpy(noise).to(loaded.device))
    done = 0

    def explain(inputs: torch.Tensor | tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
        nonlocal done
        x = inputs[0] if isinstance(inputs, tuple) else inputs
        one = compute(subject, x, found.method, found.target, found.parameters).map[None]
        done += 1
        if progress is not None:
            progress(done, samples + 1)
        return (one,)  # Captum takes the first one, of the image itself, apart as a tuple whatever it is

    def change(inputs: torch.Tensor) -> torch.Tensor:
        return inputs + next(changes)

    if found.is_zero:
        return Sensitivity(None, radius, samples, seed, text)
    x = subject.pixels(image)
    options = {"n_perturb_samples": samples, "max_examples_per_batch": 1}
    value = float(captum.metrics.sensitivity_max(explain, x, change, **options))
    return Sensitivity(value, radius, samples, seed, text)
