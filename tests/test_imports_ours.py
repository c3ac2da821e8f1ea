"""What *Everything (zip)* gives is taken by the import, as its weights alone are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

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
