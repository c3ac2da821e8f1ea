"""Names of other projects' tensors: there and back for every net, and a family from outside of the project with a layout of its own."""

from __future__ import annotations

import dataclasses

import pytest

from resnet_core.architectures import FAMILIES, LAYOUTS, parse, registry
from resnet_core.architectures.layouts import OWN, Layout, numbered
from resnet_core.imports import ImportRefused
from resnet_core.imports.candidates import tensors
from resnet_core.imports.recognition import recognize

PAIRS = [(family.key, layout) for family in FAMILIES.values() for layout in (OWN, *family.layouts)]


@pytest.mark.parametrize(
    "ours, theirs",
    [
        ("conv1.weight", "features.conv0.weight"),
        ("layer1.0.shortcut.conv.weight", "layer1.1.downsample.0.weight"),
        ("layer12.345.shortcut.conv.weight", "layer12.346.downsample.0.weight"),
        ("layer1.0.conv1.weight", "layer1.0.conv1.weight"),  # a name counts from the beginning alone
        ("conv10.weight", "conv10.weight"),  # and to its end
        ("conv1", "conv1"),  # no tensor of that module
        ("block2.weight", "3block.weight"),
    ],
)
def test_names_there_and_back(ours, theirs):
    names = (("conv1", "features.conv0"), ("layer{}.{}.shortcut.conv", "layer{}.{+1}.downsample.0"), ("block{}", "{+1}block"))
    layout = Layout("theirs", "somebody/nets", names)
    assert layout.theirs(ours) == theirs and layout.ours(theirs) == ours


@pytest.mark.parametrize("family, layout", PAIRS, ids=lambda value: getattr(value, "key", value))
def test_every_net_has_its_names_back_from_every_layout(family, layout):
    for config in FAMILIES[family].presets:
        keys = {layout.theirs(key): key for key in tensors(config)}
        assert len(keys) == len(tensors(config))
        assert all(layout.ours(theirs) == ours for theirs, ours in keys.items())


@pytest.mark.parametrize("family, layout", PAIRS, ids=lambda value: getattr(value, "key", value))
def test_every_preset_is_recognised_in_every_layout_or_what_is_unclear_is_said(family, layout):
    for config in FAMILIES[family].presets:
        given = {layout.theirs(key): shape for key, shape in tensors(config).items()}
        if reason := layout.unclear(config):
            if given.keys() != tensors(config).keys():
                with pytest.raises(ImportRefused) as caught:
                    recognize(given)
                assert str(caught.value) == reason
            continue
        found = recognize(given)
        assert tensors(found.model) == tensors(config)
        assert {layout.theirs(ours): ours for ours in tensors(config)} == found.keys
        assert found.layout == (OWN.key if given.keys() == tensors(config).keys() else layout.key)
        assert found.model == config or config.shortcut in str(found.shortcuts) or any(config.name in note for note in found.notes)


def test_a_family_from_outside_brings_its_layout(toys, monkeypatch):
    names = (("stage{}.{}.one", "stages.{}.{+1}.a"), ("first", "begin"), ("classes", "head"))
    theirs = Layout("toybox", "somebody/toys", names, normalization="half")
    monkeypatch.setitem(registry.FAMILIES, "toy", dataclasses.replace(FAMILIES["toy"], layouts=(theirs,)))
    config = dataclasses.replace(parse("toy-10-f16"), num_classes=7)
    given = {theirs.theirs(key): shape for key, shape in tensors(config).items()}
    assert "stages.2.2.a.weight" in given
    found = recognize({f"net.{key}": shape for key, shape in given.items()})
    assert (found.model, found.layout, found.normalization, found.shortcuts) == (config, "toybox", "half", ("largest",))
    assert found.keys["net.stages.2.2.a.weight"] == "stage2.1.one.weight"
    del given["begin.weight"]
    with pytest.raises(
        ImportRefused, match=r"It is nearly toy-10-f16, .* Nearest is toybox's layout: 19 keys, .*'begin.weight' is missing"
    ):
        recognize(given)


def test_names_that_follow_the_plan(toys, monkeypatch):
    """The modules numbered through the whole net, as in one row of them; those without weights count."""
    theirs = Layout("rows", "somebody/rows", (("classes", "head"),), numbered("features"))
    monkeypatch.setitem(registry.FAMILIES, "toy", dataclasses.replace(FAMILIES["toy"], layouts=(theirs,)))
    row = {0: (8, 3, 3, 3)} | dict.fromkeys((3, 5, 6, 8), (8, 8, 3, 3))  # ReLU and pooling behind the first, ReLU behind each block's first
    given = {f"features.{index}.weight": shape for index, shape in row.items()} | {f"features.{index}.bias": (8,) for index in row}
    given |= {"head.weight": (3, 8), "head.bias": (3,)}
    found = recognize(given)
    assert (found.model, found.layout) == (dataclasses.replace(parse("toy-6"), num_classes=3), "rows")
    assert found.keys["features.6.weight"] == "stage2.0.one.weight" and found.keys["head.bias"] == "classes.bias"
    given["features.7.weight"] = given.pop("features.8.weight")
    with pytest.raises(ImportRefused, match=r"nearly toy-6, .* Nearest is rows's layout: 12 keys, 11 of them fit"):
        recognize(given)


def test_layouts_have_titles():
    assert {layout.key for _, layout in PAIRS} == set(LAYOUTS) and all(LAYOUTS.values())
