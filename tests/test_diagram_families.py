"""The diagrams of all families: what is side by side is drawn side by side, and every box is what the net has there."""

import itertools
import re

import pytest

from resnet_core import language
from resnet_core.architectures import parse, presets
from resnet_core.architectures.table import complexity
from resnet_core.figures.diagram import STEM_COLOR, diagram, is_drawn_in_full
from resnet_core.figures.diagram_words import note
from tests.chinese import english, texts_of


def net(name):
    return complexity(parse(name))


def boxes(figure):
    """(left, bottom, right, top, text, hover) of every box."""
    return [
        (left, base, left + width, base + height, text, hover)
        for trace in figure.data
        if trace.type == "bar"
        for left, base, width, height, text, hover in zip(
            trace.x, trace.base, trace.width, trace.y, trace.text, trace.hovertext, strict=True
        )
    ]


def named(figure, name):
    """The boxes of one module, by its name in the hover text."""
    return [box for box in boxes(figure) if box[5].startswith(f"<b>{name}</b>")]


def points(figure, name):
    """The points of a legend entry."""
    return [(x, y) for trace in figure.data if trace.name == name for x, y in zip(trace.x, trace.y, strict=True)]


@pytest.mark.parametrize("config", presets(), ids=lambda config: config.name)
def test_boxes_stay_within_the_figure_and_do_not_overlap(config):
    figure = diagram(complexity(config))
    width, height = figure.layout.xaxis.range[1], -figure.layout.yaxis.range[0]
    drawn = boxes(figure)
    assert all(left >= 0 and right <= width + 1e-6 and bottom >= -height and top <= 0 for left, bottom, right, top, *_ in drawn)
    for one, other in itertools.combinations(drawn, 2):
        assert not (one[0] < other[2] - 1e-6 and other[0] < one[2] - 1e-6 and one[1] < other[3] - 1e-6 and other[1] < one[3] - 1e-6), (
            f"{one[4]} and {other[4]}"
        )


@pytest.mark.parametrize("config", [config for config in presets() if is_drawn_in_full(complexity(config))], ids=lambda config: config.name)
def test_every_layer_has_a_box_of_its_own(config):
    found = complexity(config)
    hovers = [re.match(r"<b>([^<]+)</b>", box[5])[1] for box in boxes(diagram(found))]
    auxiliary = tuple(f"{one.name}." for one in config.plan().auxiliary)
    for row in found.rows:
        if row.kind in ("conv", "fc", "gate") and not row.name.startswith(auxiliary or ("none.",)):
            assert hovers.count(row.name) in (1, 2), row.name
    for one in config.plan().auxiliary:
        assert hovers.count(one.name) == 1


@pytest.mark.parametrize("name", ["GoogLeNet", "GoogLeNet-torchvision", "GoogLeNet-CIFAR"])
def test_the_rows_of_an_inception_module_stand_under_one_another_and_meet_in_a_box(name):
    figure = diagram(net(name))
    joints = [box for box in boxes(figure) if box[4] == "concat"]
    assert len(joints) == 9
    rows = [[box for box in boxes(figure) if f"layer2.3.module.branch{number}." in box[5].split("</b>")[0]] for number in (1, 2, 3, 4)]
    assert [len(row) for row in rows] == [1, 2, 3 if "CIFAR" in name else 2, 2]
    heights = [{(box[1], box[3]) for box in row} for row in rows]
    assert all(len(each) == 1 for each in heights)
    assert all(next(iter(lower))[1] < next(iter(upper))[0] for upper, lower in itertools.pairwise(heights))
    (joint,) = named(figure, "layer2.3.module")
    assert "4 rows side by side" in joint[5] and "output 528 × 1" in joint[5]
    assert (joint[1], joint[3]) == (min(box[1] for row in rows for box in row), max(box[3] for row in rows for box in row))
    assert max(box[2] for row in rows for box in row) <= joint[0]


def test_a_pooling_that_begins_a_row_is_drawn_before_its_convolution():
    figure = diagram(net("GoogLeNet"))
    (pool,), (conv,) = named(figure, "layer1.0.module.branch4.pool"), named(figure, "layer1.0.module.branch4.conv")
    assert pool[4] == "max<br>pool" and "max pooling of 3×3 pixels<br>output 192 × 28 × 28" in pool[5]
    assert pool[2] <= conv[0] and pool[1] == conv[1]


def test_of_very_many_equal_rows_the_first_two_and_the_last_are_drawn_and_the_others_counted():
    found = net("ResNeXt-29-32x4d-a")
    figure = diagram(found)
    inside = [row for row in found.rows if row.name.startswith("layer1.1.paths.")]
    shown = [number for number in range(1, 33) if named(figure, f"layer1.1.paths.branch{number}.conv1")]
    assert shown == [1, 2, 32]
    (more,) = named(figure, "layer1.1.paths.branch3 to layer1.1.paths.branch31")
    left_out = [row for row in inside if row.name.split(".")[3] not in ("branch1", "branch2", "branch32")]
    assert more[4] == "<b>… 29 more …</b>" and len(left_out) == 29 * 5
    assert f"{sum(row.params for row in left_out):,} parameters<br>{sum(row.macs for row in left_out):,} MACs" in more[5]
    assert [box[4] for box in named(figure, "layer1.1.paths")] == ["sum"]
    assert len([1 for number in range(1, 5) if named(diagram(net("ResNeXt-29-4x64d-a")), f"layer1.1.paths.branch{number}.conv1")]) == 4


def test_a_convolution_in_groups_says_so():
    (conv,) = named(diagram(net("ResNeXt-50-32x4d")), "layer1.0.conv2")
    assert conv[4] == "3×3<br>128<br>32 groups" and "3×3 convolution, 128 filters, stride 1, 32 groups" in conv[5]
    (conv,) = named(diagram(net("ResNeXt-50-2x40d")), "layer1.0.conv2")
    assert conv[4].endswith("2 groups")
    assert "groups" not in named(diagram(net("ResNet-50-ImageNet")), "layer1.0.conv2")[0][4]


@pytest.mark.parametrize("name, filters", [("AlexNet", (256, 384, 256)), ("AlexNet-CIFAR", (128, 192, 128))])
def test_alexnet_has_two_towers_that_meet(name, filters):
    figure = diagram(net(name))
    for layer, count in zip(("layer1.0.conv", "layer2.1.conv", "layer2.2.conv"), filters, strict=True):
        upper, lower = named(figure, layer)
        assert upper[0] == lower[0] and lower[3] < upper[1]
        assert upper[4] == lower[4] and upper[4].endswith(f"<br>{count // 2}")
        assert "tower 1 of 2" in upper[5] and "tower 2 of 2" in lower[5]
    top, bottom = named(figure, "layer2.1.conv")[0][3], named(figure, "layer2.1.conv")[1][1]
    for layer in ("layer2.0.conv", "fc6", "fc7", "fc8"):
        (meeting,) = named(figure, layer)
        assert (meeting[1], meeting[3]) == (bottom, top)
    assert len(named(diagram(net("AlexNet-onetower")), "layer1.0.conv")) == 1


def test_what_shapes_alexnet_has_small_boxes_in_order():
    figure = diagram(net("AlexNet"))
    grey = [box for trace in figure.data if trace.type == "bar" and trace.marker.color == STEM_COLOR for box in boxes(type(figure)(trace))]
    row = sorted(grey, key=lambda box: (-round(box[1] / 60), box[0]))
    texts = [box[4].replace("<br>", " ") for box in row]
    assert texts == [
        *("image 224×224", "11×11 conv 96, /4", "LRN", "max /2", "LRN", "max /2"),
        *("max /2", "drop 50 %", "fc 4096", "drop 50 %", "fc 4096", "fc 1000"),
    ]
    assert "max pooling of 3×3 pixels, every 2 pixels (windows overlap)" in named(figure, "pool1")[0][5]


def test_auxiliary_classifiers_are_marked_as_training_only():
    figure = diagram(net("GoogLeNet-aux"))
    found = [box for box in boxes(figure) if "training only" in box[4]]
    assert [box[4].split(":")[0] for box in found] == ["aux1", "aux2"]
    rows = {row.name: row for row in net("GoogLeNet-aux").rows}
    assert f"aux1.fc1: fully connected, output 1024, {rows['aux1.fc1'].params:,} parameters" in found[0][5]
    module = named(figure, "layer2.0.module.branch4.conv")[0]
    assert found[0][3] <= module[1] and not [box for box in boxes(diagram(net("GoogLeNet"))) if "training" in box[4]]


def test_a_gate_stands_where_a_resnet_adds():
    found = net("Highway-20")
    figure = diagram(found)
    (gate,) = named(figure, "layer2.0.gate.conv")
    row = next(row for row in found.rows if row.name == "layer2.0.gate.conv")
    assert gate[4] == "<b>gate T</b><br>3×3, 32" and "H·T + x·(1−T)" in gate[5] and "biases start at -2" in gate[5]
    assert f"{row.params:,} parameters" in gate[5] and f"{row.macs:,} MACs" in gate[5]
    (second,) = named(figure, "layer2.0.conv2")
    assert second[2] <= gate[0] and not any("sum" in (trace.name or "") for trace in figure.data)
    assert sum("gate T" in box[4] for box in boxes(figure)) == 9


def test_an_identity_before_a_pooling_is_solid():
    figure = diagram(net("Highway-19"))
    assert not any(trace.name == "shortcut, dimensions change" for trace in figure.data)
    solid = next(trace for trace in figure.data if trace.name == "shortcut, dimensions match")
    assert solid.x.count(None) == 4 + 5 + 5


def test_a_densenet_concatenates_and_does_not_add():
    figure = diagram(net("DenseNet-121"))
    assert len(points(figure, "concatenation")) == 6 + 12 + 24 + 16
    assert not any("sum" in (trace.name or "") or "dimensions" in (trace.name or "") for trace in figure.data)
    told = next(trace.hovertext for trace in figure.data if trace.name == "concatenation")
    assert told[0].startswith("<b>layer1.0</b>: the concatenation<br>64 channels came in; 32 are put behind them")
    assert told[5].startswith("<b>layer1.5</b>: the concatenation<br>224 channels came in; 32 are put behind them")
    assert figure.layout.annotations[0].text == (
        "<b>Stage 1:</b> dense block, 6 layers of 128 and 32 filters, each reads all before it, then a transition; 56×56 maps"
    )


def test_what_is_left_out_of_a_densenet_is_counted_layer_by_layer():
    found = net("DenseNet-201")
    (more,) = [box for box in boxes(diagram(found)) if "more blocks" in box[4] and box[5].startswith("<b>layer3")]
    first, last = (int(number) for number in re.findall(r"layer3\.(\d+)", more[5]))
    rows = [row for row in found.rows if row.stage == 3 and first <= row.block <= last]
    assert f"<br>{sum(row.params for row in rows):,} parameters<br>{sum(row.macs for row in rows):,} MACs" in more[5]
    assert more[4].startswith(f"<b>… {last - first + 1} more blocks …</b><br>{2 * (last - first + 1)} layers")


def test_the_bn_before_a_convolution_is_said_to_be_before_it():
    layer = named(diagram(net("DenseNet-121")), "layer1.2.conv1")[0][5]
    assert f"{(64 + 2 * 32) * 128:,} parameters + {2 * (64 + 2 * 32)} of the BN before it" in layer
    assert "+ 32 of its BN" in named(diagram(net("ResNet-20")), "layer1.2.conv1")[0][5]
    assert "behind the last BN (128 parameters) and its ReLU" in named(diagram(net("ResNet-20-preact")), "global average pooling")[0][5]


def test_arrows_of_lines_are_with_the_boxes_that_they_lead_to():
    figure = diagram(net("AlexNet"))
    arrows = next(trace for trace in figure.data if trace.type == "scatter" and trace.marker.symbol == "triangle-right")
    assert [round(y) for y in arrows.y[:2]] == [round((box[1] + box[3]) / 2) for box in named(figure, "layer1.0.conv")]


@pytest.mark.parametrize(
    "name, said",
    [
        ("ResNet-20", "its BN and ReLU: kernel"),
        ("ResNet-20", "Solid shortcuts where dimensions match"),
        ("plain-20", "There are no shortcuts."),
        ("AlexNet", "two towers that do not see each other"),
        ("AlexNet-Figure1-tanh", "with its tanh: kernel"),
        ("VGG-16", "Small grey boxes are pooling (max or avg), dropout (drop)."),
        ("DenseNet-121", "Small grey boxes are pooling (max or avg). "),
        ("GoogLeNet", "their channels are put one behind the other"),
        ("GoogLeNet-aux", "auxiliary classifiers: they are there in training only"),
        ("Highway-20", "stands a gate T"),
        ("DenseNet-121", "At each C what a layer makes is put behind all that came in"),
        ("ResNeXt-29-8x64d", "in as many separate parts"),
        ("ResNeXt-29-8x64d-a", "and their outputs are added"),
        ("DenseNet-201", "the wide box stands for those between"),
    ],
)
def test_the_note_says_what_is_drawn(name, said):
    found = net(name)
    assert said in note(found, is_drawn_in_full(found))
    if name in ("ResNet-20", "plain-20"):
        assert "tower" not in note(found, True) and "grey" not in note(found, True)


@pytest.mark.parametrize(
    "name, first",
    [
        ("VGG-16", "2 layers, 64 filters, 224×224 maps"),  # with the one before the blocks, as in the paper's Table 1
        ("VGG-11", "1 layer, 128 filters, 112×112 maps"),
        ("plain-34-ImageNet", "3 blocks of 2 layers, 64 filters, 56×56 maps"),
        ("GoogLeNet", "2 modules of 4 rows side by side, 28×28 maps"),
        ("ResNeXt-29-8x64d-a", "3 blocks of 3 layers, 8 rows side by side of 64 filters, 256 in all, 32×32 maps"),
    ],
)
def test_a_stage_says_what_it_is_made_of(name, first):
    assert diagram(net(name)).layout.annotations[0].text == f"<b>Stage 1:</b> {first}"


@pytest.mark.parametrize("name", ["VGG-16", "AlexNet", "GoogLeNet-aux", "ResNeXt-29-8x64d-a", "DenseNet-201", "Highway-20", "ResNet-20-B"])
def test_in_chinese_no_english_word_is_left(name, monkeypatch):
    monkeypatch.setattr(language, "current", lambda: "zh")
    figure = diagram(net(name))
    told = texts_of(figure)
    assert len(told) > 40 and english(told) == []
