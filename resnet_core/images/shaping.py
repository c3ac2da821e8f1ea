"""A picture of any size and shape -> the pixels that a net sees: 32x32, or the 224x224 of ImageNet's nets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resnet_core.images.reading import Picture
from resnet_core.language import mark

if TYPE_CHECKING:
    import numpy as np

#: Pixels of the side of a net's input, if it is for CIFAR's images.
SIDE = 32
#: Of a larger one: the shorter side is brought to 256 pixels, of which the 224 in the centre are kept (torchvision's presets).
SHORTER, KEPT = 256, 224
#: How to make it square, with what to call that.
HOWS = {"crop": mark("the square in its centre"), "fit": mark("the whole picture, with a border")}
#: The border has the mean colour of CIFAR-10's training images (0.4914, 0.4822, 0.4465), about 0 after a net's normalisation, as is the
#: padding of its training.
BORDER = (125, 123, 114)
#: And that of ImageNet's (0.485, 0.456, 0.406) for its nets.
BORDER_IMAGENET = (124, 116, 104)


def all_inputs(picture: Picture, how: str = "crop") -> dict[int, np.ndarray]:
    """``to_input`` for each size that nets of the families here take."""
    return {side: to_input(picture, how, side) for side in (SIDE, KEPT)}


def to_input(picture: Picture, how: str = "crop", side: int = SIDE) -> np.ndarray:
    """What the net sees: uint8 (side, side, 3), RGB; for 32 pixels a picture of 32x32 as it is.

    Resampled with a filter as wide as the reduction asks for, so that nothing is skipped: Lanczos for 32 pixels; for more a bilinear one,
    as ImageNet's nets of torchvision are tested.

    Args:
        how: ``crop`` (the square in the centre; for more than 32 pixels seven eighths of it, see ``SHORTER``) or ``fit`` (the whole
            picture on a square with a border).
        side: of what the net sees.

    Raises:
        ValueError: ``how`` is neither.
    """
    import numpy as np
    from PIL import Image

    image, is_small = picture.image, side == SIDE
    resampling = Image.Resampling.LANCZOS if is_small else Image.Resampling.BILINEAR
    if how == "crop":
        made = image.resize((side, side), resampling, box=_square(image.size) if is_small else _centre(image.size, side))
    elif how == "fit":
        longest = max(image.size)
        width, height = (max(1, round(side * length / longest)) for length in image.size)
        made = Image.new("RGB", (side, side), BORDER if is_small else BORDER_IMAGENET)
        made.paste(image.resize((width, height), resampling), ((side - width) // 2, (side - height) // 2))
    else:
        raise ValueError(f"how: {how!r} is not one of {', '.join(HOWS)}")
    return np.array(made)


def whole_square(picture: Picture, how: str = "crop") -> np.ndarray:
    """Give what views for larger nets are cut from: uint8 (256, 256, 3), of which ``to_input`` keeps the centre.

    Args:
        how: ``crop``: the square in the centre; ``fit``: as of ``to_input``.
    """
    import numpy as np
    from PIL import Image

    if how == "fit":
        return to_input(picture, how, SHORTER)
    return np.array(picture.image.resize((SHORTER, SHORTER), Image.Resampling.BILINEAR, box=_square(picture.image.size)))


def _square(size: tuple[int, int]) -> tuple[float, float, float, float]:
    """The square in the centre: left, top, right, bottom."""
    width, height = size
    side = min(size)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def _centre(size: tuple[int, int], side: int) -> tuple[float, float, float, float]:
    """What is left of a picture whose shorter side is brought to ``SHORTER`` and whose centre is kept, in its own pixels.

    No more than that is made of it, however long it is. Lengths and places are rounded as torchvision rounds them.
    """
    shorter = round(side * SHORTER / KEPT)
    whole = [int(shorter * length / min(size)) for length in size]
    begin = [round((length - side) / 2) for length in whole]
    left, top, right, bottom = (
        at * length / resized for at, length, resized in zip((*begin, *(at + side for at in begin)), size * 2, whole * 2, strict=True)
    )
    return left, top, right, bottom
