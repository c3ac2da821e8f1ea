"""The seed bank: what ships, what its seeds say, and how it is written."""

from __future__ import annotations

import dataclasses
import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from resnet_core import noise
from resnet_core.claims import seed_bank
from resnet_core.claims.seed_bank import ERRORS, PAIRS, Banked, bank, compared, read, sentence
from resnet_core.config import demo_configs
from resnet_core.errors import DataError
from resnet_core.reference import seed_bank as recorder
from resnet_core.runs import RunStore, files
from tests.page_tools import write_run

NETS = [net for pair in PAIRS.values() for net in pair]


def made(gaps: list[float], family: str = "plain", precision: str = "bf16") -> dict[int, dict[str, Banked]]:
    """A bank whose deep nets of one family end so far above the shallow ones; those of the other end equal."""
    found: dict[int, dict[str, Banked]] = {}
    for seed, gap in enumerate(gaps):
        for config in demo_configs(seed):
            error = 20.0 + (gap if config.model.name == PAIRS[family][1] else 0.0)
            about = (precision, "a machine", "abc", "2026-11-30", error, error, error)
            found.setdefault(seed, {})[config.model.name] = Banked(config, *about, ())
    return found


def test_the_bank_that_ships():
    known = bank()
    assert len(known) >= 20 and list(known) == list(range(len(known)))
    assert seed_bank.PATH.stat().st_size <= 3_000_000
    for seed, nets in known.items():
        assert list(nets) == NETS
        for net, one in nets.items():
            assert one.config in demo_configs(seed) and one.config.model.name == net
            assert (one.precision in ("bf16", "fp32")) and one.machine != "unknown" and len(one.commit) == 40
            train = [row["iteration"] for row in one.records if row["kind"] == "train"]
            test = [row for row in one.records if row["kind"] == "test"]
            assert train == sorted(set(train)) and len(train) > 50 and train[-1] == one.config.recipe.iterations
            assert test[-1]["iteration"] == one.config.recipe.iterations and test[-1]["test_error"] == pytest.approx(
                one.test_error, abs=0.01
            )
            # A clean error is a number of wrong images among 300, a test error one among 1,000.
            assert one.clean_error * 3 == pytest.approx(round(one.clean_error * 3), abs=1e-3)
            assert one.test_error * 10 == pytest.approx(round(one.test_error * 10), abs=1e-3)


def test_seeds_are_different_trainings():
    for net in NETS:
        assert len({tuple(row.get("train_error", 0) for row in nets[net].records) for nets in bank().values()}) == len(bank())


def test_no_net_scatters_more_than_verdicts_allow_for():
    """``noise`` assumes one spread over seeds for short trainings: a smaller one than is seen would call luck a difference."""
    spreads = {net: statistics.stdev(nets[net].clean_error for nets in bank().values()) for net in NETS}
    assert 0.5 * noise.SHORT_SEED_SPREAD < max(spreads.values()) <= noise.SHORT_SEED_SPREAD, spreads


def test_what_ships_is_what_the_lesson_says():
    """Sentences of the lesson on seeds that are no code's."""
    plain, residual = (compared(bank(), family, "clean") for family in PAIRS)
    assert plain.worse == len(bank()) and plain.low > 20
    assert residual.ties >= 0.9 * len(bank())
    tests = compared(bank(), "residual", "test")
    assert min(tests.worse, tests.better) > 5 and tests.p > 0.05
    assert compared(bank(), "plain", "test").worse == len(bank())


def test_gaps_are_counted():
    found = compared(made([3.0, -1.0, 0.0, 2.0]), "plain", "test")
    assert (found.worse, found.better, found.ties) == (2, 1, 1) and found.p == 1.0
    assert (found.mean, found.low, found.high) == (1.0, -1.0, 3.0) and found.gaps == {0: 3.0, 1: -1.0, 2: 0.0, 3: 2.0}
    said = sentence(found)
    assert "plain-56 ended worse than plain-20 with 2 of 4 seeds, better with 1, equal with 1 (test error: on average +1.0 points" in said
    assert "over the 3 that differ: p = 1, so these seeds allow no claim" in said
    assert "It holds for: 4 seeds · sample (300 images) · 37.5 epochs · bf16." in said


@pytest.mark.parametrize(
    ("gaps", "words"),
    [
        ([1.0] * 5, "p = 0.0625, so these seeds allow no claim"),
        ([1.0] * 6, "p = 0.0312, so one may claim that the deeper one ends worse"),
        ([-1.0] * 6 + [0.0], "Sign test over the 6 that differ: p = 0.0312, so one may claim that the deeper one ends better"),
        ([0.0] * 6, "All ended equal"),
        ([1.0] * 20, "p < 0.0001"),
    ],
)
@pytest.mark.parametrize("family", PAIRS)
def test_no_more_is_said_than_the_counts_allow(family, gaps, words):
    assert words in sentence(compared(made(gaps, family), family, "clean"))


def test_equal_numbers_of_wrong_images_are_a_tie():
    known = made([0.1 + 0.2 - 0.3])
    assert compared(known, "plain", "clean").ties == 1


def test_mixed_precisions_are_told():
    known = made([1.0, 1.0])
    known[1] = {net: dataclasses.replace(one, precision="fp32") for net, one in known[1].items()}
    assert compared(known, "plain", "clean").conditions == "2 seeds · sample (300 images) · 37.5 epochs · bf16 and fp32"


def test_an_empty_bank_says_so():
    with pytest.raises(DataError, match="No records of the seed bank"):
        compared({}, "plain", "clean")
    assert set(ERRORS) == {"clean", "test"}


@pytest.mark.parametrize("text", ["[", "{}", "[1]", '[{"seed": 0}]', '[{"seed": 0, "net": "plain-21"}]'])
def test_a_file_that_is_no_bank_is_told(tmp_path: Path, text: str):
    path = tmp_path / "seeds.json"
    path.write_text(text if text != "{}" else '{"a": 1}')
    with pytest.raises(DataError, match=str(path)):
        read(path)


def write_seed(store: RunStore, seed: int, nets: int = 4) -> None:
    for config in demo_configs(seed)[:nets]:
        run = write_run(store, config, end=12.5)
        with files.locked(store.home):
            store.change(run, result={**(run.state().result or {}), "clean_train_error": 12.0})


def test_the_recorder_takes_the_seeds_that_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    store, path = RunStore(tmp_path / "runs"), tmp_path / "seeds.json"
    write_seed(store, 0, nets=3)
    with pytest.raises(DataError, match="no seed has been trained in all of plain-20, plain-56"):
        recorder.write(store, path)
    write_seed(store, 3)
    write_seed(store, 1)
    assert recorder.write(store, path) == 2
    known = read(path)
    assert list(known) == [1, 3] and list(known[3]) == NETS
    one = known[3]["plain-56"]
    assert one.config == next(config for config in demo_configs(3) if config.model.name == "plain-56")
    assert (one.train_error, one.clean_error, one.test_error, one.precision) == (12.5, 12.0, 14.5, "bf16")
    assert [row["kind"] for row in one.records].count("train") == 20 and one.records[-1]["test_error"] == 14.5
    other = RunStore(tmp_path / "other")
    write_seed(other, 2)
    assert recorder.write(other, path) == 3 and list(read(path)) == [1, 2, 3]  # what it has already stays
    assert read(path)[3] == known[3]
    lines = json.loads(path.read_text())
    path.write_text(json.dumps(lines[:-1]))
    with pytest.raises(DataError, match="seed 3 lacks ResNet-56"):
        read(path)
    monkeypatch.setattr(recorder, "MOST", 100)
    with pytest.raises(DataError, match="more than 100"):
        recorder.write(store, path)


def test_the_recorder_is_named_by_its_usage(root: Path):
    ended = subprocess.run([sys.executable, "-m", "resnet_core.reference"], cwd=root, capture_output=True, text=True)
    assert ended.returncode == 1 and "seeds" in ended.stderr
