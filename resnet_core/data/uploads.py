"""An uploaded zip of pictures, read without trust: looked over by its table of contents, then unpacked picture by picture.

Every entry must be a PNG, JPEG or WebP file (told by its content) in the folder of its class; what systems put into archives of their own
accord is left out. Nothing is written outside of the folder that it is unpacked into, and nothing that is larger than was announced.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING

from resnet_core.data.pictures import ENDINGS
from resnet_core.errors import DataError
from resnet_core.images import MAX_FILE_BYTES, safe_name, sniff
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    from pathlib import Path

#: Of one archive: entries, and bytes of all that is in it.
MOST_ENTRIES = 50_000
MOST_BYTES = 4 << 30
#: PNG, JPEG and WebP are compressed already: what unpacks to more than this many times its size is none.
_MOST_RATIO = 50
_DEEPEST = 6
#: Files that macOS, Windows and file managers put into archives.
_LEFT_OUT = {"thumbs.db", "desktop.ini", ".ds_store"}
_HOW = mark("Zip a folder that has a folder for each class, with PNG, JPEG or WebP files in it.")


def unpack(file: IO[bytes], folder: Path) -> int:
    """Unpack the pictures of a zip archive into an empty folder, without a folder around all of them. Returns how many there are.

    Raises:
        DataError: it is no archive of pictures; names the entry and says what is wrong with it. The folder may hold some of them then.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            entries = _checked(archive.infolist())
            outer = _outer(entries)
            for entry in entries:
                _extract(archive, entry, folder.joinpath(*_parts(entry)[outer:]))
            return len(entries)
    except zipfile.BadZipFile as error:
        raise DataError("This is no zip archive, or a damaged one ({error}). {how}", error=error, how=_HOW) from error
    except (zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise DataError("The zip archive cannot be unpacked ({error}): it is damaged. {how}", error=str(error)[:100], how=_HOW) from error


def _refused(entry: zipfile.ZipInfo, why: str) -> DataError:
    return DataError("{name}: {why}. Nothing of the archive was taken.", name=safe_name(entry.filename), why=why)


def _parts(entry: zipfile.ZipInfo) -> tuple[str, ...]:
    return PurePosixPath(entry.filename).parts


def _checked(all_entries: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """The entries that are pictures by their names and sizes. Raises DataError for one that is not, or may not be unpacked."""
    if len(all_entries) > MOST_ENTRIES:
        raise DataError("The zip archive has {entries:,} entries; at most {most:,} are read.", entries=len(all_entries), most=MOST_ENTRIES)
    kept, total, seen = [], 0, set()
    for entry in all_entries:
        # ZipFile cuts a name at a zero byte; what was written is what counts.
        name, parts = entry.orig_filename, _parts(entry)
        if name.startswith(("/", "\\")) or "\\" in name or ".." in name.split("/") or "\0" in name or ":" in parts[0]:
            raise _refused(entry, tr("its path leads out of the archive's folder"))
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise _refused(entry, tr("it is a link, and no picture"))
        if entry.is_dir() or "__MACOSX" in parts or parts[-1].lower() in _LEFT_OUT:
            continue
        if entry.flag_bits & 1:
            raise _refused(entry, tr("it is encrypted; save the archive without a password"))
        if not name.lower().endswith(ENDINGS):
            raise _refused(entry, tr("its name is not that of a PNG, JPEG or WebP file; remove it from the archive"))
        if len(parts) > _DEEPEST or any(len(os.fsencode(part)) > 200 for part in parts):
            raise _refused(entry, tr("it lies more than {deepest} folders deep, or has a name that is too long", deepest=_DEEPEST))
        if "/".join(parts).lower() in seen:
            raise _refused(entry, tr("it is in the archive twice"))
        if entry.file_size > MAX_FILE_BYTES:
            raise _refused(entry, tr("it has {size:,} bytes; at most {most:,} are read", size=entry.file_size, most=MAX_FILE_BYTES))
        if entry.file_size > _MOST_RATIO * max(entry.compress_size, 1) + 100_000:
            raise _refused(
                entry, tr("it unpacks to {times:,} times its size, as no picture does", times=entry.file_size // entry.compress_size)
            )
        seen.add("/".join(parts).lower())
        total += entry.file_size
        kept.append(entry)
    if total > MOST_BYTES:
        raise DataError("The zip archive holds {total:.1f} GB; at most {most:.1f} GB are read.", total=total / 1e9, most=MOST_BYTES / 1e9)
    if not kept:
        raise DataError("There is no picture in the zip archive. {how}", how=_HOW)
    return kept


def _outer(entries: list[zipfile.ZipInfo]) -> int:
    """How many folders lie around all classes: archives often hold one folder with everything in it.

    Raises:
        DataError: a picture lies in no class's folder.
    """
    paths = [_parts(entry) for entry in entries]
    outer = 0
    while min(map(len, paths)) > outer + 2 and len({path[outer] for path in paths}) == 1:
        outer += 1
    loose = next((entry for entry, path in zip(entries, paths, strict=True) if len(path) < outer + 2), None)
    if loose is not None:
        raise _refused(loose, tr("it lies in no folder of a class"))
    return outer


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    with archive.open(entry) as packed:
        content = packed.read(entry.file_size + 1)  # reads the end too, where the checksum is compared
    if len(content) != entry.file_size:
        raise _refused(entry, tr("it has another size than the archive says"))
    if sniff.kind_of(content) is None:
        what = sniff.described(content)
        raise _refused(
            entry, tr("it is {what}, and no PNG, JPEG or WebP file", what=what) if what else tr("it is no picture, whatever its name")
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
