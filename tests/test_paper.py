"""Published numbers, and the verdict on degradation."""

from __future__ import annotations

import dataclasses

import pytest

from resnet_core import paper
from resnet_core.architectures import ResNetConfig
from resnet_core.config import DataConfig, Recipe, RunConfig, demo_configs
from resnet_core.figures.series import RunRecords, outcome
from resnet_core.verdict import Outcome, degradation, degradation_verdict


@pytest.mark.parametrize(("depth", "error"), [(20, 8.75), (32, 7.51), (44, 7.17), (56, 6.97), (110, 6.43), (1202, 7.93)])
def test_table_6(depth: int, error: float):
    row = paper.published(ResNetConfig(depth, "A"))
    assert row.test_error == error
    assert row.text == f"{error:.2f}" and "Table 6" in row.source and row.name == f"ResNet-{depth}" and row.params


@pytest.mark.parametrize(
    "model",
    [
        ResNetConfig(20, "none"), ResNetConfig(20, "B"), ResNetConfig(20, "C"), ResNetConfig(26, "A"), ResNetConfig(20, "A", width=32),
        ResNetConfig(110, "A", block="bottleneck"), ResNetConfig(20, "A", num_classes=100), ResNetConfig(110, "none"),
    ],
)  # fmt: skip
def test_the_paper_has_no_error_of_other_nets(model: ResNetConfig):
    row = paper.published(model)
    assert row is None or row.test_error is None


def test_of_plain_110_the_paper_gives_a_bound_only():
    row = paper.published(ResNetConfig(110, "none"))
    assert row.test_error is None and row.text == "> 60" and row.source
    assert paper.published(ResNetConfig(56, "none")) is None


def outcomes(plain20: float | None, plain56: float | None, res20: float | None, res56: float | None, **demo) -> list[Outcome]:
    return [Outcome(c, e) for c, e in zip(demo_configs(**demo), (plain20, plain56, res20, res56), strict=True)]


def test_trainings_that_have_ended_show_degradation():
    shown = outcomes(4.0, 70.4, 0.0, 0.2)
    found = degradation(shown)
    assert found.ended and found.shown
    assert found.plain.points == pytest.approx(66.4) and found.residual.points == pytest.approx(0.2)
    text = degradation_verdict(shown)
    start = "Degradation in the plain nets, and none in the residual ones: plain-56 ends 66.4 points above plain-20 (70.4 against 4.0 %)"
    assert text.startswith(start)
    assert "ResNet-56 ends 0.2 points above ResNet-20" in text and "one seed" in text


def test_the_first_epochs_are_never_called_degradation():
    """4.5 epochs of the sample, as the demo was once: ResNet-56 lags too, and all that shows is who learns faster."""
    recipe = Recipe(iterations=704, batch_size=32, learning_rate=0.008, schedule="linear")
    errors = ((20, "none", 68.0), (56, "none", 80.9), (20, "A", 56.1), (56, "A", 57.8))
    early = [Outcome(RunConfig(ResNetConfig(depth, shortcut), DataConfig(), recipe), error) for depth, shortcut, error in errors]
    assert not degradation(early).ended and not degradation(early).shown
    text = degradation_verdict(early)
    assert "egradation" not in text and "After 4.5 epochs" in text and "how fast nets learn" in text
    # As long as it may be: at a rate that never falls, nothing has ended.
    constant = [dataclasses.replace(o, config=dataclasses.replace(o.config, recipe=Recipe(schedule="constant"))) for o in early]
    assert constant[0].config.epochs > 1000 and not degradation(constant).shown and "egradation" not in degradation_verdict(constant)


@pytest.mark.parametrize(("rates", "ended"), [((0.01, 0.001, 0.01, 0.01), True), ((0.01, 0.1, 0.01, 0.01), False), ((None,) * 4, False)])
def test_by_plateaus_nothing_has_ended_before_each_rate_was_lowered(rates, ended):
    """When a plateau comes nobody knows in advance: the recipe alone does not tell whether the rate fell."""
    recipe = Recipe(schedule="plateau")
    shown = [
        dataclasses.replace(o, config=dataclasses.replace(o.config, recipe=recipe), last_rate=rate)
        for o, rate in zip(outcomes(4.0, 70.4, 0.0, 0.2), rates, strict=True)
    ]
    assert (degradation(shown).ended, degradation(shown).shown) == (ended, ended)
    # Ended or not: their rates fell at different times, and the verdict says so; those of the other schedules fell together.
    assert degradation_verdict(shown).count("so these nets had different rates at the same iteration") == 1
    assert "different rates" not in degradation_verdict(outcomes(4.0, 70.4, 0.0, 0.2))
    records = [
        {"kind": "train", "iteration": i, "learning_rate": rate, "train_error": 4.0, "images": 128} for i, rate in ((1, 0.1), (9, 0.01))
    ]
    assert outcome(RunRecords("r", "r", shown[0].config, records, "finished")).last_rate == 0.01


def test_clean_errors_count_where_all_have_one():
    runs = [dataclasses.replace(o, clean_error=c) for o, c in zip(outcomes(6, 72, 1, 2), (4.0, 70.0, 0.0, 0.0), strict=True)]
    found = degradation(runs)
    assert found.clean and (found.plain.shallow_error, found.plain.deep_error, found.residual.points) == (4.0, 70.0, 0.0)
    assert "Clean training error at the end" in degradation_verdict(runs)
    found = degradation([*runs[:3], dataclasses.replace(runs[3], clean_error=None)])
    assert not found.clean and (found.plain.shallow_error, found.residual.points) == (6, 1)


def test_a_difference_within_the_luck_of_a_seed_is_no_degradation():
    flat = outcomes(8.0, 9.0, 7.5, 6.5)
    assert degradation(flat).ended and not degradation(flat).shown
    text = degradation_verdict(flat)
    assert text.startswith("These runs do not show degradation: plain-56 ends 1.0 points above plain-20")
    assert "ResNet-56 ends 1.0 points below ResNet-20" in text and "More seeds" in text


def test_a_residual_net_that_degrades_too_is_no_cure():
    both = outcomes(4.0, 70.0, 0.0, 60.0)
    assert not degradation(both).shown and degradation(both).plain_degrades
    assert "both families get worse with depth" in degradation_verdict(both)


def test_seeds_are_averaged_over_those_that_both_depths_have():
    runs = outcomes(4, 70, 0, 1) + outcomes(14, 90, 4, 5, seed=1) + outcomes(10, None, 0, 1, seed=2)
    found = degradation(runs)
    assert found.plain.seeds == 2 and found.plain.points == pytest.approx(71) and found.plain.shallow_error == 9
    assert found.residual.seeds == 3
    text = degradation_verdict(runs)
    assert "mean of 2 seeds" in text and "plain-56 diverged and is left out" in text


def test_only_nets_trained_alike_are_compared():
    other = RunConfig(ResNetConfig(56, "none"), DataConfig("sample"), Recipe(iterations=900, batch_size=32, learning_rate=0.1))
    mixed = [Outcome(demo_configs()[0], 4.0), Outcome(other, 80.0)]
    assert degradation(mixed) is None
    assert degradation_verdict(mixed).startswith("Nothing to compare yet")
    assert degradation([]) is None


def test_one_family_alone():
    plain, residual = outcomes(4.0, 71.7, 0.0, 0.9)[:2], outcomes(4.0, 71.7, 0.0, 0.9)[2:]
    assert "This is degradation; train the residual twins" in degradation_verdict(plain)
    assert "Only residual nets" in degradation_verdict(residual)
    assert not degradation(plain).shown and not degradation(residual).shown


def alike(depth: int, shortcut: str, error: float, width: int = 16) -> Outcome:
    """Trained as the demo's nets are."""
    demo = demo_configs()[0]
    return Outcome(dataclasses.replace(demo, model=ResNetConfig(depth, shortcut, width)), error)


def test_option_a_is_preferred_as_the_twin():
    more = [alike(20, "C", 30.0), alike(56, "C", 90.0)]
    assert degradation(more + outcomes(4.0, 71.7, 0.0, 0.9)).residual.shallow.shortcut == "A"


def test_twins_of_the_same_depths_are_preferred_to_deeper_nets():
    found = degradation([alike(110, "A", 60.0), *outcomes(4.0, 71.7, 0.0, 0.9)])
    assert (found.plain.deep.name, found.residual.deep.name) == ("plain-56", "ResNet-56") and found.shown


def test_without_common_depths_each_family_stands_for_itself():
    found = degradation([alike(32, "A", 4.0), alike(110, "A", 5.0), *outcomes(4.0, 71.7, None, None)])
    assert (found.plain.points, found.residual.points) == (pytest.approx(67.7), pytest.approx(1.0))
    wide = [alike(20, "A", 3.0, width=32), alike(56, "A", 3.1, width=32)]
    assert degradation(wide + outcomes(4.0, 71.7, None, None)).residual.deep.name == "ResNet-56-w32"
