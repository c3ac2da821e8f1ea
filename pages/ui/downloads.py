"""A download that runs on the server, whoever began it: its thread, its progress, its button."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from pages.ui.guard import LOG
from pages.ui.labels import escaped
from pages.ui.permitted import downloading, may
from resnet_core.errors import UserError
from resnet_core.language import tr

_MB = 1_000_000


@dataclass
class Download:
    """The one download of something on this server, which all viewers see. ``total`` is 0 before anything is known.

    Attributes:
        leave: gives what downloads, which takes the progress and ``key``; raises Refused where whoever looks may not download.
    """

    key: str
    leave: Callable[[], Callable[..., Path]] = downloading
    thread: threading.Thread | None = None
    done: int = 0
    total: int = 0
    error: str = ""

    @property
    def running(self) -> bool:
        return self.thread is not None and self.thread.is_alive()

    def start(self) -> None:
        """Raises Refused where whoever looks may not download."""
        if self.running:
            return
        download = self.leave()
        self.done, self.total, self.error = 0, 0, ""
        self.thread = threading.Thread(target=self._run, args=(download,), name=f"download of {self.key}", daemon=True)
        self.thread.start()

    def _run(self, download: Callable[..., Path]) -> None:
        try:
            download(self._progress, key=self.key)
        except UserError as error:
            self.error = str(error)
        except Exception as error:
            LOG.exception("download of %s", self.key)
            self.error = tr(
                "The download failed ({name}); the details are in the terminal where the app was started.", name=type(error).__name__
            )

    def _progress(self, done: int, total: int) -> None:
        self.done, self.total = done, total


def download_panel(download: Download, title: str, size: int, key: str) -> None:
    """Draw the progress, or the button that begins it; the page runs again when it has begun or ended.

    Args:
        size: bytes to download; title: of what, after "Download"; key: of the button.
    """
    running = download.running
    st.fragment(_panel, run_every=0.5 if running else None)(download, title, size, key, running)


def _panel(download: Download, title: str, size: int, key: str, running: bool) -> None:
    if download.running != running:
        st.rerun()
    if running:
        part = download.done / download.total if download.total else 0.0
        unpacking = download.total and download.done >= download.total
        text = (
            tr("Unpacking and checking")
            if unpacking
            else tr("Downloading: {done:.0f} of {total:.0f} MB", done=download.done / _MB, total=download.total / _MB)
        )
        st.progress(min(part, 1.0), text=text)
        return
    if download.error:
        st.error(escaped(download.error), icon=":material/cloud_off:")
    if may("download") and st.button(
        tr("Download {title} ({size:.0f} MB)", title=title, size=size / _MB), icon=":material/download:", key=key
    ):
        download.start()
        st.rerun()
