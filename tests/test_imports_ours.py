"""What *Everything (zip)* gives is taken by the import, as its weights alone are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from resnet_core.architectures import parse, to_dict
from resnet_core.architectures.net import build_model
from resnet_core.imports import ImportRefused, inspect_file
from resnet_core.nets import export, find
from resnet_core.nets import folder as folders
from resnet_core.nets.catalog import imported_folder
from tests.nets_tools import write_checkpoint


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    write_checkpoint(imported_folder(), "ours")
    return export.archive(find("ours"))


def test_everything_as_a_zip_is_imported_as_its_weights_are(archive, tmp_path):
    (tmp_path / "ours.zip").write_bytes(archive)
    packed = inspect_file(tmp_path / "ours.zip")
    bare = inspect_file(imported_folder() / "ours" / folders.WEIGHTS)
    for name in ("layout", "model", "shortcuts", "normalizations", "notes"):
        assert getattr(packed, name) == getattr(bare, name)
    assert packed.tensors.keys() == bare.tensors.keys()
    assert all(np.array_equal(packed.tensors[key], bare.tensors[key]) for key in bare.tensors)


@pytest.mark.parametrize("part", [0.3, 0.5, 0.7])
def test_a_flipped_bit_in_it_is_found(archive, tmp_path, part):
    damaged = bytearray(archive)
    damaged[round(len(damaged) * part)] ^= 16
    (tmp_path / "ours.zip").write_bytes(damaged)
    with pytest.raises(ImportRefused, match="damaged"):
        inspect_file(tmp_path / "ours.zip")


@pytest.mark.parametrize(
    "name",
    ["ResNet-8-preact-w4", "plain-8-preact-w4", "ResNet-8-B-nobn-w4", "ResNet-8-rezero-w4", "ResNet-20-C-bottleneck-preact-w4"],
)
@pytest.mark.parametrize("told", [True, False])
def test_nets_with_options_are_known_by_what_the_file_says_or_by_their_tensors(name, told, tmp_path):
    config = parse(name)
    tensors = {key: value.contiguous() for key, value in build_model(config, 3).state_dict().items()}
    metadata = {"format": folders.FORMAT, "model": json.dumps(to_dict(config)), "normalization": "pixel-mean"} if told else None
    save_file(tensors, tmp_path / "net.safetensors", metadata)
    found = inspect_file(tmp_path / "net.safetensors")
    assert found.layout == "resnet-lab"
    named = {found.net(shortcut) for shortcut in found.shortcuts}
    assert named == {config} if told else config in named
    assert found.tensors.keys() == tensors.keys()


def test_what_the_tensors_cannot_tell_is_said(tmp_path):
    """Without BN nothing in a file tells whether ReLU stands before a convolution or behind it."""
    save_file(build_model(parse("ResNet-8-B-nobn-preact-w4")).state_dict(), tmp_path / "net.safetensors")
    found = inspect_file(tmp_path / "net.safetensors")
    assert found.model == parse("ResNet-8-B-nobn-w4")
    assert any("fit ResNet-8-B-nobn-preact-w4 too; it was taken for ResNet-8-B-nobn-w4" in note for note in found.notes)
