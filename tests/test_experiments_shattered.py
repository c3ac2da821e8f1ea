"""Shattered gradients: the autocorrelation, the branch factor, and the order of nets that the paper finds (Balduzzi et al. 2017)."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from resnet_core.architectures import parse
from resnet_core.architectures.net import build_model
from resnet_core.experiments import Measured
from resnet_core.experiments.shattered import (
    Shattered,
    Variant,
    autocorrelation,
    finding,
    input_gradients,
    scaled_branches,
    table,
    variants,
)
from tests.experiments_tools import images, loaded, measured

__all__ = ["images"]


def test_the_autocorrelation_is_that_of_a_loop():
    values = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)) + 5
    centred = (values - values.mean(0)).double().numpy()
    for lag, found in enumerate(autocorrelation(values, 7), start=1):
        total = sum(float(centred[i] @ centred[i + lag]) for i in range(20 - lag))
        assert found == pytest.approx(total / (centred**2).sum(), abs=1e-6)


def test_of_a_line_it_falls_as_it_must_and_of_equal_values_there_is_none():
    alternating = torch.tensor([1.0, -1.0] * 50)[:, None]
    assert autocorrelation(alternating, 2) == pytest.approx([-0.99, 0.98])
    assert np.isnan(autocorrelation(torch.full((40, 2), 0.1), 3)).all()
    assert np.isnan(autocorrelation(torch.tensor([[1.0], [2.0], [float("inf")], [3.0]]), 2)).all()


@pytest.mark.parametrize("layers", [1, 3])
def test_on_random_masks_gradients_forget_each_other_exponentially_with_depth(layers):
    """Each unit is active at half of the inputs and drawn anew from one to the next with probability p: C(lag) = ((1 + q) / 2)^L with
    q = (1 - p)^lag, which falls to the 2^-L of units that have nothing to do with each other (GOLDEN 4.3)."""
    draw, width, places, p = np.random.default_rng(0), 40, 3000, 0.1
    gradient = np.repeat(draw.standard_normal((1, width)), places, 0)
    for _ in range(layers):
        anew, fresh = draw.random((places, width)) < p, draw.random((places, width)) < 0.5
        anew[0] = True
        last = np.maximum.accumulate(np.where(anew, np.arange(places)[:, None], 0), 0)
        gradient = (gradient * np.take_along_axis(fresh, last, 0)) @ (draw.standard_normal((width, width)) * np.sqrt(2 / width))
    lags = np.arange(1, 11)
    rest = 2.0**-layers
    expected = (((1 + 0.9**lags) / 2) ** layers - rest) / (1 - rest)
    assert autocorrelation(torch.from_numpy(gradient), 10) == pytest.approx(expected, abs=0.06)


def test_gradients_are_those_of_the_logit_that_the_first_input_prefers():
    net = build_model(parse("ResNet-8-w4")).double().eval()
    x = torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    logit = int(net(x[:1]).argmax())
    for found in (input_gradients(net, x, 5), input_gradients(net, x, 2)):
        for gradient, one in zip(found, x, strict=True):
            small = 1e-6 * torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
            change = float((net((one + small)[None]) - net((one - small)[None]))[0, logit].detach()) / 2
            assert float(gradient.double() @ small.flatten()) == pytest.approx(change, rel=1e-4)


@pytest.mark.parametrize("name", ["ResNet-8-w4", "ResNet-8-B-w4", "ResNet-8-preact-w4", "WRN-16-1"])
def test_the_factor_multiplies_the_branches(name):
    net = loaded(name).model
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    by_hand = copy.deepcopy(net)
    with torch.no_grad():
        for block in by_hand.blocks():
            last = block.get_submodule([part.name for part in block.unit.branch if part.kind in ("conv", "bn")][-1])
            last.weight *= 0.25
            if last.bias is not None:
                last.bias *= 0.25
        whole = net(x)
        with scaled_branches(net, 0.25):
            assert torch.allclose(net(x), by_hand(x), rtol=1e-4, atol=1e-5) and not torch.allclose(net(x), whole, rtol=1e-2)
        assert torch.equal(net(x), whole)


def test_variants_are_of_the_nets_own_configuration():
    told = {name: [one.words for one in variants(parse(name))] for name in ("plain-20", "ResNet-20-w4", "Highway-8-w4", "VGG-11-CIFAR")}
    both = ["initial with BN", "initial without BN"]
    assert told["plain-20"] == told["VGG-11-CIFAR"] == ["trained", *both] and told["Highway-8-w4"] == ["trained", both[0]]
    assert told["ResNet-20-w4"] == ["trained", *(f"{words}{more}" for words in both for more in ("", ", β = 0.1"))]
    assert [one.model.name for one in variants(parse("ResNet-20-w4"))] == ["ResNet-20-w4"] * 3 + ["ResNet-20-nobn-w4"] * 2


def test_plain_nets_with_bn_shatter_most_and_small_branches_least(images):
    plain, residual = (one.result for one in measured("shattered", images, loaded("plain-14-w4"), loaded("ResNet-14-w4"), points=48))
    order = [plain.at(1, 1), residual.at(1, 1), residual.at(2, 1)]
    assert plain.variants[1] == Variant(parse("plain-14-w4"), 1.0, False) and residual.variants[2].factor == 0.1
    assert order[0] + 0.1 < order[1] and order[1] + 0.1 < order[2]
    assert plain.at(1, 1) < plain.at(2, 1) - 0.1  # without BN it shatters less


def test_a_net_whose_gradient_is_the_same_everywhere_has_no_correlation(images):
    """Fixup begins with a classifier of zeros, so there is no gradient at all."""
    (found,) = measured("shattered", images, loaded("ResNet-8-fixup-nobn-w4"))
    untrained = [index for index, one in enumerate(found.result.variants) if not one.trained]
    assert len(untrained) == 2 and all(found.result.at(index, 1) is None for index in untrained)
    assert found.result.to_dict()["variants"][1]["lag_10"] is None
    assert "initial without BN undefined" in finding([found])


def test_what_is_said_of_the_correlations():
    model = parse("plain-20")
    found = Shattered(tuple(variants(model)[:2]), (np.full((1, 16), 0.5), np.linspace(1, 0, 32).reshape(2, 16)), 64, 1, 2)
    each = Measured("a", "plain-20", model, found)
    assert table([each]).rows == (
        ("plain-20", "trained", 0.5, 0.5),
        ("plain-20", "initial with BN", pytest.approx(23 / 31), pytest.approx(14 / 31)),
    )
    assert finding([each]) == (
        "Correlation of input gradients at lag 1 and at lag 10 (64 inputs a line, lines: 1, initialisations: 2): plain-20: trained 0.50 "
        "and 0.50, initial with BN 0.74 and 0.45."
    )
    nothing = Measured("a", "plain-20", model, Shattered(found.variants[:1], (np.full((1, 16), -0.001),), 64, 1, 2))
    assert finding([nothing]).endswith("plain-20: trained 0.00 and 0.00.")
