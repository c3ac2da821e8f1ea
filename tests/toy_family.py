"""A family of nets from outside of the project: no BN, and a join that nothing else has. ``RESNET_LAB_FAMILIES`` names this module."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from resnet_core.architectures.base import Field, ModelConfig
from resnet_core.architectures.parts import Conv, Flatten, GlobalPool, Join, Linear, MaxPool, Relu
from resnet_core.architectures.plan import Plan, Unit
from resnet_core.architectures.registry import Family, register


class LargerOf(nn.Module):
    """(branch, skip) -> the larger of both, value by value."""

    def forward(self, branch: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        return torch.maximum(branch, skip)


@dataclass(frozen=True)
class Largest(Join):
    name = "largest"

    def module(self):
        return LargerOf()


@dataclass(frozen=True)
class ToyConfig(ModelConfig):
    """A first convolution, blocks of two in two stages, a classifier: depth 4n+2."""

    depth: int = 6
    filters: int = 8
    num_classes: int = 10

    family = "toy"
    fields = (Field("filters", "filters", "Of every convolution.", low=1, high=64, prefix="f"),)
    head = "toy"

    def __post_init__(self):
        self.check_fields()

    @classmethod
    def read(cls, head, depth, tokens):
        return cls(depth, **cls.values(tokens)) if head == "toy" else None

    def describe(self) -> Plan:
        units = []
        for stage in (1, 2):
            for index in range((self.depth - 2) // 4):
                branch = (Conv("one", self.filters, 3, bias=True), Relu("active"), Conv("two", self.filters, 3, bias=True))
                units.append(Unit(f"stage{stage}.{index}", stage, index, branch, (), Largest()))
        stem = (Conv("first", self.filters, 3, 2, bias=True), Relu("begin"), MaxPool("pool", 3, 2))
        return Plan((3, 32, 32), stem, tuple(units), (GlobalPool("mean"), Flatten("flat"), Linear("classes", self.num_classes)))


FAMILY = Family("toy", "Toys", "Nobody, nowhere", ToyConfig, (ToyConfig(), ToyConfig(10, 16)))
register(FAMILY)
