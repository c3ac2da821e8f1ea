"""Two nets, layer by layer: linear CKA between all blocks of two nets (Kornblith et al. 2019)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet_core.errors import DataError
from resnet_core.experiments.base import Experiment, Measured, Progress, ShouldStop, Table, first, images_parameter, whole_net_macs
from resnet_core.figures.lines import heatmap
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from resnet_core.data import Cifar10
    from resnet_core.nets.loading import LoadedNet

EXPERIMENT = Experiment(
    key="cka",
    title=mark("Two nets, block by block"),
    module="resnet_core.experiments.cka",
    question=mark("Which blocks of two nets see the images alike?"),
    source=mark("Kornblith, Norouzi, Lee and Hinton: Similarity of Neural Network Representations Revisited (ICML 2019), equation 3 and 5"),
    method=(
        mark(
            "Linear CKA between the outputs of all blocks of the first two nets chosen (of one net, with "
            "itself), every position and channel a feature: 1 where the images lie alike up to rotation and "
            "scale, near 0 where they do not."
        )
    ),
    limits=(
        mark(
            "It compares how images lie to each other, not what the blocks compute. With few images and many "
            "features it is biased upwards; and a block near a dominant direction of the data is like every "
            "other one."
        )
    ),
    parameters=(images_parameter(300, 1000),),
    macs=lambda model, values: whole_net_macs(model) * values["images"] * 1.5,
    labelled=False,
)


@dataclass(frozen=True, eq=False)
class Grams:
    """How the images lie to each other behind each block.

    Attributes:
        blocks: names of the B blocks; gram: float32 (B, n, n), centred Gram matrices of norm 1; n: images.
    """

    blocks: tuple[str, ...]
    gram: np.ndarray
    n: int

    def like(self, other: Grams) -> np.ndarray:
        """(B, B of the other), linear CKA; both of the same images."""
        return self.gram.reshape(len(self.gram), -1) @ other.gram.reshape(len(other.gram), -1).T

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: CKA of the net's blocks with each other."""
        return {"n": self.n, "blocks": list(self.blocks), "cka": self.like(self).tolist()}


def measure(
    loaded: LoadedNet, images: Cifar10, values: Mapping[str, Any], progress: Progress = None, should_stop: ShouldStop = None
) -> Grams:
    """Compute the Gram matrix behind each block. The images go through the net as often as the maps of its blocks need.

    Raises:
        DataError: those of a single block take more than ``WHOLE_BUDGET`` bytes.
        Stopped: ``should_stop`` returned True.
    """
    import torch

    from resnet_core.activations import images_at_once, in_batches, part_of
    from resnet_core.analysis.passes import untouched
    from resnet_core.experiments import running

    net, test = loaded.model, first(images.test, values["images"])
    groups, grams = _groups(loaded, len(test)), []
    with torch.no_grad(), untouched(net):
        net.eval()
        for number, group in enumerate(groups):
            held: dict[int, list[torch.Tensor]] = {i: [] for i in group}
            told = part_of(progress, number * len(test), len(groups) * len(test))
            for start, stop in in_batches(len(test), images_at_once(net), told, should_stop):
                with loaded.plan.autocast():
                    steps = running.inputs(net, loaded.normalize(test.images[start:stop]))
                    next(steps)
                    for i, x in enumerate(steps):
                        if i in held:
                            held[i].append(x.float().flatten(1))
            for kept in held.values():
                x = torch.cat(kept)
                kept.clear()
                x = x - x.mean(0)
                gram = x @ x.T
                grams.append((gram / torch.linalg.matrix_norm(gram).clamp_min(1e-30)).cpu().numpy())
    return Grams(tuple(unit.name for unit in net.plan.units), np.stack(grams), len(test))


def _groups(loaded: LoadedNet, count: int) -> list[range]:
    """Blocks that follow one another whose maps of all images may be in memory at once. Raises DataError where one's may not."""
    from resnet_core.activations import WHOLE_BUDGET

    plan = loaded.model.plan
    maps = plan.maps((3, loaded.side, loaded.side))
    groups, room = [range(0)], WHOLE_BUDGET
    for i, unit in enumerate(plan.units):
        needed = 4 * count * math.prod(maps[unit.name])
        if needed > WHOLE_BUDGET:
            raise DataError(
                "{name}: the maps of {count:,} images behind {name2} take {needed:.1f} GB of memory, and "
                "{whole_budget:.1f} GB are allowed. Ask for at most {count2:,} images.",
                name=loaded.net.name,
                count=count,
                name2=unit.name,
                needed=needed / 1000000000.0,
                whole_budget=WHOLE_BUDGET / 1000000000.0,
                count2=count * WHOLE_BUDGET // needed,
            )
        if needed > room:
            groups.append(range(i, i))
            room = WHOLE_BUDGET
        groups[-1] = range(groups[-1].start, i + 1)
        room -= needed
    return groups


def _pair(results: Sequence[Measured]) -> tuple[Measured, Measured]:
    return results[0], results[1] if len(results) > 1 else results[0]


def table(results: Sequence[Measured]) -> Table:
    """For each block of the first net the block of the second that is most like it."""
    one, other = _pair(results)
    like = one.result.like(other.result)
    rows = [(name, other.result.blocks[int(line.argmax())], float(line.max())) for name, line in zip(one.result.blocks, like, strict=True)]
    return Table((tr("Block of {label}", label=one.label), tr("most like it in {label}", label=other.label), tr("CKA")), tuple(rows))


def figure(results: Sequence[Measured], dark: bool = False) -> go.Figure:
    """CKA of all pairs as a heat map."""
    one, other = _pair(results)
    return heatmap(
        one.result.like(other.result),
        one.result.blocks,
        other.result.blocks,
        tr("blocks of {label}", label=one.label),
        tr("blocks of {label}", label=other.label),
        dark,
    )


def finding(results: Sequence[Measured]) -> str:
    """The mean CKA, and how far the most alike blocks lie from the same part of the depth."""
    one, other = _pair(results)
    like = one.result.like(other.result)
    places = (like.argmax(1) + 0.5) / like.shape[1]
    own = (np.arange(len(like)) + 0.5) / len(like)
    off = 100 * float(np.abs(places - own).mean())
    return tr(
        "{label} beside {label2}, {n:,} test images: CKA is {like:.2f} in the mean over all pairs of blocks, "
        "and the block most like one lies {off:.0f} % of the depth away from its place in the mean.",
        label=one.label,
        label2=other.label,
        n=one.result.n,
        like=float(like.mean()),
        off=off,
    )
