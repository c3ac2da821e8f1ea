"""How other projects call the tensors of nets that are described here: the layouts that the families declare."""

from __future__ import annotations

from typing import Any

from resnet_core.architectures.layouts import Layout, Names, newest_first, numbered
from resnet_core.language import mark, tr

#: How files call the first convolution and its BN, if not conv1 and bn1.
STEMS: tuple[Names, ...] = tuple(
    (("conv1", conv), ("bn1", bn))
    for conv, bn in (("conv", "bn"), ("conv0", "bn0"), ("stem.0", "stem.1"), ("stem.conv", "stem.bn"), ("stem.conv1", "stem.bn1"))
)
AKAMASTER, CHENYAOFO = "akamaster/pytorch_resnet_cifar10", "chenyaofo/pytorch-cifar-models"
KUANGLIU, TORCHVISION = "kuangliu/pytorch-cifar", "torchvision"


def _projections(name: str) -> Names:
    """The projection of a block as a row of a convolution and its BN."""
    return (("layer{}.{}.shortcut.conv", f"layer{{}}.{{}}.{name}.0"), ("layer{}.{}.shortcut.bn", f"layer{{}}.{{}}.{name}.1"))


def _torchvision(names: Names, **others: Any) -> Layout:
    return Layout("torchvision", TORCHVISION, names, **others)


def _kuangliu(names: Names, **others: Any) -> Layout:
    return Layout("kuangliu", KUANGLIU, names, normalization="cifar10-short-std", **others)


def _chenyaofo(names: Names, **others: Any) -> Layout:
    return Layout("chenyaofo", CHENYAOFO, names, normalization="cifar10-short-std", by_classes={100: "cifar100"}, **others)


def _stride_unclear(config: Any) -> str:
    if getattr(config, "block", "bottleneck") == "basic":
        return ""
    return tr(
        "It is a CIFAR ResNet of bottlenecks in another project's layout. Their stride may be in the first "
        "1x1 or in the 3x3 convolution, and nothing in the file tells which."
    )


def _one_path_unclear(config: Any) -> str:
    """Of a single path the paper's is a ResNet with bottlenecks."""
    return _stride_unclear(config) if (config.cardinality, config.outputs) == (1, "paper") else ""


def _not_the_papers(config: Any) -> str:
    if getattr(config, "stride", "3x3") == "3x3" or config.block == "basic":
        return ""
    return tr("torchvision's bottlenecks have their stride in the 3x3 convolution, unlike those of the paper.")


CIFAR_RESNETS = (
    Layout("akamaster", AKAMASTER, (*_projections("shortcut"), ("fc", "linear")), likely="A-both", unclear=_stride_unclear),
    _chenyaofo(_projections("downsample"), unclear=_stride_unclear),
)  # fmt: skip
IMAGENET_RESNETS = (_torchvision(_projections("downsample"), unclear=_not_the_papers),)
_KUANGLIUS: Names = (*_projections("shortcut"), ("fc", "linear"))
FOUR_STAGES_CIFAR = (
    _kuangliu(_KUANGLIUS),
    Layout(
        "torchvision-3x3", mark("torchvision, with another first convolution"), _projections("downsample"), normalization="cifar10",
        assumed=mark("Its first convolution is 3x3, where torchvision's is 7x7: it was taken to have no stride, and no "
"pooling behind it."),
    ),
)  # fmt: skip
CIFAR_RESNEXTS = (_kuangliu(_KUANGLIUS, unclear=_one_path_unclear),)

WIDE_RESNETS = (
    Layout(
        "xternalz",
        "xternalz/WideResNet-pytorch",
        (("layer{}.{}.shortcut.conv", "block{}.layer.{}.convShortcut"), ("layer{}.{}", "block{}.layer.{}")),
        normalization="cifar10",
    ),
)

#: A layer's number comes before the transition's, which has none there.
_ANDREASVEIT: Names = (
    ("layer{}.{}.bn", "trans{}.bn1"), ("layer{}.{}.conv", "trans{}.conv1"), ("layer{}.{}", "block{}.layer.{}"), ("bn2", "bn1"),
)  # fmt: skip
DENSENETS = (Layout("andreasveit", "andreasveit/densenet-pytorch", _ANDREASVEIT, normalization="cifar10"),)
#: Here too the transition has no number of a layer. What a layer adds comes before what it has read.
_KUANGLIUS_DENSE: Names = (
    ("layer{}.{}.bn", "trans{}.bn"), ("layer{}.{}.conv", "trans{}.conv"), ("layer{}.{}", "dense{}.{}"), ("bn2", "bn"), ("fc", "linear"),
)  # fmt: skip
FOUR_BLOCKS_CIFAR = (_kuangliu(_KUANGLIUS_DENSE, order=newest_first),)


def _dense(dot: str) -> Names:
    """DenseNets for ImageNet; the files that torchvision offers for download are older than the names without the dot."""
    layer = "features.denseblock{}.denselayer{+1}"
    inside = (("bn1", "norm", 1), ("conv1", "conv", 1), ("bn2", "norm", 2), ("conv2", "conv", 2))
    return (
        *((f"layer{{}}.{{}}.{ours}", f"{layer}.{theirs}{dot}{number}") for ours, theirs, number in inside),
        ("layer{}.{}.bn", "features.transition{}.norm"), ("layer{}.{}.conv", "features.transition{}.conv"),
        ("conv1", "features.conv0"), ("bn1", "features.norm0"), ("bn2", "features.norm5"), ("fc", "classifier"),
    )  # fmt: skip


IMAGENET_DENSENETS = (_torchvision(_dense("")), _torchvision(_dense(".")))

_VGGS_CLASSIFIER: Names = (("fc6", "classifier.0"), ("fc7", "classifier.3"), ("fc8", "classifier.6"))
VGGS = (_torchvision(_VGGS_CLASSIFIER, of_plan=numbered("features")),)
CIFAR_VGGS = (
    _kuangliu((("fc", "classifier"),), of_plan=numbered("features")),
    _chenyaofo(_VGGS_CLASSIFIER, of_plan=numbered("features")),
)

ALEXNETS = (
    _torchvision((
        ("conv1", "features.0"), ("layer1.0.conv", "features.3"), ("layer2.0.conv", "features.6"), ("layer2.1.conv", "features.8"),
        ("layer2.2.conv", "features.10"), ("fc6", "classifier.1"), ("fc7", "classifier.4"), ("fc8", "classifier.6"),
    )),
)  # fmt: skip

#: Stage and index of GoogLeNet's modules, and their names in the paper.
_INCEPTIONS = {f"layer{stage}.{index}": f"{stage + 2}{letter}" for stage, letters in ((1, "ab"), (2, "abcde"), (3, "ab"))
               for index, letter in enumerate(letters)}  # fmt: skip


def _inceptions(module: str, rows: dict[str, str]) -> Names:
    """The modules of GoogLeNet: ``module`` with number and letter for ``{}``; what the modules of each row are called."""
    modules = [(f"{ours}.module", module.format(*name)) for ours, name in _INCEPTIONS.items()]
    return tuple((f"{ours}.{row}", f"{theirs}.{name}") for ours, theirs in modules for row, name in rows.items())


_ROWS = {
    "branch1": "branch1",
    **{f"branch{row}.{part}{number}": f"branch{row}.{number - 1}.{part}" for row in (2, 3) for number in (1, 2) for part in ("conv", "bn")},
    "branch4.conv": "branch4.1.conv", "branch4.bn": "branch4.1.bn",
}  # fmt: skip
_CONVOLUTIONS: Names = tuple((f"{part}{number}", f"conv{number}.{part}") for number in (1, 2, 3) for part in ("conv", "bn"))
_AUXILIARY: Names = tuple((f"aux{number}.{part}", f"aux{number}.conv.{part}") for number in (1, 2) for part in ("conv", "bn"))
#: torchvision's takes images normalised as for ImageNet, and makes of them what "half" does.
GOOGLENETS = (_torchvision((*_inceptions("inception{}{}", _ROWS), *_CONVOLUTIONS, *_AUXILIARY), normalization="half"),)
_KUANGLIUS_ROWS = {
    "branch1.conv": "b1.0", "branch1.bn": "b1.1",
    **{f"branch{row}.conv{number}": f"b{row}.{3 * number - 3}" for row in (2, 3) for number in range(1, row + 1)},
    **{f"branch{row}.bn{number}": f"b{row}.{3 * number - 2}" for row in (2, 3) for number in range(1, row + 1)},
    "branch4.conv": "b4.1", "branch4.bn": "b4.2",
}  # fmt: skip
_BEFORE: Names = (("conv1", "pre_layers.0"), ("bn1", "pre_layers.1"), ("fc", "linear"))
CIFAR_GOOGLENETS = (_kuangliu((*_inceptions("{1}{0}", _KUANGLIUS_ROWS), *_BEFORE)),)
