"""The gates of Highway nets through their trainings, from the records that these have kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from pages.ui.chart_files import chart_files
from pages.ui.figure_chart import figure_chart
from pages.ui.labels import escaped
from pages.ui.net_words import recorded
from resnet_core.figures.gates import course_text, gate_course, gate_heatmap, gates_csv
from resnet_core.language import tr
from resnet_core.nets import Net
from resnet_core.nets.words import caption, conditions


def course_section(nets: Sequence[Net], labels: Mapping[str, str]) -> None:
    """Draws how open each gate was, iteration by iteration; of nets without such records it is said."""
    st.header(tr("Through training"), anchor=False)
    made = {net.id: gate_course(net.id, labels[net.id], net.model, net.records("layers"), conditions(recorded(net))) for net in nets}
    courses = [one for one in made.values() if one is not None]
    if left := [labels[net.id] for net in nets if made[net.id] is None]:
        text = tr(
            "No records of the gates: {left}. A training keeps them with the records of its layers, unless an earlier version made it; "
            "files from elsewhere have none.",
            left=", ".join(left),
        )
        st.caption(escaped(text))
    if not courses:
        return
    said = tr("{courses}.", courses="; ".join(map(course_text, courses)))
    method = tr(
        "The mean of each block's gate over its channels and positions, of one training batch at each recorded moment, the one that comes "
        "next: augmented, BN with the batch's own statistics. What was measured above is of test images, with BN's running statistics."
    )
    st.markdown(escaped(said))
    light, dark = (gate_heatmap(courses, dark) for dark in (False, True))
    figure_chart(light, dark, key="gates_course", fixed=len(courses) > 2, said=said)
    note = f"{method} {caption([recorded(net) for net in nets if made[net.id]], labels)}"
    st.caption(escaped(note))
    title = tr("ResNet Lab: gates through training")
    chart_files("gates-through-training", title, lambda: gates_csv(courses), lambda dark: gate_heatmap(courses, dark), note)
