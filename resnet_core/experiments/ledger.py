"""The ledger of the additions: how much of an answer came along the skips, and how much through the branches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet_core.experiments.base import (
    PICTURE,
    Experiment,
    Measured,
    Picture,
    Progress,
    ShouldStop,
    Table,
    each_of,
    first,
    images_parameter,
    needs_addition,
    picture_of,
    whole_net_macs,
)
from resnet_core.figures.lines import Line, lines_figure
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from resnet_core.data import Cifar10
    from resnet_core.nets.loading import LoadedNet

EXPERIMENT = Experiment(
    key="ledger",
    title=mark("Ledger of the additions"),
    module="resnet_core.experiments.ledger",
    question=mark("At each addition, how much of the answer comes along the skip, and how much through the branch?"),
    source=mark("gradient times activation (Shrikumar et al. 2016), which at an addition is exact; the additions of He et al. 2016"),
    method=(
        mark(
            "The gradient of the predicted class's logit at each sum x + F(x), times x and times F(x), summed "
            "over channels and positions and averaged over test images: two shares in logits. What later shifts "
            "(BN, biases) add by themselves is the rest."
        )
    ),
    limits=(
        mark(
            "A share is of this answer, along the net's own linear piece around the image: it does not say what "
            "the net would do without that branch (see Lesions), and what the skip carries was made by earlier "
            "branches."
        )
    ),
    parameters=(images_parameter(200, 5_000), PICTURE),
    macs=lambda model, values: 3 * whole_net_macs(model) * (values["images"] if values["picture"] is None else 1),
    refusal=needs_addition,
    labelled=False,
)


@dataclass(frozen=True, eq=False)
class Ledger:
    """Shares of the predicted class's logit, means over images.

    Attributes:
        blocks: names of the B blocks that add; stage: (B,) of each.
        skip, branch: (B,), in logits; logit: the mean logit; bias: the mean of the classifier's bias of the predicted classes.
        n: images.
        picture: where it is of one image alone, that; answer: the name of the predicted class then.
    """

    blocks: tuple[str, ...]
    stage: np.ndarray
    skip: np.ndarray
    branch: np.ndarray
    logit: float
    bias: float
    n: int
    picture: Picture | None = None
    answer: str = ""

    @property
    def rest(self) -> np.ndarray:
        """(B,), what the shifts of later layers add, with the classifier's bias."""
        return self.logit - self.skip - self.branch

    @property
    def skip_share(self) -> np.ndarray:
        """(B,), the skip's part of what comes through that sum."""
        return self.skip / (self.skip + self.branch)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        rows = zip(self.blocks, self.skip.tolist(), self.branch.tolist(), self.rest.tolist(), strict=True)
        blocks = [{"name": name, "skip": s, "branch": b, "rest": r} for name, s, b, r in rows]
        of = {"picture": self.picture.number, "class": self.picture.label, "answer": self.answer} if self.picture else {}
        return {"n": self.n, **of, "logit": self.logit, "classifier_bias": self.bias, "blocks": blocks}


def measure(
    loaded: LoadedNet, images: Cifar10, values: Mapping[str, Any], progress: Progress = None, should_stop: ShouldStop = None
) -> Ledger:
    """Measure the shares; one forward and one backward pass an image.

    Raises:
        DataError: there is no such picture.
        Stopped: ``should_stop`` returned True.
    """
    import torch

    from resnet_core.activations import images_at_once, in_batches
    from resnet_core.analysis.passes import untouched
    from resnet_core.analysis.prediction import class_names

    net, number, answer = loaded.model, values["picture"], ""
    picture = None if number is None else picture_of(images, number)
    test = first(images.test, values["images"]) if number is None else images.test.part(number, number + 1)
    adding = [block for block in net.blocks() if block.unit.join.name == "add"]
    held: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def keep(module: Any, args: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        held.append((args[0], args[1], output))

    skip, branch, logit, bias = np.zeros(len(adding)), np.zeros(len(adding)), 0.0, 0.0
    shift = net.get_parameter(f"{net.plan.classifier}.bias").detach()
    with untouched(net) as hooks:
        net.eval()
        for block in adding:
            assert block.join is not None
            hooks.enter_context(block.join.register_forward_hook(keep))
        for start, stop in in_batches(len(test), images_at_once(net, 64, gradients=True), progress, should_stop):
            held.clear()
            with torch.enable_grad():
                logits = net(loaded.normalize(test.images[start:stop]).requires_grad_())
                top, answers = logits.max(1)
                gradients = torch.autograd.grad(top.sum(), [output for _, _, output in held])
            for i, ((f, x, _), gradient) in enumerate(zip(held, gradients, strict=True)):
                branch[i] += float((gradient * f.detach()).sum().double())
                skip[i] += float((gradient * x.detach()).sum().double())
            logit, bias = logit + float(top.detach().sum()), bias + float(shift[answers].sum())
            answer = class_names(loaded.net)[int(answers[0])]
    n, units = len(test), [block.unit for block in adding]
    stage = np.array([unit.stage for unit in units])
    return Ledger(
        tuple(unit.name for unit in units), stage, skip / n, branch / n, logit / n, bias / n, n, picture, answer if picture else ""
    )


def table(results: Sequence[Measured]) -> Table:
    """The skip's part of what comes through the sums, by stage; of one picture, the ledger itself."""
    if results[0].result.picture:
        lines = [
            (one.label, *entry)
            for one in results
            for entry in zip(
                one.result.blocks, *(part.tolist() for part in (one.result.skip, one.result.branch, one.result.rest)), strict=True
            )
        ]
        return Table((tr("Net"), tr("Addition"), tr("Along the skip"), tr("Through the branch"), tr("Added later")), tuple(lines))
    stages = sorted({int(stage) for one in results for stage in one.result.stage})
    rows = []
    for one in results:
        shares = [one.result.skip_share[one.result.stage == stage] for stage in stages]
        rows.append((one.label, one.result.logit, *(float(100 * np.mean(each)) if len(each) else None for each in shares)))
    return Table((tr("Net"), tr("Mean logit"), *(tr("Skip's share, stage {stage} (%)", stage=stage) for stage in stages)), tuple(rows))


def figure(results: Sequence[Measured], dark: bool = False) -> go.Figure:
    """Both shares over the additions: solid along the skip, dotted through the branch."""
    lines = []
    for one in results:
        place, found = np.arange(1, len(one.result.blocks) + 1) / len(one.result.blocks), one.result
        lines.append(Line(one.key, tr("{label}, skip", label=one.label), one.model, place, found.skip, found.blocks))
        lines.append(Line(one.key, tr("{label}, branch", label=one.label), one.model, place, found.branch, found.blocks, dash="dot"))
    return lines_figure(lines, tr("addition, as part of the depth"), tr("share of the predicted logit"), dark)


def finding(results: Sequence[Measured]) -> str:
    """The skip's share in the mean over the additions; of one picture, the last addition's entry."""
    if picture := results[0].result.picture:

        def last(one: Measured) -> str:
            found: Ledger = one.result
            return tr(
                "{answer}, with a logit of {logit:.2f}, of which {skip:.2f} came along the skip, {branch:.2f} "
                "through the branch, and {rest:.2f} were added later",
                answer=found.answer,
                logit=found.logit,
                skip=found.skip[-1],
                branch=found.branch[-1],
                rest=found.rest[-1],
            )

        return tr("Of {name} the nets say, at their last addition: {each_of}.", name=picture.name, each_of=each_of(results, last))

    def of(one: Measured) -> str:
        return f"{100 * float(np.mean(one.result.skip_share)):.0f} %"

    return tr(
        "Along the skip comes, in the mean over the additions and {n:,} test images: {each_of}.",
        n=results[0].result.n,
        each_of=each_of(results, of),
    )
