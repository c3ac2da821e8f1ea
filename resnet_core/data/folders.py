"""Where a CIFAR-10 lies and whether it is whole. Standard library only: pages and the command line ask before each training.

The two official layouts (https://www.cs.toronto.edu/~kriz/cifar.html):

- binary, ``cifar-10-batches-bin``: ``data_batch_1.bin`` to ``data_batch_5.bin`` and ``test_batch.bin``, each 10,000 records of
  3,073 bytes: a label (0 to 9), then 1,024 bytes each of red, green and blue, row by row;
- python, ``cifar-10-batches-py``: the same names without ``.bin``, each a pickled dictionary with ``data`` (uint8, 10,000 x 3,072)
  and ``labels``.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from resnet_core.config import DataConfig
from resnet_core.errors import DataError
from resnet_core.language import mark, tr

CLASSES = (
    mark("airplane"), mark("automobile"), mark("bird"), mark("cat"), mark("deer"), mark("dog"), mark("frog"), mark("horse"), mark("ship"),
    mark("truck"),
)  # fmt: skip
#: Bytes of one image: 3 channels of 32 x 32.
PIXELS = 3 * 32 * 32
IMAGES_PER_FILE = 10_000
TRAIN_BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")
TEST_BATCHES = ("test_batch",)
ARCHIVES = ("cifar-10-python.tar.gz", "cifar-10-binary.tar.gz")
HOMEPAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
ENVIRONMENT = "RESNET_LAB_DATA"
BY_HAND = mark(
    "fetch {archive} from {homepage}, unpack it (tar -xzf {archive}), and name the folder with --data-dir or {environment}; "
    "or train on the embedded sample, which needs neither network nor folder",
    archive=ARCHIVES[0],
    homepage=HOMEPAGE,
    environment=ENVIRONMENT,
)


@dataclass(frozen=True)
class Layout:
    """One of the two official forms. ``folder`` is the name that the official archive unpacks to."""

    name: str
    folder: str
    suffix: str

    def files(self, batches: tuple[str, ...] = TRAIN_BATCHES + TEST_BATCHES) -> list[str]:
        return [batch + self.suffix for batch in batches]

    def size_problem(self, size: int) -> str | None:
        """What is wrong with a file of ``size`` bytes, if its size alone shows it."""
        if self.suffix == ".bin":
            expected = IMAGES_PER_FILE * (PIXELS + 1)
            if size != expected:
                return tr(
                    mark("short: {size:,} bytes instead of {expected:,}")
                    if size < expected
                    else mark("too long: {size:,} bytes instead of {expected:,}"),
                    size=size,
                    expected=expected,
                )
        elif size < IMAGES_PER_FILE * PIXELS:
            # A pickle's length depends on who wrote it, but the pixels stand in it uncompressed.
            return tr(
                "short: {size:,} bytes, and the pixels alone take {images_per_file:,}", size=size, images_per_file=IMAGES_PER_FILE * PIXELS
            )
        return None

    def problems(self, folder: Path) -> list[str]:
        """``name (what is wrong)`` for every file of the layout that is missing, unreadable or of a wrong size."""
        found = []
        for name in self.files():
            path = folder / name
            try:
                problem = self.size_problem(path.stat().st_size) if path.is_file() else "missing"
                if problem is None and not os.access(path, os.R_OK):
                    problem = tr("no permission to read it")
            except OSError as error:
                problem = error.strerror or str(error)
            if problem:
                found.append(f"{name} ({problem})")
        return found


BINARY = Layout("binary", "cifar-10-batches-bin", ".bin")
PYTHON = Layout("python", "cifar-10-batches-py", "")


def default_folder() -> Path:
    """Where a download goes: ``$XDG_CACHE_HOME/resnet-lab``, by default ``~/.cache/resnet-lab``."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.path.expanduser(cache)) / "resnet-lab"


def _candidates(folder: Path) -> list[tuple[Layout, Path, int]]:
    """Layouts of which ``folder``, or its child with the official name, holds at least one file; fullest first."""
    places = [(layout, place) for layout in (BINARY, PYTHON) for place in (folder, folder / layout.folder)]
    counted = [(layout, place, sum((place / name).is_file() for name in layout.files())) for layout, place in places]
    # An unpacked folder without a single file of the set still tells what the user meant.
    here = [c for c in counted if c[2] or (c[1] != folder and c[1].is_dir())]
    return sorted(here, key=lambda c: -c[2])


def find(folder: Path) -> tuple[Layout, Path]:
    """The layout in ``folder`` (the layout's folder or its parent) of which all files are there and of the right size.

    Raises:
        DataError: there is none; names every missing or short file of the layout that is nearest to being whole.
    """
    try:
        candidates = _candidates(folder) if stat.S_ISDIR(folder.stat().st_mode) else None
    except (OSError, ValueError) as error:  # no such folder, no permission, no possible name
        reason = getattr(error, "strerror", None) or tr("that is no name for a folder")
        what = tr("does not exist") if isinstance(error, FileNotFoundError) else tr("cannot be looked into ({reason})", reason=reason)
        raise DataError(
            "The data folder {shown} {what}. For the full CIFAR-10, {by_hand}.", shown=_shown(folder), what=what, by_hand=BY_HAND
        ) from error
    if candidates is None:
        raise DataError(
            "The data folder {shown} is a file, not a folder. For the full CIFAR-10, {by_hand}.", shown=_shown(folder), by_hand=BY_HAND
        )
    complaint = None
    for layout, place, _ in candidates:
        problems = layout.problems(place)
        if not problems:
            return layout, place
        complaint = complaint or (
            tr(
                "CIFAR-10 in {place} ({name} layout) is not whole: {problems}. Copy or unpack these files again, or "
                "download the set anew; by hand: {by_hand}.",
                place=place,
                name=layout.name,
                problems=", ".join(problems),
                by_hand=BY_HAND,
            )
        )
    if complaint:
        raise DataError(complaint)
    packed = [name for name in ARCHIVES if (folder / name).is_file()]
    if packed:
        raise DataError("{folder} holds {packed}, still packed. Unpack it there first: tar -xzf {packed}", folder=folder, packed=packed[0])
    raise DataError(
        "{folder} holds no CIFAR-10: neither {folder2} ({files}, ...) nor {folder3} ({files2}, ...), nor "
        "their files. For the full set, {by_hand}.",
        folder=folder,
        folder2=BINARY.folder,
        files=BINARY.files()[0],
        folder3=PYTHON.folder,
        files2=PYTHON.files()[0],
        by_hand=BY_HAND,
    )


def _shown(path: Path) -> str:
    """Shorten a long name to its beginning; what is no text is spelled out."""
    text = str(path).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= 200 else f"{text[:199]}…"


def resolve_data_dir(data_dir: Path | str | None = None) -> Path | None:
    """The folder to read the full CIFAR-10 from: the argument, else ``RESNET_LAB_DATA``, else the folder of downloads if it
    holds a whole copy, else None. A folder that was named is returned even if it is wrong, so that the error can name it."""
    if data_dir is not None and str(data_dir):
        return Path(os.path.expanduser(data_dir))
    if os.environ.get(ENVIRONMENT):
        return Path(os.path.expanduser(os.environ[ENVIRONMENT]))
    try:
        return find(default_folder())[1]
    except DataError:
        return None


def require_data_dir(data_dir: Path | str | None = None) -> Path:
    """``resolve_data_dir``, or a DataError that says where was looked and what to do."""
    folder = resolve_data_dir(data_dir)
    if folder is not None:
        return folder
    raise DataError(
        "The full CIFAR-10 was not found: no --data-dir was given, {environment} is not set, and "
        "{default_folder} holds no whole copy. Download it, or {by_hand}.",
        environment=ENVIRONMENT,
        default_folder=default_folder(),
        by_hand=BY_HAND,
    )


def check(config: DataConfig, data_dir: Path | str | None = None) -> None:
    """Whether the data of ``config`` are there, by existence and size: milliseconds, without torch. ``load`` looks inside too.

    Raises:
        DataError: names every missing or short file, and what to do.
    """
    if config.dataset == "sample":
        from resnet_core.data import sample

        sample.check()
    else:
        find(require_data_dir(data_dir))
