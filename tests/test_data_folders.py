"""The full CIFAR-10 in both official layouts: found, read, and every damage named."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from resnet_core.config import DataConfig
from resnet_core.data import CLASSES, check, folders, load, readers, resolve_data_dir, sample
from resnet_core.datasets import DATA_SETS
from resnet_core.errors import DataError
from tests import data_fake
from tests.data_fake import small_files  # noqa: F401  a fixture

FULL = DataConfig("cifar10")
OFFICIAL = DATA_SETS["cifar10"]
#: Read before the tests' own settings replace it: the developer's full data set, where there is one.
REAL = os.environ.get("RESNET_LAB_DATA")
WRITERS = {"cifar-10-batches-bin": data_fake.write_binary, "cifar-10-batches-py": data_fake.write_python}

pytestmark = pytest.mark.usefixtures("small_files")


@pytest.fixture(autouse=True)
def _no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def message(folder: Path | str | None, call=load) -> str:
    with pytest.raises(DataError) as caught:
        call(FULL, folder)
    return str(caught.value)


def expected(content: dict, names: tuple[str, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Image by image, plane by plane."""
    images, labels = [], []
    for name in names:
        for pixels, label in zip(*content[name], strict=True):
            images.append(torch.stack([torch.tensor(pixels[c * 1024 : (c + 1) * 1024]).reshape(32, 32) for c in range(3)]))
            labels.append(int(label))
    return torch.stack(images), torch.tensor(labels)


@pytest.mark.parametrize("parent", [False, True], ids=["folder", "parent"])
@pytest.mark.parametrize("layout", WRITERS)
def test_both_layouts_are_read_from_their_folder_or_its_parent(tmp_path, layout, parent):
    content = data_fake.batches()
    folder = WRITERS[layout](tmp_path / "set" / layout, content)
    folder = folder.parent if parent else folder
    check(FULL, folder)
    data = load(FULL, str(folder))
    for split, names in ((data.train, data_fake.NAMES[:5]), (data.test, data_fake.NAMES[5:])):
        images, labels = expected(content, names)
        assert split.images.dtype == torch.uint8 and split.labels.dtype == torch.int64
        assert torch.equal(split.images, images) and torch.equal(split.labels, labels)
        assert split.images.is_contiguous(memory_format=torch.channels_last)
    assert (data.validation, data.classes, data.source) == (None, CLASSES, "cifar10")


def test_a_folder_of_another_name_is_told_by_its_files(tmp_path):
    content = data_fake.batches()
    for writer in WRITERS.values():
        folder = writer(tmp_path / writer.__name__, content)
        assert torch.equal(load(FULL, folder).test.images, expected(content, data_fake.NAMES[5:])[0])


def test_the_whole_layout_is_taken_where_the_other_is_not_whole(tmp_path):
    content = data_fake.batches()
    data_fake.write_binary(tmp_path / "cifar-10-batches-bin", content)
    broken = data_fake.write_python(tmp_path / "cifar-10-batches-py", content)
    (broken / "data_batch_3").unlink()
    assert folders.find(tmp_path, DATA_SETS["cifar10"])[0].name == "binary"


def test_validation_is_the_last_tenth_of_the_training_images(tmp_path):
    folder = data_fake.write_binary(tmp_path / "bin", data_fake.batches())
    whole, held = load(FULL, folder), load(DataConfig("cifar10", validation=True), folder)
    assert (len(held.train), len(held.validation), len(held.test)) == (180, 20, 40)
    assert torch.equal(torch.cat([held.train.images, held.validation.images]), whole.train.images)
    assert torch.equal(torch.cat([held.train.labels, held.validation.labels]), whole.train.labels)
    assert torch.equal(held.test.images, whole.test.images)


@pytest.mark.parametrize("call", [check, load])
@pytest.mark.parametrize("layout", WRITERS)
def test_every_missing_and_short_file_is_named(tmp_path, layout, call):
    folder = WRITERS[layout](tmp_path / layout, data_fake.batches())
    suffix = ".bin" if layout.endswith("bin") else ""
    (folder / f"data_batch_2{suffix}").unlink()
    (folder / f"test_batch{suffix}").write_bytes((folder / f"test_batch{suffix}").read_bytes()[:100_000])
    text = message(folder, call)
    assert f"data_batch_2{suffix} (missing)" in text
    assert f"test_batch{suffix} (short: 100,000 bytes" in text
    assert "data_batch_1" not in text
    assert str(folder) in text and "unpack" in text and "\n" not in text


def test_a_binary_file_that_is_too_long_is_named(tmp_path):
    folder = data_fake.write_binary(tmp_path / "bin", data_fake.batches())
    with (folder / "data_batch_4.bin").open("ab") as file:
        file.write(b"x")
    assert "data_batch_4.bin (too long: 122,921 bytes instead of 122,920)" in message(folder, check)


def test_corrupted_files_are_all_named(tmp_path):
    folder = data_fake.write_binary(tmp_path / "bin", data_fake.batches())

    def overwrite(name: str, offset: int, content: bytes) -> None:
        with (folder / name).open("r+b") as file:
            file.seek(offset)
            file.write(content)

    overwrite("data_batch_1.bin", 7 * 3073, bytes([10]))
    overwrite("data_batch_3.bin", 30 * 3073, bytes(10 * 3073))  # allocated, never filled
    check(FULL, folder)  # the sizes are right
    text = message(folder)
    assert "data_batch_1.bin (label 10 of image 7 is not from 0 to 9)" in text
    assert "data_batch_3.bin (image 30 is empty (all zeros))" in text
    assert "data_batch_2" not in text and "test_batch" not in text


def test_checksums_beside_the_files_are_held(tmp_path):
    folder = data_fake.write_binary(tmp_path / "bin", data_fake.batches())
    data_fake.write_md5sums(folder)
    load(FULL, folder)
    with (folder / "data_batch_5.bin").open("r+b") as file:
        file.seek(2000)
        old = file.read(1)
        file.seek(2000)
        file.write(bytes([old[0] ^ 1]))  # one bit of one pixel
    text = message(folder)
    assert "data_batch_5.bin (its MD5 is not the one of MD5SUMS)" in text and "data_batch_4" not in text


@pytest.mark.parametrize("layout", WRITERS)
def test_a_batch_of_the_official_size_must_have_the_official_checksum(tmp_path, monkeypatch, layout):
    folder = WRITERS[layout](tmp_path / layout, data_fake.batches())
    name = "test_batch.bin" if layout.endswith("bin") else "test_batch"
    data_fake.shrink(monkeypatch, "cifar10", official=((folder / name).stat().st_size, "0" * 32))
    assert f"{name} (its MD5 is not the one of the official file)" in message(folder)
    data_fake.write_md5sums(folder)  # whoever keeps images of his own in this layout vouches for them so
    load(FULL, folder)


@pytest.mark.parametrize("layout", WRITERS)
def test_a_file_that_is_another_one_is_refused(tmp_path, layout):
    """Test images among the training images, or images twice: whatever the labels, and in whatever order."""
    content = data_fake.batches()
    content["test_batch"] = content["data_batch_5"][0][::-1].copy(), content["test_batch"][1]
    content["test_batch"][0][7] = content["data_batch_3"][0][0]
    content["data_batch_2"] = content["data_batch_1"]
    folder = WRITERS[layout](tmp_path / layout, content)
    data_fake.write_md5sums(folder)  # that vouches for the files, not for what is in them
    text, end = message(folder), ".bin" if layout.endswith("bin") else ""
    assert f"test_batch{end} (1 of its 40 images are in data_batch_3{end} too and 39 of its 40 images are in data_batch_5{end} too)" in text
    assert f"data_batch_2{end} (40 of its 40 images are in data_batch_1{end} too)" in text


@pytest.mark.parametrize(
    ("batch", "complaint"),
    [
        ({"labels": [0] * 40}, "no data"),
        ({"data": np.zeros((40, 3072), np.uint8)}, "no labels"),
        ({"data": np.zeros((40, 3072), np.uint8), "labels": [0] * 39}, "40 images and 39 labels"),
        ({"data": np.zeros((40, 3072), np.float32), "labels": [0] * 40}, "arrays are damaged"),
        ({"data": np.ones((40, 3072), np.uint8), "labels": ["cat"] * 40}, "not a list of whole numbers"),
        ({"data": np.ones((40, 3072), np.uint8), "labels": [3] * 39 + [-1]}, "label -1 of image 39"),
        ({"data": [[1] * 3072] * 40, "labels": [0] * 40}, "arrays are damaged"),
        ([1, 2], "not a dictionary"),
    ],
)
def test_pickles_of_another_content_are_refused(tmp_path, batch, complaint):
    folder = data_fake.write_python(tmp_path / "py", data_fake.batches())
    content = pickle.dumps(batch, 2)
    (folder / "data_batch_2").write_bytes(content + bytes(200_000))  # long enough; what follows the pickle is not read
    text = message(folder)
    assert "damaged: data_batch_2 (" in text and complaint in text


def test_where_nothing_is_the_error_says_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    assert "holds no CIFAR-10" in message(tmp_path / "empty", check)
    assert "does not exist" in message(tmp_path / "nowhere", check)
    (tmp_path / "file").write_text("")
    assert "is a file, not a folder" in message(tmp_path / "file", check)
    packed = tmp_path / "packed"
    packed.mkdir()
    (packed / "cifar-10-python.tar.gz").write_bytes(b"")
    assert "tar -xzf cifar-10-python.tar.gz" in message(packed, check)
    text = message(None, check)
    for hint in ("--data-dir", "RESNET_LAB_DATA", "Download", str(tmp_path / "cache" / "resnet-lab"), "sample"):
        assert hint in text


def test_the_argument_goes_before_the_environment_and_that_before_the_downloads(tmp_path, monkeypatch):
    cache = tmp_path / "cache" / "resnet-lab"
    assert resolve_data_dir() is None
    data_fake.write_python(cache / "cifar-10-batches-py", data_fake.batches())
    assert resolve_data_dir() == cache / "cifar-10-batches-py"
    monkeypatch.setenv("RESNET_LAB_DATA", str(tmp_path / "named"))
    assert resolve_data_dir() == tmp_path / "named"
    assert "named does not exist" in message(None)
    assert resolve_data_dir("~/other") == Path.home() / "other"
    monkeypatch.setenv("RESNET_LAB_DATA", "")
    assert resolve_data_dir("") == cache / "cifar-10-batches-py"
    (cache / "cifar-10-batches-py" / "test_batch").unlink()
    assert resolve_data_dir() is None


def test_checking_imports_neither_torch_nor_numpy(tmp_path, root):
    code = (
        "import sys; from resnet_core.config import DataConfig; from resnet_core.data import check, resolve_data_dir, download\n"
        "check(DataConfig()); resolve_data_dir()\n"
        "print(sorted({'torch', 'torchvision', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(REAL is None, reason="RESNET_LAB_DATA names no full CIFAR-10")
def test_the_real_set_holds_the_images_of_the_embedded_sample_where_its_manifest_says(monkeypatch):
    """Ties the checksums to the sample, which was drawn before they were written down."""
    monkeypatch.setitem(DATA_SETS, "cifar10", OFFICIAL)
    monkeypatch.setattr(readers, "_expected_md5", lambda folder: {})  # the official sums, whatever lies beside the files
    whole, few = load(FULL, REAL), load(DataConfig("sample"))
    manifest = json.loads((sample.FOLDER / sample.MANIFEST).read_text())
    for split in ("train", "test"):
        there, here = getattr(whole, split), getattr(few, split)
        found = manifest[split]["indices"]
        assert len(set(found)) == len(here)
        assert torch.equal(there.images[found], here.images) and torch.equal(there.labels[found], here.labels)


@pytest.mark.skipif(REAL is None, reason="RESNET_LAB_DATA names no full CIFAR-10")
def test_the_real_set_has_the_published_channel_means(monkeypatch):
    monkeypatch.setitem(DATA_SETS, "cifar10", OFFICIAL)
    data = load(FULL, REAL)
    means = data.train.images.double().mean((0, 2, 3)) / 255
    assert torch.allclose(means, torch.tensor([0.49139968, 0.48215841, 0.44653091], dtype=torch.double), atol=1e-7)
    assert torch.bincount(data.train.labels).tolist() == [5000] * 10 and torch.bincount(data.test.labels).tolist() == [1000] * 10
