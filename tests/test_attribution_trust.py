"""Infidelity and sensitivity against loops, Spearman's rank correlation against its definition, and the sanity check."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from resnet_core.architectures import ResNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.attribution import METHODS
from resnet_core.attribution.compute import attribute
from resnet_core.attribution.ranks import ranks, spearman
from resnet_core.attribution.sanity import TRAINED, cascade, random_level, random_net
from resnet_core.attribution.trust import SQUARES, infidelity, sensitivity, squares
from resnet_core.errors import Stopped
from resnet_core.nets import find
from resnet_core.nets.loading import load
from tests import attribution_tools as tools
from tests.attribution_tools import made, sample, trained

#: Captum says so each time; pytest resets the filter that is silent about it.
pytestmark = pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU")
FAST = {"integrated-gradients": {"steps": 10}, "occlusion": {"window": 8, "stride": 8}}


def image(index=7):
    return sample().test.images[index]


def test_ranks_share_the_mean_of_equal_values():
    assert ranks(np.array([30.0, 10.0, 20.0])).tolist() == [3, 1, 2]
    assert ranks(np.array([[5, 5], [1, 9]])).tolist() == [2.5, 2.5, 1, 4]
    assert ranks(np.zeros(5)).tolist() == [3] * 5


def test_spearman_against_its_definition():
    """Without ties: 1 - 6 * sum of squared rank differences / (n (n^2 - 1)); with ties by counting pairs of ranks one by one."""
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 40))
    order = [sum(other < value for other in a) for value in a], [sum(other < value for other in b) for value in b]
    squared = sum((x - y) ** 2 for x, y in zip(*order, strict=True))
    assert spearman(a, b) == pytest.approx(1 - 6 * squared / (40 * (40**2 - 1)))
    a, b = random.integers(0, 4, size=(2, 30))
    tied = [[sum(o < v for o in s) + (sum(o == v for o in s) + 1) / 2 for v in s] for s in (a, b)]
    assert spearman(a, b) == pytest.approx(np.corrcoef(tied)[0, 1])


def test_spearman_knows_order_only():
    values = np.random.default_rng(1).normal(size=(32, 32))
    assert spearman(values, np.exp(values)) == pytest.approx(1)
    assert spearman(values, -(values**3)) == pytest.approx(-1)
    assert abs(spearman(values, np.random.default_rng(2).normal(size=(32, 32)))) < 0.1
    assert spearman(values, np.ones((32, 32))) is None
    assert spearman(values, np.where(values > 2, np.inf, values)) is None
    with pytest.raises(ValueError, match="no pixels in common"):
        spearman(values, values[:16])


def test_squares_lie_inside_and_depend_on_the_seed_only():
    masks = squares(200, 3)
    assert masks.shape == (200, 1, 32, 32)
    for mask in masks[:, 0]:
        sides = mask.any(0).sum(), mask.any(1).sum()
        assert sides[0] == sides[1] and SQUARES[0] <= sides[0] <= SQUARES[1]
        assert mask.sum() == sides[0] ** 2
    assert np.array_equal(masks, squares(200, 3))
    assert not np.array_equal(masks, squares(200, 4))


@pytest.mark.parametrize("key", METHODS)
def test_infidelity_is_what_a_loop_finds(key):
    """Yeh et al. 2019, definition 2.1, with the scale that fits best; 70 squares are more than one batch."""
    loaded = trained()
    model, pixels = tools.reference(loaded), tools.in_pixels(loaded, image()).detach()
    target = int(loaded.logits(image()[None]).argmax())
    found = attribute(loaded, image(), key, target, **FAST.get(key, {}))
    per_channel = np.broadcast_to(found.map / 3, (3, 32, 32)) if found.per_channel is None else found.per_channel
    said, happened = [], []
    with torch.no_grad():
        whole = tools.logits(loaded, model, pixels)[0, target]
        for mask in torch.from_numpy(squares(70, 5)).double():
            change = mask * (pixels[0] - loaded.mean.double())
            happened.append(float(whole - tools.logits(loaded, model, pixels - change)[0, target]))
            weights = change if METHODS[key].local else mask.expand(3, -1, -1)
            said.append(float((weights.numpy() * per_channel).sum()))
    said, happened = np.array(said), np.array(happened)
    scale = (said * happened).mean() / (said**2).mean()
    expected = ((scale * said - happened) ** 2).mean()
    measured = infidelity(loaded, image(), found, samples=70, seed=5)
    assert measured.value == pytest.approx(expected, rel=2e-3)
    assert measured.relative == pytest.approx(expected / (happened**2).mean(), rel=2e-3)
    assert 0 <= measured.relative <= 1
    assert (measured.samples, measured.seed) == (70, 5)
    assert "70 squares of 4 to 12 pixels" in measured.text and "seed 5" in measured.text


def test_infidelity_of_a_map_of_zeros_is_1_and_scale_does_not_matter():
    loaded = trained()
    found = attribute(loaded, image(), "occlusion", 3, **FAST["occlusion"])
    zero = dataclasses.replace(found, map=np.zeros_like(found.map))
    assert infidelity(loaded, image(), zero).relative == pytest.approx(1)
    double = dataclasses.replace(found, map=1000 * found.map)
    assert infidelity(loaded, image(), double).relative == pytest.approx(infidelity(loaded, image(), found).relative, rel=1e-3)


def test_a_map_that_says_the_contrary_is_no_better_than_zeros():
    loaded = trained()
    found = attribute(loaded, image(), "occlusion", 3, **FAST["occlusion"])
    contrary = dataclasses.replace(found, map=-found.map)
    assert infidelity(loaded, image(), found).relative < 0.9
    assert infidelity(loaded, image(), contrary).relative == 1.0


@pytest.mark.parametrize("key", ["saliency", "grad-cam"])
def test_sensitivity_is_the_largest_of_a_loop(key):
    loaded = trained()
    target = int(loaded.logits(image()[None]).argmax())
    found = attribute(loaded, image(), key, target)
    noise = np.random.default_rng(4).uniform(-0.03, 0.03, (5, 3, 32, 32)).astype(np.float32)
    values = []
    for each in noise:
        pixels = (image()[None].double() / 255 + torch.from_numpy(each).double()).requires_grad_()
        model = tools.reference(loaded)
        if key == "saliency":
            now = torch.autograd.grad(tools.logits(loaded, model, pixels)[0, target], pixels)[0][0].abs().amax(0)
        else:
            kept = []
            model.layer3[0].register_forward_hook(lambda module, args, output, kept=kept: kept.append(output))
            score = tools.logits(loaded, model, pixels)[0, target]
            (gradient,) = torch.autograd.grad(score, kept[0])
            now = tools.enlarged((gradient[0].mean((1, 2))[:, None, None] * kept[0][0].detach()).sum(0).clamp(min=0))
        values.append(float(np.linalg.norm(now.numpy() - found.map) / np.linalg.norm(found.map)))
    measured = sensitivity(loaded, image(), found, radius=0.03, samples=5, seed=4)
    assert measured.value == pytest.approx(max(values), rel=1e-3)
    assert "largest of 5 random changes of each pixel by at most 0.03" in measured.text


def test_measures_depend_on_the_seed_and_on_nobody_elses_random_numbers():
    loaded = trained()
    found = attribute(loaded, image(), "saliency", 1)
    results = []
    for outside, seed in ((1, 0), (2, 0), (3, 1)):
        torch.manual_seed(outside)
        np.random.seed(outside)
        shaken = sensitivity(loaded, image(), found, samples=3, seed=seed)
        results.append((infidelity(loaded, image(), found, seed=seed).value, shaken.value))
    assert results[0] == results[1]
    assert results[0][0] != results[2][0] and results[0][1] != results[2][1]


def test_sensitivity_tells_how_far_it_is_and_stops_when_told():
    loaded = made("A")
    found = attribute(loaded, image(), "saliency", 1)
    told = []
    sensitivity(loaded, image(), found, samples=4, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 5) for done in range(1, 6)]
    with pytest.raises(Stopped):
        sensitivity(loaded, image(), found, samples=4, should_stop=lambda: len(told) > 0)


def test_a_map_of_zeros_has_no_sensitivity():
    loaded = made("A")
    with torch.no_grad():
        loaded.model.fc.weight[1] = -1.0
    found = attribute(loaded, image(), "grad-cam", 1)
    assert found.is_zero
    assert sensitivity(loaded, image(), found).value is None


@pytest.mark.parametrize("kind", ["plain", "C", "bottleneck", "ImageNet"])
def test_the_cascade_ends_at_a_net_before_its_first_update_and_leaves_the_callers_alone(kind):
    loaded = made(kind)
    before = {name: value.clone() for name, value in loaded.model.state_dict().items()}
    steps = list(cascade(loaded, image(), "saliency", 2, seed=11, per_stage=1))
    assert all(torch.equal(value, before[name]) for name, value in loaded.model.state_dict().items())
    assert steps[0].label == TRAINED and (steps[0].signed, steps[0].absolute) == (pytest.approx(1), pytest.approx(1))
    np.testing.assert_array_equal(steps[0].map, attribute(loaded, image(), "saliency", 2).map)
    fresh = tools.in_memory(loaded.model.config, random_net(loaded.model.config, 11))
    fresh = dataclasses.replace(fresh, mean=loaded.mean, std=loaded.std)
    np.testing.assert_allclose(steps[-1].map, attribute(fresh, image(), "saliency", 2).map, rtol=1e-4, atol=1e-6 * steps[-1].map.max())
    assert [step.modules for step in steps][:2] == [(), ("fc",)]
    assert {"fc", "conv1", "bn1"} <= set(steps[-1].modules)
    for earlier, later in itertools.pairwise(steps):
        assert set(earlier.modules) < set(later.modules)


def test_the_random_weights_are_none_that_a_training_begins_with():
    """A trained net resembles its own initial weights: put back to those, its layers are not random. Most trainings have seed 0."""
    config = ResNetConfig(20, "A")
    for seed in range(3):
        fresh = random_net(config, seed).state_dict()
        assert all(torch.equal(value, fresh[name]) for name, value in random_net(config, seed).state_dict().items())
        for training in range(4):
            for name, begun in build_model(config, training).state_dict().items():
                if begun.ndim > 1:
                    cosine = torch.nn.functional.cosine_similarity(begun.flatten(), fresh[name].flatten(), dim=0)
                    assert abs(cosine) < 5 / begun.numel() ** 0.5, (name, seed, training)


def test_the_first_step_changes_the_classifier_only():
    loaded = trained()
    steps = cascade(loaded, image(), "grad-cam", 3, seed=2)
    next(steps)
    second = next(steps)
    changed = trained()
    random = random_net(tools.TRAINED, 2)
    changed.model.fc.load_state_dict(random.fc.state_dict())
    np.testing.assert_allclose(second.map, attribute(changed, image(), "grad-cam", 3).map, atol=1e-5 * max(second.map.max(), 1e-6))


def correlations(key, count=12):
    """(images, 2): signed and absolute rank correlation of the trained net's map and a random net's; of predicted classes."""
    loaded = trained()
    rows = []
    for index in range(count):
        target = int(loaded.logits(image(index)[None]).argmax())
        *_, last = cascade(loaded, image(index), key, target, seed=index % 4, per_stage=1, **FAST.get(key, {}))
        rows.append((last.signed, last.absolute))
    return np.array(rows, dtype=float)


def test_randomising_all_weights_destroys_the_gradients_maps():
    """On a trained ResNet-8, the mean over 12 images and four random nets. One pair scatters by 0.13, so their mean by 0.04 around 0.

    Of magnitudes more is left, for both nets see the same image and the same borders.
    """
    for key in ("saliency", "integrated-gradients"):
        found = correlations(key)
        assert abs(found[:, 0].mean()) < 0.2
        assert found[:, 1].mean() < 0.5


def test_randomising_all_weights_destroys_grad_cam():
    """Its maps have 8x8 values: one pair scatters by 0.27, the mean of 12 by 0.08 around 0."""
    found = correlations("grad-cam")
    assert abs(np.nanmean(found[:, 0])) < 0.35
    assert np.isfinite(found[:, 0]).sum() >= 8


def test_guided_grad_cam_is_told_as_it_is():
    """Whatever is found: no bound is asked of a method that is known to fail (Adebayo et al. 2018)."""
    assert np.isfinite(correlations("guided-grad-cam", 4)).any()
    steps = list(cascade(trained(), image(), "guided-grad-cam", 1, per_stage=1))
    assert [step.to_dict()["label"] for step in steps] == [TRAINED, "fc", "layer3.0", "layer2.0", "layer1.0", "conv1"]


def test_a_constant_and_a_random_map_are_measured_beside_it(monkeypatch, root):
    """A map that is the same everywhere foretells by the squares' sizes alone; hiding more of an image takes more from its class."""
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(root / "checkpoints"))
    loaded = load(find("resnet-20"))
    predicted = int(loaded.logits(image()[None]).argmax())
    found = attribute(loaded, image(), "occlusion", predicted, **FAST["occlusion"])
    flat = dataclasses.replace(found, map=np.ones_like(found.map), per_channel=None)
    measured, of_flat = infidelity(loaded, image(), found), infidelity(loaded, image(), flat)
    assert of_flat.relative == pytest.approx(of_flat.constant, rel=1e-5) == pytest.approx(measured.constant, rel=1e-5)
    assert 0 <= measured.constant < 1 and 0 <= measured.random <= 1
    assert measured.random == of_flat.random  # from the seed, not from the map


def test_the_level_of_two_random_nets_comes_from_the_seed():
    """The level is between different nets: not 1, whatever they have in common."""
    loaded = trained()
    signed, absolute = random_level(loaded, image(), "saliency", 3, seed=4)
    assert abs(signed) < 0.5 and absolute < 0.95
    assert random_level(loaded, image(), "saliency", 3, seed=4) == (signed, absolute)
    assert random_level(loaded, image(), "saliency", 3, seed=6) != (signed, absolute)
