"""The image that Predict is about: one of the test set, or an upload, which stays in the session and nowhere else."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import streamlit as st

from pages.predict import computed
from pages.ui import analyses, links
from pages.ui.analyses import Images
from pages.ui.asking import may_begin
from pages.ui.labels import escaped, titled
from resnet_core.analysis.prediction import class_names
from resnet_core.analysis.protocols import Protocol
from resnet_core.data import CLASSES
from resnet_core.errors import UserError
from resnet_core.figures import overlay
from resnet_core.images import HOWS, MAX_FILE_BYTES, SIDE, all_inputs, read_image, whole_square
from resnet_core.imports.cost import macs_per_image
from resnet_core.language import mark, tr
from resnet_core.nets import Net

TEST, UPLOAD = mark("test set"), mark("upload")
ALL, DISAGREE, WRONG = mark("all"), mark("nets disagree"), mark("a net is wrong")
ANY = mark("any class")
UNKNOWN = mark("not known")
TYPES = ["png", "jpg", "jpeg", "webp"]
#: Uploads at once; each is held as two inputs and a thumbnail.
MOST_UPLOADS = 20
#: Side of an upload's own picture beside what the net sees of it, in pixels.
_THUMBNAIL = 256
#: In the session: uploads that were read, by id; ids in the uploader when it was last drawn; whether these were just changed by the viewer,
#: or the filters of the test set.
_READ, _LISTED, _CHANGED, _FILTERED = "predict.uploads", "predict.listed", "predict.changed", "predict.filtered"
_FILES = "predict.files"
#: Among what is kept of an upload: its ``whole``, by how it is made square.
_WHOLE = "whole"


@dataclass(frozen=True, eq=False)
class Shown:
    """The image as the nets see it.

    Attributes:
        name: ``test image 17``, or the file's own name; not escaped.
        stem: for the names of files: letters, digits, dashes.
        pixels: uint8 (32, 32, 3), for nets of that size; of a test image as large as its data set's.
        larger: the same of other sizes, by their side; what is not there is enlarged. See ``at``.
        larger_as: how these were made, where that differs.
        test: of a test image the data set and its number.
        classes: those that ``label`` is one of.
        whole: of an upload uint8 (256, 256, 3), that several views for nets of larger images are made of.
        label: its class, or None.
        notes: what was done to it.
        original: the upload before it was made 32x32, as PNG, or None.
        together: all pictures that were uploaded, where there are several; this one is among them.
    """

    name: str
    stem: str
    pixels: np.ndarray
    label: int | None = None
    notes: tuple[str, ...] = ()
    original: bytes | None = None
    together: tuple[Shown, ...] = ()
    larger: Mapping[int, np.ndarray] = field(default_factory=dict)
    larger_as: str = ""
    test: tuple[Images, int] | None = None
    whole: np.ndarray | None = None
    classes: tuple[str, ...] = CLASSES

    def label_of(self, classes: Sequence[str]) -> int | None:
        """Its class, if it is known and one of these."""
        return self.label if tuple(classes) == tuple(self.classes) else None

    def at(self, side: int) -> np.ndarray:
        """What nets for images of ``side`` pixels see: uint8 (side, side, 3)."""
        if side == len(self.pixels):
            return self.pixels
        if side in self.larger:
            return self.larger[side]
        from resnet_core.analysis.prediction import stack

        return stack([self._source(side)], side)[0].permute(1, 2, 0).contiguous().numpy()

    def _source(self, side: int) -> np.ndarray:
        """What it is resized from, for sides that it was not made for."""
        return self.whole if self.whole is not None and side > len(self.pixels) else self.pixels

    def seen_by(self, net: Net) -> np.ndarray:
        """``at`` the size of a net's images."""
        return self.at(net.side)

    def for_views(self, net: Net, protocol: Protocol) -> np.ndarray:
        """What the views of a protocol are made of: where the one view is the centre of a larger picture, that picture."""
        if protocol.is_wider and self.whole is not None and net.side in self.larger:
            return self.whole
        return self.at(net.side)

    def how_at(self, side: int) -> str:
        """Say what was done to the picture for nets of that size."""
        own = len(self._source(side))
        resized = tr("enlarged from {own}x{own}", own=own) if side > own else tr("reduced from {own}x{own}", own=own)
        made = "" if side == len(self.pixels) else self.larger_as if side in self.larger else resized
        return " · ".join(filter(None, [tr("{side}x{side} pixels", side=side), made]))


def choose_image(nets: Sequence[Net], complaints: Any = st) -> Shown | None:
    """Draws the choice; None while there is nothing to show.

    Args:
        complaints: where it is said that an upload is refused; the sidebar's end may be out of sight.
    """
    st.header(tr("Image"), anchor=False)
    links.check_choice("from", tr("an image from"), [TEST, UPLOAD])
    source = st.segmented_control(
        tr("Where from"),
        [TEST, UPLOAD],
        format_func=tr,
        default=TEST,
        required=True,
        key="from",
        bind="query-params",
        label_visibility="collapsed",
    )
    return uploaded(nets, complaints) if source == UPLOAD else of_the_test_set(nets)


# ---------------------------------------------------------------- the test set


def of_the_test_set(nets: Sequence[Net]) -> Shown | None:
    images = analyses.choose_images(nets, "data", tr("Test images of"))
    if images is None:
        return None
    names, test = images.config.class_names, analyses.images_of(images, "test")
    labels = test.labels.numpy()
    links.check_choice("which", tr("which images"), [ALL, DISAGREE, WRONG])
    links.check_choice("class", tr("the class"), [ANY, *names])
    links.check_number("image", tr("test image"), 0, len(test) - 1)
    kind = st.selectbox(tr("Which"), [ALL, DISAGREE, WRONG], format_func=tr, key="which", bind="query-params", on_change=_filter)
    if st.session_state.get("class", ANY) not in (ANY, *names):
        st.session_state["class"] = ANY  # of the data set before
    of = st.selectbox(tr("Class"), [ANY, *names], format_func=tr, key="class", bind="query-params", on_change=_filter)
    if kind != ALL and not _may_ask(nets, images):
        kind = ALL  # until then all are there
    found = _pool(kind, of, nets, images, labels)
    # Set only where it must be, and before the widget is drawn: on a cold link it takes its value from the URL.
    index = st.session_state.get("image", 0)
    if st.session_state.pop(_FILTERED, False) and len(found) and index not in found:
        st.session_state["image"] = int(found[0])
    elif index >= len(test):
        st.session_state["image"] = len(test) - 1
    index = st.number_input(tr("Number"), 0, len(test) - 1, step=1, key="image", bind="query-params")
    with st.container(horizontal=True, gap="small"):
        st.button(
            tr("Another"), icon=":material/casino:", key="predict.another", on_click=_another, args=(found, index), disabled=not len(found)
        )
        for title, icon, place in ((tr("Previous"), ":material/chevron_left:", -1), (tr("Next"), ":material/chevron_right:", 1)):
            args = (found, index, place)
            st.button(
                icon,
                key=f"predict.{title}",
                on_click=_step,
                args=args,
                disabled=not len(found),
                help=tr("{title} of these images", title=title),
            )
    among = kind != ALL or of != ANY
    if among and not len(found):
        st.caption(tr("No test image is like that."))
    elif among:
        absent = "" if index in found else tr(" This one is none of them.")
        asked = "" if kind == ALL else tr(" Asked of one view each.")
        st.caption(tr("{founds:,} of {tests:,} images.{asked}{absent}", founds=len(found), tests=len(test), asked=asked, absent=absent))
    pixels = test.images[index].permute(1, 2, 0).contiguous().numpy()
    of_set: dict[str, Any] = {"test": (images, index), "classes": names}
    return Shown(tr("test image {index}", index=index), f"test-{images.config.key}-{index}", pixels, int(labels[index]), **of_set)


def _may_ask(nets: Sequence[Net], images: Images) -> bool:
    """Whether the nets may be asked of all test images; where that takes long, only when a viewer wants it."""
    asked = _able(nets, images)
    work = images.config.test_images * sum(macs_per_image(net) for net in asked)
    return may_begin(("answers", images.config, *(net.id for net in asked)), tr("Asking the nets of all test images"), work)


def _able(nets: Sequence[Net], images: Images) -> list[Net]:
    """Those that know the classes of the images."""
    return [net for net in nets if not net.refusal(images.config)]


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


def _pool(kind: str, of: str, nets: Sequence[Net], images: Images, labels: np.ndarray) -> np.ndarray:
    """The images to choose among, rising; none where the nets cannot be asked."""
    found = np.arange(len(labels))
    if kind != ALL:
        try:
            found = _contested(kind, _able(nets, images), images, labels)
        except UserError as error:
            st.error(escaped(str(error)), icon=":material/error:")
            found = found[:0]
    return found if of == ANY else found[labels[found] == images.config.class_names.index(of)]


def _contested(kind: str, nets: Sequence[Net], images: Images, labels: np.ndarray) -> np.ndarray:
    """The images that the nets disagree on, or get wrong; those that were not asked before are asked now, behind a bar."""
    from resnet_core.analysis.prediction import disagreements, mistakes

    if kind == DISAGREE and len(nets) < 2:
        st.caption(tr("One net alone disagrees with none: choose two or more that know these classes."))
    answers = computed.test_answers(nets, images)
    return disagreements(answers) if kind == DISAGREE else mistakes(answers, labels)


# ---------------------------------------------------------------- uploads


def uploaded(nets: Sequence[Net] = (), complaints: Any = st) -> Shown | None:
    cap = MAX_FILE_BYTES >> 20
    if _FILES not in st.session_state:  # drawn anew: that it is empty does not say that files were taken out of it
        st.session_state[_LISTED] = ()
    files = st.file_uploader(
        tr("Images"), TYPES, accept_multiple_files=True, max_upload_size=cap, key=_FILES, label_visibility="collapsed",
        on_change=_files_changed,
    )  # fmt: skip
    st.caption(tr("PNG, JPEG or WebP, at most {cap} MiB each. Kept in this session only.", cap=cap))
    classes = [net.class_names for net in nets if net.class_names] or [class_names(net) for net in nets] or [CLASSES]
    return chosen_of([(file.file_id, file.name, file) for file in files], complaints, classes[0])


def _files_changed() -> None:
    """Called when the viewer adds or removes a file, and where a run that drew the uploader anew was cut short."""
    st.session_state[_CHANGED] = True


def chosen_of(files: Sequence[tuple[str, str, Any]], complaints: Any = st, classes: tuple[str, ...] = CLASSES) -> Shown | None:
    """Reads what is new, says what is refused, and lets the viewer choose among the rest.

    What was uploaded before stays: an uploader forgets its files as soon as it is not drawn.

    Args:
        files: an id, the name as the browser gave it, and something with ``getvalue()``, of each in the uploader.
        complaints: see ``choose_image``.
        classes: those that a picture may be said to be of.
    """
    held: dict[str, Any] = st.session_state.setdefault(_READ, {})
    listed = [file_id for file_id, _, _ in files]
    removed = set(st.session_state.get(_LISTED, ())) - set(listed) if st.session_state.pop(_CHANGED, False) else set()
    st.session_state[_LISTED] = listed
    for file_id in [i for i, found in held.items() if i in removed or (isinstance(found, str) and i not in listed)]:
        del held[file_id]
    new = []
    for file_id, name, file in files:
        if file_id not in held and len(held) < MOST_UPLOADS:
            held[file_id] = read(file.getvalue(), name)
            new += [] if isinstance(held[file_id], str) else [file_id]
    if new:  # what was uploaded just now is what the viewer wants to see
        st.session_state["predict.picked"] = new[0]
    if left := [name for file_id, name, _ in files if file_id not in held]:
        complaints.warning(
            tr("At most {most_uploads} images are taken; {lefts} were not.", most_uploads=MOST_UPLOADS, lefts=len(left)),
            icon=":material/filter_list:",
        )
    for found in held.values():
        if isinstance(found, str):
            complaints.error(escaped(found), icon=":material/broken_image:")
    good = [file_id for file_id, found in held.items() if not isinstance(found, str)]
    if before := [file_id for file_id in good if file_id not in listed]:
        st.caption(escaped(tr("Uploaded before: {name}.", name=", ".join(held[i]["name"] for i in before))))
        st.button(tr("Remove"), key="predict.remove", icon=":material/delete:", on_click=_remove, args=(before,))
    if not good:
        return None
    picked = good[0]
    if len(good) > 1:
        picked = st.selectbox(tr("Picture"), good, format_func=lambda i: f"{good.index(i) + 1}. {held[i]['name']}", key="predict.picked")
    links.check_choice("how", tr("the pixels of"), HOWS.values())
    how = st.radio(tr("The nets see"), list(HOWS), format_func=titled(HOWS), key="how", bind="query-params")
    kept: dict[str, Any] = {"key": f"predict.true.{picked}", "persist_state": "session"}
    if st.session_state.get(kept["key"], UNKNOWN) not in (UNKNOWN, *classes):
        st.session_state[kept["key"]] = UNKNOWN  # of the nets before
    label = st.selectbox(tr("True class"), [UNKNOWN, *classes], format_func=tr, help=tr("Marked among the bars, if you say it."), **kept)
    held[picked]["true"] = None if label == UNKNOWN else label  # beside it, for when another picture is chosen
    shown = _shown(held[picked], how, classes)
    return shown if len(good) == 1 else replace(shown, together=tuple(_shown(held[file_id], how, classes) for file_id in good))


def _remove(ids: Sequence[str]) -> None:
    for file_id in ids:
        st.session_state[_READ].pop(file_id, None)


def _shown(found: dict[str, Any], how: str, classes: tuple[str, ...]) -> Shown:
    width, height = found["size"]
    made = tr("already 32x32") if (width, height) == (SIDE, SIDE) else HOWS[how]
    notes = (tr("{width:,}x{height:,} pixels: {made}", width=width, height=height, made=made), *found["notes"])
    larger = {side: pixels for side, pixels in found[how].items() if side != SIDE}
    cut = tr("the centre, after the shorter side was brought to 256") if how == "crop" else ""
    label = classes.index(found["true"]) if found.get("true") in classes else None
    rest = (label, notes, found["original"])
    more: dict[str, Any] = {"larger": larger, "larger_as": cut, "whole": found[_WHOLE][how], "classes": classes}
    return Shown(found["name"], stem(found["name"]), found[how][SIDE], *rest, **more)


def read(content: bytes, name: str) -> dict[str, Any] | str:
    """What is kept of an upload, as plain values; or why it is refused."""
    try:
        picture = read_image(content, name)
    except UserError as error:
        return str(error)
    small = picture.image.copy()
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    kept = {how: all_inputs(picture, how) for how in HOWS}
    whole = {how: whole_square(picture, how) for how in HOWS}
    return {
        "name": picture.name,
        "notes": picture.notes,
        "size": picture.size,
        "original": overlay.png(np.asarray(small)),
        _WHOLE: whole,
        **kept,
    }


def stem(name: str) -> str:
    """What is harmless of a file's name, without its ending."""
    kept = re.sub(r"[^A-Za-z0-9]+", "-", name.rpartition(".")[0] or name).strip("-")
    return kept[:40] or "image"
