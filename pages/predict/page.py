"""Predict: what nets say of an image, where they looked, whether that is to be believed, and what they find like it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from pages.predict import computed, many, near, trust
from pages.predict.computed import Failed
from pages.predict.image import Shown, choose_image
from pages.predict.maps import Explained, input_png, maps_section, save
from pages.ui import analyses, links
from pages.ui.chart_files import chart_files
from pages.ui.figure_chart import figure_chart
from pages.ui.guard import guarded
from pages.ui.labels import escaped
from pages.ui.nets_pick import choose_nets, offered, shipped_set
from resnet_core.analysis.prediction import class_names
from resnet_core.analysis.protocols import PROTOCOLS, Protocol, check_ensemble, told, why_not
from resnet_core.errors import DataError
from resnet_core.experiments import EXPERIMENTS
from resnet_core.figures.predictions import Prediction, predictions_csv, predictions_figure
from resnet_core.language import tr
from resnet_core.nets import Catalog, Net, told_apart
from resnet_core.nets.words import caption

#: As many as can stand side by side; shallow against deep, plain against residual.
MOST_NETS = 4
FIRST = ("plain-20", "resnet-20", "plain-56", "resnet-56")
VIEWS = {each.title: each for each in PROTOCOLS.values()}
#: Below the bars of an upload, which may be of anything.
ANY_PICTURE = tr(
    "A net knows only the classes that it was trained on, and names one of them for any picture, a "
    "portrait or noise too. A high softmax value does not say that the picture is of that class."
)
#: Four columns of pictures need the width that this page's borders would take.
STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding-left: 2rem; padding-right: 2rem; }
[data-testid="stImage"] img { image-rendering: pixelated; }
.st-key-predictions_chart .resnet-lab-chart { height: 21rem; }
</style>"""


def first_nets(found: Catalog) -> list[str]:
    """The four of the paper's comparison as far as they ship, else the first that ship."""
    shipped = [net.id for net in found.nets if net.origin == "shipped"]
    return [i for i in FIRST if i in shipped] or shipped_set(found)


def show_image(shown: Shown, nets: Sequence[Net], labels: dict[str, str]) -> None:
    """Draws the picture once for each size that the nets see it in."""
    title = escaped(shown.name)
    if shown.label is not None:
        title += f": {escaped(tr(shown.classes[shown.label]))}"
    st.markdown(f"**{title}**")
    sides = sorted({net.side for net in nets})
    for side in sides:
        content = input_png(shown.at(side))
        who = (
            tr("the nets see it")
            if len(sides) == 1
            else tr("seen by {labels}", labels=", ".join(labels[net.id] for net in nets if net.side == side))
        )
        st.image(content, width=256, alt=tr("the image as {who}", who=who))
        notes = [note for note in shown.notes if note] if side == sides[0] else []
        st.caption(escaped(" · ".join([tr("as {who}: {how_at}", who=who, how_at=shown.how_at(side)), *notes])))
        save("PNG", content, f"{shown.stem}-{side}x{side}.png", "image/png")
    if shown.test:
        images, number = shown.test
        for key, words in (("readout", tr("Its readout block by block")), ("ledger", tr("Its ledger of the additions"))):
            query = {"experiment": EXPERIMENTS[key].title, "nets": [net.id for net in nets], f"{key}.picture": str(number)}
            query["experiment.data"] = images.config.name
            st.page_link("experiments/page.py", label=words, icon=":material/science:", query_params=query)
    if shown.original is not None:
        with st.expander(tr("The upload itself")):
            st.image(shown.original, alt=tr("the upload as it came"))


def show_predictions(shown: Shown, nets: Sequence[Net], labels: dict[str, str], protocol: Protocol, mean: bool) -> list[Explained]:
    """The bars; with ``mean``, also those of all nets as an ensemble. Returns what each net says, to be explained."""
    single = PROTOCOLS["single"]
    answers = computed.predictions(nets, shown.for_views, protocol)
    # Maps are of one view: where that says otherwise than several, they must be told apart.
    alone = computed.predictions(nets, shown.for_views, single) if protocol != single else {}
    asked, bars = [], []
    for net in nets:
        found, classes = answers[net.id], class_names(net)
        if isinstance(found, Failed):
            st.error(escaped(found.message), icon=":material/error:")
            asked.append(Explained(net, labels[net.id], classes, None, None, found.message))
            continue
        net, answer = found
        bars.append(Prediction(labels[net.id], answer, classes, shown.label_of(classes)))
        by_one = alone.get(net.id)
        view = int(np.argmax(by_one[1])) if isinstance(by_one, tuple) else None
        asked.append(Explained(net, labels[net.id], classes, int(np.argmax(answer)), None, alone=view))
    if mean and len(bars) > 1:
        bars += _together([each.net for each in asked if each.predicted is not None], bars)
    if bars:
        figure_chart(predictions_figure(bars), predictions_figure(bars, dark=True), key="predictions_chart")
        marked = tr("; red and with a tick, the true one") if any(bar.true is not None for bar in bars) else ""
        views = tr("One view.") if protocol == single else told(protocol, nets)
        for net in nets:
            if why := why_not(net, protocol):
                views += " " + tr("{name}: one view. {why}", name=labels[net.id], why=why)
        trained = caption([each.net for each in asked], labels)
        note = tr(
            "Softmax in {precision}, the five most likely classes{marked}. {views} {trained}",
            precision=computed.PRECISION,
            marked=marked,
            views=views,
            trained=trained,
        )
        st.caption(escaped(note))
        if shown.original is not None:
            st.caption(f":material/info: {ANY_PICTURE}")
        chart_files(
            f"{shown.stem}-predictions",
            tr("ResNet Lab: predictions"),
            lambda: predictions_csv([(shown.name, bars)]),
            lambda dark: predictions_figure(bars, dark),
            note,
        )
    return asked


def _together(nets: Sequence[Net], bars: Sequence[Prediction]) -> list[Prediction]:
    """The mean of the softmax of all nets; none where they are no ensemble, which is said."""
    try:
        check_ensemble(nets)
    except DataError as error:
        st.info(escaped(str(error)), icon=":material/info:")
        return []
    mean = np.mean([bar.probabilities for bar in bars], axis=0)
    return [Prediction(tr("ensemble of {n}", n=len(bars)), mean, bars[0].classes, bars[0].true)]


def main() -> None:
    st.html(STYLE)
    st.title(tr("Predict"), anchor=False)
    found = offered(kept="predict.nets")
    if not found.nets:
        return
    complaints = st.container()
    with st.sidebar:
        nets = choose_nets(found, MOST_NETS, first_nets, "predict.nets")
        links.check_choice("crops", tr("views"), VIEWS)
        views = st.selectbox(tr("Views of the image"), list(VIEWS), format_func=tr, key="crops", bind="query-params")
        mean = len(nets) > 1 and st.toggle(
            tr("Their mean too"), key="mean", bind="query-params", help=tr("As an ensemble: the mean of the softmax of all of these nets.")
        )
        shown = choose_image(nets, complaints)
    if not nets:
        st.info(tr("Choose nets in the list of the sidebar (» opens it)."), icon=":material/info:")
        return
    if shown is None:
        choose = tr("Choose an image or several in the sidebar (» opens it): one of the classes that the nets know, or anything else.")
        st.info(choose, icon=":material/upload:")
        return
    labels = told_apart(nets)
    nets, protocol = analyses.fit_for(nets, labels, shown.test[0] if shown.test else None), VIEWS.get(views, PROTOCOLS["single"])
    with guarded(tr("Predictions")):
        left, right = st.columns([0.23, 0.77], gap="medium")
        with left:
            show_image(shown, nets, labels)
        with right:
            asked = show_predictions(shown, nets, labels, protocol, mean)
        if shown.together:
            with guarded(tr("All pictures")):
                many.many_section(shown, [each.net for each in asked if each.predicted is not None], labels, protocol)
        with guarded(tr("Attribution")):
            method, explained = maps_section(shown, asked)
            if explained:
                trust.trust_section(shown, method, explained)
        with guarded(tr("Neighbours")):
            near.neighbours_section(shown, [each for each in asked if each.predicted is not None])


main()
