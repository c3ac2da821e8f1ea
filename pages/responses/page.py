"""Layer responses: Figure 7 of He et al. 2016 for any nets, measured on test images or through their trainings; and F(x) beside x."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.ui import analyses, findings
from pages.ui.analyses import Images, choose_images, fit_for
from pages.ui.asking import measurable
from pages.ui.chart_files import chart_files
from pages.ui.figure_chart import figure_chart
from pages.ui.guard import guarded
from pages.ui.labels import escaped
from pages.ui.moment import Moment, choose_moment, moments_text, snapshots
from pages.ui.net_words import alike, is_active, recorded
from pages.ui.nets_pick import anew, choose_nets, offered
from resnet_core.errors import UserError
from resnet_core.figures.responses import (
    FREE_SCALE,
    HOOK_POINT,
    PLAIN_NOTE,
    ResponseCurve,
    branch_csv,
    branch_figure,
    only_added,
    responses_csv,
    responses_figure,
)
from resnet_core.imports.cost import macs_per_image
from resnet_core.language import mark, tr
from resnet_core.nets import Net, told_apart
from resnet_core.nets.words import caption, conditions

if TYPE_CHECKING:
    pass


#: Seconds between two looks at runs that are still going.
POLL = 3.0
#: As it stands on the page and in the URL.
MEASURED, RECORDED = mark("on test images"), mark("in training")
COUNTS = (100, 200, 500, 1000, 2000, 5000, 10_000)
#: Enough for three digits, and there in a moment.
DEFAULT_COUNT = 200
FIGURE_7 = tr("He et al. 2016, Figure 7")


def view_controls(nets: Sequence[Net]) -> tuple[str, Images | None, int, bool, bool]:
    """What is shown of the nets: where the responses come from, the images, how many, whether the axis is logarithmic, and which layers."""
    st.header(tr("Responses"), anchor=False)
    recorded = any(net.records("layers") for net in nets)
    shown = st.segmented_control(
        tr("Responses"),
        [MEASURED, RECORDED],
        format_func=tr,
        default=MEASURED,
        required=True,
        key="responses",
        bind="query-params",
        disabled=not recorded,
        label_visibility="collapsed",
    )
    source = MEASURED if not recorded else shown or MEASURED
    images, count = None, DEFAULT_COUNT
    if source == MEASURED:
        images = choose_images(nets, "images", tr("Test images of"))
    if images is not None:
        most = min(images.config.test_images, COUNTS[-1])
        counts = [*(count for count in COUNTS if count < most), most]
        count = min(DEFAULT_COUNT, most)
        if st.session_state.get("n", count) not in counts:
            st.session_state["n"] = count  # of a larger data set
        if len(counts) > 1:
            count = st.select_slider(tr("How many"), counts, count, key="n", bind="query-params")
    log = st.toggle(tr("Log scale"), key="logscale", bind="query-params")
    added = st.toggle(
        tr("Only what is added to x"), key="added", bind="query-params",
        help=tr("Of each block the last layer only: its output is what the shortcut's x is added to. Figure 7 shows "
"all layers."),
    )  # fmt: skip
    return source, images, count, log, added


def measured_curves(
    nets: Sequence[Net], labels: dict[str, str], images: Images, count: int, log: bool
) -> tuple[list[ResponseCurve], list[Net]]:
    """Each net's newest weights on test images, and each net as it was then. One that cannot be measured is named and left out."""
    curves, shown, preview = [], [], _Preview(nets, labels, log)

    def work(net: Net) -> float:
        """A residual net twice: also as it was before its first update."""
        return count * (1 if net.model.is_plain else 2) * macs_per_image(net)

    for net in measurable(nets, labels, ("responses", images.config, count), work):
        try:
            net, found = analyses.responses(net, labels[net.id], images, count, preview.show)
        except UserError as error:
            st.error(escaped(str(error)), icon=":material/error:")
            continue
        after = tr("weights after iteration {iteration:,}", iteration=net.iteration) if net.iteration is not None else ""
        of = tr("{n:,} test images of {data_text}", n=found.n, data_text=images.config.words)
        note = " · ".join(filter(None, [of, tr("running statistics in BN"), after, conditions(net)]))
        blocks = (found.blocks, found.ratio, found.dimensions_change)
        untrained = np.empty(0) if net.model.is_plain else _untrained(net, labels[net.id], images, count)
        curves.append(ResponseCurve(net.id, labels[net.id], net.model, found.names, found.std, *blocks, note, untrained))
        shown.append(net)
    preview.place.empty()
    return curves, shown


def _untrained(net: Net, label: str, images: Images, count: int) -> np.ndarray:
    return analyses.untrained_ratio(net, tr("{label} before its first update", label=label), images, count)


class _Preview:
    """Until the nets are measured: the last snapshots of their trainings, which are there at once."""

    def __init__(self, nets: Sequence[Net], labels: dict[str, str], log: bool):
        self.nets, self.labels, self.log, self.shown = nets, labels, log, False
        self.place = st.empty()

    def show(self) -> None:
        curves, iterations = recorded_curves([net for net in self.nets if net.records("layers")], self.labels, None)
        if self.shown or not curves:
            return
        self.shown = True
        with self.place.container():
            light, night = (responses_figure(curves, dark, self.log) for dark in (False, True))
            figure_chart(light, night, key="preview_chart", passing=True)
            st.caption(
                escaped(
                    tr(
                        "Until the test images have been through: {recorded_note}",
                        recorded_note=recorded_note(self.nets, self.labels, iterations),
                    )
                )
            )


def recorded_curves(nets: Sequence[Net], labels: dict[str, str], moment: Moment | None) -> tuple[list[ResponseCurve], dict[str, int]]:
    """Each training's snapshot nearest to the moment, by default its last, and of each net the iteration of that."""
    curves, iterations = [], {}
    for net in nets:
        found = snapshots(net, "response_std")
        if found is None:
            continue
        iterations[net.id], std = found.nearest(moment.iteration(net.training) if moment else math.inf)
        note = tr("batch of iteration {iterations:,} · {conditions}", iterations=iterations[net.id], conditions=conditions(recorded(net)))
        curves.append(ResponseCurve(net.id, labels[net.id], net.model, found.names, std, note=note))
    return curves, iterations


def show_measured(nets: Sequence[Net], labels: dict[str, str], images: Images, count: int, log: bool, added: bool) -> None:
    curves, shown = measured_curves(fit_for(nets, labels, images), labels, images, count, log)
    if not curves:
        return
    drawn = [only_added(curve) for curve in curves] if added else curves
    found = findings.response_findings(curves, {net.id: alike(net, net.iteration) for net in shown})
    light, night = (responses_figure(drawn, dark, log) for dark in (False, True))
    figure_chart(light, night, key="responses_chart", said=findings.text(found))
    note = tr(
        "{hook_point} First {count:,} test images of {data_text}, with running statistics in BN. ",
        hook_point=_hook_point(added),
        count=count,
        data_text=images.config.words,
    )
    note += caption(shown, labels) + _scale_note(curves)
    st.caption(escaped(note))
    chart_files(
        "layer-responses",
        tr("ResNet Lab: layer responses"),
        lambda: responses_csv(drawn),
        lambda dark: responses_figure(drawn, dark, log),
        note,
    )
    findings.show(found)

    st.header(tr("The residual branch beside its input"), anchor=False)
    st.markdown(
        tr(
            "This is what the figure is about. A block passes on F(x) + x: the nearer to 0 it lies here, the "
            "less it changes its input. The dashed line, the same net before its first update, tells how far "
            "that was learned: with batch normalisation the branches of a deep residual net are small beside x "
            "from the start (De & Smith, *Batch Normalization Biases Residual Blocks Towards the Identity "
            "Function in Deep Networks*, NeurIPS 2020)."
        )
    )
    figure_chart(branch_figure(curves, log=log), branch_figure(curves, dark=True, log=log), key="branch_chart")
    note = tr("|F(x)| / |x|: root mean square of the residual branch (after its last BN) over that of what it is added to. ")
    note += tr(
        "Hollow: dimensions change, and it is the shortcut's output. Trained nets with running statistics in BN; dashed, untrained, "
    )
    note += tr("with those of each batch of 50.")
    if any(curve.model.is_plain for curve in curves):
        note += tr(" Dotted: {plain_note}{plain_note2}", plain_note=tr(PLAIN_NOTE)[0].lower(), plain_note2=tr(PLAIN_NOTE)[1:])
    st.caption(escaped(note))
    chart_files(
        "residual-branch",
        tr("ResNet Lab: the residual branch beside its input"),
        lambda: branch_csv(curves),
        lambda dark: branch_figure(curves, dark, log),
        note,
    )


def _hook_point(added: bool) -> str:
    return tr(HOOK_POINT) + (tr(" Of each block the last layer only.") if added else "")


def _scale_note(curves: Sequence[ResponseCurve]) -> str:
    return f" {FREE_SCALE}" if any(curve.model.is_plain for curve in curves) else ""


def recorded_note(nets: Sequence[Net], labels: dict[str, str], iterations: dict[str, int], added: bool = False) -> str:
    shown = [recorded(net) for net in nets if net.id in iterations]
    left = [labels[net.id] for net in nets if net.id not in iterations]
    note = tr(
        "{hook_point} Snapshots of {moments}. Of the training batch of that moment, with its own statistics in BN. ",
        hook_point=_hook_point(added),
        moments=moments_text(iterations, labels),
    )
    note += caption(shown, labels)
    return note + (tr(" No snapshots: {left}.", left=", ".join(left)) if left else "")


def recorded_panel(ids: Sequence[str], labels: dict[str, str], moment: Moment, log: bool, added: bool, polled: bool) -> None:
    """The chart and what it shows. ``polled`` tells whether this is run again every few seconds."""
    with guarded(tr("Layer responses")):
        nets = anew(ids, polled)
        curves, iterations = recorded_curves(nets, labels, moment)
        drawn = [only_added(curve) for curve in curves] if added else curves
        updated = [curve for curve in curves if iterations[curve.key] > 0]
        found = findings.response_findings(updated, {net.id: alike(net, iterations.get(net.id)) for net in nets})
        light, night = (responses_figure(drawn, dark, log) for dark in (False, True))
        figure_chart(light, night, key="responses_chart", said=findings.text(found))
        st.caption(escaped(recorded_note(nets, labels, iterations, added) + _scale_note(curves)))
        findings.show(found)
        if len(updated) < len(curves):
            st.info(
                tr("Before the first update BN makes all responses 1 in every net; Figure 7 is of trained ones."), icon=":material/info:"
            )


def show_recorded(nets: Sequence[Net], labels: dict[str, str], log: bool, added: bool) -> None:
    moment = choose_moment([net for net in nets if net.records("layers")])
    polled = any(map(is_active, nets))
    st.fragment(recorded_panel, run_every=POLL if polled else None)([net.id for net in nets], labels, moment, log, added, polled)
    _, iterations = recorded_curves(nets, labels, moment)

    def drawn() -> list[ResponseCurve]:
        found = recorded_curves(nets, labels, moment)[0]
        return [only_added(curve) for curve in found] if added else found

    chart_files(  # read when they are clicked: a run goes on while its page is open
        "layer-responses-in-training",
        tr("ResNet Lab: layer responses through training"),
        lambda: responses_csv(drawn()),
        lambda dark: responses_figure(drawn(), dark, log),
        recorded_note(nets, labels, iterations, added),
    )
    st.caption(tr("F(x) beside x needs the weights: choose “on test images”."))


def main() -> None:
    st.title(tr("Layer responses"), anchor=False)
    found = offered(unsaved=True)
    if not found.nets:
        return
    st.markdown(
        tr(
            "How strongly each layer responds, after BN and before the nonlinearity (ReLU) or the addition "
            "({figure_7}). In a residual net that is how much a layer changes the signal.",
            figure_7=FIGURE_7,
        )
    )
    with st.sidebar:
        nets = choose_nets(found)
        source, images, count, log, added = view_controls(nets)
    if not nets:
        st.info(tr("Choose nets in the list of the sidebar (» opens it)."), icon=":material/info:")
        return
    labels = told_apart(nets)
    if source == RECORDED:
        show_recorded(nets, labels, log, added)
    elif images is not None:
        show_measured(nets, labels, images, count, log, added)


main()
