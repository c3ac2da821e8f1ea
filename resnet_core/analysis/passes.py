"""Whether a net can be measured on images, and a net that comes back as it was: what the analyses share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from resnet_core.errors import DataError


def check_labels(labels: torch.Tensor, classes: int) -> None:
    """Raises DataError if there are labels that a net of ``classes`` outputs has none for."""
    needed = int(labels.max()) + 1
    if needed > classes:
        raise DataError(
            "The net tells {classes} classes apart, and the images are of {needed}: it cannot be measured on them.",
            classes=classes,
            needed=needed,
        )


@contextlib.contextmanager
def untouched(model: nn.Module) -> Iterator[contextlib.ExitStack]:
    """Within it a net may change its mode, its buffers and what requires gradients; it comes back as it was, also after an exception.

    Hooks whose handles are entered into the stack (``stack.enter_context(module.register_forward_hook(...))``) are removed at the end.
    """
    modes = {module: module.training for module in model.modules()}
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    wanted = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        with contextlib.ExitStack() as stack:
            yield stack
    finally:
        for module, training in modes.items():
            module.training = training
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
        for parameter, requires_grad in wanted:
            parameter.requires_grad_(requires_grad)
