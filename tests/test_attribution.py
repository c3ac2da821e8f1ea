"""The five methods against slow references, on all kinds of nets; the caller's net is left alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from resnet_core.attribution import METHODS
from resnet_core.attribution.compute import attribute, compute
from resnet_core.attribution.subject import Subject
from tests import attribution_tools as tools
from tests.attribution_tools import KINDS, made, sample, trained

#: Captum says so each time; pytest resets the filter that is silent about it.
pytestmark = pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU")
#: Parameters with which every method is fast.
FAST = {"integrated-gradients": {"steps": 6}, "occlusion": {"window": 12, "stride": 10}}


def image(index=7):
    return sample().test.images[index]


def near(found, expected, tolerance=2e-5):
    """Equal up to fp32, relative to the largest value."""
    expected = np.asarray(expected, dtype=np.float64)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * max(np.abs(expected).max(), 1e-12))


def state(loaded):
    model = loaded.model
    flags = [(module.training, tools.hooks(module)) for module in model.modules()]
    values = [(name, id(value), value.clone()) for name, value in model.state_dict(keep_vars=True).items()]
    return flags, [parameter.requires_grad for parameter in model.parameters()], values


def unchanged(before, after):
    assert before[:2] == after[:2]
    for (name, address, value), (name_after, address_after, value_after) in zip(before[2], after[2], strict=True):
        assert (name, address) == (name_after, address_after)
        assert torch.equal(value, value_after), name


@pytest.mark.parametrize("kind", KINDS)
def test_the_subject_is_the_net_as_a_function_of_pixels(kind):
    loaded, images = made(kind), sample().test.images[:4]
    subject = Subject(loaded)
    expected = tools.logits(loaded, tools.reference(loaded), images.double() / 255).detach()
    near(subject(subject.pixels(images)).numpy(), expected)
    near(loaded.logits(images).numpy(), expected)
    assert not any(parameter.requires_grad for parameter in subject.parameters())
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in subject.modules())


@pytest.mark.parametrize("key", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_method_on_every_net_leaves_it_alone(kind, key):
    loaded = made(kind)
    target = loaded.model.config.num_classes - 1
    before = state(loaded)
    found = attribute(loaded, image(), key, target, **FAST.get(key, {}))
    unchanged(before, state(loaded))
    assert (found.map.shape, found.map.dtype, found.target, found.method) == ((32, 32), np.float32, target, key)
    assert np.isfinite(found.map).all()
    assert found.sign == ("signed" if METHODS[key].signed else "positive")
    if not METHODS[key].signed:
        assert found.map.min() >= 0
    if found.per_channel is not None:
        assert found.per_channel.shape == (3, 32, 32)
    assert (found.delta is not None) == (key == "integrated-gradients")
    assert found.seconds > 0
    assert set(found.parameters) == {parameter.name for parameter in METHODS[key].parameters}
    assert None not in found.parameters.values()


@pytest.mark.parametrize("kind", ["plain", "C", "ImageNet"])
def test_saliency_is_the_gradient_per_unit_of_a_pixel(kind):
    loaded = made(kind)
    pixels = tools.in_pixels(loaded, image())
    (gradient,) = torch.autograd.grad(tools.logits(loaded, tools.reference(loaded), pixels)[0, 2], pixels)
    found = attribute(loaded, image(), "saliency", 2)
    near(found.per_channel, gradient[0])
    near(found.map, gradient[0].abs().amax(0))
    near(attribute(loaded, image(), "saliency", 2, channels="sum").map, gradient[0].abs().sum(0))


@pytest.mark.parametrize(
    ("kind", "layer"), [("plain", "layer3.0"), ("A", "layer2.1"), ("B", "relu"), ("ImageNet", "layer2.1"), ("ImageNet", "maxpool")]
)
def test_grad_cam_is_the_papers(kind, layer):
    loaded = made(kind)
    coarse = [tools.grad_cam(loaded, image(), layer, target) for target in range(6)]
    target = max(range(6), key=lambda t: float(coarse[t].max()))  # one for which there is something to see
    assert coarse[target].max() > 0
    near(attribute(loaded, image(), "grad-cam", target, layer=layer).map, tools.enlarged(coarse[target]))


def test_grad_cam_is_taken_at_the_last_block_unless_told_otherwise():
    loaded = trained()
    target = int(loaded.logits(image()[None]).argmax())
    found = attribute(loaded, image(), "grad-cam", target)
    assert found.parameters == {"layer": "layer3.0"}
    near(found.map, tools.enlarged(tools.grad_cam(loaded, image(), "layer3.0", target)))


def test_grad_cam_may_find_nothing_and_says_so():
    loaded = made("A")
    with torch.no_grad():  # the score falls with every map of the last block, and those are not negative
        loaded.model.fc.weight[1] = -1.0
    found = attribute(loaded, image(), "grad-cam", 1)
    assert found.is_zero
    assert not attribute(loaded, image(), "saliency", 1).is_zero
    guided = attribute(loaded, image(), "guided-grad-cam", 1)
    assert guided.is_zero and np.isfinite(guided.map).all()


@pytest.mark.parametrize("kind", ["A", "plain", "C", "bottleneck", "ImageNet"])
def test_guided_grad_cam_is_the_product_of_its_two_parts(kind):
    loaded = made(kind)
    cams = [attribute(loaded, image(), "grad-cam", target).map for target in range(7)]
    target = int(np.argmax([cam.max() for cam in cams]))
    expected = tools.guided_backprop(loaded, image(), target).numpy() * cams[target]
    assert np.abs(expected).max() > 0
    found = attribute(loaded, image(), "guided-grad-cam", target)
    near(found.per_channel, expected)
    near(found.map, expected.sum(0))


@pytest.mark.parametrize(("window", "stride", "baseline"), [(6, 2, "mean"), (7, 5, "black"), (32, 32, "mean"), (5, 5, "black")])
def test_occlusion_against_a_loop(window, stride, baseline):
    """With a window of 7 and a stride of 5 the last windows hang over the edge: they hide what there is."""
    loaded = made("B")
    model, pixels = tools.reference(loaded), tools.in_pixels(loaded, image()).detach()
    blank = torch.zeros_like(pixels) if baseline == "black" else loaded.mean.double().expand_as(pixels)
    whole = tools.logits(loaded, model, pixels)[0, 3]
    drops, times = torch.zeros(32, 32, dtype=torch.float64), torch.zeros(32, 32, dtype=torch.float64)
    starts = [*range(0, 32 - window, stride), -(-(32 - window) // stride) * stride]
    for top in starts:
        for left in starts:
            hidden = pixels.clone()
            hidden[..., top : top + window, left : left + window] = blank[..., top : top + window, left : left + window]
            drops[top : top + window, left : left + window] += (whole - tools.logits(loaded, model, hidden)[0, 3]).detach()
            times[top : top + window, left : left + window] += 1
    assert times.min() >= 1
    found = attribute(loaded, image(), "occlusion", 3, window=window, stride=stride, baseline=baseline)
    near(found.map, drops / times, 1e-4)


@pytest.mark.parametrize("baseline", ["mean", "black"])
def test_integrated_gradients_are_the_integral(baseline):
    """Against one gradient after the other at Gauss-Legendre's points, in float64."""
    loaded = made("A")
    model, pixels = tools.reference(loaded), tools.in_pixels(loaded, image()).detach()
    start = torch.zeros_like(pixels) if baseline == "black" else loaded.mean.double().expand_as(pixels)
    places, weights = np.polynomial.legendre.leggauss(10)
    total = torch.zeros_like(pixels)
    for place, weight in zip((places + 1) / 2, weights / 2, strict=True):
        point = (start + place * (pixels - start)).requires_grad_()
        total += weight * torch.autograd.grad(tools.logits(loaded, model, point)[0, 4], point)[0]
    found = attribute(loaded, image(), "integrated-gradients", 4, steps=10, baseline=baseline)
    near(found.per_channel, (total * (pixels - start))[0], 1e-4)
    near(found.map, (total * (pixels - start))[0].sum(0), 1e-4)


@pytest.mark.parametrize("baseline", ["mean", "black"])
def test_integrated_gradients_are_complete(baseline):
    """Sundararajan et al. 2017, section 3: they sum to the difference of the logits. To 3 % of it on average over 8 images with 50 steps,
    and closer with 300; and the delta that is told is what the sum really lacks."""
    loaded = trained()
    model = tools.reference(loaded)
    deltas: dict[int, list[float]] = {50: [], 300: []}
    differences = []
    for index in range(8):
        target = int(loaded.logits(image(index)[None]).argmax())
        pixels = tools.in_pixels(loaded, image(index)).detach()
        start = torch.zeros_like(pixels) if baseline == "black" else loaded.mean.double().expand_as(pixels)
        with torch.no_grad():
            difference = float((tools.logits(loaded, model, pixels) - tools.logits(loaded, model, start))[0, target])
        differences.append(abs(difference))
        for steps, into in deltas.items():
            found = attribute(loaded, image(index), "integrated-gradients", target, steps=steps, baseline=baseline)
            real = float(found.per_channel.sum(dtype=np.float64)) - difference
            assert found.delta == pytest.approx(real, abs=1e-4 * max(1, abs(difference)))
            assert found.difference == pytest.approx(difference, abs=1e-4 * max(1, abs(difference)))
            into.append(abs(real))
    assert np.mean(differences) > 0.5  # there is something to share out
    assert np.mean(deltas[50]) < 0.03 * np.mean(differences)
    assert np.mean(deltas[300]) < np.mean(deltas[50])
    assert np.mean(deltas[300]) < 0.005 * np.mean(differences)


def test_batches_of_the_path_do_not_matter(monkeypatch):
    loaded = made("plain")
    whole = attribute(loaded, image(), "integrated-gradients", 1, steps=9)
    monkeypatch.setattr("resnet_core.attribution.compute._AT_ONCE", 4)
    near(attribute(loaded, image(), "integrated-gradients", 1, steps=9).map, whole.map)


@pytest.mark.parametrize("key", METHODS)
def test_the_target_is_the_one_asked_for(key):
    """Another target, another map: none is silently replaced by what the net says."""
    loaded = trained()
    maps = [attribute(loaded, image(), key, target, **FAST.get(key, {})).map for target in range(10)]
    shown = [each for each in maps if each.any()]
    assert len(shown) > 1
    assert len({each.tobytes() for each in shown}) == len(shown)


@pytest.mark.parametrize("key", METHODS)
@pytest.mark.parametrize("value", [0, 255])
def test_an_image_of_one_colour_has_a_finite_map(key, value):
    blank = torch.full((3, 32, 32), value, dtype=torch.uint8)
    found = attribute(trained(), blank, key, 0, **FAST.get(key, {}))
    assert np.isfinite(found.map).all()


def test_a_black_image_has_nothing_to_share_out_against_black():
    found = attribute(trained(), torch.zeros(3, 32, 32, dtype=torch.uint8), "integrated-gradients", 0, baseline="black", steps=5)
    assert found.is_zero
    assert found.delta == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("key", METHODS)
def test_the_same_again_is_the_same(key):
    loaded = made("A")
    before = image().clone()
    maps = [attribute(loaded, image(), key, 2, **FAST.get(key, {})).map for _ in range(2)]
    assert np.array_equal(*maps)
    assert torch.equal(image(), before)


@pytest.mark.parametrize("key", METHODS)
def test_no_hook_stays_on_the_subject(key):
    subject = Subject(made("A"))
    values = METHODS[key].complete(FAST.get(key, {}), subject.config)
    compute(subject, subject.pixels(image()), key, 1, values)
    assert tools.hooks(subject) == 0


@pytest.mark.parametrize("key", METHODS)
def test_no_hook_stays_after_an_exception(key):
    """The net fails in the middle of its forward pass, after the first ReLUs and before the layer that Grad-CAM waits for."""
    subject = Subject(made("A"))
    before = tools.hooks(subject)

    def fail(module, args):
        raise ArithmeticError("in the middle")

    handle = subject.net.layer3[0].register_forward_pre_hook(fail)
    values = METHODS[key].complete(FAST.get(key, {}), subject.config)
    with pytest.raises(ArithmeticError, match="in the middle"):
        compute(subject, subject.pixels(image()), key, 1, values)
    handle.remove()
    assert tools.hooks(subject) == before == 0


def test_the_callers_net_is_never_hooked_or_switched(monkeypatch):
    """Also while Guided Grad-CAM works, whose hooks change what ReLU does in the backward pass."""
    loaded = made("A")
    seen = []
    forward = Subject.forward

    def watched(self, x):
        seen.append((tools.hooks(loaded.model), tools.hooks(self.net)))
        return forward(self, x)

    monkeypatch.setattr(Subject, "forward", watched)
    attribute(loaded, image(), "guided-grad-cam", 1)
    assert {mine for mine, _ in seen} == {0}
    assert max(its for _, its in seen) > 0
