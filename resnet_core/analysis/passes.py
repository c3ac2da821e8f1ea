"""Images through a net in batches, and a net that comes back as it was: what the analyses share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import nn

from resnet_core.errors import DataError, Stopped

Normalize = Callable[[torch.Tensor], torch.Tensor]
Progress = Callable[[int, int], None]
ShouldStop = Callable[[], bool]


def check_stop(should_stop: ShouldStop | None) -> None:
    """Raises Stopped if ``should_stop`` says so."""
    if should_stop is not None and should_stop():
        raise Stopped


def in_batches(
    total: int, batch_size: int, progress: Progress | None = None, should_stop: ShouldStop | None = None
) -> Iterator[tuple[int, int]]:
    """(start, stop) of each batch. ``progress(done, total)`` is called after each, ``should_stop()`` before each.

    Raises:
        Stopped: ``should_stop`` returned True.
    """
    for start in range(0, total, batch_size):
        check_stop(should_stop)
        stop = min(start + batch_size, total)
        yield start, stop
        if progress is not None:
            progress(stop, total)


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
