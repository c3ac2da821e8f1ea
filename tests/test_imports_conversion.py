"""A converted net computes the function of the net it was: logits of both, on the same images."""

import dataclasses

import numpy as np
import pytest
import torch
import torchvision

from resnet_core.architectures.net import build_model
from resnet_core.imports.conversion import convert, pad_behind
from resnet_core.imports.options import OPTIONS
from resnet_core.imports.recognition import recognize
from tests.imports_nets import Akamaster, Chenyaofo, randomized, shapes


def converted(net, shortcut=None, prefix="", drop=()):
    """Our net with the other's weights, in evaluation mode; and the notes."""
    state = {prefix + key: tensor for key, tensor in net.state_dict().items() if not any(part in key for part in drop)}
    recognition = recognize({key: tuple(tensor.shape) for key, tensor in state.items()})
    tensors, notes = convert({key: tensor.numpy() for key, tensor in state.items()}, recognition)
    tensors = pad_behind(tensors, recognition.model.width) if shortcut == "A-both" else tensors
    config = recognition.model if shortcut is None else dataclasses.replace(recognition.model, shortcut=OPTIONS[shortcut])
    model = build_model(config)
    model.load_state_dict({key: torch.from_numpy(array) for key, array in tensors.items()}, strict=True)
    return model.eval(), notes


@torch.no_grad()
def assert_same_function(ours, theirs, **tolerance):
    # In float64 the order of the sums does not blur a wrong channel.
    x = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected, found = theirs.double()(x), ours.double()(x)
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("depth, width", [(8, 16), (20, 16), (20, 6), (32, 4)])
def test_padding_on_both_sides_is_converted_exactly(depth, width):
    theirs = randomized(Akamaster(depth, "A", width, num_classes=7))
    ours, _ = converted(theirs, "A-both")
    assert_same_function(ours, theirs)


def test_without_the_reordering_it_would_be_another_function():
    theirs = randomized(Akamaster(8, "A"))
    renamed = {key.replace("linear", "fc"): value for key, value in theirs.state_dict().items()}
    ours = build_model(recognize(shapes(theirs)).model)
    ours.load_state_dict(renamed)
    x = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        assert (ours.eval()(x) - theirs(x)).abs().max() > 0.1


@pytest.mark.parametrize("option", ["none", "B", "C"])
def test_the_other_options_of_akamasters_layout(option):
    theirs = randomized(Akamaster(20, option))
    ours, _ = converted(theirs, option)
    assert_same_function(ours, theirs)


def test_chenyaofos_nets():
    theirs = randomized(Chenyaofo(20, num_classes=100))
    ours, notes = converted(theirs, prefix="module.")
    assert_same_function(ours, theirs)
    assert notes == []


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_torchvisions_nets(name):
    theirs = randomized(torchvision.models.get_model(name, num_classes=10))
    ours, _ = converted(theirs)
    assert_same_function(ours, theirs)


def test_counters_of_batches_are_kept_or_made():
    theirs = randomized(Chenyaofo(8))
    ours, notes = converted(theirs)
    assert ours.bn1.num_batches_tracked == 7 and notes == []
    ours, notes = converted(theirs, drop=["num_batches_tracked"])
    assert ours.bn1.num_batches_tracked == 0 and "9 of BN's" in notes[0]
    assert_same_function(ours, theirs)


def test_the_arrays_of_the_file_are_left_alone():
    theirs = randomized(Akamaster(8, "A"))
    arrays = {key: tensor.numpy().copy() for key, tensor in theirs.state_dict().items()}
    before = {key: array.copy() for key, array in arrays.items()}
    convert(arrays, recognize(shapes(theirs)))
    pad_behind({**arrays, "fc.weight": arrays["linear.weight"]}, 16)
    assert all(np.array_equal(arrays[key], before[key]) for key in before)
