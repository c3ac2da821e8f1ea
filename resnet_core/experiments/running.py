"""A net as stem, blocks and head, to be run from any of its blocks on: what lesions, paths and readouts have in common."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator

import torch

from resnet_core.activations import images_at_once
from resnet_core.architectures.net import Block, Net
from resnet_core.architectures.table import complexity
from resnet_core.errors import DataError
from resnet_core.nets.loading import LoadedNet

#: Images at once where the same ones go through a net again and again, and at most so many multiply-adds of them are timed: an image
#: through ResNet-20 took 1.3 ms on one thread among 500, whose maps fit into no cache, and 0.9 ms among 100.
AT_ONCE, _MOMENT_MACS = 128, 16e9
#: Bytes of maps of all images that may be held at once.
MOST_BYTES = 4 << 30


def held_bytes(net: Net) -> list[int]:
    """Bytes in fp32 of the input of each block, and of the output of the last, of one image."""
    maps = list(net.plan.maps((3, net.side, net.side)).values())
    return [4 * math.prod(shape) for shape in maps[-len(net.plan.units) - 1 :]]


def check_room(loaded: LoadedNet, each: int, count: int) -> None:
    """Raise DataError if what is held of ``count`` images, ``each`` bytes of one, is more than ``MOST_BYTES``."""
    if each * count > MOST_BYTES:
        raise DataError(
            "{name}: the maps of {count:,} images take {each:.1f} GB of memory, and {most_bytes:.1f} GB are "
            "allowed. Ask for at most {most_bytes2:,} images.",
            name=loaded.net.name,
            count=count,
            each=each * count / 1000000000.0,
            most_bytes=MOST_BYTES / 1000000000.0,
            most_bytes2=MOST_BYTES // each,
        )


def seconds_per_image(loaded: LoadedNet) -> float:
    """Time a pass of images through the net in evaluation mode, as many as take a moment: the mean of two after a first one."""
    macs = complexity(loaded.net.model, loaded.side).macs
    count = max(1, min(images_at_once(loaded.model, AT_ONCE), int(_MOMENT_MACS / macs)))
    x = loaded.normalize(torch.zeros((count, 3, 32, 32), dtype=torch.uint8))
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        with torch.no_grad(), loaded.plan.autocast():
            loaded.model(x).sum().item()  # which waits for a GPU
        seconds.append(time.perf_counter() - begun)
    return sum(seconds[1:]) / 2 / count


def stem(net: Net, x: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) -> the input of the first block."""
    for part in net.plan.stem:
        x = net.get_submodule(part.name)(x)
    return x


def head(net: Net, x: torch.Tensor) -> torch.Tensor:
    """The output of the last block -> (B, classes)."""
    for part in net.plan.head:
        x = net.get_submodule(part.name)(x)
    return x


def through(blocks: Iterable[Block], x: torch.Tensor) -> torch.Tensor:
    """The output of blocks that follow one another."""
    for block in blocks:
        x = block(x)
    return x


def inputs(net: Net, x: torch.Tensor) -> Iterator[torch.Tensor]:
    """(B, 3, H, W) -> the input of each block in order, then the output of the last."""
    x = stem(net, x)
    yield x
    for block in net.blocks():
        x = block(x)
        yield x


def without(block: Block, x: torch.Tensor) -> torch.Tensor:
    """The output of a block whose branch is deleted: what its skip passes on, then what follows the join (Veit et al. 2016, section 4.1).

    A gate is closed, which is the same; where the branch would add channels of its own, these are zero. A plain block has no skip: in
    its place stands what option A of He et al. 2016 would put there, x itself, or where dimensions change every second pixel of it with
    zeros for the new channels.
    """
    for part in block.unit.before:
        x = block.get_submodule(part.name)(x)
    if block.shortcut is None:
        y = _identity(x, tuple(block.joined))
    else:
        y = block.shortcut(x)
        if block.unit.join.name == "concat":
            channels = block.joined[0] - y.shape[1]
            y = torch.cat([y, y.new_zeros(len(y), channels, *y.shape[2:])], 1)
    for part in block.unit.after:
        y = block.get_submodule(part.name)(y)
    return y


def _identity(x: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    channels, height = shape[:2]
    stride = -(-x.shape[2] // height)
    x = x[:, :channels, ::stride, ::stride]
    return torch.nn.functional.pad(x, (0, 0, 0, 0, 0, channels - x.shape[1]))
