"""Published numbers, and the verdict on degradation."""

from __future__ import annotations

import pytest

from resnet_core import paper
from resnet_core.config import DataConfig, ModelConfig, Recipe, RunConfig, demo_configs
from resnet_core.verdict import Outcome, degradation, degradation_verdict


@pytest.mark.parametrize(("depth", "error"), [(20, 8.75), (32, 7.51), (44, 7.17), (56, 6.97), (110, 6.43), (1202, 7.93)])
def test_table_6(depth: int, error: float):
    row = paper.published(ModelConfig(depth, "A"))
    assert row.test_error == error
    assert row.text == f"{error:.2f}" and "Table 6" in row.source and row.name == f"ResNet-{depth}" and row.params


@pytest.mark.parametrize(
    "model",
    [
        ModelConfig(20, "none"), ModelConfig(20, "B"), ModelConfig(20, "C"), ModelConfig(26, "A"), ModelConfig(20, "A", width=32),
        ModelConfig(110, "A", block="bottleneck"), ModelConfig(20, "A", num_classes=100), ModelConfig(110, "none"),
    ],
)  # fmt: skip
def test_the_paper_has_no_error_of_other_nets(model: ModelConfig):
    row = paper.published(model)
    assert row is None or row.test_error is None


def test_of_plain_110_the_paper_gives_a_bound_only():
    row = paper.published(ModelConfig(110, "none"))
    assert row.test_error is None and row.text == "> 60" and row.source
    assert paper.published(ModelConfig(56, "none")) is None


def outcomes(plain20: float | None, plain56: float | None, res20: float | None, res56: float | None, **demo) -> list[Outcome]:
    return [Outcome(c, e) for c, e in zip(demo_configs(**demo), (plain20, plain56, res20, res56), strict=True)]


def test_the_first_trial_shows_degradation():
    shown = outcomes(49.0, 71.7, 42.4, 44.9)
    found = degradation(shown)
    assert found.shown and found.plain.points == pytest.approx(22.7) and found.residual.points == pytest.approx(2.5)
    text = degradation_verdict(shown)
    assert text.startswith("Degradation, and its cure: plain-56 ends 22.7 points above plain-20 (71.7 against 49.0 %)")
    assert "ResNet-56 ends 2.5 points above ResNet-20" in text and "one seed" in text


def test_a_short_run_that_does_not_show_it_says_so():
    flat = outcomes(88.0, 89.0, 87.5, 86.5, iterations=20)
    assert not degradation(flat).shown
    text = degradation_verdict(flat)
    assert text.startswith("These runs do not show degradation: plain-56 ends 1.0 points above plain-20")
    assert "ResNet-56 ends 1.0 points below ResNet-20" in text and "too short" in text


def test_a_residual_net_that_degrades_too_is_no_cure():
    both = outcomes(49.0, 71.7, 42.4, 60.0)
    assert not degradation(both).shown and degradation(both).plain_degrades
    assert "both families get worse with depth" in degradation_verdict(both)


def test_seeds_are_averaged_over_those_that_both_depths_have():
    runs = outcomes(50, 70, 40, 41) + outcomes(60, 90, 44, 45, seed=1) + outcomes(10, None, 40, 41, seed=2)
    found = degradation(runs)
    assert found.plain.seeds == 2 and found.plain.points == pytest.approx(25) and found.plain.shallow_error == 55
    assert found.residual.seeds == 3
    text = degradation_verdict(runs)
    assert "mean of 2 seeds" in text and "plain-56 diverged and is left out" in text


def test_only_nets_trained_alike_are_compared():
    other = RunConfig(ModelConfig(56, "none"), DataConfig("sample"), Recipe(iterations=900, batch_size=32, learning_rate=0.1))
    mixed = [Outcome(demo_configs()[0], 49.0), Outcome(other, 80.0)]
    assert degradation(mixed) is None
    assert degradation_verdict(mixed).startswith("Nothing to compare yet")
    assert degradation([]) is None


def test_one_family_alone():
    plain, residual = outcomes(49.0, 71.7, 42.4, 44.9)[:2], outcomes(49.0, 71.7, 42.4, 44.9)[2:]
    assert "This is degradation; train the residual twins" in degradation_verdict(plain)
    assert "Only residual nets" in degradation_verdict(residual)
    assert not degradation(plain).shown and not degradation(residual).shown


def test_option_a_is_preferred_as_the_twin():
    recipe = demo_configs()[0].recipe
    more = [Outcome(RunConfig(ModelConfig(d, "C"), DataConfig("sample"), recipe), e) for d, e in ((20, 30.0), (56, 90.0))]
    assert degradation(more + outcomes(49.0, 71.7, 42.4, 44.9)).residual.shallow.shortcut == "A"


def test_twins_of_the_same_depths_are_preferred_to_deeper_nets():
    recipe = demo_configs()[0].recipe
    deeper = [Outcome(RunConfig(ModelConfig(110, "A"), DataConfig("sample"), recipe), 60.0)]
    found = degradation(deeper + outcomes(49.0, 71.7, 42.4, 44.9))
    assert (found.plain.deep.name, found.residual.deep.name) == ("plain-56", "ResNet-56") and found.shown


def test_without_common_depths_each_family_stands_for_itself():
    recipe = demo_configs()[0].recipe
    other = [Outcome(RunConfig(ModelConfig(d, "A"), DataConfig("sample"), recipe), e) for d, e in ((32, 44.0), (110, 45.0))]
    found = degradation(other + outcomes(49.0, 71.7, None, None))
    assert (found.plain.points, found.residual.points) == (pytest.approx(22.7), pytest.approx(1.0))
    wide = [Outcome(RunConfig(ModelConfig(d, "A", width=32), DataConfig("sample"), recipe), e) for d, e in ((20, 30.0), (56, 31.0))]
    assert degradation(wide + outcomes(49.0, 71.7, None, None)).residual.deep.name == "ResNet-56-w32"
