"""Any folder of pictures as a data set: a folder a class, as torchvision's ImageFolder has it, with train/ and val/ or a split by seed.

    found = look(folder, side=64)  # Pictures: what is there; part of a training's configuration
    (train, labels), (test, test_labels) = read(found, folder)

Pictures are decoded once, brought to one size (the shorter side, then the square in the centre, as AlexNet's were: Krizhevsky et al. 2012,
section 2), and kept as bytes in the folder of downloads; a training reads them from there, mapped into memory, so that a set larger than
memory can be trained on.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from resnet_core import atomic
from resnet_core.config import Pictures
from resnet_core.errors import DataError, UserError
from resnet_core.language import tr
from resnet_core.system import cache_folder

if TYPE_CHECKING:
    import numpy as np

#: Endings of what is read (by its content then); what else lies in the folders is left out.
ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
TRAIN, TESTS = "train", ("val", "valid", "validation", "test")
#: Pictures of one folder, at most.
MOST = 5_000_000
#: Pictures that wait to be decoded: a pool would take the millions of a whole set at once.
_AT_ONCE = 1_000
#: Names of damaged pictures that a message spells out.
_NAMED = 5
#: In the folder of downloads: decoded pictures.
CACHE = "pictures"

Progress = Callable[[int, int], None]
_Files = list[tuple[str, int]]


def look(
    folder: Path | str,
    side: int,
    stored: int | None = None,
    test_part: float = 0.2,
    seed: int = 0,
    title: str | None = None,
) -> Pictures:
    """Tell what is in a folder, by names and sizes of files alone.

    Args:
        side: height and width that nets are to see, in pixels.
        stored: height and width at which the pictures are kept; ``side`` by default.
        test_part, seed: which part of each class is tested on, chosen how; for a folder without train/ and val/ (or test/).
        title: what to call it; the folder's name by default.

    Raises:
        DataError: it cannot be read, or there are no two classes with at least two pictures; says what is wrong.
    """
    root = Path(os.path.expanduser(folder))
    place, tested = _places(root)
    found = _classes(place, root)
    held = _classes(tested, root) if tested else {}
    if tested and set(found) != set(held):
        alone = sorted(set(found) ^ set(held))
        raise DataError(
            "{folder}: train/ and {tested}/ have not the same classes: {alone} in only one of them.",
            folder=root,
            tested=tested.name,
            alone=", ".join(alone[:_NAMED]),
        )
    need = 1 if tested else 2
    short = [name for name, files in {**held, **found}.items() if len(files) < need or (name in held and not held[name])]
    if len(found) < 2:
        raise DataError(
            "{folder}: there are no two folders with pictures in it. Each class has a folder of its own, with PNG, JPEG or WebP files.",
            folder=root,
        )
    if short:
        raise DataError(
            "{folder}: too few pictures in {classes}: a class needs one to train on and one to test on.",
            folder=root,
            classes=", ".join(sorted(short)[:_NAMED]),
        )
    if len(found) > 1000:
        raise DataError("{folder}: {classes:,} classes; at most 1,000 can be told apart here.", folder=root, classes=len(found))
    names = sorted(found)
    counts = [round(len(found[name]) * test_part) if not tested else 0 for name in names]
    counts = [min(max(count, 1), len(found[name]) - 1) if not tested else 0 for count, name in zip(counts, names, strict=True)]
    digest = hashlib.sha256()
    for path, size in (each for part in (found, held) for name in names for each in part.get(name, ())):
        digest.update(f"{size} {path}\n".encode("utf-8", "surrogateescape"))
    return Pictures(
        title=(title or root.resolve().name or str(root))[:255],
        class_names=tuple(names),
        train=tuple(len(found[name]) - count for name, count in zip(names, counts, strict=True)),
        test=tuple(len(held[name]) for name in names) if tested else tuple(counts),
        side=side,
        stored=stored or side,
        test_part=0.0 if tested else test_part,
        seed=seed,
        digest=digest.hexdigest(),
    )


def _places(root: Path) -> tuple[Path, Path | None]:
    """The folder of the classes' folders, and that of those to test on; None where a split is made."""
    if not (root / TRAIN).is_dir():
        return root, None
    return root / TRAIN, next((root / name for name in TESTS if (root / name).is_dir()), None)


def _classes(place: Path, root: Path) -> dict[str, _Files]:
    """Class -> its pictures' paths, from ``root`` on, and sizes; sorted."""
    try:
        names = sorted(each.name for each in os.scandir(place) if each.is_dir() and not each.name.startswith("."))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError("The folder of pictures {place} cannot be looked into: {reason}.", place=place, reason=reason) from error
    total, found = 0, {}
    for name in names:
        files = sorted(_files(place / name, root))
        total += len(files)
        if total > MOST:
            raise DataError("{place}: more than {most:,} pictures, the most that is read.", place=place, most=MOST)
        if files:
            found[name] = files
    return found


def _files(folder: Path, root: Path) -> Iterable[tuple[str, int]]:
    for place, inner, names in os.walk(folder):
        inner[:] = [each for each in inner if not each.startswith(".")]
        for name in names:
            if name.lower().endswith(ENDINGS) and not name.startswith("."):
                path = os.path.join(place, name)
                try:
                    yield os.path.relpath(path, root), os.stat(path).st_size
                except OSError:  # a link to nowhere
                    continue


def check(pictures: Pictures, folder: Path) -> None:
    """Raise DataError unless the folder holds the very pictures, by their names and sizes."""
    found = look(folder, pictures.side, pictures.stored, pictures.test_part or 0.2, pictures.seed)
    if found.digest != pictures.digest:
        raise DataError(
            "The pictures in {folder} are no longer those of {title}: files were added, removed or changed since. Look at the folder "
            "again, and train anew on what is there now.",
            folder=folder,
            title=pictures.title,
        )


def order(pictures: Pictures, folder: Path) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """The training and the test pictures, as paths from ``folder`` on and labels, each in an order that mixes the classes.

    Which pictures of a class are tested on, and the order, follow from the seed and the paths alone.
    """
    place, tested = _places(folder)
    found = _classes(place, folder)
    held = _classes(tested, folder) if tested else {}
    train, test = [], []
    for label, name in enumerate(pictures.class_names):
        ranked = sorted((_rank(pictures.seed, path), path) for path, _ in found[name])
        cut = 0 if tested else pictures.test[label]
        train += [(rank, path, label) for rank, path in ranked[cut:]]
        test += [(rank, path, label) for rank, path in ranked[:cut]]
        test += [(_rank(pictures.seed, path), path, label) for path, _ in held.get(name, ())]
    return [(path, label) for _, path, label in sorted(train)], [(path, label) for _, path, label in sorted(test)]


def _rank(seed: int, path: str) -> bytes:
    return hashlib.sha256(f"{seed}/{path}".encode("utf-8", "surrogateescape")).digest()


def cached(pictures: Pictures) -> Path:
    """Where the decoded pictures lie once they are."""
    told = (pictures.side, pictures.stored, pictures.test_part, pictures.seed)
    return _cache(pictures, hashlib.sha256(repr(told).encode()).hexdigest()[:16])


def _cache(pictures: Pictures, which: str) -> Path:
    return cache_folder() / CACHE / f"{pictures.digest[:32]}-{which}"


def read(pictures: Pictures, folder: Path, progress: Progress | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
    """The training pictures, uint8 (N, stored, stored, 3), and the test pictures, uint8 (M, side, side, 3), with labels, int64.

    The images are mapped into memory, to be read only: where they may be written to, the system refuses more of them than it has memory.
    The first time, all pictures are decoded.

    Args:
        progress: called with the pictures decoded and the pictures in all.

    Raises:
        DataError: the pictures are no longer there, some are damaged (names them), or there is no room for them.
    """
    import numpy as np

    check(pictures, folder)
    splits = order(pictures, folder)
    place = cached(pictures)
    if not place.is_dir():
        _decode(pictures, folder, splits, place, progress)
    found = []
    for name, files in zip(("train", "test"), splits, strict=True):
        images = np.load(place / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        found.append((images, np.array([label for _, label in files], dtype=np.int64)))
    return found


def _decode(
    pictures: Pictures, folder: Path, splits: tuple[list[tuple[str, int]], list[tuple[str, int]]], place: Path, progress: Progress | None
) -> None:
    """Write ``train.npy`` and ``test.npy`` into ``place``, whole or not at all."""
    from numpy.lib.format import open_memmap

    sides = {"train": pictures.stored, "test": pictures.side}
    total = sum(map(len, splits))
    need = sum(3 * len(files) * side**2 for files, side in zip(splits, sides.values(), strict=True))
    place.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(place.parent).free
    if need > free * 0.95:
        raise DataError(
            "The decoded pictures take {need:,.1f} GB in {place}, and {free:,.1f} GB are free there. Make room, or take a smaller size.",
            need=need / 1e9,
            place=place.parent,
            free=free / 1e9,
        )
    damaged: list[str] = []
    done = 0
    with atomic.new_folder(place) as part, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for (name, side), files in zip(sides.items(), splits, strict=True):
            images = open_memmap(part / f"{name}.npy", "w+", "uint8", (len(files), side, side, 3))
            parts = (files[start : start + _AT_ONCE] for start in range(0, len(files), _AT_ONCE))
            shaped = (made for some in parts for made in pool.map(lambda each, side=side: _shaped(folder / each[0], side), some))
            for i, made in enumerate(shaped):
                if isinstance(made, str):
                    damaged.append(made)
                else:
                    images[i] = made
                done += 1
                if progress is not None and (done % 20 == 0 or done == total):
                    progress(done, total)
            images.flush()
            del images
        if damaged:
            more = tr(" and {count:,} more", count=len(damaged) - _NAMED) if len(damaged) > _NAMED else ""
            raise DataError(
                "{title}: {count:,} of {total:,} pictures cannot be read: {named}{more}. Mend or remove them.",
                title=pictures.title,
                count=len(damaged),
                total=total,
                named="; ".join(damaged[:_NAMED]),
                more=more,
            )


def _shaped(path: Path, side: int) -> np.ndarray | str:
    """The square in a picture's centre, uint8 (side, side, 3); or what is wrong with the file."""
    import numpy as np
    from PIL import Image

    from resnet_core.images import read_file

    try:
        image = read_file(path, alone=False, least=2 * side).image
    except UserError as error:
        return str(error)
    width, height = image.size
    edge = min(width, height)
    left, top = (width - edge) // 2, (height - edge) // 2
    if (edge, edge) == (side, side):
        return np.asarray(image.crop((left, top, left + edge, top + edge)))
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR, box=(left, top, left + edge, top + edge)))


def forget(pictures: Pictures) -> None:
    """Remove what was decoded of these pictures, of whatever size and split."""
    every = _cache(pictures, "*")
    for place in every.parent.glob(every.name):
        shutil.rmtree(place, ignore_errors=True)
