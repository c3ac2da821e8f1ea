"""One picture's own ledger and readout: the parts of what is measured of all of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from resnet_core import data
from resnet_core.architectures import parse
from resnet_core.errors import DataError
from resnet_core.experiments import EXPERIMENTS, Measured
from tests.experiments_tools import images, loaded, measured

__all__ = ["images"]


def test_the_ledger_of_all_pictures_is_the_mean_of_theirs(images):
    one = loaded("ResNet-8-w4")
    few = dataclasses.replace(images, test=images.test.part(0, 3))
    (together,) = measured("ledger", few, one)
    alone = [measured("ledger", few, one, picture=number)[0] for number in range(3)]
    for part in ("skip", "branch", "rest"):
        assert np.mean([getattr(each.result, part) for each in alone], 0) == pytest.approx(getattr(together.result, part), abs=1e-4)
    logits = one.logits(few.test.images)
    for number, each in enumerate(alone):
        found = each.result
        assert found.logit == pytest.approx(float(logits[number].max()), rel=1e-5)
        assert found.answer == data.CLASSES[int(logits[number].argmax())]
        assert found.picture.name == f"test image {number} ({data.CLASSES[int(few.test.labels[number])]})"
        assert found.picture.name in EXPERIMENTS["ledger"].functions.finding([each])
        rows = EXPERIMENTS["ledger"].functions.table([each]).rows
        assert [row[1] for row in rows] == list(found.blocks) and all(sum(row[2:]) == pytest.approx(found.logit, rel=1e-4) for row in rows)
    with pytest.raises(DataError, match="no test image 3: they go from 0 to 2"):
        measured("ledger", few, one, picture=3)


def test_the_readouts_of_the_pictures_are_those_that_are_counted(images):
    experiment, one = EXPERIMENTS["readout"], loaded("ResNet-8-w4")
    few = dataclasses.replace(images, test=images.test.part(0, 20))
    (all_of_them,) = measured("readout", few, one, train=500)
    pictures = [experiment.viewed(all_of_them, {"picture": number}).result for number in range(20)]
    wrong = [[top != each.picture.label for top in each.top] for each in pictures]
    assert np.sum(wrong, 0).tolist() == all_of_them.result.wrong.tolist()
    assert sum(each.said != each.picture.label for each in pictures) == all_of_them.result.whole
    assert experiment.viewed(all_of_them, {"picture": None}).result is all_of_them.result
    with pytest.raises(DataError, match="20 is not among the 20 that were read, 0 to 19"):
        experiment.viewed(all_of_them, {"picture": 20})


def test_what_the_readouts_say_of_a_picture():
    from resnet_core.experiments.base import Picture
    from resnet_core.experiments.readout import figure, finding, table
    from resnet_core.experiments.readout_picture import OnePicture

    scores = np.full((4, 10), 0.1)
    for block, (label, score) in enumerate((("cat", 0.3), ("ship", 0.4), ("ship", 0.45), ("ship", 0.9))):
        scores[block, data.CLASSES.index(label)] = score
    blocks = ("layer1.0", "layer1.1", "layer2.0", "layer2.1")
    found = OnePicture(Picture(7, "ship"), blocks, scores, "ship", 500, data.CLASSES)
    one = Measured("a", "ResNet-10", parse("ResNet-8"), found)
    assert found.settled == "layer1.1" and found.top == ["cat", "ship", "ship", "ship"]
    assert table([one]).rows == (("ResNet-10", "cat (0.30)", "ship (0.40)", "ship (0.45)", "ship (0.90)", "layer1.1", "ship"),)
    assert finding([one]) == (
        "Of test image 7 (ship) linear readouts, fitted on 500 training images, say: ResNet-10: ship (0.40) after half of the blocks, "
        "ship (0.90) after all and from layer1.1 on; its own classifier says ship."
    )
    heat, rings = figure([one]).data
    assert heat.z.shape == (10, 4) and list(rings.y) == ["cat", *["<b>ship</b>"] * 3]
