"""The charts of gradients: over a training, at one moment, at initialisation."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from resnet_core.architectures import ResNetConfig
from resnet_core.figures import gradients as charts
from resnet_core.figures import style
from resnet_core.figures.gradients import GradientCurve, GradientHistory, InitializationCurve

PLAIN, RESIDUAL = ResNetConfig(8, "none"), ResNetConfig(8, "A")
NAMES = ("conv1", "layer1.0.conv1", "layer1.0.conv2")


def record(iteration: int, norms: list, kind: str = "layers") -> dict:
    return {"kind": kind, "iteration": iteration, "names": list(NAMES), "gradient_norm": norms}


def past(model=PLAIN, scale: float = 1.0, label: str = "") -> GradientHistory:
    norms = scale * np.array([[1.0, 0.1, 10.0], [2.0, 0.2, 20.0]])
    return GradientHistory(model.name, label or model.name, model, NAMES, np.array([0, 100]), norms, "seed 0")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_history_is_made_of_layers_records():
    records = [record(0, [9, 9, 9]), record(100, [3, 2, None]), record(50, [1, 2, 3], kind="test"), record(0, [1, 2, 3])]
    made = charts.history("k", "net", PLAIN, records)
    assert made.iterations.tolist() == [0, 100] and made.names == list(NAMES)
    np.testing.assert_array_equal(made.norms, [[1, 2, 3], [3, 2, np.nan]])
    assert charts.history("k", "net", PLAIN, records[2:3]) is None
    assert np.isnan(made.of("|w|")).all()
    weighed = charts.history("k", "net", PLAIN, [{**row, "weight_norm": [2.0, 4.0, 0.0]} for row in records])
    np.testing.assert_array_equal(weighed.of("|w|"), [[2, 4, 0]] * 2)
    np.testing.assert_array_equal(weighed.of("|g| / |w|"), [[0.5, 0.5, np.inf], [1.5, 0.5, np.nan]])
    assert charts.at_iteration(weighed, 0, "|g| / |w|")[1].tolist() == [0.5, 0.5, np.inf]
    iteration, norms = charts.at_iteration(made, 60)
    assert iteration == 100 and norms[0] == 3
    assert charts.at_iteration(made, 40)[0] == 0


def test_the_heat_map_is_layer_by_iteration_on_one_log_scale():
    figure = charts.gradient_heatmap([past(), past(RESIDUAL, 100.0, "<i>mine")], iteration=70)
    first, second = figure.data
    np.testing.assert_allclose(first.z, np.log10([[1, 2], [0.1, 0.2], [10, 20]]))
    assert list(first.x) == [0, 100] and list(first.y) == [1, 2, 3]
    assert first.coloraxis == second.coloraxis == "coloraxis"
    axis = figure.layout.coloraxis
    every = np.log10([[1, 2], [0.1, 0.2], [10, 20], [100, 200], [10, 20], [1000, 2000]])
    assert (axis.cmin, axis.cmax) == pytest.approx(tuple(np.percentile(every, (2, 98))))
    assert axis.colorbar.title.text == charts.WEIGHT_GRADIENT
    assert dict(zip(axis.colorbar.ticktext, axis.colorbar.tickvals, strict=True))["100"] == 2
    assert [annotation.text for annotation in figure.layout.annotations] == ["<b>plain-8</b>", "<b>&lt;i&gt;mine</b>"]
    assert "layer1.0.conv1" in first.text[1][0] and "<b>0.1</b>" in first.text[1][0]
    assert {shape.x0 for shape in figure.layout.shapes} == {100}
    assert {shape.xref for shape in figure.layout.shapes} == {"x", "x2"}


def test_the_heat_map_of_what_is_not_finite_of_nothing_and_of_one_value():
    broken = past()
    broken.norms[1] = [np.inf, np.nan, 0.0]
    figure = charts.gradient_heatmap([broken])
    assert np.isnan(figure.data[0].z[:, 1]).all() and "inf" in figure.data[0].text[0][1]
    assert figure.layout.coloraxis.cmax == pytest.approx(0.96)  # 98 % of the way from 0.1 to 10, by three values
    assert len(charts.gradient_heatmap([]).data) == 0
    flat = GradientHistory("k", "k", PLAIN, NAMES, np.array([0]), np.full((1, 3), 0.5))
    axis = charts.gradient_heatmap([flat]).layout.coloraxis
    assert axis.cmin < np.log10(0.5) < axis.cmax and len(axis.colorbar.tickvals) > 0
    assert len(charts.gradient_heatmap([past()] * 5).layout.annotations) == 5


@pytest.mark.parametrize("low, high", [(-1, 3.3), (-0.35, 0.35), (-12, 19), (2.1, 2.2), (-9, -8.9)])
def test_marks_of_the_colour_bar_lie_within_and_say_what_they_are(low, high):
    values, texts = charts.decades(low, high)
    assert 2 <= len(values) <= 10 and all(low <= value <= high for value in values)
    for value, text in zip(values, texts, strict=True):
        plain = text.replace("−", "-").replace("·10<sup>", "e").replace("10<sup>", "1e").replace("</sup>", "")
        assert float(plain) == pytest.approx(10**value, rel=0.01)


def test_lines_stand_on_a_common_axis_and_have_the_nets_colours():
    curves = [GradientCurve(m.name, m.name, m, NAMES, np.array([1.0, 0.0, np.inf]), "seed 0") for m in (PLAIN, RESIDUAL)]
    figure = charts.gradient_lines(curves, dark=True)
    plain, residual = figure.data
    assert plain.line.color == style.net_color(PLAIN, True) and residual.line.color == style.net_color(RESIDUAL, True)
    np.testing.assert_array_equal(plain.x, [0, 0.5, 1])
    np.testing.assert_array_equal(plain.y, [1, np.nan, np.nan])
    assert figure.layout.yaxis.type == "log" and "log scale" in figure.layout.yaxis.title.text
    linear = charts.gradient_lines(curves, x="layer", log=False)
    np.testing.assert_array_equal(linear.data[0].x, [1, 2, 3])
    np.testing.assert_array_equal(linear.data[0].y, [1, 0, np.nan])
    with pytest.raises(ValueError, match="'depth' is not one of"):
        charts.gradient_lines(curves, x="depth")


def start(depth: int, batch_norm: bool, values: list[float], shortcut: str = "A") -> InitializationCurve:
    return InitializationCurve(ResNetConfig(depth, shortcut), batch_norm, 0, NAMES, np.array(values))


def test_initialisation_has_a_panel_with_bn_and_one_without_and_names_overflow():
    curves = [
        start(20, True, [1, 2, 3]), start(56, True, [1, 1, 1]),
        start(20, False, [5, 5, 5]), start(56, False, [np.inf, np.nan, 7]), start(110, False, [np.nan] * 3),
    ]  # fmt: skip
    figure = charts.initialization_figure(curves)
    assert [(trace.name, trace.xaxis) for trace in figure.data] == [
        ("ResNet-20", "x"), ("ResNet-56", "x"), ("ResNet-20", "x2"), ("ResNet-56", "x2"), ("ResNet-110", "x2"),
    ]  # fmt: skip
    assert [trace.name for trace in figure.data if trace.showlegend] == ["ResNet-20", "ResNet-56", "ResNet-110"]
    assert figure.data[0].line.color == figure.data[2].line.color == style.net_color(ResNetConfig(20, "A"))
    assert len({trace.uid for trace in figure.data}) == 5
    notes = [note.text for note in figure.layout.annotations]
    assert notes[:2] == ["<b>with BN</b>", "<b>without BN</b>"]
    assert notes[2:] == ["ResNet-56: overflows fp32 in 2 of 3 layers<br>ResNet-110: overflows fp32 in all 3 layers"]
    assert figure.layout.annotations[2].xref == "x2 domain"
    assert figure.layout.yaxis.type == figure.layout.yaxis2.type == "log" and figure.layout.yaxis2.matches == "y"
    assert charts.initialization_figure(curves, shared_y=False).layout.yaxis2.matches is None


def test_csv_keeps_inf_and_nan():
    told = rows(charts.history_csv([past()]))
    assert len(told) == 6
    assert told[4] == {
        "net": "plain-8", "label": "plain-8", "iteration": "100", "layer": "2", "name": "layer1.0.conv1", "gradient_norm": "0.2",
        "weight_norm": "nan", "conditions": "seed 0",
    }  # fmt: skip
    at_start = rows(charts.initialization_csv([start(56, False, [np.inf, np.nan, 7])]))
    assert [row["gradient_norm"] for row in at_start] == ["inf", "nan", "7"]
    assert at_start[0]["depth"] == "56" and at_start[0]["batch_norm"] == "False"
    lines = rows(charts.gradients_csv([GradientCurve("k", "x", PLAIN, NAMES, np.array([1, 2, 3]))], "response_gradient"))
    assert [row["response_gradient"] for row in lines] == ["1", "2", "3"]
