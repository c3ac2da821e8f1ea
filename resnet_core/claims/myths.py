"""What is often said of deep plain nets, each with a prediction, trainings of demo size that test it, and what their numbers say.

For example::

    bench = sorted_out(trained)          # trainings that have come to their end
    for myth in MYTHS:
        found = judged(myth, bench)      # a verdict, and the numbers behind it

A verdict holds for these nets, these images, this recipe and these seeds. Differences are judged by ``noise``.
"""

from __future__ import annotations

import dataclasses
import functools
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from resnet_core import noise
from resnet_core.architectures import parse
from resnet_core.architectures.table import complexity
from resnet_core.claims.inside import VANISHED, WHY_LARGE, largest_ratio, smallest_ratio
from resnet_core.config import DEMO_DATA, DEMO_RECIPE, RunConfig, Start
from resnet_core.language import mark, tr
from resnet_core.verdict import without_seed

CONTRADICTED, SUPPORTED, IN_PART, UNDECIDED, NOT_RUN = (
    mark("contradicted here"),
    mark("supported here"),
    mark("in part"),
    mark("undecided"),
    mark("not yet run"),
)
#: Blocks added to each stage when 20 layers become 56.
ROUNDS = 6


@dataclass(frozen=True)
class Training:
    """A training of demo size: ``net`` by the demo's recipe with some values changed, or grown from another training's net."""

    net: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    grown_from: str = ""

    def config(self, seed: int = 0) -> RunConfig:
        """Its configuration; of a grown net without the weights, which only its run has."""
        recipe = dataclasses.replace(DEMO_RECIPE, seed=seed, **self.changes)
        start = Start(self.grown_from, "", recipe.iterations, "") if self.grown_from else None
        return RunConfig(parse(self.net), DEMO_DATA, recipe, start)


_LONGER, _LOWER, _LOWEST = 3 * DEMO_RECIPE.iterations, DEMO_RECIPE.learning_rate / 3, DEMO_RECIPE.learning_rate / 10
#: What stands for a training in the texts -> it.
TRAININGS: dict[str, Training] = {
    **{name: Training(name) for name in ("plain-20", "plain-56", "ResNet-20", "ResNet-56", "plain-20-nobn", "plain-56-nobn")},
    mark("plain-56, 3 times as long"): Training("plain-56", {"iterations": _LONGER}),
    mark("plain-56, a third of the rate"): Training("plain-56", {"learning_rate": round(_LOWER, 6)}),
    mark("plain-56, a tenth of the rate"): Training("plain-56", {"learning_rate": round(_LOWEST, 6)}),
    mark("plain-56 grown from plain-20"): Training("plain-56", grown_from="plain-20"),
    mark("ResNet-56 grown from ResNet-20"): Training("ResNet-56", grown_from="ResNet-20"),
}


#: Of the moments at which gradients are looked at: more than this part is most of them, and up to that part is rare.
_MOST, _RARE = 0.5, 0.1
#: Trainings whose gradients are looked at.
WITH_LAYERS = ("plain-56", "ResNet-56", "plain-56-nobn")


@dataclass(frozen=True)
class Trained:
    """A training that came to its end: clean training error and test error in percent, and its rows."""

    id: str
    config: RunConfig
    clean_error: float
    test_error: float
    records: Sequence[Mapping[str, Any]] = field(default=(), repr=False)


#: Label of a training -> seed -> what came of it.
Bench = Mapping[str, Mapping[int, Trained]]


@dataclass(frozen=True)
class Finding:
    """A verdict, and the sentences with its numbers."""

    verdict: str
    evidence: str


@dataclass(frozen=True)
class Myth:
    """Something that is said.

    Attributes:
        key: of links; statement: as it is said; prediction: what would have to be seen if it were so.
        needs: labels in ``TRAININGS``.
        judge: what the trainings say, all of which are there.
        change: what would change the verdict; source: where it is said, or tested.
        curves: labels of the trainings whose curves are shown.
    """

    key: str
    statement: str
    prediction: str
    needs: tuple[str, ...]
    judge: Callable[[Bench], Finding]
    change: str
    source: str
    curves: tuple[str, ...]


@functools.cache
def _kinds() -> dict[RunConfig, str]:
    return {without_seed(training.config()): label for label, training in TRAININGS.items()}


def sorted_out(trained: Iterable[Trained]) -> dict[str, dict[int, Trained]]:
    """Sort trainings by what they stand for; of several with one seed the first counts, and others are left out."""
    found: dict[str, dict[int, Trained]] = {}
    for one in trained:
        if label := label_of(one.config):
            found.setdefault(label, {}).setdefault(one.config.recipe.seed, one)
    return found


def label_of(config: RunConfig) -> str | None:
    """What a training stands for in ``TRAININGS``, whatever its seed; None for any other."""
    return _kinds().get(without_seed(config))


def judged(myth: Myth, bench: Bench) -> Finding:
    """What the trainings say of a myth, over the seeds that all of those have that it needs."""
    seeds = set.intersection(*(set(bench.get(label, {})) for label in myth.needs))
    if not seeds:
        missing = [label for label in myth.needs if not bench.get(label)]
        return Finding(
            NOT_RUN,
            tr("Not trained yet: {missing}.", missing=", ".join(missing))
            if missing
            else tr("No seed has been trained in all of its nets."),
        )
    return myth.judge({label: {seed: bench[label][seed] for seed in sorted(seeds)} for label in myth.needs})


def _clean(bench: Bench, label: str) -> dict[int, float]:
    return {seed: one.clean_error for seed, one in bench[label].items()}


def _mean(bench: Bench, label: str, kind: str = "clean_error") -> float:
    return statistics.fmean(getattr(one, kind) for one in bench[label].values())


def _sign(bench: Bench, label: str, other: str) -> int:
    """1 where the first ends clearly higher in clean training error, -1 where clearly lower, 0 where seeds may explain it."""
    found = noise.difference(_clean(bench, label), _clean(bench, other), noise.seed_spread(TRAININGS[label].config()))
    return found.sign if found else 0


def _errors(bench: Bench, *labels: str) -> str:
    """``plain-20 0.0 %, plain-56 71.7 %``"""
    return ", ".join(f"{tr(label)} {_mean(bench, label):.1f} %" for label in labels)


def _overfitting(bench: Bench) -> Finding:
    sign = _sign(bench, "plain-56", "plain-20")
    tests = ", ".join(f"{label} {_mean(bench, label, 'test_error'):.1f} %" for label in ("plain-20", "plain-56"))
    evidence = tr(
        "Clean training error at the end: {errors}; test error: {tests}.", errors=_errors(bench, "plain-20", "plain-56"), tests=tests
    )
    if sign > 0:
        return Finding(
            CONTRADICTED, tr("{evidence} The deeper net does worse on the very images that it was trained on.", evidence=evidence)
        )
    worse = _mean(bench, "plain-56", "test_error") > _mean(bench, "plain-20", "test_error")
    return Finding(SUPPORTED if sign < 0 and worse else UNDECIDED, evidence)


def _rows(bench: Bench, label: str) -> list[Mapping[str, Any]]:
    """Statistics of the layers, of all seeds, where a gradient comes through the whole net."""
    rows = [row for one in bench[label].values() for row in one.records if row["kind"] == "layers" and row.get("gradient_norm")]
    return [row for row in rows if None not in row["gradient_norm"] and row["gradient_norm"][-1] > 0]


def _ratio(value: float) -> str:
    """``1/150``, ``4.1``, ``820``: two digits, so that what is below a bound does not read as the bound."""
    return f"1/{float(f'{1 / value:.2g}'):,g}" if 0 < value < 1 / 2 else f"{float(f'{value:.2g}'):,g}"


def _vanishing(bench: Bench) -> Finding:
    parts, share, first = [], {}, {}
    for label in WITH_LAYERS:
        rows = _rows(bench, label)
        if not rows:
            return Finding(
                NOT_RUN, tr("The records of {label} hold no statistics of the layers; train it again to have them.", label=label)
            )
        below = sum(smallest_ratio(dict(row))[0] < VANISHED for row in rows)
        smallest, layer = min(smallest_ratio(dict(row)) for row in rows)
        share[label] = below / len(rows)
        first[label] = max((largest_ratio(dict(row))[0] for row in rows if row["iteration"] == 0), default=0.0)
        parts.append(
            tr(
                "{label} at {below} of {rows} moments (smallest {ratio}, of {layer}; largest at initialisation {ratio2})",
                label=label,
                below=below,
                rows=len(rows),
                ratio=_ratio(smallest),
                layer=layer,
                ratio2=_ratio(first[label]),
            )
        )
    evidence = tr(
        "Some layer gets less than 1/{vanished:.0f} of the last convolution's gradient norm in {parts}.",
        vanished=1 / VANISHED,
        parts="; in ".join(parts),
    )
    if share["plain-56"] > _MOST:
        return Finding(SUPPORTED if share["ResNet-56"] <= _RARE else UNDECIDED, evidence)
    if first["plain-56"] > 1 / VANISHED:
        evidence += tr(
            " With batch normalisation the plain net's gradients are far too large at first, not too small. {why_large}",
            why_large=WHY_LARGE,
        )
    return Finding(CONTRADICTED if share["plain-56"] <= _RARE else IN_PART, evidence)


def _norm_alone(bench: Bench) -> Finding:
    with_norm, without = ("plain-20", "plain-56", "ResNet-56"), ("plain-20-nobn", "plain-56-nobn")
    evidence = tr(
        "Clean training error with it: {errors}; without it: {errors2}.",
        errors=_errors(bench, *with_norm),
        errors2=_errors(bench, *without),
    )
    if _sign(bench, "plain-56", "plain-20") <= 0:
        return Finding(UNDECIDED, evidence)
    needed = _sign(bench, "plain-20-nobn", "plain-20") > 0
    return Finding(CONTRADICTED, f"{evidence} {tr('It is needed here, and not enough.') if needed else tr('It is not enough.')}")


def _parameters(bench: Bench) -> Finding:
    counts = {label: complexity(parse(label)).params for label in ("plain-20", "plain-56", "ResNet-56")}
    told = ", ".join(f"{label} {count:,}" for label, count in counts.items())
    evidence = tr(
        "Parameters: {told} (shortcut A adds none). Clean training error: {errors}. Nets of the same number "
        "part ways, and the smaller plain net beats the larger one.",
        told=told,
        errors=_errors(bench, *counts),
    )
    apart = counts["plain-56"] == counts["ResNet-56"] and _sign(bench, "plain-56", "ResNet-56") > 0
    return Finding(CONTRADICTED if apart else UNDECIDED, evidence)


def _remedy(bench: Bench, remedies: Sequence[str]) -> Finding:
    """Whether the best of some other ways to train plain-56 brings it down to plain-20."""
    best = min(remedies, key=lambda label: _mean(bench, label))
    better, worse = _sign(bench, best, "plain-56") < 0, _sign(bench, best, "plain-20") > 0
    evidence = tr("Clean training error: {errors}.", errors=_errors(bench, "plain-20", "plain-56", *remedies))
    if not better:
        return Finding(
            CONTRADICTED if worse else UNDECIDED,
            tr("{evidence} No better than before, as far as the luck of a seed goes.", evidence=evidence),
        )
    if worse:
        return Finding(IN_PART, tr("{evidence} Better, and still clearly worse than the shallower net.", evidence=evidence))
    return Finding(
        SUPPORTED,
        tr(
            "{evidence} Clearly better, and not clearly worse than the shallower net: here the deep net is slow, not unable.",
            evidence=evidence,
        ),
    )


def _at_first(bench: Bench, label: str) -> float:
    """Training error of the first mini-batches on record, in percent."""
    rows = (next((row for row in one.records if row["kind"] == "train"), None) for one in bench[label].values())
    return statistics.fmean(row["train_error"] for row in rows if row)


def _capacity(bench: Bench) -> Finding:
    plain, residual = "plain-56 grown from plain-20", "ResNet-56 grown from ResNet-20"
    evidence = tr(
        "By construction there is one: {plain} begins as the very function of plain-20, with its {mean:.1f} "
        "% clean training error, where plain-56 from scratch ends at {mean2:.1f} %. Does training keep it? "
        "In the first mini-batches, normalised by their own statistics, it errs on {at_first:.1f} %, the "
        "residual one on {at_first2:.1f} %; trained on by the same recipe they end at {mean3:.1f} and "
        "{mean4:.1f} %.",
        plain=tr(plain),
        mean=_mean(bench, "plain-20"),
        mean2=_mean(bench, "plain-56"),
        at_first=_at_first(bench, plain),
        at_first2=_at_first(bench, residual),
        mean3=_mean(bench, plain),
        mean4=_mean(bench, residual),
    )
    if _sign(bench, plain, "plain-20") > 0:
        evidence += tr(" Training loses the plain net's solution.")
    there = _sign(bench, "plain-56", "plain-20") > 0
    return Finding(CONTRADICTED if there else UNDECIDED, evidence)


_HE = mark("He et al.: Deep Residual Learning for Image Recognition (CVPR 2016)")
_MORE = mark("more seeds; all of CIFAR-10 and the paper's schedule")
MYTHS: tuple[Myth, ...] = (
    Myth(
        "overfitting",
        mark("It is overfitting."),
        mark("If so, the deeper net fits the training images at least as well as the shallower one, and only its test error is higher."),
        ("plain-20", "plain-56"),
        _overfitting,
        mark("A clean training error of plain-56 that is no higher than that of plain-20: {more}.", more=_MORE),
        mark("{paper}, section 1: degradation is not caused by overfitting", paper=_HE),
        ("plain-20", "plain-56"),
    ),
    Myth(
        "vanishing",
        mark("The gradients vanish on their way back."),
        mark(
            "If so, at most moments of the training some layer of plain-56 gets less than 1/{times:.0f} of the last convolution's "
            "gradient norm, and hardly ever one of ResNet-56. Up to a tenth of the moments is rare.",
            times=1 / VANISHED,
        ),
        WITH_LAYERS,
        _vanishing,
        mark(
            "Norms say how large gradients are, not how useful: see the experiment on shattered gradients. Nets "
            "without normalisation and with other initialisations are another matter."
        ),
        mark("What most pages on the web teach; {paper}, section 4.1: these plain nets are unlikely to suffer from it", paper=_HE),
        WITH_LAYERS,
    ),
    Myth(
        "normalisation",
        mark("Batch normalisation alone would do."),
        mark("If so, plain-56, with batch normalisation after each convolution, ends as low as plain-20."),
        ("plain-20", "plain-56", "ResNet-56", "plain-20-nobn", "plain-56-nobn"),
        _norm_alone,
        mark("Plain-56 as low as plain-20: {more}; another place or kind of normalisation.", more=_MORE),
        mark("Ioffe, Szegedy: Batch Normalization (ICML 2015), which made deeper plain nets trainable; the paper's plain nets have it"),
        ("plain-20", "plain-56", "plain-20-nobn", "plain-56-nobn", "ResNet-56"),
    ),
    Myth(
        "parameters",
        mark("The residual net has more parameters."),
        mark("If so, the net that ends lower is the one with more parameters."),
        ("plain-20", "plain-56", "ResNet-56"),
        _parameters,
        mark("Shortcuts B and C do add some; the comparison is with A, which adds none."),
        mark("{paper}, section 3.3", paper=_HE),
        ("plain-20", "plain-56", "ResNet-56"),
    ),
    Myth(
        "longer",
        mark("Train it longer."),
        mark("If so, plain-56 ends as low as plain-20 after three times as many iterations ({longer:,}).", longer=_LONGER),
        ("plain-20", "plain-56", "plain-56, 3 times as long"),
        lambda bench: _remedy(bench, ("plain-56, 3 times as long",)),
        mark("More seeds, more images. On ImageNet three times as many iterations did not help plain-34."),
        mark("{paper}, footnote 3", paper=_HE),
        ("plain-20", "plain-56", "plain-56, 3 times as long"),
    ),
    Myth(
        "rate",
        mark("A lower learning rate would do."),
        mark("If so, plain-56 ends as low as plain-20 with a third or a tenth of the rate."),
        ("plain-20", "plain-56", "plain-56, a third of the rate", "plain-56, a tenth of the rate"),
        lambda bench: _remedy(bench, ("plain-56, a third of the rate", "plain-56, a tenth of the rate")),
        mark("A finer search of rates, or a longer training at a low one; more seeds."),
        mark("A common first answer to a net that does not train"),
        ("plain-20", "plain-56", "plain-56, a third of the rate", "plain-56, a tenth of the rate"),
    ),
    Myth(
        "capacity",
        mark("A deeper plain net cannot represent what the shallower one does."),
        mark("If so, there is no 56-layer plain net with the training error of plain-20."),
        ("plain-20", "plain-56", "ResNet-20", "plain-56 grown from plain-20", "ResNet-56 grown from ResNet-20"),
        _capacity,
        mark(
            "That it exists is exact (the experiment on identity by construction). What training makes of it "
            "hangs on rate and length: more seeds, a lower rate."
        ),
        mark("{paper}, section 1: the existence of this constructed solution", paper=_HE),
        ("plain-20", "plain-56", "plain-56 grown from plain-20", "ResNet-56 grown from ResNet-20"),
    ),
)
