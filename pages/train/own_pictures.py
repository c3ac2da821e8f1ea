"""Own pictures to train on: a folder of this machine, or a zip that is uploaded; it goes when its viewer has gone, unless it is kept."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import streamlit as st

from pages.ui import uploaded
from pages.ui.guard import guarded
from pages.ui.labels import escaped
from pages.ui.permitted import ask, may, uploads_folder
from pages.ui.uploaded import Upload
from resnet_core.config import DataConfig, Pictures
from resnet_core.data import pictures, uploads
from resnet_core.datasets import PICTURES
from resnet_core.errors import DataError, UserError
from resnet_core.images import read_file, safe_name
from resnet_core.language import mark, tr

FOLDER, UPLOAD, KEPT = mark("A folder on this machine"), mark("A zip of mine"), mark("Kept here")
SIDES = (32, 48, 64, 96, 128, 224)
#: Classes of which a picture is shown.
_SHOWN = 8
_KEY = "train.pictures."


@st.cache_data(ttl=10, show_spinner=False, max_entries=50)
def _looked_at(folder: str, side: int, test_part: float, seed: int, title: str | None) -> Pictures:
    return pictures.look(folder, side, test_part=test_part, seed=seed, title=title)


def own_pictures(validation: bool) -> tuple[DataConfig | None, str | None]:
    """Draws the choice of pictures. Returns the data without a number of images per class, and their folder; None while there are none."""
    kept = [each for each in uploaded.found() if each.kept]
    ways = [*([FOLDER] if may("name folders") else []), *([UPLOAD] if may("bring pictures") else []), *([KEPT] if kept else [])]
    if not ways:
        st.info(tr("In a class the teacher brings the pictures to train on, and there are none yet."), icon=":material/info:")
        return None, None
    left, right = st.columns([0.55, 0.45], vertical_alignment="bottom")
    with left:
        if st.session_state.get(_KEY + "way") not in ways:
            st.session_state.pop(_KEY + "way", None)
        way = st.segmented_control(
            tr("Where from"), ways, format_func=tr, default=ways[0], required=True, key=_KEY + "way", persist_state="session"
        )
        folder, title = {FOLDER: _typed, UPLOAD: _uploaded, KEPT: lambda: _chosen(kept)}[way or ways[0]]()
    with right:
        side, test_part, seed = _shape()
    if folder is None:
        return None, None
    with _complaining():
        found = _looked_at(str(folder), side, test_part, seed, title)
        config = DataConfig(PICTURES, validation, pictures=found)
        _show(found, folder)
        return config, str(folder)
    return None, None


@contextlib.contextmanager
def _complaining() -> Iterator[None]:
    try:
        yield
    except UserError as error:
        st.error(escaped(str(error)), icon=":material/folder_off:")


def _typed() -> tuple[Path | None, str | None]:
    help_text = tr("It has a folder for each class, with PNG, JPEG or WebP files; or train/ and val/ with those in them.")
    text = st.text_input(tr("Folder with pictures"), key=_KEY + "folder", persist_state="session", help=help_text).strip()
    if not text:
        st.caption(help_text)
    return (Path(os.path.expanduser(text)) if text else None), None


def _uploaded() -> tuple[Path | None, str | None]:
    file = st.file_uploader(
        tr("Zip with a folder for each class"), ["zip"], key=_KEY + "zip", max_upload_size=600,
        help=tr("PNG, JPEG or WebP files. It is yours alone, and goes when you close this page, unless you keep it."),
    )  # fmt: skip
    mine: Upload | None = st.session_state.get(_KEY + "upload")
    if file is not None and st.session_state.get(_KEY + "file") != file.file_id:
        st.session_state[_KEY + "file"] = file.file_id
        if mine is not None and not mine.kept:
            uploaded.remove(mine)
        mine = None
        with _complaining(), st.spinner(tr("Looking through the pictures")):
            mine = _unpacked(file, file.name)
        st.session_state[_KEY + "upload"] = mine
    if mine is None or not mine.pictures.is_dir():
        return None, None
    if not mine.kept and may("name folders"):
        st.button(tr("Keep these pictures here"), icon=":material/push_pin:", key=_KEY + "keep", on_click=_keep, args=(mine,))
    return mine.pictures, mine.title


def _unpacked(file: Any, name: str) -> Upload:
    """Raises DataError where it is no archive of pictures, Refused where whoever looks may not bring any."""
    ask("bring pictures")
    made = Upload(
        uploads_folder() / secrets.token_hex(8), safe_name(name).removesuffix(".zip") or "pictures", uploaded.session(), os.getpid(), False
    )
    try:
        made.pictures.mkdir(parents=True)
        uploaded.note(made)
        uploads.unpack(file, made.pictures)
        pictures.look(made.pictures, SIDES[0])
    except OSError as error:
        shutil.rmtree(made.path, ignore_errors=True)
        raise DataError("There was no room for the pictures ({error}).", error=error.strerror or error) from error
    except BaseException:
        shutil.rmtree(made.path, ignore_errors=True)
        raise
    return made


def _keep(upload: Upload) -> None:
    with guarded(tr("Keeping the pictures")):
        ask("name folders")
        kept = Upload(upload.path, upload.title, upload.session, upload.server, True)
        uploaded.note(kept)
        st.session_state[_KEY + "upload"] = kept


def _chosen(kept: list[Upload]) -> tuple[Path | None, str | None]:
    names = {each.path.name: each for each in kept}
    picked = st.selectbox(
        tr("Pictures"), list(names), format_func=lambda name: names[name].title, key=_KEY + "kept", persist_state="session"
    )
    upload = names[picked]
    if may("name folders") and st.button(tr("Remove"), icon=":material/delete:", key=_KEY + "remove"):
        uploaded.remove(upload)
        st.rerun()
    return upload.pictures, upload.title


def _shape() -> tuple[int, float, int]:
    """Side in pixels, part that is tested on, and the seed of the split."""
    columns = st.columns(3, vertical_alignment="bottom")
    kept: dict[str, Any] = {"persist_state": "session"}
    side = columns[0].selectbox(
        tr("Pixels"), SIDES, format_func=lambda side: f"{side}×{side}", key=_KEY + "side", **kept,
        help=tr("The shorter side is brought to this, and the square in the centre is kept. Nets for CIFAR are made for 32, those for "
"ImageNet for 224."),
    )  # fmt: skip
    part = columns[1].number_input(
        tr("Tested on, %"),
        5,
        90,
        20,
        5,
        key=_KEY + "part",
        **kept,
        help=tr("Of each class; folders with train/ and val/ stay as they are."),
    )
    seed = columns[2].number_input(tr("Split seed"), 0, key=_KEY + "seed", **kept, help=tr("Which pictures of a class are tested on."))
    return side, part / 100, int(seed)


def _show(found: Pictures, folder: Path) -> None:
    """What there is: counts, and a picture of each of the first classes."""
    counts = zip(found.class_names, found.train, found.test, strict=True)
    st.caption(
        tr(
            "{classes:,} classes, {train:,} pictures to train on and {test:,} to test on.",
            classes=len(found.class_names),
            train=sum(found.train),
            test=sum(found.test),
        )
    )
    with st.container(horizontal=True, gap="small"):
        first = {label: path for path, label in reversed(pictures.order(found, folder)[0])}
        for label, name in list(enumerate(found.class_names))[:_SHOWN]:
            with contextlib.suppress(UserError):
                shown = read_file(folder / first[label], least=96).image.copy()
                shown.thumbnail((96, 96))
                st.image(shown, caption=escaped(f"{safe_name(name)} · {found.train[label] + found.test[label]:,}"), width=96)
    if len(found.class_names) > _SHOWN:
        with st.expander(tr("All classes")):
            titles = (tr("Class"), tr("Train"), tr("Test"))
            st.dataframe([dict(zip(titles, (safe_name(n), a, b), strict=True)) for n, a, b in counts], hide_index=True)
