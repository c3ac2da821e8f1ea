"""Augmentation in batches: against loops over images with torch's and torchvision's own functions, and numpy's SVD for the colours."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision.transforms.functional as vision

from resnet_core.architectures import parse
from resnet_core.config import AUGMENTATIONS, DataConfig, Recipe, RunConfig
from resnet_core.data import Batches, Cifar10, Split, load, normalize, per_pixel_mean
from resnet_core.data import batches as batches_module
from resnet_core.data.augment import IMAGENET_AXES, ColourAxes, Stretch, centre, colour_axes, colour_shifts, resized, scaled
from resnet_core.errors import ConfigError
from resnet_core.training.engine import Trainer
from resnet_core.training.evaluate import evaluate
from resnet_core.training.plan import Plan

STORED, SIDE = 40, 32


def split_of(number: int, side: int = STORED) -> Split:
    """Random images; the label of each is its index."""
    images = torch.randint(0, 256, (number, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    return Split(images, torch.arange(number))


def batches_of(split: Split, augmentation: str, **more) -> Batches:
    return Batches(split, per_pixel_mean(split, SIDE), 6, 3, "cpu", augmentation, side=SIDE, **more)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_images_that_the_device_has_no_room_for_make_the_same_batches(augmentation, monkeypatch):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    split, found = split_of(20), []
    for free in (float("inf"), 0):
        monkeypatch.setattr(batches_module, "_free", lambda device, free=free: free)
        batches = Batches(
            split, per_pixel_mean(split, SIDE), 6, 3, device, augmentation, side=SIDE, pca_colour=0.1, colour_jitter=0.4
        )  # fmt: skip
        assert batches._images.device.type == (device if free else "cpu")
        found.append([batches(iteration) for iteration in (0, 2, 3, 50)])
    for resident, streamed in zip(*found, strict=True):
        assert all(torch.equal(*pair) and pair[0].device.type == device for pair in zip(resident, streamed, strict=True))


# -- what there was -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("augmentation", "digest"),
    [
        ("standard", "bc05ed2639c3db61c71ca2859c6b55644d41eb19db96f3ea577890ef931961b4"),
        ("none", "9dca27e0f49dc47ae7467b44a42831ed83c3d6a7ea0dacd78dc012e8a3dce112"),
    ],
)
def test_batches_of_before_there_was_more_are_the_same_bits(augmentation, digest):
    """The digests are of the code of before."""
    train = load(DataConfig("sample")).train
    batches = Batches(train, per_pixel_mean(train), 64, 5, "cpu", augmentation)
    found = hashlib.sha256()
    for iteration in (0, 77, 78, 10_000):
        images, labels = batches(iteration)
        found.update(images.permute(0, 2, 3, 1).contiguous().numpy().tobytes())
        found.update(labels.numpy().tobytes())
    assert found.hexdigest() == digest


def test_a_recipe_of_before_is_written_as_it_was():
    new = {"scale_range", "pca_colour", "colour_jitter", "patience"}
    assert not new & RunConfig().to_dict()["recipe"].keys()
    changed = RunConfig(recipe=Recipe(augmentation="scale", scale_range=[36, 48], pca_colour=1, colour_jitter=0.4, patience=3))
    assert changed.to_dict()["recipe"].items() >= {"scale_range": [36, 48], "pca_colour": 1.0, "colour_jitter": 0.4, "patience": 3}.items()
    assert RunConfig.from_dict(changed.to_dict()) == changed


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"augmentation": "cutout"}, "augmentation"),
        ({"scale_range": (40,)}, "smallest and the largest"),
        ({"scale_range": (48, 40)}, "smallest and the largest"),
        ({"scale_range": (32.5, 40)}, "whole number"),
        ({"pca_colour": -0.1}, "pca_colour"),
        ({"colour_jitter": 1.5}, "colour_jitter"),
        ({"patience": 0}, "patience"),
    ],
)
def test_a_wrong_recipe_is_named(values, message):
    with pytest.raises(ConfigError, match=message):
        Recipe(**values)


def test_a_crop_is_not_larger_than_the_smallest_scale():
    RunConfig(recipe=Recipe(augmentation="scale", scale_range=(32, 40)))
    with pytest.raises(ConfigError, match="32 pixels cannot be taken from images of 30"):
        RunConfig(recipe=Recipe(augmentation="scale", scale_range=(30, 40)))


# -- a pure function of seed and iteration --------------------------------------------------------------------------------------


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_a_batch_depends_on_seed_and_iteration_alone(augmentation):
    more = {"pca_colour": 0.5, "colour_jitter": 0.4}
    split, state = split_of(10), torch.get_rng_state()
    forward = [batches_of(split, augmentation, **more)(i) for i in range(6)]
    again = batches_of(split, augmentation, **more)
    for i in (5, 2, 0, 2):  # as after a resumption, out of order, and again
        images, labels = again(i)
        assert images.shape == (6, 3, SIDE, SIDE) and images.dtype == torch.float32
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(images, forward[i][0]) and torch.equal(labels, forward[i][1])
        images.zero_()
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(batches_of(split, augmentation, **more)(2)[0], forward[3][0])
    # Whether colours change has no say in which images come, and where they are cut.
    plain = batches_of(split, augmentation)
    assert torch.equal(plain(4)[1], forward[4][1])


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_images_that_are_larger_are_seen_in_the_middle_or_in_part(augmentation):
    split = split_of(5)
    mean = per_pixel_mean(split, SIDE)
    middle = split.images[:, :, 4:36, 4:36]
    assert torch.equal(mean, per_pixel_mean(Split(middle, split.labels)))
    assert torch.equal(normalize(split.images, mean), normalize(middle, mean))
    if augmentation in ("standard", "none"):
        same = Batches(Split(middle, split.labels), mean, 6, 3, "cpu", augmentation)(2)
        assert torch.equal(batches_of(split, augmentation)(2)[0], same[0])
    with pytest.raises(ValueError, match="too small for 48"):
        Batches(split, mean, 6, 3, "cpu", augmentation, side=48)


# -- crops and scales -----------------------------------------------------------------------------------------------------------


def test_crops_of_larger_images_are_slices_of_them():
    split = split_of(9)
    mean, batches = per_pixel_mean(split, SIDE), batches_of(split, "crop")
    seen = set()
    for iteration in range(40):
        images, labels = batches(iteration)
        for image, label, (top, left, flip) in zip(images, labels, batches.crops(iteration).T.tolist(), strict=True):
            part = split.images[label][:, top : top + SIDE, left : left + SIDE].float() / 255
            assert torch.equal(image, (part.flip(2) if flip else part) - mean)
            seen |= {("top", top), ("left", left), ("flip", flip)}
    assert seen == {(axis, place) for axis in ("top", "left") for place in range(9)} | {("flip", 0), ("flip", 1)}


def mirrored(image: torch.Tensor, flip: int) -> torch.Tensor:
    return image.flip(-1) if flip else image


@pytest.mark.parametrize("scales", [(), (32, 33), (33, 60), (64, 100)])
def test_scaled_images_are_resized_and_cropped_one_by_one(scales):
    split = split_of(9)
    mean, batches = per_pixel_mean(split, SIDE), batches_of(split, "scale", scale_range=scales)
    sizes = []
    for iteration in range(8):
        images, labels = batches(iteration)
        rows, columns, flip = batches.parts(iteration)
        assert torch.equal(rows.size, columns.size)  # squares stay squares
        for i, label in enumerate(labels):
            size, top, left = int(rows.size[i]), int(rows.offset[i]), int(columns.offset[i])
            whole = F.interpolate(split.images[label][None].float() / 255, size=(size, size), mode="bilinear", antialias=True)[0]
            expected = mirrored(whole[:, top : top + SIDE, left : left + SIDE], int(flip[i])) - mean
            assert torch.allclose(images[i], expected, atol=2e-5)
            sizes.append(size)
    low, high = scales or (round(SIDE * 8 / 7), round(SIDE * 15 / 7))
    assert low <= min(sizes) and max(sizes) <= high
    assert len(set(sizes)) > 1


def test_every_scale_and_every_corner_comes():
    rows, columns = scaled(20_000, STORED, SIDE, (32, 36), generator())
    drawn = set(zip(rows.size.tolist(), rows.offset.tolist(), strict=True))
    assert drawn == {(size, offset) for size in range(32, 37) for offset in range(size - 31)}
    assert not torch.equal(rows.offset, columns.offset)
    counts = torch.bincount(rows.size - 32)
    assert (counts - 4_000).abs().max() < 5 * 4_000**0.5
    # The paper's: for a crop of 224, 256 to 480.
    assert {*scaled(20_000, 256, 224, (), generator())[0].size.tolist()} == set(range(256, 481))


def test_random_parts_are_resized_one_by_one():
    split = split_of(9)
    mean, batches = per_pixel_mean(split, SIDE), batches_of(split, "resized")
    for iteration in range(12):
        images, labels = batches(iteration)
        rows, columns, flip = batches.parts(iteration)
        for i, label in enumerate(labels):
            box = [int(each[i]) for each in (rows.start, columns.start, rows.length, columns.length)]
            part = vision.resized_crop(split.images[label].float() / 255, *box, [SIDE, SIDE], antialias=True)
            assert torch.allclose(images[i], mirrored(part, int(flip[i])) - mean, atol=2e-5)


def test_random_parts_have_the_areas_and_ratios_of_the_paper():
    source = 1_000  # so large that rounding to pixels does not matter
    rows, columns = resized(20_000, source, 224, generator())
    for each in (rows, columns):
        assert each.start.min() >= 0 and (each.start + each.length).max() <= source
        assert each.offset.abs().max() == 0 and (each.size == 224).all()
    area, ratio = (rows.length * columns.length).double() / source**2, columns.length.double() / rows.length
    assert 0.079 < area.min() < 0.09 and 0.95 < area.max() <= 1
    assert 0.748 < ratio.min() < 0.76 and 1.32 < ratio.max() < 1.336
    assert ratio.log().mean().abs() < 0.01  # wide and high ones are as likely
    assert area.mean() == pytest.approx(expected_area(source), abs=0.005)


def expected_area(source: int) -> float:
    """The mean area that torchvision's own loop draws."""
    import torchvision.transforms

    torch.manual_seed(1)
    image = torch.zeros(1, source, source)
    drawn = [torchvision.transforms.RandomResizedCrop.get_params(image, [0.08, 1.0], [3 / 4, 4 / 3]) for _ in range(20_000)]
    return float(np.mean([height * width for _, _, height, width in drawn])) / source**2


def test_weights_see_nothing_outside_of_the_stretch():
    one = torch.tensor([1])
    weights = Stretch(one * 3, one * 2, one * 5, one * 0).weights(10, 5, "cpu")[0]
    assert weights[:, [0, 1, 2, 5, 6, 7, 8, 9]].abs().max() == 0
    assert torch.allclose(weights[:, 3], torch.tensor([1.0, 0.9, 0.5, 0.1, 0.0]), atol=1e-6)
    assert torch.allclose(weights.sum(1), torch.ones(5))


# -- colours --------------------------------------------------------------------------------------------------------------------


def test_the_axes_of_the_colours_are_those_of_numpys_svd():
    split = load(DataConfig("sample", images_per_class=30)).train
    axes = colour_axes(split)
    pixels = split.images.permute(0, 2, 3, 1).reshape(-1, 3).numpy() / 255.0
    _, singular, rows = np.linalg.svd(pixels - pixels.mean(0), full_matrices=False)
    assert np.allclose(axes.variances, singular**2 / len(pixels), rtol=1e-9)
    vectors = np.array(axes.vectors)
    assert np.allclose(np.abs((vectors * rows.T).sum(0)), 1, atol=1e-9)
    assert (vectors[np.abs(vectors).argmax(0), range(3)] > 0).all()
    # The first axis is nearly that from black to white: light is what varies most.
    assert (vectors[:, 0] > 0.5).all()


def test_the_constants_of_imagenet_are_axes():
    vectors, variances = np.array(IMAGENET_AXES.vectors), np.array(IMAGENET_AXES.variances)
    assert np.allclose(vectors.T @ vectors, np.eye(3), atol=2e-4)
    shifts = colour_shifts(200_000, 0.1, IMAGENET_AXES, generator())
    assert shifts.std(0).numpy() == pytest.approx([0.01242, 0.01264, 0.01276], rel=0.01)
    expected = vectors @ np.diag((0.1 * variances) ** 2) @ vectors.T
    assert np.allclose(np.cov(shifts.numpy().T, bias=True), expected, rtol=0.02, atol=1e-7)


def test_colours_that_lie_on_one_line_are_shifted_along_it():
    line = np.array([3.0, 2.0, 1.0])
    grey = torch.arange(60, dtype=torch.float64)[:, None, None, None]
    images = (torch.from_numpy(line)[None, :, None, None] * grey).expand(60, 3, SIDE, SIDE).to(torch.uint8)
    axes = colour_axes(Split(images, torch.arange(60)))
    assert np.allclose(np.array(axes.vectors)[:, 0], line / np.linalg.norm(line))
    shifts = colour_shifts(500, 0.1, axes, generator()).double().numpy()
    along = shifts @ line / np.linalg.norm(line)
    assert np.allclose(shifts, np.outer(along, line / np.linalg.norm(line)), atol=1e-6)
    assert along.std() == pytest.approx(0.1 * axes.variances[0], rel=0.1)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_the_shift_of_the_colours_is_added_to_all_pixels_of_an_image(augmentation):
    split = split_of(9)
    shifted, plain = batches_of(split, augmentation, pca_colour=0.1), batches_of(split, augmentation)
    shifts = shifted.shifts(4)
    assert shifts.shape == (6, 3) and shifts.abs().min() > 0
    assert torch.allclose(shifted(4)[0] - plain(4)[0], shifts[:, :, None, None].expand(6, 3, SIDE, SIDE), atol=1e-6)
    assert not torch.equal(shifts, shifted.shifts(5))
    given = batches_of(split, augmentation, pca_colour=0.1, axes=ColourAxes((1.0, 0.0, 0.0), ((0, 1, 0), (1, 0, 0), (0, 0, 1)))).shifts(4)
    assert given[:, 1].abs().min() > 0 and given[:, [0, 2]].abs().max() == 0


def test_colour_jitter_is_torchvisions_one_image_after_the_other():
    split = split_of(9)
    mean, batches = per_pixel_mean(split, SIDE), batches_of(split, "none", colour_jitter=0.6)
    changes = (vision.adjust_brightness, vision.adjust_contrast, vision.adjust_saturation)
    orders = set()
    for iteration in range(8):
        images, labels = batches(iteration)
        factors, order = batches.jitters(iteration)
        assert factors.min() >= 0.4 and factors.max() <= 1.6
        for i, label in enumerate(labels):
            expected = centre(split.images[label][None], SIDE)[0].float() / 255
            for number in order[i].tolist():
                expected = changes[number](expected, factors[i, number].item())
            # torchvision's grey has 0.2989 of red, fb.resnet.torch's and ours 0.299.
            assert torch.allclose(images[i], expected - mean, atol=3e-4)
            orders.add(tuple(order[i].tolist()))
    assert len(orders) == 6


# -- in a training ---------------------------------------------------------------------------------------------------------------


def stored_larger() -> Cifar10:
    """The sample's first images, each in a frame of 4 random pixels: what a net of 32 sees of them in a test is the sample."""
    full = load(DataConfig("sample"))

    def framed(split: Split, count: int) -> Split:
        images = split_of(count).images
        images[:, :, 4:36, 4:36] = split.images[:count]
        return Split(images, split.labels[:count])

    return dataclasses.replace(full, train=framed(full.train, 64), test=framed(full.test, 32))


def trained(data: Cifar10, net: str = "ResNet-8-w4", **recipe) -> tuple[Trainer, list[dict]]:
    config = RunConfig(parse(net), DataConfig("sample"), Recipe(iterations=2, batch_size=8, record_every=1, **recipe))
    trainer = Trainer(config, data, Plan("cpu", "fp32", False, 1))
    return trainer, list(trainer.run())


def test_a_training_sees_crops_of_larger_images_and_is_tested_in_the_middle():
    data = stored_larger()
    middle = {name: Split(centre(getattr(data, name).images, SIDE), getattr(data, name).labels) for name in ("train", "test")}
    trainer, records = trained(data, augmentation="crop")
    assert trainer.mean.shape == (3, SIDE, SIDE) and torch.equal(trainer.mean, per_pixel_mean(middle["train"]))
    measured = next(record for record in reversed(records) if record["kind"] == "test")
    error, loss = evaluate(trainer.model, middle["test"].images, middle["test"].labels, trainer.mean, trainer.plan)
    assert (measured["test_error"], measured["test_loss"]) == (error, loss)
    # Standard and none see the middle in training too: the frame has no say.
    for augmentation in ("standard", "none"):
        ends = [trained(each, augmentation=augmentation)[1][-1] for each in (data, dataclasses.replace(data, **middle))]
        assert ends[0]["weights_sha256"] == ends[1]["weights_sha256"]
    assert records[-1]["weights_sha256"] != ends[0]["weights_sha256"]


@pytest.mark.parametrize(("net", "is_imagenets"), [("ResNet-8-w4", False), ("ResNet-18-w4-c10-ImageNet", True)])
def test_nets_for_imagenet_have_its_colours_and_others_those_of_their_images(net, is_imagenets):
    data = stored_larger()
    trainer, records = trained(data, net, augmentation="none", pca_colour=0.1)
    assert records[-1]["state"] == "finished"
    axes = IMAGENET_AXES if is_imagenets else colour_axes(data.train)
    expected = colour_shifts(8, 0.1, axes, batches_module._generator(0, "pca", 1))
    assert torch.equal(trainer._batches.shifts(1), expected)
