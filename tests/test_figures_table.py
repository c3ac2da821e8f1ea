"""The table of final errors: means, spreads, the paper's numbers, and the conditions, always all of them."""

from __future__ import annotations

import statistics

import pytest

from resnet_core import conditions
from resnet_core.architectures import ResNetConfig
from resnet_core.config import AUGMENTATIONS, SCHEDULES, DataConfig, Recipe, RunConfig
from resnet_core.figures import table
from resnet_core.figures.captions import grouped
from resnet_core.figures.series import RunRecords


def run(
    depth: int, shortcut: str, errors: tuple[float, float] | None, seed: int = 0, state: str = "finished", reached: int = 900
) -> RunRecords:
    config = RunConfig(ResNetConfig(depth, shortcut), DataConfig(), Recipe(iterations=900, batch_size=32, seed=seed))
    result = {"train_error": errors[0], "test_error": errors[1]} if errors else None
    records = [{"kind": "train", "iteration": reached, "train_error": 60.0, "images": 32}] if reached else []
    return RunRecords(f"{config.model.name}-{seed}", config.model.name, config, records, state, "bf16", result)


def test_rows_hold_errors_the_papers_and_all_conditions():
    rows = table.final_table(grouped([run(20, "A", (42.4, 47.0)), run(56, "none", (71.7, 73.0)), run(110, "none", (80.0, 81.0))]))
    assert [row[table.NET] for row in rows] == ["plain-56", "plain-110", "ResNet-20"]
    assert [(row[table.TRAINING], row[table.TEST]) for row in rows] == [(71.7, 73.0), (80.0, 81.0), (42.4, 47.0)]
    assert [row[table.PAPER] for row in rows] == [None, "> 60", "8.75"]
    assert rows[0][table.SEEDS] == "1 (seed 0)" and rows[0][table.DATA] == "sample (5,000)"
    assert (rows[0][table.SCHEDULE], rows[0][table.PRECISION], rows[0][table.STATE]) == ("1/284", "bf16", "finished")


def test_means_and_spreads_over_seeds():
    runs = [run(20, "A", (40.0 + s, 50.0 + 2 * s), seed=s) for s in range(3)]
    (row,) = table.final_table(grouped(runs, "range"), "range")
    assert (row[table.TRAINING], row[table.TEST], row[table.SEEDS]) == (41, 52, "3")
    assert (row[table.TRAINING_SPREAD], row[table.TEST_SPREAD]) == ("40.0–42.0", "50.0–54.0")
    assert row[table.NET] == "ResNet-20"
    (row,) = table.final_table(grouped(runs, "std"), "std")
    assert row[table.TEST_SPREAD] == f"± {statistics.stdev([50, 52, 54]):.1f}" == "± 2.0"
    assert len(table.final_table(grouped(runs))) == 3


def test_means_are_over_finished_runs():
    runs = [run(20, "A", (40.0, 50.0)), run(20, "A", None, seed=1, state="running", reached=300)]
    (row,) = table.final_table(grouped(runs, "std"), "std")
    assert (row[table.TRAINING], row[table.SEEDS], row[table.STATE]) == (40, "1 (seed 0)", "1 finished, 1 running")
    assert row[table.TRAINING_SPREAD] == ""


@pytest.mark.parametrize(
    ("state", "reached", "error", "text"),
    [
        ("running", 300, 60.0, "running at 300 of 900"),
        ("queued", 0, None, "queued"),
        ("diverged", 120, None, "diverged at 120 of 900"),
        ("interrupted", 450, 60.0, "interrupted at 450 of 900"),
    ],
)
def test_a_run_that_has_not_finished_says_how_far_it_is(state: str, reached: int, error: float | None, text: str):
    (row,) = table.final_table(grouped([run(56, "none", None, state=state, reached=reached)]))
    assert (row[table.TRAINING], row[table.TEST], row[table.STATE]) == (error, None, text)


def held_out(seed: int, errors: dict[int, float]) -> RunRecords:
    one = run(20, "A", (40.0, 50.0), seed=seed)
    tests = [{"kind": "test", "iteration": at, "test_error": 1.0, "validation_error": error} for at, error in errors.items()]
    config = RunConfig(one.config.model, DataConfig(validation=True), one.config.recipe)
    return RunRecords(one.run_id, one.name, config, [*one.records, *tests], "finished", "bf16", one.result)


def test_the_lowest_error_is_told_of_validation_images_only():
    one, other = held_out(0, {300: 48.0, 600: 45.5, 900: 47.0}), held_out(1, {300: 44.5, 900: 49.0})
    (row,) = table.final_table(grouped([one]))
    assert (row[table.VALIDATION], row[table.LOWEST], row[table.TEST]) == (47, "45.50 at 600", 50)
    (row,) = table.final_table(grouped([one, other], "std"), "std")
    assert (row[table.VALIDATION], row[table.LOWEST]) == (48, "45.00")
    (row,) = table.final_table(grouped([run(20, "A", (40.0, 50.0))]))
    assert not {table.VALIDATION, table.LOWEST} & row.keys()


def test_the_papers_full_schedule():
    config = RunConfig(ResNetConfig(), DataConfig("cifar10", validation=True), Recipe())
    (row,) = table.final_table(grouped([RunRecords("r", "r", config, [], "queued")]))
    assert (row[table.SCHEDULE], row[table.DATA]) == ("full", "CIFAR-10 (45,000 + 5,000 for validation)")


@pytest.mark.parametrize(
    ("recipe", "text"),
    [
        (Recipe(), "4 pixels of padding, random crop, random flip"),
        (
            Recipe(augmentation="scale", scale_range=(36, 48), pca_colour=0.1),
            "random scale, random crop, random flip; 36 to 48 pixels; PCA colour 0.1",
        ),
        (Recipe(augmentation="resized", colour_jitter=0.4), "random part resized, random flip; colour jitter 0.4"),
    ],
)
def test_what_was_done_to_the_images_in_words(recipe: Recipe, text: str):
    assert conditions.augmentation_text(recipe) == text


@pytest.mark.parametrize(
    ("recipe", "text"),
    [
        (Recipe(1000), ", times 0.1 at 500 and 750"),
        (Recipe(milestones=()), ""),
        (Recipe(schedule="cosine"), ", falling to 0 as a cosine"),
        (
            Recipe(schedule="plateau", patience=3),
            ", times 0.1 whenever 3 measurements of the error in a row are not below the lowest (not known in advance)",
        ),
    ],
)
def test_how_the_rate_falls_in_words(recipe: Recipe, text: str):
    assert conditions.falling_text(recipe) == text


def test_every_choice_has_its_words():
    assert all(conditions.augmentation_text(Recipe(augmentation=each)) for each in AUGMENTATIONS)
    assert all(conditions.falling_text(Recipe(schedule=each)) for each in SCHEDULES)
