"""A net's weights moved along directions, and put back: what a slice of the loss surface is made of (Li et al. 2018, section 4)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch

from resnet_core.analysis.passes import untouched
from resnet_core.architectures.net import Net
from resnet_core.errors import ConfigError
from resnet_core.language import tr
from resnet_core.nets.loading import LoadedNet

Tensors = dict[str, torch.Tensor]
#: Added to the norm of a random filter, as in the authors' code.
_TINY = 1e-10


def filter_normalized(direction: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the direction with each filter as long as the weight's: d_i ||w_i|| / ||d_i||, of (filters, ...); both on one device.

    A filter is all that makes one output channel; of a fully connected layer all weights of one output.
    """
    shape = (-1, *[1] * (weight.dim() - 1))
    lengths = [each.flatten(1).norm(dim=1) for each in (weight, direction)]
    return direction * (lengths[0] / (lengths[1] + _TINY)).reshape(shape)


def random_directions(net: Net, seed: int, count: int) -> list[Tensors]:
    """Draw Gaussian directions, filter-normalised. What has fewer than two dimensions is not moved: biases, BN, scales."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(count):
        draws = {
            name: (torch.randn(weight.shape, generator=generator), weight.detach())
            for name, weight in net.named_parameters()
            if weight.dim() > 1
        }
        found.append({name: filter_normalized(draw.to(weight.device), weight) for name, (draw, weight) in draws.items()})
    return found


def direction_to(loaded: LoadedNet, other: LoadedNet) -> Tensors:
    """Return all weights, biases and running statistics of another net of the same architecture, less those of the first.

    Raises:
        ConfigError: its input is normalised in another way.
    """
    pairs = [(loaded.mean, other.mean), (loaded.std, other.std)]
    if loaded.side != other.side or not all(a is b or (a is not None and b is not None and torch.equal(a, b)) for a, b in pairs):
        names = tr("{name} takes its images normalised in another way than {name2}", name=other.net.name, name2=loaded.net.name)
        raise ConfigError("towards", "{names}: choose nets of the same data.", names=names)
    theirs = other.model.state_dict()
    return {name: theirs[name] - mine for name, mine in loaded.model.state_dict().items() if mine.is_floating_point()}


class Moved:
    """A net in evaluation mode whose weights are moved; made by ``moving``."""

    def __init__(self, net: Net, directions: Sequence[Tensors]):
        self.held = dict(net.state_dict())
        self.directions = directions
        self.start = {name: self.held[name].clone() for name in directions[0]}

    @torch.no_grad()
    def to(self, *steps: float) -> None:
        """Set the weights to start + sum of step times direction. Running variances do not fall below 0."""
        for name, start in self.start.items():
            value = start.clone()
            for step, direction in zip(steps, self.directions, strict=True):
                value += step * direction[name]
            self.held[name].copy_(value.clamp_min_(0) if name.endswith("running_var") else value)


@contextlib.contextmanager
def moving(net: Net, directions: Sequence[Tensors]) -> Iterator[Moved]:
    """Within it a net in evaluation mode can be moved along directions; it comes back bit for bit, also after an exception."""
    before = [(parameter, parameter.detach().clone()) for parameter in net.parameters()]
    with untouched(net):  # which brings back the running statistics
        try:
            net.eval()
            yield Moved(net, directions)
        finally:
            with torch.no_grad():
                for parameter, value in before:
                    parameter.copy_(value)


@torch.no_grad()
def mean_loss(loaded: LoadedNet, batches: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> float:
    """Return the mean cross-entropy in nats, of batches of normalised images and labels; nan where it is not finite."""
    total, n = 0.0, 0
    for x, labels in batches:
        with loaded.plan.autocast():
            logits = loaded.model(x).float()
        total += float(torch.nn.functional.cross_entropy(logits, labels, reduction="sum"))
        n += len(labels)
    return total / n if abs(total) < float("inf") else float("nan")


def coarse_first(half: int) -> Iterator[tuple[int, range]]:
    """Yield the strides at which -half to half is visited, and what is visited: powers of two, and 1 at last.

    >>> [(stride, list(places)) for stride, places in coarse_first(4)]
    [(2, [-4, -2, 0, 2, 4]), (1, [-4, -3, -2, -1, 0, 1, 2, 3, 4])]
    """
    stride = 1
    while half // (2 * stride) >= 2:
        stride *= 2
    while stride:
        end = half // stride * stride
        yield stride, range(-end, end + 1, stride)
        stride //= 2


def cosine(one: Tensors, other: Tensors) -> float:
    """Return the cosine of the angle between two directions."""
    flat = [torch.cat([each[name].flatten().double() for name in one]) for each in (one, other)]
    return float(torch.nn.functional.cosine_similarity(flat[0], flat[1], dim=0))
