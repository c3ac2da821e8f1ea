"""Figure 6 of He et al. 2016: plain nets get worse with depth on the very images they are trained on, residual nets get better."""

from __future__ import annotations

import math

from resnet_core import noise, paper
from resnet_core.architectures import ResNetConfig
from resnet_core.claims.claim import NOT_RUN, Claim, Finding, judged, judged_by_signs, margin
from resnet_core.claims.material import UNWARMED, WARMED_UP, Cohort
from resnet_core.claims.table6 import against, chain_judges
from resnet_core.config import Recipe

PLAIN, RESIDUAL, TWINS = "Figure 6, left: plain nets", "Figure 6, middle: residual nets", "Figure 6: residual against plain"
OVERFITTING = "Sections 1 and 4.1: it is not overfitting"
SHORTCUTS = "Table 3: shortcuts A, B and C"
WARMUP = "Section 4.2: ResNet-110 is warmed up"
#: Said once beside the claims on training errors.
WHY_SCHEDULE = (
    "The paper's curves are of its full schedule. A shorter one enlarges the gap between a deep plain net and a shallow one: the deep one "
    "learns more slowly too."
)
#: The number of iterations of the warm-up may be smaller or larger than the paper's by this factor: it says "about".
WARMUP_FACTOR = 2
#: A net whose training error is lower in so many of the records until the rate falls converges faster.
FASTER = 0.95
_BOTH = ("train", "test")
#: The plain nets that ship in the order of their depths.
_PLAIN_DEPTHS = (20, 32, 44, 56)
#: In percent: an error that a net has to come below to be called converging (He et al. 2016, section 4.2, footnote 5).
CONVERGING = 90.0
#: Table 3 has 0.84 points between options A and C on ImageNet, of 25 %; here as much is allowed of a part of that error.
SHORTCUTS_WITHIN = 0.84


def _name(depth: int, plain: bool) -> str:
    return ResNetConfig(depth, "none" if plain else "A").name


def _pair(shallow_depth: int, deep_depth: int, plain: bool) -> Claim:
    shallow, deep = _name(shallow_depth, plain), _name(deep_depth, plain)

    def judge(cohort: Cohort) -> Finding:
        gap = cohort.difference(deep, shallow, "train")
        ours = f"{cohort.shown(deep, 'train')} against {cohort.shown(shallow, 'train')}"
        evidence = f"{deep} ends {against(gap.points)} {shallow} in training error; up to {margin(gap)} points could be luck."
        return judged_by_signs([gap.sign if plain else -gap.sign], ours, evidence)

    word = "higher" if plain else "lower"
    return Claim(
        id=f"figure6-{'plain' if plain else 'residual'}-{shallow_depth}-{deep_depth}",
        group=PLAIN if plain else RESIDUAL,
        text=f"{deep} ends with a {word} training error than {shallow}.",
        source="Figure 6, " + ("left" if plain else "middle"),
        paper=word,
        criterion=f"{word.capitalize()} by more than twice the standard error of the difference.",
        needs=(shallow, deep),
        judge=judge,
    )


def _plain_test_errors() -> Claim:
    names = tuple(_name(depth, True) for depth in _PLAIN_DEPTHS)
    judge, partial = chain_judges(names, "test", 1)
    text = "The deeper the plain net, the higher its test error, from 20 to 56 layers."
    criterion = "Each net's final test error is above that of the next shallower one, by more than twice the difference's standard error."
    return Claim("figure6-plain-test", PLAIN, text, "Figures 1 and 6, left", "rising", criterion, names, judge, partial)


def _paired(cohort: Cohort, a: str, b: str, end: float = math.inf) -> list[tuple[float, float]]:
    """The training errors of both nets in each record that both have, up to iteration ``end``."""
    ours, theirs = ({row["iteration"]: row["train_error"] for row in cohort[name].rows("train")} for name in (a, b))
    return [(ours[at], theirs[at]) for at in sorted(set(ours) & set(theirs)) if at <= end]


def _throughout() -> Claim:
    shallow, deep = _name(20, True), _name(56, True)

    def judge(cohort: Cohort) -> Finding:
        pairs = _paired(cohort, shallow, deep)
        if not pairs:
            return Finding("–", NOT_RUN, f"The records of {shallow} and {deep} have no iteration in common.")
        higher = sum(theirs > ours for ours, theirs in pairs)
        evidence = f"The training error of {deep} is the higher one in {higher:,} of {len(pairs):,} records."
        return judged(higher == len(pairs), f"{higher:,} of {len(pairs):,} records", evidence)

    return Claim(
        id="section4.1-throughout",
        group=PLAIN,
        text=f"{deep} has a higher training error than {shallow} throughout the training.",
        source="section 4.1 (there of the ImageNet nets)",
        paper="throughout",
        criterion="Higher in every record of the training.",
        needs=(shallow, deep),
        judge=judge,
    )


def _plain_110() -> Claim:
    name, bound = _name(110, True), paper.PLAIN_110_BOUND

    def judge(cohort: Cohort) -> Finding:
        train, test = cohort.mean(name, "train"), cohort.mean(name, "test")
        evidence = f"{name} ends at {train:.2f} % training and {test:.2f} % test error."
        return judged(min(train, test) > bound, f"{train:.2f} % training, {test:.2f} % test", evidence)

    criterion = f"Its final training and test error are both above {bound:g} %; the paper's is after its full schedule."
    text = f"{name} stays above {bound:g} % error."
    return Claim("figure6-plain-110", PLAIN, text, "caption of Figure 6", f"{paper.PLAIN_110.text} %", criterion, (name,), judge)


def _not_overfitting() -> Claim:
    names = tuple(_name(depth, True) for depth in _PLAIN_DEPTHS)

    def judge(cohort: Cohort) -> Finding:
        gaps = [cohort.mean(name, "test") - cohort.mean(name, "train") for name in names]
        sizes = [math.hypot(*(cohort.standard_error(name, kind) for kind in _BOTH)) for name in names]

        def shrinks(a: int, b: int) -> noise.Difference:
            return noise.Difference(gaps[a] - gaps[b], math.hypot(sizes[a], sizes[b]), 1)

        # From the shallowest to the deepest: overfitting would widen the gap. Steps between neighbours may be too small to tell.
        whole, steps = shrinks(0, -1), [shrinks(i, i + 1).sign for i in range(len(names) - 1)]
        ours = ", ".join(f"{name} {gap:.1f}" for name, gap in zip(names, gaps, strict=True))
        change = f"From {names[0]} to {names[-1]} it shrinks by {whole.points:.1f} ({margin(whole)})."
        evidence = f"Test minus training error, in points: {ours}. {change}"
        return judged_by_signs([whole.sign, *(sign for sign in steps if sign < 0)], ours, evidence)

    return Claim(
        id="section1-not-overfitting",
        group=OVERFITTING,
        text="That deeper plain nets are worse is not caused by overfitting.",
        source="sections 1 and 4.1",
        paper="not caused by it",
        criterion=(
            "Overfitting means a larger gap between test and training error. The gap of the deepest plain net is clearly smaller than that "
            "of the shallowest, and no step between neighbours is clearly the other way round."
        ),
        needs=names,
        judge=judge,
    )


def _twins(depth: int) -> Claim:
    plain, residual = _name(depth, True), _name(depth, False)

    def judge(cohort: Cohort) -> Finding:
        gaps = {kind: cohort.difference(residual, plain, kind) for kind in _BOTH}
        evidence = " ".join(
            f"{residual} ends {against(gap.points)} {plain} in {'training' if kind == 'train' else 'test'} error "
            f"({cohort.mean(residual, kind):.2f} against {cohort.mean(plain, kind):.2f} %, {margin(gap)})."
            for kind, gap in gaps.items()
        )
        ours = f"test {cohort.shown(residual, 'test')} against {cohort.shown(plain, 'test')}"
        return judged_by_signs([-gap.sign for gap in gaps.values()], ours, evidence)

    return Claim(
        id=f"figure6-twins-{depth}",
        group=TWINS,
        text=f"{residual} has lower errors than {plain}.",
        source="Figure 6, by its curves",
        paper="lower",
        criterion="Training and test error are both lower, each by more than twice the standard error of the difference.",
        needs=(plain, residual),
        judge=judge,
    )


def _faster() -> Claim:
    plain, residual = _name(20, True), _name(20, False)

    def judge(cohort: Cohort) -> Finding:
        end = cohort[plain].config.recipe.milestones[0] * cohort[plain].config.recipe.iterations
        pairs = _paired(cohort, plain, residual, end)
        if not pairs:
            return Finding("–", NOT_RUN, f"The records of {plain} and {residual} have no iteration in common before the rate falls.")
        lower = sum(theirs < ours for ours, theirs in pairs)
        evidence = f"Until the rate falls, the training error of {residual} is the lower one in {lower:,} of {len(pairs):,} records."
        return judged(lower >= FASTER * len(pairs), f"{lower:,} of {len(pairs):,} records", evidence)

    return Claim(
        id="section4.1-faster",
        group=TWINS,
        text=f"Where plain nets are not overly deep, the residual net converges faster: {residual} against {plain}.",
        source="section 4.1 (there of the 18-layer ImageNet nets)",
        paper="faster",
        criterion=f"Its training error is lower in at least {FASTER:.0%} of the records before the learning rate first falls.",
        needs=(plain, residual),
        judge=judge,
    )


def _shortcuts() -> Claim:
    names = tuple(ResNetConfig(20, shortcut).name for shortcut in ("A", "B", "C"))

    def judge(cohort: Cohort) -> Finding:
        errors = [cohort.mean(name, "test") for name in names]
        apart = max(errors) - min(errors)
        widest = cohort.difference(names[errors.index(max(errors))], names[errors.index(min(errors))], "test")
        ours = ", ".join(f"{name} {cohort.shown(name, 'test')}" for name in names)
        evidence = f"The highest and the lowest test error are {apart:.2f} points apart; up to {margin(widest)} points could be luck."
        return judged(apart <= SHORTCUTS_WITHIN, ours, evidence)

    return Claim(
        id="table3-shortcuts",
        group=SHORTCUTS,
        text="Options A, B and C differ little, so projections are not essential for addressing degradation.",
        source="Table 3 and section 4.1 (there ResNet-34 on ImageNet)",
        paper="25.03, 24.52, 24.19 %",
        criterion=f"The test errors of ResNet-20 with A, B and C are at most {SHORTCUTS_WITHIN:g} points apart, as in Table 3.",
        needs=names,
        judge=judge,
    )


def _unwarmed() -> Claim:
    name = _name(WARMED_UP, False) + UNWARMED

    def judge(cohort: Cohort) -> Finding:
        net = cohort[name]
        rows = net.rows("train")
        first = next((row["iteration"] for row in rows if row["train_error"] < CONVERGING), None)
        end = cohort.mean(name, "test")
        if first is None:
            return judged(False, "never", f"The training error of {name} was never below {CONVERGING:g} %.")
        epochs = first * net.config.recipe.batch_size / net.config.data.train_images
        evidence = f"Its training error was first below {CONVERGING:g} % after {epochs:.1f} epochs; it ends at {end:.2f} % test error."
        return judged(epochs >= 1, f"after {epochs:.1f} epochs", evidence)

    return Claim(
        id="section4.2-without-warmup",
        group=WARMUP,
        text=f"With a rate of {Recipe().learning_rate:g} from the start, ResNet-110 starts converging only after several epochs.",
        source="section 4.2, footnote 5",
        paper="several epochs",
        criterion=f"Its training error is first below {CONVERGING:g} % after one epoch or more.",
        needs=(name,),
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
        if warm and after is None:
            return judged(False, "did not end", f"The rate was {rate:g} to the last record of {name}: its warm-up did not end.")
        if after is None or not warm or warm[0]["iteration"] > after["iteration"]:
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
    _plain_test_errors(),
    _throughout(),
    _plain_110(),
    _not_overfitting(),
    *(_pair(shallow, deep, False) for shallow, deep in (*_NEIGHBOURS, (56, 110))),
    *(_twins(depth) for depth in (20, 32, 44, 56, 110)),
    _faster(),
    _shortcuts(),
    _warmup(),
    _unwarmed(),
)
