"""One deletion from what is kept: the same as among all deletions, whatever is kept; and the diagram that shows it."""

from __future__ import annotations

import pytest

from resnet_core.architectures import parse
from resnet_core.architectures.table import complexity
from resnet_core.errors import ConfigError, Stopped
from resnet_core.experiments import running
from resnet_core.experiments.lesion import deleted, keep, spacing
from resnet_core.figures.diagram import diagram
from tests.experiments_tools import images, loaded, measured

__all__ = ["images"]


@pytest.mark.parametrize("name", ["ResNet-14-w4", "plain-8-w4", "Highway-8-w4", "DenseNet-7-k4", "VGG-11-CIFAR"])
def test_one_deletion_is_that_of_all_deletions_whatever_is_kept(name, images):
    one = loaded(name)
    (found,) = measured("lesions", images, one)
    every = 100 * sum(running.held_bytes(one.model)[:-1])
    for budget, step in ((every, 1), (every - 1, 2), (0, 0)):
        kept = keep(one, images, 100, budget=budget)
        assert list(kept.inputs) == (list(range(0, len(found.result.blocks), step)) if step else [])
        assert kept.whole == found.result.whole
        assert [deleted(kept, block) for block in found.result.blocks] == found.result.wrong.tolist()


def test_no_more_is_kept_than_the_budget_allows():
    assert [spacing([4, 4, 2, 2], 10, budget) for budget in (120, 119, 60, 59, 40, 39)] == [1, 2, 2, 4, 4, 0]


def test_a_block_that_is_none_and_a_stop_are_said(images):
    kept = keep(loaded("ResNet-8-w4"), images, 100)
    with pytest.raises(ConfigError, match=r"has no layer9\.0; its blocks are layer1\.0 to layer3\.0"):
        deleted(kept, "layer9.0")
    with pytest.raises(Stopped):
        deleted(kept, "layer1.0", should_stop=lambda: True)
    told: list[tuple[int, int]] = []
    deleted(kept, "layer1.0", lambda *done: told.append(done))
    assert told[-1] == (100, 100)


# -- the diagram ----------------------------------------------------------------------------------------------------------


def named(figure) -> dict[str, list[tuple[str, str]]]:
    """Unit -> text and legend entry of its boxes; "" for those of none."""
    found: dict[str, list[tuple[str, str]]] = {}
    for trace in figure.data:
        if trace.type == "bar":
            for unit, text in zip(trace.customdata, trace.text, strict=True):
                found.setdefault(unit, []).append((text, trace.name or ""))
    return found


@pytest.mark.parametrize("name", ["ResNet-20", "plain-20", "Highway-20", "DenseNet-40-k12", "VGG-16-CIFAR", "AlexNet", "GoogLeNet"])
def test_a_deleted_block_is_drawn_as_one_and_every_box_says_whose_it_is(name):
    net = complexity(parse(name))
    units = net.config.plan().units
    whole, block = named(diagram(net)), units[1]
    assert set(whole) == {"", *(unit.name for unit in units)}
    without = named(diagram(net, block.name, "12.3 %"))
    gone = without[block.name][-1 if not block.join.parts else 0]
    assert ("12.3 %" in gone[0], gone[1]) == (True, "deleted")
    assert {unit: boxes for unit, boxes in without.items() if unit != block.name} == {
        unit: boxes for unit, boxes in whole.items() if unit != block.name
    }
    assert not any(entry == "deleted" for boxes in whole.values() for _, entry in boxes)
    assert ("identity" in gone[0]) is (block.skip is None)


def test_the_line_passes_a_deleted_block_by():
    """The chain is broken in front of it, where its shortcut leaves, and goes on at the sum; of a plain block it is not."""
    for name, more in (("ResNet-20", 1), ("plain-20", 0)):
        net = complexity(parse(name))
        strokes = [list(diagram(net, block).data[0].x).count(None) for block in ("", "layer1.1")]
        assert strokes[1] - strokes[0] == more
