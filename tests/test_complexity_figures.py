"""The diagram of a net and the chart of its layers: what they show must be what the net is."""

import itertools

import pytest

from resnet_core.architectures import parse
from resnet_core.architectures.table import complexity
from resnet_core.figures.complexity import layers_figure
from resnet_core.figures.diagram import MAX_BOXES, SHORTCUT_COLOR, STAGE_COLORS, diagram, is_drawn_in_full
from resnet_core.figures.diagram_parts import TEXT_ON_BOX
from resnet_core.figures.style import BACKGROUNDS
from tests.contrast import contrast


def net(name):
    return complexity(parse(name))


def boxes(figure):
    """(trace's colour, left, bottom, width, text, hover) of every box."""
    return [
        (trace.marker.color, *box)
        for trace in figure.data
        if trace.type == "bar"
        for box in zip(trace.x, trace.base, trace.width, trace.text, trace.hovertext, strict=True)
    ]


def strokes(figure, name):
    """How many strokes the lines of this legend entry have; None separates them."""
    return sum(trace.x.count(None) for trace in figure.data if trace.name == name)


@pytest.mark.parametrize(
    "name", ["plain-8", "ResNet-20", "ResNet-56-B", "plain-110", "ResNet-110-C", "ResNet-164", "ResNet-164-bottleneck"]
)
def test_every_convolution_has_its_box_in_order(name):
    drawn = boxes(diagram(net(name)))
    for stage, color in STAGE_COLORS.items():
        in_stage = sorted((box for box in drawn if box[0] == color), key=lambda box: (-box[2], box[1]))
        named = [box[5].split("</b>")[0].removeprefix("<b>") for box in in_stage]
        assert named == [row.name for row in net(name).rows if row.kind == "conv" and row.stage == stage]


@pytest.mark.parametrize(
    "name, solid, dotted",
    [("plain-20", 0, 0), ("ResNet-20", 7, 2), ("ResNet-110", 52, 2), ("ResNet-110-C", 52, 2), ("ResNet-29-B-bottleneck", 6, 3)],
)
def test_shortcuts_are_solid_where_dimensions_match_and_dotted_where_they_change(name, solid, dotted):
    figure = diagram(net(name))
    assert strokes(figure, "shortcut, dimensions match") == solid
    assert strokes(figure, "shortcut, dimensions change") == dotted
    dashes = {trace.name: trace.line.dash for trace in figure.data if trace.name and trace.name.startswith("shortcut")}
    assert dashes == {k: v for k, v in (("shortcut, dimensions match", "solid"), ("shortcut, dimensions change", "2px,3px")) if solid}


@pytest.mark.parametrize(
    "name, label, marks", [("ResNet-20", "zeros", 2), ("ResNet-20-B", "1×1", 2), ("ResNet-20-C", "1×1", 9), ("plain-20", "1×1", 0)]
)
def test_shortcuts_that_are_no_identities_are_marked(name, label, marks):
    assert sum(box[4] == label for box in boxes(diagram(net(name)))) == marks


def test_a_box_tells_its_shape_parameters_and_macs():
    hover = next(box[5] for box in boxes(diagram(net("ResNet-56"))) if box[5].startswith("<b>layer2.0.conv1</b>"))
    assert hover == (
        "<b>layer2.0.conv1</b>: 3×3 convolution, 32 filters, stride 2<br>output 32 × 16 × 16<br>4,608 parameters + 64 of its BN<br>"
        "1,179,648 MACs (0.94% of the net's)"
    )


@pytest.mark.parametrize("name", ["plain-8", "ResNet-20-B", "ResNet-62-C", "ResNet-110-C", "ResNet-164-bottleneck", "ResNet-1202-B"])
def test_boxes_stay_within_the_figure_and_do_not_overlap(name):
    figure = diagram(net(name))
    width, height = figure.layout.xaxis.range[1], -figure.layout.yaxis.range[0]
    rows = {}
    for _, left, bottom, box_width, text, _ in boxes(figure):
        assert left >= 0 and left + box_width <= width
        assert -height <= bottom <= 0
        if text not in ("zeros", "1×1"):
            rows.setdefault(bottom, []).append((left, left + box_width))
    for row in rows.values():
        row.sort()
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(row))


def test_a_long_stage_is_folded_into_rows_that_stay_legible():
    drawn = [box for box in boxes(diagram(net("ResNet-110"))) if box[0] == STAGE_COLORS[2]]
    rows = {bottom: sum(box[2] == bottom for box in drawn) for bottom in {box[2] for box in drawn}}
    assert sorted(rows.values()) == [MAX_BOXES, MAX_BOXES]


def test_of_1202_layers_the_first_and_last_blocks_are_drawn_and_the_others_counted():
    figure = diagram(net("ResNet-1202"))
    assert is_drawn_in_full(net("ResNet-164")) and not is_drawn_in_full(net("ResNet-1202"))
    left_out = [box for box in boxes(figure) if "more blocks" in box[4]]
    assert [box[4] for box in left_out] == ["<b>… 195 more blocks …</b><br>390 layers like these"] * 3
    assert left_out[2][5].startswith("<b>layer3.3 to layer3.197</b>")
    assert figure.layout.height < 600
    # What is drawn and what is counted make up the net: every parameter of the stage is in a box.
    rows = [row for row in net("ResNet-1202").rows if row.stage == 3 and 3 <= row.block <= 197]
    assert f"{sum(row.params for row in rows):,} parameters" in left_out[2][5]


def test_text_follows_the_theme_and_backgrounds_are_transparent():
    for figure in (diagram(net("ResNet-20")), layers_figure([net("ResNet-20")])):
        assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
        assert figure.layout.font.color is None
        assert all(annotation.font.color is None for annotation in figure.layout.annotations)


def test_colours_have_the_contrast_that_they_claim():
    assert all(contrast(color, TEXT_ON_BOX) >= 7 for color in STAGE_COLORS.values())
    assert all(contrast(SHORTCUT_COLOR, background) >= 3 for background in BACKGROUNDS.values())


@pytest.mark.parametrize("name", ["plain-20", "ResNet-56-B", "ResNet-110-C", "ResNet-1202-C", "ResNet-164-bottleneck"])
def test_the_bars_of_a_net_add_up_to_its_totals(name):
    figure = layers_figure([net(name)])
    totals = {"x": 0, "x2": 0}
    for trace in figure.data:
        # A wide bar stands for as many layers as it is wide.
        totals[trace.xaxis or "x"] += sum(height * max(1, round(width)) for height, width in zip(trace.y, trace.width, strict=True))
    assert totals == {"x": net(name).macs, "x2": net(name).params}


def test_macs_stay_and_parameters_grow_fourfold_from_stage_to_stage():
    figure = layers_figure([net("plain-56")])
    last = {(trace.xaxis or "x", trace.name): trace.y[-1] for trace in figure.data}
    assert len({last["x", f"stage {stage}"] for stage in (1, 2, 3)}) == 1
    weights = [last["x2", f"stage {stage}"] - 2 * 16 * 2 ** (stage - 1) for stage in (1, 2, 3)]
    assert [weight / weights[0] for weight in weights] == [1, 4, 16]


def test_projections_stand_on_their_blocks_first_layer():
    figure = layers_figure([net("ResNet-20-B")])
    macs = next(trace for trace in figure.data if trace.name == "projection of a shortcut")
    assert list(macs.x) == [8, 14]
    assert list(macs.base) == [1_179_648] * 2 and list(macs.y) == [131_072] * 2


def test_each_legend_entry_is_shown_once():
    figure = layers_figure([net(name) for name in ("plain-20", "ResNet-56-B", "ResNet-56-C")])
    shown = [trace.name for trace in figure.data if trace.showlegend]
    assert sorted(shown) == ["first and last layer", "projection of a shortcut", "stage 1", "stage 2", "stage 3"]


def test_depth_shows_as_length_on_one_axis_however_many_nets():
    def ranges(*names):
        figure = layers_figure([net(name) for name in names])
        return [figure.layout[f"xaxis{2 * row + 1 if row else ''}"].range for row in range(len(names))]

    assert ranges("plain-20", "plain-110") == [(0, 111), (0, 111)]
    assert ranges("plain-20", "plain-1202") == [(0, 1203)] * 2
    many = ("plain-20", "plain-32", "plain-44", "plain-56", "plain-110", "ResNet-164-bottleneck")
    assert ranges(*many) == [(0, 165)] * 6
