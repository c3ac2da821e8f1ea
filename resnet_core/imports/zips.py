"""A zip archive is looked over before anything in it is unpickled: by its table of contents, and the pickle's text."""

from __future__ import annotations

import pickletools
import zipfile
from pathlib import Path

from resnet_core.imports.limits import MAX_PICKLE_BYTES, MAX_ZIP_ENTRIES
from resnet_core.imports.refusal import ImportRefused, listed, shown

RESAVE = "Save only the state_dict: torch.save(model.state_dict(), 'weights.pt')."
#: Beside torch's own functions, these names are in the pickle of a state_dict. What else is named needs code of somebody.
_PLAIN = {"collections.OrderedDict", "_codecs.encode", "__builtin__.set", "builtins.set"}
_CALLS = {"os", "posix", "nt", "subprocess", "builtins", "__builtin__", "sys", "runpy", "importlib", "socket", "shutil", "pty", "ctypes"}


def check_zip(path: Path) -> None:
    """Whether this is an archive of ``torch.save`` that holds no more than it has, and asks for no other code than torch's.

    Raises:
        ImportRefused: it is not.
    """
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check_entries(entries, size)
            pickles = [entry for entry in entries if entry.filename.count("/") == 1 and entry.filename.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise ImportRefused(_no_pickle([entry.filename for entry in entries], len(pickles)))
            root = pickles[0].filename.removesuffix("data.pkl")
            names = {entry.filename for entry in entries}
            if f"{root}constants.pkl" in names or any(name.startswith(f"{root}code/") for name in names):
                raise ImportRefused(f"It is a TorchScript archive: it holds a program beside the weights, and is not opened. {RESAVE}")
            if pickles[0].file_size > MAX_PICKLE_BYTES:
                raise ImportRefused(f"Its data.pkl has {pickles[0].file_size:,} bytes; at most {MAX_PICKLE_BYTES:,} are read.")
            check_pickle(archive.read(pickles[0]))
    except ImportRefused:
        raise
    except Exception as error:  # nearly anything: a name in it that is no text, an offset behind its end
        raise ImportRefused(f"It begins as a zip archive, but is truncated or damaged ({error}).") from error


def _check_entries(entries: list[zipfile.ZipInfo], size: int) -> None:
    if len(entries) > MAX_ZIP_ENTRIES:
        raise ImportRefused(f"Its zip archive has {len(entries):,} entries; at most {MAX_ZIP_ENTRIES:,} are read.")
    declared = sum(entry.file_size for entry in entries)
    if declared > size:
        raise ImportRefused(f"Its zip archive would unpack to {declared:,} bytes, out of a file of {size:,}: a zip bomb.")
    seen: set[str] = set()
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED:
            raise ImportRefused(f"Entry {shown(entry.filename)} of its zip archive is compressed, which torch.save never does.")
        if entry.filename in seen:
            raise ImportRefused(f"Its zip archive has two entries called {shown(entry.filename)}.")
        seen.add(entry.filename)


def _no_pickle(names: list[str], pickles: int) -> str:
    if pickles:
        return f"Its zip archive holds {pickles} pickles where torch.save writes one."
    if not names:
        return "It is an empty zip archive."
    if all(name.endswith(".npy") for name in names):
        return f"It is a numpy archive (.npz) of {listed(names)}. Expected is what torch.save writes, or a safetensors file."
    return f"It is a zip archive that torch.save did not write: there is no data.pkl, but {listed(names)}."


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
                names.append(f"extension {argument}")
            elif isinstance(argument, str):
                strings = [*strings[-1:], argument]
            end = (position or 0) + 1
    except Exception as error:  # nearly anything
        raise ImportRefused(f"Its pickle is truncated or damaged ({error}).") from error
    _check_names(names)
    return end


def _check_names(names: list[str]) -> None:
    modules = [name for name in names if ".nn.modules." in name or name.startswith("torchvision.models")]
    foreign = [name for name in names if not name.startswith("torch.") and name not in _PLAIN]
    for name in foreign:
        if name.split(".")[0] in _CALLS:
            raise ImportRefused(f"Its pickle asks for {shown(name)}, which no weights need; it was not run. Do not trust this file.")
    if modules:
        parts = listed(dict.fromkeys([*foreign, *modules]), 2)
        raise ImportRefused(f"It is a whole pickled model (with {parts}), which only its own code could load. {RESAVE}")
    if foreign:
        raise ImportRefused(f"Its pickle needs {shown(foreign[0])}, which is not torch's and was not loaded. {RESAVE}")
