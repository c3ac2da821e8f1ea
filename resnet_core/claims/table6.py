"""Table 6 of He et al. 2016: test errors and parameters of its CIFAR-10 nets, and that deeper ResNets are better."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

from resnet_core import noise, paper
from resnet_core.architectures import ResNetConfig
from resnet_core.claims.claim import (
    NOT_AT_SCHEDULE,
    NOT_REPRODUCED,
    NOT_RUN,
    REPRODUCED,
    Claim,
    Finding,
    judged,
    judged_by_signs,
    margin,
)
from resnet_core.claims.material import TEST_IMAGES, Cohort
from resnet_core.language import mark, tr

ERRORS, PARAMS, ORDER = mark("Table 6: test error"), mark("Table 6: parameters"), mark("Table 6: deeper ResNets are better")
#: Said once beside the claims on errors: what ± means, and what a difference must exceed.
WHY_CLEAR = mark(
    "± is one standard error: {spread:g} points for the luck of a seed, as the paper's five runs of ResNet-110 have 0.16 (less "
    "with more seeds, more where ours scatter more), and for test errors that of 10,000 images. A difference counts when it is more than "
    "twice its standard error, in which two nets' common test images are allowed for; else the claim is undecided: more seeds would tell.",
    spread=noise.SEED_SPREAD,
)
#: The depths of the paper's ResNets that its text orders; 1202 is the exception, worse than 110.
ORDERED = (20, 32, 44, 56, 110)


def against(gap: float, decimals: int = 2) -> str:
    """``0.86 points above``, ``0.12 points below``, ``as high as``."""
    if abs(gap) < 0.5 * 10**-decimals:
        return tr("as high as")
    text = mark("{gap:.{decimals}f} points above") if gap > 0 else mark("{gap:.{decimals}f} points below")
    return tr(text, gap=abs(gap), decimals=decimals)


def _error(depth: int) -> Claim:
    row = paper.TABLE_6[depth]
    is_110 = depth == 110
    theirs = paper.RESNET_110_MEAN if is_110 else row.test_error
    assert theirs is not None  # Table 6 has one of every depth
    printed = (
        mark("the paper's mean of five runs, {theirs:.2f} %", theirs=theirs)
        if is_110
        else mark("the paper's {theirs:.2f} %", theirs=theirs)
    )
    # What five runs are less uncertain by, one cannot know of the others: each is a single run.
    spread = paper.RESNET_110_SPREAD / math.sqrt(5) if is_110 else noise.SEED_SPREAD
    of_theirs = noise.standard_error({0: theirs}, spread, TEST_IMAGES)

    def judge(cohort: Cohort) -> Finding:
        ours, of_ours = cohort.mean(row.name, "test"), cohort.standard_error(row.name, "test")
        gap = noise.Difference(round(ours - theirs, 6), math.hypot(of_ours, of_theirs), len(cohort.nets[row.name]))
        evidence = tr(
            "{ours:.2f} % is {against} {printed}; up to {margin} points could be luck.",
            ours=ours,
            against=against(gap.points),
            printed=printed,
            margin=margin(gap),
        )
        status = REPRODUCED if not gap.is_clear else NOT_REPRODUCED
        if gap.sign > 0 and cohort.fraction is not None and cohort.fraction < 0.995:
            status = NOT_AT_SCHEDULE
            evidence += tr(" The paper's number is one of its full schedule, which this training did not have.")
        elif gap.sign < 0:
            evidence += tr(" So much better than the paper is no reproduction either: something differs.")
        return Finding(cohort.shown(row.name, "test"), status, evidence)

    text = (
        mark(
            "{text} % (best of five; {resnet_110_mean:.2f} ± {resnet_110_spread:.2f})",
            text=row.text,
            resnet_110_mean=paper.RESNET_110_MEAN,
            resnet_110_spread=paper.RESNET_110_SPREAD,
        )
        if is_110
        else f"{row.text} %"
    )
    criterion = mark("Neither above nor below {printed} by more than twice the standard error of the difference.", printed=printed)
    statement = mark(
        "{name} reaches a test error of {theirs:.2f} %{value}.",
        name=row.name,
        theirs=theirs,
        value=mark(" in the mean of five runs") if is_110 else "",
    )
    return Claim(f"table6-error-{depth}", ERRORS, statement, mark("Table 6"), text, criterion, (row.name,), judge)


def rounded(params: int, printed: str) -> str:
    """A count in millions with as many decimals as the paper prints: 269722, ``"0.27M"`` -> ``"0.27M"``."""
    decimals = len(printed.rstrip("M").partition(".")[2])
    return f"{params / 1e6:.{decimals}f}M"


def _params(depth: int) -> Claim:
    row = paper.TABLE_6[depth]

    def judge(cohort: Cohort) -> Finding:
        count = cohort.params[row.name]
        ours = rounded(count, row.params)
        return judged(
            ours == row.params, f"{count:,}", tr("Our net has {count:,} parameters, {ours} as the paper rounds.", count=count, ours=ours)
        )

    criterion = mark("Equal when rounded as in the paper.")
    return Claim(
        f"table6-params-{depth}",
        PARAMS,
        mark("{name} has {params} parameters.", name=row.name, params=row.params),
        mark("Table 6"),
        row.params,
        criterion,
        (),
        judge,
    )


def _no_more_than_plain() -> Claim:
    def judge(cohort: Cohort) -> Finding:
        pairs = {depth: [cohort.params[ResNetConfig(depth, s).name] for s in ("none", "A")] for depth in paper.TABLE_6}
        unequal = [depth for depth, (plain, residual) in pairs.items() if plain != residual]
        evidence = tr(
            "Of {pairs} pairs of twins {pairs2} have exactly as many parameters.", pairs=len(pairs), pairs2=len(pairs) - len(unequal)
        )
        return judged(not unequal, tr("{pairs} of {pairs2} pairs equal", pairs=len(pairs) - len(unequal), pairs2=len(pairs)), evidence)

    text = mark("A residual net with option A has exactly as many parameters as its plain twin.")
    return Claim(
        "section4.2-params-equal", PARAMS, text, mark("section 4.2"), mark("equal"), mark("Equal at every depth of Table 6."), (), judge
    )


def _smaller_than_others() -> Claim:
    others = paper.OTHERS_PARAMS

    def judge(cohort: Cohort) -> Finding:
        count = cohort.params["ResNet-110"]
        evidence = tr(
            "Our ResNet-110 has {count:,} parameters; printed are {others}.",
            count=count,
            others=", ".join((f"{name} {text}" for name, text in others.items())),
        )
        return judged(all(count < float(text.rstrip("M")) * 1e6 for text in others.values()), f"{count:,}", evidence)

    first, second = others
    text = mark("ResNet-110 has fewer parameters than {first} and {second}.", first=first, second=second)
    criterion = mark("Fewer than each of the numbers that Table 6 prints.")
    return Claim("table6-params-others", PARAMS, text, mark("Table 6"), ", ".join(others.values()), criterion, (), judge)


def chain(names: Sequence[str], cohort: Cohort, kind: str, expected: int) -> tuple[list[int], str, str]:
    """Compare neighbours of those nets of ``names`` that are there, in that order.

    Args:
        expected: 1 if each is to have a higher error than the one before, -1 if a lower one.

    Returns:
        a sign for each step (1: clearly as expected), the errors as text, and a sentence on the steps that are not as expected.
    """
    there = [name for name in names if name in cohort.nets]
    text = ", ".join(f"{name} {cohort.shown(name, kind)}" for name in there)
    signs, wrong = [], []
    for a, b in itertools.pairwise(there):
        step = cohort.difference(b, a, kind)
        signs.append(expected * step.sign)
        if signs[-1] < 1:
            word = tr("the other way round") if signs[-1] < 0 else tr("undecided")
            wrong.append(
                tr("{b} is {against} {a} ({margin}: {word})", b=b, against=against(step.points), a=a, margin=margin(step), word=word)
            )
    return signs, text, "; ".join(wrong) or tr("every step is clear")


def chain_judges(names: Sequence[str], kind: str, expected: int) -> tuple[Callable[[Cohort], Finding], Callable[[Cohort], Finding | None]]:
    """Make the ``judge`` and the ``partial`` of a claim on the order of errors.

    One step that is clearly wrong decides it, whatever is missing.
    """

    def judge(cohort: Cohort) -> Finding:
        signs, text, steps = chain(names, cohort, kind, expected)
        return judged_by_signs(signs, text, f"{steps[0].upper()}{steps[1:]}.")

    def partial(cohort: Cohort) -> Finding | None:
        signs, text, steps = chain(names, cohort, kind, expected)
        if not signs:
            return None
        return Finding(text, NOT_REPRODUCED if -1 in signs else NOT_RUN, f"{text}; {steps}.")

    return judge, partial


def _order(depths: tuple[int, ...], statement: str) -> Claim:
    rows = [paper.TABLE_6[depth] for depth in depths]
    names = tuple(row.name for row in rows)
    judge, partial = chain_judges(names, "test", -1)
    criterion = mark(
        "Each net's final test error is below that of the next shallower one, by more than twice the difference's standard error."
    )
    theirs = " > ".join(row.text for row in rows) + " %"
    key = "-".join(str(depth) for depth in depths)
    return Claim(
        f"table6-order-{key}", ORDER, statement, mark("Table 6"), theirs, criterion, names, judge, partial if len(depths) > 2 else None
    )


CLAIMS: tuple[Claim, ...] = (
    *(_error(depth) for depth in paper.TABLE_6),
    *(_params(depth) for depth in paper.TABLE_6),
    _no_more_than_plain(),
    _smaller_than_others(),
    _order((20, 56), mark("ResNet-56 has a lower test error than ResNet-20.")),
    _order((56, 110), mark("ResNet-110 has a lower test error than ResNet-56.")),
    _order(ORDERED, mark("The deeper the ResNet, the lower its test error, from 20 to 110 layers.")),
)
