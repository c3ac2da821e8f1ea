"""What goes on inside the nets: the layer responses of Figure 7, and section 4.1 on gradients, from the ``layers`` rows of a training."""

from __future__ import annotations

import math
import statistics
from typing import Any

from resnet_core.architectures import ResNetConfig
from resnet_core.claims.claim import NOT_RUN, Claim, Finding, judged, judged_by_signs
from resnet_core.claims.material import Cohort, TrainedNet
from resnet_core.language import mark, tr

RESPONSES, GRADIENTS = mark("Figure 7: layer responses"), mark("Section 4.1: gradients with batch normalisation")
#: A layer's gradient counts as vanished when its norm is below this part of the last convolution's, as exploded above the inverse.
VANISHED = 1 / 100
#: Why the norms of a deep plain net are large at first, and what does not follow.
WHY_LARGE = mark(
    "At initialisation the backward signal of a plain net with batch normalisation grows with each layer "
    "that it passes, about 1.2 times (Yang et al. 2019, Balduzzi et al. 2017); some steps of training "
    "calm it. So it is not vanishing that makes deep plain nets worse; what does is an open question."
)
#: Said once beside the claims on responses.
WHAT_RESPONSES = mark(
    "Responses are standard deviations after batch normalisation and before ReLU or the addition, by the "
    "last record of each training: of one training batch, with its own batch statistics. In a plain net "
    "their size is a free scale: halving a batch normalisation's scale and shift halves that layer's "
    "responses and changes no prediction. So this compares what trainings ended with, not functions."
)


#: Two medians of responses are told apart when they differ by more than this part. Chosen, not measured: no net ships with a second seed
#: yet, which would tell how far that moves them.
RESPONSE_MARGIN = 0.05
TOO_CLOSE = mark("Some are within {margin:.0%} of each other: too close to tell with one seed.", margin=RESPONSE_MARGIN)


def smaller(a: float, b: float) -> int:
    """1 if ``a`` is clearly the smaller one, -1 if ``b`` is, 0 if they are too close to tell (``RESPONSE_MARGIN``)."""
    return 1 if a < b * (1 - RESPONSE_MARGIN) else -1 if b < a * (1 - RESPONSE_MARGIN) else 0


def _last_responses(net: TrainedNet) -> dict[str, float] | None:
    """Standard deviation of each layer's responses when the training ended; None without a record of them."""
    rows = [row for row in net.rows("layers") if row.get("response_std")]
    return dict(zip(rows[-1]["names"], rows[-1]["response_std"], strict=True)) if rows else None


def _unrecorded(net: TrainedNet) -> Finding:
    return Finding(
        "–", NOT_RUN, tr("The records of {name} ({id}) hold no layer statistics; train it again to have them.", name=net.name, id=net.id)
    )


def _smaller_than_plain(depth: int) -> Claim:
    plain, residual = ResNetConfig(depth, "none").name, ResNetConfig(depth).name

    def judge(cohort: Cohort) -> Finding:
        theirs, ours = _last_responses(cohort[plain]), _last_responses(cohort[residual])
        if theirs is None:
            return _unrecorded(cohort[plain])
        if ours is None:
            return _unrecorded(cohort[residual])
        count = sum(ours[layer] < theirs[layer] for layer in ours)
        a, b = statistics.median(ours.values()), statistics.median(theirs.values())
        evidence = tr(
            "The median over the layers is {a:.3f} in {residual} and {b:.3f} in {plain}; the response of "
            "{residual} is the smaller one in {count} of {ours} layers.",
            a=a,
            residual=residual,
            b=b,
            plain=plain,
            count=count,
            ours=len(ours),
        )
        most = 1 if 2 * count > len(ours) else -1
        return judged_by_signs([smaller(a, b), most], tr("median {a:.3f} against {b:.3f}", a=a, b=b), evidence)

    return Claim(
        id=f"figure7-smaller-{depth}",
        group=RESPONSES,
        text=mark("{residual} has generally smaller responses than {plain}.", residual=residual, plain=plain),
        source=mark("Figure 7, section 4.2"),
        paper=mark("smaller"),
        criterion=mark(
            "The median over the layers is smaller by more than {response_margin:.0%}, and so is the response of most layers.",
            response_margin=RESPONSE_MARGIN,
        ),
        needs=(plain, residual),
        judge=judge,
    )


def _smaller_with_depth(shallow_depth: int, deep_depth: int) -> Claim:
    shallow, deep = ResNetConfig(shallow_depth).name, ResNetConfig(deep_depth).name

    def judge(cohort: Cohort) -> Finding:
        medians = {}
        for name in (shallow, deep):
            responses = _last_responses(cohort[name])
            if responses is None:
                return _unrecorded(cohort[name])
            medians[name] = statistics.median(responses.values())
        a, b = medians[deep], medians[shallow]
        evidence = tr("The median over the layers is {a:.3f} in {deep} and {b:.3f} in {shallow}.", a=a, deep=deep, b=b, shallow=shallow)
        return judged_by_signs([smaller(a, b)], tr("median {a:.3f} against {b:.3f}", a=a, b=b), evidence)

    return Claim(
        id=f"figure7-depth-{shallow_depth}-{deep_depth}",
        group=RESPONSES,
        text=mark("The deeper ResNet has the smaller responses: {deep} against {shallow}.", deep=deep, shallow=shallow),
        source=mark("Figure 7, section 4.2"),
        paper=mark("smaller"),
        criterion=mark("The median over the layers is smaller by more than {response_margin:.0%}.", response_margin=RESPONSE_MARGIN),
        needs=(shallow, deep),
        judge=judge,
    )


def smallest_ratio(row: dict[str, Any]) -> tuple[float, str]:
    """The smallest gradient norm of a layer against the last convolution's, and that layer's name."""
    last = row["gradient_norm"][-1]
    smallest, layer = min(zip(row["gradient_norm"], row["names"], strict=True))
    return (smallest / last if last > 0 else 0.0), layer


def largest_ratio(row: dict[str, Any]) -> tuple[float, str]:
    """The largest gradient norm of a layer against the last convolution's, and that layer's name."""
    last = row["gradient_norm"][-1]
    largest, layer = max(zip(row["gradient_norm"], row["names"], strict=True))
    return (largest / last if last > 0 else math.inf), layer


def _moment(iteration: int) -> str:
    return tr("at initialisation") if iteration == 0 else tr("at iteration {iteration:,}", iteration=iteration)


def _vanishing(depth: int) -> Claim:
    name = ResNetConfig(depth, "none").name

    def judge(cohort: Cohort) -> Finding:
        net = cohort[name]
        rows = [row for row in net.rows("layers") if row.get("gradient_norm")]
        if not rows:
            return _unrecorded(net)
        lost = next((row["iteration"] for row in rows if None in row["gradient_norm"]), None)
        if lost is not None:
            return judged(False, tr("not finite"), tr("At iteration {lost:,} the gradient norms are not all finite numbers.", lost=lost))
        ratio, layer, iteration = min((*smallest_ratio(row), row["iteration"]) for row in rows)
        largest, where, when = max((*largest_ratio(row), row["iteration"]) for row in rows)
        evidence = tr(
            "Over {rows} moments of the training the smallest norm against the last convolution's is "
            "{ratio_text}, of {layer} {moment}; the largest is {ratio_text2}, of {where} {moment2}.",
            rows=len(rows),
            ratio_text=ratio_text(ratio),
            layer=layer,
            moment=_moment(iteration),
            ratio_text2=ratio_text(largest),
            where=where,
            moment2=_moment(when),
        )
        if largest > 1 / VANISHED:
            evidence += tr(" They do not vanish; they are large {moment}. {why_large}", moment=_moment(when), why_large=WHY_LARGE)
        return judged(ratio >= VANISHED and largest <= 1 / VANISHED, range_text(ratio, largest), evidence)

    return Claim(
        id=f"section4.1-gradients-{depth}",
        group=GRADIENTS,
        text=mark("The gradients on their way back through {name} have healthy norms with batch normalisation.", name=name),
        source=mark("section 4.1 (there of the ImageNet nets)"),
        paper=mark("healthy norms"),
        criterion=(
            mark(
                "At initialisation and in every record of the training each layer's gradient norm is between "
                "1/{vanished:.0f} of and {vanished:.0f} times that of the last convolution, where the way back "
                "begins.",
                vanished=1 / VANISHED,
            )
        ),
        needs=(name,),
        judge=judge,
    )


def ratio_text(value: float) -> str:
    """``0.8``, ``1/7``, ``1/2,000``, ``200``: one seed and one batch bear no second digit."""
    if value <= 0:
        return "0"
    if 0.5 <= value < 0.95:
        return f"{value:.1g}"
    return f"{float(f'{value:.1g}'):,.0f}" if value >= 1 / 2 else f"1/{float(f'{1 / value:.1g}'):,.0f}"


def range_text(low: float, high: float) -> str:
    """``from 1/7 to 500 times``: one digit, as another seed or batch would change the next."""
    return tr("from {ratio_text} to {ratio_text2} times", ratio_text=ratio_text(low), ratio_text2=ratio_text(high))


CLAIMS: tuple[Claim, ...] = (
    *(_smaller_than_plain(depth) for depth in (20, 56)),
    *(_smaller_with_depth(shallow, deep) for shallow, deep in ((20, 56), (56, 110))),
    *(_vanishing(depth) for depth in (20, 56, 110)),
)
