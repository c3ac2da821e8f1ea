"""Zips of pictures that viewers have brought: where they lie, whose they are, who may see them, and when they go."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.ui.permitted import may, uploads_folder
from pages.ui.runs_view import Seen
from resnet_core.data import pictures
from resnet_core.errors import UserError

#: Beside an upload's pictures: whose it is, and what it was called.
_NOTE = "upload.json"


@dataclass(frozen=True)
class Upload:
    """A zip that was unpacked.

    Attributes:
        path: its folder; the pictures lie in ``pictures`` in it.
        title: what the zip was called.
        session: of its viewer, and the server's process.
        kept: it stays when they have gone.
    """

    path: Path
    title: str
    session: str
    server: int
    kept: bool

    @property
    def pictures(self) -> Path:
        return self.path / "pictures"


def found() -> list[Upload]:
    """All that are there, by their titles."""
    there = []
    with contextlib.suppress(OSError):
        for path in uploads_folder().iterdir():
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                note = json.loads((path / _NOTE).read_text("utf-8"))
                there.append(Upload(path, str(note["title"]), str(note["session"]), int(note["server"]), bool(note["kept"])))
    return sorted(there, key=lambda each: (each.title, each.path.name))


def may_be_shown(folder: Path) -> bool:
    """Whether whoever looks may be shown the pictures in a folder: who may name it, who brought them, and all where they were kept here."""
    mine = (each.kept or each.session == session() for each in found() if each.pictures.resolve() == folder.resolve())
    return may("name folders") or any(mine)


def tidy(active: Sequence[Seen]) -> None:
    """Remove uploads whose viewers have gone, unless they are kept or one of ``active`` is on them: all that waits or is trained."""
    in_use = {str(s.run.data_dir) for s in active}
    for each in found():
        if not (each.kept or str(each.pictures) in in_use or _is_here(each)):
            remove(each)


def remove(upload: Upload) -> None:
    """Remove an upload, and what was decoded of it."""
    with contextlib.suppress(UserError):
        pictures.forget(pictures.look(upload.pictures, 32))
    shutil.rmtree(upload.path, ignore_errors=True)


def _is_here(upload: Upload) -> bool:
    if upload.server != os.getpid():
        with contextlib.suppress(OSError):
            os.kill(upload.server, 0)
            return True  # another server's, which looks after it
        return False
    return runtime.exists() and runtime.get_instance().is_active_session(upload.session)


def session() -> str:
    """The id of the session whose page is drawn."""
    context = get_script_run_ctx(suppress_warning=True)
    return context.session_id if context else ""


def note(upload: Upload) -> None:
    """Write down whose it is, and whether it is kept."""
    values = {"title": upload.title, "session": upload.session, "server": upload.server, "kept": upload.kept}
    (upload.path / _NOTE).write_text(json.dumps(values), "utf-8")
