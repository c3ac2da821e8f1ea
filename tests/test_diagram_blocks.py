"""Pictures of one block: who reads whom in a DenseNet; the three forms of a ResNeXt's block, and that they are equal."""

import pytest
import torch

from resnet_core.architectures import parse
from resnet_core.architectures.net import build_model
from resnet_core.architectures.resnext_forms import agreement, example
from resnet_core.figures.diagram_blocks import dense_blocks, dense_figure, dense_words, forms_figure
from tests.test_diagram_families import boxes


def connections(figure):
    """Hover texts at the tops of the arcs."""
    return next(list(trace.hovertext) for trace in figure.data if trace.type == "scatter" and trace.mode == "markers")


@pytest.mark.parametrize("name, stage, layers", [("DenseNet-40-k12", 1, 12), ("DenseNet-121", 1, 6), ("DenseNet-121", 3, 24)])
def test_each_layer_reads_all_before_it(name, stage, layers):
    figure = dense_figure(parse(name), stage)
    told = connections(figure)
    assert len(told) == len(set(told)) == layers * (layers + 1) // 2
    arcs = next(trace for trace in figure.data if trace.type == "scatter" and trace.mode == "lines")
    assert arcs.x.count(None) == layers * (layers + 1) // 2
    for reader in range(1, layers + 1):
        assert sum(text.startswith(f"layer {reader} reads what ") for text in told) == reader
    assert [box[4] for box in boxes(figure)] == ["in", *(str(number) for number in range(1, layers + 1))]


def test_the_channels_that_are_read_are_those_of_the_built_net():
    """Of layer l of a block, k0 + k(l-1) channels (Huang et al. 2017, section 3)."""
    config = parse("DenseNet-40-k4")
    model, hovers = build_model(config), [box[5] for box in boxes(dense_figure(config, 2))]
    for reader in range(1, 13):
        weight = model.get_parameter(f"layer2.{reader - 1}.conv1.weight")
        assert f"reads {weight.shape[1]} channels of {reader} sources<br>adds {weight.shape[0]}" in hovers[reader]
    assert "layer 12 reads what came into the block: 64 of its 108 channels" in connections(dense_figure(config, 2))
    assert "layer 12 reads what layer 3 adds: 4 of its 108 channels" in connections(dense_figure(config, 2))


def test_the_connections_are_counted_in_words():
    assert "6 × 7 / 2 = 21 connections, where a chain has 6. In all 4 blocks: 21 + 78 + 300 + 136 = 535." in dense_words(
        parse("DenseNet-121"), 1
    )
    assert {stage: len(units) for stage, units in dense_blocks(parse("DenseNet-BC-100-k12")).items()} == {1: 16, 2: 16, 3: 16}
    assert dense_blocks(parse("ResNet-20")) == {}


@pytest.mark.parametrize("name", ["ResNeXt-29-8x64d", "ResNeXt-50-32x4d", "ResNeXt-50-2x40d", "ResNeXt-29-8x64d-b"])
def test_the_three_forms_stand_side_by_side(name):
    config = parse(name)
    figure, paths = forms_figure(config), config.cardinality
    titles = [annotation.text for annotation in figure.layout.annotations]
    assert titles == [f"<b>(a)</b> {paths} paths, added", f"<b>(b)</b> {paths} paths, then one 1×1", f"<b>(c)</b> a 3×3 in {paths} groups"]
    drawn = boxes(figure)
    (added,), (joined,) = ([box for box in drawn if box[4] == word] for word in ("sum", "concat"))
    (grouped,) = [box for box in drawn if box[4].endswith(f"{paths} groups")]
    assert added[2] < joined[0] and joined[2] < grouped[0]
    assert sum(box[4].endswith(f"{paths - 3} more …</b>") for box in drawn) == (2 if paths > 6 else 0)
    sums = next(trace for trace in figure.data if trace.name == "sum, then ReLU")
    assert len(sums.x) == 3 and len(set(sums.y)) == 1


@pytest.mark.parametrize("name", ["ResNeXt-11-2x4d", "ResNeXt-29-8x64d", "ResNeXt-29-8x64d-a", "ResNeXt-50-32x4d"])
def test_the_three_forms_of_a_block_compute_the_same(name):
    found = agreement(parse(name))
    assert found.largest > 1 and max(found.differences.values()) < 1e-12
    assert set(found.differences) == {"ab", "ac", "bc"}
    assert found.unit == parse(name).plan().units[example(parse(name))].name


def test_forms_that_are_not_equal_are_seen(monkeypatch):
    from resnet_core.architectures import resnext_forms

    split = resnext_forms._split

    def wrong(tensors, plan):
        found = split(tensors, plan)
        name = next(name for name in found if name.endswith("branch2.conv2.weight"))
        found[name] = torch.flip(found[name], [0])
        return found

    monkeypatch.setattr(resnext_forms, "_split", wrong)
    found = agreement(parse("ResNeXt-11-2x4d"))
    assert found.differences["bc"] > 0.01 and found.differences["ac"] > 0.01
