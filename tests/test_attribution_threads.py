"""Viewers who attribute at the same time do not disturb each other."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from resnet_core.attribution import METHODS
from resnet_core.attribution.compute import attribute
from tests import attribution_tools as tools
from tests.attribution_tools import made, sample

#: Captum says so each time; pytest resets the filter that is silent about it.
pytestmark = pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU")
ROUNDS = 4
FAST = {"integrated-gradients": {"steps": 4}, "occlusion": {"window": 16, "stride": 16}}


def together(*works):
    """All of them at once, each in a thread of its own, in step at the start; what they gave."""
    start, results, errors = threading.Barrier(len(works)), [None] * len(works), []

    def run(index, work):
        try:
            start.wait()
            results[index] = work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=each) for each in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    return results


def maps(loaded, image, keys):
    return [attribute(loaded, image, key, 1, **FAST.get(key, {})).map for _ in range(ROUNDS) for key in keys]


@pytest.mark.parametrize("other", METHODS)
@pytest.mark.parametrize("shared", [False, True], ids=["two copies", "one copy"])
def test_guided_grad_cam_beside_another(other, shared):
    """Its hooks change the gradients of whoever shares its modules; nobody does, even where the loaded net is the same object."""
    first = made("A")
    second = first if shared else made("A")
    image = sample().test.images[3]
    alone = maps(first, image, ["guided-grad-cam"]), maps(second, image, [other])
    at_once = together(lambda: maps(first, image, ["guided-grad-cam"]), lambda: maps(second, image, [other]))
    for before, now in zip(alone, at_once, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(before, now, strict=True))
    assert tools.hooks(first.model) == tools.hooks(second.model) == 0


def test_a_net_answers_as_ever_while_it_is_attributed():
    loaded, images = made("C"), sample().test.images[:8]
    expected = loaded.logits(images)
    weight = loaded.model.conv1.weight

    def gradients():
        """Of someone who trains the same net meanwhile, in a way."""
        found = []
        for _ in range(ROUNDS):
            found.append(torch.autograd.grad(loaded.model(loaded.normalize(images)).logsumexp(1).sum(), weight)[0])
        return found

    alone = gradients()
    _, answers, meanwhile = together(
        lambda: maps(loaded, images[0], ["guided-grad-cam", "saliency"]), lambda: [loaded.logits(images) for _ in range(ROUNDS)], gradients
    )
    assert all(torch.equal(answer, expected) for answer in answers)
    assert all(torch.equal(a, b) for a, b in zip(alone, meanwhile, strict=True))
    assert weight.requires_grad and weight.grad is None
