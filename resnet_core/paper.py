"""Published numbers that the app shows beside its own, each with its source. All of He, Zhang, Ren and Sun, "Deep Residual Learning
for Image Recognition" (CVPR 2016), cited as "He et al. 2016".
"""

from __future__ import annotations

from dataclasses import dataclass

from resnet_core.architectures import ModelConfig, ResNetConfig
from resnet_core.config import DataConfig
from resnet_core.language import mark

PAPER = mark('He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition" (CVPR 2016)')


@dataclass(frozen=True)
class Published:
    """One published CIFAR-10 result.

    Attributes:
        name: the net as the paper names it.
        params: parameters as the paper prints them, e.g. ``"0.27M"``; empty where it prints none.
        test_error: percent, or None where the paper gives only a bound.
        text: the figure as it is shown, e.g. ``"8.75"``, ``"> 60"``.
        source: where it stands.
        note: what else must be said beside it; may be empty.
    """

    name: str
    params: str
    test_error: float | None
    text: str
    source: str
    note: str = ""


_TABLE_6 = mark("He et al. 2016, Table 6")

#: CIFAR-10 test errors with augmentation, shortcut A, by depth.
TABLE_6: dict[int, Published] = {
    20: Published("ResNet-20", "0.27M", 8.75, "8.75", _TABLE_6),
    32: Published("ResNet-32", "0.46M", 7.51, "7.51", _TABLE_6),
    44: Published("ResNet-44", "0.66M", 7.17, "7.17", _TABLE_6),
    56: Published("ResNet-56", "0.85M", 6.97, "6.97", _TABLE_6),
    110: Published("ResNet-110", "1.7M", 6.43, "6.43", _TABLE_6, mark("best of five runs; 6.61 ± 0.16 over them")),
    1202: Published("ResNet-1202", "19.4M", 7.93, "7.93", _TABLE_6),
}

#: The paper tabulates no plain net on CIFAR-10; this is all that it says of one in numbers.
PLAIN_110 = Published(
    "plain-110", "", None, "> 60", mark("He et al. 2016, caption of Figure 6"), mark("stays above 60 % error and is not drawn")
)

#: The number behind ``PLAIN_110``, in percent.
PLAIN_110_BOUND = 60.0

#: Of ResNet-110 over five runs: mean and standard deviation of the test error in percent (He et al. 2016, Table 6).
RESNET_110_MEAN, RESNET_110_SPREAD = 6.61, 0.16

#: Parameters of other nets of Table 6, as printed there.
OTHERS_PARAMS = {"FitNet-19": "2.5M", "Highway-19": "2.3M"}

#: How long ResNet-110 is warmed up, about, and until which training error in percent (He et al. 2016, section 4.2).
WARMUP_ITERATIONS, WARMUP_ERROR = 400, 80.0


def published(model: ModelConfig, classes: tuple[str, ...] | None = None) -> Published | None:
    """What the paper reports of exactly this net on CIFAR-10, or None.

    It reports nets of basic blocks, 16 filters in the first stage and 10 classes only; residual ones with option A.

    Args:
        classes: that the net tells apart, where they are known; nets of ten other classes are none of the paper's.
    """
    if classes not in (None, DataConfig().class_names):
        return None
    if model == ResNetConfig(110, "none"):
        return PLAIN_110
    return next((found for depth, found in TABLE_6.items() if model == ResNetConfig(depth, "A")), None)
