"""Where a data set lies and whether it is whole. Standard library only: pages and the command line ask before each training.

The official layouts, of which ``resnet_core.datasets`` lists the files:

- binary (CIFAR): records of a label, or of CIFAR-100 a coarse and a fine one, and 1,024 bytes each of red, green and blue, row by row;
- python (CIFAR): pickled dictionaries with ``data`` (uint8, images x 3,072) and ``labels`` or ``fine_labels``;
- idx (MNIST, Fashion-MNIST): a magic number, the sizes, the bytes; packed with gzip or not;
- mat (SVHN, cropped digits): MATLAB's, with ``X`` (32 x 32 x 3 x images) and ``y`` (1 to 10, where 10 is the digit 0).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from resnet_core.config import DataConfig
from resnet_core.datasets import CIFAR10_CLASSES, DATA_SETS, DEBIAN_FASHION, PICTURES, DataSet, File, Layout
from resnet_core.errors import DataError
from resnet_core.language import mark, tr

CLASSES = CIFAR10_CLASSES
ENVIRONMENT = "RESNET_LAB_DATA"
_PACKED = ".gz"


def by_hand(dataset: DataSet) -> str:
    """Say how to get a data set without us."""
    names = [each.name for each in dataset.fetched]
    if names[0].endswith(".tar.gz"):
        return tr(
            "fetch {archive} from {homepage}, unpack it (tar -xzf {archive}), and name the folder with --data-dir or {environment}; "
            "or train on the embedded sample, which needs neither network nor folder",
            archive=names[0],
            homepage=dataset.homepage,
            environment=ENVIRONMENT,
        )
    return tr(
        "fetch {files} from {homepage}, and name the folder with --data-dir or {environment}; "
        "or train on the embedded sample, which needs neither network nor folder",
        files=", ".join(names),
        homepage=dataset.homepage,
        environment=ENVIRONMENT,
    )


def file_in(folder: Path, file: File) -> Path:
    """Where a file of a layout lies in its folder: by its own name or, of IDX files, packed."""
    path = folder / file.name
    packed = folder / (file.name + _PACKED)
    return packed if packed.is_file() and not path.is_file() else path


def _size_problem(layout: Layout, file: File, path: Path, size: int) -> str | None:
    """What is wrong with a file of ``size`` bytes, if its size alone shows it."""
    expected: int | None = None
    if layout.read == "binary":
        expected = file.images * (int(layout.labels) + 1 + layout.pixels)
    elif layout.read == "idx" and path.suffix != _PACKED:
        expected = 16 + file.images * layout.pixels if "images" in file.name else 8 + file.images
    elif layout.read == "mat" and file.official:
        # MATLAB packs the pixels, as well as it can.
        return tr("short: {size:,} bytes", size=size) if size < file.official[0] // 2 else None
    if expected is not None and size != expected:
        return tr(
            mark("short: {size:,} bytes instead of {expected:,}")
            if size < expected
            else mark("too long: {size:,} bytes instead of {expected:,}"),
            size=size,
            expected=expected,
        )
    if layout.read == "python" and size < file.images * layout.pixels:
        # A pickle's length depends on who wrote it, but the pixels stand in it uncompressed.
        return tr("short: {size:,} bytes, and the pixels alone take {expected:,}", size=size, expected=file.images * layout.pixels)
    return None


def _problems(layout: Layout, folder: Path) -> list[str]:
    """``name (what is wrong)`` for every file of the layout that is missing, unreadable or of a wrong size."""
    found = []
    for file in layout.files:
        path = file_in(folder, file)
        try:
            problem = _size_problem(layout, file, path, path.stat().st_size) if path.is_file() else tr("missing")
            if problem is None and not os.access(path, os.R_OK):
                problem = tr("no permission to read it")
        except OSError as error:
            problem = error.strerror or str(error)
        if problem:
            found.append(f"{file.name} ({problem})")
    return found


def default_folder() -> Path:
    """Where a download goes: ``$XDG_CACHE_HOME/resnet-lab``, by default ``~/.cache/resnet-lab``."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.path.expanduser(cache)) / "resnet-lab"


def _candidates(folder: Path, dataset: DataSet) -> list[tuple[Layout, Path]]:
    """Layouts of which ``folder``, or its child with the official name, holds at least one file; fullest first."""
    places = [(layout, place) for layout in dataset.layouts for place in (folder, *(folder / name for name in layout.folders))]
    counted = [(layout, place, sum(file_in(place, file).is_file() for file in layout.files)) for layout, place in places]
    # An unpacked folder without a single file of the set still tells what the user meant.
    here = [c for c in counted if c[2] or (c[1] != folder and c[1].is_dir())]
    return [(layout, place) for layout, place, _ in sorted(here, key=lambda c: -c[2])]


def find(folder: Path, dataset: DataSet) -> tuple[Layout, Path]:
    """The layout in ``folder`` (the layout's folder or its parent) of which all files are there and of the right size.

    Raises:
        DataError: there is none; names every missing or short file of the layout that is nearest to being whole.
    """
    title, by = dataset.title, by_hand(dataset)
    try:
        candidates = _candidates(folder, dataset) if stat.S_ISDIR(folder.stat().st_mode) else None
    except (OSError, ValueError) as error:  # no such folder, no permission, no possible name
        reason = getattr(error, "strerror", None) or tr("that is no name for a folder")
        what = tr("does not exist") if isinstance(error, FileNotFoundError) else tr("cannot be looked into ({reason})", reason=reason)
        raise DataError(
            "The data folder {shown} {what}. For the full {title}, {by_hand}.", shown=_shown(folder), what=what, title=title, by_hand=by
        ) from error
    if candidates is None:
        raise DataError(
            "The data folder {shown} is a file, not a folder. For the full {title}, {by_hand}.",
            shown=_shown(folder),
            title=title,
            by_hand=by,
        )
    complaint = None
    for layout, place in candidates:
        problems = _problems(layout, place)
        if not problems:
            return layout, place
        complaint = complaint or (
            tr(
                "{title} in {place} ({name} layout) is not whole: {problems}. Copy or unpack these files again, or "
                "download the set anew; by hand: {by_hand}.",
                title=title,
                place=place,
                name=layout.name,
                problems=", ".join(problems),
                by_hand=by,
            )
        )
    if complaint:
        raise DataError(complaint)
    archives = {name for each in dataset.fetched for name in (each.name, each.name.replace("python", "binary"))}
    packed = [name for name in sorted(archives) if name.endswith(".tar.gz") and (folder / name).is_file()]
    if packed:
        raise DataError("{folder} holds {packed}, still packed. Unpack it there first: tar -xzf {packed}", folder=folder, packed=packed[0])
    raise DataError(
        "{folder} holds no {title}: neither {names}, nor the files ({files}, ...). For the full set, {by_hand}.",
        folder=folder,
        title=title,
        names=", ".join(name for layout in dataset.layouts for name in layout.folders),
        files=", ".join(layout.files[0].name for layout in dataset.layouts),
        by_hand=by,
    )


def _shown(path: Path) -> str:
    """Shorten a long name to its beginning; what is no text is spelled out."""
    text = str(path).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= 200 else f"{text[:199]}…"


def is_whole(folder: Path, dataset: DataSet) -> bool:
    """Tell whether a folder holds a whole copy of a data set."""
    try:
        find(folder, dataset)
    except DataError:
        return False
    return True


def resolve_data_dir(data_dir: Path | str | None = None, key: str = "cifar10") -> Path | None:
    """The folder to read a data set from: the argument, else ``RESNET_LAB_DATA``, else the folder of downloads if it
    holds a whole copy, else None. A folder that was named is returned even if it is wrong, so that the error can name it; but the
    environment's may be there for another data set, and a whole copy elsewhere goes before it then."""
    if data_dir is not None and str(data_dir):
        return Path(os.path.expanduser(data_dir))
    named = Path(os.path.expanduser(os.environ[ENVIRONMENT])) if os.environ.get(ENVIRONMENT) else None
    if key == PICTURES:
        return named
    dataset = DATA_SETS[key]
    elsewhere = [default_folder(), *([Path(DEBIAN_FASHION)] if key == "fashion" else [])]
    if named is not None and (key == "cifar10" or _candidates_or_none(named, dataset)):
        return named
    whole = next((find(place, dataset)[1] for place in elsewhere if is_whole(place, dataset)), None)
    return whole or named


def _candidates_or_none(folder: Path, dataset: DataSet) -> list[tuple[Layout, Path]]:
    try:
        return _candidates(folder, dataset)
    except (OSError, ValueError):
        return []


def require_data_dir(data_dir: Path | str | None = None, key: str = "cifar10") -> Path:
    """``resolve_data_dir``, or a DataError that says where was looked and what to do."""
    folder = resolve_data_dir(data_dir, key)
    if folder is not None:
        return folder
    if key == PICTURES:
        raise DataError(
            "No folder with the pictures was named: say where it lies with --data-dir or {environment}.", environment=ENVIRONMENT
        )
    raise DataError(
        "The full {title} was not found: no --data-dir was given, {environment} is not set, and "
        "{default_folder} holds no whole copy. Download it, or {by_hand}.",
        title=DATA_SETS[key].title,
        environment=ENVIRONMENT,
        default_folder=default_folder(),
        by_hand=by_hand(DATA_SETS[key]),
    )


def check(config: DataConfig, data_dir: Path | str | None = None) -> None:
    """Whether the data of ``config`` are there, by existence and size: milliseconds, without torch. ``load`` looks inside too.

    Raises:
        DataError: names every missing or short file, and what to do.
    """
    if config.pictures is not None:
        from resnet_core.data import pictures

        pictures.check(config.pictures, require_data_dir(data_dir, PICTURES))
    elif DATA_SETS[config.dataset].embedded:
        from resnet_core.data import sample

        sample.check(config.dataset)
    else:
        find(require_data_dir(data_dir, config.dataset), DATA_SETS[config.dataset])
