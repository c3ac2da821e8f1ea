"""The paper's claims: every judgement on small made-up trainings whose answer is plain to see."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from resnet_core import paper
from resnet_core.analysis.complexity import complexity
from resnet_core.claims import (
    CLAIMS,
    GROUPS,
    NOT_REPRODUCED,
    NOT_RUN,
    NOTES,
    REPRODUCED,
    Result,
    TrainedNet,
    cohorts,
    evaluate,
    unlike_the_paper,
)  # fmt: skip
from resnet_core.config import DataConfig, ModelConfig, Recipe, RunConfig, demo_configs

PARAMS = {depth: complexity(ModelConfig(depth)).params for depth in paper.TABLE_6}
LAYERS = ("conv1", "layer1.0.conv1", "layer1.0.conv2")


def layers(iteration: int, responses: tuple[float, ...], gradients: tuple[float, ...] = (0.2, 0.1, 0.1)) -> dict[str, Any]:
    return {
        "kind": "layers",
        "iteration": iteration,
        "names": list(LAYERS),
        "response_std": list(responses),
        "gradient_norm": list(gradients),
    }


def train(iteration: int, rate: float, error: float = 50.0) -> dict[str, Any]:
    return {"kind": "train", "iteration": iteration, "learning_rate": rate, "train_error": error}


def net(name: str, train_error: float = 5.0, test_error: float = 9.0, records: tuple = (), **changes: Any) -> TrainedNet:
    kind, depth = name.split("-")
    shipped = changes.pop("shipped", True)
    warmup = "error" if name == "ResNet-110" else "none"
    recipe = Recipe(**{"iterations": 16_000, "warmup": warmup, **changes})
    config = RunConfig(ModelConfig(int(depth), "none" if kind == "plain" else "A"), DataConfig("cifar10"), recipe)
    return TrainedNet(f"{name}-{recipe.seed}-{recipe.iterations}", config, train_error, test_error, records, shipped)


def found(claim_id: str, *nets: TrainedNet) -> Result:
    (result,) = [result for result in evaluate(nets, PARAMS) if result.claim.id == claim_id]
    return result


def test_the_claims_are_well_formed():
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)
    assert {claim.group for claim in CLAIMS} == set(GROUPS) and set(NOTES) <= set(GROUPS)
    for claim in CLAIMS:
        assert all((claim.text, claim.source, claim.paper, claim.criterion)), claim.id
        assert claim.text.endswith(".") and claim.criterion.endswith("."), claim.id
        for name in claim.needs:
            assert name == ModelConfig(int(name.split("-")[1]), "none" if name.startswith("plain") else "A").name


def test_without_nets_only_what_is_counted_is_judged():
    results = evaluate([], PARAMS)
    assert [result.claim for result in results] == list(CLAIMS)
    for result in results:
        assert result.status == (NOT_RUN if result.claim.needs else REPRODUCED), result.claim.id
        assert result.missing == result.claim.needs and result.fraction is None and result.used == ()
    (error,) = [result for result in results if result.claim.id == "table6-error-1202"]
    assert error.finding.evidence == "Missing: ResNet-1202." and error.finding.ours == "–"


@pytest.mark.parametrize(("depth", "count"), [(20, "269,722"), (110, "1,727,962"), (1202, "19,421,274")])
def test_parameters_are_compared_as_the_paper_rounds_them(depth: int, count: str):
    assert found(f"table6-params-{depth}").finding.ours == count
    wrong = evaluate([], {**PARAMS, depth: round(PARAMS[depth] * 1.06)})
    assert next(result for result in wrong if result.claim.id == f"table6-params-{depth}").status == NOT_REPRODUCED


@pytest.mark.parametrize(
    ("error", "iterations", "status"),
    [(10.25, 16_000, REPRODUCED), (10.26, 16_000, NOT_REPRODUCED), (5.0, 16_000, REPRODUCED),
     (9.25, 64_000, REPRODUCED), (9.26, 64_000, NOT_REPRODUCED)],
)  # fmt: skip
def test_a_test_error_counts_within_the_stated_tolerance(error: float, iterations: int, status: str):
    result = found("table6-error-20", net("ResNet-20", test_error=error, iterations=iterations))
    assert result.status == status and result.finding.ours == f"{error:.2f} %"
    assert result.fraction == iterations / 64_000 and result.used == (f"ResNet-20-0-{iterations}",)
    assert "1.5 points" in result.claim.criterion and "0.5 on the full schedule" in result.claim.criterion


def test_one_run_of_resnet_110_is_compared_with_the_mean_of_the_papers_five():
    result = found("table6-error-110", net("ResNet-110", test_error=8.0))
    assert result.status == REPRODUCED
    assert result.finding.evidence == "8.00 % is 1.39 points above the paper's mean of five runs, 6.61 %; up to 1.5 points above count."
    assert result.claim.paper == "6.43 % (best of five; 6.61 ± 0.16)"


def test_the_order_of_the_resnets():
    errors = {20: 9.5, 32: 9.0, 44: 8.6, 56: 8.5, 110: 8.0}
    nets = [net(f"ResNet-{depth}", test_error=error) for depth, error in errors.items()]
    whole = found("table6-order-20-32-44-56-110", *nets)
    assert whole.status == REPRODUCED and whole.finding.ours == "9.50 > 9.00 > 8.60 > 8.50 > 8.00 %"
    nets[3] = dataclasses.replace(nets[3], test_error=8.6)
    wrong = found("table6-order-20-32-44-56-110", *nets)
    assert wrong.status == NOT_REPRODUCED and wrong.finding.evidence.endswith("ResNet-56 is not below ResNet-44.")
    some = found("table6-order-20-32-44-56-110", nets[0], nets[3])
    assert some.status == NOT_RUN and some.missing == ("ResNet-32", "ResNet-44", "ResNet-110")
    assert some.finding.evidence.endswith("So far: ResNet-20 9.50 %, ResNet-56 8.60 %.") and some.fraction == 0.25
    assert found("table6-order-20-56", nets[0], nets[3]).status == REPRODUCED


@pytest.mark.parametrize(
    ("deep", "plain", "residual"), [(5.25, True, False), (5.2, False, False), (4.8, False, False), (4.75, False, True)]
)
def test_depth_makes_plain_nets_worse_and_residual_ones_better(deep: float, plain: bool, residual: bool):
    pair = found("figure6-plain-20-56", net("plain-20", 5.0), net("plain-56", deep))
    assert (pair.status == REPRODUCED) is plain and f"({deep:.2f} against 5.00 %)" in pair.finding.evidence
    pair = found("figure6-residual-20-56", net("ResNet-20", 5.0), net("ResNet-56", deep))
    assert (pair.status == REPRODUCED) is residual


@pytest.mark.parametrize(
    ("train_error", "test_error", "status"), [(61, 62, REPRODUCED), (59, 62, NOT_REPRODUCED), (61, 60, NOT_REPRODUCED)]
)
def test_plain_110_must_stay_above_60(train_error: float, test_error: float, status: str):
    assert found("figure6-plain-110", net("plain-110", train_error, test_error)).status == status


def test_a_residual_net_must_beat_its_twin_in_both_errors():
    plain = net("plain-32", 6.0, 11.0)
    assert found("figure6-twins-32", plain, net("ResNet-32", 3.0, 9.0)).status == REPRODUCED
    assert found("figure6-twins-32", plain, net("ResNet-32", 3.0, 10.9)).status == NOT_REPRODUCED
    assert found("figure6-twins-32", plain, net("ResNet-32", 5.9, 9.0)).status == NOT_REPRODUCED
    assert found("figure6-twins-32", plain).finding.evidence == "Missing: ResNet-32."


@pytest.mark.parametrize(
    ("rates", "status", "ours"),
    [
        ([0.01] * 4 + [0.1] * 4 + [0.01] * 8, REPRODUCED, "400 to 500 iterations"),  # 0.01 comes back when the schedule has reached it
        ([0.01] * 1 + [0.1] * 7, REPRODUCED, "100 to 200 iterations"),
        ([0.1] * 8, NOT_REPRODUCED, "no warm-up"),
        ([0.1] * 4 + [0.01] * 4, NOT_REPRODUCED, "no warm-up"),
        ([0.01] * 8, NOT_REPRODUCED, "did not end"),
        ([0.01] * 9 + [0.1] * 7, NOT_REPRODUCED, "900 to 1,000 iterations"),
    ],
)
def test_the_warm_up_is_read_from_the_recorded_rates(rates: list[float], status: str, ours: str):
    rows = tuple(train(100 * i, rate, 79.5) for i, rate in enumerate(rates, start=1))
    result = found("section4.2-warmup", net("ResNet-110", records=rows))
    assert (result.status, result.finding.ours) == (status, ours)


def test_a_training_without_a_warm_up_says_nothing_of_it():
    rows = tuple(train(100 * i, 0.1, 79.5) for i in range(1, 9))
    result = found("section4.2-warmup", net("ResNet-110", records=rows, warmup="none"))
    assert result.status == NOT_RUN and "without a warm-up" in result.finding.evidence


def test_responses_of_the_last_record_are_compared():
    early = layers(0, (0.1, 0.1, 0.1))
    plain = net("plain-20", records=(layers(0, (9, 9, 9)), layers(16_000, (1.0, 0.8, 0.6))))
    residual = net("ResNet-20", records=(early, layers(16_000, (1.1, 0.7, 0.5))))
    result = found("figure7-smaller-20", plain, residual)
    assert result.status == REPRODUCED and "2 of 3 layers" in result.finding.evidence
    assert result.finding.ours == "median 0.700 against 0.800"
    one_layer = net("ResNet-20", records=(layers(16_000, (1.1, 0.7, 0.65)),))
    assert found("figure7-smaller-20", plain, one_layer).status == NOT_REPRODUCED
    deep = net("ResNet-56", records=(layers(16_000, (0.9, 0.69, 0.6)),))
    assert found("figure7-depth-20-56", residual, deep).status == REPRODUCED
    assert found("figure7-depth-20-56", deep, net("ResNet-20", records=(layers(9, (0.1, 0.6, 0.7)),))).status == NOT_REPRODUCED


def test_gradients_must_be_healthy_at_every_recorded_moment():
    rows = [layers(0, (1, 1, 1), (2.0, 1.0, 0.5)), layers(400, (1, 1, 1), (0.02, 0.1, 1.0))]
    result = found("section4.1-gradients-56", net("plain-56", records=tuple(rows)))
    assert result.status == REPRODUCED and result.finding.ours == "at least 1/50"
    assert "Over 2 moments" in result.finding.evidence and "of conv1 at iteration 400" in result.finding.evidence
    vanished = layers(800, (1, 1, 1), (0.009, 0.1, 1.0))
    result = found("section4.1-gradients-56", net("plain-56", records=(*rows, vanished)))
    assert result.status == NOT_REPRODUCED and "1/111" in result.finding.evidence
    exploded = layers(0, (1, 1, 1), (230.0, 3.0, 1.0))
    result = found("section4.1-gradients-56", net("plain-56", records=(exploded,)))
    assert result.status == REPRODUCED
    assert "the largest is 230, of conv1 at initialisation. That is far from even" in result.finding.evidence
    lost = layers(400, (1, 1, 1), (None, 0.1, 1.0))
    result = found("section4.1-gradients-56", net("plain-56", records=(*rows, lost)))
    assert result.status == NOT_REPRODUCED and "At iteration 400" in result.finding.evidence
    dead = layers(0, (1, 1, 1), (0.0, 0.1, 1.0))
    result = found("section4.1-gradients-56", net("plain-56", records=(dead,)))
    assert result.status == NOT_REPRODUCED and "at initialisation" in result.finding.evidence


@pytest.mark.parametrize("claim_id", ["figure7-smaller-20", "figure7-depth-20-56", "section4.1-gradients-20"])
def test_records_without_layers_are_named(claim_id: str):
    result = found(claim_id, *(net(name) for name in ("plain-20", "ResNet-20", "ResNet-56")))
    assert result.status == NOT_RUN and "hold no layer statistics" in result.finding.evidence


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (net("ResNet-20").config, ""),
        (net("ResNet-110").config, ""),
        (net("plain-20", record_every=7, precision="fp32", seed=5).config, ""),
        (demo_configs()[0], "all of CIFAR-10"),
        (dataclasses.replace(net("ResNet-20").config, data=DataConfig("cifar10", images_per_class=4_000)), "all of CIFAR-10"),
        (net("ResNet-20", iterations=15_000).config, "less than 25% of the paper's schedule"),
        (net("ResNet-20", schedule="cosine").config, "another schedule"),
        (net("ResNet-20", weight_decay=5e-4).config, "another weight decay"),
        (net("ResNet-56", warmup="error").config, "another warm-up"),
        (net("ResNet-110", warmup_error=70.0).config, "another warm-up"),
        (RunConfig(ModelConfig(20, "B"), DataConfig("cifar10")), "not one of the paper's"),
        (RunConfig(ModelConfig(20, "A", 32), DataConfig("cifar10")), "not one of the paper's"),
        (RunConfig(ModelConfig(164, "A", block="bottleneck"), DataConfig("cifar10")), "not one of the paper's"),
    ],
)  # fmt: skip
def test_what_counts_for_the_papers_claims(config: RunConfig, reason: str):
    assert unlike_the_paper(config) == "" if not reason else reason in unlike_the_paper(config)


def test_only_nets_trained_alike_are_compared():
    quarter, full = net("plain-20", 5.0), net("plain-56", 9.0, iterations=64_000)
    result = found("figure6-plain-20-56", quarter, full)
    assert result.status == NOT_RUN and len(result.missing) == 1
    result = found("figure6-plain-20-56", quarter, full, net("plain-56", 7.0))
    assert result.status == REPRODUCED and result.finding.ours == "7.00 against 5.00 %" and result.fraction == 0.25
    # The longest schedule that has all that is needed is judged by.
    result = found("figure6-plain-20-56", quarter, full, net("plain-56", 7.0), net("plain-20", 3.0, iterations=64_000))
    assert result.finding.ours == "9.00 against 3.00 %" and result.fraction == 1


def test_a_warm_up_or_another_precision_does_not_part_nets():
    nets = [net("ResNet-110"), net("ResNet-56", precision="fp32", seed=3), net("plain-20", test_every=400)]
    (cohort,) = cohorts(nets, PARAMS)
    assert sorted(cohort.nets) == ["ResNet-110", "ResNet-56", "plain-20"]


def test_shipped_nets_go_before_the_viewers_own():
    own, shipped = net("ResNet-20", test_error=20.0, shipped=False), net("ResNet-20", test_error=9.0, seed=4)
    assert found("table6-error-20", own, shipped).used == (shipped.id,)
    assert found("table6-error-20", own, net("ResNet-20", shipped=False, seed=1)).used == (own.id,)


def test_a_training_that_held_images_out_is_not_on_all_of_cifar10():
    held_out = RunConfig(ModelConfig(20), DataConfig("cifar10", validation=True), Recipe())
    assert "held out for validation" in unlike_the_paper(held_out)
    assert unlike_the_paper(dataclasses.replace(held_out, data=DataConfig("cifar10"))) == ""
