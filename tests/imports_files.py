"""Files that are no checkpoints, made here: each with a phrase of the message that refuses it."""

from __future__ import annotations

import argparse
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from tests.imports_nets import Chenyaofo

CASES: dict[str, tuple[object, str]] = {}
#: What a pickle in this corpus would make, were it run.
MARKER = "it-was-run"


def case(phrase: str):
    """Registers a function that writes one file; it is given the path."""

    def register(make):
        CASES[make.__name__.strip("_")] = (make, phrase)
        return make

    return register


def state() -> dict[str, torch.Tensor]:
    """Of a net that would be imported."""
    torch.manual_seed(0)
    return Chenyaofo(8, width=4).state_dict()


def contents(phrase: str, name: str, content: bytes):
    CASES[name] = (lambda path: path.write_bytes(content), phrase)


def legacy(value, path):
    torch.save(value, path, _use_new_zipfile_serialization=False)


# -- other kinds of files -------------------------------------------------------------------------------------------------

contents("The file is empty", "empty", b"")
contents("too few for any net", "three_bytes", b"\x00\x01\x02")
contents("first bytes (9c 5e", "random", b"\x9c\x5e" + np.random.default_rng(0).bytes(4094))
contents("an HDF5 file (Keras)", "hdf5", b"\x89HDF\r\n\x1a\n" + bytes(600))
contents("a PNG image", "png", b"\x89PNG\r\n\x1a\n" + bytes(600))
contents("a JPEG image", "jpeg", b"\xff\xd8\xff\xe0" + bytes(600))
contents("an ONNX graph", "onnx", b"\x08\x07\x12\x07pytorch\x1a\x052.1.0:" + bytes(600))
contents("JSON text", "json", b'{"state_dict": {"conv1.weight": [1, 2, 3]}}')
contents("plain text", "text", "Gewichte für ein Netz, später\n".encode() * 40)
contents("a web page", "html", b"<!DOCTYPE html><html><title>resnet20.th at master</title></html>")
contents("a Git LFS pointer", "lfs_pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
contents("gzip-compressed", "gzip", b"\x1f\x8b\x08" + bytes(600))
contents("a numpy array (.npy)", "npy", b"\x93NUMPY\x01\x00" + bytes(600))
contents("a plain pickle, not written by torch.save; it was not run", "plain_pickle", pickle.dumps({"conv1.weight": [1.0]}))


@case("a tar archive")
def tar(path: Path):
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("storages"), io.BytesIO())


# -- archives of torch.save ------------------------------------------------------------------------------------------------


@case("begins as a zip archive, but is truncated")
def truncated_zip(path: Path):
    torch.save(state(), path)
    path.write_bytes(path.read_bytes()[:-2000])


@case("there is no data.pkl, but 'readme.txt'")
def zip_without_pickle(path: Path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no weights here")


@case("a numpy archive (.npz)")
def npz(path: Path):
    with open(path, "wb") as file:
        np.savez(file, weight=np.zeros(3))


@case("an empty zip archive")
def empty_zip(path: Path):
    with zipfile.ZipFile(path, "w"):
        pass


@case("a zip bomb")
def zip_bomb(path: Path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("archive/data.pkl", "w") as file:
        for _ in range(64):
            file.write(bytes(1 << 20))


@case("is compressed, which torch.save never does")
def compressed_zip(path: Path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", os.urandom(200), zipfile.ZIP_DEFLATED)


@case("two entries called 'archive/data/0'")
def zip_with_doubles(path: Path):
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("archive/data.pkl", "archive/data/0"):
            archive.writestr(name, b"\x80\x02}.")
        archive.infolist()[0].filename = "archive/data/0"  # spares the warning of a second writestr of one name
        archive.writestr("archive/data.pkl", b"\x80\x02}.")


@case("2 pickles where torch.save writes one")
def zip_with_two_pickles(path: Path):
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a/data.pkl", "b/data.pkl"):
            archive.writestr(name, b"\x80\x02}.")


@case("Its pickle is truncated or damaged")
def damaged_pickle(path: Path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00(X\x05\x00")


@case("It is truncated or damaged: torch.load says")
def zip_without_storages(path: Path):
    whole = io.BytesIO()
    torch.save(state(), whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as archive:
        for name in old.namelist():
            if "/data/" not in name:
                archive.writestr(name, old.read(name))


@case("a TorchScript archive")
def torchscript(path: Path):
    torch.jit.save(torch.jit.trace(Chenyaofo(8, width=4).eval(), torch.zeros(1, 3, 32, 32)), path)
    assert sum(entry.file_size for entry in zipfile.ZipFile(path).infolist()) > path.stat().st_size  # its code is compressed


@case("written by torch.export")
def exported(path: Path):
    program = torch.export.export(nn.Linear(3, 2), (torch.zeros(1, 3),))
    with open(path, "wb") as file:
        torch.export.save(program, file)


@case("written by torch.export")
def exported_by_torch_2_1(path: Path):
    archive_of(path, "serialized_exported_program.json", "serialized_state_dict.pt", "version")


@case("written by torch.package")
def packaged(path: Path):
    archive_of(path, "net/.data/extern_modules", "net/model/model.pkl", "net/.data/version")


@case("a TorchServe archive")
def torchserve(path: Path):
    archive_of(path, "MAR-INF/MANIFEST.json", "model.pt")


@case("a Keras archive")
def keras(path: Path):
    archive_of(path, "metadata.json", "config.json", "model.weights.h5")


def archive_of(path: Path, *names: str):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, bytes(1000))


@case("Entry 'file/data/3' of its zip archive is not the one that was saved (CRC-32)")
def bit_flipped(path: Path):
    """One bit of one weight: every value is finite, every shape right."""
    torch.save(state(), path)
    with zipfile.ZipFile(path) as archive:
        archive.open(entry := archive.getinfo("file/data/3")).close()
        with open(path, "rb") as file:
            file.seek(entry.header_offset + 26)
            lengths = struct.unpack("<2H", file.read(4))
            at = entry.header_offset + 30 + sum(lengths)
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@case("a whole pickled model (with 'tests.imports_nets.Chenyaofo'")
def whole_model(path: Path):
    torch.save(Chenyaofo(8, width=4), path)


@case("needs 'argparse.Namespace', which is not torch's")
def with_arguments(path: Path):
    torch.save({"state_dict": state(), "args": argparse.Namespace(lr=0.1)}, path)


class Command:
    """Unpickled freely, this runs a command."""

    def __init__(self, function=os.system, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@case(f"asks for '{os.system.__module__}.system', which no weights need; it was not run")
def command(path: Path):
    torch.save({**state(), "conv1.weight": Command(os.system, f"touch {path.parent / MARKER}")}, path)


@case(f"asks for '{os.system.__module__}.system'")
def command_in_legacy_form(path: Path):
    legacy({"state_dict": Command(os.system, f"touch {path.parent / MARKER}")}, path)


@case(f"asks for '{os.system.__module__}.system'")
def command_of_protocol_4(path: Path):
    torch.save({"state_dict": Command(os.system, f"touch {path.parent / MARKER}")}, path, pickle_protocol=4)


@case("builtin__.eval', which no weights need")
def evaluated(path: Path):
    torch.save({"state_dict": Command(eval, f"open({str(path.parent / MARKER)!r}, 'w')")}, path)


@case("torch.load(weights_only=True) refuses it: Unsupported global: GLOBAL torch.hub.load")
def function_of_torch(path: Path):
    torch.save({"state_dict": Command(torch.hub.load, str(path.parent), MARKER)}, path)


@case("Its pickle is truncated")
def truncated_legacy(path: Path):
    legacy(state(), path)
    path.write_bytes(path.read_bytes()[:300])


@case("It is truncated or damaged: torch.load says")
def legacy_without_storages(path: Path):
    legacy(state(), path)
    path.write_bytes(path.read_bytes()[:-4000])


# -- what is in them --------------------------------------------------------------------------------------------------------


def saved(phrase: str, name: str, make):
    CASES[name] = (lambda path: torch.save(make(), path), phrase)


def changed(**entries):
    """A net's state_dict with other entries; ``__`` stands for a dot."""
    return {**state(), **{key.replace("__", "."): value for key, value in entries.items()}}


def expanded() -> torch.Tensor:
    return torch.zeros(1).expand(200_000_000)


def sparse_rows() -> torch.Tensor:
    return torch.sparse_csr_tensor([0, 1, 2, 3, 4], [0, 0, 0, 0], [1.0] * 4, (4, 3))


saved("It holds a list, not a dictionary of tensors", "list", lambda: [list(state().values())])
saved("It holds a single tensor", "tensor", lambda: torch.zeros(3))
saved("It holds an empty dictionary.", "empty_dictionary", dict)
saved("It holds an empty dictionary under 'model'", "empty_wrapper", lambda: {"model": {}})
# Made now: the first optimizer of a process imports a compiler, which leaves a folder among the temporary ones.
OPTIMIZER = torch.optim.SGD(Chenyaofo(8, width=4).parameters(), 0.1).state_dict()
saved("It holds the state of an optimizer", "optimizer", lambda: OPTIMIZER)
saved("an optimizer under 'model', and no net", "wrapped_optimizer", lambda: {"model": {"optimizer": {}, "epoch": 1}})
saved("Its entry 'generator' is a dictionary", "dictionary_of_dictionaries", lambda: {"generator": state(), "critic": state()})
saved("Its entry 'epoch' is of type int", "number", lambda: {"epoch": 3, **state()})
saved("Its entry 'conv1.weight' is of type list", "nested_list", lambda: changed(conv1__weight=[[1.0, 2.0]]))
saved("A key of its dictionary is '0', of type int", "numbered", lambda: dict(enumerate(state().values())))
saved("Tensor 'conv1.weight' is sparse or nested (torch.sparse_coo)", "sparse", lambda: changed(conv1__weight=torch.eye(4).to_sparse()))
saved("is sparse or nested (torch.sparse_csr)", "sparse_rows", lambda: changed(bn1__weight=sparse_rows()))
saved(
    "Tensor 'fc.weight' is quantised (torch.qint8)",
    "quantised",
    lambda: changed(fc__weight=torch.quantize_per_tensor(torch.ones(10, 16), 0.1, 0, torch.qint8)),
)
saved("Tensor 'bn1.bias' is complex", "complex", lambda: changed(bn1__bias=torch.zeros(4, dtype=torch.complex64)))
saved("is on the device 'meta'", "meta", lambda: changed(conv1__weight=torch.zeros(4, 3, 3, 3, device="meta")))
saved(
    "Tensor 'conv1.weight' is of type torch.int64",
    "whole_numbers",
    lambda: changed(conv1__weight=torch.ones(4, 3, 3, 3, dtype=torch.int64)),
)
saved("is of type torch.float8_e4m3fn", "float8", lambda: changed(conv1__weight=torch.ones(4, 3, 3, 3).to(torch.float8_e4m3fn)))
saved("Tensor 'bn1.running_mean' has 4 values that are not finite", "nan", lambda: changed(bn1__running_mean=torch.full((4,), torch.nan)))
saved(
    "Tensor 'fc.bias' has 10 values that are not finite",
    "too_large_for_float32",
    lambda: changed(fc__bias=torch.full((10,), 1e300, dtype=torch.float64)),
)
saved("oversized: 200,000,000 values together", "oversized", lambda: changed(conv1__weight=expanded()))
saved("bn1.weight has () where (4,) is due", "zero_dimensions", lambda: changed(bn1__weight=torch.tensor(1.0)))
saved("of a 3D convolution", "volumes", lambda: changed(conv1__weight=torch.zeros(4, 3, 3, 3, 3)))
saved("layer1.0.conv2.weight has (4, 4, 5, 5)", "wrong_shape", lambda: changed(layer1__0__conv2__weight=torch.zeros(4, 4, 5, 5)))
saved(
    "'layer4.0.conv1.weight'",
    "no_resnet",
    lambda: nn.ModuleDict({"layer4": nn.ModuleList([nn.ModuleDict({"conv1": nn.Conv2d(3, 4, 3)})])}).state_dict(),
)
saved("'layer1.0.conv2.weight' is missing", "missing_conv", lambda: {k: v for k, v in state().items() if k != "layer1.0.conv2.weight"})
saved("has 1,200 classes", "many_classes", lambda: changed(fc__weight=torch.zeros(1200, 16), fc__bias=torch.zeros(1200)))


# -- safetensors ------------------------------------------------------------------------------------------------------------


def safe(path: Path, header: dict | bytes, data: bytes = b"", length: int | None = None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)


def entry(dtype="F32", shape=(2,), offsets=(0, 8), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


def headed(phrase: str, name: str, header: dict | bytes, data: bytes = bytes(8), length: int | None = None):
    CASES[f"safetensors_{name}"] = (lambda path: safe(path, header, data, length), phrase)


headed("is said to have 1,000,000,000,000 bytes", "with_a_header_past_its_end", {"a": entry()}, length=10**12)
headed("at most 8,388,608 are read", "with_a_huge_header", b"{" + b" " * (9 << 20) + b"}")
headed("header is not valid JSON", "with_bad_json", b'{"a": {"dtype": "F32", ')
headed("header is not valid JSON (maximum recursion", "with_deep_json", b'{"a":' * 200_000 + b"1" + b"}" * 200_000)
headed("header is not valid JSON ('utf-8' codec", "with_bad_text", b'{"\xff": 1}')
headed("header names 'a' twice", "with_doubles", b'{"a": {"dtype": "F32"}, "a": {"dtype": "F32"}}')
headed("without tensors", "without_tensors", {"__metadata__": {"format": "pt"}}, b"")
headed("__metadata__", "with_bad_metadata", {"__metadata__": {"format": 1}, "a": entry()})
headed("'a' does not consist of dtype, shape and data_offsets", "with_a_field_missing", {"a": {"dtype": "F32", "shape": [2]}})
headed("is of type 'F128', which is not known", "of_unknown_type", {"a": entry("F128")})
headed("which is none", "with_a_negative_shape", {"a": entry(shape=(-2,))})
headed("not a beginning and an end", "with_one_offset", {"a": entry(offsets=(8,))})
headed("has 8 bytes in the file, but its shape and type need 12", "of_another_size", {"a": entry(shape=(3,))})
headed("'a' is oversized", "oversized", {"a": entry(shape=(10**6, 10**6))})
headed("'b' ends 8 bytes after the end of the file", "truncated", {"a": entry(), "b": entry(offsets=(8, 16))})
headed("overlap in the file", "overlapping", {"a": entry(), "b": entry(offsets=(4, 12))}, bytes(12))
headed("a gap of 8 bytes", "with_a_gap", {"a": entry(), "b": entry(offsets=(16, 24))}, bytes(24))
headed("4 bytes at the end of the file belong to no tensor", "with_a_tail", {"a": entry()}, bytes(12))
headed("Tensor 'a' is complex", "of_complex_numbers", {"a": entry("C64", (1,))})
headed("Tensor 'a' is of type I32", "of_whole_numbers", {"a": entry("I32")})
headed("Tensor 'a' has 1 values that are not finite", "with_infinity", {"a": entry()}, struct.pack("<2f", 1.0, float("inf")))
headed("no conv1.weight, but 'a'", "of_something_else", {"a": entry()})

OURS = {"format": "resnet-lab", "normalization": "pixel-mean"}


def ours(phrase: str, name: str, metadata: dict[str, str], **entries: torch.Tensor):
    def make(path: Path):
        renamed = {key.replace("downsample.0", "shortcut.conv").replace("downsample.1", "shortcut.bn"): v for key, v in state().items()}
        save_file({**renamed, **{key.replace("__", "."): value for key, value in entries.items()}}, path, OURS | metadata)

    CASES[f"ours_{name}"] = (make, phrase)


def model(**fields) -> str:
    return json.dumps({"family": "cifar", "depth": 8, "shortcut": "B", "width": 4, "block": "basic", "num_classes": 10} | fields)


ours("do not describe a net", "without_a_model", {"model": "{"})
ours("do not describe a net (The net's configuration is not valid: depth: 9", "of_depth_9", {"model": model(depth=9)})
ours("metadata say that it is ResNet-14-B-w4, but its tensors are those of ResNet-8-B-w4", "of_another_depth", {"model": model(depth=14)})
ours("metadata say that it is plain-8-w4, but", "of_another_shortcut", {"model": model(shortcut="none")})
ours("normalization.mean has the shape (3,)", "with_a_bad_mean", {"model": model()}, normalization__mean=torch.zeros(3))
ours(
    "is not of three numbers above 0",
    "with_a_bad_std",
    {"model": model()},
    normalization__mean=torch.zeros(3, 1, 1),
    normalization__std=torch.zeros(3, 1, 1),
)
ours("no normalization.mean", "without_a_mean", {"model": model()}, normalization__std=torch.ones(3, 1, 1))
