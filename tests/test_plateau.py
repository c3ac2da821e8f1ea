"""The schedule ``plateau``: when the error has stopped falling, whose error that is, and how it is resumed."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from resnet_core.architectures import ResNetConfig
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.data import load
from resnet_core.errors import CheckpointError
from resnet_core.training import checkpoint
from resnet_core.training.engine import Trainer
from resnet_core.training.plan import Plan
from resnet_core.training.schedule import Plateau, learning_rate

NET, PLAN = ResNetConfig(depth=8, shortcut="A", width=4), Plan("cpu", "fp32", False, 1)
TIMES = {"elapsed_seconds", "images_per_second", "peak_memory_mb"}
#: Every iteration has its record, and every second one a measurement.
RECIPE = Recipe(24, 8, 0.1, "plateau", patience=2, test_every=2, record_every=1, layers_every=12, checkpoint_every=4)


def config(validation: bool = False, **recipe) -> RunConfig:
    return RunConfig(NET, DataConfig("sample", validation), dataclasses.replace(RECIPE, **recipe))


@pytest.fixture(scope="module")
def sample():
    full = load(DataConfig("sample"))
    return dataclasses.replace(full, test=full.test.part(0, 60))


@pytest.fixture(scope="module")
def held(sample):
    """The same with validation images."""
    return dataclasses.replace(sample, train=sample.train.part(0, 4_500), validation=sample.train.part(4_500, 4_560))


def without_times(records):
    return [{k: v for k, v in r.items() if k not in TIMES} for r in records]


def plateaus(errors, patience):
    found = Plateau()
    lowered = []
    for error in errors:
        found.measured(error, patience)
        lowered.append(found.lowered)
    return lowered


def test_a_plateau_is_so_many_measurements_without_a_lower_error():
    assert plateaus([50, 40, 40, 45, 39, 39, 39, 38], 2) == [0, 0, 0, 1, 1, 1, 2, 2]
    assert plateaus([50, 60, 49.9, 60, 49.8, 60], 2) == [0] * 6  # each second one is lower: no plateau
    assert plateaus([50] * 7, 3) == [0, 0, 0, 1, 1, 1, 2]  # the waiting begins anew, the lowest error stays
    assert plateaus([50, 51], 1) == [0, 1]
    recipe = Recipe(learning_rate=0.1, schedule="plateau", gamma=0.5)
    assert [learning_rate(recipe, 60_000, lowered=lowered) for lowered in range(3)] == [0.1, 0.05, 0.025]


def expected_rates(errors, patience, test_every=2):
    """The rate of each iteration by a loop over the measured errors: told before the next iteration, never for the one measured."""
    rates, rate, lowest, waited = {}, 0.1, math.inf, 0
    for number, error in enumerate(errors):
        rates |= {number * test_every + i: rate for i in range(1, test_every + 1)}
        waited = 0 if error < lowest else waited + 1
        lowest = min(lowest, error)
        if waited == patience:
            rate, waited = rate * 0.1, 0
    return rates


def test_the_rate_is_lowered_at_plateaus_of_the_validation_error(held):
    records = list(Trainer(config(validation=True), held, PLAN).run())
    rates = {r["iteration"]: r["learning_rate"] for r in records if r["kind"] == "train"}
    tests = [r for r in records if r["kind"] == "test"]
    assert rates == pytest.approx(expected_rates([r["validation_error"] for r in tests], 2))
    assert len(set(rates.values())) > 1


def test_without_validation_images_it_is_the_error_of_the_batches(sample):
    trainer = Trainer(config(), sample, PLAN)
    records = list(trainer.run())
    wrong = [r["train_error"] * r["images"] / 100 for r in records if r["kind"] == "train"]
    errors = [100 * (a + b) / 16 for a, b in zip(wrong[::2], wrong[1::2], strict=True)]
    rates = {r["iteration"]: r["learning_rate"] for r in records if r["kind"] == "train"}
    assert rates == pytest.approx(expected_rates(errors, 2))
    assert len(set(rates.values())) > 1


def test_the_test_set_has_no_say_in_a_training(sample):
    """With other test labels, all errors on them are others, and not one weight."""
    ends = []
    for shift in (0, 1):
        test = type(sample.test)(sample.test.images, (sample.test.labels + shift) % 10)
        *_, end = Trainer(config(augmentation="none"), dataclasses.replace(sample, test=test), PLAN).run()
        ends.append(end)
    assert ends[0]["test_error"] != ends[1]["test_error"]
    assert ends[0]["weights_sha256"] == ends[1]["weights_sha256"]


@pytest.mark.parametrize("at", [5, 8, 13])
@pytest.mark.parametrize("validation", [True, False])
def test_a_training_by_plateaus_is_resumed_to_the_bit(sample, held, tmp_path, at, validation):
    run, data = config(validation, augmentation="resized", pca_colour=0.1, colour_jitter=0.4), held if validation else sample
    whole = list(Trainer(run, data, PLAN).run())
    stopped = Trainer(run, data, PLAN)
    parts = []
    for record in stopped.run(should_stop=lambda: stopped.iteration >= at):
        parts.append(record)
        if record["kind"] == "checkpoint":
            path = checkpoint.save(tmp_path, stopped.state())
    again = Trainer(run, data, PLAN)
    again.load_state(checkpoint.load(path)[0])
    assert without_times(parts[:-2] + list(again.run())) == without_times(whole)
    # What was measured before the stop counts after it.
    assert len({r["learning_rate"] for r in whole if r["kind"] == "train" and r["iteration"] > at}) > 1


def test_a_plateaus_state_is_checked(sample):
    state = Trainer(config(), sample, PLAN).state()
    json.dumps(state.values, allow_nan=False)  # no infinity: before the first measurement there is no lowest error
    for broken in (None, {}, {"lowest": "low", "waited": 0, "lowered": 0}):
        state.values["plateau"] = broken
        with pytest.raises(CheckpointError):
            Trainer(config(), sample, PLAN).load_state(state)


def test_checkpoints_of_other_schedules_are_as_they_were(sample):
    values = Trainer(config(schedule="step"), sample, PLAN).state().values
    assert "plateau" not in values and set(values["sums"]) == {"loss", "wrong", "warmup_wrong", "diverged_at"}
