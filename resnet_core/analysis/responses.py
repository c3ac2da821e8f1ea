"""How strongly each layer of a trained net responds: Figure 7 of He et al. 2016, and the residual branch beside its input.

    found = layer_responses(loaded.model, test.images[:1000], loaded.normalize, loaded.plan)
    found.std        # (layers,): one point of Fig. 7 each

The hook point is the paper's: the output of a layer's BN, before the nonlinearity or the addition. BN has its running statistics, unless
asked otherwise, so that a response does not depend on which images share its batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from resnet_core.activations import Progress, ShouldStop, images_at_once, in_batches
from resnet_core.analysis.passes import untouched
from resnet_core.training.evaluate import Normalize

if TYPE_CHECKING:
    from resnet_core.architectures.net import Net
    from resnet_core.training.plan import Plan

#: Images in a pass. Smaller than for evaluation: a layer's maps are still in the processor's cache when they are reduced.
RESPONSE_BATCH = 50


@dataclass(frozen=True, eq=False)
class Responses:
    """What the layers and the blocks of a net make of a set of images; arrays are float64.

    Attributes:
        names: the convolutions of the main path in order, L = depth - 1 of them for a CIFAR net.
        std: (L,), standard deviation over all responses of a layer: images, channels and positions (Fig. 7).
        n: images.
        blocks: names of the B blocks in order, e.g. ``layer1.0``.
        has_addition: False for a plain net: there is no addition, and F(x) is all that the block passes on (before ReLU).
        branch_rms, branch_std: (B,), root mean square and standard deviation of F(x), the residual branch, before the addition.
        input_rms, input_std: (B,), the same of the block's input x.
        shortcut_rms, shortcut_std: (B,), the same of the shortcut's output: x itself, or where dimensions change x padded (A) or
            projected (B, C). In a plain net these are the numbers of the input.
        dimensions_change: (B,), bool: the block's output has another shape than its input.
    """

    names: tuple[str, ...]
    std: np.ndarray
    n: int
    blocks: tuple[str, ...]
    has_addition: bool
    branch_rms: np.ndarray
    branch_std: np.ndarray
    input_rms: np.ndarray
    input_std: np.ndarray
    shortcut_rms: np.ndarray
    shortcut_std: np.ndarray
    dimensions_change: np.ndarray

    @property
    def ratio(self) -> np.ndarray:
        """(B,), |F(x)| / |x|: the root mean square of the branch over that of what it is added to, the shortcut's output.

        That is x, except where dimensions change. In a plain net nothing is added: it is the block's gain over its input. NaN for 0 / 0.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.branch_rms / self.shortcut_rms

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: ``n``, ``layers`` (name, std), ``blocks`` (name, the six sizes, ratio); None for what is not finite."""
        sizes = ("branch_rms", "branch_std", "input_rms", "input_std", "shortcut_rms", "shortcut_std", "ratio")
        columns = {size: [_finite(value) for value in getattr(self, size)] for size in sizes}
        return {
            "n": self.n,
            "layers": [{"name": name, "std": _finite(std)} for name, std in zip(self.names, self.std, strict=True)],
            "has_addition": self.has_addition,
            "blocks": [
                {
                    "name": name,
                    "dimensions_change": bool(self.dimensions_change[i]),
                    **{size: values[i] for size, values in columns.items()},
                }
                for i, name in enumerate(self.blocks)
            ],
        }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


class Moments:
    """Count, sum and sum of squares of all values of a stream of tensors, in fp64 whatever their precision.

    Each image is summed by itself in fp32, so how the images are batched does not matter. What is summed are distances from the
    mean of the first image's values, so that a variance much smaller than the mean is not lost to cancellation.
    """

    def __init__(self) -> None:
        self.count = 0
        self._shift: float | None = None
        self._sum = self._squares = 0.0

    def add(self, values: torch.Tensor) -> None:
        """``values``: (images, ...), any floating type."""
        values = values.detach()
        if values.dim() == 4 and not values.is_contiguous():
            values = values.permute(0, 2, 3, 1)  # channels last: no copy
        rows = values.flatten(1).float()
        if self._shift is None:
            self._shift = float(rows[0].mean())
        rows = rows - self._shift
        # vector_norm and not (rows * rows).sum(): three times as fast on the CPU.
        sums = torch.stack([rows.sum(1), torch.linalg.vector_norm(rows, dim=1)]).to("cpu").to(torch.float64)
        self._sum += float(sums[0].sum())
        self._squares += float(sums[1].square().sum())
        self.count += rows.numel()

    @property
    def std(self) -> float:
        mean = self._sum / self.count
        # max() with the variance second would turn NaN into 0.
        variance = self._squares / self.count - mean * mean
        return math.sqrt(0.0 if variance < 0 else variance)

    @property
    def rms(self) -> float:
        mean = self._sum / self.count
        shift = self._shift or 0.0
        square = self._squares / self.count + shift * (2 * mean + shift)
        return math.sqrt(0.0 if square < 0 else square)


def layer_responses(
    model: Net,
    images: torch.Tensor,
    normalize: Normalize,
    plan: Plan,
    *,
    batch_size: int | None = None,
    batch_statistics: bool = False,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> Responses:
    """Measure the responses of all layers of ``model`` to ``images``; the net comes back as it was, without hooks, also after an exception.

    Memory does not grow with the number of images: each layer's output is reduced as soon as it is there.

    Args:
        model: on the plan's device, and the caller's own: while this runs it has hooks and is in evaluation mode.
        images: uint8 (N, 3, 32, 32), anywhere, N at least 1.
        normalize: uint8 (B, 3, 32, 32) -> float32 (B, 3, 32, 32) on the model's device, as the net was trained.
        batch_statistics: BN with the statistics of each batch, as in training, instead of its running ones: of an untrained net only these
            mean anything.
        progress: called with the images done and the images in all.
        should_stop: asked before each batch.

    Raises:
        Stopped: ``should_stop`` returned True.
        ValueError: there are no images.
    """
    if not len(images):
        raise ValueError("responses need at least one image")
    layers, blocks = model.taps(), [(block.unit.name, block) for block in model.blocks()]
    responses = {name: Moments() for name, _, _ in layers}
    inputs = {name: Moments() for name, _ in blocks}
    # F(x) is what the branch's last part gives: most often the response of its last layer, which is summed already.
    last = {tap.unit.name: tap for tap in model.plan.taps if tap.unit}
    scaled = {n: Moments() for n, block in blocks if f"{n}.{block.unit.branch[-1].name}" != last[n].response}
    # An identity's output is the block's input, which is summed already.
    shortcuts = {name: Moments() for name, block in blocks if not isinstance(block.shortcut, (nn.Identity, type(None)))}
    with torch.no_grad(), untouched(model) as hooks:
        model.train_without_chance() if batch_statistics else model.eval()
        for name, _, response in layers:
            hooks.enter_context(response.register_forward_hook(_output_into(responses[name])))
        for name, block in blocks:
            hooks.enter_context(block.register_forward_pre_hook(_input_into(inputs[name])))
            if name in scaled:
                hooks.enter_context(block.get_submodule(block.unit.branch[-1].name).register_forward_hook(_output_into(scaled[name])))
            if name in shortcuts and block.shortcut is not None:
                hooks.enter_context(block.shortcut.register_forward_hook(_output_into(shortcuts[name])))
        # Where the statistics are the batch's own, its size is part of the result: 0.8 GB of the widest net there may be.
        size = batch_size or (RESPONSE_BATCH if batch_statistics else images_at_once(model, RESPONSE_BATCH))
        for start, stop in in_batches(len(images), size, progress, should_stop):
            batch = normalize(images[start:stop])
            with plan.autocast():
                model(batch)

    branches = {name: scaled.get(name) or responses[last[name].name] for name, _ in blocks}
    added = {name: shortcuts.get(name, inputs[name]) for name, _ in blocks}

    def sizes(moments: dict[str, Moments], size: str) -> np.ndarray:
        return np.array([getattr(one, size) for one in moments.values()], dtype=np.float64)

    return Responses(
        names=tuple(responses),
        std=sizes(responses, "std"),
        n=len(images),
        blocks=tuple(inputs),
        has_addition=any(block.shortcut is not None for _, block in blocks),
        branch_rms=sizes(branches, "rms"),
        branch_std=sizes(branches, "std"),
        input_rms=sizes(inputs, "rms"),
        input_std=sizes(inputs, "std"),
        shortcut_rms=sizes(added, "rms"),
        shortcut_std=sizes(added, "std"),
        dimensions_change=np.array([block.unit.dimensions_change for _, block in blocks], dtype=bool),
    )


def _output_into(moments: Moments) -> Callable[..., None]:
    def hook(module: nn.Module, args: tuple, output: torch.Tensor) -> None:
        moments.add(output)

    return hook


def _input_into(moments: Moments) -> Callable[..., None]:
    def hook(module: nn.Module, args: tuple) -> None:
        moments.add(args[0])

    return hook
