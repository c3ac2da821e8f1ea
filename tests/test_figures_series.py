"""Records -> arrays: every number against a slow or hand-made reference."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest

from resnet_core.architectures import ResNetConfig
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.figures import series
from resnet_core.figures.series import Points, RunRecords


def train(iteration: int, error: float | None, seconds: float = 0.0, loss: float = 1.0, images: int = 32) -> dict:
    return {
        "kind": "train", "iteration": iteration, "epoch": 0.0, "loss": loss, "train_error": error, "images": images,
        "learning_rate": 0.02, "images_per_second": 100.0, "elapsed_seconds": seconds, "peak_memory_mb": 500.0,
    }  # fmt: skip


def test_row(iteration: int, error: float, seconds: float = 0.0, **more: float) -> dict:
    return {"kind": "test", "iteration": iteration, "test_error": error, "test_loss": 2.0, "elapsed_seconds": seconds, **more}


test_row.__test__ = False  # a maker of records, not a test


def curve(y: list[float], iteration: list[float] | None = None, seconds: list[float] | None = None, **more: np.ndarray) -> Points:
    x = np.array(iteration if iteration is not None else range(1, len(y) + 1), dtype=float)
    return Points(x, np.array(seconds if seconds is not None else x * 10, dtype=float), np.array(y, dtype=float), **more)


def test_points_are_those_of_the_metric_and_kind():
    records = [
        train(10, 90.0, 1.5, loss=2.3), test_row(10, 88.0, 1.7, validation_error=87.0), {"kind": "layers", "iteration": 10, "names": []},
        train(20, 80.0, 3.0, loss=2.0), test_row(20, 79.0, 3.3),
    ]  # fmt: skip
    training = series.points(records, "error", "training")
    assert training.iteration.tolist() == [10, 20] and training.y.tolist() == [90, 80] and training.seconds.tolist() == [1.5, 3]
    assert series.points(records, "loss", "training").y.tolist() == [2.3, 2.0]
    assert series.points(records, "error", "test").y.tolist() == [88, 79]
    validation = series.points(records, "error", "validation")
    assert validation.iteration.tolist() == [10] and validation.y.tolist() == [87]
    assert len(series.points([], "loss", "test")) == 0


def test_what_is_not_finite_is_a_gap():
    records = [train(1, 90.0), train(2, None, loss=math.inf)]
    assert np.isnan(series.points(records, "error", "training").y).tolist() == [False, True]
    assert np.isnan(series.points(records, "loss", "training").y).tolist() == [False, True]


def slow_smooth(x: np.ndarray, y: np.ndarray, window: float) -> list[float]:
    out = []
    for i in range(len(x)):
        near = [y[j] for j in range(len(x)) if abs(x[j] - x[i]) <= window / 2 and not math.isnan(y[j])]
        out.append(math.nan if math.isnan(y[i]) else sum(near) / len(near))
    return out


@pytest.mark.parametrize("window", [0, 1, 6, 7.5, 40, 1000])
def test_smoothing_against_a_slow_reference(window: float):
    generator = np.random.default_rng(0)
    x = np.cumsum(generator.integers(1, 5, 120)).astype(float)
    y = generator.uniform(10, 90, 120)
    y[[0, 30, 31, 119]] = np.nan
    np.testing.assert_allclose(series.smooth(x, y, window), slow_smooth(x, y, window), rtol=1e-12)


def test_smoothed_keeps_the_raw_curve():
    result = series.smoothed(curve([10, 20, 60]), window=2)
    assert result.y.tolist() == [15, 30, 40] and result.raw.tolist() == [10, 20, 60]
    assert series.smoothed(curve([10, 20]), 0).raw is None


def test_mean_and_range_over_runs():
    mean = series.mean_over_runs([curve([10, 40]), curve([20, 50]), curve([60, 0])], "range")
    assert mean.y.tolist() == [30, 30] and mean.low.tolist() == [10, 0] and mean.high.tolist() == [60, 50]


def test_mean_and_standard_deviation_over_runs():
    mean = series.mean_over_runs([curve([10]), curve([20]), curve([60])], "std")
    deviation = math.sqrt(((10 - 30) ** 2 + (20 - 30) ** 2 + (60 - 30) ** 2) / 2)
    assert mean.y[0] == 30
    assert mean.high[0] == pytest.approx(30 + deviation) and mean.low[0] == pytest.approx(30 - deviation)


def test_the_mean_ends_where_the_slowest_run_has_come():
    mean = series.mean_over_runs([curve([10, 20, 30], [5, 10, 15], [1, 2, 3]), curve([30, 40], [5, 10], [3, 6])], "range")
    assert mean.iteration.tolist() == [5, 10] and mean.y.tolist() == [20, 30]
    assert mean.seconds.tolist() == [2, 4]


def test_one_run_has_no_spread():
    only = curve([1, 2])
    assert series.mean_over_runs([only], "range") is only and only.low is None


def test_decimation_keeps_the_ends_the_extremes_and_the_order():
    y = np.sin(np.linspace(0, 60, 20_000))
    y[7_777], y[12_345] = 9.0, -9.0
    whole = curve(y.tolist())
    thin = series.decimate(whole, 1000)
    assert 500 < len(thin) <= 1000
    assert thin.y[0] == y[0] and thin.y[-1] == y[-1] and thin.y.max() == 9 and thin.y.min() == -9
    assert (np.diff(thin.iteration) > 0).all()
    at = thin.iteration.astype(int) - 1
    assert (thin.y == y[at]).all() and (thin.seconds == whole.seconds[at]).all()


def test_decimation_keeps_the_extremes_of_the_band_and_of_the_raw_curve():
    count = 5_000
    low, high, raw = np.zeros(count), np.ones(count), np.full(count, 0.5)
    low[1_234], high[2_345], raw[3_456] = -5, 5, 3
    thin = series.decimate(curve([0.5] * count, low=low, high=high, raw=raw), 1000)
    assert len(thin) <= 1000
    assert (thin.low.min(), thin.high.max(), thin.raw.max()) == (-5, 5, 3)
    assert len(thin.low) == len(thin.high) == len(thin.raw) == len(thin.y)


def test_decimation_keeps_gaps_and_leaves_short_curves_alone():
    y = np.ones(5_000)
    y[2_000:3_000] = np.nan
    assert np.isnan(series.decimate(curve(y.tolist()), 100).y).any()
    short = curve([1, 2, 3])
    assert series.decimate(short, 3) is short


@pytest.mark.parametrize("values", [[5, 1, 9], [1, 1, 1], [3, 3.5, 3.2, 10], [0], []])
def test_spread_out_keeps_order_and_gap_and_moves_as_little_as_it_can(values: list[float]):
    given = np.array(values, dtype=float)
    placed = series.spread_out(given, 1.0)
    order = np.argsort(given, kind="stable")
    assert (np.diff(placed[order]) >= 1 - 1e-9).all()
    assert placed.sum() == pytest.approx(given.sum())
    far = given[order][np.r_[True, np.diff(given[order]) >= 2] & np.r_[np.diff(given[order]) >= 2, True]] if len(given) else given
    assert set(far) <= set(placed)  # what stands alone stays where it is


def test_spread_out_keeps_within_bounds_and_makes_gaps_smaller_where_it_must():
    np.testing.assert_allclose(series.spread_out(np.array([1.0, 1.2, 9.0]), 2.0, 0.0, 10.0), [0.1, 2.1, 9.0])
    np.testing.assert_allclose(series.spread_out(np.array([0.2, 0.1, 0.3]), 2.0, 0.0, 10.0), [2.0, 0.0, 4.0])
    np.testing.assert_allclose(series.spread_out(np.array([9.9, 9.8]), 2.0, 0.0, 10.0), [10.0, 8.0])
    np.testing.assert_allclose(series.spread_out(np.array([5.0, 5.0, 5.0]), 8.0, 0.0, 10.0), [0.0, 5.0, 10.0])


def run(records: list[dict], result: dict | None = None, **recipe) -> RunRecords:
    config = RunConfig(ResNetConfig(56, "none"), DataConfig("sample"), Recipe(**{"iterations": 900, "batch_size": 32, "seed": 7, **recipe}))
    return RunRecords("plain-56-sample-s7-abc123", "mine", config, records, precision="bf16", result=result)


def test_final_errors_are_those_of_the_result():
    assert series.final_errors(run([train(9, 50.0)], {"train_error": 41.5, "test_error": 47.25})) == (41.5, 47.25)


def test_final_errors_of_a_running_run_are_of_its_last_epoch():
    # An epoch is 5000 / 2500 = 2 iterations; the last one is iterations 3 and 4, weighted by their images.
    rows = [train(1, 90.0), train(2, 80.0), train(3, 70.0, images=1000), train(4, 50.0, images=3000), test_row(2, 77.0), test_row(4, 66.0)]
    assert series.final_errors(run(rows, batch_size=2500, iterations=10)) == (55.0, 66.0)
    assert series.final_errors(run([])) == (None, None)


def test_csv_holds_the_records_as_written():
    rows = [train(10, 90.0, 1.5), {"kind": "layers", "iteration": 10}, test_row(10, 88.0, 1.75)]
    table = list(csv.DictReader(io.StringIO(series.records_csv([run(rows)]))))
    assert [row["kind"] for row in table] == ["train", "test"]
    first, second = table
    assert (first["run"], first["net"], first["depth"], first["seed"]) == ("plain-56-sample-s7-abc123", "plain-56", "56", "7")
    assert (first["train_error"], first["test_error"], first["precision"], first["elapsed_seconds"]) == ("90.0", "", "bf16", "1.5")
    assert (second["test_error"], second["train_error"], float(second["epoch"])) == ("88.0", "", 0.064)
    assert float(first["schedule_fraction"]) == pytest.approx(900 * 32 / (64_000 * 128), rel=1e-5)
