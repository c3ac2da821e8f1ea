"""Which images to train on: the sample, or the full CIFAR-10 from a folder or a download."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from pages.ui.guard import LOG
from pages.ui.labels import escaped, titled
from pages.ui.permitted import downloading, may
from resnet_core import data
from resnet_core.config import DATASETS, DataConfig
from resnet_core.errors import DataError, UserError
from resnet_core.language import mark, tr

_TITLES = {"sample": mark("Sample: 5,000 images, embedded"), "cifar10": mark("CIFAR-10: 50,000 images")}
_MB = 1_000_000


@dataclass
class Download:
    """The one download of this server, which all viewers see. ``total`` is 0 before anything is known."""

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
        download = downloading()
        self.done, self.total, self.error = 0, 0, ""
        self.thread = threading.Thread(target=self._run, args=(download,), name="download of CIFAR-10", daemon=True)
        self.thread.start()

    def _run(self, download: Callable[..., Path]) -> None:
        try:
            download(self._progress)
        except UserError as error:
            self.error = str(error)
        except Exception as error:
            LOG.exception("download of CIFAR-10")
            self.error = tr(
                "The download failed ({name}); the details are in the terminal where the app was started.", name=type(error).__name__
            )

    def _progress(self, done: int, total: int) -> None:
        self.done, self.total = done, total


DOWNLOAD = Download()


def fill(config: DataConfig) -> None:
    """Puts a choice into the widgets, before they are drawn or in a callback."""
    st.session_state["train.dataset"] = config.dataset
    st.session_state["train.validation"] = config.validation
    st.session_state["train.images_per_class"] = config.images_per_class


def data_pick() -> tuple[DataConfig, str | None, bool]:
    """Draws the choice.

    Returns:
        the choice; the folder that was typed, or None; and whether the data are there.
    """
    left, middle, right = st.columns([0.5, 0.2, 0.3], vertical_alignment="bottom")
    dataset = (
        left.segmented_control(
            tr("Images"), DATASETS, format_func=titled(_TITLES), required=True, key="train.dataset", persist_state="session"
        )
        or DATASETS[0]
    )
    validation = right.toggle(
        tr("Hold out a tenth for validation"), key="train.validation", persist_state="session",
        help=tr("45k/5k on the full set, as in section 4.2 of the paper. The test set selects nothing either way."),
    )  # fmt: skip
    most = DataConfig(dataset).train_images // 10
    # Chosen for the larger set: the smaller one has no more.
    st.session_state["train.images_per_class"] = min(st.session_state.get("train.images_per_class", 0), most)
    few = middle.number_input(
        tr("Images per class"), 0, most, key="train.images_per_class", persist_state="session",
        help=tr("Trains on the first so many images of each class; 0 takes all {most:,}. On few images a training "
"ends in minutes.", most=most),
    )  # fmt: skip
    config = DataConfig(dataset, validation, few)
    if dataset == "sample":
        return config, None, _is_there(config, None)
    typed = _folder_field() if may("name folders") else ""
    there = _is_there(config, typed or None)
    if not typed and (DOWNLOAD.running or not there):
        st.fragment(_download_panel, run_every=0.5 if DOWNLOAD.running else None)(DOWNLOAD.running)
    return config, typed or None, there


def _folder_field() -> str:
    """What the owner of this machine types; anybody else would learn from the answers what lies on it."""
    return st.text_input(
        tr("Folder with CIFAR-10"),
        key="train.data_dir",
        persist_state="session",
        placeholder=str(data.resolve_data_dir() or tr("a folder on this machine, with the python or the binary version in it")),
    ).strip()


def _is_there(config: DataConfig, folder: str | None) -> bool:
    try:
        data.check(config, folder)
    except DataError as error:
        # Nobody has done anything wrong who has named no folder yet; a download tells of itself.
        if folder:
            st.error(escaped(str(error)), icon=":material/folder_off:")
        elif not (DOWNLOAD.running or DOWNLOAD.error):
            st.info(escaped(str(error)), icon=":material/folder_off:")
        return False
    if config.dataset == "cifar10" and may("name folders"):
        st.caption(tr("Found in {resolve_data_dir}.", resolve_data_dir=escaped(str(data.resolve_data_dir(folder)))))
    return True


def _download_panel(running: bool) -> None:
    if DOWNLOAD.running != running:
        st.rerun()
    if running:
        part = DOWNLOAD.done / DOWNLOAD.total if DOWNLOAD.total else 0.0
        unpacking = DOWNLOAD.total and DOWNLOAD.done >= DOWNLOAD.total
        text = (
            tr("Unpacking and checking")
            if unpacking
            else tr("Downloading: {done:.0f} of {total:.0f} MB", done=DOWNLOAD.done / _MB, total=DOWNLOAD.total / _MB)
        )
        st.progress(min(part, 1.0), text=text)
        return
    if DOWNLOAD.error:
        st.error(escaped(DOWNLOAD.error), icon=":material/cloud_off:")
    if may("download") and st.button(tr("Download CIFAR-10 (170 MB)"), icon=":material/download:", key="train.download"):
        DOWNLOAD.start()
        st.rerun()
