"""The myth bench: what trainings stand for, verdicts from numbers that are made up, and those of the records that ship."""

from __future__ import annotations

import dataclasses

import pytest

from pages.myths import bench as pages_bench
from resnet_core.claims import myths
from resnet_core.claims.myths import CONTRADICTED, IN_PART, MYTHS, NOT_RUN, SUPPORTED, TRAININGS, UNDECIDED, Trained
from resnet_core.config import RunConfig, demo_configs

BY_KEY = {myth.key: myth for myth in MYTHS}


def trained(label: str, clean: float, test: float = 70.0, seed: int = 0, layers: list[float | None] | None = None) -> Trained:
    config = TRAININGS[label].config(seed)
    norms = layers or []
    rows: list[dict] = [{"kind": "train", "iteration": 1, "train_error": 62.5}]
    if norms:
        rows.append({"kind": "layers", "iteration": 0, "names": [f"layer{i}" for i in range(len(norms))], "gradient_norm": norms})
    return Trained(f"{label} {seed}", config, clean, test, rows)


def verdict(key: str, *runs: Trained) -> str:
    return myths.judged(BY_KEY[key], myths.sorted_out(runs)).verdict


def test_every_myth_is_whole():
    assert len(BY_KEY) == len(MYTHS) >= 6
    for myth in MYTHS:
        assert set(myth.needs) <= set(TRAININGS) and set(myth.curves) <= set(myth.needs)
        assert myths.judged(myth, {}).verdict == NOT_RUN and myth.needs[0] in myths.judged(myth, {}).evidence
        assert myth.prediction.startswith("If so, ") and myth.change and myth.source


def test_trainings_are_those_of_the_demo_and_told_apart():
    assert [TRAININGS[name].config() for name in ("plain-20", "plain-56", "ResNet-20", "ResNet-56")] == demo_configs()
    for label, training in TRAININGS.items():
        assert myths.label_of(training.config(5)) == label
    assert myths.label_of(RunConfig()) is None
    longer = TRAININGS["plain-56, 3 times as long"].config().recipe
    assert longer.iterations == 3 * demo_configs()[0].recipe.iterations
    assert [TRAININGS[f"plain-56, a {part} of the rate"].config().recipe.learning_rate for part in ("third", "tenth")] == [0.01, 0.003]
    grown = TRAININGS["plain-56 grown from plain-20"].config(2)
    whole = dataclasses.replace(grown, start=dataclasses.replace(grown.start, origin="a-run", weights="ab" * 32))
    assert myths.label_of(whole) == "plain-56 grown from plain-20"
    assert myths.label_of(dataclasses.replace(whole, start=dataclasses.replace(whole.start, iteration=7))) is None


def test_overfitting():
    assert verdict("overfitting", trained("plain-20", 0.0), trained("plain-56", 71.7)) == CONTRADICTED
    assert verdict("overfitting", trained("plain-20", 0.0), trained("plain-56", 5.0)) == UNDECIDED  # of one seed
    seeds = range(10)
    runs = [trained("plain-20", 20.0, 60.0, seed) for seed in seeds] + [trained("plain-56", 0.0, 75.0, seed) for seed in seeds]
    assert verdict("overfitting", *runs) == SUPPORTED
    assert verdict("overfitting", trained("plain-20", 0.0, seed=1), trained("plain-56", 71.7, seed=2)) == NOT_RUN  # no seed in common


def test_vanishing_gradients():
    def runs(plain: list[float | None], residual: list[float | None]) -> list[Trained]:
        layers = {"plain-56": plain, "ResNet-56": residual, "plain-56-nobn": [0.1, 0.5, 1.0]}
        return [trained(label, 10.0, layers=norms) for label, norms in layers.items()]

    assert verdict("vanishing", *runs([800.0, 30.0, 1.0], [2.0, 1.5, 1.0])) == CONTRADICTED
    assert verdict("vanishing", *runs([0.001, 0.1, 1.0], [2.0, 1.5, 1.0])) == SUPPORTED
    assert verdict("vanishing", *runs([0.001, 0.1, 1.0], [0.005, 1.5, 1.0])) == UNDECIDED
    assert verdict("vanishing", *runs([None, 0.1, 1.0], [2.0, 1.5, 1.0])) == NOT_RUN  # nothing finite is left
    found = myths.judged(BY_KEY["vanishing"], myths.sorted_out(runs([800.0, 30.0, 1.0], [2.0, 1.5, 1.0])))
    assert "plain-56 at 0 of 1 moments (smallest 1, of layer2; largest at initialisation 800)" in found.evidence


def test_gradients_that_vanish_at_times():
    low, well = (
        {"kind": "layers", "iteration": i, "names": ["a", "b"], "gradient_norm": norms} for i, norms in ((5, [0.001, 1.0]), (0, [2.0, 1.0]))
    )
    assert [myths._ratio(value) for value in (0, 0.00682, 0.5974, 1.0, 4.1, 824.08)] == ["0", "1/150", "0.6", "1", "4.1", "820"]
    others = [dataclasses.replace(trained(label, 1.0), records=[well]) for label in ("ResNet-56", "plain-56-nobn")]
    for rows, expected in (([low] + [well] * 9, CONTRADICTED), ([low] + [well] * 4, IN_PART), ([low, low, well], SUPPORTED)):
        assert verdict("vanishing", dataclasses.replace(trained("plain-56", 70.0), records=rows), *others) == expected


@pytest.mark.parametrize(("key", "labels"), [("longer", ["plain-56, 3 times as long"]), ("rate", ["plain-56, a third of the rate"])])
def test_remedies(key, labels):
    others = [trained("plain-56, a tenth of the rate", 90.0)] if key == "rate" else []
    base = [trained("plain-20", 0.0), trained("plain-56", 71.7), *others]
    for clean, expected in ((70.0, CONTRADICTED), (40.0, IN_PART), (8.0, SUPPORTED)):
        assert verdict(key, *base, trained(labels[0], clean)) == expected
    assert verdict(key, trained("plain-20", 60.0), trained("plain-56", 65.0), *others, trained(labels[0], 66.0)) == UNDECIDED


def test_normalisation_parameters_and_capacity():
    nets = [trained("plain-20", 0.0), trained("plain-56", 71.7), trained("ResNet-56", 0.0), trained("ResNet-20", 0.0)]
    without = [trained("plain-20-nobn", 82.7), trained("plain-56-nobn", 90.0)]
    grown = [trained("plain-56 grown from plain-20", 30.0), trained("ResNet-56 grown from ResNet-20", 0.0)]
    assert {verdict(key, *nets, *without, *grown) for key in ("normalisation", "parameters", "capacity")} == {CONTRADICTED}
    equal = [dataclasses.replace(each, clean_error=3.0) for each in (*nets, *without, *grown)]
    assert {verdict(key, *equal) for key in ("normalisation", "parameters", "capacity")} == {UNDECIDED}
    found = myths.judged(BY_KEY["capacity"], myths.sorted_out([*nets, *grown])).evidence
    assert "it errs on 62.5 %" in found and "they end at 30.0 and 0.0 %" in found and "Training loses the plain net's solution" in found
    kept = [dataclasses.replace(grown[0], clean_error=1.0), grown[1]]
    assert "Training loses" not in myths.judged(BY_KEY["capacity"], myths.sorted_out([*nets, *kept])).evidence
    counts = myths.judged(BY_KEY["parameters"], myths.sorted_out(nets)).evidence
    assert "plain-20 269,722, plain-56 853,018, ResNet-56 853,018" in counts


def test_the_records_that_ship_judge_every_myth():
    found = pages_bench.find([])
    assert set(found.trained) == set(TRAININGS)
    for myth in MYTHS:
        assert myths.judged(myth, found.trained).verdict != NOT_RUN
        assert len(found.shown(myth)) == len(myth.curves) and found.next_seed(myth) == 1
    (grown,) = found.trained["plain-56 grown from plain-20"].values()
    assert found.records[grown.id].before and found.records[grown.id].grown_at == demo_configs()[0].recipe.iterations
    assert all(one.layers for one in found.shown(BY_KEY["vanishing"]))
