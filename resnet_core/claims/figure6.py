"""Figure 6 of He et al. 2016: plain nets get worse with depth on the very images they are trained on, residual nets get better."""

from __future__ import annotations

import math

from resnet_core import paper
from resnet_core.claims.claim import NOT_RUN, Claim, Finding, judged
from resnet_core.claims.material import WARMED_UP, Cohort
from resnet_core.claims.table6 import against, difference
from resnet_core.config import ModelConfig, Recipe

PLAIN, RESIDUAL, TWINS = "Figure 6, left: plain nets", "Figure 6, right: residual nets", "Figure 6: residual against plain"
WARMUP = "Section 4.2: ResNet-110 is warmed up"
#: Percentage points. Two single runs of one net differ by about 0.23 by luck, if they spread as the paper's five of ResNet-110 do.
CLEAR = 0.25
_LUCK = math.sqrt(2) * paper.RESNET_110_SPREAD
#: Said once beside the claims that ask for it.
WHY_CLEAR = (
    f"{CLEAR:g} points are asked for because seeds alone make two runs differ by about {_LUCK:.2f}, if they spread as the paper's "
    f"five runs of ResNet-110 (± {paper.RESNET_110_SPREAD:g}). The paper's curves are of the full schedule."
)
#: The number of iterations of the warm-up may be smaller or larger than the paper's by this factor: it says "about".
WARMUP_FACTOR = 2


def _name(depth: int, plain: bool) -> str:
    return ModelConfig(depth, "none" if plain else "A").name


def _pair(shallow_depth: int, deep_depth: int, plain: bool) -> Claim:
    shallow, deep = _name(shallow_depth, plain), _name(deep_depth, plain)

    def judge(cohort: Cohort) -> Finding:
        low, high = cohort[shallow].train_error, cohort[deep].train_error
        gap = difference(high, low)
        evidence = f"{deep} ends {against(gap)} {shallow} in training error ({high:.2f} against {low:.2f} %)."
        return judged((gap if plain else -gap) >= CLEAR, f"{high:.2f} against {low:.2f} %", evidence)

    word = "higher" if plain else "lower"
    return Claim(
        id=f"figure6-{'plain' if plain else 'residual'}-{shallow_depth}-{deep_depth}",
        group=PLAIN if plain else RESIDUAL,
        text=f"{deep} ends with a {word} training error than {shallow}.",
        source="Figure 6, " + ("left" if plain else "right"),
        paper=word,
        criterion=f"{word.capitalize()} by at least {CLEAR:g} points.",
        needs=(shallow, deep),
        judge=judge,
    )


def _plain_110() -> Claim:
    name, bound = _name(110, True), paper.PLAIN_110_BOUND

    def judge(cohort: Cohort) -> Finding:
        net = cohort[name]
        train, test = net.train_error, net.test_error
        evidence = f"{name} ends at {train:.2f} % training and {test:.2f} % test error."
        return judged(min(train, test) > bound, f"{train:.2f} % training, {test:.2f} % test", evidence)

    criterion = f"Its final training and test error are both above {bound:g} %; the paper's is after its full schedule."
    text = f"{name} stays above {bound:g} % error."
    return Claim("figure6-plain-110", PLAIN, text, "caption of Figure 6", f"{paper.PLAIN_110.text} %", criterion, (name,), judge)


def _twins(depth: int) -> Claim:
    plain, residual = _name(depth, True), _name(depth, False)

    def judge(cohort: Cohort) -> Finding:
        ours, other = cohort[residual], cohort[plain]
        train, test = difference(ours.train_error, other.train_error), difference(ours.test_error, other.test_error)
        evidence = (
            f"{residual} ends {against(train)} {plain} in training error ({ours.train_error:.2f} against {other.train_error:.2f} %) and "
            f"{against(test)} it in test error ({ours.test_error:.2f} against {other.test_error:.2f} %)."
        )
        return judged(max(train, test) <= -CLEAR, f"test {ours.test_error:.2f} against {other.test_error:.2f} %", evidence)

    return Claim(
        id=f"figure6-twins-{depth}",
        group=TWINS,
        text=f"{residual} has lower errors than {plain}.",
        source="Figure 6, by its curves",
        paper="lower",
        criterion=f"Training and test error are both lower, each by at least {CLEAR:g} points.",
        needs=(plain, residual),
        judge=judge,
    )


def _warmup() -> Claim:
    name = _name(WARMED_UP, False)
    about, low, high = paper.WARMUP_ITERATIONS, paper.WARMUP_ITERATIONS // WARMUP_FACTOR, paper.WARMUP_ITERATIONS * WARMUP_FACTOR
    rate = Recipe().warmup_learning_rate

    def judge(cohort: Cohort) -> Finding:
        net = cohort[name]
        rows = [row for row in net.rows("train") if row.get("learning_rate") is not None]
        warm = [row for row in rows if math.isclose(row["learning_rate"], rate)]
        # The rate of the schedule comes down to the warm-up's later on: only the rows before its first change are the warm-up's.
        after = next((row for row in rows if row["learning_rate"] > rate * 1.001), None)
        if net.config.recipe.warmup == "none":
            return Finding("–", NOT_RUN, f"{name} ({net.id}) was trained without a warm-up.")
        if warm and after is None:
            return judged(False, "did not end", f"The rate was {rate:g} to the last record of {name}: its warm-up did not end.")
        if not warm or warm[0]["iteration"] > after["iteration"]:
            return judged(False, "no warm-up", f"The records of {name} show no stretch at a rate of {rate:g} before a higher one.")
        last = max(row["iteration"] for row in warm if row["iteration"] < after["iteration"])
        first = after["iteration"]
        holds = first >= low and last <= high
        evidence = (
            f"The rate was {rate:g} up to iteration {last:,} at least and {after['learning_rate']:g} at {first:,} at the latest, where the "
            f"training error since the record before was {after['train_error']:.1f} %."
        )
        return judged(holds, f"{last:,} to {first:,} iterations", evidence)

    return Claim(
        id="section4.2-warmup",
        group=WARMUP,
        text=(
            f"{name} trains at {rate:g} for about {about} iterations, until its training error is under {paper.WARMUP_ERROR:g} %, then at "
            f"{Recipe().learning_rate:g}."
        ),
        source="section 4.2",
        paper=f"about {about} iterations",
        criterion=f"By the recorded rates it ended between {low} and {high} iterations: {about} within a factor of {WARMUP_FACTOR}.",
        needs=(name,),
        judge=judge,
    )


_NEIGHBOURS = ((20, 56), (20, 32), (32, 44), (44, 56))
CLAIMS: tuple[Claim, ...] = (
    *(_pair(shallow, deep, True) for shallow, deep in _NEIGHBOURS),
    _plain_110(),
    *(_pair(shallow, deep, False) for shallow, deep in (*_NEIGHBOURS, (56, 110))),
    *(_twins(depth) for depth in (20, 32, 44, 56, 110)),
    _warmup(),
)
