"""Nearest training images in feature space: against brute force, and an index on disk that can be trusted."""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
from safetensors.numpy import save

from resnet_core.analysis import neighbours
from resnet_core.analysis.neighbours import FeatureIndex, cached_index, features, index_path
from resnet_core.architectures import ImageNetConfig, ResNetConfig
from resnet_core.errors import CheckpointError, DataError, Stopped
from resnet_core.nets import find
from resnet_core.nets.loading import load
from tests.nets_tools import TINY, save_run, write_and_load

ROOT = Path(__file__).resolve().parents[1]


def images(count: int = 40, seed: int = 0) -> torch.Tensor:
    """As a split has them: channels last in memory."""
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


@pytest.fixture
def net(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "shipped"))
    return functools.partial(write_and_load, tmp_path / "shipped")


@pytest.fixture
def computed(monkeypatch):
    """How many images' features were computed: a list of counts, one a call."""
    calls = []
    real = neighbours.features

    def counting(loaded, images, *rest):
        calls.append(len(images))
        return real(loaded, images, *rest)

    monkeypatch.setattr(neighbours, "features", counting)
    return calls


@pytest.mark.parametrize(
    "model, normalization, width",
    [
        (TINY, "pixel-mean", 16),
        (ResNetConfig(8, "none", 4, num_classes=100), "cifar100", 16),
        (ImageNetConfig((1, 1, 1, 1), "basic", 17, 8), "imagenet", 64),
    ],
    ids=["ours", "100 classes", "ImageNet's kind"],
)
def test_features_are_what_the_last_layer_is_given(net, model, normalization, width):
    loaded = net(model, normalization)
    given = []
    handle = loaded.model.fc.register_forward_hook(lambda module, inputs, output: given.append(inputs[0]))
    loaded.logits(images())
    handle.remove()
    made = features(loaded, images())
    assert made.shape == (40, width) and made.dtype == np.float32
    np.testing.assert_allclose(made, given[0].numpy(), rtol=1e-5, atol=1e-6)


def test_neighbours_are_those_of_brute_force(net):
    loaded = net()
    index = FeatureIndex(features(loaded, images(200)))
    for query in features(loaded, images(5, seed=1)):
        distances = []
        for row in index.features:
            total = 0.0
            for a, b in zip(row.tolist(), query.tolist(), strict=True):
                total += (a - b) ** 2
            distances.append(total**0.5)
        expected = sorted(range(200), key=distances.__getitem__)[:6]
        found, away = index.nearest(query)
        assert found.tolist() == expected
        np.testing.assert_allclose(away, [distances[i] for i in expected], rtol=1e-5)
        assert (np.diff(away) >= 0).all() and away[0] > 0


@pytest.mark.parametrize("precision, tolerance", [("fp32", 1e-5), ("bf16", 0.05)])
def test_a_training_image_is_its_own_nearest_neighbour(net, precision, tolerance):
    loaded = net(precision=precision)
    train = images(100)
    index = FeatureIndex(features(loaded, train))
    for i in (0, 41, 99):
        found, away = index.nearest(features(loaded, train[i : i + 1])[0])
        assert found[0] == i
        assert away[0] <= tolerance * np.linalg.norm(index.features[i]) and away[0] < away[1]


def test_equally_near_ones_in_their_order_and_no_more_than_there_are():
    index = FeatureIndex(np.float32([[0, 2], [3, 0], [0, 2], [1, 0]]))
    found, away = index.nearest(np.float32([0, 0]), 3)
    assert found.tolist() == [3, 0, 2] and away.tolist() == [1, 2, 2]
    assert len(index.nearest(np.float32([0, 0]))[0]) == 4
    with pytest.raises(ValueError, match="read-only"):
        index.features[0, 0] = 1


def test_a_large_index_is_compared_in_parts(monkeypatch):
    random = np.random.default_rng(0)
    index, query = FeatureIndex(random.normal(size=(100, 8)).astype(np.float32)), random.normal(size=8)
    whole = index.nearest(query, 100)
    monkeypatch.setattr(neighbours, "_ROWS", 7)
    for one, other in zip(whole, index.nearest(query, 100), strict=True):
        assert np.array_equal(one, other)


def test_small_distances_between_large_features_do_not_drown():
    index = FeatureIndex(np.float32([[10_000, 1], [10_000, 3]]))
    assert index.nearest(np.float32([10_000, 1.5]))[1].tolist() == [0.5, 1.5]


def test_the_index_is_computed_once(net, tmp_path, computed):
    loaded, train = net(), images()
    seen = []
    first = cached_index(loaded, train, "sample", tmp_path, lambda done, total: seen.append((done, total)))
    assert seen == [(40, 40)] and computed == [40] and first.problem is None
    again = cached_index(net(), train, "sample", tmp_path)  # loaded anew: the weights count, not the object
    assert computed == [40] and np.array_equal(first.features, again.features)
    path = index_path(loaded, "sample", tmp_path)
    assert list((tmp_path / ".cache" / "features").iterdir()) == [path]
    assert path.name.endswith("-sample-fp32.safetensors")


def test_an_index_of_something_else_is_not_used(net, tmp_path, computed):
    """Other weights, another normalisation, precision, data set or other images each have an index of their own."""
    train = images()
    for loaded in (net(), net(seed=1), net(normalization="half"), net(precision="bf16")):
        cached_index(loaded, train, "sample", tmp_path)
    cached_index(net(), train, "cifar10", tmp_path)
    assert computed == [40] * 5 and len(list((tmp_path / ".cache" / "features").iterdir())) == 5
    changed = train.clone()
    changed[7, 0, 0, 0] ^= 1
    assert np.array_equal(cached_index(net(), changed, "sample", tmp_path).features, features(net(), changed))
    cached_index(net(), changed[:30], "sample", tmp_path)
    assert computed == [40] * 6 + [30]


def test_a_run_that_was_trained_on_has_another_index(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    run = save_run()
    before = load(find(run.id), "cpu", "fp32")
    after = load(find(run.id), "cpu", "fp32")
    with torch.no_grad():
        after.model.layer3[0].conv1.weight[0, 0, 0, 0] += 1e-6
    assert index_path(before, "sample", tmp_path) != index_path(after, "sample", tmp_path)
    assert index_path(before, "sample", tmp_path) == index_path(load(find(run.id), "cpu", "fp32"), "sample", tmp_path)


def _shorter(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-17] ^= 1
    path.write_bytes(content)


def _nonsense(path: Path) -> None:
    path.write_bytes(b"\xff" * 500)


def _other_tensor(path: Path) -> None:
    path.write_bytes(save({"other": np.zeros((40, 16), np.float32)}))


def _other_shape(path: Path) -> None:
    with safetensors.safe_open(path, "numpy") as file:
        metadata = file.metadata()
    made = np.zeros(640, np.float32)
    path.write_bytes(save({"features": made}, {**metadata, "sha256": hashlib.sha256(made.data).hexdigest()}))


@pytest.mark.parametrize("damage", [_shorter, _one_bit, _nonsense, _other_tensor, _other_shape, lambda path: path.write_bytes(b"")])
def test_a_damaged_file_is_computed_anew(net, tmp_path, computed, damage):
    loaded, train = net(), images()
    good = cached_index(loaded, train, "sample", tmp_path).features
    path = index_path(loaded, "sample", tmp_path)
    damage(path)
    assert np.array_equal(cached_index(loaded, train, "sample", tmp_path).features, good) and computed == [40, 40]
    cached_index(loaded, train, "sample", tmp_path)
    assert computed == [40, 40]  # it was mended on disk too


def test_an_index_that_cannot_be_kept_works_and_says_so(net, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    index = cached_index(net(), images(), "sample", blocked)
    assert np.array_equal(index.features, features(net(), images()))
    assert "cannot be kept" in index.problem and "Not a directory" in index.problem


def test_stopping_leaves_nothing(net, tmp_path):
    with pytest.raises(Stopped):
        cached_index(net(), images(), "sample", tmp_path, should_stop=lambda: True)
    assert not (tmp_path / ".cache").exists()


def test_a_net_without_numbers_is_named(net, tmp_path):
    loaded = net()
    torch.nn.init.constant_(loaded.model.conv1.weight, float("inf"))
    with pytest.raises(CheckpointError, match=r"ResNet-8-w4: its features are not numbers"):
        cached_index(loaded, images(), "sample", tmp_path)
    assert not (tmp_path / ".cache").exists()


def test_the_cache_stays_small(net, tmp_path, monkeypatch):
    monkeypatch.setattr(neighbours, "MAX_FILES", 2)
    loaded, folder = net(), tmp_path / ".cache" / "features"
    for age, name in enumerate(("c", "b", "a")):
        cached_index(loaded, images(), name, tmp_path)
        os.utime(index_path(loaded, name, tmp_path), (time.time() - 1000 + 100 * age,) * 2)
    cached_index(loaded, images(), "b", tmp_path)  # used: now the newest
    stale, fresh = folder / ".x-1.tmp", folder / ".x-2.tmp"
    for left, age in ((stale, 7200), (fresh, 10)):
        left.write_bytes(b"half")
        os.utime(left, (time.time() - age,) * 2)
    cached_index(loaded, images(), "d", tmp_path)
    assert {path.name.split("-")[1] for path in folder.glob("*.safetensors")} == {"b", "d"}
    assert not stale.exists() and fresh.exists()


_BUILD = """
import sys, time
from pathlib import Path
import numpy as np, torch
from resnet_core.analysis.neighbours import cached_index
from resnet_core.nets import find
from resnet_core.nets.loading import load

torch.set_num_threads(1)
home, mine, other = map(Path, sys.argv[1:4])
loaded = load(find("tiny"), "cpu", "fp32")
pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1200, 32, 32, 3), dtype=np.uint8)).permute(0, 3, 1, 2)

def meet(done, total):  # neither ends before both have begun
    mine.touch()
    while not other.exists():
        time.sleep(0.01)

index = cached_index(loaded, pixels, "sample", home, meet)
assert index.problem is None and index.features.shape == (1200, 16)
"""


def test_two_processes_leave_one_whole_file(net, tmp_path, computed):
    loaded = net()
    a, b = tmp_path / "a", tmp_path / "b"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    both = [
        subprocess.Popen([sys.executable, "-c", _BUILD, tmp_path, *order], env=environment, stderr=subprocess.PIPE, text=True)
        for order in ((a, b), (b, a))
    ]
    for process in both:
        assert process.wait(600) == 0, process.stderr.read()
        process.stderr.close()
    path = index_path(loaded, "sample", tmp_path)
    assert list(path.parent.iterdir()) == [path]
    held = cached_index(loaded, images(1200), "sample", tmp_path)
    assert computed == []  # it was whole, and of these images
    np.testing.assert_allclose(held.features, features(loaded, images(1200)), rtol=1e-5, atol=1e-6)


def test_an_index_that_takes_too_much_memory_is_refused_before_it_is_computed(net, computed, tmp_path, monkeypatch):
    loaded = net()
    monkeypatch.setattr(neighbours, "MAX_BYTES", 3 * 16 * 4 - 1)
    with pytest.raises(DataError, match=r"has 16 features: those of 3 images take .*Take the training images of the sample"):
        cached_index(loaded, images(3), "cifar10", tmp_path)
    assert computed == []
    monkeypatch.setattr(neighbours, "MAX_BYTES", 3 * 16 * 4)
    assert cached_index(loaded, images(3), "cifar10", tmp_path).features.shape == (3, 16)
