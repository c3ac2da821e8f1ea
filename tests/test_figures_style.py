"""The colours of the nets: ordered by depth, legible on both backgrounds, told apart by colour-blind viewers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from resnet_core.architectures import ResNetConfig, parse
from resnet_core.architectures.resnet import valid_depths
from resnet_core.figures import style
from tests.contrast import contrast, linear, luminance

PAPER_DEPTHS = (8, 20, 32, 44, 56, 110, 1202)

# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency" (IEEE TVCG 2009),
# table 1, severity 1.0; they act on linear RGB.
DEFICIENCIES = {
    "normal": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
}
# sRGB to CIE XYZ, D65 (IEC 61966-2-1).
TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])


def lab(color: str, deficiency: str) -> np.ndarray:
    """CIE 1976 L*a*b* of the colour as a viewer with the deficiency sees it."""
    xyz = TO_XYZ @ np.clip(DEFICIENCIES[deficiency] @ linear(color), 0, 1) / (TO_XYZ @ np.ones(3))
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("shortcut", ["none", "A"])
def test_every_net_is_legible_and_darker_with_depth(shortcut: str, dark: bool):
    colors = [style.net_color(ResNetConfig(depth, shortcut), dark) for depth in valid_depths()]
    assert min(contrast(color, style.BACKGROUNDS[dark]) for color in colors) >= 3
    luminances = [luminance(color) for color in colors]
    # Among hundreds of neighbouring depths 8 bits a channel make equal steps; never a lighter one.
    assert all(deeper <= shallower for shallower, deeper in itertools.pairwise(luminances))
    paper = [luminance(style.net_color(ResNetConfig(depth, shortcut), dark)) for depth in PAPER_DEPTHS]
    assert all(deeper < shallower for shallower, deeper in itertools.pairwise(paper))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("shortcut", ["none", "A"])
def test_twenty_and_fifty_six_layers_differ_at_a_glance(shortcut: str, dark: bool):
    shallow, deep = (lab(style.net_color(ResNetConfig(depth, shortcut), dark), "normal") for depth in (20, 56))
    assert shallow[0] - deep[0] > 12  # L*; about 1 is just noticeable


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("deficiency", list(DEFICIENCIES))
def test_plain_and_residual_stay_apart_for_colour_blind_viewers(deficiency: str, dark: bool):
    distances = [
        np.linalg.norm(
            lab(style.net_color(ResNetConfig(plain, "none"), dark), deficiency)
            - lab(style.net_color(ResNetConfig(residual, "A"), dark), deficiency)
        )
        for plain, residual in itertools.product(PAPER_DEPTHS, PAPER_DEPTHS)
    ]
    assert min(distances) > 35  # CIE 1976 units; about 2.3 is just noticeable


JOINS = ("plain-56", "ResNet-56", "Highway-56", "DenseNet-100-k12")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("deficiency", list(DEFICIENCIES))
def test_nets_of_different_joins_stay_apart_by_colour_or_by_symbol(deficiency: str, dark: bool):
    looks = [(lab(color, deficiency), symbol) for color, symbol in style.told_apart([parse(name) for name in JOINS], dark)]
    for (color, symbol), (other, mark) in itertools.combinations(looks, 2):
        assert symbol != mark or np.linalg.norm(color - other) > 35
    assert [style.kind(parse(name)) for name in JOINS] == ["plain", "residual", "gate", "concat"]
    assert (
        min(contrast(style.net_color(parse(name), dark), style.BACKGROUNDS[dark]) for name in (*JOINS, "Highway-8", "DenseNet-40-k12")) >= 3
    )


def test_the_simulation_does_see_a_confusion():
    """Red and green of one lightness are far apart for most viewers and close for a deuteranope: the test above can fail."""
    red, green = "#c1272d", "#5a7f00"
    assert np.linalg.norm(lab(red, "normal") - lab(green, "normal")) > 80
    assert np.linalg.norm(lab(red, "deuteranopia") - lab(green, "deuteranopia")) < 30


def test_the_families_are_those_of_okabe_and_ito():
    for dark in (False, True):
        for depth in PAPER_DEPTHS:
            red, _, blue = style.rgb(style.net_color(ResNetConfig(depth, "none"), dark))
            assert red > blue + 60
            red, _, blue = style.rgb(style.net_color(ResNetConfig(depth, "B"), dark))
            assert blue > red + 40
    assert style.net_color(ResNetConfig(40 + 4, "A")) == "#0072b2"


def test_shortcuts_are_told_apart_without_hue():
    assert [style.net_symbol(ResNetConfig(20, shortcut)) for shortcut in ("none", "A", "B", "C")] == [None, None, "square", "diamond"]
    assert style.net_color(ResNetConfig(20, "B")) == style.net_color(ResNetConfig(20, "A"))


@pytest.mark.parametrize("dark", [False, True])
def test_nets_of_like_colours_have_another_symbol_in_one_chart_but_twenty_and_fifty_six_layers_have_none(dark: bool):
    near = style.told_apart([ResNetConfig(depth, "A") for depth in (20, 8, 14)], dark)
    assert near[0][1] is None and len({symbol for _, symbol in near}) == 3
    for shortcut in ("none", "A"):
        looks = style.told_apart([ResNetConfig(depth, shortcut) for depth in (20, 32, 44, 56, 110, 1202)], dark)
        assert len(set(looks)) == 6 and len({symbol for _, symbol in looks[:3]}) == 3
        assert [symbol for _, symbol in style.told_apart([ResNetConfig(20, shortcut), ResNetConfig(56, shortcut)], dark)] == [None, None]
    four = style.told_apart([ResNetConfig(depth, "none") for depth in (20, 32, 44, 56)], dark)
    for (one, first), (other, second) in itertools.combinations(four, 2):
        assert first != second or abs(lab(one, "normal")[0] - lab(other, "normal")[0]) > 12
    assert [symbol for _, symbol in style.told_apart([ResNetConfig(20, "none"), ResNetConfig(20, "A")], dark)] == [None, None]


def test_training_is_dashed_and_test_is_bold():
    assert style.TRAIN_LINE["dash"] != "solid" and style.TEST_LINE["dash"] == "solid"
    assert style.TEST_LINE["width"] >= 2 * style.TRAIN_LINE["width"]


@pytest.mark.parametrize("dark", [False, True])
def test_text_is_readable(dark: bool):
    assert contrast(style.TEXT[dark], style.BACKGROUNDS[dark]) >= 7
    assert contrast(style.MUTED[dark], style.BACKGROUNDS[dark]) >= 4.5
    layout = style.layout(dark)
    assert layout["paper_bgcolor"] == style.BACKGROUNDS[dark] and layout["font"]["size"] >= 14


def test_rgba():
    assert style.rgba("#0072b2", 0.25) == "rgba(0,114,178,0.25)"
