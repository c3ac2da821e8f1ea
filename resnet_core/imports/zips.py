"""A zip archive is looked over before anything in it is unpickled: by its table of contents, and the pickle's text."""

from __future__ import annotations

import io
import pickletools
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path

from resnet_core.imports.limits import MAX_FILE_BYTES, MAX_PICKLE_BYTES, MAX_ZIP_ENTRIES
from resnet_core.imports.refusal import ImportRefused, listed, shown
from resnet_core.language import mark, tr
from resnet_core.nets.folder import CARD, CONFIG, README, RECORDS, WEIGHTS

#: What an archive of ours holds (``resnet_core.nets.export.archive``), in one folder.
_EXPORTED = {WEIGHTS, CARD, CONFIG, RECORDS, README}
RESAVE = mark("Save only the state_dict: torch.save(model.state_dict(), 'weights.pt').")
#: What numpy 1 and 2 pickle a scalar or an array with.
NUMPY_NAMES = {"numpy.dtype", "numpy.ndarray"} | {
    f"numpy.{core}.{name}" for core in ("core", "_core") for name in ("multiarray.scalar", "multiarray._reconstruct", "numeric._frombuffer")
}
#: Beside torch's own functions, these names are in the pickle of a state_dict. What else is named needs code of somebody.
_PLAIN = {"collections.OrderedDict", "_codecs.encode", "__builtin__.set", "builtins.set"} | NUMPY_NAMES
_CALLS = {"os", "posix", "nt", "subprocess", "builtins", "__builtin__", "sys", "runpy", "importlib", "socket", "shutil", "pty", "ctypes"}


def exported_weights(path: Path) -> Path | None:
    """The weights of an archive that *Everything (zip)* wrote, unpacked into a temporary file; None if it is no such archive.

    Raises:
        ImportRefused: it is one, but is damaged or too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            found = [entry for entry in entries if entry.filename.endswith(f"/{WEIGHTS}")]
            if len(entries) > len(_EXPORTED) or len(found) != 1 or not {e.filename.rpartition("/")[2] for e in entries} <= _EXPORTED:
                return None
            if found[0].file_size > MAX_FILE_BYTES:
                raise ImportRefused(
                    "Its {weights} has {file_size:,} bytes; at most {max_file_bytes:,} are read.",
                    weights=WEIGHTS,
                    file_size=found[0].file_size,
                    max_file_bytes=MAX_FILE_BYTES,
                )
            with archive.open(found[0]) as packed, tempfile.NamedTemporaryFile(suffix=".safetensors", delete=False) as file:
                shutil.copyfileobj(packed, file)
            return Path(file.name)
    except zipfile.BadZipFile as error:
        if "CRC" in str(error):
            raise ImportRefused("Its {weights} is not the one that was saved (CRC-32): the file is damaged.", weights=WEIGHTS) from error
        return None
    except ValueError:  # of a name that is no text, for one: ``check_zip`` says what is wrong
        return None
    except (zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ImportRefused(
            "Its {weights} cannot be unpacked ({error}): the file is damaged.", weights=WEIGHTS, error=str(error)[:100]
        ) from error


def check_zip(path: Path) -> list[str]:
    """Whether this is an archive of ``torch.save`` that is whole, holds no more than it has, and asks for no other code than torch's.

    Returns:
        Notes.

    Raises:
        ImportRefused: it is not; says what it is instead, where that is known.
    """
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ZIP_ENTRIES:
                raise ImportRefused(
                    "Its zip archive has {entries:,} entries; at most {max_zip_entries:,} are read.",
                    entries=len(entries),
                    max_zip_entries=MAX_ZIP_ENTRIES,
                )
            _check_kind([entry.filename for entry in entries])
            _check_entries(entries, size)
            pickles = [entry for entry in entries if entry.filename.count("/") == 1 and entry.filename.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise ImportRefused(_no_pickle([entry.filename for entry in entries], len(pickles)))
            if pickles[0].file_size > MAX_PICKLE_BYTES:
                raise ImportRefused(
                    "Its data.pkl has {file_size:,} bytes; at most {max_pickle_bytes:,} are read.",
                    file_size=pickles[0].file_size,
                    max_pickle_bytes=MAX_PICKLE_BYTES,
                )
            # Without sums (torch.serialization.set_crc32_options) every entry says 0, and nothing can be compared.
            summed = any(entry.CRC for entry in entries)
            if summed and (wrong := archive.testzip()) is not None:
                raise ImportRefused(
                    "Entry {wrong} of its zip archive is not the one that was saved (CRC-32): the file is damaged.", wrong=shown(wrong)
                )
            with archive.open(_unsummed(pickles[0])) as file:
                check_pickle(file.read())
            return [] if summed else [tr("Its zip archive was written without checksums: damage would not be noticed.")]
    except ImportRefused:
        raise
    except Exception as error:  # nearly anything: a name in it that is no text, an offset behind its end
        raise ImportRefused("It begins as a zip archive, but is truncated or damaged ({error}).", error=error) from error


def as_checked(path: Path) -> io.BytesIO:
    """The archive written anew, entry by entry, as ``check_zip`` has read it: torch has a reader of its own, which may see other entries
    in the same bytes (of one that a flipped bit calls a folder it makes whatever was in memory)."""
    held = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(held, "w") as new:
        for entry in old.infolist():
            with old.open(_unsummed(entry)) as file:
                new.writestr(zipfile.ZipInfo(entry.filename), file.read())
    held.seek(0)
    return held


def _check_kind(names: list[str]) -> None:
    """Relatives of ``torch.save``'s archives, told by the names in them whatever their size. Raises ImportRefused for one."""
    inner = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inner or any(name.startswith("code/") for name in inner):
        raise ImportRefused(
            "It is a TorchScript archive: it holds a program beside the weights, and is not opened. {resave}", resave=RESAVE
        )
    exported = "serialized_exported_program.json" in names or any(name.startswith("models/") and name.endswith(".json") for name in inner)
    if exported or "archive_format" in inner:
        raise ImportRefused(
            "It was written by torch.export: it holds a graph beside the weights, and is not opened. {resave}", resave=RESAVE
        )
    if ".data/extern_modules" in inner:
        raise ImportRefused(
            "It was written by torch.package: it holds a program beside the weights, and is not opened. {resave}", resave=RESAVE
        )
    if "MAR-INF/MANIFEST.json" in names:
        raise ImportRefused("It is a TorchServe archive (.mar); unpack the state_dict from it first.")
    if "model.weights.h5" in names:
        raise ImportRefused("It is a Keras archive (.keras). Expected is what torch.save writes, or a safetensors file.")


def _unsummed(entry: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """The entry as one whose sum is not compared, which has been done or cannot be."""
    entry.CRC = None  # type: ignore[assignment]  # zipfile compares no sum where there is None; its types do not say so
    return entry


def _check_entries(entries: list[zipfile.ZipInfo], size: int) -> None:
    declared = sum(entry.file_size for entry in entries)
    if declared > size:
        raise ImportRefused(
            "Its zip archive would unpack to {declared:,} bytes, out of a file of {size:,}: a zip bomb.", declared=declared, size=size
        )
    seen: set[str] = set()
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED:
            raise ImportRefused(
                "Entry {filename} of its zip archive is compressed, which torch.save never does.", filename=shown(entry.filename)
            )
        if entry.filename in seen:
            raise ImportRefused("Its zip archive has two entries called {filename}.", filename=shown(entry.filename))
        seen.add(entry.filename)


def _no_pickle(names: list[str], pickles: int) -> str:
    if pickles:
        return tr("Its zip archive holds {pickles} pickles where torch.save writes one.", pickles=pickles)
    if not names:
        return tr("It is an empty zip archive.")
    if all(name.endswith(".npy") for name in names):
        return tr(
            "It is a numpy archive (.npz) of {listed}. Expected is what torch.save writes, or a safetensors file.", listed=listed(names)
        )
    return tr("It is a zip archive that torch.save did not write: there is no data.pkl, but {listed}.", listed=listed(names))


def check_pickle(content: bytes) -> int:
    """Whether a pickle names only what a state_dict needs, without running it.

    Returns:
        Where it ends in ``content``.

    Raises:
        ImportRefused: it names something else, says what; or it is damaged.
    """
    names: list[str] = []
    strings: list[str] = []
    end = 0
    try:
        for opcode, argument, position in pickletools.genops(content):
            if opcode.name in ("GLOBAL", "INST"):
                names.append(str(argument).replace(" ", ".", 1))
            elif opcode.name == "STACK_GLOBAL":  # its names lie on the stack; these are the last two texts, as every pickler writes them
                names.append(".".join(strings[-2:]))
            elif opcode.name.startswith("EXT"):
                names.append(tr("extension {argument}", argument=argument))
            elif isinstance(argument, str):
                strings = [*strings[-1:], argument]
            end = (position or 0) + 1
    except Exception as error:  # nearly anything
        raise ImportRefused("Its pickle is truncated or damaged ({error}).", error=error) from error
    _check_names(names)
    return end


def _check_names(names: list[str]) -> None:
    modules = [name for name in names if ".nn.modules." in name or name.startswith("torchvision.models")]
    foreign = [name for name in names if not name.startswith("torch.") and name not in _PLAIN]
    for name in foreign:
        if name.split(".")[0] in _CALLS:
            raise ImportRefused(
                "Its pickle asks for {name}, which no weights need; it was not run. Do not trust this file.", name=shown(name)
            )
    if modules:
        parts = listed(dict.fromkeys([*foreign, *modules]), 2)
        raise ImportRefused(
            "It is a whole pickled model (with {parts}), which only its own code could load. {resave}", parts=parts, resave=RESAVE
        )
    if foreign:
        raise ImportRefused(
            "Its pickle needs {foreign}, which is not torch's and was not loaded. {resave}", foreign=shown(foreign[0]), resave=RESAVE
        )
