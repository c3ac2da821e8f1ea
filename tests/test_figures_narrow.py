"""Charts on a phone: panels one below the other, the legend below them, nothing on top of anything else."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from resnet_core.architectures import ResNetConfig
from resnet_core.architectures.table import complexity
from resnet_core.figures.figure6 import figure6
from resnet_core.figures.narrow import BUTTONS, LINE, narrow_layout
from resnet_core.figures.predictions import Prediction, predictions_figure
from resnet_core.figures.responses import ResponseCurve, branch_figure, responses_figure
from resnet_core.figures.surface import Slice, surfaces_figure
from resnet_core.figures.tradeoff import totals_figure
from tests.test_figure6 import RUNS

CURVES = [
    ResponseCurve(f"net-{depth}", f"plain-{depth}", ResNetConfig(depth, "none"), [str(i) for i in range(depth - 1)], np.ones(depth - 1))
    for depth in (20, 32)
]


def narrowed(figure) -> tuple[dict, dict]:
    """The layout for the desk, and that for the phone."""
    plain = json.loads(figure.to_json(remove_uids=False))
    before = json.dumps(plain)
    made = narrow_layout(plain)
    assert json.dumps(plain) == before
    return plain["layout"], made


def domains(layout: dict, axis: str) -> list[list[float]]:
    return [list(layout[name].get("domain", [0, 1])) for name in sorted(layout) if name.startswith(f"{axis}axis")]


@pytest.mark.parametrize("figure", [figure6(RUNS), responses_figure(CURVES)])
def test_two_panels_stand_one_below_the_other(figure):
    desk, phone = narrowed(figure)
    assert domains(desk, "y")[0] == domains(desk, "y")[1]
    assert domains(phone, "x") == [[0, 1], [0, 1]]
    (low, high), (below_low, below_high) = domains(phone, "y")
    assert high == 1 and below_low == pytest.approx(0) and below_high < low
    assert phone["yaxis2"]["showticklabels"] and phone["yaxis2"]["title"]["text"] == phone["yaxis"]["title"]["text"]


def test_bars_that_lie_are_no_higher_than_they_are_on_the_desk():
    for count in (1, 3):
        desk, phone = narrowed(totals_figure([complexity(ResNetConfig(20 + 6 * n)) for n in range(count)]))
        inner = phone["height"] - phone["margin"]["t"] - phone["margin"]["b"]
        desk_panel = desk["height"] - desk["margin"]["t"] - desk["margin"]["b"]
        assert [(high - low) * inner for low, high in domains(phone, "y")] == pytest.approx([desk_panel] * 3)
    _, phone = narrowed(totals_figure([complexity(ResNetConfig(20 + 6 * n)) for n in range(12)]))
    assert (phone["yaxis"]["domain"][1] - phone["yaxis"]["domain"][0]) * phone["height"] < 300


def test_headings_stand_above_their_panels():
    desk, phone = narrowed(responses_figure(CURVES))
    assert [note["text"] for note in phone["annotations"]] == ["<b>Layers in their order</b>", "<b>Layers ranked by size</b>"]
    assert [note["y"] for note in desk["annotations"]] == [1, 1]
    assert [note["y"] for note in phone["annotations"]] == pytest.approx([1, phone["yaxis2"]["domain"][1]])
    assert [note["x"] for note in phone["annotations"]] == pytest.approx([0.5, 0.5])


def test_four_nets_that_predict_stand_two_in_a_row_with_their_names():
    classes = tuple("abcdefghij")
    nets = [Prediction(f"net-{n}", np.full(10, 0.1), classes, 0) for n in range(4)]
    _, phone = narrowed(predictions_figure(nets))
    np.testing.assert_allclose(domains(phone, "x"), [[0, 0.47], [0.53, 1], [0, 0.47], [0.53, 1]])
    heads = {note["text"]: (note["xref"], note["y"]) for note in phone["annotations"] if note["yref"] == "paper"}
    second_row = domains(phone, "y")[2][1]
    assert second_row < 0.5
    assert heads == {
        "<b>net-0</b>": ("x", 1), "<b>net-1</b>": ("x2", 1),
        "<b>net-2</b>": ("x3", pytest.approx(second_row)), "<b>net-3</b>": ("x4", pytest.approx(second_row)),
    }  # fmt: skip


def test_the_legend_stands_below_with_room_of_its_own_and_the_buttons_above():
    desk, phone = narrowed(responses_figure(CURVES))
    assert (phone["legend"]["orientation"], phone["legend"]["y"], phone["legend"]["yref"]) == ("h", 0, "container")
    assert phone["margin"]["b"] == desk["margin"]["b"] + 2 * LINE
    assert phone["margin"]["t"] == desk["margin"]["t"] + BUTTONS
    # Without a legend there is no room for one.
    desk, phone = narrowed(figure6(RUNS))
    assert phone["margin"]["b"] == desk["margin"]["b"]


def test_one_panel_keeps_its_place():
    blocks = {"blocks": ["a", "b"], "ratio": np.ones(2), "dimensions_change": np.zeros(2, bool)}
    curve = ResponseCurve("net", "ResNet-20", ResNetConfig(20), ["1"], np.ones(1), **blocks)
    desk, phone = narrowed(branch_figure([curve]))
    assert phone["yaxis"]["domain"] == [0, 1] and phone["shapes"] == desk["shapes"]


def test_surfaces_stand_below_their_maps():
    places = np.array([-1.0, 0.0, 1.0])
    desk, phone = narrowed(surfaces_figure([Slice(name, places, places, np.ones((3, 3))) for name in ("plain-20", "ResNet-20")]))
    assert desk["scene"]["domain"]["x"] != desk["scene2"]["domain"]["x"]
    tops = [phone["yaxis"]["domain"], phone["yaxis2"]["domain"], phone["scene"]["domain"]["y"], phone["scene2"]["domain"]["y"]]
    assert all(above[0] > below[1] for above, below in itertools.pairwise(tops)) and tops[0][1] == 1
    assert all(phone[scene]["domain"]["x"] == [0, 1] for scene in ("scene", "scene2"))
    titles = {note["text"]: note["y"] for note in phone["annotations"]}
    assert titles == {"plain-20": pytest.approx(tops[0][1]), "ResNet-20": pytest.approx(tops[1][1])}
