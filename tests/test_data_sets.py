"""CIFAR-100, MNIST, Fashion-MNIST and SVHN: small files in the official layouts, read, and every damage named; the facts themselves."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import http.server
import json
import pickle
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from resnet_core.config import DataConfig
from resnet_core.data import check, download, load, sample
from resnet_core.data.make_sample import make
from resnet_core.datasets import DATA_SETS, DEBIAN_FASHION, Fetched
from resnet_core.errors import ConfigError, DataError
from tests import data_fake

TRAIN, TEST = 30, 20


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for key in ("cifar100", "mnist", "fashion", "svhn"):
        data_fake.shrink(monkeypatch, key, TRAIN, TEST)


def random(classes: int, side: int, channels: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Images, uint8 (N, side, side, channels), and labels of both splits."""
    made, generator = {}, np.random.default_rng(7)
    for split, count in (("train", TRAIN), ("test", TEST)):
        made[split] = generator.integers(1, 256, (count, side, side, channels), dtype=np.uint8), generator.integers(0, classes, count)
    return made


def write_cifar100(folder: Path, content, binary: bool) -> Path:
    folder.mkdir(parents=True)
    for split, (images, labels) in content.items():
        planar = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
        coarse = labels // 5
        if binary:
            records = [bytes([c, f]) + pixels.tobytes() for c, f, pixels in zip(coarse, labels, planar, strict=True)]
            (folder / f"{split}.bin").write_bytes(b"".join(records))
        else:
            batch = {b"data": planar, b"fine_labels": labels.tolist(), b"coarse_labels": coarse.tolist()}
            (folder / split).write_bytes(pickle.dumps(batch, 2))
    return folder


def write_idx(folder: Path, content, packed: bool) -> Path:
    folder.mkdir(parents=True)
    for split, (images, labels) in content.items():
        prefix = "train" if split == "train" else "t10k"
        files = {
            f"{prefix}-images-idx3-ubyte": struct.pack(">4I", 2051, len(images), 28, 28) + images.tobytes(),
            f"{prefix}-labels-idx1-ubyte": struct.pack(">2I", 2049, len(labels)) + bytes(labels.tolist()),
        }
        for name, written in files.items():
            (folder / f"{name}{'.gz' * packed}").write_bytes(gzip.compress(written) if packed else written)
    return folder


def write_mat(folder: Path, content) -> Path:
    folder.mkdir(parents=True)
    for split, (images, labels) in content.items():
        digits = np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]
        savemat(folder / f"{split}_32x32.mat", {"X": images.transpose(1, 2, 3, 0), "y": digits}, do_compression=True)
    return folder


def is_read(key: str, folder: Path, content) -> None:
    """What ``load`` gives is what was written, image by image."""
    found = load(DataConfig(key), folder)
    for split, (images, labels) in content.items():
        read = getattr(found, split)
        assert read.images.shape == (len(images), 3, 32, 32) and read.images.is_contiguous(memory_format=torch.channels_last)
        assert read.labels.tolist() == labels.tolist()
        for one, written in zip(read.images, images, strict=True):
            expected = torch.from_numpy(written).permute(2, 0, 1).expand(3, -1, -1)
            margin = (32 - written.shape[0]) // 2
            assert torch.equal(one, torch.nn.functional.pad(expected, (margin,) * 4))
    assert found.classes == DATA_SETS[key].classes and found.source == key


@pytest.mark.parametrize("binary", [True, False])
def test_cifar100_has_its_fine_labels_in_both_layouts(tmp_path, binary):
    content = random(100, 32, 3)
    folder = write_cifar100(tmp_path / ("cifar-100-binary" if binary else "cifar-100-python"), content, binary)
    is_read("cifar100", folder, content)
    is_read("cifar100", tmp_path, content)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(("key", "name"), [("mnist", "MNIST/raw"), ("fashion", "FashionMNIST/raw"), ("fashion", "fashion-mnist")])
def test_idx_files_packed_or_not_are_padded_to_32(tmp_path, key, name, packed):
    content = random(10, 28, 1)
    is_read(key, write_idx(tmp_path / name, content, packed), content)
    is_read(key, tmp_path, content)


def test_the_digit_0_is_called_10_in_svhn(tmp_path):
    content = random(10, 32, 3)
    assert 0 in content["train"][1]
    is_read("svhn", write_mat(tmp_path / "svhn", content), content)


def message(key: str, folder: Path, call=load) -> str:
    with pytest.raises(DataError) as caught:
        call(DataConfig(key), folder)
    return str(caught.value)


def test_every_missing_short_and_damaged_file_is_named(tmp_path):
    idx = write_idx(tmp_path / "idx", random(10, 28, 1), packed=True)
    (idx / "t10k-labels-idx1-ubyte.gz").unlink()
    assert "Fashion-MNIST" in message("fashion", idx, check) and "t10k-labels-idx1-ubyte (missing)" in message("fashion", idx, check)
    (idx / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(struct.pack(">2I", 2049, TEST) + bytes([10] * TEST)))
    whole = (idx / "train-images-idx3-ubyte.gz").read_bytes()
    (idx / "train-images-idx3-ubyte.gz").write_bytes(whole[: len(whole) // 2])
    text = message("fashion", idx)
    assert "train-images-idx3-ubyte (it cannot be unpacked" in text and "t10k-labels-idx1-ubyte (label 10 of image 0 is not" in text
    (idx / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"\x00\x00\x0d\x03" + bytes(100)))
    assert "does not begin as an IDX file" in message("fashion", idx)
    (idx / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(struct.pack(">4I", 2051, TRAIN, 28, 27) + bytes(TRAIN * 28 * 27)))
    assert "instead of 30 x 28 x 28" in message("fashion", idx)
    loose = write_idx(tmp_path / "loose", random(10, 28, 1), packed=False)
    with open(loose / "train-labels-idx1-ubyte", "ab") as file:
        file.write(b"\0")
    assert "train-labels-idx1-ubyte (too long: 39 bytes instead of 38)" in message("mnist", loose, check)

    mat = write_mat(tmp_path / "mat", random(10, 32, 3))
    (mat / "train_32x32.mat").write_bytes(b"MATLAB 5.0" + bytes(5000))
    savemat(mat / "test_32x32.mat", {"X": np.zeros((32, 32, 3, 4)), "y": np.ones((4, 1))})
    text = message("svhn", mat)
    assert "train_32x32.mat (not a readable MATLAB file" in text and "test_32x32.mat (its X are float64" in text

    binary = write_cifar100(tmp_path / "binary", random(100, 32, 3), True)
    (binary / "test.bin").write_bytes((binary / "test.bin").read_bytes()[:-1])
    assert "test.bin (short: 61,479 bytes instead of 61,480)" in message("cifar100", binary, check)
    assert "cifar-100-python.tar.gz" in message("cifar100", tmp_path / "nothing", check)


def test_a_damaged_pickle_of_cifar100_runs_nothing(tmp_path):
    folder = write_cifar100(tmp_path / "py", random(100, 32, 3), False)
    (folder / "train").write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "done").encode() + b"'\ntR." + bytes(200_000))
    assert "it asks for os.system" in message("cifar100", folder)
    assert not (tmp_path / "done").exists()


def test_the_folder_of_the_environment_may_be_of_another_set(tmp_path, monkeypatch):
    """It is for CIFAR-10, and Fashion-MNIST was downloaded: that is found all the same."""
    monkeypatch.setenv("RESNET_LAB_DATA", str(tmp_path / "cifar"))
    assert "cifar does not exist" in message("mnist", None, check)
    content = random(10, 28, 1)
    write_idx(tmp_path / "cache" / "resnet-lab" / "mnist", content, packed=True)
    is_read("mnist", None, content)
    write_idx(tmp_path / "cifar" / "mnist", random(10, 28, 1), packed=True)
    (tmp_path / "cifar" / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    assert f"MNIST in {tmp_path / 'cifar'}" in message("mnist", None, check)  # it was meant


@pytest.fixture
def server(tmp_path) -> Iterator[str]:
    """The address of a server of what lies in ``source``."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path / "source"))

        def log_message(self, *args): ...

    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=found.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{found.server_port}"
    found.shutdown()
    found.server_close()


def test_a_download_of_single_files_lies_where_load_finds_it(tmp_path, monkeypatch, server):
    content = random(10, 28, 1)
    source = write_idx(tmp_path / "source", content, packed=True)
    fetched = tuple(
        Fetched(f"{server}/{path.name}", hashlib.md5(path.read_bytes()).hexdigest(), path.stat().st_size)
        for path in sorted(source.iterdir())
    )
    monkeypatch.setitem(DATA_SETS, "mnist", dataclasses.replace(DATA_SETS["mnist"], fetched=fetched))
    seen = []
    place = download(lambda done, total: seen.append((done, total)), key="mnist")
    assert place == tmp_path / "cache" / "resnet-lab" / "mnist" and seen[-1] == (DATA_SETS["mnist"].download_bytes,) * 2
    is_read("mnist", None, content)
    wrong = (dataclasses.replace(fetched[0], digest="0" * 32), *fetched[1:])
    monkeypatch.setitem(DATA_SETS, "mnist", dataclasses.replace(DATA_SETS["mnist"], fetched=wrong))
    with pytest.raises(DataError, match="MNIST could not be downloaded from"):
        download(to=tmp_path / "other", key="mnist")
    assert [path.name for path in (tmp_path / "other").iterdir()] == [".mnist-download.lock"]


# -- the facts -----------------------------------------------------------------------------------------------------------------


def test_addresses_and_checksums_are_torchvisions(monkeypatch):
    from torchvision import datasets as theirs

    monkeypatch.undo()  # the sets as they are
    known = {key: [(each.url, each.digest) for each in found.fetched] for key, found in DATA_SETS.items()}
    for key, their in (("cifar10", theirs.CIFAR10), ("cifar100", theirs.CIFAR100)):
        assert known[key] == [(their.url, their.tgz_md5)]
        python = next(layout for layout in DATA_SETS[key].layouts if layout.read == "python")
        assert {file.name: file.official[1] for file in python.files} == dict(their.train_list + their.test_list)
    for key, their in (("mnist", theirs.MNIST), ("fashion", theirs.FashionMNIST)):
        assert known[key] == [(their.mirrors[0] + name, md5) for name, md5 in their.resources]
    assert known["svhn"] == [(url, md5) for url, _, md5 in (theirs.SVHN.split_list[split] for split in ("train", "test"))]
    assert [name.lower() for name in theirs.FashionMNIST.classes] == [name.lower() for name in DATA_SETS["fashion"].classes]
    assert len(set(DATA_SETS["cifar100"].classes)) == 100 and sorted(DATA_SETS["cifar100"].classes) == list(DATA_SETS["cifar100"].classes)
    binary = DATA_SETS["cifar10"].layouts[0].files
    assert {file.official[0] for file in binary} == {10_000 * 3073} and len({file.official[1] for file in binary}) == 6
    for found in DATA_SETS.values():
        for layout in found.layouts:
            step = 2 if layout.read == "idx" else 1
            counts = {split: sum(f.images for f in layout.files[::step] if f.split == split) for split in ("train", "test")}
            assert counts == {"train": found.train, "test": found.test}, found.key


def test_configurations_of_before_keep_their_form():
    assert DataConfig("cifar10", True).label == "CIFAR-10 (45,000 images + 5,000 for validation)"
    assert DataConfig("fashion-sample").short_label == "Fashion sample (5,000)"
    assert DataConfig("svhn").train_images == 73_257 and DataConfig("cifar100").classes == 100
    with pytest.raises(ConfigError, match="images_per_class"):
        DataConfig("cifar100", images_per_class=501)
    with pytest.raises(ConfigError, match="pictures"):
        DataConfig("pictures")


# -- the second embedded sample ------------------------------------------------------------------------------------------------


def test_the_fashion_sample_is_small_balanced_and_as_its_manifest_says():
    folder = sample.FOLDERS["fashion-sample"]
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 6_000_000
    found = load(DataConfig("fashion-sample"))
    assert found.train.labels[:10].tolist() == list(range(10))
    assert torch.bincount(found.train.labels).tolist() == [500] * 10 and torch.bincount(found.test.labels).tolist() == [100] * 10
    images = torch.cat([found.train.images, found.test.images]).permute(0, 2, 3, 1).contiguous()
    assert not images[:, [0, 1, 30, 31]].any() and not images[:, :, [0, 1, 30, 31]].any() and images[:, 2:30, 2:30].any()
    assert len({image.numpy().tobytes() for image in images}) == 6_000
    check(DataConfig("fashion-sample"))


REAL_FASHION = Path(DEBIAN_FASHION)


def test_the_fashion_sample_can_be_made_again_from_any_copy(tmp_path, monkeypatch):
    """From a copy that holds the sample's own images, and others: in another order, the same files come out."""
    if REAL_FASHION.is_dir():
        monkeypatch.undo()
        make(REAL_FASHION, tmp_path / "made", "fashion")
        manifest = json.loads((tmp_path / "made" / "sample.json").read_text())
        assert manifest == json.loads((sample.FOLDERS["fashion-sample"] / "sample.json").read_text())
    content = {}
    for split in ("train", "test"):
        images, labels = sample.read(split, "fashion-sample")
        turn = np.random.default_rng(0).permutation(len(labels))
        content[split] = np.ascontiguousarray(images[turn][:, 2:30, 2:30, :1]), labels[turn]
    data_fake.shrink(monkeypatch, "fashion", 5_000, 1_000)
    write_idx(tmp_path / "copy", content, packed=True)
    make(tmp_path / "copy", tmp_path / "again", "fashion")
    again = json.loads((tmp_path / "again" / "sample.json").read_text())
    shipped = json.loads((sample.FOLDERS["fashion-sample"] / "sample.json").read_text())
    for split in ("train", "test"):
        assert again[split]["pixels_sha256"] == shipped[split]["pixels_sha256"] and again[split]["labels"] == shipped[split]["labels"]
