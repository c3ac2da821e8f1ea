"""The colours of a picture that are not meant as sRGB (Display P3, Adobe RGB), converted by its colour profile (ICC.1)."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from resnet_core.images.refusal import printable
from resnet_core.language import tr

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

#: An RGB or RGBA image -> the same with its colours in sRGB.
ToSrgb = Callable[["PilImage"], "PilImage"]
#: Profiles of cameras and screens have 0.5 to 50 kB, those with tables up to 2 MB.
_MOST_BYTES = 4 << 20
#: A profile that changes no colour by more than this (of 255) is sRGB under some name.
_UNSEEN = 3
_MODES = ("RGB", "RGBA", "RGBX", "P", "PA")


def to_srgb(image: PilImage, notes: list[str]) -> ToSrgb:
    """How the colours of a loaded image of type RGB become sRGB, by its own profile; says in ``notes`` if they change.

    A picture without a profile is taken as sRGB, as browsers do, and so is one whose profile cannot be used.
    """
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in _MODES:
        return _as_it_is
    import numpy as np
    from PIL import Image, ImageCms

    try:
        if len(profile) > _MOST_BYTES:
            raise ValueError
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        transforms = {mode: ImageCms.buildTransform(own, srgb, mode, mode) for mode in ("RGB", "RGBA")}
        name = printable(ImageCms.getProfileDescription(own))[:40] or tr("its colour profile")
        levels = np.arange(0, 256, 51, dtype=np.uint8)
        colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
        changed = np.asarray(ImageCms.applyTransform(Image.fromarray(colors), transforms["RGB"])).astype(int) - colors
    except Exception:  # of a damaged profile, or one of another kind of image; the pixels are whole
        notes.append(tr("its colour profile cannot be used: taken as sRGB"))
        return _as_it_is
    if abs(changed).max() <= _UNSEEN:
        return _as_it_is
    notes.append(tr("colours converted from {name} to sRGB", name=name))
    return lambda part: cast(Image.Image, ImageCms.applyTransform(part, transforms[part.mode]))


def _as_it_is(image: PilImage) -> PilImage:
    return image
