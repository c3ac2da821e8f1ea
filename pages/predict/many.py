"""All pictures that were uploaded together, and what each net says of each: a table, and its numbers."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from pages.predict import computed
from pages.predict.computed import Failed
from pages.predict.image import Shown
from pages.predict.maps import save
from resnet_core.analysis.prediction import class_names
from resnet_core.analysis.protocols import Protocol
from resnet_core.figures.overlay import enlarge, png
from resnet_core.figures.predictions import Prediction, percent, predictions_csv
from resnet_core.language import tr
from resnet_core.nets import Net

#: Side of a picture in the table's file, in pixels.
_SIDE = 64


def many_section(shown: Shown, nets: Sequence[Net], labels: Mapping[str, str], protocol: Protocol) -> None:
    """Draws a row for each picture of ``shown.together``: what it is called, how the nets see it, and each net's first answer."""
    pictures = shown.together
    st.header(tr("All {pictures} pictures", pictures=len(pictures)), anchor=False)
    tasks = [task for each in pictures for task in computed.prediction_tasks(nets, each.for_views, protocol)]
    found = computed.results(tr("Asking the nets of all pictures"), tasks)
    rows, said = [], []
    for number, each in enumerate(pictures):
        row = {"picture": _inline(each.pixels), "name": each.name}
        bars = []
        for net, answer in zip(nets, found[number * len(nets) : (number + 1) * len(nets)], strict=True):
            label = labels[net.id]
            if isinstance(answer, Failed):
                row[label] = answer.message
                continue
            classes, probabilities = class_names(net.model.num_classes), answer[1]
            best = int(np.argmax(probabilities))
            row[label] = f"{classes[best]} {percent(float(probabilities[best]))}"
            bars.append(Prediction(label, probabilities, classes, each.label if net.model.num_classes == 10 else None))
        rows.append(row)
        said.append((each.name, bars))
    st.dataframe(rows, column_config={"picture": st.column_config.ImageColumn(tr("picture"), width=70)}, hide_index=True, row_height=56)
    save(tr("All pictures (CSV)"), lambda: predictions_csv(said).encode(), "pictures-predictions.csv", "text/csv")


def _inline(pixels: np.ndarray) -> str:
    return "data:image/png;base64," + base64.b64encode(png(enlarge(pixels, _SIDE))).decode()
