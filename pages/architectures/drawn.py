"""The net that is looked into, drawn: the whole of it, a DenseNet's connections, a ResNeXt's three forms."""

from __future__ import annotations

import dataclasses
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.elements.lib.streamlit_plotly_theme import GRAY_90

from pages.ui.alternative import unmarked
from resnet_core.architectures import ModelConfig, parse
from resnet_core.architectures.resnext_forms import agreement
from resnet_core.architectures.table import complexity
from resnet_core.figures.diagram import diagram, is_drawn_in_full
from resnet_core.figures.diagram_blocks import dense_blocks, dense_figure, dense_words, forms_figure
from resnet_core.figures.diagram_words import note
from resnet_core.language import tr

CHART = {"displaylogo": False, "scrollZoom": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"]}


def draw(figure: go.Figure, key: str, alt: str, **more: Any) -> None:
    """Streamlit's theme writes on charts in a pale grey; on a projector it wants the page's own text colour.

    Args:
        alt: what it shows, for those who do not see it.
        more: what else ``st.plotly_chart`` takes, such as what a click does.
    """
    figure.update_layout(font={"color": GRAY_90}, dragmode=False)  # a swipe scrolls; the buttons still zoom
    figure.update_xaxes(tickfont={"color": GRAY_90}, title={"font": {"color": GRAY_90}})
    figure.update_yaxes(tickfont={"color": GRAY_90}, title={"font": {"color": GRAY_90}})
    st.plotly_chart(figure, config=CHART, key=key, alt=alt, **more)


def show_diagram(config: ModelConfig) -> DeltaGenerator | None:
    """Draws the net; returns the place of the proof that a ResNeXt's three forms are equal, which takes torch."""
    net = complexity(config)
    st.header(tr("{name}, drawn", name=config.name))
    words = note(net, is_drawn_in_full(net))
    draw(diagram(net), "diagram", unmarked(words))
    st.caption(words)
    if blocks := dense_blocks(config):
        first = next(iter(blocks))
        picked = st.segmented_control(tr("Dense block"), list(blocks), default=first, required=True, key="dense_block")
        stage = picked if picked in blocks else first  # that of a net with more blocks may be picked still
        words = dense_words(config, stage)
        draw(dense_figure(config, stage), "dense", unmarked(words))
        st.caption(words)
    if not has_forms(config):
        return None
    st.header(tr("One block in three equal forms"))
    draw(forms_figure(config), "forms", tr("The three forms of a block, (a), (b) and (c), as the text below it says."))
    st.caption(
        tr(
            "As in Fig. 3 of Xie et al. 2017: each path by itself, and their outputs added (a); their channels "
            "put one behind the other before one 1×1 convolution (b); or all paths as one convolution in groups "
            "(c), which is how this net is built unless its name says otherwise. All three have the same "
            "weights, arranged in another way."
        )
    )
    return st.empty()


def has_forms(config: ModelConfig) -> bool:
    """Whether it is a ResNeXt of more than one path."""
    return hasattr(config, "form") and getattr(config, "cardinality", 1) > 1 and config.shortcut != "none"


@st.cache_data(show_spinner=False, max_entries=50)
def agreement_of(name: str) -> dict[str, Any]:
    """``Agreement`` as plain values (classes do not outlive a hot reload)."""
    return dataclasses.asdict(agreement(parse(name)))


def show_agreement(config: ModelConfig, place: DeltaGenerator) -> None:
    """Runs a block in its three forms and says how far they are apart."""
    with place, st.spinner(tr("A block is run in its three forms …")):
        found = agreement_of(config.name)
    apart = {pair: f"**{difference:.1e}**" if difference else "**0**" for pair, difference in found["differences"].items()}
    place.markdown(
        tr(
            "Computed in float64: block `{unit}` with random weights, a random input of {map}. The largest "
            "difference between (a) and (b) is {ab}, between (a) and (c) {ac}, and between (b) and (c) {bc}, "
            "where the largest output is {largest:.1f}. float64 has about 16 digits.",
            unit=found["unit"],
            map=" × ".join(map(str, found["shape"])),
            ab=apart["ab"],
            ac=apart["ac"],
            bc=apart["bc"],
            largest=found["largest"],
        )
    )
