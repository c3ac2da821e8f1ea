"""The five most likely classes of several nets side by side, with the true one marked."""

from __future__ import annotations

import csv
import io
import itertools

import numpy as np
import pytest

from resnet_core.figures import style
from resnet_core.figures.predictions import COUNT, OTHER, SPACING, TRUE, Prediction, ordinal, percent, predictions_csv, predictions_figure
from tests.test_figures_style import contrast, lab

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SURE = Prediction("plain-20", np.float32([0.01, 0.02, 0.03, 0.6, 0.04, 0.2, 0.05, 0.03, 0.01, 0.01]), CLASSES, 3)
WRONG = Prediction("ResNet-56", np.float32([0.3, 0.02, 0.03, 0.004, 0.04, 0.2, 0.3, 0.06, 0.016, 0.03]), CLASSES, 3)
UNKNOWN = Prediction("mine", np.full(100, 0.01), [f"class {i}" for i in range(100)])


def texts(figure, column: int) -> list[str]:
    axis = "x" if column == 1 else f"x{column}"
    return [each.text for each in figure.layout.annotations if each.xref == axis]


def drawn(figure, column: int):
    """The bars of the probabilities in a column."""
    axis = "x" if column == 1 else f"x{column}"
    return next(trace for trace in figure.data if (trace.xaxis or "x") == axis and trace.hoverinfo != "skip")


@pytest.mark.parametrize("dark", [False, True])
def test_the_five_most_likely_in_order_with_the_true_class_marked(dark):
    figure = predictions_figure([SURE, WRONG, UNKNOWN], dark)
    first = drawn(figure, 1)
    np.testing.assert_allclose(first.x, [0.6, 0.2, 0.05, 0.04, 0.03], rtol=1e-6)
    assert list(first.marker.color) == [TRUE[dark]] + [OTHER[dark]] * 4
    assert texts(figure, 1)[0] == "<b>plain-20</b>"
    assert texts(figure, 1)[1:5] == ["<b>✓ cat</b>", "<b>60.0 %</b>", "dog", "20.0 %"]
    assert (np.diff(first.y) > 0).all() and figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # downwards
    assert figure.layout.paper_bgcolor == style.BACKGROUNDS[dark]


def test_a_true_class_that_is_not_among_them_is_told_below():
    figure = predictions_figure([WRONG])
    assert TRUE[False] not in drawn(figure, 1).marker.color
    assert texts(figure, 1)[-2:] == ["<b>✓ cat</b>, 10th", "<b>0.4 %</b>"]
    lowest = max(each.y for each in figure.layout.annotations if each.yref != "paper")
    assert figure.layout.yaxis.range[1] < lowest < figure.layout.yaxis.range[0]
    assert len(texts(predictions_figure([SURE]), 1)) == 1 + 2 * COUNT


def test_without_a_true_class_nothing_is_marked():
    figure = predictions_figure([UNKNOWN])
    assert set(drawn(figure, 1).marker.color) == {OTHER[False]}
    assert texts(figure, 1)[1:] == [text for i in range(5) for text in (f"class {i}", "1.0 %")]  # equal ones in their order
    assert not any("✓" in text for text in texts(figure, 1))


def test_all_columns_have_one_scale():
    figure = predictions_figure([SURE, WRONG, UNKNOWN, SURE])
    axes = [figure.layout[name] for name in ("xaxis", "xaxis2", "xaxis3", "xaxis4")]
    assert len({axis.range for axis in axes}) == 1 and axes[0].range[0] == 0 and axes[0].range[1] > 1
    whole = [trace for trace in figure.data if trace.hoverinfo == "skip"]
    assert len(whole) == 4 and all((trace.x == 1).all() for trace in whole)  # behind each bar, what 100 % would be
    assert len({tuple(figure.layout[name].range) for name in ("yaxis", "yaxis2", "yaxis3", "yaxis4")}) == 1
    assert all(before.domain[1] < after.domain[0] for before, after in itertools.pairwise(axes))


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_no_text_runs_into_another_beside_a_sidebar_on_a_small_projector(count):
    """With "automobile" true and all but certain, or last: nothing is longer. A letter is half as wide as its size, at most."""
    sure, last = np.full(10, 2e-6), np.full(10, 0.111)
    sure[1], last[1] = 1 - 9 * 2e-6, 1e-4
    width = 640.0
    for probabilities in (sure, last):
        figure = predictions_figure([Prediction("ResNet-56", probabilities, CLASSES, 1)] * count)
        axis = figure.layout.xaxis
        column = (axis.domain[1] - axis.domain[0]) * width
        bar = column / axis.range[1]
        lines: dict[float, float] = {}
        for text in (each for each in figure.layout.annotations if each.xref == "x" and each.yref != "paper"):
            letters = text.text.replace("<b>", "").replace("</b>", "")
            needed = len(letters) * 0.5 * figure.layout.font.size
            assert text.y not in lines, "a line of its own"
            lines[text.y] = needed
            assert needed <= (column + SPACING * width if text.xanchor == "left" else column - bar), letters


def test_names_are_no_markup():
    figure = predictions_figure([Prediction("<b>x</b>", np.float32([0.7, 0.3]), ("<i>", "b"), 0)])
    assert texts(figure, 1)[0] == "<b>&lt;b&gt;x&lt;/b&gt;</b>" and texts(figure, 1)[1] == "<b>✓ &lt;i&gt;</b>"
    assert "<i>" not in str(figure.to_dict())


def test_few_classes_no_nets_and_long_names():
    figure = predictions_figure([Prediction("n" * 90, np.float32([0.2, 0.8]), ("a", "b"), 1)])
    assert list(drawn(figure, 1).x) == pytest.approx([0.8, 0.2]) and len(texts(figure, 1)[0]) < 40
    assert predictions_figure([]).layout.height > 0


@pytest.mark.parametrize("dark", [False, True])
def test_the_marks_are_legible_and_told_apart(dark):
    background = style.BACKGROUNDS[dark]
    assert contrast(TRUE[dark], background) >= 4.5  # text too
    assert contrast(OTHER[dark], background) >= 3 and contrast(OTHER[dark], style.GRID[dark]) >= 2
    for deficiency in ("normal", "protanopia", "deuteranopia"):
        assert np.linalg.norm(lab(TRUE[dark], deficiency) - lab(OTHER[dark], deficiency)) > 20
    figure = predictions_figure([SURE], dark)
    assert min(figure.layout.font.size, *(each.font.size or 99 for each in figure.layout.annotations)) >= 16


@pytest.mark.parametrize("value, text", [(0, "0.0 %"), (0.0004, "<0.1 %"), (0.973, "97.3 %"), (0.99951, ">99.9 %"), (1, ">99.9 %")])
def test_percent(value, text):
    assert percent(value) == text


def test_ordinals():
    assert [ordinal(n) for n in (6, 11, 12, 13, 21, 22, 23, 111, 1000)] == [
        "6th", "11th", "12th", "13th", "21st", "22nd", "23rd", "111th", "1000th",
    ]  # fmt: skip


def test_csv_has_every_class_of_every_net():
    rows = list(csv.DictReader(io.StringIO(predictions_csv([("a.png", [SURE, WRONG]), ("=1+1.png", [UNKNOWN])]))))
    assert len(rows) == 10 + 10 + 100
    assert rows[0] == {"image": "a.png", "net": "plain-20", "rank": "1", "class": "cat", "probability": "0.6", "true": "1"}
    assert [row["true"] for row in rows[:10]] == ["1"] + ["0"] * 9
    assert rows[-1]["true"] == "" and rows[-1]["image"] == "'=1+1.png"
    for net, part in ((SURE, rows[:10]), (WRONG, rows[10:20])):
        assert [float(row["probability"]) for row in part] == pytest.approx(sorted(net.probabilities.tolist(), reverse=True), rel=1e-5)
        assert {row["class"]: float(row["probability"]) for row in part} == pytest.approx(
            dict(zip(CLASSES, net.probabilities.tolist(), strict=True)), rel=1e-5
        )
