"""What a chart says to those who do not see it."""

from __future__ import annotations

import json

import plotly.graph_objects as go
import pytest
from plotly.subplots import make_subplots

from pages.ui import alternative, live_chart
from resnet_core.language import use
from tests.test_live_chart import ResNetConfig, run


def plainly(figure: go.Figure) -> dict:
    return json.loads(figure.to_json())


def test_a_chart_is_named_by_its_axes_and_curves_each_once_and_then_its_finding():
    figure = go.Figure([go.Scatter(x=[1], y=[2], name="<b>plain-56</b>"), go.Scatter(x=[1], y=[2], name="ResNet-56")])
    figure.add_scatter(x=[1], y=[3], name="ResNet-56").add_scatter(x=[1], y=[3], name="spread", hoverinfo="skip")
    figure.update_layout(xaxis_title="iteration", yaxis_title="error<br>(%)")
    said = alternative.of_figure(plainly(figure), "**Deeper** ended `worse`: 74.0 against 0.0 %.")
    assert said == "Chart: error (%) by iteration. It shows plain-56, ResNet-56. Deeper ended worse: 74.0 against 0.0 %."


def test_of_panels_the_first_titles_count_and_of_many_curves_only_their_number_is_told():
    figure = make_subplots(cols=2)
    for i in range(9):
        figure.add_scatter(x=[1], y=[2], name=f"net {i}", row=1, col=1 + i % 2)
    figure.update_yaxes(title="|g|", col=2)
    assert alternative.of_figure(plainly(figure)) == "Chart: |g|. It shows 9 curves."
    figure = go.Figure(go.Surface(z=[[1.0]])).update_layout(scene={"xaxis": {"title": {"text": "α"}}, "yaxis": {"title": {"text": "β"}}})
    assert alternative.of_figure(plainly(figure)) == "Chart: β by α."
    panels = make_subplots(cols=2, subplot_titles=["MACs", "Parameters"]).add_bar(x=[1], y=["plain-20"], row=1, col=1)
    assert alternative.of_figure(plainly(panels)) == "Chart: MACs, Parameters."
    assert alternative.of_figure(plainly(go.Figure())) == "Chart."


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("**26 :material/check_circle:** of `ResNet-20`", "26 of ResNet-20"),
        (r"a \*star\* and \[brackets\]", "a star and [brackets]"),
        ("see [the paper](https://example.org)", "see the paper"),
        ("p < 0.05 and x > 3 %", "p < 0.05 and x > 3 %"),
    ],
)
def test_markdown_is_read_without_its_marks(markdown: str, text: str):
    assert alternative.unmarked(markdown) == text


def test_the_live_chart_says_its_note_until_there_is_a_curve():
    empty, begun = run(1, ResNetConfig(20), []), run(1, ResNetConfig(20), [50.0])
    assert live_chart.payload([empty], "Soon.", "A verdict.")["alt"] == "Soon."
    assert live_chart.payload([begun], "Soon.", "A verdict.")["alt"] == "Chart: error (%) by iteration. It shows ResNet-20. A verdict."


def test_the_words_of_the_table_are_those_of_the_viewer():
    english = alternative.words()
    try:
        use("zh")
        chinese = alternative.words()
    finally:
        use("en")
    assert english["title"] == "Data as a table" and set(chinese) == set(english) and set(chinese["kinds"]) == set(english["kinds"])
