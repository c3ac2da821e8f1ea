"""The sentences on what layers show: true to the numbers, whichever way they point."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pages.ui import findings
from pages.ui.net_words import alike
from pages.ui.nets_pick import default_set, newest_runs
from resnet_core.architectures import ImageNetConfig, ResNetConfig
from resnet_core.claims.inside import ratio_text
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.figures.gradients import GradientCurve, GradientHistory, InitializationCurve
from resnet_core.figures.responses import ResponseCurve
from resnet_core.nets import Catalog, Net, told_apart
from resnet_core.nets.words import caption, conditions

PLAIN, RES_20, RES_56 = ResNetConfig(20, "none"), ResNetConfig(20), ResNetConfig(56)
NAMES = ("conv1", "layer1.0.conv1", "layer1.0.conv2")


def responses(model, mean: float, key: str = "", **more) -> ResponseCurve:
    return ResponseCurve(key or model.name, model.name, model, NAMES, np.full(3, mean), **more)


def texts(curves, alike=None) -> list[tuple[bool | None, str]]:
    groups = alike or {curve.key: "same" for curve in curves}
    return [(finding.holds, finding.text.replace("\\", "").replace("*", "")) for finding in findings.response_findings(curves, groups)]


def net(net_id: str, origin: str = "run", model=RES_20, seed: int = 0, **values) -> Net:
    config = RunConfig(model, DataConfig(), Recipe(seed=seed, iterations=values.pop("iterations", 100))) if origin == "run" else None
    return Net(net_id, model.name, origin, model, Path("nowhere"), config, **values)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(2.34, "2"), (1.0, "1"), (0.8, "0.8"), (0.1, "1/10"), (0.025, "1/40"), (408, "400"), (45_678, "50,000"),
     (1 / 3_000_000, "1/3,000,000"), (0.0, "0")],
)  # fmt: skip
def test_a_ratio_of_one_seed_and_batch_has_one_digit(ratio: float, text: str):
    assert ratio_text(ratio) == text


def test_deeper_residual_nets_and_their_plain_twins_as_in_the_paper():
    twins, deeper = texts([responses(PLAIN, 1.0), responses(RES_20, 0.6), responses(RES_56, 0.4)])
    assert twins == (
        True,
        "Median over the layers: ResNet-20 0.60 against plain-20 1.00. Residual nets respond less than their plain twins, as in the paper.",
    )
    assert deeper[0] is True and deeper[1].startswith("Median over the layers by depth: ResNet-20 0.60, ResNet-56 0.40. The deeper")


def test_the_contrary_is_said_to_be_the_contrary():
    twins, deeper = texts([responses(PLAIN, 0.5), responses(RES_20, 0.6), responses(RES_56, 0.7)])
    assert twins[0] is False and "unlike in the paper" in twins[1]
    assert deeper[0] is False and "Not every deeper" in deeper[1]


def test_nets_that_were_not_trained_alike_or_are_of_other_kinds_are_not_compared():
    curves = [responses(PLAIN, 1.0), responses(RES_20, 0.6), responses(RES_56, 0.4)]
    assert texts(curves, {PLAIN.name: 1, RES_20.name: 2, RES_56.name: 3}) == []
    assert texts([responses(PLAIN, 1.0), responses(ResNetConfig(20, "A", 32), 0.5), responses(ImageNetConfig((2, 2, 2, 2)), 0.2)]) == []


def test_the_branch_is_judged_by_blocks_that_keep_the_dimensions():
    blocks = {"blocks": ("a", "b", "c"), "ratio": np.array([0.2, 9.0, 0.4]), "dimensions_change": np.array([False, True, False])}
    ((holds, text),) = texts([responses(RES_20, 0.6, **blocks)])
    assert holds is None and "ResNet-20 0.30" in text and "F(x) is smaller than x" in text
    ((_, text),) = texts([responses(RES_20, 0.6, **{**blocks, "ratio": np.array([2.0, 0.1, 1.0])})])
    assert "F(x) is not smaller than x in ResNet-20" in text
    assert texts([responses(PLAIN, 0.6, **blocks)]) == []


def history(model, first: float, last: float) -> GradientHistory:
    return GradientHistory(model.name, model.name, model, NAMES, np.array([0, 100]), np.array([[1.0, 1, 1], [first, 1, last]]))


def test_healthy_gradients_of_plain_nets_are_the_papers_point():
    (finding,) = findings.training_findings([history(PLAIN, 2, 1), history(RES_20, 0.5, 1)])
    assert finding.holds and "with and without shortcuts" in finding.text and "do not explain degradation" in finding.text
    (finding,) = findings.training_findings([history(RES_20, 0.5, 1)])
    assert finding.holds and "degradation" not in finding.text


def test_gradients_that_vanish_explode_or_are_no_numbers_are_named():
    (finding,) = findings.training_findings([history(PLAIN, 1e-4, 1)])
    assert finding.holds is False and "falls below 1/100" in finding.text and "at iteration 100" in finding.text
    (finding,) = findings.training_findings([history(PLAIN, 1e4, 1)])
    assert finding.holds is False and "beyond 100 times" in finding.text
    (finding,) = findings.training_findings([history(PLAIN, np.nan, 1)])
    assert finding.holds is False and "1 of 2" in finding.text
    assert findings.training_findings([GradientHistory("a", "a", PLAIN, NAMES, np.array([0]), np.full((1, 3), np.inf))]) == []
    curve = GradientCurve("a", "a", PLAIN, NAMES, np.array([1e-3, 1, 1]))
    assert findings.moment_text([curve]).endswith("a from 1/1,000 to 1 times. It all but vanishes in a.")


def test_the_criterion_is_that_of_the_paper_page():
    """Not the first layer's gradient alone: here the second one's is 500 times the last one's, and only there it explodes."""
    between = GradientHistory("a", "a", PLAIN, NAMES, np.array([0]), np.array([[2.0, 500.0, 1.0]]))
    (finding,) = findings.training_findings([between])
    assert finding.holds is False and "a from 1 to 500 times" in finding.text
    assert "large there, not small" in finding.text and "Yang et al. 2019" in finding.text and "open question" in finding.text
    curve = GradientCurve("a", "a", PLAIN, NAMES, np.array([2.0, 500.0, 1.0]))
    assert findings.moment_text([curve]).endswith("It is more than 100 times as large in a: it explodes there.")


def test_without_bn_only_the_weights_gradients_are_even():
    curve = InitializationCurve(RES_56, False, 0, NAMES, np.array([5e4, 4e4, 3e4]))
    (of_weights,) = findings.initialization_findings([curve])
    assert "even from layer to layer but huge in ResNet-56" in of_weights.text and "for the weights only" in of_weights.text
    (of_signal,) = findings.initialization_findings([curve], of_weights=False)
    assert "even" not in of_signal.text and "the backward signal at each layer" in of_signal.text


def test_before_the_first_update():
    def curve(model, batch_norm, *values):
        return InitializationCurve(model, batch_norm, 0, NAMES, np.array(values))

    curves = [
        curve(PLAIN, True, 500.0, 1, 1),
        curve(RES_20, True, 1.5, 1, 1),
        curve(PLAIN, False, 1e-5, 1, 1),
        curve(RES_20, False, np.inf, 1, 1),
    ]
    with_bn, without = findings.initialization_findings(curves)
    assert with_bn.holds is False and "explodes in plain-20" in with_bn.text and "vanishes in none" in with_bn.text
    assert without.holds is None and "all but vanishes in plain-20" in without.text and "ResNet-20 overflows" in without.text
    (even,) = findings.initialization_findings([curve(RES_20, True, 1.5, 1, 1)])
    assert even.holds is True


def test_labels_tell_nets_apart_by_as_little_as_it_takes():
    nets = [
        net("resnet-20", "shipped"),
        net("a"),
        net("b", seed=1),
        net("c", seed=1),
        net("d", seed=1, iterations=50),
        net("e", model=RES_56),
    ]
    labels = told_apart(nets)
    assert (labels["resnet-20"], labels["a"], labels["e"]) == ("ResNet-20 (shipped)", "ResNet-20 (run, seed 0)", "ResNet-56")
    assert labels["d"] == "ResNet-20 (run, seed 1, sample (5,000), 50 iterations)" and labels["c"].endswith("100 iterations, c)")
    assert len(set(labels.values())) == len(nets)


def test_the_default_is_what_ships_and_else_the_newest_runs():
    runs = [net("old", iterations=50), net("one"), net("two", model=RES_56)]
    shipped = [net(name, "shipped") for name in ("plain-20", "resnet-20", "resnet-32")]
    assert default_set(Catalog([*shipped, *runs], [])) == ["plain-20", "resnet-20"]
    assert default_set(Catalog(runs, [])) == ["one", "two"] == newest_runs(Catalog(runs, []))
    assert default_set(Catalog([net("x", "imported")], [])) == ["x"] and default_set(Catalog([], [])) == []


def test_captions_say_once_what_holds_for_all():
    one, two, other = (
        net("a", precision="bf16"),
        net("b", model=RES_56, precision="bf16"),
        net("c", "imported", card={"normalization": "half"}),
    )
    names = {"a": "A", "b": "B", "c": "C"}
    assert caption([one, two], names) == "Every net: seed 0 · sample (5,000 images) · 2.56 epochs · bf16."
    assert caption([one, other], names).endswith("C: trained elsewhere · input: from -1 to 1: 0.5 subtracted, divided by 0.5.")
    assert "running" in conditions(net("d", state="running"))
    assert alike(one, 100) == alike(two, 100) != alike(one, 50) and alike(other, None) != alike(one, None)
