"""Which images a training is made of; a part of ``config``, from where everything takes it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from resnet_core.checks import check_choice, check_real, check_whole, later
from resnet_core.datasets import DATA_SETS, PICTURES
from resnet_core.errors import ConfigError
from resnet_core.language import tr

#: The data sets that have a name; a folder of pictures is described by ``Pictures``.
DATASETS = tuple(DATA_SETS)


@dataclass(frozen=True)
class Pictures:
    """A folder of pictures as it was looked at: what a training on it depends on. ``resnet_core.data.pictures.look`` makes it.

    Attributes:
        title: the folder's name.
        class_names: those of its subfolders, in the order of the labels.
        train, test: how many pictures of each class, in the order of the classes.
        side: height and width that nets see, in pixels.
        stored: height and width at which the training pictures are kept, at least ``side``: what is more is there for crops.
        test_part: the part of each class that is tested on, chosen by ``seed``; 0 where the folder itself has train/ and val/ or test/.
        digest: hexadecimal SHA-256 of the pictures' names and sizes.

    Raises:
        ConfigError: a field is out of its range.
    """

    title: str
    class_names: tuple[str, ...]
    train: tuple[int, ...]
    test: tuple[int, ...]
    side: int
    stored: int
    test_part: float
    seed: int
    digest: str

    def __post_init__(self):
        for name in ("class_names", "train", "test"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not all(isinstance(each, str) and 0 < len(each) <= 255 for each in (self.title, *self.class_names)):
            raise ConfigError("class_names", "a folder or a class has no name, or one of more than 255 characters.")
        if not 2 <= len(self.class_names) <= 1000 or len(set(self.class_names)) < len(self.class_names):
            raise ConfigError("class_names", "there must be 2 to 1,000 classes of different names.")
        for name in ("train", "test"):
            if len(getattr(self, name)) != len(self.class_names):
                raise ConfigError(name, "has not one number for each class.")
            for count in getattr(self, name):
                check_whole(name, count, 1, 10_000_000)
        check_whole("side", self.side, 8, 1024)
        check_whole("stored", self.stored, self.side, 1024)
        check_real("test_part", self.test_part, 0, 0.9)
        check_whole("seed", self.seed, 0, 2**31 - 1)
        if not isinstance(self.digest, str) or not re.fullmatch("[0-9a-f]{64}", self.digest):
            raise ConfigError("digest", "is not a SHA-256 in hexadecimal digits.")
        object.__setattr__(self, "test_part", float(self.test_part))


@dataclass(frozen=True)
class DataConfig:
    """Which images are trained and tested on.

    Attributes:
        dataset: a key of ``datasets.DATA_SETS``, as ``sample`` (embedded: 5,000 training and 1,000 test images of CIFAR-10) or ``cifar10``
            (50,000 and 10,000); or ``pictures``.
        validation: hold out the last tenth of the training images (45k/5k on the full set, as in section 4.2) and
            report its error too. The test set selects nothing either way.
        images_per_class: train on the first so many images of each class only; 0 takes all. The test images stay all.
        pictures: of the data set ``pictures``, and of no other: what is in the folder.
    """

    dataset: str = "sample"
    validation: bool = False
    images_per_class: int = 0
    pictures: Pictures | None = later(None)

    def __post_init__(self):
        check_choice("dataset", self.dataset, (*DATASETS, PICTURES))
        if isinstance(self.pictures, dict):
            object.__setattr__(self, "pictures", Pictures(**self.pictures))
        if (self.dataset == PICTURES) != isinstance(self.pictures, Pictures):
            raise ConfigError("pictures", "describes the data set pictures, and no other.")
        if not isinstance(self.validation, bool):
            raise ConfigError("validation", "{validation!r} is neither true nor false.", validation=self.validation)
        check_whole("images_per_class", self.images_per_class, 0, self.most_per_class)

    @property
    def title(self) -> str:
        """``sample``, ``CIFAR-10``, or the name of the folder of pictures."""
        return self.pictures.title if self.pictures else tr(DATA_SETS[self.dataset].title)

    @property
    def label(self) -> str:
        """``sample (5,000 images)``, ``sample (500 images)``, ``CIFAR-10 (45,000 images + 5,000 for validation)``."""
        held_out, images = self._all_images - self.train_images, self.train_images
        if held_out:
            return tr("{title} ({images:,} images + {held_out:,} for validation)", title=self.title, images=images, held_out=held_out)
        return tr("{title} ({images:,} images)", title=self.title, images=images)

    @property
    def short_label(self) -> str:
        """The same without the word: ``sample (5,000)``, ``CIFAR-10 (45,000 + 5,000 for validation)``."""
        held_out, images = self._all_images - self.train_images, self.train_images
        if held_out:
            return tr("{title} ({images:,} + {held_out:,} for validation)", title=self.title, images=images, held_out=held_out)
        return tr("{title} ({images:,})", title=self.title, images=images)

    @property
    def is_embedded(self) -> bool:
        """Whether it ships with the project, and lies in no folder."""
        return self.pictures is None and DATA_SETS[self.dataset].embedded

    @property
    def name(self) -> str:
        """The title in English, as links have it."""
        return self.pictures.title if self.pictures else DATA_SETS[self.dataset].title

    @property
    def words(self) -> str:
        """The title within a sentence: ``the sample``, ``CIFAR-10``."""
        return tr("the {title}", title=self.title) if self.is_embedded else self.title

    @property
    def key(self) -> str:
        """In the name of a file: ``sample``, ``pictures-1f0c...``."""
        if self.pictures is None:
            return self.dataset
        return f"{self.dataset}-{hashlib.sha256(repr(self.pictures).encode()).hexdigest()[:16]}"

    @property
    def whole_title(self) -> str:
        """The title of the data set that a sample is of, as ``CIFAR-10``; of all others their own."""
        if not self.is_embedded:
            return self.title
        return next(each.title for each in DATA_SETS.values() if not each.embedded and each.classes == self.class_names)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of the classes, in the order of the labels."""
        return self.pictures.class_names if self.pictures else DATA_SETS[self.dataset].classes

    @property
    def classes(self) -> int:
        """Classes of the images."""
        return len(self.class_names)

    @property
    def side(self) -> int:
        """Height and width of the images in pixels, as nets see them."""
        return self.pictures.side if self.pictures else DATA_SETS[self.dataset].side

    @property
    def most_per_class(self) -> int:
        """Training images of the class that has the fewest."""
        return min(self.pictures.train) if self.pictures else DATA_SETS[self.dataset].fewest

    @property
    def train_images(self) -> int:
        """Images that are trained on."""
        return self._all_images - (self._all_images // 10 if self.validation else 0)

    @property
    def test_images(self) -> int:
        """Images that are tested on."""
        return sum(self.pictures.test) if self.pictures else DATA_SETS[self.dataset].test

    @property
    def _all_images(self) -> int:
        if self.images_per_class:
            return self.classes * self.images_per_class
        return sum(self.pictures.train) if self.pictures else DATA_SETS[self.dataset].train
