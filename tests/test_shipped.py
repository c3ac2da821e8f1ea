"""The checkpoints that ship: whole, small enough, trained as the zoo says, and as good as their cards say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from resnet_core import zoo
from resnet_core.architectures.table import complexity
from resnet_core.nets import Net, catalog, folder
from resnet_core.nets.loading import load
from resnet_core.zoo.export import MOST_BYTES, measure, readme

SHIPPED = Path(__file__).resolve().parent.parent / "checkpoints"
NAMES = sorted(path.parent.name for path in SHIPPED.glob(f"[!.]*/{folder.CARD}"))
#: Of the full CIFAR-10, read before the tests take such settings away.
DATA_DIR = os.environ.get("RESNET_LAB_DATA")


@pytest.fixture
def shipped(request, monkeypatch) -> Net:
    """The shipped net of that name."""
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(SHIPPED))
    return catalog().get(request.param)


def test_all_of_them_can_be_read(monkeypatch):
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(SHIPPED))
    found = catalog()
    assert found.problems == []
    assert sorted(net.id for net in found.nets if net.origin == "shipped") == NAMES
    pairs = {f"{kind}-{depth}" for kind in ("plain", "resnet") for depth in (20, 32, 44, 56)}
    assert pairs <= set(NAMES) <= {zoo.plan.name_of(config) for config in zoo.CONFIGS}


@pytest.mark.parametrize("shipped", NAMES, indirect=True)
def test_the_card_and_the_records_tell_of_one_training(shipped):
    card = shipped.card
    (config,) = [config for config in zoo.CONFIGS if zoo.plan.name_of(config) == shipped.id]
    assert shipped.config == config
    assert shipped.weights.stat().st_size == card["weights_bytes"] <= MOST_BYTES
    assert (card["params"], card["macs"]) == (complexity(config.model).params, complexity(config.model).macs)
    assert (card["schedule_fraction"], card["seed"]) == (0.25, config.recipe.seed)
    assert card["machines"] and card["precision"] and card["training_seconds"] > 0
    assert len(card["commit"]) >= 40
    train, test, layers = (shipped.records(kind) for kind in ("train", "test", "layers"))
    # The first iteration is recorded too.
    assert [row["iteration"] for row in train] == [1, *range(100, 16_001, 100)]
    assert [row["iteration"] for row in test] == list(range(400, 16_001, 400))
    assert [row["iteration"] for row in layers] == list(range(0, 16_001, 400))
    assert test[-1]["test_error"] == card["test_error"]
    images = sum(row["images"] for row in train[-4:])
    last_epoch = sum(row["train_error"] * row["images"] for row in train[-4:]) / images
    assert card["train_error"] == pytest.approx(last_epoch, abs=1e-9)
    assert (shipped.path / folder.README).read_text() == readme(card)


@pytest.mark.parametrize("shipped", NAMES, indirect=True)
def test_the_error_on_the_sample_is_exactly_the_cards_in_the_same_precision(shipped):
    (on_card,) = [each for each in shipped.card["evaluations"] if each["data"] == "sample" and each["precision"] == "fp32"]
    measured = measure(load(shipped, "cpu", "fp32"), "sample")
    assert measured == {key: on_card[key] for key in ("n", "wrong", "top1_error")}


@pytest.mark.skipif(DATA_DIR is None, reason="needs the full CIFAR-10 (RESNET_LAB_DATA)")
@pytest.mark.slow
@pytest.mark.parametrize("shipped", NAMES, indirect=True)
def test_the_error_on_the_full_test_set_is_exactly_the_cards_in_the_same_precision(shipped):
    (on_card,) = [each for each in shipped.card["evaluations"] if each["data"] == "cifar10" and each["precision"] == "fp32"]
    measured = measure(load(shipped, "cpu", "fp32"), "cifar10", DATA_DIR)
    assert measured == {key: on_card[key] for key in ("n", "wrong", "top1_error")}
