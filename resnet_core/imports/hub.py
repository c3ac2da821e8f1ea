"""A checkpoint from the Hugging Face Hub, where there is a network: found, downloaded by the Hub's own client, then read like any file.

proposal = inspect_hub("somebody/resnet20")  # or "somebody/resnet20/weights.safetensors"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from resnet_core.errors import DataError
from resnet_core.imports.inspection import inspect_file
from resnet_core.imports.limits import MAX_FILE_BYTES
from resnet_core.imports.proposal import Proposal

#: Before an id, on the command line.
HUB = "hf"
#: What weights are called, the likeliest first.
_USUAL = ("weights.safetensors", "model.safetensors", "pytorch_model.bin")
_SUFFIXES = (".safetensors", ".pt", ".pth", ".th", ".bin")
_ID = re.compile(r"([A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})(?:/([^\s\\]{1,300}))?", re.ASCII)


@dataclass(frozen=True)
class Fetched:
    """A downloaded file, with a name that says where it is from: by their own, most would be called model.safetensors."""

    path: Path
    name: str


def inspect_hub(spec: str) -> Proposal:
    """Download weights and say what they are.

    Args:
        spec: as of ``fetch``.

    Raises:
        DataError: see ``fetch``.
        ImportRefused, ReaderFailed: see ``inspect_file``.
    """
    fetched = fetch(spec)
    return inspect_file(fetched.path, fetched.name)


def fetch(spec: str) -> Fetched:
    """Download weights, or find them where they were downloaded before.

    Args:
        spec: ``OWNER/NAME``, or with the name of a file behind it where there are several.

    Raises:
        DataError: it is no such id, the client is not installed, the network or the Hub was at fault, or there is no one file of weights.
    """
    match = _ID.fullmatch(spec.strip())
    if match is None:
        raise DataError("{spec!r} is no id on the Hugging Face Hub: these are OWNER/NAME, or OWNER/NAME/FILE.", spec=spec)
    path = _download(match[1], match[2])
    return Fetched(path, f"{match[1].replace('/', '-')}{path.suffix}")


def _download(repository: str, wanted: str | None) -> Path:
    try:
        import huggingface_hub
    except ImportError:
        raise DataError(
            "The Hub needs the package huggingface_hub: pip install 'resnet-lab[hub]', or fetch the file and import it."
        ) from None
    try:
        found = huggingface_hub.HfApi().model_info(repository, files_metadata=True)
        sizes = {each.rfilename: each.size or 0 for each in found.siblings or ()}
        name = choose(repository, sizes, wanted)
        return Path(huggingface_hub.hf_hub_download(repository, name, revision=found.sha))
    except DataError:
        raise
    except Exception as error:  # of the client, of what it is built on, of the network
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(
            "{repository} could not be fetched from the Hugging Face Hub ({reason}). Where there is a network, fetch its weights, copy "
            "them here, and import the file.",
            repository=repository,
            reason=reason,
        ) from error


def choose(repository: str, sizes: Mapping[str, int], wanted: str | None = None) -> str:
    """The file of weights among those of a repository (name -> bytes). Raises DataError."""
    weights = sorted(name for name in sizes if PurePosixPath(name).suffix in _SUFFIXES)
    safe = [name for name in weights if name.endswith(".safetensors")]
    alone = [names[0] for names in (safe, weights) if len(names) == 1]
    likely = [*(usual for usual in _USUAL if usual in sizes), *alone] if wanted is None else [wanted]
    name = likely[0] if likely and likely[0] in sizes else None
    if name is None:
        raise DataError(
            "Of {repository} it is not clear which file is meant: say OWNER/NAME/FILE. It has {names}.",
            repository=repository,
            names=", ".join(weights[:10]) or "-",
        )
    if sizes[name] > MAX_FILE_BYTES:
        raise DataError("{name} has {size:,} bytes; at most {most:,} are read.", name=name, size=sizes[name], most=MAX_FILE_BYTES)
    return name
