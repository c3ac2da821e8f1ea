"""Python batches: every way they are written is read, and none is trusted."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from resnet_core.config import DataConfig
from resnet_core.data import load
from resnet_core.data.pickles import read_batch
from resnet_core.errors import DataError
from tests import data_fake
from tests.data_fake import small_files  # noqa: F401  a fixture

PIXELS = np.random.default_rng(1).integers(0, 256, (6, 3072), dtype=np.uint8)
LABELS = [3, 1, 4, 1, 5, 9]


@pytest.mark.parametrize(
    "dump", [data_fake.python2, *(lambda b, p=p: pickle.dumps(b, p) for p in range(6))], ids=["2", *(f"3-p{p}" for p in range(6))]
)
@pytest.mark.parametrize("keys", [str, str.encode], ids=["text", "bytes"])
@pytest.mark.parametrize(
    "labels",
    [LABELS, np.array(LABELS), np.array(LABELS, dtype=">i4"), [np.int64(label) for label in LABELS]],
    ids=["list", "array", "big-endian", "scalars"],
)
def test_python_2_and_3_and_all_protocols(dump, keys, labels):
    pixels, read = read_batch(dump({keys("data"): PIXELS, keys("labels"): labels, keys("filenames"): [b"a.png", b"\xff.png"]}))
    assert pixels.dtype == np.uint8 and np.array_equal(pixels, PIXELS)
    assert read.dtype == np.int64 and read.tolist() == LABELS


def test_arrays_in_fortran_order_are_put_right():
    pixels, _ = read_batch(pickle.dumps({"data": np.asfortranarray(PIXELS), "labels": LABELS}, 2))
    assert np.array_equal(pixels, PIXELS)


class Malicious:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("place", "protocol"), [(place, protocol) for place in ("data", "labels", "extra", "whole") for protocol in (0, 2, 4)]
)
def test_a_malicious_pickle_is_refused_and_not_run(tmp_path, place, protocol):
    trace = tmp_path / "owned"
    payload = Malicious(os.mkdir, str(trace))
    batch = payload if place == "whole" else {"data": PIXELS, "labels": LABELS} | {place: payload}
    content = pickle.dumps(batch, protocol)
    with pytest.raises(ValueError, match=r"asks for (posix|nt)\.mkdir.* not run"):
        read_batch(content)
    assert not trace.exists()
    pickle.loads(content)
    assert trace.is_dir()  # the very same bytes do harm elsewhere


@pytest.mark.parametrize(
    "content",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"c__builtin__\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cnumpy.core.multiarray\nfromfile\n(S'x'\ntR.",
        b"\x80\x04\x8c\x05numpy\x8c\x0cndarray.dump\x93.",  # a dotted name
        b"c_codecs\ndecode\n(S'x'\ntR.",
        b"cnumpy\ndtype\n}S'_name'\nS'x'\nsb.",  # sets a state on what stands for numpy.dtype
        b"cnumpy\ndtype\n(N}S'_name'\nS'x'\nstb.",
        b"c_codecs\nencode\n(V\xe9\nS'idna'\ntR.",
        b"\x80\x02cnumpy\nndarray\n)\x81.",  # makes an instance without a call
        b"",
        b"not a pickle",
    ],
)
def test_other_names_states_and_rubbish_are_refused(content):
    with pytest.raises(ValueError, match="not a readable pickle"):
        read_batch(content)


def test_bytes_that_do_not_fit_the_shape_are_refused():
    content = pickle.dumps({"data": PIXELS, "labels": LABELS}, 2).replace(b"K\x06M\x00\x0c\x86", b"K\x07M\x00\x0c\x86")
    with pytest.raises(ValueError, match="damaged"):
        read_batch(content)


def test_arrays_of_objects_are_refused():
    with pytest.raises(ValueError, match="damaged"):
        read_batch(pickle.dumps({"data": PIXELS.astype(object), "labels": LABELS}, 2))


@pytest.mark.usefixtures("small_files")
def test_the_error_names_the_malicious_file(tmp_path):
    folder = data_fake.write_python(tmp_path / "py", data_fake.batches())
    batch = {"data": np.zeros((40, 3072), np.uint8), "labels": Malicious(os.mkdir, str(tmp_path / "owned"))}
    (folder / "data_batch_4").write_bytes(pickle.dumps(batch))
    with pytest.raises(DataError, match=r"data_batch_4 \(not a readable pickle: it asks for posix\.mkdir"):
        load(DataConfig("cifar10"), folder)
    assert not (tmp_path / "owned").exists()
