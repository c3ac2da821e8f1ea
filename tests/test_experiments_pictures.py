"""What the layers see: filters, feature maps, the strongest images of a channel; and how such pictures are drawn."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from resnet_core import data
from resnet_core.architectures import parse
from resnet_core.attribution import layers_of, outputs_of
from resnet_core.errors import ConfigError, DataError
from resnet_core.experiments import EXPERIMENTS, Measured
from resnet_core.figures.pictures import Sheet, colored, gray, mosaic, scaled, sheets
from tests.experiments_tools import images, loaded, measured

__all__ = ["images"]


# -- layers ---------------------------------------------------------------------------------------------------------------


def test_the_layers_to_look_at_in_order():
    assert list(outputs_of(parse("ResNet-8")))[:5] == ["conv1", "relu", "layer1.0.conv1", "layer1.0.conv2", "layer1.0"]
    assert outputs_of(parse("ResNet-8"))["layer1.0.conv1"] == "layer1.0.bn1"


@pytest.mark.parametrize("name", ["plain-8-w4", "ResNet-8-preact-w4", "Highway-20-w4", "DenseNet-7-k4", "VGG-11-CIFAR", "AlexNet-CIFAR"])
def test_every_layer_has_a_module_whose_output_is_maps(name, images):
    one, shapes = loaded(name), {}
    found = outputs_of(one.model)
    assert set(layers_of(one.model)) <= set(found)
    for layer, module in found.items():
        one.model.get_submodule(module).register_forward_hook(lambda module, args, y, layer=layer: shapes.update({layer: y.shape}))
    one.logits(images.test.images[:1])
    assert set(shapes) == set(found) and {len(shape) for shape in shapes.values()} == {4}


# -- filters --------------------------------------------------------------------------------------------------------------


def test_filters_are_the_weights_and_gray_is_what_the_colours_share(images):
    one = loaded("ResNet-8-w4")
    with torch.no_grad():
        weight = one.model.conv1.weight
        weight[0] = 0.5  # grey
        weight[1] = 0.0
        weight[2, 0], weight[2, 1], weight[2, 2] = 1.0, -1.0, 0.0  # colour alone
        weight[3, 0], weight[3, 1:] = 1.0, 0.0  # red: a third
    (each,) = measured("filters", images, one)
    assert torch.equal(torch.from_numpy(each.result.weight), one.model.conv1.weight.detach())
    assert each.result.gray == pytest.approx([1, 0, 0, 1 / 3]) and each.result.norm[3] == pytest.approx(3)
    functions = EXPERIMENTS["filters"].functions
    assert functions.finding([each]) == "First filters that are mostly grey: ResNet-8-w4: 1 of 4."
    assert functions.table([each]).rows[0][:4] == ("ResNet-8-w4", 4, "3x3", 1)


# -- feature maps ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", ["relu", "layer2.0", "layer2.0.conv1", None])
def test_maps_are_what_the_layer_passes_on(layer, images):
    one = loaded("ResNet-8-w4")
    (found,) = measured("maps", images, one, picture=5, channels=3, **({"layer": layer} if layer else {}))
    x = one.normalize(images.test.images[5:6])
    with torch.no_grad():
        x = torch.relu(one.model.bn1(one.model.conv1(x)))
        if layer != "relu":
            x = one.model.layer1[0](x)
            block = one.model.layer2[0]
            x = block.bn1(block.conv1(x)) if layer == "layer2.0.conv1" else block(x)
            x = x if layer else one.model.layer3[0](x)
    assert np.allclose(found.result.maps, x[0, :3], atol=1e-5) and found.result.channels == x.shape[1]
    assert found.result.layer == (layer or "layer3.0")
    assert found.result.picture.label == data.CLASSES[int(images.test.labels[5])]
    if layer == "layer2.0.conv1":
        assert (found.result.maps < 0).any()
        with pytest.raises(ConfigError, match="layer9"):
            measured("maps", images, one, layer="layer9")
        with pytest.raises(DataError, match="no test image 9,000: they go from 0 to 999"):
            measured("maps", images, one, picture=9000)


def test_what_the_maps_say():
    from resnet_core.experiments.base import Picture
    from resnet_core.experiments.maps import Maps, finding, table

    maps = np.array([[[0.0, -1.0]], [[2.0, 5.0]], [[1.0, 0.0]]])
    one = Measured("a", "ResNet-8", parse("ResNet-8"), Maps(Picture(3, "cat"), "layer1.0", 16, maps))
    assert table([one]).rows == (("ResNet-8", "layer1.0", 16, 3, "1x2", 1, 1, 5.0),)
    assert finding([one]) == ("Of test image 3 (cat): ResNet-8: layer1.0, 1 of 3 maps nowhere above 0, the greatest value 5 in channel 1.")


# -- strongest images -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["maximum", "mean"])
def test_the_strongest_are_those_of_a_sort(by, images):
    one = loaded("ResNet-8-w4")
    (found,) = measured("strongest", images, one, layer="layer2.0", channel=6, by=by, top=5)
    held = found.result
    with torch.no_grad():
        x = one.model.layer2(one.model.layer1(torch.relu(one.model.bn1(one.model.conv1(one.normalize(images.test.images[:100]))))))
    values = (x.amax((2, 3)) if by == "maximum" else x.mean((2, 3)))[:, 6].numpy()
    assert held.value == pytest.approx(np.sort(values)[::-1][:5], abs=1e-5)
    assert values[held.images] == pytest.approx(held.value, abs=1e-5)
    assert held.classes == tuple(data.CLASSES[int(images.test.labels[i])] for i in held.images)
    assert np.array_equal(held.pictures, images.test.images[held.images].permute(0, 2, 3, 1).numpy())
    with pytest.raises(DataError, match=r"layer2\.0 has no channel 8: they go from 0 to 7"):
        measured("strongest", images, one, layer="layer2.0", channel=8)


# -- pictures -------------------------------------------------------------------------------------------------------------


def test_each_picture_is_scaled_by_itself():
    values = np.array([[[1.0, 3.0]], [[-10.0, 10.0]], [[4.0, 4.0]]])
    assert scaled(values).tolist() == [[[0, 1]], [[0, 1]], [[0, 0]]]
    colors = gray(values)
    assert colors.shape == (3, 1, 2, 3) and np.array_equal(colors[0], colors[1]) and colors[0, 0, 0].sum() < colors[0, 0, 1].sum()
    filters = np.zeros((1, 3, 1, 2))
    filters[0, 0, 0, 0], filters[0, 2, 0, 1] = 2.0, 1.0
    assert colored(filters).tolist() == [[[[255, 0, 0], [0, 0, 128]]]]


def test_pictures_stand_where_they_belong_and_nothing_between():
    pictures = np.stack([np.full((24, 24, 3), 10 * i, np.uint8) for i in range(1, 6)])
    sheet = Sheet("a", "net", pictures, [f"picture {i}" for i in range(5)], 3)
    whole, down, across = mosaic(sheet)
    assert sheet.rows == 2 and whole.shape == (2 * down, 3 * across, 4)
    assert whole[down + 3, across + 3].tolist() == [50, 50, 50, 255] and whole[down + 3, 2 * across + 3, 3] == 0
    assert whole[3, 24].tolist() == [0, 0, 0, 0]
    image, marks = sheets([sheet]).data
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(image.source.partition(",")[2]))))
    assert np.array_equal(drawn, whole) and list(marks.hovertext)[4] == "picture 4"
    assert drawn[int(marks.y[4]), int(marks.x[4])].tolist() == [50, 50, 50, 255]
    small = Sheet("b", "net", pictures[:, :3, :3], ["x"] * 5, 3)
    assert mosaic(small)[0].shape[0] == 2 * mosaic(small)[1] >= 2 * 24
