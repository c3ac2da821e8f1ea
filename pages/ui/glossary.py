"""The terms that the pages use, each in a sentence or two: at the foot of every page."""

from __future__ import annotations

import streamlit as st

TERMS = {
    "plain net": "A chain of convolutions without shortcuts. Its twin is the residual net of the same depth.",
    "residual net (ResNet)": (
        "Around every two or three layers a shortcut passes the input x on, and what the layers make of it, F(x), is added."
    ),
    "shortcut none, A, B, C": (
        "none: a plain net. A: x itself; where the shape changes, every second pixel and channels of zeros, without parameters. B: as A, "
        "but a 1x1 convolution (projection) where the shape changes. C: a projection around every block."
    ),
    "depth": "Layers with weights on the main path: convolutions and the fully connected layer. Projections do not count.",
    "degradation": (
        "A deeper plain net ends with a higher training error than a shallower one. It is about trained nets, and not overfitting."
    ),
    "training error": (
        "Part of the training images that are got wrong: in curves of the batches as they were trained on (augmented, if they were). "
        "Clean: at the end, of the trained net on the images as they are."
    ),
    "test error": "Part of images wrong that were never trained on. It selects nothing here.",
    "iteration, epoch": "One update of the weights by one batch of images; as many iterations as it takes to see all images once.",
    "schedule": "How many iterations, and how the learning rate falls over them. The paper's has 64,000 iterations of 128 images.",
    "warm-up": "A smaller learning rate at the beginning. The paper's 110 layers start at 0.01 until the training error is below 80 %.",
    "seed": (
        "The number that decides on the first weights and the order of the images. Another seed is another training: the luck of a seed."
    ),
    "±, undecided": (
        "A standard error: the luck of seeds and of test images. A difference of less than twice its standard error is undecided; more "
        "seeds "
        "would tell."
    ),
    "batch normalisation (BN)": (
        "Makes each channel's values have a mean and a spread that are learned: by the statistics of the batch while training, by running "
        "means of them afterwards."
    ),
    "precision fp32, bf16": (
        "32 or 16 bits a number in convolutions while training. Trained checkpoints are measured in fp32, unless asked otherwise."
    ),
    "parameters, MACs": "Numbers that are learned; multiplications with additions for one image, which the paper calls FLOPs.",
    "layer response": (
        "What a layer puts out after BN, before ReLU or the addition; its standard deviation is what Figure 7 of the paper shows."
    ),
    "gradient norm": (
        "Length of the vector of derivatives of the loss with respect to a layer's weights: how strongly it is told to change."
    ),
    "attribution map": "Which pixels an answer comes from, by one of several methods, which do not agree. See the checks below each map.",
}


def glossary() -> None:
    """Draw the button that opens the list."""
    with st.popover("Terms", icon=":material/menu_book:", type="tertiary"):
        st.markdown("\n".join(f"- **{term}**: {text}" for term, text in TERMS.items()))
