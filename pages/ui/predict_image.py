"""The image that Predict is about: one of the test set, or an upload, which stays in the session and nowhere else."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from pages.ui import analysis_cache, predict_work
from pages.ui.labels import escaped
from resnet_core.data import CLASSES
from resnet_core.errors import UserError
from resnet_core.figures import overlay
from resnet_core.images import HOWS, MAX_FILE_BYTES, SIDE, read_image, to_input
from resnet_core.nets import Net

TEST, UPLOAD = "test set", "upload"
DATA = {"sample": "sample", "CIFAR-10": "cifar10"}
ALL, QUARREL, WRONG = "all", "nets disagree", "a net is wrong"
ANY = "any class"
UNKNOWN = "not known"
TYPES = ["png", "jpg", "jpeg", "webp"]
#: Uploads at once; each is held as two inputs and a thumbnail.
MOST_UPLOADS = 20
#: Side of an upload's own picture beside what the net sees of it, in pixels.
_THUMBNAIL = 256
#: In the session: uploads that were read; whether the filters were just changed.
_READ, _FILTERED = "predict.uploads", "predict.filtered"


@dataclass(frozen=True, eq=False)
class Shown:
    """The image as the nets see it.

    Attributes:
        name: ``test image 17``, or the file's own name; not escaped.
        stem: for the names of files: letters, digits, dashes.
        pixels: uint8 (32, 32, 3).
        label: its class in CIFAR-10, or None.
        notes: what was done to it.
        original: the upload before it was made 32x32, as PNG, or None.
    """

    name: str
    stem: str
    pixels: np.ndarray
    label: int | None = None
    notes: tuple[str, ...] = ()
    original: bytes | None = None


def choose_image(nets: Sequence[Net]) -> Shown | None:
    """Draws the choice; None while there is nothing to show."""
    st.subheader("Image", anchor=False)
    source = st.segmented_control(
        "Where from", [TEST, UPLOAD], default=TEST, required=True, key="from", bind="query-params", label_visibility="collapsed"
    )
    return uploaded() if source == UPLOAD else of_the_test_set(nets)


# ---------------------------------------------------------------- the test set


def of_the_test_set(nets: Sequence[Net]) -> Shown | None:
    dataset = "sample"
    if "cifar10" in analysis_cache.datasets():
        title = st.segmented_control("Test images of", list(DATA), default="sample", required=True, key="data", bind="query-params")
        dataset = DATA.get(title, "sample")
    test = analysis_cache.images_of(dataset, "test", analysis_cache.folder())
    labels = test.labels.numpy()
    kind = st.selectbox("Which", [ALL, QUARREL, WRONG], key="which", bind="query-params", on_change=_filter)
    of = st.selectbox("Class", [ANY, *CLASSES], key="class", bind="query-params", on_change=_filter)
    found, known = _pool(kind, of, nets, dataset, labels)
    # Set only where it must be, and before the widget is drawn: on a cold link it takes its value from the URL.
    index = st.session_state.get("image", 0)
    if st.session_state.pop(_FILTERED, False) and len(found) and index not in found:
        st.session_state["image"] = int(found[0])
    elif index >= len(test):
        st.session_state["image"] = len(test) - 1
    index = st.number_input("Number", 0, len(test) - 1, step=1, key="image", bind="query-params")
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Another", icon=":material/casino:", key="predict.another", on_click=_another, args=(found, index), disabled=not len(found)
        )
        for title, icon, place in (("Previous", ":material/chevron_left:", -1), ("Next", ":material/chevron_right:", 1)):
            args = (found, index, place)
            st.button(icon, key=f"predict.{title}", on_click=_step, args=args, disabled=not len(found), help=f"{title} of these images")
    among = known and (kind != ALL or of != ANY)
    if among and not len(found):
        st.caption("No test image is like that.")
    elif among:
        place = "" if index in found else " This one is none of them."
        st.caption(f"{len(found):,} of {len(test):,} images.{place}")
    pixels = test.images[index].permute(1, 2, 0).contiguous().numpy()
    return Shown(f"test image {index}", f"test-{dataset}-{index}", pixels, int(labels[index]))


def _filter() -> None:
    st.session_state[_FILTERED] = True


def _another(found: np.ndarray, index: int) -> None:
    others = [i for i in found.tolist() if i != index]
    if others:
        st.session_state["image"] = random.choice(others)


def _step(found: np.ndarray, index: int, by: int) -> None:
    """To the next or previous one; around at the ends."""
    place = int(np.searchsorted(found, index)) + (by if by < 0 or index in found else 0)
    st.session_state["image"] = int(found[place % len(found)])


def _pool(kind: str, of: str, nets: Sequence[Net], dataset: str, labels: np.ndarray) -> tuple[np.ndarray, bool]:
    """The images to choose among, rising; and whether they are what is asked for, or all because that is not known yet."""
    found, known = np.arange(len(labels)), True
    asked = [net for net in nets if net.model.num_classes == len(CLASSES)]
    if kind != ALL:
        try:
            contested = _contested(kind, asked, dataset, labels)
            known = contested is not None
            found = contested if known else found
        except UserError as error:
            st.error(escaped(str(error)), icon=":material/error:")
    return found if of == ANY else found[labels[found] == CLASSES.index(of)], known


def _contested(kind: str, nets: Sequence[Net], dataset: str, labels: np.ndarray) -> np.ndarray | None:
    """The images that the nets disagree on, or get wrong; None as long as the viewer has not asked for what takes long."""
    from resnet_core.analysis.prediction import disagreements, mistakes

    if kind == QUARREL and len(nets) < 2:
        st.caption("One net alone disagrees with none: choose two or more that know CIFAR-10's classes.")
    todo = predict_work.unanswered(nets, dataset)
    if sum(map(predict_work.macs, todo)) * len(labels) > predict_work.AT_ONCE:
        st.caption(f"Not yet asked of all {len(labels):,} test images: {escaped(', '.join(net.name for net in todo))}.")
        if not st.button("Ask them", icon=":material/quiz:", key="predict.ask"):
            return None
        predict_work.test_answers(nets, dataset)
        st.rerun()  # without the button
    answers = predict_work.test_answers(nets, dataset)
    return disagreements(answers) if kind == QUARREL else mistakes(answers, labels)


# ---------------------------------------------------------------- uploads


def uploaded() -> Shown | None:
    cap = MAX_FILE_BYTES >> 20
    files = st.file_uploader(
        "Images", TYPES, accept_multiple_files=True, max_upload_size=cap, key="predict.files", label_visibility="collapsed"
    )
    st.caption(f"PNG, JPEG or WebP, at most {cap} MiB each. Kept in this session only.")
    if len(files) > MOST_UPLOADS:
        st.warning(f"Only the first {MOST_UPLOADS} of the {len(files)} images are taken.", icon=":material/filter_list:")
    return chosen_of([(file.file_id, file.name, file) for file in files[:MOST_UPLOADS]])


def chosen_of(files: Sequence[tuple[str, str, Any]]) -> Shown | None:
    """Reads what is new, says what is refused, and lets the viewer choose among the rest.

    Args:
        files: an id, the name as the browser gave it, and something with ``getvalue()``, of each.
    """
    held: dict[str, Any] = st.session_state.setdefault(_READ, {})
    for gone in set(held) - {file_id for file_id, _, _ in files}:
        del held[gone]
    for file_id, name, file in files:
        if file_id not in held:
            held[file_id] = read(file.getvalue(), name)
    good = [file_id for file_id, _, _ in files if not isinstance(held[file_id], str)]
    for file_id, _, _ in files:
        if file_id not in good:
            st.error(escaped(held[file_id]), icon=":material/broken_image:")
    if not good:
        return None
    picked = good[0]
    if len(good) > 1:
        picked = st.selectbox("Picture", good, format_func=lambda i: f"{good.index(i) + 1}. {held[i]['name']}", key="predict.picked")
    how = st.radio("Made 32x32 of", list(HOWS), format_func=HOWS.get, key="how", bind="query-params")
    kept = {"key": f"predict.true.{picked}", "persist_state": "session"}
    label = st.selectbox("True class", [UNKNOWN, *CLASSES], help="Marked among the bars, if you say it.", **kept)
    found = held[picked]
    width, height = found["size"]
    made = "already 32x32" if (width, height) == (SIDE, SIDE) else HOWS[how]
    return Shown(
        found["name"],
        stem(found["name"]),
        found[how],
        None if label == UNKNOWN else CLASSES.index(label),
        (f"{width:,}x{height:,} pixels: {made}", *found["notes"]),
        found["original"],
    )


def read(content: bytes, name: str) -> dict[str, Any] | str:
    """What is kept of an upload, as plain values; or why it is refused."""
    try:
        picture = read_image(content, name)
    except UserError as error:
        return str(error)
    small = picture.image.copy()
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    kept = {how: to_input(picture, how) for how in HOWS}
    return {"name": picture.name, "notes": picture.notes, "size": picture.size, "original": overlay.png(np.asarray(small)), **kept}


def stem(name: str) -> str:
    """What is harmless of a file's name, without its ending."""
    kept = re.sub(r"[^A-Za-z0-9]+", "-", name.rpartition(".")[0] or name).strip("-")
    return kept[:40] or "image"
