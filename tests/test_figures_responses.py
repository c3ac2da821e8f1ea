"""The charts of Figure 7, of F(x) beside x, and of the confusion matrix."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from plotly.colors import find_intermediate_color

from resnet_core.architectures import ImageNetConfig, ResNetConfig
from resnet_core.figures import style
from resnet_core.figures.confusion import confusion_csv, confusion_figure
from resnet_core.figures.responses import ResponseCurve, branch_csv, branch_figure, only_added, ranked, responses_csv, responses_figure
from tests.contrast import contrast

EIGHT = ResNetConfig(8, "A")


def curve(model=EIGHT, key: str = "", std=(1.0, 3.0, 2.0, 0.5, 4.0, 2.5, 0.1), label: str = "") -> ResponseCurve:
    names = ["conv1", *(f"layer{stage}.0.conv{i}" for stage in (1, 2, 3) for i in (1, 2))]
    return ResponseCurve(
        key or model.name, label or model.name, model, names, np.array(std), ["layer1.0", "layer2.0", "layer3.0"],
        np.array([0.5, 0.8, 0.3]), np.array([False, True, True]), "1,000 test images · bf16",
    )  # fmt: skip


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_both_panels_hold_the_same_numbers_in_order_and_ranked():
    figure = responses_figure([curve()])
    ordered, by_size = figure.data
    np.testing.assert_array_equal(ordered.x, range(1, 8))
    np.testing.assert_array_equal(ordered.y, [1.0, 3.0, 2.0, 0.5, 4.0, 2.5, 0.1])
    np.testing.assert_array_equal(by_size.y, [4.0, 3.0, 2.5, 2.0, 1.0, 0.5, 0.1])
    # The layers' names and numbers go with their values.
    assert ordered.customdata[1].tolist() == ["layer1.0.conv1", 2]
    assert by_size.customdata[0].tolist() == ["layer2.0.conv2", 5]
    assert (ordered.xaxis, by_size.xaxis) == ("x", "x2")
    assert figure.layout.yaxis2.matches == "y"
    assert "%{customdata[0]}" in by_size.hovertemplate and "1,000 test images" in by_size.hovertemplate


def test_of_each_block_only_the_layer_that_is_added():
    part = only_added(curve())
    assert part.names == ["layer1.0.conv2", "layer2.0.conv2", "layer3.0.conv2"]
    np.testing.assert_array_equal(part.std, [2.0, 4.0, 0.1])


def test_the_untrained_net_is_a_thin_dashed_line_of_the_same_colour():
    plain, marked = branch_figure([curve()]), branch_figure([replace(curve(), untrained=np.array([0.4, 0.9, 0.2]))])
    assert len(plain.data) == 1 and len(marked.data) == 2
    untrained, trained = marked.data
    np.testing.assert_array_equal(untrained.y, [0.4, 0.9, 0.2])
    assert untrained.line.dash == "dash" and untrained.line.color == trained.line.color and untrained.line.width < trained.line.width
    assert "before its first update" in untrained.hovertemplate


def test_colours_and_symbols_are_those_of_the_other_charts():
    nets = [ResNetConfig(20, "none"), ResNetConfig(56, "none"), ResNetConfig(20, "A"), ResNetConfig(20, "B"), ResNetConfig(20, "C")]
    for dark in (False, True):
        figure = responses_figure([curve(model) for model in nets], dark)
        traces = {trace.name: trace for trace in figure.data if trace.showlegend}
        assert list(traces) == [model.name for model in nets]
        for model in nets:
            assert traces[model.name].line.color == style.net_color(model, dark)
            assert (traces[model.name].mode == "lines") == (style.net_symbol(model) is None)
        assert traces["ResNet-20-B"].marker.symbol == "square" and traces["ResNet-20-C"].marker.symbol == "diamond"
        assert figure.layout.paper_bgcolor == style.BACKGROUNDS[dark]
        assert figure.layout.xaxis2.gridcolor == style.GRID[dark]


def test_eight_nets_can_be_told_apart_even_where_they_are_the_same_net():
    figure = responses_figure([curve(ResNetConfig(20, "A"), f"k{i}", label=f"number {i}") for i in range(8)])
    shown = [trace for trace in figure.data if trace.showlegend]
    assert len({(trace.line.color, trace.marker.symbol, trace.mode) for trace in shown}) == 8
    # One click hides a net in both panels; plotly knows each trace by a name of its own.
    assert [trace.legendgroup for trace in figure.data] == [f"k{i}" for i in range(8) for _ in (1, 2)]
    assert len({trace.uid for trace in figure.data}) == 16


def test_a_net_of_the_imagenet_family_and_a_label_with_a_tag():
    model = ImageNetConfig((1, 1, 1, 1), "basic", 10, 8)
    figure = responses_figure([curve(model, label="my <b>net")])
    assert figure.data[0].name == "my &lt;b&gt;net" and figure.data[0].line.color == style.net_color(model)


def test_log_axis_leaves_out_what_it_cannot_show():
    figure = responses_figure([curve(std=(1, 2, 0, 3, 4, 5, 6))], log=True)
    assert figure.layout.yaxis.type == figure.layout.yaxis2.type == "log"
    assert np.isnan(figure.data[0].y[2]) and np.isfinite(np.delete(figure.data[0].y, 2)).all()
    assert "log scale" in figure.layout.yaxis.title.text
    assert responses_figure([curve()]).layout.yaxis.rangemode == "tozero"


def test_ties_keep_the_layers_order_and_nan_comes_last():
    assert ranked(curve(std=(1, 2, 2, np.nan, 3, 0, 2))).tolist() == [4, 1, 2, 6, 0, 5, 3]


def test_empty_charts_can_be_drawn():
    for figure in (responses_figure([]), branch_figure([]), branch_figure([ResponseCurve("k", "k", ResNetConfig(8), ["a"], np.ones(1))])):
        assert len(figure.data) == 0


def test_the_branch_beside_its_input():
    figure = branch_figure([curve(), curve(ResNetConfig(8, "none"))])
    residual, plain = figure.data
    np.testing.assert_array_equal(residual.y, [0.5, 0.8, 0.3])
    assert residual.line.dash == "solid" and plain.line.dash == "dot"
    assert list(residual.marker.symbol) == ["circle", "circle-open", "circle-open"]
    assert residual.customdata[0].tolist() == ["layer1.0", "beside x"]
    assert "shortcut's output" in residual.customdata[1][1] and "no addition" in plain.customdata[1][1]
    assert figure.layout.shapes[0].y0 == 1


def test_csv_of_responses_and_branches():
    told = rows(responses_csv([curve(), curve(ResNetConfig(8, "none"))]))
    assert len(told) == 14
    assert told[4] == {
        "net": "ResNet-8", "label": "ResNet-8", "layer": "5", "name": "layer2.0.conv2", "rank": "1", "response_std": "4",
        "conditions": "1,000 test images · bf16",
    }  # fmt: skip
    assert sorted(int(row["rank"]) for row in told[:7]) == list(range(1, 8))
    blocks = rows(branch_csv([curve(), curve(ResNetConfig(8, "none"))]))
    assert [row["branch_over_input"] for row in blocks[:3]] == ["0.5", "0.8", "0.3"]
    assert blocks[1]["dimensions_change"] == "True" and [row["has_addition"] for row in blocks] == ["True"] * 3 + ["False"] * 3


# -- confusion ---------------------------------------------------------------------------------------------------------------

COUNTS = np.array([[8, 2, 0], [0, 1, 3], [0, 0, 0]])


@pytest.mark.parametrize("dark", [False, True])
def test_confusion_is_coloured_by_row_and_tells_counts(dark):
    figure = confusion_figure(COUNTS, ["cat", "dog", "<b>"], dark)
    heat, text = figure.data
    np.testing.assert_allclose(heat.z[0], np.sqrt([80, 20, 0]))
    np.testing.assert_allclose(heat.z[1], np.sqrt([0, 25, 75]))
    np.testing.assert_array_equal(heat.z[2], 0)  # a class without images
    assert list(zip(text.y, text.x, text.text, strict=True)) == [(0, 0, "8"), (0, 1, "2"), (1, 1, "1"), (1, 2, "3")]
    assert (heat.zmin, heat.zmax) == (0, 10)
    assert heat.customdata[1][2].tolist() == ["dog", "&lt;b&gt;", 75.0, 3]
    assert list(figure.layout.xaxis.ticktext) == ["cat", "dog", "&lt;b&gt;"] and figure.layout.yaxis.autorange == "reversed"
    # Marks of the colour bar stand where their percentages are on the square-root scale.
    assert dict(zip(heat.colorbar.ticktext, heat.colorbar.tickvals, strict=True))["25"] == 5
    assert heat.colorscale[0][1] == style.BACKGROUNDS[dark]


def test_confusion_of_many_classes_has_no_text():
    figure = confusion_figure(np.eye(100, dtype=np.int64))
    assert len(figure.data) == 1 and figure.layout.xaxis.ticktext is None


@pytest.mark.parametrize("dark", [False, True])
def test_counts_can_be_read_on_every_colour(dark):
    for share in range(1, 100):
        heat, text = confusion_figure(np.array([[share, 100 - share], [0, 0]]), dark=dark).data
        cells = []
        for place in heat.z[0] / heat.zmax * (len(heat.colorscale) - 1):
            stop = min(int(place), len(heat.colorscale) - 2)
            pair = [style.rgb(color) for _, color in heat.colorscale[stop : stop + 2]]
            cells.append(find_intermediate_color(*pair, place - stop))
        for cell, color in zip(cells, text.textfont.color, strict=True):
            assert contrast("#" + "".join(f"{round(channel):02x}" for channel in cell), color) >= 4.5


def test_confusion_csv():
    assert confusion_csv(COUNTS, ["cat", "dog", "ox"]) == "true \\ predicted,cat,dog,ox\ncat,8,2,0\ndog,0,1,3\nox,0,0,0\n"
    assert confusion_csv(COUNTS).splitlines()[0] == "true \\ predicted,0,1,2"
