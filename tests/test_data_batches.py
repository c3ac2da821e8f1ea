"""Training batches: against a slow reference, image by image and pixel by pixel; and what a pure function of (seed, iteration) promises."""

from __future__ import annotations

import pytest
import torch

from resnet_core.config import DataConfig
from resnet_core.data import Batches, Split, load, normalize, per_pixel_mean


def split_of(number: int, seed: int = 0) -> Split:
    """Random images; the label of each is its index, so that a batch tells what it is made of."""
    images = torch.randint(0, 256, (number, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return Split(images, torch.arange(number))


def batches_of(split: Split, size: int, seed: int = 0, augmentation: str = "standard") -> Batches:
    return Batches(split, per_pixel_mean(split), size, seed, torch.device("cpu"), augmentation)


def slow_crop(image: torch.Tensor, mean: torch.Tensor, top: int, left: int, flip: int) -> torch.Tensor:
    """One image, as section 4.2 tells it, one pixel after the other: uint8 (3, 32, 32) -> float32 (3, 32, 32)."""
    centred = image.float() / 255 - mean
    padded = [[[0.0] * 40 for _ in range(40)] for _ in range(3)]
    for channel in range(3):
        for y in range(32):
            for x in range(32):
                padded[channel][y + 4][x + 4] = float(centred[channel, y, x])
    window = [[row[left : left + 32] for row in plane[top : top + 32]] for plane in padded]
    if flip:
        window = [[list(reversed(row)) for row in plane] for plane in window]
    return torch.tensor(window)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_whole_batches_equal_the_slow_reference(layout):
    split = split_of(7)
    split = Split(split.images.contiguous(memory_format=layout), split.labels)
    mean = per_pixel_mean(split)
    batches = batches_of(split, 5, seed=3)
    for iteration in (0, 1, 100):
        images, labels = batches(iteration)
        for position, (index, (top, left, flip)) in enumerate(
            zip(batches.indices(iteration).tolist(), batches.crops(iteration).T.tolist(), strict=True)
        ):
            assert torch.equal(images[position], slow_crop(split.images[index], mean, top, left, flip))
            assert labels[position] == index


def test_every_corner_of_the_crop_and_both_directions_are_right(monkeypatch):
    split = split_of(18)
    mean = per_pixel_mean(split)
    batches = batches_of(split, 18)
    for flip in (0, 1):
        crops = torch.tensor(
            [[0, 8, 0, 8, 4, 0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 1, 7, 3], [0, 0, 8, 8, 4, 8, 7, 6, 5, 4, 3, 2, 1, 0, 5, 2, 7, 4], [flip] * 18]
        )
        monkeypatch.setattr(batches, "crops", lambda iteration, crops=crops: crops)
        images, labels = batches(0)
        for image, label, (top, left, direction) in zip(images, labels, crops.T.tolist(), strict=True):
            assert torch.equal(image, slow_crop(split.images[label], mean, top, left, direction))


def test_crops_are_uniform_and_half_of_them_flipped():
    crops = torch.cat([batches_of(split_of(4), 512).crops(i) for i in range(20)], 1)
    assert crops.shape == (3, 10240)
    for row, values in ((0, 9), (1, 9), (2, 2)):
        counts = torch.bincount(crops[row], minlength=values)
        assert len(counts) == values
        assert (counts - 10240 / values).abs().max() < 5 * (10240 / values) ** 0.5
    joint = torch.bincount((crops[0] * 9 + crops[1]) * 2 + crops[2], minlength=162)
    assert joint.min() > 25  # 63 are expected of each of the 162


def test_without_augmentation_they_are_the_centred_images():
    split = split_of(12)
    batches = batches_of(split, 5, augmentation="none")
    images, labels = batches(2)
    assert torch.equal(images, normalize(split.images[labels], per_pixel_mean(split)))
    assert torch.equal(batches.indices(2), batches_of(split, 5).indices(2))  # in the same order as with it


def test_form_of_a_batch():
    for augmentation in ("standard", "none"):
        images, labels = batches_of(split_of(10), 4, augmentation=augmentation)(0)
        assert images.shape == (4, 3, 32, 32) and images.dtype == torch.float32
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert labels.shape == (4,) and labels.dtype == torch.int64


@pytest.mark.parametrize(("number", "size"), [(10, 4), (10, 5), (10, 10), (10, 25), (7, 1), (1, 3)])
def test_each_image_once_an_epoch_and_batches_straddle_epochs(number, size):
    batches = batches_of(split_of(number), size)
    epochs = 6
    seen = torch.cat([batches(i)[1] for i in range(-(-number * epochs // size))])[: number * epochs].view(epochs, number)
    for epoch in seen:
        assert sorted(epoch.tolist()) == list(range(number))
    if number == 10:
        assert len({tuple(epoch.tolist()) for epoch in seen}) == epochs  # each epoch in an order of its own


def test_a_batch_depends_on_seed_and_iteration_alone():
    split = split_of(10)
    forward = [batches_of(split, 4)(i) for i in range(12)]
    twin = batches_of(split, 4)
    state = torch.get_rng_state()
    for i in (11, 3, 0, 7, 3):  # as after a resumption, out of order, and again
        images, labels = twin(i)
        assert torch.equal(images, forward[i][0]) and torch.equal(labels, forward[i][1])
        images.zero_()  # what the caller does to a batch stays with the caller
        labels.zero_()
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    assert torch.equal(batches_of(split, 4)(5)[0], forward[5][0])


def test_other_seeds_and_iterations_give_other_orders_and_crops():
    split = split_of(50)
    one, other = batches_of(split, 50, seed=0), batches_of(split, 50, seed=1)
    assert not torch.equal(one.indices(0), other.indices(0))
    assert not torch.equal(one.crops(0), other.crops(0))
    assert not torch.equal(one.crops(0), one.crops(1))
    # Seed 0 at iteration 1 is not seed 1 at iteration 0.
    assert not torch.equal(one.indices(1), other.indices(0)) and not torch.equal(one.crops(1), other.crops(0))


def test_the_mean_is_of_each_pixel_over_all_images():
    split = split_of(300)
    mean = per_pixel_mean(split)
    assert mean.shape == (3, 32, 32) and mean.dtype == torch.float32
    assert torch.equal(mean, (split.images.double().sum(0) / (300 * 255)).float())
    assert torch.equal(mean, per_pixel_mean(Split(split.images.contiguous(memory_format=torch.channels_last), split.labels)))
    assert torch.allclose(normalize(split.images, mean).double().mean(0), torch.zeros(3, 32, 32, dtype=torch.double), atol=1e-6)


def test_normalised_images_are_channels_last_and_the_original_is_untouched():
    split = split_of(3)
    before = split.images.clone()
    images = normalize(split.images, per_pixel_mean(split))
    assert images.dtype == torch.float32 and images.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images, split.images.float() / 255 - per_pixel_mean(split))
    assert torch.equal(split.images, before)


def test_the_images_of_a_loaded_set_are_not_copied_on_the_cpu():
    data = load(DataConfig("sample"))
    batches = batches_of(data.train, 8)
    assert batches._images.data_ptr() == data.train.images.data_ptr()


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="augmentation"):
        batches_of(split_of(4), 2, augmentation="cutout")
    with pytest.raises(ValueError, match="at least one"):
        batches_of(split_of(4), 0)
    with pytest.raises(ValueError, match="at least one"):
        Batches(split_of(0), torch.zeros(3, 32, 32), 2, 0, torch.device("cpu"))
