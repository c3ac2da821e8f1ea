"""Gradients: of every layer over a training, at one moment, measured now, and before the first update with BN and without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from pages.gradients.initialization import initialization_section
from pages.ui import analyses, findings
from pages.ui.analyses import Images, choose_images, fit_for
from pages.ui.asking import measurable
from pages.ui.chart_files import chart_files
from pages.ui.figure_chart import figure_chart
from pages.ui.guard import guarded
from pages.ui.labels import escaped, titled
from pages.ui.moment import Moment, choose_moment, moments_text
from pages.ui.net_words import is_active, recorded
from pages.ui.nets_pick import anew, choose_nets, offered
from resnet_core.activations import WHOLE_BUDGET, activation_bytes, images_at_once
from resnet_core.errors import UserError
from resnet_core.figures.gradients import (
    CLIPPED,
    QUANTITIES,
    X_AXES,
    GradientCurve,
    GradientHistory,
    at_iteration,
    gradient_heatmap,
    gradient_lines,
    gradients_csv,
    history,
    history_csv,
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
RECORDED, MEASURED = mark("in training"), mark("measured now")
#: For what is measured now: batches, and the training images of each, as in the paper.
BATCHES, BATCH = 4, 128
_UNIT = tr("Gradient norm: L2 norm of the gradient of the loss with respect to a layer's weights.")
CLIPPED_NOTE = tr(
    "The colours of the heat maps span the percentiles {clipped} to {clipped2} of their values: beyond, "
    "as mostly at initialisation, they stay as they are at the end of the scale; the number is in the "
    "hover text.",
    clipped=CLIPPED[0],
    clipped2=CLIPPED[1],
)
INTRO = tr("Does the gradient vanish on its way back to the first layer? With BN it does not, say He et al. 2016 (section 4.1).")
PAPER = tr(
    "He et al. ask why a deeper plain net is harder to train, and doubt that vanishing gradients are the "
    "reason: BN keeps the forward signals from fading, and they checked that the gradients that come "
    "back have healthy norms. They suspect instead that deep plain nets converge exponentially slowly "
    "(section 4.1). Later work adds that BN itself makes the gradients of a deep plain net *explode* at "
    "initialisation, about 1.2 times a layer (Yang et al., *A Mean Field Theory of Batch Normalization*, "
    "ICLR 2019), and that those of different images have little in common (Balduzzi et al., *The "
    "Shattered Gradients Problem*, ICML 2017). In the trainings here a few hundred steps calm them, "
    "while the norm of the first layers' weights grows: choose |w|, and |g| / |w|, the gradient beside "
    "what it changes. Large and chaotic at the start, not vanishing; what makes deep plain nets worse is "
    "an open question."
)


def view_controls(nets: Sequence[Net]) -> tuple[str, Images | None, str, str]:
    """Where the gradients come from, the images, the lines' x axis, and which of ``QUANTITIES`` is drawn of a training."""
    st.header(tr("Gradients"), anchor=False)
    recorded = any(net.records("layers") for net in nets)
    shown = st.segmented_control(
        tr("Gradients"),
        [RECORDED, MEASURED],
        format_func=tr,
        default=RECORDED,
        required=True,
        key="gradients",
        bind="query-params",
        disabled=not recorded,
        label_visibility="collapsed",
    )
    source, quantity = shown or RECORDED if recorded else MEASURED, "|g|"
    images = choose_images(nets, "gradients.data", tr("Training images of")) if source == MEASURED else None
    x = st.segmented_control(
        tr("Lines over"), X_AXES, default="position", format_func=tr, required=True, key="over", bind="query-params",
        help=tr("position: the first layer of every net at 0, the last at 1."),
    )  # fmt: skip
    if source == RECORDED:
        quantity = st.segmented_control(
            tr("Of each layer"), list(QUANTITIES), default="|g|", required=True, key="of_layer", bind="query-params",
            help=tr("|g|: norm of the gradient. |w|: norm of the weights. |g| / |w|: how large a step is beside what it "
"changes."),
        )  # fmt: skip
    return source, images, x or "position", quantity or "|g|"


def pair(nets: Sequence[Net]) -> list[str]:
    """Whose heat maps are shown at first: the deepest plain net with its residual twin, else the first two."""
    twins = [[plain.id, residual.id] for plain in nets for residual in nets if plain.model == residual.model.twin()]
    depths = {net.id: net.model.depth for net in nets}
    return max(twins, key=lambda twin: depths[twin[0]]) if twins else [net.id for net in nets[:2]]


def choose_pair(nets: Sequence[Net], labels: dict[str, str]) -> list[str]:
    """Draws the choice of the heat maps' nets: one or two."""
    ids, state = [net.id for net in nets], st.session_state
    if "heat" not in state:
        if not {labels[i] for i in ids} & set(st.query_params.get_all("heat")):  # else a cold link, which brings its own
            state["heat"] = pair(nets)
    elif state["heat"]:
        # Nets that are no longer shown have no map. If none is left, the choice is made anew; an empty one is the viewer's own.
        state["heat"] = [i for i in state["heat"] if i in ids] or pair(nets)
    chosen = st.multiselect(tr("Heat maps of"), ids, format_func=titled(labels), max_selections=2, key="heat", bind="query-params")
    return [i for i in ids if i in chosen]


def histories_of(nets: Sequence[Net], labels: dict[str, str]) -> list[GradientHistory]:
    """Draws the nets that have a recorded training."""
    made = (history(net.id, labels[net.id], net.model, net.records("layers"), conditions(recorded(net))) for net in nets)
    return [one for one in made if one is not None]


def curves_at(
    histories: Sequence[GradientHistory], nets: Sequence[Net], moment: Moment, quantity: str
) -> tuple[list[GradientCurve], dict[str, int]]:
    """Each training's snapshot nearest to the moment, and of each net the iteration of that."""
    by_id = {net.id: net for net in nets}
    curves, iterations = [], {}
    for one in histories:
        at = min(moment.iteration(by_id[one.key].training), one.iterations[-1])
        iterations[one.key], values = at_iteration(one, at, quantity)
        note = tr("iteration {iterations:,} · {note}", iterations=iterations[one.key], note=one.note)
        curves.append(GradientCurve(one.key, one.label, one.model, one.names, values, note))
    return curves, iterations


def recorded_note(nets: Sequence[Net], labels: dict[str, str]) -> str:
    shown, left = [recorded(net) for net in nets if net.records("layers")], [labels[net.id] for net in nets if not net.records("layers")]
    note = tr("{unit} Of one training batch at each recorded moment. {caption}", unit=_UNIT, caption=caption(shown, labels))
    return note + (tr(" No records of their training, so measured now only: {left}.", left=", ".join(left)) if left else "")


def recorded_panel(ids: Sequence[str], heat: Sequence[str], labels: dict[str, str], x: str, quantity: str, polled: bool) -> None:
    """Heat maps, and below them the moment with its lines. ``polled`` tells whether this is run again every few seconds."""
    with guarded(tr("Gradients")):
        nets = anew(ids, polled)
        histories = histories_of(nets, labels)
        mapped = [one for one in histories if one.key in heat]
        place = st.container()
        st.caption(escaped(f"{recorded_note(nets, labels)} {CLIPPED_NOTE}"))
        found = findings.training_findings(histories)
        findings.show(found)
        title = st.empty()
        # Beside the chart that it moves; the heat maps' mark is above it.
        moment = choose_moment([net for net in nets if net.records("layers")])
        curves, iterations = curves_at(histories, nets, moment, quantity)
        at = moments_text(iterations, {net_id: escaped(label) for net_id, label in labels.items()})
        title.header(tr("Layer by layer at {moments}", moments=at), anchor=False)
        if mapped:
            # A part is another iteration in each of them, and at the end a mark would hide the last column.
            mark = None if moment.is_part or moment.value >= max(one.iterations[-1] for one in mapped) else moment.value
            with place:
                light, night = (gradient_heatmap(mapped, dark, quantity, mark) for dark in (False, True))
                figure_chart(light, night, key="heat_chart", said=findings.text(found))
        light, night = (gradient_lines(curves, dark, x, QUANTITIES[quantity]) for dark in (False, True))
        figure_chart(light, night, key="lines_chart")
        if quantity == "|g|":
            st.caption(escaped(findings.moment_text(curves)))
        files(nets, heat, labels, moment, x, quantity)


def files(nets: Sequence[Net], heat: Sequence[str], labels: dict[str, str], moment: Moment, x: str, quantity: str) -> None:
    """What can be taken away; read when it is clicked, as a run goes on while its page is open."""
    recorded = [net for net in nets if net.records("layers")]

    def histories() -> list[GradientHistory]:
        return histories_of(recorded, labels)

    def curves() -> list[GradientCurve]:
        return curves_at(histories(), recorded, moment, quantity)[0]

    note = recorded_note(nets, labels)
    chart_files(
        "gradients-over-training",
        tr("ResNet Lab: gradients over training"),
        lambda: history_csv(histories()),
        lambda dark: gradient_heatmap([one for one in histories() if one.key in heat] or histories()[:2], dark, quantity),
        f"{note} {CLIPPED_NOTE}",
        tr("Heat maps, all nets:"),
    )
    chart_files(
        "gradients-at-a-moment",
        tr("ResNet Lab: gradients at one moment"),
        lambda: gradients_csv(curves(), QUANTITIES[quantity]),
        lambda dark: gradient_lines(curves(), dark, x, QUANTITIES[quantity]),
        note,
        tr("This moment:"),
    )


def show_recorded(nets: Sequence[Net], labels: dict[str, str], x: str, quantity: str) -> None:
    with st.sidebar:
        heat = choose_pair([net for net in nets if net.records("layers")], labels)
    polled = any(map(is_active, nets))
    st.fragment(recorded_panel, run_every=POLL if polled else None)([net.id for net in nets], heat, labels, x, quantity, polled)


def show_measured(nets: Sequence[Net], labels: dict[str, str], images: Images, x: str) -> None:
    """Each net's newest weights on training images. A net that cannot be measured is named and left out."""
    curves, shown, fewer = [], [], ""

    def fitting(net: Net) -> int:
        """A batch is not cut: its statistics are part of the result. Where 128 images do not fit, there are fewer, and it is said."""
        return max(2, images_at_once(net, BATCH, gradients=True, budget=WHOLE_BUDGET))

    def work(net: Net) -> float:
        return 3 * BATCHES * fitting(net) * macs_per_image(net)

    for net in measurable(fit_for(nets, labels, images), labels, ("gradients", images.config), work):
        size = fitting(net)
        try:
            net, found = analyses.gradients(net, labels[net.id], images, BATCHES, size)
        except UserError as error:
            st.error(escaped(str(error)), icon=":material/error:")
            continue
        note = tr(
            "{losses} batches of {batch_size} images · {conditions}",
            losses=len(found.losses),
            batch_size=found.batch_size,
            conditions=conditions(net),
        )
        curves.append(GradientCurve(net.id, labels[net.id], net.model, found.names, found.gradient_norm, note))
        shown.append(net)
        if size < BATCH:
            needed = BATCH * activation_bytes(net, gradients=True) / 1e9
            fewer += tr(
                "Of {labels} a batch has {size} images: {batch} take about {needed:.1f} GB of memory, more than is allowed. ",
                labels=labels[net.id],
                size=size,
                batch=BATCH,
                needed=needed,
            )
    if not curves:
        return
    st.header(tr("Layer by layer, with the weights as they are now"), anchor=False)
    figure_chart(gradient_lines(curves, x=x), gradient_lines(curves, dark=True, x=x), key="lines_chart")
    note = tr(
        "{unit} Mean over {batches} batches of {batch} training images of {data_text}, with batch statistics in BN. {fewer}{caption}",
        unit=_UNIT,
        batches=BATCHES,
        batch=min(BATCH, images.config.train_images // BATCHES),
        data_text=images.config.words,
        fewer=fewer,
        caption=caption(shown, labels),
    )
    st.caption(escaped(f"{note} {findings.moment_text(curves)}"))
    chart_files(
        "gradients-now", tr("ResNet Lab: gradients"), lambda: gradients_csv(curves), lambda dark: gradient_lines(curves, dark, x), note
    )  # fmt: skip


def main() -> None:
    st.title(tr("Gradients"), anchor=False)
    found = offered(unsaved=True)
    st.markdown(INTRO)
    if found.nets:
        with st.sidebar:
            nets = choose_nets(found)
            source, images, x, quantity = view_controls(nets)
        labels = told_apart(nets)
        if not nets:
            st.info(tr("Choose nets in the list of the sidebar (» opens it)."), icon=":material/info:")
        elif source == RECORDED:
            show_recorded(nets, labels, x, quantity)
        elif images is not None:
            show_measured(nets, labels, images, x)
    st.header(tr("What the paper says"), anchor=False)
    st.markdown(PAPER)
    initialization_section()


main()
