"""The training images that a net finds nearest to the image, in the feature space of its last hidden layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from pages.predict import computed
from pages.predict.computed import Failed, Task
from pages.predict.image import Shown
from pages.predict.maps import SIZE, Explained, save
from pages.ui import analyses
from pages.ui.analyses import Images
from pages.ui.jobs import Progress, ShouldStop
from pages.ui.labels import escaped
from resnet_core.csv_text import csv_text
from resnet_core.figures.overlay import enlarge, png
from resnet_core.figures.sheet import captioned, side_by_side, stacked
from resnet_core.imports.cost import macs_per_image, said_before
from resnet_core.language import mark, tr
from resnet_core.nets import Net
from resnet_core.runs import RunStore

#: Side of a neighbour, in pixels of the page.
_SIDE = 128
#: Before how many of them are through, of all nets together.
_TEXT = mark("Features of the training images")


def neighbours_section(shown: Shown, asked: Sequence[Explained]) -> None:
    """Draws the rows of the nets whose index is there, and the button that builds the others'."""
    st.header(tr("What it finds like this image"), anchor=False)
    st.markdown(
        tr(
            "The six training images nearest to it by Euclidean distance in the last hidden layer's feature "
            "space, as in Figure 4 of Krizhevsky et al. 2012, in {precision}. Distances of different nets cannot "
            "be compared.",
            precision=computed.PRECISION,
        )
    )
    images = analyses.choose_images([each.net for each in asked], "near", tr("Training images of"))
    if images is None:
        return
    home = RunStore().home
    tasks = [_task(shown, each.net, images, home) for each in asked]
    absent = [each for each, task in zip(asked, tasks, strict=True) if not computed.is_kept(task.key)]
    unbuilt = [each for each in absent if not _built(each.net, images, home)]
    if unbuilt:
        names = ", ".join(escaped(each.label) for each in unbuilt)
        long = said_before(sum(images.config.train_images * macs_per_image(each.net) for each in unbuilt))
        text = tr(
            "The features of all training images are computed once per net, and kept on disk. Not yet for {names}. {long}",
            names=names,
            long=long,
        )
        st.caption(text.strip())
        if st.button(tr("Compute the features"), icon=":material/scatter_plot:", key="predict.index"):
            computed.results(tr(_TEXT), tasks)
            st.rerun()  # without the button
        asked, tasks = _pairs(asked, tasks, [each for each in asked if each not in unbuilt])
    if not tasks:
        return
    rows: list[tuple] = []
    sheets: list[np.ndarray] = []
    for each, found in zip(asked, computed.results(tr(_TEXT), tasks), strict=True):
        if isinstance(found, Failed):
            st.error(escaped(found.message), icon=":material/error:")
            continue
        sheets.append(_row(shown, each, found, images))
        rows += [
            (
                shown.name,
                each.label,
                computed.PRECISION,
                rank,
                f"train:{i}",
                images.config.dataset,
                images.config.class_names[label],
                f"{distance:.6g}",
            )
            for rank, (i, label, distance) in enumerate(found["nearest"], start=1)
        ]
    if rows:
        head = ("image", "net", "precision", "rank", "neighbour", "data", "class", "distance")
        with st.container(horizontal=True, gap="small"):
            save(tr("Pictures, a row each net (PNG)"), lambda: png(stacked(sheets)), f"{shown.stem}-neighbours.png", "image/png")
            save(tr("Numbers (CSV)"), lambda: csv_text(head, rows).encode(), f"{shown.stem}-neighbours.csv", "text/csv")


def _pairs(asked: Sequence[Explained], tasks: Sequence[Task], kept: Sequence[Explained]) -> tuple[list[Explained], list[Task]]:
    pairs = [(each, task) for each, task in zip(asked, tasks, strict=True) if each in kept]
    return [each for each, _ in pairs], [task for _, task in pairs]


def _row(shown: Shown, each: Explained, found: dict[str, Any], images: Images) -> np.ndarray:
    """Draws a net's neighbours; returns them side by side, each with its words below."""
    train, names = analyses.images_of(images, "train"), images.config.class_names
    true = shown.label_of(names)
    pictures, captions, words = [], [], []
    for i, label, distance in found["nearest"]:
        pictures.append(enlarge(train.images[i].permute(1, 2, 0).contiguous().numpy(), SIZE))
        name = f"**{escaped(tr(names[label]))}**" if label == true else escaped(tr(names[label]))
        captions.append(f"{name} · {distance:.3g}")
        words.append([f"{each.label}: {tr(names[label])}", tr("train:{i}, distance {distance:.3g}", i=i, distance=distance)])
    st.markdown(f"**{escaped(each.label)}**")
    if found["problem"]:
        st.caption(escaped(found["problem"]))
    st.image(pictures, caption=captions, alt=[", ".join(each) for each in words], width=_SIDE, output_format="PNG")
    return side_by_side([captioned(picture, lines) for picture, lines in zip(pictures, words, strict=True)])


def _task(shown: Shown, net: Net, images: Images, home: Path) -> Task:
    load, pixels = computed.loader(), shown.seen_by(net)

    def work(progress: Progress, should_stop: ShouldStop) -> dict[str, Any]:
        from resnet_core.analysis.neighbours import features
        from resnet_core.analysis.prediction import stack

        loaded, train = load(net), analyses.images_of(images, "train")
        index = _index(net.version, images.config.key, str(home), loaded, train, progress, should_stop)
        found, distances = index.nearest(features(loaded, stack([pixels]))[0])
        labels = train.labels[found].tolist()
        return {"nearest": list(zip(found.tolist(), labels, distances.tolist(), strict=True)), "problem": index.problem}

    return Task(("near", net.version, computed.key_of(pixels), images.config), work, images.config.train_images)


@st.cache_resource(show_spinner=False, max_entries=4)
def _index(version: str, dataset: str, home: str, _loaded: Any, _train: Any, _progress: Progress, _should_stop: ShouldStop) -> Any:
    """Read-only, and of no viewer's image: shared."""
    from resnet_core.analysis.neighbours import cached_index

    return cached_index(_loaded, _train.images, dataset, Path(home), _progress, _should_stop)


def _built(net: Net, images: Images, home: Path) -> bool:
    """Whether its index lies on disk."""
    load: Callable[[Net], Any] = computed.loader()
    task = Task(("index path", net.version, images.config), lambda *_: _path(load(net), images.config.key, home), light=True)
    (found,) = computed.results(tr("Loading"), [task])
    return isinstance(found, Path) and found.exists()


def _path(loaded: Any, dataset: str, home: Path) -> Path:
    from resnet_core.analysis.neighbours import index_path

    return index_path(loaded, dataset, home)
