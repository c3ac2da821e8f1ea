"""Testing as the papers do: views against torchvision and plain loops, the convolutional form, means, ensembles, what cannot be."""

from __future__ import annotations

import dataclasses
import functools
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.transforms.functional import resize, ten_crop

from resnet_core.analysis.evaluation import evaluate_detailed, examine
from resnet_core.analysis.protocols import PROTOCOLS, check_ensemble, cost, why_not
from resnet_core.analysis.views import Asked, FullyConvolutional, inputs, mean_softmax, prepared
from resnet_core.architectures import ImageNetConfig, ResNetConfig, parse
from resnet_core.architectures.net import Net, build_model
from resnet_core.config import DataConfig, RunConfig
from resnet_core.errors import ConfigError, DataError
from tests.nets_tools import TINY, write_and_load

SMALL_IMAGENET = ImageNetConfig((1, 1, 1, 1), "basic", num_classes=17, width=8)


def pictures(count: int = 3, side: int = 32, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (count, 3, side, side), dtype=np.uint8))


@pytest.fixture
def net(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "shipped"))
    return functools.partial(write_and_load, tmp_path / "shipped")


def softmax(logits: torch.Tensor) -> np.ndarray:
    exponentials = np.exp(logits.double().numpy() - logits.max().item())
    return exponentials / exponentials.sum()


# ---------------------------------------------------------------- views


def test_sides_are_the_papers_and_for_others_in_proportion():
    assert [view.side for view in PROTOCOLS["five-scales"].views(224)] == [224, 256, 384, 480, 640]
    assert [view.side for view in PROTOCOLS["three-scales"].views(224)] == [256, 256, 384, 384, 512, 512]
    for side in (32, 64, 96):
        for paper, view in zip((224, 256, 384, 480, 640), PROTOCOLS["five-scales"].views(side), strict=True):
            assert view.side % 4 == 0 and abs(view.side - Fraction(paper * side, 224)) <= 2


@pytest.mark.parametrize("side", [32, 64, 224])
def test_ten_crops_are_torchvisions_in_their_order(net, side):
    """Of CIFAR's nets cut from 36 pixels, of ImageNet's from the 256 that are stored, which nothing is done to."""
    loaded = net(TINY if side != 224 else SMALL_IMAGENET, "half")
    loaded.model.side = side
    whole = {32: 36, 64: 72, 224: 256}[side]
    given = pictures(2, whole)
    found = list(inputs(loaded, given, PROTOCOLS["ten-crops"]))
    expected = ten_crop(given.float() / 255 / 0.5 - 1, [side, side])
    assert len(found) == len(expected) == 10
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


def test_a_picture_is_resized_first_as_torchvision_resizes(net):
    loaded, given = net(TINY, "half"), pictures()
    resized = resize(given, [36, 36], antialias=True)
    for one, other in zip(inputs(loaded, given, PROTOCOLS["ten-crops"]), inputs(loaded, resized, PROTOCOLS["ten-crops"]), strict=True):
        assert torch.equal(one, other)


def test_padded_crops_are_windows_of_zeros_around_the_normalised_image(net):
    loaded, given = net(), pictures()
    padded = functional.pad(loaded.normalize(given), (4, 4, 4, 4))
    for one, other in zip(inputs(loaded, given, PROTOCOLS["padded-crops"]), ten_crop(padded, [32, 32]), strict=True):
        assert torch.equal(one, other)


def test_a_mean_image_grows_with_the_picture(net):
    """What is subtracted before the picture grows and after it is the same but for the rounding to whole values of pixels."""
    loaded, given = net(), pictures()
    before = functional.interpolate(given.float() / 255 - loaded.mean, (36, 36), mode="bilinear", antialias=True)
    torch.testing.assert_close(prepared(loaded, given, 36), before, rtol=0, atol=0.5001 / 255)
    assert torch.equal(prepared(loaded, given, 32), loaded.normalize(given))


# ---------------------------------------------------------------- scores


@pytest.mark.parametrize("key", ["mirrored", "ten-crops", "padded-crops"])
def test_the_softmax_of_views_is_averaged_in_a_loop(net, key):
    loaded = net()
    found = Asked(loaded, PROTOCOLS[key])(pictures()).softmax(1)
    for image, row in zip(pictures(), found, strict=True):
        with torch.no_grad():
            each = [softmax(loaded.model(view)[0]) for view in inputs(loaded, image[None], PROTOCOLS[key])]
        assert len(each) == len(PROTOCOLS[key].views(32)) and np.ptp(each, axis=0).max() > 1e-4
        np.testing.assert_allclose(row, np.mean(each, axis=0), atol=2e-6)


def test_five_scales_average_the_score_maps_place_by_place(net):
    """Each place of the last maps has its own scores; their mean is what the net says, that of their softmax is something else."""
    loaded, image = net(), pictures(1)
    scores, others = [], []
    for side in (32, 36, 56, 68, 92):
        x, held = prepared(loaded, image, side), []
        handle = loaded.model.avgpool.register_forward_pre_hook(lambda _, args, held=held: held.append(args[0]))
        with torch.no_grad():
            loaded.model(x)
        handle.remove()
        (maps,) = held
        assert maps.shape[2:] == (side // 4, side // 4)
        places = [loaded.model.fc(maps[0, :, i, j]) for i in range(side // 4) for j in range(side // 4)]
        scores.append(torch.stack(places).mean(0))
        others.append(np.mean([softmax(place.detach()) for place in places], axis=0))
    found = Asked(loaded, PROTOCOLS["five-scales"])(image)[0]
    torch.testing.assert_close(found, torch.stack(scores).mean(0).detach(), rtol=1e-4, atol=1e-5)
    assert np.abs(np.mean(others, axis=0) - softmax(found)).max() > 1e-4


def test_vggs_scales_average_the_softmax_of_pictures_and_mirror_images(net):
    loaded, image = net(parse("AlexNet-Figure1")), pictures(1)
    expected = []
    for side in (36, 56, 72):
        for x in (prepared(loaded, image, side), prepared(loaded, image, side).flip(3)):
            with torch.no_grad():
                maps = x
                for name, module in loaded.model.named_children():
                    maps = module(maps) if name not in ("flatten", "fc4", "fc", "fc8") else maps
                rows = [maps[:, :, i : i + 4, j : j + 4] for i in range(maps.shape[2] - 3) for j in range(maps.shape[3] - 3)]
                classifier = loaded.model.get_submodule(loaded.model.plan.classifier)
                expected.append(softmax(torch.stack([classifier(row.flatten(1))[0] for row in rows]).mean(0)))
    found = Asked(loaded, PROTOCOLS["three-scales"])(image).softmax(1)[0]
    np.testing.assert_allclose(found, np.mean(expected, axis=0), atol=2e-6)


# ---------------------------------------------------------------- the convolutional form


@pytest.mark.parametrize("name", ["VGG-11-c7", "AlexNet-c7", "AlexNet-CIFAR", "VGG-11-CIFAR", "AlexNet-Figure1", "ResNet-8-w4"])
def test_the_convolutional_form_is_the_net_at_its_own_side(name):
    model = build_model(parse(name), 1).eval()
    with torch.no_grad():  # a net that has just been initialised says nearly the same of everything
        x = torch.randn(2, 3, model.side, model.side)
        before = {key: value.clone() for key, value in model.state_dict().items()}
        found, expected = FullyConvolutional(model)(x), model(x)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))
    assert (expected[0] - expected[1]).abs().max() > 1e-4 * expected.abs().max()
    assert list(before) == list(model.state_dict()) and all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_vggs_maps_of_scores_are_as_large_as_the_paper_says_and_each_place_a_crop_of_the_maps():
    """Map side floor(Q/32) - 6 (golden facts, 4.9): 1 at 224, 2 at 256, 6 at 384."""
    model = build_model(parse("VGG-11-c7"), 1).eval()
    form = FullyConvolutional(model)
    with torch.no_grad():
        for side, places in ((224, 1), (256, 2), (384, 6)):
            x = torch.randn(1, 3, side, side)
            found = form.score_map(x)
            assert found.shape == (1, 7, places, places)
        for name in form.body:
            x = model.get_submodule(name)(x)
        row = x[:, :, 2:9, 4:11].flatten(1)
        for name in ("fc6", "relu6", "fc7", "relu7", "fc8"):
            row = model.get_submodule(name)(row)
    torch.testing.assert_close(found[:, :, 2, 4], row, rtol=1e-4, atol=1e-5 * float(row.abs().max()))


def test_the_multiply_adds_are_those_of_the_convolutional_form():
    """Counted by hooks on the layers as they run."""
    for name, side in (("VGG-11-CIFAR", 72), ("AlexNet-CIFAR", 56), ("ResNet-8-B-w4", 92), ("AlexNet-Figure1", 36)):
        model = build_model(parse(name)).eval()
        form, counted = FullyConvolutional(model), []

        def count(module, _, output, counted=counted):
            places = output[0, 0].numel() if output.dim() == 4 else 1
            counted.append(module.weight.numel() * places)

        for module in [*model.modules(), *form.tail]:
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                module.register_forward_hook(count)
        with torch.no_grad():
            form(torch.zeros(1, 3, side, side))
        protocol = SimpleNamespace(views=lambda _, side=side: [SimpleNamespace(side=side, window=None)])
        assert cost(model, protocol).macs == sum(counted)


def test_costs_of_the_protocols():
    passes = {"single": 1, "mirrored": 2, "ten-crops": 10, "padded-crops": 10, "dense": 2, "three-scales": 6, "five-scales": 5}
    assert {key: cost(TINY, protocol).passes for key, protocol in PROTOCOLS.items()} == passes
    one = cost(TINY, PROTOCOLS["single"]).macs
    assert cost(TINY, PROTOCOLS["ten-crops"]).macs == 10 * one
    classifier = 16 * 10  # the same at every size
    expected = classifier * 5 + sum((one - classifier) * Fraction(side * side, 32 * 32) for side in (32, 36, 56, 68, 92))
    assert cost(TINY, PROTOCOLS["five-scales"]).macs == expected


# ---------------------------------------------------------------- what cannot be


def test_why_not():
    for config in (TINY, SMALL_IMAGENET, parse("VGG-16"), parse("AlexNet"), parse("DenseNet-121"), parse("VGG-16-CIFAR")):
        for key in ("single", "mirrored", "ten-crops", "dense", "three-scales", "five-scales"):
            assert why_not(config, PROTOCOLS[key]) == ""
    assert "padded by 4 in training, and VGG-16 takes images of 224x224" in why_not(parse("VGG-16"), PROTOCOLS["padded-crops"])
    with torch.device("meta"):
        trained_at_64 = Net(parse("VGG-11-c7"))
    trained_at_64.side = 64
    assert "read maps of 7x7. At 64x64 pixels its pooling makes these of maps of 2x2" in why_not(trained_at_64, PROTOCOLS["dense"])
    assert why_not(trained_at_64, PROTOCOLS["ten-crops"]) == ""


def test_what_cannot_be_is_refused(net):
    with pytest.raises(ConfigError, match="padded by 4 in training"):
        Asked(net(SMALL_IMAGENET, "imagenet"), PROTOCOLS["padded-crops"])


# ---------------------------------------------------------------- errors, and ensembles


def test_one_view_is_the_evaluation_of_today_to_the_last_bit(net):
    loaded, images, labels = net(), pictures(40), torch.arange(40) % 10
    before = evaluate_detailed(loaded.model, images, labels, loaded.normalize, loaded.plan)
    (row,) = examine([loaded], images, labels, [PROTOCOLS["single"]])
    assert row.evaluation.to_dict() == before.to_dict() and row.evaluation.worst == before.worst
    assert (row.nets, row.protocol, row.cost.passes) == ((loaded.net.id,), "single", 1)


def test_an_ensemble_is_the_mean_of_the_softmax(net):
    nets = [net(name="one"), net(seed=1, name="two"), net(ResNetConfig(14, "A", 4), seed=2, name="three")]
    images, labels = pictures(40), torch.arange(40) % 10
    told = []
    rows = examine(nets, images, labels, [PROTOCOLS["single"], PROTOCOLS["mirrored"]], progress=lambda *at: told.append(at))
    assert [(len(row.nets), row.protocol) for row in rows] == [(k, key) for key in ("single", "mirrored") for k in (1, 1, 1, 3)]
    means = np.mean([[softmax(loaded.logits(image[None])[0]) for image in images] for loaded in nets], axis=0)
    whole = rows[3].evaluation
    assert whole.wrong == int((means.argmax(1) != labels.numpy()).sum())
    assert whole.loss == pytest.approx(float(-np.log(means[np.arange(40), labels]).mean()), rel=1e-5)
    assert rows[3].cost.macs == sum(row.cost.macs for row in rows[:3]) and rows[3].cost.passes == 3
    assert told == [(40 * 3, 40 * 9), (40 * 9, 40 * 9)]


def test_an_ensemble_of_one_net_is_the_net(net):
    loaded = net()
    logits = loaded.logits(pictures())
    torch.testing.assert_close(mean_softmax([logits]), logits.log_softmax(1), rtol=0, atol=0)
    torch.testing.assert_close(mean_softmax([logits] * 3).softmax(1), logits.softmax(1), rtol=0, atol=1e-6)
    rows = examine([loaded], pictures(), torch.arange(3), [PROTOCOLS["single"]])
    assert len(rows) == 1


def test_nets_that_are_no_ensemble_are_refused(net):
    two, hundred = net(name="two"), net(ResNetConfig(8, "A", 4, num_classes=100), "cifar100", name="hundred")
    with pytest.raises(DataError, match=r"ResNet-8-w4 tells 10 classes apart and ResNet-8-w4-c100 100: .* Leave one of them out"):
        examine([two, hundred], pictures(), torch.arange(3), [PROTOCOLS["single"]])
    with pytest.raises(DataError, match="named twice"):
        check_ensemble([two.net, two.net])

    def trained_on(name: str, dataset: str | None):
        return dataclasses.replace(two.net, id=name, name=name, config=dataset and RunConfig(TINY, DataConfig(dataset)))

    check_ensemble([trained_on("a", "sample"), trained_on("b", "cifar10"), trained_on("c", None)])
    with pytest.raises(DataError, match="a was trained on sample and b on Fashion sample"):
        check_ensemble([trained_on("a", "sample"), trained_on("b", "fashion-sample")])


def test_where_a_member_cannot_be_tested_the_row_says_why(net, monkeypatch):
    small, large = net(name="small"), net(ImageNetConfig((1, 1, 1, 1), "basic", 10, 4), "imagenet", name="large")
    rows = examine([small, large], pictures(), torch.arange(3), [PROTOCOLS["single"], PROTOCOLS["padded-crops"]])
    alone, refused, together = rows[3:]
    assert alone.evaluation and not alone.why_not
    assert refused.evaluation is None and "padded by 4" in refused.to_dict()["why_not"] and "wrong" not in refused.to_dict()
    assert together.evaluation is None and together.why_not.endswith(f"like that: {large.net.name}.")
    with pytest.raises(ConfigError, match="padded by 4"):
        examine([large], pictures(), torch.arange(3), [PROTOCOLS["padded-crops"]])
