"""The embedded sample: real, balanced, lossless, small, whole; and made again from any copy of the full set."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from resnet_core.config import DataConfig
from resnet_core.data import check, load, make_sample, sample
from resnet_core.errors import ConfigError, DataError
from tests import data_fake
from tests.data_fake import small_files  # noqa: F401  a fixture


@pytest.fixture(scope="module")
def data():
    return load(DataConfig("sample"))


def test_it_is_balanced_and_of_the_promised_size(data):
    assert data.train.images.shape == (5000, 3, 32, 32) and data.test.images.shape == (1000, 3, 32, 32)
    assert torch.bincount(data.train.labels).tolist() == [500] * 10
    assert torch.bincount(data.test.labels).tolist() == [100] * 10
    assert data.train.images.dtype == torch.uint8 and data.train.labels.dtype == torch.int64
    assert (data.source, data.validation) == ("sample", None)
    assert sum(path.stat().st_size for path in sample.FOLDER.rglob("*") if path.is_file()) <= 16_000_000


def test_the_pixels_are_those_it_was_made_of(data):
    manifest = json.loads((sample.FOLDER / sample.MANIFEST).read_text())
    for name, split in (("train", data.train), ("test", data.test)):
        pixels = split.images.permute(0, 2, 3, 1).numpy()
        assert hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest() == manifest[name]["pixels_sha256"]
        assert len(set(manifest[name]["indices"])) == len(split)


def test_it_is_cifar10(data):
    """The published channel means of the training set, as near as a sample of 5,000 has them."""
    means = data.train.images.double().mean((0, 2, 3)) / 255
    assert torch.allclose(means, torch.tensor([0.4914, 0.4822, 0.4465], dtype=torch.double), atol=0.003)
    # Neighbouring pixels of photographs are alike (about 15 apart); those of a mosaic put together wrongly are not (about 70).
    images = data.test.images.double()
    assert (images[..., 1:] - images[..., :-1]).abs().mean() < 20
    assert (images[..., 1:, :] - images[..., :-1, :]).abs().mean() < 20


def test_no_image_is_in_it_twice_and_none_of_the_test_images_is_trained_on(data):
    digests = [{image.numpy().tobytes() for image in split.images} for split in (data.train, data.test)]
    assert [len(each) for each in digests] == [5000, 1000]
    assert not digests[0] & digests[1]


def test_the_first_images_of_each_class(data):
    part = load(DataConfig("sample", images_per_class=50))
    assert torch.bincount(part.train.labels).tolist() == [50] * 10 and len(part.test) == 1000
    # The classes alternate in the sample, so these are simply its first images; channels last in memory, like all.
    assert torch.equal(part.train.images, data.train.images[:500]) and torch.equal(part.train.labels, data.train.labels[:500])
    assert part.train.images.is_contiguous(memory_format=torch.channels_last)
    held = load(DataConfig("sample", validation=True, images_per_class=50))
    assert (len(held.train), len(held.validation)) == (450, 50)
    assert DataConfig("sample", images_per_class=50).label == "sample (500 images)"
    assert DataConfig("sample", validation=True, images_per_class=50).label == "sample (450 images + 50 for validation)"
    assert DataConfig("sample", validation=True, images_per_class=50).train_images == 450


@pytest.mark.parametrize("dataset, most", [("sample", 500), ("cifar10", 5000)])
def test_no_class_has_more_images_than_it_has(dataset, most):
    assert DataConfig(dataset, images_per_class=most).train_images == DataConfig(dataset).train_images
    for wrong in (most + 1, -1, 2.5):
        with pytest.raises(ConfigError, match="images_per_class"):
            DataConfig(dataset, images_per_class=wrong)


def test_the_validation_split_is_balanced_too(data):
    held = load(DataConfig("sample", validation=True))
    assert (len(held.train), len(held.validation)) == (4500, 500)
    assert torch.bincount(held.validation.labels).tolist() == [50] * 10
    assert torch.equal(torch.cat([held.train.images, held.validation.images]), data.train.images)


@pytest.fixture
def copy(tmp_path, monkeypatch):
    folder = shutil.copytree(sample.FOLDER, tmp_path / "embedded")
    monkeypatch.setitem(sample.FOLDERS, "sample", folder)
    return folder


@pytest.mark.parametrize("name", ["train.webp", "test.webp", "sample.json", "SHA256SUMS"])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    for call in (check, load):
        with pytest.raises(DataError, match=f"{copy / name}.*restore it"):
            call(DataConfig("sample"))


@pytest.mark.parametrize("name", ["train.webp", "test.webp", "sample.json"])
def test_a_single_changed_bit_is_found_and_the_file_named(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{copy / name} is corrupted.*restore it"):
        load(DataConfig("sample"))


def test_all_short_files_are_named_without_reading_them(copy):
    for name in ("train.webp", "test.webp"):
        (copy / name).write_bytes((copy / name).read_bytes()[:1000])
    with pytest.raises(DataError, match=r"train\.webp \(1,000 bytes instead of 8,551,780\).*test\.webp \(1,000 bytes"):
        check(DataConfig("sample"))


def test_a_pillow_without_webp_is_told_apart_from_a_damaged_file(monkeypatch):
    Image.init()
    monkeypatch.delitem(Image.OPEN, "WEBP")
    with pytest.raises(DataError, match="Pillow was built without WebP"):
        load(DataConfig("sample"))


@pytest.mark.usefixtures("small_files")
def test_any_copy_of_the_full_set_gives_the_same_sample(tmp_path, monkeypatch):
    """In either layout and in any order of the images."""
    monkeypatch.setattr(make_sample, "PER_CLASS", {"train": 4, "test": 2})
    monkeypatch.setattr(sample, "COLUMNS", 10)
    content = data_fake.batches()
    content["data_batch_2"][0][5] = content["data_batch_1"][0][0]  # an image that is there twice, with one label
    content["data_batch_2"][1][5] = content["data_batch_1"][1][0]
    mixed = {name: (pixels[::-1], labels[::-1]) for name, (pixels, labels) in content.items()}
    mixed["data_batch_1"], mixed["data_batch_5"] = mixed["data_batch_5"], mixed["data_batch_1"]
    made = {}
    for name, folder in (
        ("one", data_fake.write_binary(tmp_path / "bin", content)),
        ("two", data_fake.write_python(tmp_path / "py", mixed)),
    ):
        make_sample.make(folder, tmp_path / name)
        monkeypatch.setitem(sample.FOLDERS, "sample", tmp_path / name)
        sample.check()
        made[name] = {split: sample.read(split) for split in ("train", "test")}

        # Read back, each tile is the image it says it is: nothing was lost.
        manifest = json.loads((tmp_path / name / "sample.json").read_text())
        source = mixed if name == "two" else content
        planes = np.concatenate([source[file][0] for file in data_fake.NAMES[:5]])[manifest["train"]["indices"]]
        assert np.array_equal(made[name]["train"][0], planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    for split, number in (("train", 40), ("test", 20)):
        (images, labels), (others, other_labels) = made["one"][split], made["two"][split]
        assert images.shape == (number, 32, 32, 3) and labels.tolist() == other_labels.tolist() == list(range(10)) * (number // 10)
        assert np.array_equal(images, others)
        assert len({image.tobytes() for image in images}) == number
