"""Where the time of a step goes: what counts as what, and that it all adds up."""

from __future__ import annotations

import pytest

from resnet_core import profile


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("aten::mkldnn_convolution", "convolution"),
        ("aten::convolution_backward", "convolution"),
        ("aten::native_batch_norm_backward", "batch normalisation"),
        ("aten::threshold_backward", "ReLU"),
        ("aten::add_", "additions"),
        ("aten::addmm", "classifier and loss"),
        ("aten::copy_", "conversions and copies"),
        ("aten::_fused_sgd_", "optimiser"),
        ("aten::unheard_of", profile.OTHER),
    ],
)
def test_what_counts_as_what(operation, kind):
    assert profile.kind_of(operation) == kind


@pytest.mark.slow
def test_the_parts_are_the_whole():
    found = profile.measure("ResNet-8-w4", batch=8, steps=2)
    assert sum(found["percent"].values()) == pytest.approx(100, abs=0.5)
    assert found["percent"]["convolution"] > 5 and found["percent"]["batch normalisation"] > 1 and found["milliseconds"] > 0
    assert list(found["percent"].values()) == sorted(found["percent"].values(), reverse=True) and len(found["operations"]) == 10
    text = profile.report(found)
    assert "ResNet-8-w4" in text and "convolution" in text
