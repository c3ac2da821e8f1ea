"""Figure 6 of He et al. 2016: plain nets get worse with depth on the very images they are trained on, residual nets get better."""

from __future__ import annotations

import math

from resnet_core import noise, paper
from resnet_core.architectures import ResNetConfig
from resnet_core.claims.claim import NOT_RUN, Claim, Finding, judged, judged_by_signs, margin
from resnet_core.claims.material import UNWARMED, WARMED_UP, Cohort
from resnet_core.claims.table6 import against, chain_judges
from resnet_core.config import Recipe
from resnet_core.language import mark, tr

PLAIN, RESIDUAL, TWINS = (
    mark("Figure 6, left: plain nets"),
    mark("Figure 6, middle: residual nets"),
    mark("Figure 6: residual against plain"),
)
OVERFITTING = mark("Sections 1 and 4.1: it is not overfitting")
SHORTCUTS = mark("Table 3: shortcuts A, B and C")
WARMUP = mark("Section 4.2: ResNet-110 is warmed up")
#: Said once beside the claims on training errors.
WHY_SCHEDULE = mark(
    "The paper's curves are of its full schedule. A shorter one enlarges the gap between a deep plain "
    "net and a shallow one: the deep one learns more slowly too."
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
        ours = tr("{deep} against {shallow}", deep=cohort.shown(deep, "train"), shallow=cohort.shown(shallow, "train"))
        evidence = tr(
            "{deep} ends {against} {shallow} in training error; up to {margin} points could be luck.",
            deep=deep,
            against=against(gap.points),
            shallow=shallow,
            margin=margin(gap),
        )
        return judged_by_signs([gap.sign if plain else -gap.sign], ours, evidence)

    higher = mark("{deep} ends with a higher training error than {shallow}.", deep=deep, shallow=shallow)
    lower = mark("{deep} ends with a lower training error than {shallow}.", deep=deep, shallow=shallow)
    return Claim(
        id=f"figure6-{'plain' if plain else 'residual'}-{shallow_depth}-{deep_depth}",
        group=PLAIN if plain else RESIDUAL,
        text=higher if plain else lower,
        source=mark("Figure 6, left") if plain else mark("Figure 6, middle"),
        paper=mark("higher") if plain else mark("lower"),
        criterion=mark("Higher by more than twice the standard error of the difference.")
        if plain
        else mark("Lower by more than twice the standard error of the difference."),
        needs=(shallow, deep),
        judge=judge,
    )


def _plain_test_errors() -> Claim:
    names = tuple(_name(depth, True) for depth in _PLAIN_DEPTHS)
    judge, partial = chain_judges(names, "test", 1)
    text = mark("The deeper the plain net, the higher its test error, from 20 to 56 layers.")
    criterion = mark(
        "Each net's final test error is above that of the next shallower one, by more than twice the difference's standard error."
    )
    return Claim("figure6-plain-test", PLAIN, text, mark("Figures 1 and 6, left"), mark("rising"), criterion, names, judge, partial)


def _paired(cohort: Cohort, a: str, b: str, end: float = math.inf) -> list[tuple[float, float]]:
    """The training errors of both nets in each record that both have, up to iteration ``end``."""
    ours, theirs = ({row["iteration"]: row["train_error"] for row in cohort[name].rows("train")} for name in (a, b))
    return [(ours[at], theirs[at]) for at in sorted(set(ours) & set(theirs)) if at <= end]


def _throughout() -> Claim:
    shallow, deep = _name(20, True), _name(56, True)

    def judge(cohort: Cohort) -> Finding:
        pairs = _paired(cohort, shallow, deep)
        if not pairs:
            return Finding("–", NOT_RUN, tr("The records of {shallow} and {deep} have no iteration in common.", shallow=shallow, deep=deep))
        higher = sum(theirs > ours for ours, theirs in pairs)
        evidence = tr(
            "The training error of {deep} is the higher one in {higher:,} of {pairs:,} records.", deep=deep, higher=higher, pairs=len(pairs)
        )
        return judged(higher == len(pairs), tr("{higher:,} of {pairs:,} records", higher=higher, pairs=len(pairs)), evidence)

    return Claim(
        id="section4.1-throughout",
        group=PLAIN,
        text=mark("{deep} has a higher training error than {shallow} throughout the training.", deep=deep, shallow=shallow),
        source=mark("section 4.1 (there of the ImageNet nets)"),
        paper=mark("throughout"),
        criterion=mark("Higher in every record of the training."),
        needs=(shallow, deep),
        judge=judge,
    )


def _plain_110() -> Claim:
    name, bound = _name(110, True), paper.PLAIN_110_BOUND

    def judge(cohort: Cohort) -> Finding:
        train, test = cohort.mean(name, "train"), cohort.mean(name, "test")
        evidence = tr("{name} ends at {train:.2f} % training and {test:.2f} % test error.", name=name, train=train, test=test)
        return judged(min(train, test) > bound, tr("{train:.2f} % training, {test:.2f} % test", train=train, test=test), evidence)

    criterion = mark("Its final training and test error are both above {bound:g} %; the paper's is after its full schedule.", bound=bound)
    text = mark("{name} stays above {bound:g} % error.", name=name, bound=bound)
    return Claim("figure6-plain-110", PLAIN, text, mark("caption of Figure 6"), f"{paper.PLAIN_110.text} %", criterion, (name,), judge)


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
        change = tr(
            "From {names} to {names2} it shrinks by {points:.1f} ({margin}).",
            names=names[0],
            names2=names[-1],
            points=whole.points,
            margin=margin(whole),
        )
        evidence = tr("Test minus training error, in points: {ours}. {change}", ours=ours, change=change)
        return judged_by_signs([whole.sign, *(sign for sign in steps if sign < 0)], ours, evidence)

    return Claim(
        id="section1-not-overfitting",
        group=OVERFITTING,
        text=mark("That deeper plain nets are worse is not caused by overfitting."),
        source=mark("sections 1 and 4.1"),
        paper=mark("not caused by it"),
        criterion=(
            mark(
                "Overfitting means a larger gap between test and training error. The gap of the deepest plain net is "
                "clearly smaller than that of the shallowest, and no step between neighbours is clearly the other "
                "way round."
            )
        ),
        needs=names,
        judge=judge,
    )


def _twins(depth: int) -> Claim:
    plain, residual = _name(depth, True), _name(depth, False)

    def judge(cohort: Cohort) -> Finding:
        gaps = {kind: cohort.difference(residual, plain, kind) for kind in _BOTH}
        evidence = " ".join(
            tr(
                mark("{residual} ends {against} {plain} in training error ({residual2:.2f} against {plain2:.2f} %, {margin}).")
                if kind == "train"
                else mark("{residual} ends {against} {plain} in test error ({residual2:.2f} against {plain2:.2f} %, {margin})."),
                residual=residual,
                against=against(gap.points),
                plain=plain,
                residual2=cohort.mean(residual, kind),
                plain2=cohort.mean(plain, kind),
                margin=margin(gap),
            )
            for kind, gap in gaps.items()
        )
        ours = tr("test {residual} against {plain}", residual=cohort.shown(residual, "test"), plain=cohort.shown(plain, "test"))
        return judged_by_signs([-gap.sign for gap in gaps.values()], ours, evidence)

    return Claim(
        id=f"figure6-twins-{depth}",
        group=TWINS,
        text=mark("{residual} has lower errors than {plain}.", residual=residual, plain=plain),
        source=mark("Figure 6, by its curves"),
        paper=mark("lower"),
        criterion=mark("Training and test error are both lower, each by more than twice the standard error of the difference."),
        needs=(plain, residual),
        judge=judge,
    )


def _faster() -> Claim:
    plain, residual = _name(20, True), _name(20, False)

    def judge(cohort: Cohort) -> Finding:
        end = cohort[plain].config.recipe.milestones[0] * cohort[plain].config.recipe.iterations
        pairs = _paired(cohort, plain, residual, end)
        if not pairs:
            return Finding(
                "–",
                NOT_RUN,
                tr(
                    "The records of {plain} and {residual} have no iteration in common before the rate falls.",
                    plain=plain,
                    residual=residual,
                ),
            )
        lower = sum(theirs < ours for ours, theirs in pairs)
        evidence = tr(
            "Until the rate falls, the training error of {residual} is the lower one in {lower:,} of {pairs:,} records.",
            residual=residual,
            lower=lower,
            pairs=len(pairs),
        )
        return judged(lower >= FASTER * len(pairs), tr("{lower:,} of {pairs:,} records", lower=lower, pairs=len(pairs)), evidence)

    return Claim(
        id="section4.1-faster",
        group=TWINS,
        text=mark(
            "Where plain nets are not overly deep, the residual net converges faster: {residual} against {plain}.",
            residual=residual,
            plain=plain,
        ),
        source=mark("section 4.1 (there of the 18-layer ImageNet nets)"),
        paper=mark("faster"),
        criterion=mark(
            "Its training error is lower in at least {faster:.0%} of the records before the learning rate first falls.", faster=FASTER
        ),
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
        evidence = tr(
            "The highest and the lowest test error are {apart:.2f} points apart; up to {margin} points could be luck.",
            apart=apart,
            margin=margin(widest),
        )
        return judged(apart <= SHORTCUTS_WITHIN, ours, evidence)

    return Claim(
        id="table3-shortcuts",
        group=SHORTCUTS,
        text=mark("Options A, B and C differ little, so projections are not essential for addressing degradation."),
        source=mark("Table 3 and section 4.1 (there ResNet-34 on ImageNet)"),
        paper="25.03, 24.52, 24.19 %",
        criterion=mark(
            "The test errors of ResNet-20 with A, B and C are at most {shortcuts_within:g} points apart, as in Table 3.",
            shortcuts_within=SHORTCUTS_WITHIN,
        ),
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
            return judged(
                False, "never", tr("The training error of {name} was never below {converging:g} %.", name=name, converging=CONVERGING)
            )
        epochs = first * net.config.recipe.batch_size / net.config.data.train_images
        evidence = tr(
            "Its training error was first below {converging:g} % after {epochs:.1f} epochs; it ends at {end:.2f} % test error.",
            converging=CONVERGING,
            epochs=epochs,
            end=end,
        )
        return judged(epochs >= 1, tr("after {epochs:.1f} epochs", epochs=epochs), evidence)

    return Claim(
        id="section4.2-without-warmup",
        group=WARMUP,
        text=mark(
            "With a rate of {learning_rate:g} from the start, ResNet-110 starts converging only after several epochs.",
            learning_rate=Recipe().learning_rate,
        ),
        source=mark("section 4.2, footnote 5"),
        paper=mark("several epochs"),
        criterion=mark("Its training error is first below {converging:g} % after one epoch or more.", converging=CONVERGING),
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
            return judged(
                False,
                tr("did not end"),
                tr("The rate was {rate:g} to the last record of {name}: its warm-up did not end.", rate=rate, name=name),
            )
        if after is None or not warm or warm[0]["iteration"] > after["iteration"]:
            return judged(
                False,
                tr("no warm-up"),
                tr("The records of {name} show no stretch at a rate of {rate:g} before a higher one.", name=name, rate=rate),
            )
        last = max(row["iteration"] for row in warm if row["iteration"] < after["iteration"])
        first = after["iteration"]
        holds = first >= low and last <= high
        evidence = tr(
            "The rate was {rate:g} up to iteration {last:,} at least and {learning_rate:g} at {first:,} at the "
            "latest, where the training error since the record before was {train_error:.1f} %.",
            rate=rate,
            last=last,
            learning_rate=after["learning_rate"],
            first=first,
            train_error=after["train_error"],
        )
        return judged(holds, tr("{last:,} to {first:,} iterations", last=last, first=first), evidence)

    return Claim(
        id="section4.2-warmup",
        group=WARMUP,
        text=(
            mark(
                "{name} trains at {rate:g} for about {about} iterations, until its training error is under "
                "{warmup_error:g} %, then at {learning_rate:g}.",
                name=name,
                rate=rate,
                about=about,
                warmup_error=paper.WARMUP_ERROR,
                learning_rate=Recipe().learning_rate,
            )
        ),
        source=mark("section 4.2"),
        paper=mark("about {about} iterations", about=about),
        criterion=mark(
            "By the recorded rates it ended between {low} and {high} iterations: {about} within a factor of {warmup_factor}.",
            low=low,
            high=high,
            about=about,
            warmup_factor=WARMUP_FACTOR,
        ),
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
