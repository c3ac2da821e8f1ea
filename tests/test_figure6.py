"""Figure 6 from made-up trainings: which curves, in which panel, with which names, and what it says is missing."""

from __future__ import annotations

import numpy as np
import pytest

from resnet_core.architectures import ResNetConfig
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.figures import style
from resnet_core.figures.figure6 import DEPTHS, figure6, gap_over_time, missing, missing_text, seeds_of, seeds_text, top_of_axis, wanted
from resnet_core.figures.series import RunRecords


def run(name: str, train_error: float, test_error: float, seed: int = 0, **recipe: str) -> RunRecords:
    """Errors fall evenly from 30 points above to the ends over 160 train and 40 test records."""
    kind, depth = name.split("-")
    config = RunConfig(
        ResNetConfig(int(depth), "none" if kind == "plain" else "A"), DataConfig("cifar10"), Recipe(iterations=16_000, seed=seed, **recipe)
    )
    rows = [
        {"kind": "train", "iteration": i, "train_error": train_error + 30 * (1 - i / 16_000), "images": 12_800, "elapsed_seconds": 1.0}
        for i in range(100, 16_001, 100)
    ]
    rows += [{"kind": "test", "iteration": i, "test_error": test_error + 30 * (1 - i / 16_000)} for i in range(400, 16_001, 400)]
    result = {"train_error": train_error, "test_error": test_error}
    return RunRecords(f"{name.lower()}-s{seed}", name, config, rows, "finished", "bf16", result)


ENDS = {"plain-20": (6, 10), "plain-56": (14, 16), "ResNet-20": (5, 9), "ResNet-56": (1, 7.5)}
RUNS = [run(name, *ends) for name, ends in ENDS.items()]


def curves(figure) -> dict[tuple[str, str], object]:
    return {(trace.name, trace.meta): trace for trace in figure.data if trace.meta}


def texts(figure, xref: str) -> list[str]:
    """The annotations of one panel."""
    return [annotation.text for annotation in figure.layout.annotations if annotation.xref == xref]


def test_plain_nets_stand_left_and_residual_ones_right_with_one_y_axis():
    figure = figure6(RUNS)
    drawn = curves(figure)
    assert set(drawn) == {(name, kind) for name in ENDS for kind in ("training", "test")}
    for (name, kind), trace in drawn.items():
        assert trace.xaxis == ("x" if name.startswith("plain") else "x2"), name
        assert trace.line.dash == (style.TRAIN_LINE if kind == "training" else style.TEST_LINE)["dash"]
    assert drawn["plain-56", "test"].line.color == style.net_color(ResNetConfig(56, "none"))
    assert figure.layout.yaxis2.matches == "y" and tuple(figure.layout.yaxis.range) == tuple(figure.layout.yaxis2.range) == (0, 20)
    assert tuple(figure.layout.xaxis.range) == pytest.approx((0, 16_640))
    assert list(figure.layout.xaxis.ticktext) == ["0", "4k", "8k", "12k", "16k"]
    np.testing.assert_allclose(drawn["ResNet-20", "test"].y, 9 + 30 * (1 - np.arange(400, 16_001, 400) / 16_000))


def test_a_panel_without_nets_is_drawn_nevertheless():
    figure = figure6([each for each in RUNS if each.config.model.is_plain])
    assert {(trace.xaxis, trace.yaxis) for trace in figure.data} == {("x", "y"), ("x2", "y2")}


def test_training_error_is_averaged_over_an_epoch():
    training = curves(figure6(RUNS))["plain-20", "training"]
    # An epoch is 390.6 iterations: one record on each side, as a second is 200 away.
    np.testing.assert_allclose(training.y[1:-1], 6 + 30 * (1 - training.x[1:-1] / 16_000))
    assert training.y[-1] == pytest.approx(6 + 30 * 50 / 16_000)


def names(figure) -> dict[str, object]:
    """The traces of the nets' names."""
    return {trace.text[1].strip("\u2009<b/>"): trace for trace in figure.data if trace.mode == "lines+text"}


def test_names_stand_apart_and_a_line_ties_each_to_the_end_of_its_test_curve():
    close = [run("ResNet-32", 3, 8.0), run("ResNet-44", 2, 7.9), run("ResNet-56", 1, 7.8)]
    labels = names(figure6(close))
    assert set(labels) == {r.name for r in close}
    np.testing.assert_allclose(np.diff(sorted(trace.y[1] for trace in labels.values())), 0.065 * 20)
    assert {name: (trace.x[0], trace.y[0]) for name, trace in labels.items()} == {
        "ResNet-32": (16_000, 8.0), "ResNet-44": (16_000, 7.9), "ResNet-56": (16_000, 7.8)
    }  # fmt: skip
    # The line ends where the axis does, and the name begins there.
    assert {trace.x[1] for trace in labels.values()} == {figure6(close).layout.xaxis.range[1]}
    assert labels["ResNet-32"].y[1] > labels["ResNet-44"].y[1] > labels["ResNet-56"].y[1]


def test_names_do_not_leave_the_axis():
    low = [run(f"ResNet-{depth}", 0, 0.1) for depth in (20, 32, 44, 56)]
    assert sorted(trace.y[1] for trace in names(figure6(low)).values()) == pytest.approx([0, 1.3, 2.6, 3.9])


def test_the_pointer_shows_the_record_and_names_the_mean():
    drawn = curves(figure6(RUNS))
    training, test = drawn["plain-20", "training"], drawn["plain-20", "test"]
    np.testing.assert_allclose(training.customdata, 6 + 30 * (1 - np.arange(100, 16_001, 100) / 16_000))
    assert "mean over one epoch: %{y" in training.hovertemplate and "mean" not in test.hovertemplate
    np.testing.assert_array_equal(test.customdata, test.y)


def test_the_y_axis_has_room_for_every_end_but_that_of_a_net_that_did_not_train():
    assert top_of_axis(RUNS) == 20
    assert top_of_axis([*RUNS, run("plain-32", 23, 24)]) == 30
    high = [*RUNS, run("plain-110", 66, 67)]
    assert top_of_axis(high) == 20
    figure = figure6(high)
    assert "<b>plain-110</b> ends at 67 %,<br>above the picture" in texts(figure, "x domain")
    assert not any("plain-110" in text for text in [*texts(figure, "x2 domain"), *texts(figure6(RUNS), "x domain")])
    assert set(names(figure)) == {run.name for run in RUNS}


def test_the_drops_of_the_rate_are_marked_in_both_panels():
    figure = figure6(RUNS)
    drops = [(shape.xref, shape.x0) for shape in figure.layout.shapes]
    assert sorted(drops) == [("x", 8000), ("x", 12_000), ("x2", 8000), ("x2", 12_000)]
    for panel in ("x domain", "x2 domain"):
        assert "dotted: learning rate divided by 10" in texts(figure, panel)


def test_what_is_missing_is_named():
    assert [model.name for model in wanted()] == [f"{kind}-{depth}" for kind in ("plain", "ResNet") for depth in DEPTHS]
    assert missing(RUNS) == ["plain-32", "plain-44", "plain-110", "ResNet-32", "ResNet-44", "ResNet-110"]
    assert missing_text(RUNS[:0]).startswith("Missing: plain-20, plain-32")
    assert missing_text([run(model.name, 5, 8) for model in wanted()]) == ""


def test_other_nets_are_left_out_and_none_makes_empty_axes():
    odd = RunRecords("odd", "odd", RunConfig(ResNetConfig(20, "B"), DataConfig("cifar10"), Recipe(iterations=16_000)), RUNS[0].records)
    assert curves(figure6([odd])) == {}
    assert tuple(figure6([]).layout.yaxis.range) == (0, 20)


def test_both_themes_have_the_same_curves_in_their_own_colours():
    light, dark = figure6(RUNS), figure6(RUNS, dark=True)
    assert [trace.uid for trace in light.data] == [trace.uid for trace in dark.data]
    assert light.layout.paper_bgcolor != dark.layout.paper_bgcolor
    for (name, kind), trace in curves(light).items():
        assert trace.line.color != curves(dark)[name, kind].line.color


def test_of_several_seeds_the_curves_are_means_and_a_band_goes_from_lowest_to_highest():
    runs = [*RUNS, run("plain-20", 8, 12, seed=1), run("plain-20", 7, 14, seed=2)]
    figure = figure6(runs)
    drawn, alone = curves(figure), curves(figure6(RUNS))
    assert set(drawn) == set(alone)  # one curve a net, however many seeds
    mean = 12 + 30 * (1 - np.arange(400, 16_001, 400) / 16_000)
    np.testing.assert_allclose(drawn["plain-20", "test"].y, mean)
    (band,) = (trace for trace in figure.data if trace.fill == "toself")
    assert band.xaxis == "x" and max(band.y) == pytest.approx(max(mean) + 2) and min(band.y) == pytest.approx(min(mean) - 2)
    hover = drawn["plain-20", "test"]
    assert "mean of 3 seeds" in hover.hovertemplate and list(hover.customdata[-1]) == pytest.approx([10, 14])
    assert "seeds" not in drawn["plain-56", "test"].hovertemplate
    label = names(figure)["plain-20"]
    assert label.y[0] == pytest.approx(12)
    assert "are means" in seeds_text(runs) and seeds_text(RUNS) == ""


def test_of_a_net_trained_in_two_ways_the_one_with_more_seeds_is_drawn():
    other = [run("plain-20", 9, 19, seed=seed, warmup="error") for seed in (0, 1)]
    assert [len(seeds) for seeds in seeds_of([*RUNS, *other])] == [2, 1, 1, 1]
    assert [len(seeds) for seeds in seeds_of([*RUNS, other[0]])] == [1, 1, 1, 1]
    assert seeds_of([*RUNS, other[0]])[0][0] is RUNS[0]
    assert [len(seeds) for seeds in seeds_of([*RUNS, *RUNS])] == [1, 1, 1, 1]


def test_the_gap_over_time_is_of_one_seed_that_both_have():
    assert gap_over_time(RUNS) == gap_over_time([run("plain-20", 1, 1, seed=1), *RUNS]) != ""
    assert gap_over_time([run("plain-20", 1, 1, seed=1), RUNS[1]]) == ""
