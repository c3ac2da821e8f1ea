"""The five methods, by Captum: image and target in, map out. Always fp32, always the target that was asked for.

    found = attribute(load(find("resnet-56")), image, "grad-cam", target=3, layer="layer2.8")
    found.map, found.delta, found.parameters

What is explained is the logit of the target, not its probability: a probability also rises when another class is made less likely.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from captum.attr import GuidedGradCam, IntegratedGradients, LayerAttribution, LayerGradCam, Occlusion, Saliency

from resnet_core.activations import Progress, ShouldStop, check_stop, images_at_once
from resnet_core.attribution.methods import check_target, method
from resnet_core.attribution.subject import Subject
from resnet_core.nets import Net
from resnet_core.nets.loading import LoadedNet, load

#: Captum says each time that it hooks ReLUs, which we know, and that it removes the hooks, which a test holds it to. ``catch_warnings``
#: changes the filters of all threads and would be no better.
warnings.filterwarnings("ignore", message="Setting backward hooks on ReLU activations")

#: Steps of a path, and hidden windows, that go through a net together at most.
_AT_ONCE = 50


@dataclass(frozen=True, eq=False)
class Attribution:
    """One map.

    Attributes:
        map: float32 (side, side); what its values are: ``METHODS[method].meaning``, and how colours were joined: ``.channels``.
        per_channel: float32 (3, side, side), before red, green and blue were joined, with its signs; None where a method has one value
            a pixel.
        delta: of Integrated Gradients the convergence delta: the sum of all attributions, less the difference of the logits that they
            share out; None of the other methods.
        target: the class that is explained.
        method: its key.
        parameters: all of them, with the defaults that were not given.
        seconds: that it took.
        sign: ``signed`` (0 in the middle of its scale) or ``positive`` (0 at its beginning).
    """

    map: np.ndarray
    per_channel: np.ndarray | None
    delta: float | None
    target: int
    method: str
    parameters: Mapping[str, Any]
    seconds: float
    sign: str

    @property
    def is_zero(self) -> bool:
        """Nothing at all is attributed: of Grad-CAM, nothing speaks for the target at that layer."""
        return not self.map.any()

    @property
    def difference(self) -> float | None:
        """Of Integrated Gradients: the target's logit for the image, less that for the baseline; None of the other methods."""
        return None if self.delta is None or self.per_channel is None else float(self.per_channel.sum(dtype=np.float64)) - self.delta

    @property
    def text(self) -> str:
        """The parameters in one line, e.g. ``steps 50, baseline mean``."""
        return ", ".join(f"{name} {value}" for name, value in self.parameters.items())


@dataclass(frozen=True, eq=False)
class Raw:
    """What a method gives for one image.

    Attributes:
        map: (side, side).
        per_channel: (3, side, side) or None.
        delta: of Integrated Gradients, else None.
        before: (side, side), the map before it lost its signs: the gradient itself (colours summed), Grad-CAM before ReLU; None where
            the map has them.
    """

    map: torch.Tensor
    per_channel: torch.Tensor | None = None
    delta: float | None = None
    before: torch.Tensor | None = None

    @property
    def signed(self) -> torch.Tensor:
        return self.map if self.before is None else self.before

    @property
    def for_input(self) -> torch.Tensor:
        """(1, 3, side, side) with the sum of the map: a value that stands for a whole pixel is shared out to its three colours."""
        return (self.map.expand(3, -1, -1) / 3 if self.per_channel is None else self.per_channel)[None]


def passes(method_key: str, values: Mapping[str, Any], side: int) -> int:
    """Images that go through the net for one map of an image of ``side`` pixels, of which all parameters are given."""
    if method_key == "integrated-gradients":
        return values["steps"] + 2  # the image and the baseline, for the convergence delta
    if method_key == "occlusion":
        return 1 + (math.ceil((side - values["window"]) / values["stride"]) + 1) ** 2
    return 2 if method_key == "guided-grad-cam" else 1


def attribute(
    loaded: LoadedNet,
    image: torch.Tensor,
    method_key: str,
    target: int,
    *,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
    **parameters: Any,
) -> Attribution:
    """One map of one image. The caller's net is only read, and is free of hooks also while this runs.

    Args:
        image: uint8 (3, H, W), anywhere; enlarged to the net's size where it has another one (see ``nets.loading.resized``).
        method_key: one of ``METHODS``.
        target: the class to explain, 0 to the net's classes - 1; it is never replaced by what the net says.
        progress: called with the passes begun and the passes in all, in images.
        should_stop: asked before each batch.
        parameters: of the method (``METHODS[method_key].parameters``); those left out or None have their defaults.

    Raises:
        ConfigError: there is no such method, class or parameter, or a value is out of its range; ``field`` names which.
        Stopped: ``should_stop`` returned True.
    """
    begin = time.perf_counter()
    chosen = method(method_key)
    target = check_target(target, loaded)
    values = chosen.complete(parameters, loaded)
    subject = Subject(loaded)
    begun, total = 0, passes(method_key, values, loaded.side)

    def watch(images: int) -> None:
        nonlocal begun
        check_stop(should_stop)
        if progress is not None:
            progress(min(begun, total), total)
        begun += images

    subject.watch = watch
    raw = compute(subject, subject.pixels(image), method_key, target, values)
    return Attribution(
        map=_array(raw.map),
        per_channel=None if raw.per_channel is None else _array(raw.per_channel),
        delta=raw.delta,
        target=target,
        method=method_key,
        parameters=values,
        seconds=time.perf_counter() - begin,
        sign="signed" if chosen.signed else "positive",
    )


def attribute_net(net: Net, pixels: np.ndarray, method_key: str, target: int, **options: Any) -> Attribution:
    """``attribute`` with a copy of the net that is loaded now, in fp32; ``pixels``: uint8 (H, W, 3)."""
    return attribute(load(net), torch.from_numpy(pixels).permute(2, 0, 1).contiguous(), method_key, target, **options)


def _array(values: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(values.detach().cpu().numpy(), dtype=np.float32)


def compute(subject: Subject, x: torch.Tensor, method_key: str, target: int, values: Mapping[str, Any]) -> Raw:
    """The map of pixels (1, 3, side, side) in [0, 1]; ``values``: all parameters of the method, already checked."""
    # A copy: Captum makes what it is given require gradients.
    return _COMPUTE[method_key](subject, x.detach().clone(), target, values)


def _integrated_gradients(subject: Subject, x: torch.Tensor, target: int, values: Mapping[str, Any]) -> Raw:
    steps = values["steps"]
    attributions, delta = IntegratedGradients(subject).attribute(
        x,
        baselines=subject.baseline(values["baseline"], x),
        target=target,
        n_steps=steps,
        method="gausslegendre",
        internal_batch_size=images_at_once(subject.net, min(steps, _AT_ONCE), gradients=True),
        return_convergence_delta=True,
    )
    return Raw(attributions[0].sum(0), attributions[0], float(delta))


def _grad_cam(subject: Subject, x: torch.Tensor, target: int, values: Mapping[str, Any]) -> Raw:
    layer = subject.net.get_submodule(values["layer"])
    coarse = LayerGradCam(subject, layer).attribute(x, target=target).detach()

    def enlarged(values: torch.Tensor) -> torch.Tensor:
        return LayerAttribution.interpolate(values, tuple(x.shape[2:]), "bilinear")[0, 0]

    # ReLU before enlarging, as Captum's relu_attributions and the paper have it.
    return Raw(enlarged(coarse.relu()), before=enlarged(coarse))


def _occlusion(subject: Subject, x: torch.Tensor, target: int, values: Mapping[str, Any]) -> Raw:
    window, stride = values["window"], values["stride"]
    drops = Occlusion(subject).attribute(
        x,
        sliding_window_shapes=(3, window, window),
        strides=(3, stride, stride),
        baselines=subject.baseline(values["baseline"], x),
        target=target,
        perturbations_per_eval=images_at_once(subject.net, _AT_ONCE),
    )
    return Raw(drops[0, 0])  # a window hides all three colours: they have one value


def _saliency(subject: Subject, x: torch.Tensor, target: int, values: Mapping[str, Any]) -> Raw:
    gradient = Saliency(subject).attribute(x.requires_grad_(), target=target, abs=False)[0].detach()
    size = gradient.abs()
    return Raw(size.amax(0) if values["channels"] == "maximum" else size.sum(0), gradient, before=gradient.sum(0))


def _guided_grad_cam(subject: Subject, x: torch.Tensor, target: int, values: Mapping[str, Any]) -> Raw:
    layer = subject.net.get_submodule(values["layer"])
    product = GuidedGradCam(subject, layer).attribute(x.requires_grad_(), target=target, interpolate_mode="bilinear")[0].detach()
    return Raw(product.sum(0), product)


_COMPUTE: dict[str, Callable[[Subject, torch.Tensor, int, Mapping[str, Any]], Raw]] = {
    "integrated-gradients": _integrated_gradients,
    "grad-cam": _grad_cam,
    "occlusion": _occlusion,
    "saliency": _saliency,
    "guided-grad-cam": _guided_grad_cam,
}
