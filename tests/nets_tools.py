"""What the tests of checkpoints share: small nets written as shipped or imported checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from resnet_core.config import ModelConfig
from resnet_core.models import build_model
from resnet_core.nets import NORMALIZATIONS, folder

TINY = ModelConfig(8, "A", 4)


def write_checkpoint(root: Path, name: str, model: Any = TINY, seed: int = 0, normalization: str = "pixel-mean", **card: Any) -> Path:
    """A checkpoint's folder with the weights of a freshly initialised net."""
    mean, std = NORMALIZATIONS[normalization].arrays()
    values = {"name": model.name, "model": folder.model_to_dict(model), "normalization": normalization, **card}
    tensors = build_model(model, seed).state_dict()
    return folder.write_folder(root / name, tensors, torch.from_numpy(mean), None if std is None else torch.from_numpy(std), values)
