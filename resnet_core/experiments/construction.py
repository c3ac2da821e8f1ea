"""Identity by construction: the deeper net that is no worse exists (He et al. 2016, section 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet_core.architectures.deeper import construct, deeper, why_not_deeper
from resnet_core.attribution.methods import Parameter
from resnet_core.experiments.base import Experiment, Measured, Progress, ShouldStop, Table, each_of, first, images_parameter, whole_net_macs
from resnet_core.figures.lines import Line, lines_figure
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from resnet_core.data import Cifar10
    from resnet_core.nets.loading import LoadedNet


EXPERIMENT = Experiment(
    key="construction",
    title=mark("Identity by construction"),
    module="resnet_core.experiments.construction",
    question=mark("Is there a deeper net that is no worse?"),
    source=mark("He et al.: Deep Residual Learning for Image Recognition (CVPR 2016), section 1"),
    method=(
        mark(
            "Blocks that do nothing are inserted at the end of each stage of the trained net. A residual block "
            "does nothing when its branch ends in zeros; a plain one when its convolutions pass on their input "
            "and its BN divides by 1. Both nets' logits are compared, in evaluation mode and with the statistics "
            "of a batch, as in training."
        )
    ),
    limits=(
        mark(
            "That the solution exists does not say that training finds it, which is the paper's point; nor that "
            "training would keep it: that is on the page Myths for nets of demo size, and Grow, on the page "
            "Checkpoints, does it with any net. In a plain net with BN the inserted blocks are the identity in "
            "evaluation mode alone: in training BN normalises again."
        )
    ),
    parameters=(
        Parameter(
            "rounds", mark("blocks added to each stage"), "int", 6, 1, 100, 1, help=mark("6 make 56 layers of 20 with basic blocks.")
        ),
        images_parameter(),
    ),
    macs=lambda model, values: 2 * whole_net_macs(model) * values["images"] * (1 + values["rounds"] * 3 / len(model.plan().units)),
    refusal=why_not_deeper,
)


@dataclass(frozen=True, eq=False)
class Construction:
    """A net and the deeper one made of it.

    Attributes:
        name: of the deeper net; layers: weighted layers of both.
        wrong: test images that the net gets wrong, and the deeper one; n: images.
        difference: the largest difference of any logit in evaluation mode; in_training: the same with batch statistics.
        is_equal: the logits are equal bit for bit in evaluation mode.
    """

    name: str
    layers: tuple[int, int]
    wrong: tuple[int, int]
    n: int
    difference: float
    in_training: float
    is_equal: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; errors in percent."""
        return {
            "deeper": self.name, "layers": list(self.layers), "errors": [100.0 * wrong / self.n for wrong in self.wrong], "n": self.n,
            "largest_difference": self.difference, "largest_difference_in_training": self.in_training, "bit_for_bit": self.is_equal,
        }  # fmt: skip


def measure(
    loaded: LoadedNet, images: Cifar10, values: Mapping[str, Any], progress: Progress = None, should_stop: ShouldStop = None
) -> Construction:
    """Build the deeper net and compare.

    Raises:
        Stopped: ``should_stop`` returned True.
    """
    import torch

    from resnet_core.activations import images_at_once, in_batches
    from resnet_core.analysis.passes import untouched

    net, test = loaded.model, first(images.test, values["images"])
    made = construct(net, deeper(net.config, values["rounds"]))
    wrong, difference, in_training, equal = [0, 0], 0.0, 0.0, True
    with torch.no_grad(), untouched(net):
        net.eval()
        for start, stop in in_batches(len(test), images_at_once(net), progress, should_stop):
            x, labels = loaded.normalize(test.images[start:stop]), test.labels[start:stop].to(loaded.device)
            both = [each(x).float() for each in (net, made)]
            for i, logits in enumerate(both):
                wrong[i] += int((logits.argmax(1) != labels).sum())
            difference = max(difference, float((both[0] - both[1]).abs().max()))
            equal = equal and torch.equal(*both)
        some = loaded.normalize(test.images[: min(len(test), 100)])
        trained = []
        for each in (net, made):
            each.train_without_chance()
            trained.append(each(some).float())
        in_training = float((trained[0] - trained[1]).abs().max())
    layers = (net.config.weighted_layers, made.config.weighted_layers)
    return Construction(made.config.name, layers, (wrong[0], wrong[1]), len(test), difference, in_training, equal)


def table(results: Sequence[Measured]) -> Table:
    """Errors of both nets, and how far their logits are apart."""
    rows = []
    for one in results:
        found: Construction = one.result
        errors = [100.0 * wrong / found.n for wrong in found.wrong]
        same = tr("yes") if found.is_equal else tr("no")
        rows.append((one.label, found.name, *errors, same, found.difference, found.in_training))
    head = (
        tr("Net"),
        tr("made deeper"),
        tr("Error (%)"),
        tr("Error, deeper (%)"),
        tr("Same logits, bit for bit"),
        tr("Largest difference"),
        tr("with batch statistics"),
    )
    return Table(head, tuple(rows))


def figure(results: Sequence[Measured], dark: bool = False) -> go.Figure:
    """The error of the trained net and of the deeper one, over their layers."""
    lines = []
    for one in results:
        found: Construction = one.result
        errors = np.array([100.0 * wrong / found.n for wrong in found.wrong])
        lines.append(
            Line(
                one.key,
                one.label,
                one.model,
                np.array(found.layers),
                errors,
                (tr("as trained"), tr("{name}, by construction", name=found.name)),
            )
        )
    return lines_figure(lines, tr("weighted layers"), tr("test error (%)"), dark)


def finding(results: Sequence[Measured]) -> str:
    """Whether the deeper net is the same function."""

    def of(one: Measured) -> str:
        found: Construction = one.result
        how = (
            tr("the same logits, bit for bit")
            if found.is_equal
            else tr("logits at most {difference:.2g} apart", difference=found.difference)
        )
        return tr("{name} gives {how}", name=found.name, how=how)

    return tr("By construction, on {n:,} test images: {each_of}.", n=results[0].result.n, each_of=each_of(results, of))
