"""Choices that several families share, declared once."""

from __future__ import annotations

from resnet_core.architectures.base import Field
from resnet_core.language import mark

#: Filters of the first stage.
MIN_WIDTH, MAX_WIDTH = 1, 256

CLASSES = Field("num_classes", "classes", mark("Outputs of the fully connected layer."), low=2, high=1000, prefix="c")
NONLINEARITY = Field(
    "nonlinearity", mark("activation function"), mark("ReLU, or tanh, which was common before it (AlexNet's Fig. 1)."), ("relu", "tanh"),
    tokens={"tanh": "tanh"},
)  # fmt: skip
INITIALIZATION = Field(
    "initialization", "initialisation",
    mark("Of the weights: He et al. 2015 (for ReLU), Glorot and Bengio 2010 (Xavier), or N(0, 0.01) for all "
"layers, as in AlexNet."),
    ("he", "xavier", "normal"), tokens={"xavier": "xavier", "normal": "n0.01"},
)  # fmt: skip
NORM = Field("norm", "normalisation", mark("Batch normalisation, or none: then every convolution has a bias."), ("batch", "none"),
             tokens={"none": "nobn"})  # fmt: skip
#: Whether its blocks have shortcuts, for families whose paper has one kind.
WITH_SHORTCUTS = Field(
    "shortcuts", "shortcuts", mark("With them, or without: the plain twin."), ("projection", "none"), tokens={"none": "plain"}
)


def width(help_text: str = mark("Filters of the first stage; the others have 2 and 4 times as many.")) -> Field:
    """Declare the width of a net's stages."""
    return Field("width", "width", help_text, low=MIN_WIDTH, high=MAX_WIDTH, prefix="w")


def dropout(where: str) -> Field:
    """Declare the percentage of values that dropout sets to 0 in training."""
    return Field(
        "dropout", "dropout", mark("Percent of the values {where} that are set to 0 in training.", where=where), low=0, high=90, prefix="d"
    )
