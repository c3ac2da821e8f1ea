"""A chart alone: ``embed=true&chart=NAME``. What is hidden around it is a matter of CSS, and of tests/browser/test_embedded.py."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.page_tools import app

#: page -> what its address needs, and the charts that it then draws.
PAGES = {
    "home": ({}, {"home_figure6", "home"}),
    "learn": ({"lesson": "deeper-and-worse", "step": "2", "answers": "ends:0"}, {"learn.deeper-and-worse.2.0"}),
    "myths": ({}, {"myths.overfitting"}),
    "compare": ({}, {"compare"}),
    "responses": ({"nets": ["plain-20", "resnet-20"], "responses": "in training"}, {"responses"}),
    "gradients": ({"nets": ["plain-20", "resnet-20"]}, {"heat", "lines"}),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_chart_stands_alone_or_the_right_names_are_told(root: Path, monkeypatch, name):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    page = app(root, monkeypatch, f"{name}/page.py")  # from the front page, which has no nets to draw
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(root / "checkpoints"))
    query, charts = PAGES[name]

    def shown(chart: str) -> tuple[list[str], list[str]]:
        """The charts that stand alone, and what is said of the link."""
        for parameter, value in {**query, "chart": chart}.items():
            page.query_params[parameter] = value
        page.run()
        assert not page.exception and not page.error
        data = [json.loads(component.proto.json)["embed"] for component in page.get("bidi_component")]
        return [each["name"] for each in data if each["is_alone"]], [box.value.replace("\\", "") for box in page.warning]

    page.context["is_embedded"] = True
    alone, (said,) = shown("loss<b>")
    assert alone == [] and "the chart “loss<b>” alone" in said
    assert charts <= set(re.search(r"as it is now: (.*)\.$", said)[1].split(", "))
    for chart in charts:
        assert shown(chart) == ([chart], [])
    page.context["is_embedded"] = False
    assert shown("loss") == ([], []) and "chart" not in page.query_params


def test_a_page_without_a_chart_says_so(root: Path, monkeypatch):
    page = app(root, monkeypatch, "learn/page.py")
    page.context["is_embedded"] = True
    page.query_params["chart"] = "curves"
    page.run()
    assert [box.value.replace("\\", "") for box in page.warning] == [
        "The address asks for the chart “curves” alone, and this page does not draw it. As it is now it draws none."
    ]
