"""Table 6 of He et al. 2016: test errors and parameters of its CIFAR-10 nets, and that deeper ResNets are better."""

from __future__ import annotations

import itertools

from resnet_core import paper
from resnet_core.claims.claim import Claim, Finding, judged
from resnet_core.claims.material import Cohort

ERRORS, PARAMS, ORDER = "Table 6: test error", "Table 6: parameters", "Table 6: deeper ResNets are better"
#: Points above the paper's test error that still count: on a part of its schedule, and on all of it.
TOLERANCE, TOLERANCE_FULL = 1.5, 0.5
#: Said once beside the claims that ask for it.
WHY_TOLERANCE = "The paper's errors are after its full schedule; on a part of it, ours are given more room."
#: The depths of the paper's ResNets that its text orders; 1202 is the exception, worse than 110.
ORDERED = (20, 32, 44, 56, 110)


def tolerance(fraction: float) -> float:
    """Points above the paper's test error that still count after this part of its schedule."""
    return TOLERANCE if fraction < 0.995 else TOLERANCE_FULL


def difference(a: float, b: float) -> float:
    """``a - b`` in percentage points: errors have few decimals, and 8.47 - 6.97 is to be 1.5 and no hair's breadth more."""
    return round(a - b, 6)


def against(gap: float, decimals: int = 2) -> str:
    """``0.86 points above``, ``0.12 points below``, ``as high as``."""
    if abs(gap) < 0.5 * 10**-decimals:
        return "as high as"
    return f"{abs(gap):.{decimals}f} points {'above' if gap > 0 else 'below'}"


def _error(depth: int) -> Claim:
    row = paper.TABLE_6[depth]
    is_110 = depth == 110
    theirs = paper.RESNET_110_MEAN if is_110 else row.test_error
    printed = f"the paper's mean of five runs, {theirs:.2f} %" if is_110 else f"the paper's {theirs:.2f} %"

    def judge(cohort: Cohort) -> Finding:
        net = cohort[row.name]
        gap, allowed = difference(net.test_error, theirs), tolerance(cohort.fraction)
        evidence = f"{net.test_error:.2f} % is {against(gap)} {printed}; up to {allowed:g} points above count."
        return judged(gap <= allowed, f"{net.test_error:.2f} %", evidence)

    text = f"{row.text} % (best of five; {paper.RESNET_110_MEAN:.2f} ± {paper.RESNET_110_SPREAD:.2f})" if is_110 else f"{row.text} %"
    compared = "the paper's mean, as ours is one run" if is_110 else "the paper"
    criterion = f"At most {TOLERANCE:g} points above {compared} ({TOLERANCE_FULL:g} on the full schedule)."
    statement = f"{row.name} reaches a test error of {theirs:.2f} %{' in the mean of five runs' if is_110 else ''}."
    return Claim(f"table6-error-{depth}", ERRORS, statement, "Table 6", text, criterion, (row.name,), judge)


def rounded(params: int, printed: str) -> str:
    """A count in millions with as many decimals as the paper prints: 269722, ``"0.27M"`` -> ``"0.27M"``."""
    decimals = len(printed.rstrip("M").partition(".")[2])
    return f"{params / 1e6:.{decimals}f}M"


def _params(depth: int) -> Claim:
    row = paper.TABLE_6[depth]

    def judge(cohort: Cohort) -> Finding:
        count = cohort.params[depth]
        ours = rounded(count, row.params)
        return judged(ours == row.params, f"{count:,}", f"Our net has {count:,} parameters, {ours} as the paper rounds.")

    criterion = "Equal when rounded as in the paper."
    return Claim(f"table6-params-{depth}", PARAMS, f"{row.name} has {row.params} parameters.", "Table 6", row.params, criterion, (), judge)


def _sequence(cohort: Cohort, depths: tuple[int, ...]) -> list[tuple[str, float]]:
    names = [paper.TABLE_6[depth].name for depth in depths]
    return [(name, cohort[name].test_error) for name in names if name in cohort.nets]


def _order(depths: tuple[int, ...], statement: str) -> Claim:
    rows = [paper.TABLE_6[depth] for depth in depths]

    def chain(cohort: Cohort) -> str:
        return ", ".join(f"{name} {error:.2f} %" for name, error in _sequence(cohort, depths))

    def judge(cohort: Cohort) -> Finding:
        found = _sequence(cohort, depths)
        wrong = [f"{deep} is not below {shallow}" for (shallow, a), (deep, b) in itertools.pairwise(found) if b >= a]
        evidence = f"{chain(cohort)}: " + ("; ".join(wrong) if wrong else "each lower than the one before") + "."
        return judged(not wrong, " > ".join(f"{error:.2f}" for _, error in found) + " %" if not wrong else chain(cohort), evidence)

    def partial(cohort: Cohort) -> str:
        return chain(cohort) if len(_sequence(cohort, depths)) > 1 else ""

    smallest = min(a.test_error - b.test_error for a, b in itertools.pairwise(rows))
    criterion = (
        "Each net's final test error is below that of the next shallower one. No margin is asked for: the paper's own "
        f"{'steps go down to' if len(rows) > 2 else 'step is'} {smallest:.2f} points."
    )
    theirs = " > ".join(row.text for row in rows) + " %"
    key = "-".join(str(depth) for depth in depths)
    names = tuple(row.name for row in rows)
    return Claim(f"table6-order-{key}", ORDER, statement, "Table 6", theirs, criterion, names, judge, partial if len(depths) > 2 else None)


CLAIMS: tuple[Claim, ...] = (
    *(_error(depth) for depth in paper.TABLE_6),
    *(_params(depth) for depth in paper.TABLE_6),
    _order((20, 56), "ResNet-56 has a lower test error than ResNet-20."),
    _order((56, 110), "ResNet-110 has a lower test error than ResNet-56."),
    _order(ORDERED, "The deeper the ResNet, the lower its test error, from 20 to 110 layers."),
)
