"""One deletion, in a moment: what comes before the blocks is kept, and only what is behind the deleted one is computed.

For example::

    kept = keep(load(find("resnet-56")), data.load(DataConfig()), 1000)
    deleted(kept, "layer2.3"), kept.whole  # test images that are wrong without that block, and of the whole net
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resnet_core.errors import ConfigError
from resnet_core.experiments.base import Progress, ShouldStop, first

if TYPE_CHECKING:
    import torch

    from resnet_core.data import Cifar10, Split
    from resnet_core.nets.loading import LoadedNet

#: Bytes of maps that are kept of one net: of ResNet-56 and 1,000 images the inputs of every fifth block.
BUDGET = 256 << 20


@dataclass(frozen=True, eq=False)
class Kept:
    """A net with the inputs of some of its blocks.

    Attributes:
        test: the images; whole: how many of them the net gets wrong.
        inputs: index of a block -> its inputs, a tensor for each batch; batches: (start, stop) of these.
    """

    loaded: LoadedNet
    test: Split
    whole: int
    inputs: Mapping[int, list[torch.Tensor]]
    batches: tuple[tuple[int, int], ...]


def spacing(held: list[int], count: int, budget: int) -> int:
    """Every how many blocks the inputs of ``count`` images may be kept; 0 where not even the first block's may.

    Args:
        held: bytes of one image at each block.
    """
    return next((step for step in range(1, len(held) + 1) if sum(held[::step]) * count <= budget), 0)


def keep(
    loaded: LoadedNet,
    images: Cifar10,
    count: int,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
    budget: int = BUDGET,
) -> Kept:
    """Send the first ``count`` test images through the net, and keep the inputs of as many blocks as ``budget`` bytes allow.

    Raises:
        DataError: the images are of classes that the net does not have.
        Stopped: ``should_stop`` returned True.
    """
    import torch

    from resnet_core.activations import images_at_once, in_batches
    from resnet_core.analysis.passes import check_labels
    from resnet_core.experiments import running

    net, test = loaded.model, first(images.test, count)
    check_labels(test.labels, net.config.num_classes)
    step = spacing(running.held_bytes(net)[:-1], len(test), budget)
    inputs: dict[int, list[torch.Tensor]] = {i: [] for i in range(0, len(net.plan.units), step)} if step else {}
    whole, batches = 0, []
    with torch.no_grad():
        for start, stop in in_batches(len(test), images_at_once(net), progress, should_stop):
            batches.append((start, stop))
            with loaded.plan.autocast():
                for i, x in enumerate(running.inputs(net, loaded.normalize(test.images[start:stop]))):
                    if i in inputs:
                        inputs[i].append(x)
                whole += int((running.head(net, x).argmax(1).cpu() != test.labels[start:stop]).sum())
    return Kept(loaded, test, whole, inputs, tuple(batches))


def deleted(kept: Kept, block: str, progress: Progress | None = None, should_stop: ShouldStop | None = None) -> int:
    """Count the images that the net without that block gets wrong.

    Raises:
        ConfigError: it has no such block.
        Stopped: ``should_stop`` returned True.
    """
    import torch

    from resnet_core.activations import check_stop
    from resnet_core.experiments import running

    net, names = kept.loaded.model, [unit.name for unit in kept.loaded.model.plan.units]
    if block not in names:
        raise ConfigError(
            "block",
            "{name} has no {block}; its blocks are {names} to {names2}.",
            name=kept.loaded.net.name,
            block=block,
            names=names[0],
            names2=names[-1],
        )
    index, blocks, wrong = names.index(block), net.blocks(), 0
    begin = max((i for i in kept.inputs if i <= index), default=None)
    with torch.no_grad():
        for number, (start, stop) in enumerate(kept.batches):
            check_stop(should_stop)
            with kept.loaded.plan.autocast():
                batch = kept.test.images[start:stop]
                x = running.stem(net, kept.loaded.normalize(batch)) if begin is None else kept.inputs[begin][number]
                x = running.without(blocks[index], running.through(blocks[begin or 0 : index], x))
                said = running.head(net, running.through(blocks[index + 1 :], x)).argmax(1).cpu()
            wrong += int((said != kept.test.labels[start:stop]).sum())
            if progress is not None:
                progress(stop, len(kept.test))
    return wrong
