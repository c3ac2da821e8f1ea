"""The charts of many seeds."""

from __future__ import annotations

import numpy as np
import pytest

from resnet_core.architectures import parse
from resnet_core.config import demo_configs
from resnet_core.figures import style
from resnet_core.figures.seeds import class_curves, class_figure, gaps_figure, power_figure
from resnet_core.figures.series import RunRecords


def runs(seeds: int = 3) -> list[RunRecords]:
    found = []
    for seed in range(seeds):
        for config in demo_configs(seed):
            rows = [{"kind": "train", "iteration": at, "train_error": 50.0 + 10 * seed} for at in (1, 100, 352)]
            found.append(RunRecords(f"{config.model.name}-{seed}", config.name, config, rows, precision="bf16"))
    return found


def by_uid(figure) -> dict:
    return {trace.uid: trace for trace in figure.data}


@pytest.mark.parametrize("dark", [False, True])
def test_ones_own_curves_stand_before_mean_and_range(dark):
    traces = by_uid(class_figure(class_curves(runs()), 2, dark))
    for name in ("plain-20", "plain-56", "ResNet-20", "ResNet-56"):
        assert list(traces[f"{name}-own"].y) == [70.0] * 3 and list(traces[f"{name}-mean"].y) == [60.0] * 3
        assert (max(traces[f"{name}-band"].y), min(traces[f"{name}-band"].y)) == (70.0, 50.0)
        assert traces[f"{name}-own"].line.color == style.net_color(parse(name), dark)
    assert {traces["plain-56-own"].xaxis, traces["plain-20-own"].xaxis} == {"x"} and traces["ResNet-56-own"].xaxis == "x2"


def test_of_one_seed_there_is_no_band():
    traces = by_uid(class_figure(class_curves(runs(1)), 0))
    assert "plain-56-band" not in traces and "plain-56-own" in traces


GAPS = {
    (parse("plain-20"), parse("plain-56")): {0: 70.0, 1: 60.0, 2: 70.1},
    (parse("ResNet-20"), parse("ResNet-56")): {0: 0.0, 1: 0.0, 2: 0.0},
}


@pytest.mark.parametrize("dark", [False, True])
def test_every_seed_has_a_dot_at_its_gap(dark):
    traces = by_uid(gaps_figure(GAPS, "points", 1, dark))
    plain = traces["plain-56"]
    assert dict(zip(plain.customdata, plain.x, strict=True)) == {0: 70.0, 1: 60.0, 2: 70.1}
    assert list(traces["plain-56-own"].x) == [60.0] and list(traces["ResNet-56-mean"].x) == [0.0]
    # Those that are equal do not lie upon each other, and all stay in their row.
    heights = np.array(traces["ResNet-56"].y)
    assert len(set(heights)) == 3 and abs(heights - 0).max() < 0.45
    assert abs(np.array(plain.y) - 1).max() < 0.45


def test_many_equal_seeds_stay_in_their_row():
    row = dict.fromkeys(range(200), 0.0)
    heights = np.array(by_uid(gaps_figure({(parse("ResNet-20"), parse("ResNet-56")): row}, "points", 0))["ResNet-56"].y)
    assert len(set(heights)) == 200 and abs(heights).max() < 0.45


def test_the_power_is_drawn_from_one_seed_on_with_the_guess():
    figure = power_figure([0.0, 0.5, 1.0], 0.8, 3, guess=2.0)
    assert list(figure.data[0].x) == [1, 2, 3] and list(figure.data[0].y) == [0.0, 50.0, 100.0]
    assert {shape.x0 for shape in figure.layout.shapes if shape.x0 == shape.x1} == {3, 2}
    words = " ".join(note.text for note in figure.layout.annotations)
    assert "3 seeds" in words and "your guess: 2" in words and "wanted: 80 %" in words
    far = power_figure([0.0, 0.5, 1.0], 0.8, 3, guess=150.0)
    assert "guess" not in " ".join(note.text for note in far.layout.annotations)
