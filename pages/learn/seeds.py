"""The seed bank for a class: a seed for each viewer, its curves before those of all, the gaps, and how many seeds a claim needs."""

from __future__ import annotations

import functools
import math
import random

import streamlit as st

from pages.learn import parts
from pages.learn.scene import Scene
from pages.ui import links
from pages.ui.linked import BANK_SEED
from resnet_core.architectures import parse
from resnet_core.claims import seed_bank, signs
from resnet_core.claims.seed_bank import ERRORS, PAIRS, Banked, Compared, bank, compared
from resnet_core.errors import DataError
from resnet_core.experiments import Table
from resnet_core.figures.seeds import ClassCurves, class_curves, class_figure, gaps_figure, power_figure
from resnet_core.figures.series import RunRecords
from resnet_core.language import mark, tr
from resnet_core.lessons import Show

#: Percent, of the slider: how often the deeper net ends worse.
LOW, HIGH, FIRST = 60, 100, 80
#: The curve of the power goes so far behind the number that is needed.
_BEHIND = 1.35


@functools.cache
def _curves() -> tuple[ClassCurves, ...]:
    return tuple(class_curves([_as_run(one) for nets in bank().values() for one in nets.values()]))


def _as_run(one: Banked) -> RunRecords:
    ended = {"train_error": one.train_error, "test_error": one.test_error, "clean_train_error": one.clean_error}
    key = f"bank-{one.config.model.name}-{one.config.recipe.seed}"
    return RunRecords(key, one.config.name, one.config, [dict(row) for row in one.records], "finished", one.precision, ended)


def your_seed() -> int:
    """The viewer's seed: that of the link, else one that was drawn for this session.

    Raises:
        DataError: no bank ships.
    """
    seeds = [str(seed) for seed in bank()]
    if not seeds:
        raise DataError(mark("No records of the seed bank are here."))
    asked = BANK_SEED.current(lambda: [random.choice(seeds)])
    return int(asked[0]) if asked and asked[0] in seeds else int(seeds[0])


def pick(scene: Scene) -> int:
    """The viewer's seed, with what changes it; in the presenter view without."""
    links.check_choice("seed", tr("the seed"), map(str, bank()))
    seed, key = your_seed(), f"{scene.key}.seed"
    if scene.presented:
        return seed

    def other() -> None:
        BANK_SEED.choose([str(st.session_state[key])])

    def draw() -> None:
        BANK_SEED.choose([str(random.choice([each for each in bank() if each != seed] or [seed]))])

    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.session_state[key] = seed
        st.selectbox(tr("Your seed"), list(bank()), key=key, on_change=other, width=140)
        st.button(tr("Draw another"), icon=":material/casino:", key=f"{key}.draw", on_click=draw)
    return seed


def yours(show: Show, scene: Scene) -> None:
    """Draws the viewer's four curves before mean and range of all."""
    seed = pick(scene)
    parts.chart(lambda dark: class_figure(_curves(), seed, dark), scene)
    nets = bank()[seed]
    ends = ", ".join(f"{net} {nets[net].clean_error:.1f} %" for pair in PAIRS.values() for net in pair)
    tests = ", ".join(f"{net} {nets[net].test_error:.1f} %" for pair in PAIRS.values() for net in pair)
    parts.finding(tr("Seed {seed}: clean training error at the end {ends}; test error {tests}.", seed=seed, ends=ends, tests=tests))
    smoothed = tr("Training error: a moving mean over 5 % of each run.")
    parts.said(show.caption, tr("All seeds: {conditions}.", conditions=seed_bank.conditions(bank())), smoothed, _where(nets["plain-56"]))


def _where(one: Banked) -> str:
    source = tr("{date}, on {machine}, at commit {commit}", date=one.date, machine=one.machine, commit=one.commit[:10])
    return tr("Recorded {source}.", source=source)


def gaps(show: Show, scene: Scene) -> None:
    """Draws a dot for each seed, and says what the seeds say; the viewer's own is ringed."""
    error = show.arguments.get("error", "clean")
    if error not in ERRORS:
        raise DataError(mark("{error} is no error of the seed bank; they are {errors}."), error=error, errors=", ".join(ERRORS))
    found, seed = [compared(bank(), family, error) for family in PAIRS], your_seed()
    rows = {(parse(each.shallow), parse(each.deep)): each.gaps for each in found}
    parts.chart(lambda dark: gaps_figure(rows, tr(ERRORS[error]), seed, dark), scene, fixed=True)
    for each in found:
        parts.finding(seed_bank.sentence(each))
    how = tr(
        "Dots of one place stand above one another; a triangle is a mean. Two-sided exact sign test; seeds that end equal are left out."
    )
    parts.said(show.caption, how)
    parts.numbers(_table(found), scene)


def _table(found: list[Compared]) -> Table:
    head = (tr("seed"), *(f"{each.deep} − {each.shallow}" for each in found))
    return Table(head, tuple((seed, *(each.gaps[seed] for each in found)) for seed in found[0].gaps))


def needed(show: Show, scene: Scene) -> None:
    """Draws the power of the sign test by the number of seeds, for a probability that the viewer sets."""
    percent = FIRST if scene.presented else _probability(scene)
    found = signs.seeds_needed(percent / 100)
    assert found is not None  # the slider begins above 1/2
    powers = [signs.power(n, percent / 100) for n in range(1, math.ceil(found.lasting * _BEHIND) + 4)]
    guess = scene.answer if isinstance(scene.answer, (int, float)) else None
    parts.chart(lambda dark: power_figure(powers, signs.POWER, found.lasting, guess, dark), scene)
    least = signs.least_worse(found.lasting)
    parts.finding(
        tr(
            "If the deeper net ends worse with {percent} of 100 seeds, it takes {lasting} seeds: {least} of them must end worse, and this "
            "happens with a probability of {power:.0f} % (two-sided sign test at {alpha:g}).",
            percent=percent,
            lasting=found.lasting,
            least=least,
            power=100 * signs.power(found.lasting, percent / 100),
            alpha=signs.ALPHA,
        )
    )
    early = tr(
        "{first} seeds reach {target:.0f} % first; but some larger number falls below it again, where one more seed must end worse.",
        first=found.first,
        target=100 * signs.POWER,
    )
    parts.said(show.caption, early if found.first < found.lasting else "", _estimated())


def _probability(scene: Scene) -> int:
    label = tr("With how many of 100 seeds does the deeper net end worse?")
    return int(st.slider(label, LOW, HIGH, FIRST, key=f"{scene.key}.probability", help=tr("Seeds that end equal are left out.")))


def _estimated() -> str:
    """What the bank says of that probability, for the nets that its seeds allow to."""
    told = []
    for family, error in (("plain", "clean"), ("residual", "test")):
        found = compared(bank(), family, error)
        n = found.worse + found.better
        low, high = signs.interval(found.worse, n)
        told.append(
            tr(
                "{deep} above {shallow} in {error}: {worse} of {n}, so between {low:.0f} and {high:.0f} of 100 (95 % confidence).",
                deep=found.deep,
                shallow=found.shallow,
                error=tr(ERRORS[error]),
                worse=found.worse,
                n=n,
                low=100 * low,
                high=100 * high,
            )
        )
    return tr("In the seed bank: {told} {conditions}.", told=" ".join(told), conditions=seed_bank.conditions(bank()))


PARTS = {"yours": yours, "gaps": gaps, "needed": needed}


def draw(show: Show, scene: Scene) -> None:
    """Draw one of ``PARTS``.

    Raises:
        DataError: it is none, or no bank ships.
    """
    if show.arguments["part"] not in PARTS:
        names = ", ".join(PARTS)
        raise DataError(mark("The seed bank shows no {part}; what it shows is {names}."), part=show.arguments["part"], names=names)
    PARTS[show.arguments["part"]](show, scene)
