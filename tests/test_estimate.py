"""How long trainings will take: from whole stretches of what was measured, and in the slots that there are."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from pages.ui import estimate
from resnet_core import pace
from resnet_core.architectures import ResNetConfig
from resnet_core.config import DEMO_RECIPE, DataConfig, Recipe, RunConfig
from resnet_core.runs.rows import Ends

PLAN = {"device": "cpu", "precision": "fp32"}


def seen(rows=(), depth=20, plan=PLAN, **status):
    """A run as ``runs_view.look`` sees it."""
    config = RunConfig(ResNetConfig(depth), DataConfig(), Recipe(iterations=1000, batch_size=32))
    values = {"plan": plan, "place": None, "eta_seconds": None, "iteration": 0, "iterations": 1000} | status
    ends = Ends(first_train=rows[0], last_train=rows[-1]) if rows else Ends()
    return SimpleNamespace(config=config, is_active=True, status=SimpleNamespace(**values, pace=ends.pace(32)))


def row(iteration: int, elapsed: float, **more):
    return {"iteration": iteration, "elapsed_seconds": elapsed, **more}


def test_the_pace_is_of_all_that_a_training_does():
    """The steps alone are faster: their own speed leaves out tests, layer statistics and checkpoints."""
    (pace,) = estimate.measured([seen([row(1, 2.0, images_per_second=9.0), row(501, 42.0, images_per_second=900.0)])])
    assert pace.images_per_second == pytest.approx(500 * 32 / 40)
    assert estimate.seconds(pace.config, [pace]) == pytest.approx(1000 * 32 / 400)


def test_of_equal_trainings_the_first_tells_and_each_kind_has_its_own():
    first, again = seen([row(1, 0), row(101, 10)]), seen([row(1, 0), row(101, 40)])
    other, deeper = seen([row(1, 0), row(101, 20)], plan={**PLAN, "precision": "bf16"}), seen([row(1, 0), row(101, 30)], depth=56)
    assert [pace.images_per_second for pace in estimate.measured([first, again, other, deeper])] == [320, 160, pytest.approx(320 / 3)]


def test_the_shipped_demo_took_what_it_would_have_been_told_to_take():
    from pages.ui.recorded import recorded

    for run in recorded("demo").runs:
        rows = [each for each in run.records if each["kind"] == "train"]
        fake = seen(rows)
        fake.config = run.config
        told = estimate.seconds(run.config, estimate.measured([fake]))
        assert told == pytest.approx(rows[-1]["elapsed_seconds"], rel=0.05)
        assert run.config.recipe.iterations == DEMO_RECIPE.iterations


def test_tests_count_with_the_images_that_they_look_at():
    """1,000 updates of 32: with a test after each, 1,000 times 1,000 images forward, where the measured run had 50 tests."""
    (pace,) = estimate.measured([seen([row(1, 0), row(101, 10)])])
    often = RunConfig(ResNetConfig(20), DataConfig(), Recipe(iterations=1000, batch_size=32, test_every=1))
    full = RunConfig(ResNetConfig(20), DataConfig("cifar10"), Recipe(iterations=1000, batch_size=32))
    same, many, large = (estimate.seconds(config, [pace]) for config in (pace.config, often, full))
    assert same == pytest.approx(100)
    each = 1000 / 3 / 32  # a test of the sample in updates
    tests = 1000 / pace.config.recipe.interval("test_every")
    assert many == pytest.approx(100 * (1000 + 1000 * each) / (1000 + tests * each))
    assert large == pytest.approx(100 * (1000 + 10 * tests * each) / (1000 + tests * each))


@pytest.mark.parametrize("rows", [[], [row(1, 0.5)], [row(1, 0.5), row(1, 0.5)]])
def test_nothing_is_told_of_what_has_hardly_begun(rows):
    assert estimate.measured([seen(rows)]) == []
    assert estimate.measured([seen([row(1, 1), row(9, 2)], plan=None)]) == []
    assert estimate.remaining([seen(rows)], []) is None


def test_runs_at_the_same_time_do_not_add_up(monkeypatch):
    two = [seen(eta_seconds=100.0), seen(eta_seconds=60.0)]
    waiting = [seen(eta_seconds=30.0, place=2), seen(eta_seconds=50.0, place=1)]
    monkeypatch.setenv("RESNET_LAB_SLOTS", "2")
    assert estimate.remaining(two, []) == 100.0
    # The first that waits (50) begins when the shorter one ends (60), the second (30) when the longer one does (100).
    assert estimate.remaining(two + waiting, []) == 130.0
    monkeypatch.setenv("RESNET_LAB_SLOTS", "1")
    assert estimate.remaining(two + waiting, []) == 240.0
    assert estimate.remaining([], []) == 0.0


def test_before_anything_was_trained_a_measurement_of_its_own_tells(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert estimate.measured([]) == [] and pace.kept() is None
    monkeypatch.setattr(pace, "_STEPS", 1)
    monkeypatch.setattr(pace.sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(pace.os, "nice", lambda by: by)
    pace.main()
    (found,) = estimate.measured([])
    assert found.images_per_second == pace.kept().images_per_second > 0 and found.config == pace.yardstick()
    assert estimate.seconds(pace.yardstick(), [found]) > 0
    trained = seen([row(1, 0), row(101, 10)])
    assert [each.images_per_second for each in estimate.measured([trained])] == [320]  # which counts for more
    told = (tmp_path / "resnet-lab" / "pace.json").read_text()
    assert not pace.kept().is_old
    (tmp_path / "resnet-lab" / "pace.json").write_text(told.replace(pace.kept().measured, "2026-01-01T00:00:00+00:00"))
    assert pace.kept().is_old  # and still the best that is known
    with monkeypatch.context() as patch:
        patch.setenv("RESNET_LAB_KERNELS", "off")
        assert pace.kept() is None  # trained in another way
    older = {**json.loads(told), "circumstances": {"machine": pace.processor(), "torch": pace.version("torch")}}
    (tmp_path / "resnet-lab" / "pace.json").write_text(json.dumps(older))
    assert pace.kept() is None  # by a version that trained in another way
    other_machine = told.replace('"machine": "', '"machine": "another ')
    without_zone = told.replace("+00:00", "")
    assert other_machine != told != without_zone
    for content in ("{", "[]", '{"images_per_second": "fast"}', other_machine, without_zone):
        (tmp_path / "resnet-lab" / "pace.json").write_text(content)
        assert pace.kept() is None


def test_it_is_measured_once_a_server_and_where_something_can_be_trained(monkeypatch):
    begun = []
    monkeypatch.setattr(pace, "begin", lambda: begun.append(1))
    estimate.measured([])
    assert begun == []  # outside of a server
    monkeypatch.setattr(estimate.runtime, "exists", lambda: True)
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    estimate.measured([])
    assert begun == []
    monkeypatch.setenv("RESNET_LAB_SLOTS", "1")
    estimate.st.cache_resource.clear()
    for _ in range(2):
        assert estimate.measured([]) == []
    assert begun == [1]
