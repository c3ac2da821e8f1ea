"""torchvision's weights for ImageNet: which there are of nets that can be built here, their download, and what they are. Without torch.

    proposal = inspect_offered("resnet18", download("resnet18", progress))

They are read without trust, as any file is, once the first digits of their SHA-256, which their names end in, were found right.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from resnet_core.data.downloading import Item, obtain
from resnet_core.data.folders import default_folder
from resnet_core.datasets import Fetched
from resnet_core.errors import ConfigError
from resnet_core.imports.inspection import inspect_file
from resnet_core.imports.proposal import Proposal
from resnet_core.language import tr

#: Before a key, on the command line; and the folder of the files, in that of downloads.
TORCHVISION = "torchvision"
_FROM = "https://download.pytorch.org/models/"


@dataclass(frozen=True)
class Offered:
    """Weights to download.

    Attributes:
        key: torchvision's name of the net, with ``-v2`` for the weights of its newer recipe.
        net: our name of it.
        file: its name at torchvision, with the first digits of its SHA-256 behind the last dash.
        mebibytes: its size.
    """

    key: str
    net: str
    file: str
    mebibytes: float

    @property
    def fetched(self) -> Fetched:
        """Where it is to be had."""
        digest = Path(self.file).stem.rpartition("-")[2]
        return Fetched(_FROM + self.file, digest, round(self.mebibytes * 2**20))

    @property
    def path(self) -> Path:
        """Where it lies once it was downloaded."""
        return default_folder() / TORCHVISION / Path(self.file).stem / self.file

    @property
    def by_hand(self) -> str:
        """Say how to do without a download."""
        return tr(
            "fetch {url} on a machine with a network, copy the file here, and import it: on the page Checkpoints under Import, or with "
            "python -m resnet_core import {file}",
            url=self.fetched.url,
            file=self.file,
        )


#: As torchvision lists them (a test compares); of a net with weights of two recipes, those of the older one are nearer to its paper.
OFFERED = {
    each.key: each
    for each in (
        Offered("resnet18", "ResNet-18-ImageNet", "resnet18-f37072fd.pth", 44.661),
        Offered("resnet34", "ResNet-34-ImageNet", "resnet34-b627a593.pth", 83.275),
        Offered("resnet50", "ResNet-50-ImageNet-v1.5", "resnet50-0676ba61.pth", 97.781),
        Offered("resnet50-v2", "ResNet-50-ImageNet-v1.5", "resnet50-11ad3fa6.pth", 97.79),
        Offered("resnet101", "ResNet-101-ImageNet-v1.5", "resnet101-63fe2227.pth", 170.511),
        Offered("resnet101-v2", "ResNet-101-ImageNet-v1.5", "resnet101-cd907fc2.pth", 170.53),
        Offered("resnet152", "ResNet-152-ImageNet-v1.5", "resnet152-394f9c45.pth", 230.434),
        Offered("resnet152-v2", "ResNet-152-ImageNet-v1.5", "resnet152-f82ba261.pth", 230.474),
        Offered("resnext50_32x4d", "ResNeXt-50-32x4d", "resnext50_32x4d-7cdf4587.pth", 95.789),
        Offered("resnext50_32x4d-v2", "ResNeXt-50-32x4d", "resnext50_32x4d-1a0047aa.pth", 95.833),
        Offered("resnext101_32x8d", "ResNeXt-101-32x8d", "resnext101_32x8d-8ba56ff5.pth", 339.586),
        Offered("resnext101_32x8d-v2", "ResNeXt-101-32x8d", "resnext101_32x8d-110c445d.pth", 339.673),
        Offered("resnext101_64x4d", "ResNeXt-101-64x4d", "resnext101_64x4d-173b62eb.pth", 319.318),
        Offered("wide_resnet50_2", "WRN-50-2", "wide_resnet50_2-95faca4d.pth", 131.82),
        Offered("wide_resnet50_2-v2", "WRN-50-2", "wide_resnet50_2-9ba9bcbe.pth", 263.124),
        Offered("wide_resnet101_2", "WRN-101-2", "wide_resnet101_2-32ee1156.pth", 242.896),
        Offered("wide_resnet101_2-v2", "WRN-101-2", "wide_resnet101_2-d733dc28.pth", 484.747),
        Offered("densenet121", "DenseNet-121", "densenet121-a639ec97.pth", 30.845),
        Offered("densenet161", "DenseNet-161", "densenet161-8d451a50.pth", 110.369),
        Offered("densenet169", "DenseNet-169", "densenet169-b2777c0a.pth", 54.708),
        Offered("densenet201", "DenseNet-201", "densenet201-c1103571.pth", 77.373),
        Offered("googlenet", "GoogLeNet-torchvision-aux", "googlenet-1378be20.pth", 49.731),
        Offered("vgg11", "VGG-11", "vgg11-8a719046.pth", 506.84),
        Offered("vgg11_bn", "VGG-11-BN", "vgg11_bn-6002323d.pth", 506.881),
        Offered("vgg13", "VGG-13", "vgg13-19584684.pth", 507.545),
        Offered("vgg13_bn", "VGG-13-BN", "vgg13_bn-abd245e5.pth", 507.59),
        Offered("vgg16", "VGG-16", "vgg16-397923af.pth", 527.796),
        Offered("vgg16_bn", "VGG-16-BN", "vgg16_bn-6c64b313.pth", 527.866),
        Offered("vgg19", "VGG-19", "vgg19-dcbb9e9d.pth", 548.051),
        Offered("vgg19_bn", "VGG-19-BN", "vgg19_bn-c79401a0.pth", 548.143),
        Offered("alexnet", "AlexNet-torchvision", "alexnet-owt-7be5be79.pth", 233.087),
    )
}


def download(progress: Callable[[int, int], None] | None = None, key: str = "resnet18") -> Path:
    """Download weights, unless they are there already.

    Args:
        progress: as of ``data.download``.
        key: of ``OFFERED``.

    Returns:
        the file.

    Raises:
        ConfigError: there is no such key.
        DataError: the network, the disk or what arrived was at fault; says how to provide the file by hand.
    """
    if key not in OFFERED:
        raise ConfigError(TORCHVISION, "{key!r} is none of {keys}.", key=key, keys=", ".join(OFFERED))
    found = OFFERED[key]

    def is_whole(folder: Path) -> bool:
        try:
            with open(folder / found.file, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest().startswith(found.fetched.digest)
        except OSError:
            return False

    title = tr("The file {file} of torchvision", file=found.file)
    item = Item(found.path.parent.name, title, (found.fetched,), found.path.parent.name, found.by_hand, is_whole)
    return obtain(item, found.path.parents[1], progress) / found.file


def inspect_offered(key: str, gone: Callable[[], bool] = lambda: False) -> Proposal:
    """What downloaded weights are: ``inspect_file``; how their input is normalised is known, and not asked.

    Raises:
        ImportRefused, ReaderFailed: see ``inspect_file``.
    """
    proposal = inspect_file(OFFERED[key].path, gone=gone)
    return dataclasses.replace(proposal, normalizations=proposal.normalizations[:1])
