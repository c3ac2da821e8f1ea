"""Loss surface: filter-normalised directions, the loss along them, and a net that comes back bit for bit (Li et al. 2018)."""

from __future__ import annotations

import copy
import dataclasses
import itertools

import numpy as np
import pytest
import torch

from resnet_core.architectures import parse
from resnet_core.architectures.table import complexity
from resnet_core.config import DataConfig
from resnet_core.errors import ConfigError, Stopped
from resnet_core.experiments import EXPERIMENTS, Measured, run, seconds_per_image
from resnet_core.experiments.landscape import coarse_first, direction_to, mean_loss, moving, random_directions
from resnet_core.experiments.surface import Surface, finding, measure, table
from resnet_core.figures.surface import Slice, needs_log, surfaces_figure
from resnet_core.nets import find
from tests.experiments_tools import images, loaded, measured, values
from tests.nets_tools import write_checkpoint

__all__ = ["images"]
NAME = "ResNet-8-w4"


def state(one) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in one.model.state_dict().items()}


def same(one, before) -> bool:
    return all(torch.equal(value, before[name]) for name, value in one.model.state_dict().items())


def batch(one, images, count: int = 100):
    return [(one.normalize(images.train.images[:count]), images.train.labels[:count])]


@pytest.mark.parametrize("name", [NAME, "ResNet-8-rezero-w4", "plain-8-nobn-w4", "ResNeXt-11-2x4d"])
def test_each_filter_of_a_direction_is_as_long_as_the_nets(name):
    net = loaded(name).model
    directions = random_directions(net, 3, 2)
    for direction in directions:
        assert set(direction) == {name for name, weight in net.named_parameters() if weight.dim() > 1}  # no biases, BN, scales
        for tensor, moved in direction.items():
            for d, w in zip(moved, net.get_parameter(tensor).detach(), strict=True):
                assert float(d.norm()) == pytest.approx(float(w.norm()), rel=1e-4, abs=1e-9)
    again, other = random_directions(net, 3, 2), random_directions(net, 4, 1)
    assert all(torch.equal(a[key], b[key]) for a, b in zip(directions, again, strict=True) for key in a)
    assert not torch.equal(directions[0]["conv1.weight"], directions[1]["conv1.weight"])
    assert not torch.equal(directions[0]["conv1.weight"], other[0]["conv1.weight"])


def test_in_the_middle_it_is_the_nets_own_loss_and_elsewhere_that_of_moved_weights(images):
    one = loaded(NAME)
    (found,) = measured("surface", images, one, reach=0.5)
    result = found.result
    assert result.loss.shape == (5, 5) and result.a.tolist() == result.b.tolist() == [-0.5, -0.25, 0, 0.25, 0.5]
    own = float(torch.nn.functional.cross_entropy(one.logits(images.train.images[:100]), images.train.labels[:100]))
    assert result.centre == result.loss[2, 2] == pytest.approx(own, rel=1e-5)
    first, second = random_directions(one.model, 0, 2)
    moved = copy.deepcopy(one.model)
    with torch.no_grad():
        for name in first:
            moved.get_parameter(name).add_(0.25 * first[name] - 0.5 * second[name])
    by_hand = mean_loss(dataclasses.replace(one, model=moved), batch(one, images))
    assert result.loss[3, 0] == pytest.approx(by_hand, rel=1e-5) and abs(by_hand - own) > 1e-3
    (line,) = measured("surface", images, one, reach=0.5, directions="line")
    assert line.result.loss[::2, 0] == pytest.approx(result.loss[:, 2], rel=1e-5)  # the line is the plane's first direction


def test_the_surface_does_not_change_with_the_scale_of_filters_that_bn_divides_by(images):
    """Li et al. 2018, section 3: what filter normalisation is for. The running statistics are scaled with the filters."""
    one, scaled = loaded(NAME), loaded(NAME)
    with torch.no_grad():
        for conv, bn in one.model.plan.folds:
            scaled.model.get_parameter(f"{conv}.weight").mul_(3)
            module = scaled.model.get_submodule(bn)
            module.running_mean.mul_(3)
            module.running_var.mul_(9)
    (found,), (other,) = (measured("surface", images, each, reach=0.3) for each in (one, scaled))
    assert other.result.loss == pytest.approx(found.result.loss, rel=0.02)


@pytest.mark.parametrize("given", [{}, {"directions": "line"}])
def test_the_net_comes_back_bit_for_bit_also_when_it_is_stopped_or_fails(images, given, monkeypatch):
    one = loaded(NAME)
    before, asked = state(one), []

    def stop() -> bool:
        asked.append(same(one, before))
        return len(asked) > 3

    with pytest.raises(Stopped):
        measure(one, images, values("surface", one.model.config, **given), None, stop)
    assert not asked[-1] and same(one, before) and not one.model.training  # it was moved when it was stopped
    calls = []

    def fail(*args):
        calls.append(same(one, before))
        if len(calls) > 4:
            raise RuntimeError("out of memory")
        return 1.0

    monkeypatch.setattr("resnet_core.experiments.landscape.mean_loss", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        measure(one, images, values("surface", one.model.config, **given))
    assert not calls[-1] and same(one, before)


def test_towards_another_net_it_begins_at_the_one_and_ends_at_the_other(images, tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path))
    write_checkpoint(tmp_path, "one", parse(NAME), seed=1)
    write_checkpoint(tmp_path, "two", parse(NAME), seed=2)
    write_checkpoint(tmp_path, "other", parse("plain-8-w4"))
    experiment, given = EXPERIMENTS["surface"], {"images": 100, "steps": 2, "towards": "two"}
    found = run(experiment, find("one"), DataConfig(), given).result
    reverse = run(experiment, find("two"), DataConfig(), given | {"towards": find("one")}).result
    assert found.a.tolist() == [-0.5, -0.25, 0, 0.25, 0.5, 0.75, 1, 1.25, 1.5] and found.towards == NAME and not found.is_plane
    assert found.at(0) == found.centre and found.at(1) == pytest.approx(reverse.centre, rel=1e-4)
    assert found.loss[:, 0] == pytest.approx(reverse.loss[::-1, 0], rel=1e-3)
    assert found.ridge == max(found.loss[2:7, 0])
    with pytest.raises(ConfigError, match=r"towards: plain-8-w4 \(plain-8-w4\) and .* of different architectures: choose two of the same"):
        run(experiment, find("one"), DataConfig(), given | {"towards": "other"})
    with pytest.raises(ConfigError, match=r"towards: .* is the net itself"):
        run(experiment, find("one"), DataConfig(), given | {"towards": "one"})
    write_checkpoint(tmp_path, "elsewhere", parse(NAME), normalization="imagenet")
    with pytest.raises(ConfigError, match=r"towards: .* normalised in another way"):
        run(experiment, find("one"), DataConfig(), given | {"towards": "elsewhere"})


def test_between_nets_running_statistics_move_too_and_no_variance_is_negative():
    one, two = loaded(NAME, 1), loaded(NAME, 2)
    before = state(one)
    with torch.no_grad():
        two.model.bn1.running_var.fill_(0.001)
    with moving(one.model, [direction_to(one, two)]) as moved:
        moved.to(1.0)
        assert all(torch.allclose(value, two.model.state_dict()[name], atol=1e-6) for name, value in one.model.state_dict().items())
        moved.to(1.5)
        assert float(one.model.bn1.running_var.min()) == 0 and float(one.model.bn1.running_mean.min()) < 0
    assert same(one, before)


def test_coarse_places_come_first_and_are_seen(images):
    for half in range(2, 26):
        levels = [(stride, set(places)) for stride, places in coarse_first(half)]
        assert levels[-1] == (1, set(range(-half, half + 1))) and all(0 in places for _, places in levels)
        assert all(a < b for (_, a), (_, b) in itertools.pairwise(levels)) and len(levels[0][1]) >= 5
    one, seen = loaded(NAME), []
    whole = measure(one, images, values("surface", one.model.config, steps=4, directions="line"), preview=seen.append)
    assert [len(each.a) for each in seen] == [5, 9] and len(whole.a) == 17
    assert np.array_equal(seen[1].loss, whole.loss[::2]) and np.array_equal(seen[1].a, whole.a[::2])


def test_what_is_not_finite_breaks_neither_figure_nor_finding(images):
    one = loaded("plain-8-nobn-w4")
    with torch.no_grad():
        for block in one.model.blocks():
            block.conv2.weight.mul_(1e18)
    (found,) = measured("surface", images, one, reach=2.0)
    assert np.isnan(found.result.loss).any() and found.result.to_dict()["losses"]
    module = EXPERIMENTS["surface"].functions
    assert module.figure([found]).data and module.finding([found]).endswith(".") and module.table([found]).rows[0][-1] > 0
    for directions in ("line", "plane"):
        (other,) = measured("surface", images, loaded(NAME), directions=directions)
        nowhere = dataclasses.replace(other.result, loss=np.full_like(other.result.loss, np.nan), centre=float("nan"))
        empty = dataclasses.replace(other, result=nowhere)
        assert module.figure([other, empty]).data and module.figure([empty], dark=True).data and "not finite" in module.finding([empty])


def test_two_nets_share_a_colour_scale_which_is_logarithmic_where_it_must_be():
    places = np.array([-1.0, 0.0, 1.0])
    low, high = np.full((3, 3), 0.5), np.full((3, 3), 2.0)
    figure = surfaces_figure([Slice("a", places, places, low), Slice("b", places, places, high)])
    assert [trace.type for trace in figure.data] == ["contour", "surface"] * 2 and not needs_log([low, high])
    assert {trace.coloraxis for trace in figure.data} == {"coloraxis"}
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0.5, 2)
    high[0, 2], high[1, 1] = 100.0, np.inf
    figure = surfaces_figure([Slice("a", places, places, low), Slice("b", places, places, high)], dark=True)
    assert needs_log([low, high]) and figure.layout.coloraxis.cmax == pytest.approx(2)
    drawn = np.asarray(figure.data[2].z)
    assert drawn[2, 0] == pytest.approx(2) and np.isnan(drawn[1, 1])  # a goes to the right, b upwards
    assert list(figure.layout.coloraxis.colorbar.ticktext) == ["0.5", "1", "2", "5", "10", "20", "50", "100"]


def test_what_is_said_of_a_surface():
    loss = np.array([[0.5, 1.4, 3.0], [0.9, 0.4, 0.7], [1.5, 9.0, np.nan]])
    found = Surface(np.array([-1.0, 0, 1]), np.array([-1.0, 0, 1]), loss, 0.4, 200)
    each = Measured("a", "ResNet-8", parse("ResNet-8"), found)
    assert (found.near, found.twice, found.highest) == (5 / 9, 3 / 9, 9.0)
    assert table([each]).rows == (("ResNet-8", 0.4, 9.0, pytest.approx(500 / 9), pytest.approx(300 / 9), 9, 1),)
    assert finding([each]) == (
        "Part of 3x3 places of a plane whose loss on 200 training images is at most 1 nat above the net's own: ResNet-8: 56 % (its own "
        "loss is 0.40)."
    )


def test_its_passes_can_be_counted_and_timed(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path))
    write_checkpoint(tmp_path, "tiny", parse(NAME))
    experiment, net = EXPERIMENTS["surface"], find("tiny")
    for given, passes in (({}, 200 * 122), ({"directions": "line"}, 200 * 22), ({"steps": 12, "images": 500}, 500 * 626)):
        complete = experiment.complete(given, net.model)
        assert experiment.passes(net.model, complete) == passes
        assert experiment.work(net, complete) == passes * complexity(net.model).macs
    counted = []
    monkeypatch.setattr("resnet_core.architectures.net.Net.forward", lambda net, x: (counted.append(len(x)), x)[1])
    clock = iter(range(0, 60, 10))
    monkeypatch.setattr("resnet_core.experiments.running.time.perf_counter", lambda: next(clock))
    assert seconds_per_image(net) == 10 / counted[0] and len(counted) == 3
