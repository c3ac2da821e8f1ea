"""Where a net is trained: the one function that picks the device."""

from __future__ import annotations

import torch

from resnet_core.errors import ConfigError


def pick_device(name: str = "auto") -> torch.device:
    """The device of a ``Recipe.device``; ``auto`` takes CUDA, then MPS, then the CPU.

    Raises:
        ConfigError: a device is asked for by name that this machine does not have.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, there in available.items() if there)
    elif not available.get(name):
        there = ", ".join(kind for kind, is_there in available.items() if is_there)
        raise ConfigError("device", "{name!r} is not on this machine; choose auto or one of {there}.", name=name, there=there)
    return torch.device(name)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was told, so that a clock read next tells the truth."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


class PeakMemory:
    """Peak memory in MB since ``start``: of the allocator on CUDA, of the process (resident set) elsewhere."""

    def __init__(self, device: torch.device):
        self.device = device

    def start(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            return
        try:
            # Linux: a worker trains one net after another, and each is to be told its own peak.
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")
        except OSError:
            pass

    def megabytes(self) -> float:
        if self.device.type == "cuda":
            return round(torch.cuda.max_memory_allocated(self.device) / 1e6, 1)
        try:
            with open("/proc/self/status") as file:
                kilobytes = next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))
            return round(kilobytes * 1024 / 1e6, 1)
        except (OSError, StopIteration):
            import resource
            import sys

            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            return round((peak if sys.platform == "darwin" else peak * 1024) / 1e6, 1)
