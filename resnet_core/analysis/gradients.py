"""How strong the gradient is at each layer: of a net as it is now, and of nets at their initialisation, with and without BN.

He et al. 2016, section 4.1: "neither forward nor backward signals vanish" in a plain net with BN, and so vanishing gradients are an
unlikely cause of degradation. What they verified are "the backward propagated gradients"; both views of them are measured here.

    found = layer_gradients(loaded.model, train.images, train.labels, loaded.normalize, loaded.plan, batches=4)
    found.gradient_norm        # (layers,)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from resnet_core.activations import WHOLE_BUDGET, Progress, ShouldStop, activation_bytes, images_at_once, in_batches
from resnet_core.analysis.passes import check_labels, untouched
from resnet_core.architectures import ModelConfig, ResNetConfig
from resnet_core.architectures.net import Net, build_model
from resnet_core.errors import Stopped, UserError
from resnet_core.language import tr
from resnet_core.training.evaluate import Normalize

if TYPE_CHECKING:
    from resnet_core.training.plan import Plan

#: Images in a batch: the paper's, so that the batch statistics are those of a training.
GRADIENT_BATCH = 128


class BatchTooLarge(UserError):
    """A batch that cannot be cut, since BN takes its statistics from all of it, would take too much memory.

    Attributes:
        fits: as many images of this net as may be a batch; None where that is less than two.
    """

    def __init__(self, model: Net, size: int):
        most = images_at_once(model, size, gradients=True, budget=WHOLE_BUDGET)
        self.fits = most if most > 1 else None
        needed = size * activation_bytes(model, gradients=True) / 1e9
        super().__init__(
            tr(
                "A batch of {size:,} images through {name} takes about {needed:.1f} GB of memory; {whole_budget:.1f} "
                "GB are allowed. It cannot be cut: BN takes its statistics from the whole batch. ",
                size=size,
                name=model.config.name,
                needed=needed,
                whole_budget=WHOLE_BUDGET / 1000000000.0,
            )
            + (tr("Ask for at most {fits:,} images a batch.", fits=self.fits) if self.fits else tr("Not even two images of this net fit."))
        )


@dataclass(frozen=True, eq=False)
class Gradients:
    """Gradients of the loss at the layers of the main path, batch by batch; arrays are float64, inf and NaN where fp32 overflows.

    Attributes:
        names: the L convolutions of the main path, in order.
        gradient_norms: (batches, L), L2 norm of the gradient of the mean loss with respect to each one's weight.
        response_gradients: (batches, L), root mean square of the gradient of the summed loss with respect to the layer's responses (after
            BN, before ReLU or the addition): the backward signal, whatever the number of images.
        losses: (batches,), mean cross-entropy in nats.
        batch_size: images in a batch.
    """

    names: tuple[str, ...]
    gradient_norms: np.ndarray
    response_gradients: np.ndarray
    losses: np.ndarray
    batch_size: int

    @property
    def gradient_norm(self) -> np.ndarray:
        """(L,), mean over the batches."""
        return self.gradient_norms.mean(0)

    @property
    def response_gradient(self) -> np.ndarray:
        """(L,), mean over the batches of ``response_gradients``."""
        return self.response_gradients.mean(0)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: ``batches``, ``batch_size``, ``loss``, ``layers`` (name, and both means); None for what is not finite."""
        with np.errstate(invalid="ignore"):
            rows = zip(self.names, self.gradient_norm, self.response_gradient, strict=True)
            loss = float(self.losses.mean())
        return {
            "batches": len(self.losses),
            "batch_size": self.batch_size,
            "loss": _finite(loss),
            "layers": [{"name": name, "gradient_norm": _finite(norm), "response_gradient": _finite(rms)} for name, norm, rms in rows],
        }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def layer_gradients(
    model: Net,
    images: torch.Tensor,
    labels: torch.Tensor,
    normalize: Normalize,
    plan: Plan,
    *,
    batches: int = 4,
    batch_size: int = GRADIENT_BATCH,
    bounded: bool = True,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> Gradients:
    """The gradients of ``model`` on the first ``batches`` full batches of ``images``, with batch statistics as in training.

    The net comes back as it was: no gradients on its parameters, no hooks, the same running statistics; also after an exception.
    Images are not augmented. If there are fewer than one full batch, all of them are one batch.

    Args:
        model: on the plan's device, and the caller's own.
        images: uint8 (N, 3, 32, 32), anywhere, of the training set, N at least 2; labels: int64 (N,).
        normalize: uint8 (B, 3, 32, 32) -> float32 (B, 3, 32, 32) on the model's device, as the net was trained.
        bounded: False takes a batch of any size, whatever its memory.
        progress: called with the images done and the images in all.
        should_stop: asked before each batch.

    Raises:
        Stopped: ``should_stop`` returned True.
        BatchTooLarge: one batch takes more than ``WHOLE_BUDGET`` bytes, told before it is computed.
        DataError: there are labels that the net has no output for.
        ValueError: there are fewer than two images, of which there are no batch statistics.
    """
    size = min(batch_size, len(images))
    if size < 2:
        raise ValueError("batch statistics need at least two images")
    if bounded and images_at_once(model, size, gradients=True, budget=WHOLE_BUDGET) < size:
        raise BatchTooLarge(model, size)
    total = size * min(batches, len(images) // size)
    measured = []
    for start, stop in in_batches(total, size, progress, should_stop):
        measured.append(_backward(model, normalize(images[start:stop]), labels[start:stop], plan))
    norms, rms, losses = (np.array(values, dtype=np.float64) for values in zip(*measured, strict=True))
    return Gradients(tuple(name for name, _, _ in model.taps()), norms, rms, losses, size)


def _backward(model: Net, images: torch.Tensor, labels: torch.Tensor, plan: Plan | None) -> tuple[list[float], list[float], float]:
    """One pass in training mode. Weight norms, response gradients' root mean squares, and the loss; the net is as before."""
    layers = model.taps()
    scales: dict[str, torch.Tensor] = {}

    def catch(name: str) -> Callable[..., None]:
        def on_gradient(gradient: torch.Tensor) -> None:
            scales[name] = gradient.float().norm() / math.sqrt(gradient.numel())

        def on_output(module: nn.Module, args: tuple, output: torch.Tensor) -> None:
            output.register_hook(on_gradient)

        return on_output

    weights = [model.get_parameter(f"{name}.weight") for name, _, _ in layers]
    with untouched(model) as hooks, torch.enable_grad():
        for name, _, response in layers:
            hooks.enter_context(response.register_forward_hook(catch(name)))
        for weight in weights:
            weight.requires_grad_(True)
        model.train_without_chance()
        if plan is None:
            logits = model(images)
        else:
            with plan.autocast():
                logits = model(images)
        check_labels(labels, logits.shape[1])
        loss = nn.functional.cross_entropy(logits.float(), labels.to(logits.device))
        # The mean loss has 1 / B of each image's gradient.
        gradients = torch.autograd.grad(loss, weights)
        norms = torch.stack([gradient.float().norm() for gradient in gradients]).tolist()
        rms = (torch.stack([scales[name] for name, _, _ in layers]) * len(images)).tolist()
        return norms, rms, float(loss.detach())


@dataclass(frozen=True, eq=False)
class AtInitialization:
    """One net before its first update.

    Attributes:
        model: the net.
        batch_norm: False where every BN has been taken out.
        seed: of the weights.
        gradients: of one batch.
    """

    model: ModelConfig
    batch_norm: bool
    seed: int
    gradients: Gradients


def gradients_at_initialization(
    depths: Sequence[int],
    shortcut: str,
    batch_norm: bool,
    seed: int,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    width: int = 16,
    should_stop: ShouldStop | None = None,
) -> list[AtInitialization]:
    """The gradients of freshly initialised nets of several depths, with BN or with every BN taken out, in fp32 without autocast.

    He initialisation is made for nets without BN: it keeps the forward signal of a plain net, while the sums of a residual net double
    its variance with every block. What overflows fp32 is inf or NaN in the result.

    Args:
        depths: of the nets; shortcut: ``none``, ``A``, ``B`` or ``C``; seed: of their weights.
        images: float32 (B, 3, 32, 32), normalised, on the device where the nets are to be computed; labels: int64 (B,).
            The memory that they take is ``activation_bytes``: 110 layers and 32 images take 0.3 GB.
        should_stop: asked before each net.

    Raises:
        Stopped: ``should_stop`` returned True.
        ConfigError: there is no net of such a depth, or no such shortcut.
        ValueError: there are fewer than two images.
    """
    if len(images) < 2:
        raise ValueError("batch statistics need at least two images")
    found = []
    for config in [ResNetConfig(depth, shortcut, width) for depth in depths]:  # all are checked before the first is computed
        if should_stop is not None and should_stop():
            raise Stopped
        built = config if batch_norm else dataclasses.replace(config, norm="none")  # its biases start at 0
        model = build_model(built, seed).to(images.device).to(memory_format=torch.channels_last)
        norms, rms, loss = _backward(model, images, labels, None)
        names = tuple(name for name, _, _ in model.taps())
        gradients = Gradients(names, np.array([norms]), np.array([rms]), np.array([loss]), len(images))
        found.append(AtInitialization(config, batch_norm, seed, gradients))
    return found
