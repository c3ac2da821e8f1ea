"""Published errors of nets of all families with the conditions they hold under, which are never mixed. No torch.

``paper`` has what He et al. 2016 say of the nets that this project trains.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from resnet_core.architectures import ModelConfig, parse
from resnet_core.language import mark

IMAGENET, CIFAR10 = "ImageNet", "CIFAR-10"
#: How an ImageNet error was measured: averages over ten crops, one central crop, or all positions of a larger image.
TEN_CROPS, ONE_CROP, DENSE = mark("ten crops"), mark("one crop of 224"), mark("all positions, one scale")
#: How a CIFAR-10 error came about; shifts and mirrored images in all of them.
HE, ONE_RUN, MEDIAN, MEAN, BEST = (
    mark("He et al.'s recipe, one run or the best of five"),
    mark("one run, at the end"),
    mark("median of five runs"),
    mark("mean of ten runs"),
    mark("best run"),
)


@dataclass(frozen=True)
class Result:
    """A published error.

    Attributes:
        net: its name here; data: ``ImageNet`` or ``CIFAR-10``.
        error: top-1, in percent; condition: how it was measured; source: where it is printed.
    """

    net: str
    data: str
    error: float
    condition: str
    source: str

    @cached_property
    def model(self) -> ModelConfig:
        """The configuration."""
        return parse(self.net)


_HE, _README = mark("He et al. 2016, Tables 2 to 4"), mark("KaimingHe/deep-residual-networks, README")
_RESNEXT, _DENSENET = mark("Xie et al. 2017, Tables 3 and 4"), mark("liuzhuang13/DenseNet, README")
_IMAGENET = (
    (TEN_CROPS, mark("Krizhevsky et al. 2012, Table 2, one net"), {"AlexNet": 40.7}),
    (
        TEN_CROPS,
        _HE,
        {
            "plain-18-ImageNet": 27.94, "ResNet-18-A-ImageNet": 27.88, "plain-34-ImageNet": 28.54, "ResNet-34-A-ImageNet": 25.03,
            "ResNet-34-ImageNet": 24.52, "ResNet-34-C-ImageNet": 24.19, "ResNet-50-ImageNet": 22.85, "ResNet-101-ImageNet": 21.75,
            "ResNet-152-ImageNet": 21.43,
        },
    ),
    (ONE_CROP, _README, {"ResNet-50-ImageNet": 24.7, "ResNet-101-ImageNet": 23.6, "ResNet-152-ImageNet": 23.0}),
    (
        ONE_CROP,
        _RESNEXT,
        {
            "ResNeXt-50-2x40d": 23.0, "ResNeXt-50-4x24d": 22.6, "ResNeXt-50-8x14d": 22.3, "ResNeXt-50-32x4d": 22.2,
            "ResNeXt-101-32x4d": 21.2, "ResNeXt-101-2x64d": 20.7, "ResNeXt-101-64x4d": 20.4,
        },
    ),
    (ONE_CROP, _DENSENET, {"DenseNet-121": 25.0, "DenseNet-169": 23.6, "DenseNet-201": 22.5, "DenseNet-161": 22.2}),
    (DENSE, mark("Simonyan and Zisserman 2015, Table 5"), {"VGG-16": 25.6, "VGG-19": 25.5}),
)  # fmt: skip
_CIFAR = (
    (HE, mark("He et al. 2016, Table 6"),
     {"ResNet-20": 8.75, "ResNet-32": 7.51, "ResNet-44": 7.17, "ResNet-56": 6.97, "ResNet-110": 6.43, "ResNet-1202": 7.93}),
    (MEDIAN, mark("He et al. 2016b, Tables 2 and 4"),
     {"ResNet-110-preact": 6.37, "ResNet-164-B-bottleneck-preact": 5.46, "ResNet-1001-B-bottleneck-preact": 4.92}),
    (MEDIAN, mark("szagoruyko/wide-residual-networks, README"), {"WRN-28-10": 4.00}),
    (MEAN, mark("facebookresearch/ResNeXt, README"), {"ResNeXt-29-8x64d": 3.65, "ResNeXt-29-16x64d": 3.58}),
    (ONE_RUN, mark("Huang et al. 2017, Table 2"),
     {"DenseNet-40-k12": 5.24, "DenseNet-100-k12": 4.10, "DenseNet-100-k24": 3.74, "DenseNet-BC-100-k12": 4.51,
      "DenseNet-BC-250-k24": 3.62, "DenseNet-BC-190-k40": 3.46}),
    (BEST, mark("Srivastava et al. 2015, Table 2"), {"Highway-19": 7.54}),
)  # fmt: skip

RESULTS: tuple[Result, ...] = tuple(
    Result(net, data, error, condition, source)
    for data, groups in ((IMAGENET, _IMAGENET), (CIFAR10, _CIFAR))
    for condition, source, errors in groups
    for net, error in errors.items()
)


def of(model: ModelConfig) -> list[Result]:
    """List what is published of exactly this net."""
    return [result for result in RESULTS if result.model == model]
