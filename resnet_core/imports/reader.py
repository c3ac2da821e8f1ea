"""The throwaway process that opens a file nobody vouches for: ``python -m resnet_core.imports.reader FILE FOLDER``.

It leaves ``report.json`` in FOLDER, and the tensors in ``tensors.safetensors`` if the file was read. Whoever started it believes
neither: both are checked again, and what this process does is bounded by ``limits``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from resnet_core.apart import end_with_parent
from resnet_core.imports import limits, pickled, safe, zips
from resnet_core.imports.process import NO_ROOM, REPORT, STARTED, TENSORS
from resnet_core.imports.refusal import ImportRefused, ReaderFailed
from resnet_core.imports.sniff import sniff
from resnet_core.language import mark, tr

TOO_MUCH = mark("It asks for more memory than any net needs.")

#: What no reader of weights does. A second lock behind ``weights_only``, not the first.
_FORBIDDEN = {
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "os.remove", "os.rename", "os.rmdir", "os.mkdir",
    "os.chmod", "os.link", "os.symlink", "os.truncate", "subprocess.Popen", "pty.spawn", "shutil.rmtree", "shutil.move",
    "socket.connect", "socket.bind", "socket.getaddrinfo", "urllib.Request", "webbrowser.open",
}  # fmt: skip


def read(path: Path, before_torch: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays in a file by key, and what there is to say: ``kind``, ``metadata``, ``notes``.

    Args:
        before_torch: called when the cheap checks are passed and torch has been imported, just before it opens the file.

    Raises:
        ImportRefused: it holds no state_dict that can be read.
        ReaderFailed: torch could not be imported.
    """
    kind = sniff(path)
    if kind == "zip" and (held := zips.exported_weights(path)):
        path, kind = held, "safetensors"
    metadata: dict[str, str] = {}
    if kind == "safetensors":
        arrays, metadata, notes = safe.read_safetensors(path)
    else:
        noted = pickled.check_before(path, kind)
        if before_torch:
            try:
                import torch  # noqa: F401
                from safetensors import numpy  # noqa: F401
            except (ImportError, OSError, MemoryError) as error:
                raise ReaderFailed(
                    "torch could not be started ({name}: {error})", name=type(error).__name__, error=str(error)[:200]
                ) from error

            before_torch()
        arrays, notes = pickled.read_pickled(path)
        notes = noted + notes
    return arrays, {"kind": kind, "metadata": metadata, "notes": notes}


def _forbid() -> None:
    def hook(event: str, _: tuple) -> None:
        if event in _FORBIDDEN:
            raise ImportRefused("It tried to do what no weights need ({event}), and was stopped. Do not trust this file.", event=event)

    sys.addaudithook(hook)


def main(file: str, folder: str) -> None:
    """Reads ``file`` and writes the outcome into ``folder``."""
    limits.apply()
    place = Path(folder)
    try:
        (place / STARTED).touch()
        try:
            report = _keep(place, *read(Path(file), _forbid))
        except ImportRefused as error:
            report = {"refused": str(error)}
        except ReaderFailed as error:
            report = {"failed": error.cause}
        except MemoryError:
            report = {"refused": TOO_MUCH}
        except OSError as error:
            report = {"refused": tr("The file cannot be read: {strerror}.", strerror=error.strerror or error)}
        (place / REPORT).write_text(json.dumps(report), encoding="utf-8")
    except OSError:
        sys.exit(NO_ROOM)


def _keep(place: Path, arrays: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    from safetensors.numpy import save_file

    try:
        save_file(arrays, place / TENSORS)
    except Exception as error:  # its own type, for every reason
        raise ReaderFailed("there is no room to unpack it ({error})", error=str(error)[:200]) from error
    return report


if __name__ == "__main__":
    end_with_parent()
    main(*sys.argv[1:3])
