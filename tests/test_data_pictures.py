"""Folders of pictures: what is in them, how they are split, decoded once and read, and every fault named."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from resnet_core.architectures import ResNetConfig
from resnet_core.config import DataConfig, RunConfig
from resnet_core.data import check, load, pictures
from resnet_core.errors import ConfigError, DataError
from resnet_core.images import read_file

CLASSES = ("apple", "bear", "cup")


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def picture(path: Path, shade: int, size=(60, 40)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(shade).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    pixels[..., 0] = shade
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path) -> Path:
    for c, name in enumerate(CLASSES):
        for i in range(10):
            picture(tmp_path / "fruit" / name / f"{i}.{('png', 'webp')[i % 2]}", 80 * c + i)
    (tmp_path / "fruit" / "apple" / "notes.txt").write_text("no picture")
    (tmp_path / "fruit" / ".hidden").mkdir()
    (tmp_path / "fruit" / "empty").mkdir()
    return tmp_path / "fruit"


def test_what_is_in_a_folder_is_told_by_names_and_sizes(folder):
    found = pictures.look(folder, 32)
    assert found.title == "fruit" and found.class_names == CLASSES and found.train == (8, 8, 8) and found.test == (2, 2, 2)
    config = DataConfig("pictures", pictures=found)
    assert (config.classes, config.side, config.train_images, config.test_images, config.most_per_class) == (3, 32, 24, 6, 8)
    assert config.label == "fruit (24 images)"
    whole = RunConfig(ResNetConfig(8, num_classes=3), config)
    again = RunConfig.from_dict(json.loads(json.dumps(whole.to_dict())))
    assert again == whole and again.fingerprint == whole.fingerprint
    with pytest.raises(ConfigError, match="num_classes"):
        RunConfig(ResNetConfig(8), config)


def test_a_configuration_without_pictures_is_written_as_before():
    assert set(RunConfig().to_dict()["data"]) == {"dataset", "validation", "images_per_class"}


def test_the_split_is_disjoint_stable_and_follows_from_the_seed(folder):
    found = pictures.look(folder, 32, test_part=0.3, seed=5)
    train, test = pictures.order(found, folder)
    assert len(train) == 21 and len(test) == 9 and not {path for path, _ in train} & {path for path, _ in test}
    assert pictures.order(found, folder) == (train, test)
    assert pictures.order(pictures.look(folder, 32, test_part=0.3, seed=6), folder) != (train, test)
    assert [label for _, label in train] != sorted(label for _, label in train)  # the classes are mixed, for what is held out
    moved = folder.rename(folder.with_name("moved"))
    assert pictures.order(pictures.look(moved, 32, test_part=0.3, seed=5), moved) == (train, test)
    assert all(Path(path).parts[0] == CLASSES[label] for path, label in train + test)


def test_folders_for_training_and_testing_are_taken_as_they_are(tmp_path):
    for split, count in (("train", 3), ("val", 2)):
        for c, name in enumerate(CLASSES):
            for i in range(count):
                picture(tmp_path / "data" / split / name / "deeper" / f"{i}.jpg", 10 * c + i)
    found = pictures.look(tmp_path / "data", 32)
    assert found.train == (3, 3, 3) and found.test == (2, 2, 2) and found.test_part == 0
    train, test = pictures.order(found, tmp_path / "data")
    assert {Path(path).parts[0] for path, _ in train} == {"train"} and {Path(path).parts[0] for path, _ in test} == {"val"}
    (tmp_path / "data" / "val" / "cup").rename(tmp_path / "data" / "val" / "mug")
    with pytest.raises(DataError, match=r"not the same classes: cup, mug in only one"):
        pictures.look(tmp_path / "data", 32)


def test_pictures_are_decoded_once_to_the_square_in_their_centre(folder, monkeypatch):
    found = pictures.look(folder, 16, stored=20)
    seen = []
    (train, labels), (test, test_labels) = pictures.read(found, folder, lambda done, total: seen.append((done, total)))
    assert train.shape == (24, 20, 20, 3) and test.shape == (6, 16, 16, 3) and seen[-1] == (30, 30)
    for images, answers, files, side in zip((train, test), (labels, test_labels), pictures.order(found, folder), (20, 16), strict=True):
        for made, label, (path, expected) in zip(images, answers, files, strict=True):
            whole = read_file(folder / path).image
            smaller = whole.resize((side * 3 // 2, side), Image.Resampling.BILINEAR)  # as torchvision's Resize and CenterCrop
            assert label == expected
            assert np.array_equal(made, np.asarray(smaller.crop((side // 4, 0, side // 4 + side, side))))
    monkeypatch.setattr(pictures, "_shaped", lambda *_: pytest.fail("decoded again"))
    again = pictures.read(found, folder)
    assert np.array_equal(again[0][0], train) and isinstance(again[0][0], np.memmap)
    other = pictures.look(folder, 16, seed=3)
    pictures.forget(other)  # whatever the size and the split
    assert not pictures.cached(found).exists() and pictures.cached(other) != pictures.cached(found)


def test_loading_them_gives_the_splits_of_any_data_set(folder):
    config = DataConfig("pictures", validation=True, pictures=pictures.look(folder, 32))
    found = load(config, folder)
    assert found.classes == CLASSES and len(found.train) == 22 and len(found.validation) == 2 and len(found.test) == 6
    assert found.train.images.shape[1:] == (3, 32, 32) and found.train.images.is_contiguous(memory_format=torch.channels_last)
    few = load(DataConfig("pictures", images_per_class=2, pictures=config.pictures), folder)
    assert torch.bincount(few.train.labels).tolist() == [2, 2, 2]


def message(call, *args, **options) -> str:
    with pytest.raises(DataError) as caught:
        call(*args, **options)
    return str(caught.value)


def test_sets_larger_than_memory_are_mapped(folder):
    """What the system would have to promise memory for, it refuses; a file with a hole takes no room on the disk."""
    found = pictures.look(folder, 32)
    pictures.read(found, folder)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    swap = sum(int(line.split()[1]) * 1024 for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("SwapTotal"))
    count = 2 * (memory + swap) // (3 * 32 * 32)
    with open(pictures.cached(found) / "train.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (count, 32, 32, 3)})
        file.truncate(file.tell() + count * 3 * 32 * 32)
    (images, _), _ = pictures.read(found, folder)
    assert images.shape == (count, 32, 32, 3) and not images[-1].any() and not images.flags.writeable


_BATCHES = """
import sys
import numpy as np, psutil, torch
from resnet_core.data import Batches, Split, per_pixel_mean

def own():
    memory = psutil.Process().memory_info()
    return memory.rss - memory.shared

def make(split):
    mean = per_pixel_mean(split, 32)
    kept.extend(Batches(split, mean, 8, 0, "cpu", each, side=32, pca_colour=0.1) for each in ("standard", "none", "resized"))
    for batches in kept:
        batches(0)

kept = []
images = torch.from_numpy(np.load(sys.argv[1], mmap_mode="r")).permute(0, 3, 1, 2)
many = Split(images, torch.arange(len(images)) % 2)
make(many.part(0, 2_000))
before = own()
make(many)
print(own() - before)
"""


def test_batches_do_not_load_all_of_a_mapped_set(tmp_path):
    """Of images stored larger than nets see them; by the process's memory without the pages of files."""
    shape = (40_000, 36, 36, 3)
    with open(tmp_path / "hole.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        file.truncate(file.tell() + int(np.prod(shape)))
    command = [sys.executable, "-W", "ignore", "-c", _BATCHES, str(tmp_path / "hole.npy")]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert int(told) < 0.1 * np.prod(shape), told


def test_what_has_changed_since_is_noticed(folder):
    config = DataConfig("pictures", pictures=pictures.look(folder, 32))
    check(config, folder)
    picture(folder / "cup" / "new.png", 3)
    assert "no longer those of fruit" in message(check, config, folder)
    assert "No folder with the pictures was named" in message(check, config, None)
    assert "cannot be looked into" in message(check, config, folder / "nowhere")


def test_damaged_pictures_are_named_and_nothing_is_kept(folder):
    (folder / "bear" / "3.webp").write_bytes(b"RIFF1234WEBPVP8 ")
    (folder / "cup" / "0.png").write_bytes((folder / "cup" / "0.png").read_bytes()[:200])
    found = pictures.look(folder, 32)
    text = message(pictures.read, found, folder)
    assert "2 of 30 pictures cannot be read" in text and "3.webp" in text and "0.png" in text
    assert list(pictures.cached(found).parent.iterdir()) == []


def test_folders_that_are_no_data_set_are_refused(tmp_path, monkeypatch):
    assert "cannot be looked into" in message(pictures.look, tmp_path / "nowhere", 32)
    (tmp_path / "none").mkdir()
    assert "no two folders with pictures" in message(pictures.look, tmp_path / "none", 32)
    picture(tmp_path / "one" / "a" / "1.png", 1)
    picture(tmp_path / "one" / "a" / "2.png", 2)
    assert "no two folders with pictures" in message(pictures.look, tmp_path / "one", 32)
    picture(tmp_path / "one" / "b" / "1.png", 1)
    assert "too few pictures in b" in message(pictures.look, tmp_path / "one", 32)
    monkeypatch.setattr(pictures, "MOST", 1)
    assert "more than 1 pictures" in message(pictures.look, tmp_path / "one", 32)


def test_where_there_is_no_room_it_is_said_before_anything_is_decoded(folder, monkeypatch):
    found = pictures.look(folder, 32)
    monkeypatch.setattr(pictures.shutil, "disk_usage", lambda _: type("", (), {"free": 1000}))
    assert "are free there. Make room" in message(pictures.read, found, folder)


def test_links_to_nowhere_and_names_that_are_no_text_do_no_harm(folder):
    os.symlink("/nowhere/at/all.png", folder / "apple" / "link.png")
    picture(folder / "apple" / os.fsdecode(b"caf\xe9.png"), 9)
    found = pictures.look(folder, 32)
    assert found.train[0] + found.test[0] == 11
    assert pictures.read(found, folder)[0][0].shape[0] == sum(found.train)


def test_values_out_of_their_range_are_refused(folder):
    found = pictures.look(folder, 32)
    for change in ({"side": 4}, {"stored": 31}, {"digest": "x"}, {"train": (1, 1)}, {"class_names": ("a", "a", "b")}, {"test_part": 0.95}):
        with pytest.raises(ConfigError):
            dataclasses.replace(found, **change)
