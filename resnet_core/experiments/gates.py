"""Gates of a Highway net: how open they are, block by block, and how much that depends on the image (Srivastava et al. 2015)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet_core.architectures import ModelConfig
from resnet_core.experiments.base import (
    Experiment,
    Measured,
    Progress,
    ShouldStop,
    Table,
    each_of,
    first,
    images_parameter,
    whole_net_macs,
)
from resnet_core.figures.gates import GateCourse, gate_course
from resnet_core.figures.lines import Line, lines_figure
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import torch

    from resnet_core.data import Cifar10
    from resnet_core.nets.loading import LoadedNet


def _needs_gates(model: ModelConfig) -> str:
    return "" if any(unit.join.name == "gate" for unit in model.plan().units) else tr("it has no gates.")


EXPERIMENT = Experiment(
    key="gates",
    title=mark("Gates"),
    module="resnet_core.experiments.gates",
    question=mark("How open are the gates of a Highway net?"),
    source=mark("Srivastava, Greff and Schmidhuber: Training Very Deep Networks (NeurIPS 2015), section 3.3 and Figure 2"),
    method=(
        mark(
            "The mean of each block's gate T over test images, channels and positions: 1 lets the branch "
            "through, 0 the input. Beside it, the standard deviation over the images of each image's own mean, "
            "and the bias that the gates have now."
        )
    ),
    limits=(
        mark(
            "A gate says how much of the branch is taken, not how much the branch does: an open gate before "
            "zeros changes the input as much as a closed one keeps it. See Lesions for what a block is worth."
        )
    ),
    parameters=(images_parameter(),),
    macs=lambda model, values: whole_net_macs(model) * values["images"],
    refusal=_needs_gates,
    labelled=False,
)


@dataclass(frozen=True, eq=False)
class Gates:
    """The gates of one net.

    Attributes:
        blocks: names of the B blocks that have one; mean: (B,), 0 to 1; over_images: (B,), standard deviation of the images' means.
        bias: (B,), the mean of the gate's biases; start: what they were set to before training.
        n: images.
        course: how open they were through training, where the net's records tell (``figures.gates.gate_course``).
    """

    blocks: tuple[str, ...]
    mean: np.ndarray
    over_images: np.ndarray
    bias: np.ndarray
    start: float
    n: int
    course: GateCourse | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        rows = zip(self.blocks, self.mean.tolist(), self.over_images.tolist(), self.bias.tolist(), strict=True)
        blocks = [{"name": name, "mean": mean, "std_over_images": std, "bias": bias} for name, mean, std, bias in rows]
        found = {"n": self.n, "bias_at_start": self.start, "blocks": blocks}
        if self.course is not None:
            opening = [[value if math.isfinite(value) else None for value in row] for row in self.course.opening.tolist()]
            found["through_training"] = {"iterations": self.course.iterations.tolist(), "gate_opening": opening}
        return found


def measure(
    loaded: LoadedNet,
    images: Cifar10,
    values: Mapping[str, Any],
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> Gates:
    """Measure the gates on test images, in evaluation mode.

    Raises:
        Stopped: ``should_stop`` returned True.
    """
    import torch

    from resnet_core.activations import images_at_once, in_batches
    from resnet_core.analysis.passes import untouched

    net, test = loaded.model, first(images.test, values["images"])
    gated = [block for block in net.blocks() if block.gate is not None]
    means: dict[int, list[torch.Tensor]] = {id(block.gate): [] for block in gated}

    def keep(module: torch.nn.Module, args: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        means[id(module)].append(output.float().flatten(1).mean(1).cpu())

    with torch.no_grad(), untouched(net) as hooks:
        net.eval()
        for block in gated:
            assert block.gate is not None
            hooks.enter_context(block.gate.register_forward_hook(keep))
        for start, stop in in_batches(len(test), images_at_once(net), progress, should_stop):
            with loaded.plan.autocast():
                net(loaded.normalize(test.images[start:stop]))
    of_images = [torch.cat(means[id(block.gate)]).double() for block in gated]
    convs = [(block.unit.name, block.unit.join.parts[0]) for block in gated]
    bias = [float(net.get_parameter(f"{name}.gate.{conv.name}.bias").detach().mean()) for name, conv in convs]
    begun = float(getattr(convs[0][1], "bias_start", 0.0))
    mean, std = (np.array([float(getattr(each, of)()) for each in of_images]) for of in ("mean", "std"))
    course = gate_course(loaded.net.id, loaded.net.name, loaded.net.model, loaded.net.records("layers"))
    return Gates(tuple(name for name, _ in convs), mean, std, np.array(bias), begun, len(test), course)


def table(results: Sequence[Measured]) -> Table:
    """How open the gates are, and where their biases went."""
    rows = []
    for one in results:
        found: Gates = one.result
        begun = None if found.course is None or found.course.iterations[0] else float(found.course.opening[0].mean())
        lower, mean = int((found.bias < found.start).sum()), found.mean
        now = (float(mean.mean()), float(mean.min()), float(mean.max()))
        rows.append((one.label, *now, begun, found.start, lower, len(found.bias)))
    now_head = (tr("Mean gate"), tr("Least open"), tr("Most open"))
    start = (tr("Mean gate at iteration 0, of a training batch"), tr("Bias at the start"))
    return Table((tr("Net"), *now_head, *start, tr("Biases that fell"), tr("of all")), tuple(rows))


def figure(results: Sequence[Measured], dark: bool = False) -> go.Figure:
    """The mean gate over the blocks, with one standard deviation over images as a band."""
    lines = []
    for one in results:
        found: Gates = one.result
        place = np.arange(1, len(found.blocks) + 1) / len(found.blocks)
        band = {"low": found.mean - found.over_images, "high": found.mean + found.over_images}
        lines.append(Line(one.key, one.label, one.model, place, found.mean, found.blocks, **band))
    return lines_figure(lines, tr("block, as part of the depth"), tr("gate: part of the branch that goes on"), dark)


def finding(results: Sequence[Measured]) -> str:
    """How open the gates are in the mean."""

    def of(one: Measured) -> str:
        found: Gates = one.result
        return tr(
            "{mean:.0f} % open, from {mean2:.0f} to {mean3:.0f} % by block",
            mean=100 * found.mean.mean(),
            mean2=100 * found.mean.min(),
            mean3=100 * found.mean.max(),
        )

    return tr("Gates in the mean over {n:,} test images: {each_of}.", n=results[0].result.n, each_of=each_of(results, of))
