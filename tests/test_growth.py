"""A trained net is trained on as a deeper one: the same function at first, a run like any other, its curve joined to that before it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from resnet_core import data
from resnet_core.architectures import parse
from resnet_core.config import DataConfig, RunConfig, Start
from resnet_core.errors import CheckpointError, ConfigError, RunError
from resnet_core.figures.captions import conditions, grouped
from resnet_core.figures.curves import View, learning_curves
from resnet_core.figures.series import RunRecords, run_curve
from resnet_core.nets import catalog, find, growth
from resnet_core.nets.catalog import Net
from resnet_core.nets.loading import load
from resnet_core.runs import RunStore, local, session
from resnet_core.runs.create import START
from resnet_core.verdict import without_seed
from tests import runs_tools

START_OF = Start("plain-8-w4", "plain-8-w4-sample-s0-abc", 12, "ab" * 32)


def trained(store: RunStore, run) -> list[dict]:
    """Train a run here, to its end."""
    end = session.train(run, None, lambda: False, lambda **changes: runs_tools.put(store, run, **changes))
    result = {key: value for key, value in end.items() if key not in ("kind", "state", "iteration", "message", "lost")}
    runs_tools.put(store, run, state=end["state"], iteration=end["iteration"], result=result)
    return run.records()


@pytest.mark.parametrize("shortcut", ["none", "A"])
def test_a_grown_run_begins_as_the_same_function_and_trains(store, shortcut):
    parent = store.submit(runs_tools.config(shortcut=shortcut, iterations=6))[0]
    trained(store, parent)
    net = find(parent.id)
    config = growth.planned(net, 1)
    assert config.model.depth == 14 and (config.data, config.recipe) == (parent.config.data, parent.config.recipe)
    run, is_new = growth.grow(store, net, config)
    assert is_new and run.name == f"{config.model.name} grown from {net.model.name}"
    assert growth.grow(store, net, config) == (run, False)
    assert run.config.start == dataclasses.replace(
        START_OF, net=net.model.name, origin=parent.id, iteration=6, weights=run.config.start.weights
    )

    # At its first iteration it is the net that it was grown from, to the bit.
    trainer, _, _ = local._restored(run, data.load(run.config.data))
    images = load(net).normalize(data.load(DataConfig()).test.images[:20])
    with torch.no_grad():
        assert torch.equal(trainer.model.eval()(images), load(net).model(images))
    trained(store, run)
    grown = find(run.id)
    assert grown.iteration == 6 and grown.model == config.model
    assert not torch.equal(load(grown).model(images), load(net).model(images))

    # It goes on like any other, and a catalogue has it.
    assert [net.id for net in catalog().nets] == [parent.id, run.id]
    again, _ = growth.grow(store, find(run.id), growth.planned(find(run.id), 1))
    assert again.config.model.depth == 20


def test_a_run_that_has_not_ended_is_grown_from_its_newest_checkpoint(store):
    parent = store.submit(runs_tools.config(iterations=60))[0]
    steps = iter([False] * 5)
    end = session.train(parent, None, lambda: next(steps, True), lambda **changes: runs_tools.put(store, parent, **changes))
    runs_tools.put(store, parent, state="stopped", iteration=end["iteration"])
    net = find(parent.id)
    run, _ = growth.grow(store, net, growth.planned(net, 1))
    assert end["state"] == "stopped" and run.config.start.iteration == net.iteration == end["iteration"] == 5


def test_records_are_joined_to_those_before(store):
    parent = store.submit(runs_tools.config(iterations=6))[0]
    rows = trained(store, parent)
    run, _ = growth.grow(store, find(parent.id), growth.planned(find(parent.id), 1))
    own = trained(store, run)
    before = growth.records_before(run.config, store.home)
    assert list(before) == [row for row in rows if row["kind"] == "train"] + [row for row in rows if row["kind"] == "test"]
    assert growth.records_before(parent.config, store.home) == ()
    records = RunRecords(run.id, run.name, run.config, own, before=before)
    for kind in ("train", "test"):
        curve = run_curve(records, "error", {"train": "training", "test": "test"}[kind])
        iterations = [row["iteration"] for row in rows if row["kind"] == kind] + [
            6 + row["iteration"] for row in own if row["kind"] == kind
        ]
        assert curve.iteration.tolist() == iterations
        assert curve.y.tolist() == [row[f"{kind}_error"] for row in (*rows, *own) if row["kind"] == kind]
        assert np.all(np.diff(curve.seconds) > 0)
    assert conditions(grouped([records])[0]).endswith(" · behind 6 iterations of ResNet-8-w4, trained in its own way")
    figure = learning_curves([records], View())
    (joint,) = [trace for trace in figure.data if trace.meta == "joint"]
    tests = [row for row in rows if row["kind"] == "test"]
    assert (joint.x, joint.y) == ((6,), (tests[-1]["test_error"],))
    assert "ResNet-8-w4 is made deeper here: ResNet-14-w4" in joint.hovertemplate
    assert not [trace for trace in learning_curves([dataclasses.replace(records, before=())]).data if trace.meta == "joint"]


def test_what_it_began_with_belongs_to_the_configuration():
    plain = RunConfig(parse("plain-14-w4"))
    grown = dataclasses.replace(plain, start=START_OF)
    assert RunConfig.from_dict(grown.to_dict()) == grown and "start" not in plain.to_dict()
    assert (
        grown.fingerprint
        != plain.fingerprint
        != dataclasses.replace(grown, start=dataclasses.replace(START_OF, weights="cd" * 32)).fingerprint
    )
    other_seed = dataclasses.replace(
        grown, recipe=dataclasses.replace(grown.recipe, seed=3), start=dataclasses.replace(START_OF, weights="cd" * 32, origin="other")
    )
    assert without_seed(other_seed) == without_seed(grown) != without_seed(plain)
    for wrong in ({"net": "plain-9"}, {"iteration": -1}, {"weights": "xyz"}, {"origin": 3}):
        with pytest.raises(ConfigError):
            RunConfig.from_dict({**grown.to_dict(), "start": {**grown.to_dict()["start"], **wrong}})


def test_its_weights_are_needed_and_checked(store):
    grown = dataclasses.replace(runs_tools.config(), model=parse("ResNet-14-w4"), start=dataclasses.replace(START_OF, net="ResNet-8-w4"))
    with pytest.raises(RunError, match="grow ResNet-8-w4 again"):
        store.submit(grown)
    assert store.runs() == []
    parent = store.submit(runs_tools.config(iterations=6))[0]
    trained(store, parent)
    run, _ = growth.grow(store, find(parent.id), growth.planned(find(parent.id), 1))
    tensors = load_file(run.path / START)
    save_file({**tensors, "fc.bias": tensors["fc.bias"] + 1}, run.path / START)
    with pytest.raises(CheckpointError, match="the file was changed"):
        trained(store, run)
    (run.path / START).unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        trained(store, run)


@pytest.mark.parametrize(
    ("name", "why"), [("ResNet-20-C", "skip of its blocks"), ("Highway-20", "skip of"), ("plain-29-bottleneck", "narrower")]
)
def test_what_cannot_grow_is_said(store, name, why):
    run = store.submit(dataclasses.replace(runs_tools.config(), model=parse(name)))[0]
    net = Net(run.id, run.name, "run", run.config.model, run.path, run.config)
    assert why in growth.why_not(net)
    with pytest.raises(ConfigError, match=f"{name}: .*{why}"):
        growth.planned(net, 1)


def test_a_net_whose_input_is_normalised_otherwise_cannot_grow(store):
    net = Net("theirs", "theirs", "imported", parse("ResNet-20"), store.home, card={"normalization": "imagenet"})
    assert "subtract the mean image" in growth.why_not(net)
    assert growth.why_not(dataclasses.replace(net, card={"normalization": "pixel-mean"})) == ""
