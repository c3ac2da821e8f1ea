"""What ``auto`` was decided to mean for one run, and how a forward pass is made under it."""

from __future__ import annotations

import dataclasses
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import nn


def compiled(model: nn.Module, device: str) -> nn.Module:
    """The model through ``torch.compile``, in the mode that suits the device: as it is trained, and so as the probe is to time it."""
    # On CUDA these nets are bound by launches; CUDA graphs take those away.
    # torch's own types say of torch.compile only that a function comes out; of a module it makes a module.
    return cast(nn.Module, torch.compile(model, mode="reduce-overhead" if device == "cuda" else "default"))


def fused(form: nn.Module, amx: bool) -> nn.Module:
    """The same net with batch normalisation, addition and ReLU in one step."""
    from resnet_core.kernels.fused import fused

    return fused(form, amx)


@dataclass(frozen=True)
class Plan:
    """How a run is computed on this machine.

    Attributes:
        device: ``cpu``, ``cuda`` or ``mps``.
        precision: ``fp32``, or ``bf16`` (autocast: convolutions in bf16, weights and their updates in fp32).
        compile: through ``torch.compile``.
        fused: batch normalisation takes the addition and the ReLU behind it along (``kernels``).
        amx: 3x3 convolutions too are computed by a kernel, and take what stands in front of them along.
        threads: of the CPU. The order of sums depends on it, so a resumed run keeps it.
        reason: what the probe measured and why it chose so, for people to read.
    """

    device: str = "cpu"
    precision: str = "fp32"
    compile: bool = False
    threads: int = 1
    reason: dict[str, Any] = field(default_factory=dict)
    fused: bool = False
    amx: bool = False

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Plan:
        return cls(**values)

    def prepared(self, form: nn.Module) -> nn.Module:
        """What is called in each step of a training, of the net as it is trained; both have the same parameters."""
        return compiled(form, self.device) if self.compile else fused(form, self.amx) if self.fused else form

    def autocast(self) -> AbstractContextManager[object]:
        # cache_enabled only spares casts of weights that are used twice in one pass; none is here.
        return torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16", cache_enabled=False)
