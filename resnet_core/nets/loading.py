"""A net's weights as a model that one caller may do with as it likes: every call makes a new one, so no viewer disturbs another."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file

from resnet_core.architectures.net import Net as BuiltNet
from resnet_core.architectures.net import build_model
from resnet_core.config import Recipe, RunConfig, too_small
from resnet_core.data import normalize
from resnet_core.errors import CheckpointError
from resnet_core.nets import folder as folders
from resnet_core.nets.catalog import Net
from resnet_core.runs.run import checkpoint_iteration
from resnet_core.training import probe, saved
from resnet_core.training.plan import Plan

#: A run's checkpoint may be replaced by the next one while it is read.
_ATTEMPTS = 3


@dataclass(frozen=True, eq=False)
class LoadedNet:
    """A net ready to compute with, in evaluation mode. The model is the caller's own copy.

    Attributes:
        net: what it was loaded from, with the version and, of a run, the iteration of these very weights.
        model: on the plan's device, channels last.
        mean: float32, (3, 32, 32) or (3, 1, 1), on the device, in units of pixel / 255.
        std: float32 (3, 1, 1) on the device, or None: nothing is divided.
        plan: device and precision of ``logits``.

    Images of another size than the net's own are enlarged to it; see ``resized``.
    """

    net: Net
    model: BuiltNet
    mean: torch.Tensor
    std: torch.Tensor | None
    plan: Plan

    @property
    def device(self) -> torch.device:
        return self.mean.device

    @property
    def side(self) -> int:
        """Height and width of the images that the net takes."""
        return self.model.side

    def normalize(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 (N, 3, H, W), anywhere -> float32 (N, 3, side, side) on the device, channels last: the net's input."""
        return normalize(resized(images.to(self.device), self.side), self.mean, self.std)

    @torch.no_grad()
    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 (N, 3, H, W) -> float32 (N, classes), in evaluation mode, in the plan's precision."""
        with self.plan.autocast():
            return self.model(self.normalize(images)).float()


def resized(images: torch.Tensor, side: int) -> torch.Tensor:
    """uint8 (N, 3, H, W) -> uint8 (N, 3, side, side): bilinear with antialiasing, as torchvision resizes; the same where they have it."""
    if images.shape[2:] == (side, side):
        return images
    x = torch.nn.functional.interpolate(images.float(), (side, side), mode="bilinear", antialias=True)
    return x.round_().clamp_(0, 255).to(torch.uint8)


def load(net: Net, device: str = "auto", precision: str = "fp32") -> LoadedNet:
    """Load the net with its weights, as a copy of its own.

    Args:
        device: as in ``Recipe``.
        precision: as in ``Recipe``. fp32 unless asked otherwise: what is measured then belongs to the checkpoint, and not to what this
            machine is fastest in.

    Raises:
        CheckpointError: the weights cannot be read, or are not those of the net.
        ConfigError: the device is not on this machine.
    """
    plan = probe.decide(RunConfig(recipe=Recipe(device=device, precision=precision, compile="off")), trains=False)
    weights = read_weights(net)
    target = torch.device(plan.device)
    model = build_model(net.model)
    try:
        model.load_state_dict(weights.tensors)
    except RuntimeError as error:
        raise CheckpointError(
            "{name}: the weights are not those of {name2}: {error}", name=net.name, name2=net.model.name, error=error
        ) from error
    model = model.to(target).to(memory_format=torch.channels_last).eval()
    # A mean image has the size of the images that were trained on.
    model.side = weights.mean.shape[-1] if weights.mean.shape[-1] > 1 else net.side
    if not model.plan.takes((3, model.side, model.side)):
        raise CheckpointError("{name}: {too_small}", name=net.name, too_small=too_small(net.model, model.side))
    std = None if weights.std is None else weights.std.to(target)
    return LoadedNet(weights.net, model, weights.mean.to(target), std, plan)


@dataclass(frozen=True, eq=False)
class Weights:
    """What the weights file of a net holds, on the CPU.

    Attributes:
        net: whose they are, with their version and, of a run, their iteration: it may have got further since the net was looked up.
        tensors: the ``state_dict``.
        mean, std: of the input, as in ``LoadedNet``.
    """

    net: Net
    tensors: dict[str, torch.Tensor]
    mean: torch.Tensor
    std: torch.Tensor | None = None


def read_weights(net: Net) -> Weights:
    """The weights of the net; of a run, those of its newest checkpoint.

    Raises:
        CheckpointError: they cannot be read, or are not those any more that ``net`` was read with.
    """
    for attempt in range(_ATTEMPTS):
        path = net.weights
        try:
            version = net.version_of(path)
            if net.read not in ("", version):
                raise CheckpointError(
                    "{name} has been trained on since the page was drawn; draw it again for its newer weights.", name=net.name
                )
            if net.origin == "run" and not _is_whole(path.parent, net):
                continue
            tensors = load_file(path)
            if net.origin == "run":
                found = dataclasses.replace(net, read=version, iteration=checkpoint_iteration(path.parent))
                return Weights(found, tensors, _training_mean(path))
            if folders.MEAN not in tensors:
                raise CheckpointError("{path} does not say how its input is normalised ({mean} is missing).", path=path, mean=folders.MEAN)
            return Weights(dataclasses.replace(net, read=version), tensors, tensors.pop(folders.MEAN), tensors.pop(folders.STD, None))
        except (OSError, safetensors.SafetensorError) as error:
            if attempt + 1 == _ATTEMPTS or path == net.weights:
                raise CheckpointError(
                    "The weights of {name} cannot be read from {path} ({error}).", name=net.name, path=path, error=error
                ) from error
    raise CheckpointError("{name} saved new weights each time they were read; try again.", name=net.name)


def _is_whole(path: Path, net: Net) -> bool:
    """Whether a run's checkpoint is as it was saved; False where it is gone because there is a newer one. Raises CheckpointError."""
    try:
        saved.verify(path)
    except CheckpointError:
        if path == net.weights.parent:
            raise
        return False
    return True


def _training_mean(path: Path) -> torch.Tensor:
    """Read the mean image that the training of a run's checkpoint subtracted."""
    with safetensors.safe_open(path.with_name("training.safetensors"), "pt") as file:
        return file.get_tensor("mean")
