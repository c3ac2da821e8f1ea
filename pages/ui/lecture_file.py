"""The lecture file to take away: one HTML with trainings over their course, and with a lesson's text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from resnet_core.figures.series import RunRecords
from resnet_core.language import tr
from resnet_core.lecture import lecture
from resnet_core.lessons import Lesson


def lecture_button(runs: Callable[[], Sequence[RunRecords]], key: str, lesson: Lesson | None = None, kind: str = "secondary") -> None:
    """A download button; the file is made when it is clicked.

    Args:
        runs: gives them with all their records.
        kind: of the button.
    """

    def made() -> bytes:
        return lecture(runs(), lesson).encode()

    st.download_button(
        tr("Lecture file (HTML)"),
        made,
        f"resnet-lab-{lesson.key}.html" if lesson else "resnet-lab-lecture.html",
        "text/html",
        key=key,
        icon=":material/slideshow:",
        on_click="ignore",
        type="tertiary" if kind == "tertiary" else "secondary",
        help=tr(
            "One file of about 5 MB for slides and course pages, without a network: curves and layers over a slider, verdict, numbers."
        ),
    )
