"""How large a net's maps are, and so in what batches images go through it: told from its configuration, without torch.

    size = images_at_once(model)  # without gradients
    size = images_at_once(model, 50, gradients=True)

Every loop over images takes its batches from here, so that no net, however wide or deep, takes more than ``BUDGET`` beside its weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

from resnet_core.errors import Stopped

Progress = Callable[[int, int], None]
ShouldStop = Callable[[], bool]

#: Images that go through a net together, if its maps are small.
MOST = 500
#: Bytes of maps that lie in memory at once where a batch can be cut.
BUDGET = 256 << 20
#: And where it cannot: its statistics are part of the result. ResNet-110 takes 1.1 GB with the 128 images of a training's batch.
WHOLE_BUDGET = 2 << 30
#: While a block adds: its input, the branch, the shortcut, and their sum.
_LIVE = 4


def config_of(model: Any) -> Any:
    """Return the configuration of a net, which may be one, or be built, loaded, or of the catalog."""
    held = getattr(model, "model", model)
    return getattr(held, "config", held)


def side_of(model: Any) -> int:
    """Return the height and width of the images that a net takes: its own ``side``, where it has one, else what it is made for."""
    return getattr(model, "side", None) or config_of(model).plan().input[1]


def layer_shapes(model: Any) -> dict[str, tuple[int, int]]:
    """Layer -> channels and side of its maps on an image of the net's size, in the order of the forward pass.

    ``relu`` is what the first convolution passes on (with its BN and ReLU), ``layer2.0`` the output of a block, after the addition and
    the ReLU.

    Args:
        model: as of ``config_of``.
    """
    image = (3, side_of(model), side_of(model))
    return {name: (channels, side) for name, (channels, side, _) in config_of(model).plan().maps(image).items()}


def activation_bytes(model: Any, gradients: bool = False, side: int | None = None) -> int:
    """Bytes of fp32 maps in memory at once for each image that goes through the net.

    Args:
        model: as of ``config_of``.
        gradients: with all that a backward pass needs; else no more than a block's maps are there at a time.
        side: of the images, if they do not have the net's size.
    """
    plan, side = config_of(model).plan(), side or side_of(model)
    image = (3, side, side)
    outputs = plan.maps(image)
    largest = max(map(prod, outputs.values()))
    if not gradients:
        return 4 * _LIVE * largest
    kept = prod(image) + sum(prod(one.output) * (1 + one.part.kept_beside) for one in plan.walk(image) if one.part.is_kept)
    kept += sum(unit.join.maps_kept * prod(outputs[unit.name]) for unit in plan.units)
    return 4 * (kept + largest)  # what is kept is freed block by block, while gradients come: a map of those beside all that is kept


def images_at_once(model: Any, most: int | None = None, gradients: bool = False, budget: int | None = None, side: int | None = None) -> int:
    """Images that may go through the net together: 1 to ``most`` (``MOST``), with no more than ``budget`` (``BUDGET``) bytes of maps.

    Nets of up to 32 filters take 500 without gradients; one of bottlenecks with 256 filters, whose maps have 1,024 channels, takes 16.

    Args:
        model: as of ``config_of``; of a module without a configuration nothing is known, and it is ``most``.
        gradients, side: as of ``activation_bytes``.
    """
    if not hasattr(config_of(model), "plan"):
        return most or MOST
    return max(1, min(most or MOST, (budget or BUDGET) // activation_bytes(model, gradients, side)))


def check_stop(should_stop: ShouldStop | None) -> None:
    """Raises Stopped if ``should_stop`` says so."""
    if should_stop is not None and should_stop():
        raise Stopped


def in_batches(
    total: int, batch_size: int, progress: Progress | None = None, should_stop: ShouldStop | None = None
) -> Iterator[tuple[int, int]]:
    """(start, stop) of each batch. ``progress(done, total)`` is called after each, ``should_stop()`` before each.

    Raises:
        Stopped: ``should_stop`` returned True.
    """
    for start in range(0, total, batch_size):
        check_stop(should_stop)
        stop = min(start + batch_size, total)
        yield start, stop
        if progress is not None:
            progress(stop, total)


def part_of(progress: Progress | None, before: int, total: int, each: int = 1) -> Progress | None:
    """Return what tells the progress of a part of a work: ``each`` units of all ``total`` for one of its own, ``before`` of them done."""
    return None if progress is None else lambda done, _: progress(before + done * each, total)
