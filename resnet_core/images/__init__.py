"""Anybody's image file -> what a net sees: read with suspicion, made RGB and upright, cut or fitted to its size. No torch.

For example::

    from resnet_core.images import read_image, to_input

    picture = read_image(content, name)  # ImageRefused says what is wrong
    pixels = to_input(picture, "crop")  # uint8 (32, 32, 3)
"""

from resnet_core.images.reading import MAX_FILE_BYTES, MAX_PIXELS, Picture, read_file, read_image
from resnet_core.images.refusal import ImageRefused, safe_name
from resnet_core.images.shaping import HOWS, SIDE, all_inputs, to_input, whole_square

__all__ = [
    "HOWS",
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "SIDE",
    "ImageRefused",
    "Picture",
    "all_inputs",
    "read_file",
    "read_image",
    "safe_name",
    "to_input",
    "whole_square",
]
