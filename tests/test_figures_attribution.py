"""Maps as pictures: what colours mean, one scale a row, and numbers that can be taken away."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from resnet_core.architectures import ResNetConfig
from resnet_core.figures.attribution import (
    KINDS,
    MAP_COLUMNS,
    SANITY_COLUMNS,
    Panel,
    SanityCurve,
    maps_csv,
    sanity_csv,
    sanity_figure,
    tick_labels,
)
from resnet_core.figures.overlay import Scale, color_scale, colors, common_scale, enlarge, grey, overlay, png
from resnet_core.figures.sheet import captioned, side_by_side, stacked

IMAGE = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
SIGNED = np.random.default_rng(1).normal(size=(32, 32)).astype(np.float32)


def rows(text):
    return list(csv.reader(io.StringIO(text)))


def test_a_scale_is_common_to_the_row_and_symmetrical_where_there_are_signs():
    scale = common_scale([SIGNED, 10 * SIGNED], signed=True, percentile=100)
    assert scale.limit == pytest.approx(np.abs(10 * SIGNED).max())
    assert (scale.low, scale.beyond) == (-scale.limit, 0)
    # A method with signs whose values happen to be positive keeps its symmetrical scale.
    assert common_scale([np.abs(SIGNED)], signed=True).low < 0
    assert common_scale([np.abs(SIGNED)], signed=False).low == 0


def test_single_outliers_do_not_take_the_colours_and_are_told():
    spike = np.full((32, 32), 0.5)
    spike[3, 4] = 1000.0
    scale = common_scale([spike], signed=False)
    assert scale.limit == pytest.approx(0.5)
    assert scale.beyond == pytest.approx(1 / 1024)
    assert "0.1 % of the pixels are beyond it" in scale.text
    assert "symmetrical" in common_scale([SIGNED], True).text and "no sign" in scale.text


def test_maps_of_zeros_and_nearly_zeros_have_a_scale():
    assert common_scale([np.zeros((32, 32))], True) == Scale(1.0, True)
    assert common_scale([], False).limit == 1.0
    lonely = np.zeros((32, 32))
    lonely[0, 0] = -3.0
    assert common_scale([lonely], True).limit == 3.0


def test_nothing_is_grey_and_everything_is_colour():
    values = np.zeros((32, 32))
    values[0, 0], values[0, 1], values[0, 2] = 2.0, -2.0, 99.0
    signed = overlay(IMAGE, values, Scale(2.0, True))
    assert signed.shape == (32, 32, 4) and signed.dtype == np.uint8 and (signed[..., 3] == 255).all()
    assert np.array_equal(signed[1:, :, :3], np.rint(255 * grey(IMAGE)).astype(np.uint8)[1:])
    green, purple = signed[0, 0, :3].astype(int), signed[0, 1, :3].astype(int)
    assert green[1] > green[0] + 50 and green[1] > green[2] + 50
    assert min(purple[0], purple[2]) > purple[1] + 50
    assert np.array_equal(signed[0, 2], signed[0, 0])  # beyond the limit looks as the limit does


@pytest.mark.parametrize("signed", [True, False])
def test_more_is_never_fainter(signed):
    scale = Scale(1.0, signed)
    values = np.linspace(0, 1, 50)
    _, opacity = colors(values, scale)
    assert (np.diff(opacity) > 0).all() and opacity[0] == 0 and opacity[-1] == 1
    if signed:
        assert np.array_equal(colors(-values, scale)[1], opacity)


def test_pixels_are_enlarged_as_squares():
    large = overlay(IMAGE, SIGNED, common_scale([SIGNED], True), 96)
    assert large.shape == (96, 96, 4)
    assert np.array_equal(large[1::3, 2::3], overlay(IMAGE, SIGNED, common_scale([SIGNED], True)))
    assert enlarge(IMAGE, 100).shape[0] == -(-100 // len(IMAGE)) * len(IMAGE)  # each pixel is whole


def test_a_png_holds_the_very_pixels():
    pixels = overlay(IMAGE, SIGNED, Scale(1.0, True), 64)
    with Image.open(io.BytesIO(png(pixels))) as image:
        assert image.format == "PNG"
        assert np.array_equal(np.asarray(image), pixels)


def test_the_colour_bar_has_the_colours_of_the_maps():
    stops = color_scale(Scale(2.0, True))
    assert (stops[0][0], stops[-1][0]) == (0, 1)
    assert stops[10][1] == "rgb({0},{0},{0})".format(round(255 * 0.35))  # zero: the middle grey
    assert len({color for _, color in stops}) == len(stops)


def curve(depth=20, steps=("as it is", "fc", "layer3.2", "conv1"), method="saliency", **changes):
    values = {"signed": [1.0, 0.5, None, -0.6], "absolute": [1.0, 0.9, 0.8, 0.7]} | changes
    model = ResNetConfig(depth, "A")
    return SanityCurve(f"{depth}-{method}", f"ResNet-{depth}", model, method, "test image 3", "cat", 7, steps, **values)


def test_a_step_without_a_correlation_is_a_gap_and_all_values_are_in_sight():
    figure = sanity_figure([curve()])
    assert [None if math.isnan(v) else v for v in figure.data[0].y] == [1.0, 0.5, None, -0.6]
    low, high = figure.layout.yaxis.range
    assert low < -0.6 and high > 1
    assert list(figure.layout.xaxis.ticktext) == ["as it is", "fc", "layer3.2", "conv1"]
    assert sanity_figure([curve()], "absolute", dark=True).data[0].y[3] == 0.7
    assert sanity_figure([]).layout.height > 0


def test_curves_of_nets_are_told_apart():
    nets = sanity_figure([curve(20), curve(56)])
    assert nets.data[0].line.color != nets.data[1].line.color
    with pytest.raises(ValueError, match="kind 'both'"):
        sanity_figure([curve()], "both")


def test_steps_of_nets_of_different_depth_have_labels_for_both():
    deep = ("as it is", "fc", "layer3.6–8", "conv1")
    assert tick_labels([curve(20), curve(56, deep)]) == ["as it is", "fc", "layer3", "conv1"]
    assert set(KINDS) == {"signed", "absolute"}


def test_numbers_to_take_away():
    panels = [
        Panel("a.png", "net", "integrated-gradients", "cat", SIGNED, {"steps": 50, "baseline": "mean"}, 0.0123456, 5.5),
        Panel("a.png", "other", "grad-cam", "dog", 2 * SIGNED, {"layer": "layer3.2"}),
    ]
    head, *found = rows(maps_csv(panels))
    assert head == list(MAP_COLUMNS) and len(found) == 2 * 1024
    assert found[33][:-1] == ["a.png", "net", "integrated-gradients", "steps 50, baseline mean", "cat", "0.0123456", "5.5", "1", "1"]
    assert float(found[33][-1]) == pytest.approx(SIGNED[1, 1], rel=1e-5)
    assert found[1024][:-1] == ["a.png", "other", "grad-cam", "layer layer3.2", "dog", "", "", "0", "0"]
    head, *found = rows(sanity_csv([curve()]))
    assert head == list(SANITY_COLUMNS)
    assert found[2] == ["test image 3", "ResNet-20", "ResNet-20", "saliency", "cat", "7", "2", "layer3.2", "", "0.8", "", ""]


def test_the_level_of_two_random_nets_is_a_dotted_line_of_the_curve_s_colour():
    leveled = replace(curve(), level={"signed": None, "absolute": 0.3})
    assert not sanity_figure([leveled]).layout.shapes  # nothing to draw of this kind
    figure = sanity_figure([leveled], "absolute")
    (line,) = figure.layout.shapes
    assert (line.y0, line.y1, line.line.dash, line.line.color) == (0.3, 0.3, "dot", figure.data[0].line.color)
    _, *found = rows(sanity_csv([leveled]))
    assert all(row[-2:] == ["", "0.3"] for row in found)


def test_a_picture_to_take_away_has_its_words_below():
    picture = enlarge(IMAGE, 320)
    bare, told = captioned(picture, []), captioned(picture, ["ResNet-56", "for cat (its prediction) · convergence delta 0.18 of 11.3"])
    at = slice(12, 12 + 320)
    for sheet in (bare, told):
        assert np.array_equal(sheet[at, at], picture) and sheet.dtype == np.uint8
    assert told.shape[0] > bare.shape[0] and told.shape[1] == bare.shape[1]
    words = told[12 + 320 + 4 :]
    assert (words < 100).any() and (words[:, [0, -1]] == 255).all()  # written, and within the margins
    one = captioned(picture, ["x" * 300])  # a word wider than the picture is broken, not cut off
    assert one.shape[1] == bare.shape[1] and one.shape[0] > told.shape[0] and (one[:, -6:] == 255).all()
    assert np.array_equal(captioned(picture, ["layer3.6–8"]), captioned(picture, ["layer3.6-8"]))  # no box for what the font has not
    assert not np.array_equal(captioned(picture, ["网络"]), bare)
    row = side_by_side([bare, told])
    assert row.shape == (told.shape[0], 2 * told.shape[1], 3) and np.array_equal(row[: bare.shape[0], : bare.shape[1]], bare)
    assert stacked([bare, row]).shape == (bare.shape[0] + row.shape[0], row.shape[1], 3)
