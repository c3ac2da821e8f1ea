"""One net on several devices: the same batches split, the same losses without BN, resumed to the bit. Gloo on a CPU; CUDA where it is."""

from __future__ import annotations

import dataclasses
import itertools
import signal
import subprocess
import sys

import psutil
import pytest
import torch

from resnet_core import data
from resnet_core.architectures import parse
from resnet_core.config import RunConfig
from resnet_core.errors import ConfigError
from resnet_core.training import checkpoint, replicas
from resnet_core.training.device import pick_device
from resnet_core.training.engine import Trainer
from resnet_core.training.plan import Plan
from tests.runs_tools import config, untimed

DEVICE = pick_device("auto").type
PLAN = Plan(DEVICE if DEVICE == "cpu" or torch.cuda.device_count() > 1 else "cpu", "fp32", False, 1)


def made(net: str, replicas: int, **recipe) -> RunConfig:
    chosen = {"iterations": 8, "record_every": 1, "test_every": 8, "layers_every": 4, "checkpoint_every": 4, "replicas": replicas}
    base = config(**(chosen | recipe))
    return dataclasses.replace(base, model=parse(net))


def trainer(of: RunConfig) -> Trainer:
    return Trainer(of, data.load(of.data), PLAN)


def losses(records: list[dict]) -> list[float]:
    return [record["loss"] for record in records if record["kind"] == "train"]


@pytest.fixture(scope="module")
def two() -> list[dict]:
    """Records of two replicas of a net without BN, and after each the weights."""
    return list(trainer(made("ResNet-8-nobn-w4", 2)).run())


def test_without_bn_losses_and_errors_are_those_of_one(two):
    one = list(trainer(made("ResNet-8-nobn-w4", 1)).run())
    assert losses(two) == pytest.approx(losses(one), rel=1e-5)
    assert [r["train_error"] for r in two if r["kind"] == "train"] == [r["train_error"] for r in one if r["kind"] == "train"]
    assert two[-1]["test_error"] == pytest.approx(one[-1]["test_error"], abs=0.3)
    assert losses(two) != losses(one)  # other sums: what is compared are two trainings


def test_each_part_is_normalised_by_itself_and_the_first_ones_statistics_are_kept():
    both = trainer(made("ResNet-8-w4", 2, momentum=0.0, weight_decay=0.0))
    images, labels = both._batches(0)
    alone = trainer(made("ResNet-8-w4", 1))
    parts = []
    for start in (0, 4):
        alone.model.zero_grad()
        loss = torch.nn.functional.cross_entropy(alone.model(images[start : start + 4]), labels[start : start + 4])
        loss.backward()
        parts.append((loss.item(), alone.model.conv1.weight.grad.clone()))
        alone.model.train()
    kept = {name: value.clone() for name, value in both.model.state_dict().items()}
    records = iter(both.run())
    first = next(record for record in records if record["kind"] == "train")
    records.close()
    assert first["loss"] == pytest.approx((parts[0][0] + parts[1][0]) / 2, rel=1e-5)
    rate = first["learning_rate"]
    moved = (kept["conv1.weight"] - both.model.state_dict()["conv1.weight"]) / rate
    assert torch.allclose(moved, (parts[0][1] + parts[1][1]) / 2, rtol=1e-3, atol=1e-5)
    mean = both.model.state_dict()["bn1.running_mean"]
    of_the_first = torch.nn.functional.conv2d(images[:4], kept["conv1.weight"], padding=1).mean((0, 2, 3))
    assert torch.allclose(mean, 0.1 * of_the_first, atol=1e-5)  # 0.1: the momentum of BN in PyTorch


def test_it_is_resumed_to_the_bit(two, tmp_path):
    whole = made("ResNet-8-nobn-w4", 2)
    stopped = trainer(whole)
    looks = itertools.count()
    before = [r for r in stopped.run(lambda: next(looks) >= 5) if r["kind"] == "train"]
    assert len(before) == 5
    checkpoint.save(tmp_path, stopped.state(), {})
    resumed = trainer(whole)
    resumed.load_state(checkpoint.load(tmp_path / "iter-00000005")[0])
    after = list(resumed.run())
    assert after[-1]["weights_sha256"] == two[-1]["weights_sha256"]
    assert untimed([*before, *(r for r in after if r["kind"] == "train")]) == untimed([r for r in two if r["kind"] == "train"])


def test_where_another_one_dies_the_training_fails_and_nothing_is_left():
    records = trainer(made("ResNet-8-nobn-w4", 2, iterations=100_000)).run()
    while next(records)["kind"] != "train":
        pass
    others = [p for p in psutil.Process().children() if "resnet_core.training.replicas" in p.cmdline()]
    assert len(others) == 1
    others[0].send_signal(signal.SIGKILL)
    with pytest.raises(RuntimeError):
        for _ in records:
            pass
    assert not others[0].is_running() or others[0].status() == psutil.STATUS_ZOMBIE
    assert not torch.distributed.is_initialized()


def test_one_that_cannot_begin_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(replicas, "_start", lambda arguments: subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]))
    with pytest.raises(RuntimeError, match="another replica ended before it began, with exit status 3"):
        next(trainer(made("ResNet-8-w4", 2)).run())


def test_a_batch_that_cannot_be_shared_and_cards_that_are_not_there(monkeypatch):
    with pytest.raises(ConfigError, match="replicas: 3 cannot share a batch of 8 equally"):
        config(replicas=3)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    alone = trainer(made("ResNet-8-w4", 2))
    alone.plan = dataclasses.replace(alone.plan, device="cuda")
    with pytest.raises(ConfigError, match="2 graphics cards are needed, and 1 are here"):
        next(alone.run())


def test_one_replica_is_what_it_was():
    assert config().fingerprint == config(replicas=1).fingerprint != config(replicas=2).fingerprint
