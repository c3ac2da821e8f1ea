"""A net as an ONNX file: the normalisation of its input is in it, and onnxruntime has found the same logits before it is kept."""

from __future__ import annotations

import json
import tempfile
import threading
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from resnet_core import data
from resnet_core.config import DataConfig
from resnet_core.errors import CheckpointError
from resnet_core.exports import paper
from resnet_core.language import mark
from resnet_core.nets.catalog import Net
from resnet_core.nets.loading import LoadedNet, load, resized

#: Logits of the file may differ from ours by so much, or by this part of the largest where that is above 1.
TOLERANCE = 1e-4
IMAGES = 8
_OPSET = 18
#: torch's exporter keeps what it does in variables of its module.
_ONE_AT_A_TIME = threading.Lock()


class WithNormalization(nn.Module):
    """A net with what comes before it: float32 RGB images (N, 3, side, side) from 0 to 1 -> logits (N, classes)."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, loaded: LoadedNet):
        super().__init__()
        self.net = loaded.model.to(memory_format=torch.contiguous_format)
        self.register_buffer("mean", loaded.mean)
        self.register_buffer("std", torch.ones(()) if loaded.std is None else loaded.std)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.net((images - self.mean) / self.std)
        return logits


def content(net: Net) -> bytes:
    """The file, with a batch of any size.

    Raises:
        CheckpointError: the weights cannot be read, the net cannot be written, or the file gives other logits.
    """
    import onnx
    import onnxruntime

    images = resized(data.load(DataConfig()).test.images[:IMAGES], net.side)
    expected = load(net, "cpu").logits(images).numpy()
    pixels = images.float() / 255
    written = onnx.load_from_string(_written(load(net, "cpu"), pixels))
    for key, value in _told(net).items():
        written.metadata_props.add(key=key, value=value)
    made = written.SerializeToString()
    try:
        session = onnxruntime.InferenceSession(made, providers=["CPUExecutionProvider"])
        found = session.run(None, {"images": pixels.numpy()})[0]
        alone = session.run(None, {"images": pixels[:1].numpy()})[0]
    except Exception as error:  # of many kinds, none of them ours
        raise CheckpointError("onnxruntime cannot compute {name} ({error}); the file was not kept.", name=net.name, error=error) from error
    compare(net.name, expected, found)
    compare(net.name, expected[:1], alone)
    return made


def compare(name: str, expected: np.ndarray, found: np.ndarray) -> None:
    """Raise CheckpointError where the logits of the file, (N, classes), are not those of the net."""
    most = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    if found.shape != expected.shape or not (apart := float(np.abs(found - expected).max())) <= most:
        apart = float("inf") if found.shape != expected.shape else apart
        text = mark("The ONNX file of {name} gives other logits than the net: {apart:.2g} apart on {count} images. It was not kept.")
        raise CheckpointError(text, name=name, apart=apart, count=len(expected))


def _written(loaded: LoadedNet, images: torch.Tensor) -> bytes:
    # The exporter through TorchScript: the newer one needs a package more (onnxscript), and these nets have nothing that it cannot write.
    with tempfile.TemporaryDirectory(prefix="resnet-lab-") as place, _ONE_AT_A_TIME, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        path = Path(place) / "net.onnx"
        axes = {"images": {0: "N"}, "logits": {0: "N"}}
        try:
            torch.onnx.export(
                WithNormalization(loaded).eval(), (images,), path, input_names=["images"], output_names=["logits"],
                dynamic_axes=axes, opset_version=_OPSET, dynamo=False,
            )  # fmt: skip
        except Exception as error:
            raise CheckpointError("{name} cannot be written as ONNX ({error}).", name=loaded.net.name, error=error) from error
        return path.read_bytes()


def _told(net: Net) -> dict[str, str]:
    """What the file says of itself."""
    names = net.class_names
    told = {
        "name": net.name,
        "net": net.model.name,
        "source": paper(net.model),
        "input": f"float32 (N, 3, {net.side}, {net.side}), RGB, 0 to 1; the normalisation is in the file",
        "output": "logits",
        "written_by": "ResNet Lab",
    }
    return told | ({"classes": json.dumps(list(names), ensure_ascii=False)} if names else {})
