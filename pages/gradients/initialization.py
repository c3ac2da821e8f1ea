"""The gradients of nets before their first update, over a range of depths, with BN and without: computed while the viewer looks on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import analyses, findings
from pages.ui.chart_files import chart_files
from pages.ui.figure_chart import figure_chart
from resnet_core.figures.gradients import (
    RESPONSE_GRADIENT,
    WEIGHT_GRADIENT,
    InitializationCurve,
    initialization_csv,
    initialization_figure,
)
from resnet_core.language import mark, tr

if TYPE_CHECKING:
    pass

DEPTHS = ("8", "20", "32", "44", "56", "110")
#: 110 layers take as long again as these two; they are one click away.
DEFAULT_DEPTHS = ("20", "56")
#: Images of the sample's training set; a backward pass of 110 layers takes 0.4 GB with as many.
IMAGES = 32
FAMILIES = {mark("plain"): "none", mark("residual (A)"): "A"}
#: As it stands on the page and in the URL -> (its title, a field of ``Gradients``).
QUANTITIES = {mark("weights"): (WEIGHT_GRADIENT, "gradient_norm"), mark("responses"): (RESPONSE_GRADIENT, "response_gradient")}
NOTE = mark(
    "Seed 0, He initialisation, fp32, one batch of {images} training images of the sample. Without BN: the same weights, and every BN "
    "taken out. He initialisation is made for such nets; it keeps the signal of a plain one, while the sums of a residual one double "
    "its variance with every block.",
    images=IMAGES,
)


def initialization_section() -> None:
    """Draws the controls, then the chart as soon as it is computed. To be the last of a page: it may take half a minute the first time."""
    st.header(tr("Before the first update"), anchor=False)
    row = st.container(horizontal=True, gap="medium")  # it breaks where columns would cut what is in them
    depths = row.pills(tr("Depths"), DEPTHS, selection_mode="multi", default=DEFAULT_DEPTHS, key="depths", bind="query-params")
    families = row.pills(
        tr("Nets"), list(FAMILIES), selection_mode="multi", default=list(FAMILIES), format_func=tr, key="family", bind="query-params"
    )
    quantity = row.segmented_control(
        tr("Gradient of"), list(QUANTITIES), default="weights", format_func=tr, required=True, key="of", bind="query-params",
        help=tr("weights: what an update is made of. responses: the backward signal itself."),
    )  # fmt: skip
    if not depths or not families:
        st.info(tr("Choose at least one depth and one kind of nets."), icon=":material/info:")
        return
    title, field = QUANTITIES[quantity or "weights"]
    curves = _curves([int(depth) for depth in DEPTHS if depth in depths], [family for family in FAMILIES if family in families], field)
    found = findings.initialization_findings(curves, quantity != "responses")
    # Each panel has its own axis where the two are too far apart for one.
    figure_chart(
        initialization_figure(curves, quantity=title, shared_y=False),
        initialization_figure(curves, dark=True, quantity=title, shared_y=False),
        key="initialization_chart",
        said=findings.text(found),
    )
    st.caption(NOTE)
    findings.show(found)
    chart_files(
        "gradients-at-initialization", tr("ResNet Lab: gradients before the first update"), lambda: initialization_csv(curves, field),
        lambda dark: initialization_figure(curves, dark, quantity=title, shared_y=False), NOTE,
    )  # fmt: skip


def _curves(depths: Sequence[int], families: Sequence[str], field: str) -> list[InitializationCurve]:
    curves = []
    for family in families:
        for batch_norm in (True, False):
            title = tr("{family} nets with BN", family=family) if batch_norm else tr("{family} nets without BN", family=family)
            found = analyses.at_initialization(title, depths, FAMILIES[family], batch_norm, IMAGES)
            curves += [
                InitializationCurve(one.model, one.batch_norm, one.seed, one.gradients.names, getattr(one.gradients, field))
                for one in found
            ]
    return curves
