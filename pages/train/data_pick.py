"""Which images to train on: an embedded sample, a data set from a folder or a download, or own pictures."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages.train.own_pictures import own_pictures
from pages.ui.analyses import folder_key
from pages.ui.downloads import Download, download_panel
from pages.ui.labels import escaped
from pages.ui.permitted import may
from resnet_core import data
from resnet_core.config import DATASETS, DataConfig
from resnet_core.datasets import DATA_SETS, PICTURES
from resnet_core.errors import DataError
from resnet_core.language import mark, tr

_OWN = mark("Own pictures")


def title_of(key: str) -> str:
    """What a data set is called in the choice."""
    if key == PICTURES:
        return tr(_OWN)
    found = DATA_SETS[key]
    shared = {"title": tr(found.title), "images": found.train}
    return tr("{title}: {images:,} images, embedded", **shared) if found.embedded else tr("{title}: {images:,} images", **shared)


DOWNLOADS = {key: Download(key) for key, found in DATA_SETS.items() if found.fetched}


def fill(config: DataConfig) -> None:
    """Puts a choice into the widgets, before they are drawn or in a callback."""
    st.session_state["train.dataset"] = config.dataset
    st.session_state["train.validation"] = config.validation
    st.session_state["train.images_per_class"] = config.images_per_class


def data_pick() -> tuple[DataConfig, str | None, bool]:
    """Draws the choice.

    Returns:
        the choice; the folder that was named, or None; and whether the data are there.
    """
    left, middle, right = st.columns([0.5, 0.2, 0.3], vertical_alignment="bottom")
    dataset = left.selectbox(tr("Images"), [*DATASETS, PICTURES], format_func=title_of, key="train.dataset", persist_state="session")
    validation = right.toggle(
        tr("Hold out a tenth for validation"), key="train.validation", persist_state="session",
        help=tr("45k/5k on the full set, as in section 4.2 of the paper. The test set selects nothing either way."),
    )  # fmt: skip
    folder: str | None = None
    if dataset == PICTURES:
        own, folder = own_pictures(validation)
        config, there = own or DataConfig(), own is not None
    else:
        config, there = DataConfig(dataset, validation), False
    # Chosen for a larger set: a smaller one has no more.
    most = config.most_per_class
    st.session_state["train.images_per_class"] = min(st.session_state.get("train.images_per_class", 0), most)
    few = middle.number_input(
        tr("Images per class"), 0, most, key="train.images_per_class", persist_state="session",
        help=tr("Trains on the first so many images of each class; 0 takes all {most:,}. On few images a training "
"ends in minutes.", most=most),
    )  # fmt: skip
    config = replace(config, images_per_class=few)
    if dataset == PICTURES:
        return config, folder, there
    if config.is_embedded:
        return config, None, _is_there(config, None)
    typed = _folder_field(dataset) if may("name folders") else ""
    there = _is_there(config, typed or None)
    if not typed and (DOWNLOADS[dataset].running or not there):
        download_panel(DOWNLOADS[dataset], tr(DATA_SETS[dataset].title), DATA_SETS[dataset].download_bytes, "train.download")
    return config, typed or None, there


def _folder_field(dataset: str) -> str:
    """What the owner of this machine types; anybody else would learn from the answers what lies on it."""
    names = ", ".join(layout.folders[0] for layout in DATA_SETS[dataset].layouts)
    return st.text_input(
        tr("Folder with {title}", title=DATA_SETS[dataset].title),
        key=folder_key(dataset),
        persist_state="session",
        placeholder=str(data.resolve_data_dir(key=dataset) or tr("a folder on this machine: {names}, or what holds it", names=names)),
    ).strip()


def _is_there(config: DataConfig, folder: str | None) -> bool:
    try:
        data.check(config, folder)
    except DataError as error:
        # Nobody has done anything wrong who has named no folder yet; a download tells of itself.
        if folder:
            st.error(escaped(str(error)), icon=":material/folder_off:")
        elif not ((download := DOWNLOADS.get(config.dataset)) and (download.running or download.error)):
            st.info(escaped(str(error)), icon=":material/folder_off:")
        return False
    if not config.is_embedded and may("name folders"):
        st.caption(tr("Found in {resolve_data_dir}.", resolve_data_dir=escaped(str(data.resolve_data_dir(folder, config.dataset)))))
    return True
