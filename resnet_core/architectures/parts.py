"""What nets are made of: each part as plain data that knows its output's shape, its tensors, its MACs and its module.

A net is described once, as a list of such parts (``plan.Plan``); the module that is trained, the counts, the diagram and the importer all
read that. Nothing here needs torch until a module is built, so that a net of 1,202 layers is counted at once.

Shapes are of one image: (channels, height, width), or (features,) behind ``Flatten``. A family may bring parts of its own: subclasses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Part:
    """One module of a net.

    Attributes:
        name: of the module within its net or unit, e.g. ``conv1`` or ``shortcut.conv``.
        kind: ``conv``, ``bn``, ``fc`` or what else has parameters; empty for what has none.
        is_kept: its output stays in memory until the backward pass: a convolution's for its BN, a ReLU's for what comes next
            (of a ``Scale`` its input, which is as large).
        kept_beside: how many times that size stays beside it, in fp32 values: the indices of max pooling have 8 bytes.
        is_random: in training its output depends on chance.
    """

    name: str
    kind: ClassVar[str] = ""
    is_kept: ClassVar[bool] = False
    kept_beside: ClassVar[int] = 0
    is_random: ClassVar[bool] = False

    def rows(self) -> Iterable[tuple[str, tuple[Part, ...]]]:
        """List what it is made of, if it is made of parts: rows of them on its input, each with the name of the module that holds it."""
        return ()

    def output(self, shape: Shape) -> Shape:
        """Return the shape of the output for an input of that shape."""
        return shape

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        """Return the shapes of the module's parameters by their names."""
        return {}

    def buffers(self, shape: Shape) -> dict[str, Shape]:
        """Return the shapes of what else its ``state_dict`` has."""
        return {}

    def macs(self, shape: Shape) -> int:
        """Return the multiply-adds for one image; 0 for what He et al. 2016 do not count (BN, ReLU, pooling, additions)."""
        return 0

    def module(self, shape: Shape) -> nn.Module:
        """Build the module, not yet initialised, for an input of that shape."""
        raise NotImplementedError


def sides(shape: Shape, kernel: int, stride: int, margin: int, ceil_mode: bool = False) -> Shape:
    """Give height and width behind a window that moves over the maps.

    Args:
        margin: pixels added to the maps on each side.
        ceil_mode: a last window that is only partly on the maps counts too, unless it begins in the margin behind them.
    """

    def side(size: int) -> int:
        room = size + 2 * margin - kernel
        if not ceil_mode:
            return room // stride + 1
        count = -(-room // stride) + 1
        return count - ((count - 1) * stride >= size + margin)

    return tuple(side(size) for size in shape[1:])


@dataclass(frozen=True)
class Conv(Part):
    """A convolution with zero padding.

    Attributes:
        filters: channels of the output; kernel: side of the kernel; stride: in pixels.
        bias: with one for each filter.
        groups: of channels, each of which sees its own part of the input only.
        padding: None is half of the kernel.
        gain: the weights' standard deviation at the start, as a multiple of what the initialisation gives; 0: they start at 0.
        bias_start: what the biases start at.
    """

    filters: int
    kernel: int
    stride: int = 1
    bias: bool = False
    groups: int = 1
    padding: int | None = None
    gain: float = 1.0
    bias_start: float = 0.0
    kind = "conv"
    is_kept = True

    @property
    def margin(self) -> int:
        """The padding as a number."""
        return self.kernel // 2 if self.padding is None else self.padding

    def output(self, shape: Shape) -> Shape:
        return (self.filters, *sides(shape, self.kernel, self.stride, self.margin))

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        weight = {"weight": (self.filters, shape[0] // self.groups, self.kernel, self.kernel)}
        return weight | ({"bias": (self.filters,)} if self.bias else {})

    def macs(self, shape: Shape) -> int:
        return prod(self.parameters(shape)["weight"]) * prod(self.output(shape)[1:])

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Conv2d(shape[0], self.filters, self.kernel, self.stride, self.margin, groups=self.groups, bias=self.bias)


@dataclass(frozen=True)
class BatchNorm(Part):
    """Batch normalisation with a learned scale and shift for each channel; ``eps`` is added to the variance."""

    eps: float = 1e-5
    kind = "bn"

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        return {"weight": shape[:1], "bias": shape[:1]}

    def buffers(self, shape: Shape) -> dict[str, Shape]:
        return {"running_mean": shape[:1], "running_var": shape[:1], "num_batches_tracked": ()}

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.BatchNorm2d(shape[0], self.eps)


@dataclass(frozen=True)
class Relu(Part):
    """ReLU, out of place: attribution methods and hooks need every value to stay as it was computed."""

    is_kept = True

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.ReLU(inplace=False)


@dataclass(frozen=True)
class MaxPool(Part):
    """Max pooling; ``padding`` is half of the kernel if it is None."""

    kernel: int
    stride: int
    padding: int | None = None
    ceil_mode: bool = False
    is_kept = True
    kept_beside = 2

    @property
    def margin(self) -> int:
        """The padding as a number."""
        return self.kernel // 2 if self.padding is None else self.padding

    def output(self, shape: Shape) -> Shape:
        return (shape[0], *sides(shape, self.kernel, self.stride, self.margin, self.ceil_mode))

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.MaxPool2d(self.kernel, self.stride, self.margin, ceil_mode=self.ceil_mode)


@dataclass(frozen=True)
class GlobalPool(Part):
    """Global average pooling."""

    def output(self, shape: Shape) -> Shape:
        return (shape[0], 1, 1)

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.AdaptiveAvgPool2d(1)


@dataclass(frozen=True)
class Flatten(Part):
    """(channels, height, width) in one row."""

    def output(self, shape: Shape) -> Shape:
        return (prod(shape),)

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Flatten()


@dataclass(frozen=True)
class Linear(Part):
    """A fully connected layer with biases; ``gain`` and ``bias_start`` as of ``Conv``."""

    outputs: int
    gain: float = 1.0
    bias_start: float = 0.0
    kind = "fc"

    def output(self, shape: Shape) -> Shape:
        return (self.outputs,)

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        return {"weight": (self.outputs, shape[0]), "bias": (self.outputs,)}

    def macs(self, shape: Shape) -> int:
        return self.outputs * shape[0]

    def module(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Linear(shape[0], self.outputs)


@dataclass(frozen=True)
class ZeroPad(Part):
    """Option A where dimensions change: every ``stride``-th pixel, and zeros for the new channels (He et al. 2016, section 3.3)."""

    channels: int
    stride: int

    def output(self, shape: Shape) -> Shape:
        return (self.channels, *(-(-size // self.stride) for size in shape[1:]))

    def module(self, shape: Shape) -> nn.Module:
        from resnet_core.architectures.modules import ZeroPadding

        return ZeroPadding(self.channels - shape[0], self.stride)


@dataclass(frozen=True)
class Scale(Part):
    """One learned number that all values are multiplied by; it starts at 0 (ReZero, Bachlechner et al. 2020), unless told otherwise."""

    start: float = 0.0
    kind = "scale"
    is_kept = True

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        return {"weight": ()}

    def module(self, shape: Shape) -> nn.Module:
        from resnet_core.architectures.modules import Scaling

        return Scaling(self.start)


@dataclass(frozen=True)
class Join:
    """How a unit's branch and its skip become one.

    Attributes:
        parts: of its own: a row on the unit's input (behind what branch and skip share), whose output its module takes too.
        name: ``none`` (there is no skip), ``add``, or what a family of its own calls it.
        kept_beside: how many times that size stays beside it, in fp32 values: the indices of max pooling have 8 bytes.
        is_random: in training its output depends on chance.
        maps_kept: of the size of the output, that stay in memory for it until the backward pass, beside those of the parts.
    """

    parts: tuple[Part, ...] = ()
    name: ClassVar[str] = "none"
    maps_kept: ClassVar[int] = 0

    @property
    def is_random(self) -> bool:
        return False

    def output(self, branch: Shape, skip: Shape) -> Shape:
        """Return the shape of the joined output."""
        return branch

    def module(self) -> nn.Module:
        """Build the module: (branch, skip) -> output; (branch, skip, output of its own parts) -> output where it has some."""
        raise NotImplementedError
