"""Which data sets there are: their classes, sizes, official files, and where they come from. Facts only; ``resnet_core.data`` reads them.

    DATA_SETS["cifar100"].classes

A folder of pictures is a data set too (``PICTURES``), but what is in it is told by ``config.Pictures``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from resnet_core.language import mark


@dataclass(frozen=True)
class File:
    """A file of an official layout.

    Attributes:
        name: without the suffix of a packed one (``.gz``).
        split: ``train`` or ``test``.
        images: how many it has, or the labels of how many; 0 for a file that is not read.
        official: size in bytes and MD5 of the official file. A file of that very size with another MD5 is damaged, or of another set.
    """

    name: str
    split: str
    images: int
    official: tuple[int, str] | None = None


@dataclass(frozen=True)
class Layout:
    """One of the official forms of a data set.

    Attributes:
        name: ``binary``, ``python``, ``idx`` or ``mat``.
        folders: what the folder is called that holds the files; the first is what the official archive unpacks to.
        files: all of them.
        read: how a file is read: ``binary``, ``python``, ``idx`` or ``mat``; ``labels`` of it: the place or the name of the labels.
        pixels: bytes of one image in it.
    """

    name: str
    folders: tuple[str, ...]
    files: tuple[File, ...]
    read: str
    labels: str | int
    pixels: int


@dataclass(frozen=True)
class Fetched:
    """Something to download: its address, MD5 or the first digits of its SHA-256, and bytes, as in torchvision (a test compares)."""

    url: str
    digest: str
    size: int

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class DataSet:
    """A data set of images in classes.

    Attributes:
        key: as in ``DataConfig.dataset``; title: for people.
        classes: names of the labels, in their order.
        train, test: how many images.
        fewest: training images of the class that has the fewest.
        embedded: it ships with the project.
        side: height and width of an image as nets see it. Images of 28x28 get two rows and columns of zeros on each side, as LeNet-5's
            input had, so that every net for CIFAR takes them; grey ones get three equal channels.
        layouts: its official forms, the preferred one first.
        fetched: what a download consists of, and ``unpacked``: the folder in which it ends.
        homepage: where it comes from; archives: what to fetch there by hand.
    """

    key: str
    title: str
    classes: tuple[str, ...]
    train: int
    test: int
    fewest: int
    embedded: bool = False
    side: int = 32
    layouts: tuple[Layout, ...] = ()
    fetched: tuple[Fetched, ...] = ()
    unpacked: str = ""
    homepage: str = ""

    @cached_property
    def download_bytes(self) -> int:
        """Bytes that a download takes."""
        return sum(each.size for each in self.fetched)


CIFAR10_CLASSES = (
    mark("airplane"), mark("automobile"), mark("bird"), mark("cat"), mark("deer"), mark("dog"), mark("frog"), mark("horse"), mark("ship"),
    mark("truck"),
)  # fmt: skip
#: The fine labels, in the official order.
CIFAR100_CLASSES = (
    mark("apple"), mark("aquarium fish"), mark("baby"), mark("bear"), mark("beaver"), mark("bed"), mark("bee"), mark("beetle"),
    mark("bicycle"), mark("bottle"), mark("bowl"), mark("boy"), mark("bridge"), mark("bus"), mark("butterfly"), mark("camel"), mark("can"),
    mark("castle"), mark("caterpillar"), mark("cattle"), mark("chair"), mark("chimpanzee"), mark("clock"), mark("cloud"), mark("cockroach"),
    mark("couch"), mark("crab"), mark("crocodile"), mark("cup"), mark("dinosaur"), mark("dolphin"), mark("elephant"), mark("flatfish"),
    mark("forest"), mark("fox"), mark("girl"), mark("hamster"), mark("house"), mark("kangaroo"), mark("keyboard"), mark("lamp"),
    mark("lawn mower"), mark("leopard"), mark("lion"), mark("lizard"), mark("lobster"), mark("man"), mark("maple tree"),
    mark("motorcycle"), mark("mountain"), mark("mouse"), mark("mushroom"), mark("oak tree"), mark("orange"), mark("orchid"), mark("otter"),
    mark("palm tree"), mark("pear"), mark("pickup truck"), mark("pine tree"), mark("plain (landscape)"), mark("plate"), mark("poppy"),
    mark("porcupine"), mark("possum"), mark("rabbit"), mark("raccoon"), mark("ray"), mark("road"), mark("rocket"), mark("rose"),
    mark("sea"), mark("seal"), mark("shark"), mark("shrew"), mark("skunk"), mark("skyscraper"), mark("snail"), mark("snake"),
    mark("spider"), mark("squirrel"), mark("streetcar"), mark("sunflower"), mark("sweet pepper"), mark("table"), mark("tank"),
    mark("telephone"), mark("television"), mark("tiger"), mark("tractor"), mark("train"), mark("trout"), mark("tulip"), mark("turtle"),
    mark("wardrobe"), mark("whale"), mark("willow tree"), mark("wolf"), mark("woman"), mark("worm"),
)  # fmt: skip
FASHION_CLASSES = (
    mark("T-shirt/top"), mark("trouser"), mark("pullover"), mark("dress"), mark("coat"), mark("sandal"), mark("shirt"), mark("sneaker"),
    mark("bag"), mark("ankle boot"),
)  # fmt: skip
DIGITS = tuple("0123456789")

_CIFAR = "https://www.cs.toronto.edu/~kriz/cifar.html"


_CIFAR10 = (
    Layout("binary", ("cifar-10-batches-bin",), (
        File("data_batch_1.bin", "train", 10_000, (30_730_000, "5dd7e06a14cb22eb9f671a540d1b7c25")),
        File("data_batch_2.bin", "train", 10_000, (30_730_000, "5ea93a67294ea407fff1d09f752e9692")),
        File("data_batch_3.bin", "train", 10_000, (30_730_000, "942cd6a4bcdd0dd3c604fbe906cb4421")),
        File("data_batch_4.bin", "train", 10_000, (30_730_000, "ae636b3ba5c66a11e91e8cb52e771fcb")),
        File("data_batch_5.bin", "train", 10_000, (30_730_000, "53f37980c15c3d472c316c40844f3f0d")),
        File("test_batch.bin", "test", 10_000, (30_730_000, "803d5f7f4d78ea53de84dbe85f74fb6d")),
    ), "binary", 0, 3072),
    Layout("python", ("cifar-10-batches-py",), (
        File("data_batch_1", "train", 10_000, (31_035_704, "c99cafc152244af753f735de768cd75f")),
        File("data_batch_2", "train", 10_000, (31_035_320, "d4bba439e000b95fd0a9bffe97cbabec")),
        File("data_batch_3", "train", 10_000, (31_035_999, "54ebc095f3ab1f0389bbae665268c751")),
        File("data_batch_4", "train", 10_000, (31_035_696, "634d18415352ddfa80567beed471001a")),
        File("data_batch_5", "train", 10_000, (31_035_623, "482c414d41f54cd18b22e5b47cb7c3cb")),
        File("test_batch", "test", 10_000, (31_035_526, "40351d587109b95175f43aff81a1287e")),
    ), "python", "labels", 3072),
)  # fmt: skip
#: Of the binary layout no checksum could be confirmed; of its size there is only one.
_CIFAR100 = (
    Layout("binary", ("cifar-100-binary",), (
        File("train.bin", "train", 50_000),
        File("test.bin", "test", 10_000),
    ), "binary", 1, 3072),
    Layout("python", ("cifar-100-python",), (
        File("train", "train", 50_000, (155_249_918, "16019d7e3df5f24257cddd939b257f8d")),
        File("test", "test", 10_000, (31_049_918, "f0ef6b0ae62326f3e7ffdfab6717acfc")),
    ), "python", "fine_labels", 3072),
)  # fmt: skip


def _idx(*folders: str) -> tuple[Layout, ...]:
    """Give the layout of MNIST and of what follows it, packed or not."""
    return (
        Layout("idx", folders, (
            File("train-images-idx3-ubyte", "train", 60_000),
            File("train-labels-idx1-ubyte", "train", 60_000),
            File("t10k-images-idx3-ubyte", "test", 10_000),
            File("t10k-labels-idx1-ubyte", "test", 10_000),
        ), "idx", "", 28 * 28),
    )  # fmt: skip


_SVHN = (
    Layout("mat", ("svhn", "SVHN"), (
        File("train_32x32.mat", "train", 73_257, (182_040_794, "e26dedcc434d2e4c54c9b2d4a06d8373")),
        File("test_32x32.mat", "test", 26_032, (64_275_384, "eb5a983be6a315427106f1b164d9cef3")),
    ), "mat", "y", 3072),
)  # fmt: skip
_MNIST_HOST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FASHION_HOST = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"


#: Where Debian's package dataset-fashion-mnist puts it.
DEBIAN_FASHION = "/usr/share/datasets/fashion-mnist"
#: The data set whose images and classes are those of a folder of pictures.
PICTURES = "pictures"

DATA_SETS: dict[str, DataSet] = {
    each.key: each
    for each in (
        DataSet("sample", mark("sample"), CIFAR10_CLASSES, 5_000, 1_000, 500, embedded=True),
        DataSet(
            "cifar10", "CIFAR-10", CIFAR10_CLASSES, 50_000, 10_000, 5_000,
            layouts=_CIFAR10, homepage=_CIFAR, unpacked="cifar-10-batches-py",
            fetched=(
                Fetched("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a", 170_498_071),
            ),
        ),
        DataSet(
            "cifar100", "CIFAR-100", CIFAR100_CLASSES, 50_000, 10_000, 500,
            layouts=_CIFAR100, homepage=_CIFAR, unpacked="cifar-100-python",
            fetched=(
                Fetched("https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85", 169_001_437),
            ),
        ),
        DataSet("fashion-sample", mark("Fashion sample"), FASHION_CLASSES, 5_000, 1_000, 500, embedded=True),
        DataSet(
            "fashion", "Fashion-MNIST", FASHION_CLASSES, 60_000, 10_000, 6_000,
            layouts=_idx("fashion-mnist", "FashionMNIST/raw"), homepage="https://github.com/zalandoresearch/fashion-mnist",
            unpacked="fashion-mnist",
            fetched=(
                Fetched(_FASHION_HOST + "train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26_421_880),
                Fetched(_FASHION_HOST + "train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", 29_515),
                Fetched(_FASHION_HOST + "t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79", 4_422_102),
                Fetched(_FASHION_HOST + "t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", 5_148),
            ),
        ),
        DataSet(
            "mnist", "MNIST", DIGITS, 60_000, 10_000, 5_421,
            layouts=_idx("mnist", "MNIST/raw"), homepage="http://yann.lecun.com/exdb/mnist/", unpacked="mnist",
            fetched=(
                Fetched(_MNIST_HOST + "train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873", 9_912_422),
                Fetched(_MNIST_HOST + "train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432", 28_881),
                Fetched(_MNIST_HOST + "t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3", 1_648_877),
                Fetched(_MNIST_HOST + "t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c", 4_542),
            ),
        ),
        DataSet(
            "svhn", "SVHN", DIGITS, 73_257, 26_032, 4_659,
            layouts=_SVHN, homepage="http://ufldl.stanford.edu/housenumbers/", unpacked="svhn",
            fetched=(
                Fetched("http://ufldl.stanford.edu/housenumbers/train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373", 182_040_794),
                Fetched("http://ufldl.stanford.edu/housenumbers/test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3", 64_275_384),
            ),
        ),
    )
}  # fmt: skip
