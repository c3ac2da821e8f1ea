"""A picture of any size and shape -> the 32x32 pixels that a net sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resnet_core.images.reading import Picture

if TYPE_CHECKING:
    import numpy as np

#: Pixels of the side of a net's input.
SIDE = 32
#: How to make it square, with what to call that.
HOWS = {"crop": "the square in its centre", "fit": "the whole picture, with a border"}
#: The border has the mean colour of CIFAR-10's training images (0.4914, 0.4822, 0.4465), about 0 after a net's normalisation, as is the
#: padding of its training.
BORDER = (125, 123, 114)


def to_input(picture: Picture, how: str = "crop") -> np.ndarray:
    """What the net sees: uint8 (32, 32, 3), RGB; a picture of 32x32 as it is.

    Resampled with a Lanczos filter as wide as the reduction asks for, so that nothing is skipped.

    Args:
        how: ``crop`` (the square in the centre) or ``fit`` (the whole picture on a square with a border of ``BORDER``).

    Raises:
        ValueError: ``how`` is neither.
    """
    import numpy as np
    from PIL import Image

    image = picture.image
    if how == "crop":
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        made = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side))
    elif how == "fit":
        longest = max(image.size)
        width, height = (max(1, round(SIDE * length / longest)) for length in image.size)
        made = Image.new("RGB", (SIDE, SIDE), BORDER)
        made.paste(image.resize((width, height), Image.Resampling.LANCZOS), ((SIDE - width) // 2, (SIDE - height) // 2))
    else:
        raise ValueError(f"how: {how!r} is not one of {', '.join(HOWS)}")
    return np.array(made)
