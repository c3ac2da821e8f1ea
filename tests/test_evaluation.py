"""Evaluation: the training's own numbers to the last bit, the confusion matrix, and the worst mistakes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from resnet_core.analysis.evaluation import evaluate_detailed
from resnet_core.architectures import ResNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.config import DataConfig
from resnet_core.data import load, normalize, per_pixel_mean
from resnet_core.errors import DataError, Stopped
from resnet_core.training import evaluate as training
from resnet_core.training.plan import Plan

PLAN = Plan(threads=1)


class Table(nn.Module):
    """A net that answers with the logits written into an image's first pixels."""

    def __init__(self, logits: torch.Tensor):
        super().__init__()
        self.register_buffer("rows", logits)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.rows[x[:, 0, 0, 0].long()]


def numbered(count: int) -> torch.Tensor:
    """uint8 (count, 3, 32, 32): an image's first pixel is its number."""
    pixels = torch.zeros(count, 3, 32, 32, dtype=torch.uint8)
    pixels[:, 0, 0, 0] = torch.arange(count)
    return pixels


@pytest.fixture(scope="module")
def sample():
    return load(DataConfig("sample"))


@pytest.fixture(scope="module")
def net(sample):
    """Wrong in many ways, and not on everything: its running statistics are those of some images."""
    model = build_model(ResNetConfig(8, "A", 8), seed=3).to(memory_format=torch.channels_last)
    with torch.no_grad():
        model(normalize(sample.train.images[:64], per_pixel_mean(sample.train)))
    return model


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_error_and_loss_are_those_of_the_training(sample, net, precision):
    mean, plan = per_pixel_mean(sample.train), Plan(precision=precision)
    error, loss = training.evaluate(net, sample.test.images, sample.test.labels, mean, plan)
    found = evaluate_detailed(net, sample.test.images, sample.test.labels, lambda x: normalize(x, mean), plan)
    assert (found.top1_error, found.loss) == (error, loss)
    assert found.precision == precision and found.n == 1000
    assert 0 < found.wrong < 1000


def test_at_another_batch_size_too(sample, net, monkeypatch):
    monkeypatch.setattr("resnet_core.activations.MOST", 37)
    mean = per_pixel_mean(sample.train)
    images, labels = sample.test.images[:100], sample.test.labels[:100]
    expected = training.evaluate(net, images, labels, mean, PLAN)
    found = evaluate_detailed(net, images, labels, lambda x: normalize(x, mean), PLAN, batch_size=37)
    assert (found.top1_error, found.loss) == expected


def test_confusion_and_class_errors_agree_with_the_error(sample, net):
    mean = per_pixel_mean(sample.train)
    found = evaluate_detailed(net, sample.test.images, sample.test.labels, lambda x: normalize(x, mean), PLAN)
    assert found.confusion.shape == (10, 10) and found.confusion.dtype == np.int64
    assert found.confusion.sum(1).tolist() == [100] * 10
    assert found.confusion.sum() - np.trace(found.confusion) == found.wrong
    assert found.class_errors.mean() == pytest.approx(found.top1_error)
    told = found.to_dict()
    assert told["confusion"] == found.confusion.tolist() and told["top1_error"] == found.top1_error


def test_worst_mistakes_are_the_surest_across_batches():
    # Image i: its true class 0 has logit 0, the class it is taken for has logit levels[i].
    levels = [1.0, 5.0, -3.0, 2.0, 5.0, 4.0, -1.0]
    logits = torch.tensor([[0.0, level, -20.0] for level in levels])
    labels = torch.zeros(7, dtype=torch.int64)
    labels[3] = 1  # this one is right
    found = evaluate_detailed(Table(logits), numbered(7), labels, lambda x: x.float(), PLAN, worst=3, batch_size=2)
    # Images 1 and 4 are equally sure, and keep their order.
    assert [mistake.index for mistake in found.worst] == [1, 4, 5]
    assert {(mistake.true, mistake.predicted) for mistake in found.worst} == {(0, 1)}
    total = 1 + math.exp(5) + math.exp(-20)
    assert found.worst[0].probability == pytest.approx(math.exp(5) / total, rel=1e-9)
    assert found.worst[0].true_probability == pytest.approx(1 / total, rel=1e-9)
    assert found.wrong == 4 and found.top1_error == pytest.approx(400 / 7)
    assert found.confusion.tolist() == [[2, 4, 0], [0, 1, 0], [0, 0, 0]]
    assert found.class_errors[:2].tolist() == pytest.approx([400 / 6, 0]) and math.isnan(found.class_errors[2])
    reference = nn.functional.cross_entropy(logits.double(), labels).item()
    assert found.loss == pytest.approx(reference, rel=1e-6)
    assert len(evaluate_detailed(Table(logits), numbered(7), labels, lambda x: x.float(), PLAN, worst=50).worst) == 4
    assert evaluate_detailed(Table(logits), numbered(7), labels, lambda x: x.float(), PLAN, worst=0).worst == ()


def test_a_net_of_more_classes_is_evaluated_and_one_of_fewer_is_refused():
    found = evaluate_detailed(Table(torch.eye(12)), numbered(10), torch.arange(10), lambda x: x.float(), PLAN)
    assert found.confusion.shape == (12, 12) and found.wrong == 0
    with pytest.raises(DataError, match=r"tells 2 classes apart, and the images are of 10"):
        evaluate_detailed(Table(torch.zeros(10, 2)), numbered(10), torch.arange(10), lambda x: x.float(), PLAN)


def test_the_net_keeps_its_mode_and_its_statistics_also_when_stopped(sample, net):
    mean = per_pixel_mean(sample.train)
    net.train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    told = []
    arguments = (net, sample.test.images[:60], sample.test.labels[:60], lambda x: normalize(x, mean), PLAN)
    evaluate_detailed(*arguments, batch_size=25, progress=lambda *at: told.append(at))
    assert told == [(25, 60), (50, 60), (60, 60)]
    with pytest.raises(Stopped):
        evaluate_detailed(*arguments, batch_size=25, should_stop=lambda: True)
    assert net.training and all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    with pytest.raises(ValueError, match="at least one image"):
        evaluate_detailed(net, sample.test.images[:0], sample.test.labels[:0], lambda x: normalize(x, mean), PLAN)


def test_a_loss_that_is_not_finite_is_told_as_none():
    found = evaluate_detailed(Table(torch.full((3, 3), torch.nan)), numbered(3), torch.tensor([0, 1, 2]), lambda x: x.float(), PLAN)
    assert math.isnan(found.loss) and found.to_dict()["loss"] is None
