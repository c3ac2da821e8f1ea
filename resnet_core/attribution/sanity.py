"""The sanity check of Adebayo et al. 2018, section 3: does a map change when the net forgets what it has learned?

    for step in cascade(loaded, image, "saliency", target=3):
        step.label, step.absolute  # "fc", 0.41

Cascading randomisation: from the top layer down, weights are replaced by freshly initialised ones and stay so, until the whole net is as
before its first update. A map that shows what the net has learned loses its order of pixels; one that does not shows the image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from resnet_core.activations import ShouldStop
from resnet_core.architectures import ModelConfig
from resnet_core.architectures.net import Net, build_model
from resnet_core.attribution.compute import compute
from resnet_core.attribution.layers import CascadeStep, cascade_steps
from resnet_core.attribution.methods import TRUST, check_target, method
from resnet_core.attribution.ranks import spearman
from resnet_core.attribution.subject import Subject
from resnet_core.language import mark
from resnet_core.nets.loading import LoadedNet

TRAINED = mark("as it is")


@dataclass(frozen=True, eq=False)
class Step:
    """The map after one more step.

    Attributes:
        label: what was randomised in this step; ``TRAINED`` of the first, which is the map of the net as it is.
        modules: all that is random by now.
        map: float32 (side, side), of the same method, parameters and target.
        signed: Spearman's rank correlation with the first step, of values with their signs: of Saliency the gradient itself (colours
            summed), of Grad-CAM what ReLU has not yet cut off, of the others the map.
        absolute: the same of the map's magnitudes, which are what the eye sees.
            Both are None where there is no order: all values are equal (Grad-CAM finds nothing), or overflow fp32.
    """

    label: str
    modules: tuple[str, ...]
    map: np.ndarray
    signed: float | None
    absolute: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, without the map."""
        return {"label": self.label, "signed": self.signed, "absolute": self.absolute}


def random_net(config: ModelConfig, seed: int) -> Net:
    """A net before its first update, initialised as for training, but from a random stream that no training draws from.

    The weights of ``build_model(config, seed)`` are those that a training with that seed has begun with, and what was trained from them
    still resembles them: the layers above would be put back to where they were, not made random.
    """
    digest = hashlib.sha256(f"sanity check/{seed}".encode()).digest()
    return build_model(config, int.from_bytes(digest[:8], "big") >> 1)


def cascade(
    loaded: LoadedNet,
    image: torch.Tensor,
    method_key: str,
    target: int,
    *,
    seed: int = 0,
    per_stage: int = 3,
    should_stop: ShouldStop | None = None,
    **parameters: Any,
) -> Iterator[Step]:
    """The steps, each computed when it is asked for: 1 + ``len(cascade_steps(config, per_stage))`` of them. The caller's net is only read.

    Randomised are all weights of a layer, its BN too: they and its running statistics become those of a net before its first update.

    Args:
        image: uint8 (3, H, W); target: the class that is explained at every step.
        seed: of the random weights.
        per_stage: a stage's blocks are randomised in at most so many steps.
        should_stop: asked before each pass.
        parameters: of the method.

    Raises:
        ConfigError: at once, as ``attribute`` does.
        Stopped: ``should_stop`` returned True.
    """
    values = method(method_key).complete(parameters, loaded)
    target = check_target(target, loaded)
    for parameter in TRUST["sanity"]:
        parameter.check({"seed": seed, "per_stage": per_stage}[parameter.name], loaded)
    return _steps(loaded, image, method_key, target, values, cascade_steps(loaded, per_stage), seed, should_stop)


def _steps(
    loaded: LoadedNet,
    image: torch.Tensor,
    method_key: str,
    target: int,
    values: Mapping[str, Any],
    steps: list[CascadeStep],
    seed: int,
    should_stop: ShouldStop | None,
) -> Iterator[Step]:
    weights = dict(loaded.model.state_dict())
    fresh = random_net(loaded.model.config, seed).to(loaded.device).to(memory_format=torch.channels_last).state_dict()

    def explain() -> tuple[np.ndarray, np.ndarray]:
        subject = Subject(loaded, weights, should_stop)
        raw = compute(subject, subject.pixels(image), method_key, target, values)
        return raw.map.detach().cpu().numpy(), raw.signed.detach().cpu().numpy()

    first, signed = explain()

    def step_of(label: str, modules: tuple[str, ...], map_now: np.ndarray, signed_now: np.ndarray) -> Step:
        return Step(label, modules, map_now, spearman(signed, signed_now), spearman(np.abs(first), np.abs(map_now)))

    yield step_of(TRAINED, (), first, signed)
    randomised: tuple[str, ...] = ()
    for step in steps:
        randomised += step.modules
        for name in weights:
            if name.startswith(tuple(f"{module}." for module in step.modules)):
                weights[name] = fresh[name]
        yield step_of(step.label, randomised, *explain())


def random_level(
    loaded: LoadedNet,
    image: torch.Tensor,
    method_key: str,
    target: int,
    *,
    seed: int = 0,
    should_stop: ShouldStop | None = None,
    **parameters: Any,
) -> tuple[float | None, float | None]:
    """Rank correlation of the maps of two nets with all weights random and nothing in common: with signs, and of magnitudes.

    What maps of any net have in common, since they are of one image (as bright edges): a correlation this high is none.

    Args:
        image, target, seed, should_stop, parameters: as of ``cascade``; the second net's weights come from the next seed.
    """
    config = loaded.model.config
    values = method(method_key).complete(parameters, loaded)
    raws = []
    for one in (seed, seed + 1):
        weights = random_net(config, one).to(loaded.device).to(memory_format=torch.channels_last).state_dict()
        subject = Subject(loaded, weights, should_stop)
        raws.append(compute(subject, subject.pixels(image), method_key, check_target(target, config), values))
    signed, maps = ([getattr(raw, name).detach().cpu().numpy() for raw in raws] for name in ("signed", "map"))
    return spearman(*signed), spearman(*map(np.abs, maps))
