"""The terms that the pages use, each in a sentence or two: at the foot of every page."""

from __future__ import annotations

import streamlit as st

from resnet_core.language import mark, tr

TERMS = {
    mark("plain net"): mark("A chain of convolutions without shortcuts. Its twin is the residual net of the same depth."),
    mark("residual net (ResNet)"): (
        mark("Around every two or three layers a shortcut passes the input x on, and what the layers make of it, F(x), is added.")
    ),
    mark("shortcut none, A, B, C"): (
        mark(
            "none: a plain net. A: x itself; where the shape changes, every second pixel and channels of zeros, "
            "without parameters. B: as A, but a 1x1 convolution (projection) where the shape changes. C: a "
            "projection around every block."
        )
    ),
    mark("depth"): mark("Layers with weights on the main path: convolutions and the fully connected layer. Projections do not count."),
    mark("degradation"): (
        mark("A deeper plain net ends with a higher training error than a shallower one. It is about trained nets, and not overfitting.")
    ),
    mark("training error"): (
        mark(
            "Part of the training images that are got wrong: in curves of the batches as they were trained on "
            "(augmented, if they were). Clean: at the end, of the trained net on the images as they are."
        )
    ),
    mark("test error"): mark("Part of images wrong that were never trained on. It selects nothing here."),
    mark("iteration, epoch"): mark(
        "One update of the weights by one batch of images; as many iterations as it takes to see all images once."
    ),
    mark("schedule"): mark(
        "How many iterations, and how the learning rate falls over them. The paper's has 64,000 iterations of 128 images."
    ),
    mark("warm-up"): mark(
        "A smaller learning rate at the beginning. The paper's 110 layers start at 0.01 until the training error is below 80 %."
    ),
    mark("seed"): (
        mark(
            "The number that decides on the first weights and the order of the images. Another seed is another "
            "training: the luck of a seed."
        )
    ),
    mark("±, undecided"): (
        mark(
            "A standard error: the luck of seeds and of test images. A difference of less than twice its "
            "standard error is undecided; more seeds would tell."
        )
    ),
    mark("batch normalisation (BN)"): (
        mark(
            "Makes each channel's values have a mean and a spread that are learned: by the statistics of the "
            "batch while training, by running means of them afterwards."
        )
    ),
    mark("precision fp32, bf16"): (
        mark("32 or 16 bits a number in convolutions while training. Trained checkpoints are measured in fp32, unless asked otherwise.")
    ),
    mark("parameters, MACs"): mark("Numbers that are learned; multiplications with additions for one image, which the paper calls FLOPs."),
    mark("layer response"): (
        mark("What a layer puts out after BN, before ReLU or the addition; its standard deviation is what Figure 7 of the paper shows.")
    ),
    mark("gradient norm"): (
        mark("Length of the vector of derivatives of the loss with respect to a layer's weights: how strongly it is told to change.")
    ),
    mark("attribution map"): mark(
        "Which pixels an answer comes from, by one of several methods, which do not agree. See the checks below each map."
    ),
}


def glossary() -> None:
    """Draw the button that opens the list."""
    with st.popover(tr("Terms"), icon=":material/menu_book:", type="tertiary"):
        st.markdown("\n".join(f"- **{term}**: {text}" for term, text in TERMS.items()))
