"""The inputs and the scores of a net under a protocol (``protocols``), and the mean of several nets.

    asked = Asked(load(find("resnet-20")), PROTOCOLS["ten-crops"])
    scores = asked(images)  # uint8 (N, 3, S, S) -> float32 (N, classes), whose softmax is the protocol's answer

All means of a softmax are made of logarithms, so that a class no view believes in has a finite loss.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import nn
from torch.nn import functional

from resnet_core.activations import ShouldStop, check_stop, images_at_once
from resnet_core.analysis.protocols import Protocol, kernel_of, why_not
from resnet_core.architectures.further_parts import AveragedTo
from resnet_core.architectures.net import Net as BuiltNet
from resnet_core.architectures.parts import Flatten
from resnet_core.data import normalize
from resnet_core.errors import ConfigError
from resnet_core.nets.loading import LoadedNet, resized


def prepared(loaded: LoadedNet, images: torch.Tensor, side: int) -> torch.Tensor:
    """uint8 (N, 3, H, W), anywhere -> float32 (N, 3, side, side) on the device: the picture resized, and normalised.

    A mean image is resized with the picture, as if it had been subtracted first. At the net's own side that is ``loaded.normalize``.
    """
    mean = loaded.mean
    if mean.shape[-1] not in (1, side):
        mean = functional.interpolate(mean[None], (side, side), mode="bilinear", antialias=True)[0]
    return normalize(resized(images.to(loaded.device), side), mean, loaded.std)


def inputs(loaded: LoadedNet, images: torch.Tensor, protocol: Protocol) -> Iterator[torch.Tensor]:
    """Yield the views of pictures, one after the other, each float32 (N, 3, side, side) as the net takes it.

    Args:
        images: uint8 (N, 3, S, S), anywhere. Where they are stored larger than the net's input, views are made of what is stored.
    """
    own, held, picture = loaded.side, None, torch.empty(0)
    for view in protocol.views(own):
        if (of := (view.side, view.padding)) != held:
            held, picture = of, prepared(loaded, images, view.side)
            picture = functional.pad(picture, (view.padding,) * 4) if view.padding else picture
        x = picture.flip(3) if view.mirrored else picture
        if view.window:
            top, left = view.window
            x = x[:, :, top : top + own, left : left + own]
        yield x.contiguous(memory_format=torch.channels_last)


class FullyConvolutional(nn.Module):
    """A net on pictures of any size: (B, 3, H, W) -> the mean over space of its map of scores, (B, classes).

    Fully connected layers are convolutions here: the first has a kernel of the size of the maps that it reads, the others 1x1 (Simonyan and
    Zisserman 2015, section 3.2). They use the net's own weights, which stay as they are. Evaluation mode only: dropout is left out.
    """

    def __init__(self, net: BuiltNet):
        super().__init__()
        self.net, plan = net, net.plan
        kernel = kernel_of(plan, net.side)
        head = plan.head
        at = next((i for i, part in enumerate(head) if isinstance(part, (AveragedTo, Flatten))), len(head))
        apart = {one.name for one in plan.auxiliary} | {part.name for part in head[at:]}
        self.body = [name for name, _ in net.named_children() if name not in apart]
        self.tail: list[nn.Module] = []
        if kernel is None:
            return
        for module in (net.get_submodule(part.name) for part in head[at:] if not isinstance(part, (AveragedTo, Flatten))):
            if isinstance(module, nn.Linear):
                self.tail.append(_convolution(module, kernel))
                kernel = (1, 1)
            elif not isinstance(module, nn.Dropout):
                self.tail.append(module)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Without fully connected layers on maps this is the net itself: behind global average pooling its one layer gives the mean."""
        if not self.tail:
            logits: torch.Tensor = self.net(x)
            return logits
        return self.score_map(x).mean((2, 3))

    def score_map(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) -> (B, classes, rows, columns): at 224 pixels, those of a net made for them, one place."""
        for name in self.body:
            x = self.net.get_submodule(name)(x)
        for module in self.tail:
            x = module(x)
        return x


def _convolution(layer: nn.Linear, kernel: tuple[int, ...]) -> nn.Conv2d:
    """Return a fully connected layer on maps of ``kernel`` pixels as a convolution that shares its weights."""
    height, width = kernel
    with torch.device("meta"):
        made = nn.Conv2d(layer.in_features // (height * width), layer.out_features, (height, width))
    made.weight = nn.Parameter(layer.weight.detach().view(made.weight.shape), requires_grad=False)
    made.bias = nn.Parameter(layer.bias.detach(), requires_grad=False)
    return made


class Asked:
    """A net under a protocol: uint8 (N, 3, S, S) -> float32 (N, classes) on its device, whose softmax is the answer.

    Attributes:
        at_once: pictures in a batch.

    Raises:
        ConfigError: the net cannot be tested like that.
    """

    def __init__(self, loaded: LoadedNet, protocol: Protocol):
        if why := why_not(loaded.model, protocol):
            raise ConfigError("protocol", "{why}", why=why)
        self.loaded, self.protocol = loaded, protocol
        self.model = FullyConvolutional(loaded.model) if protocol.dense else loaded.model
        views = protocol.views(loaded.side)
        self.passes = len(views)
        largest = max(loaded.side if view.window else view.side for view in views)
        self.at_once = images_at_once(loaded.model, side=largest)

    @torch.no_grad()
    def __call__(self, images: torch.Tensor, should_stop: ShouldStop | None = None) -> torch.Tensor:
        """One view: the logits as they are. Of several the mean of the scores, or the logarithm of the mean of the softmax.

        Raises:
            Stopped: ``should_stop``, which is asked before each pass, returned True.
        """
        found = []
        for x in inputs(self.loaded, images, self.protocol):
            check_stop(should_stop)
            with self.loaded.plan.autocast():
                logits = self.model(x)
            found.append(logits.float())
        if len(found) == 1:
            return found[0]
        return torch.stack(found).mean(0) if self.protocol.of_scores else mean_softmax(found)


def mean_softmax(scores: Sequence[torch.Tensor]) -> torch.Tensor:
    """Give the logarithm of the mean of the softmax of several scores, each (N, classes)."""
    return torch.logsumexp(torch.stack([one.log_softmax(1) for one in scores]), 0) - math.log(len(scores))
