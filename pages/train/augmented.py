"""One training image as a training sees it: what the chosen augmentation does, drawn by the code that trains."""

from __future__ import annotations

import io
from typing import Any

import streamlit as st

from resnet_core.config import Recipe, RunConfig
from resnet_core.errors import ConfigError
from resnet_core.language import mark, tr

#: Draws shown beside the image itself, and pixels that each is shown with.
DRAWS, WIDTH = 8, 96
_FIELDS = ("augmentation", "scale_range", "pca_colour", "colour_jitter")
_IMAGE, _DRAWN = "train.augmented.image", "train.augmented.drawn"
_DONE = {
    "standard": mark("4 pixels of padding on each side, a random crop, mirrored or not."),
    "none": mark("Nothing is cut out or mirrored."),
    "crop": mark("A random crop of an image that is stored larger than the net's input, mirrored or not."),
    "scale": mark("The image at a random scale, a random crop of it, mirrored or not (VGG, He et al.)."),
    "resized": mark("A random part of the image, 8 to 100 % of its area, resized, mirrored or not (GoogLeNet)."),
}
_NOT_LARGER = mark("The images here are no larger than the net's input, so they are mirrored only.")


def augmented(shared: dict[str, Any], side: int) -> None:
    """Draw the picture. Nothing is drawn of a recipe that cannot be: the table says what is wrong with it.

    Args:
        shared: fields of ``Recipe``, as the form has them.
        side: of the net's input, in pixels.
    """
    from resnet_core.data import views

    try:
        recipe = RunConfig(recipe=Recipe(**{name: shared[name] for name in _FIELDS})).recipe
    except ConfigError:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = st.number_input(tr("Training image of the sample"), 0, 4_999, key=_IMAGE, persist_state="session", width=220)
        if st.button(tr("Other draws"), icon=":material/casino:", key="train.augmented.again"):
            st.session_state[_DRAWN] = st.session_state.get(_DRAWN, 0) + 1
    drawn = st.session_state.get(_DRAWN, 0)
    image = views.stored(number, side)
    with st.container(horizontal=True, gap="small"):
        st.image(_png(image), caption=tr("as it is"), width=WIDTH, alt=tr("training image {number}", number=number))
        for place, view in enumerate(views.views(number, recipe, side, DRAWS, drawn), start=1):
            alt = tr("training image {number} after augmentation, draw {place}", number=number, place=place)
            st.image(_png(view), width=WIDTH, alt=alt)
    done = [tr(_DONE[recipe.augmentation])]
    if recipe.augmentation == "crop" and image.shape[-1] == side:
        done.append(tr(_NOT_LARGER))
    if recipe.pca_colour:
        done.append(tr("All colours are shifted along their principal axes (AlexNet)."))
    if recipe.colour_jitter:
        done.append(tr("Brightness, contrast and saturation are changed, in random order."))
    done.append(tr("Made by the code that makes the batches of a training; what is drawn depends on seed and iteration alone."))
    st.caption(" ".join(done))


def _png(image: Any) -> bytes:
    """uint8 (3, S, S) as a PNG; a small one with every pixel a square, so that nothing is invented."""
    from PIL import Image

    picture = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    zoom = -(-2 * WIDTH // picture.width) if picture.width < 2 * WIDTH else 1
    held = io.BytesIO()
    picture.resize((picture.width * zoom, picture.height * zoom), Image.Resampling.NEAREST).save(held, "PNG")
    return held.getvalue()
