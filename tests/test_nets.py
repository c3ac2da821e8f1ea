"""Checkpoints of all kinds in one catalog: their folders, checksums, names, and loading them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from resnet_core import data
from resnet_core.architectures import ResNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.config import DataConfig
from resnet_core.errors import CheckpointError, RunError
from resnet_core.nets import NORMALIZATIONS, catalog, find, folder
from resnet_core.nets.loading import load
from resnet_core.runs import RunStore
from resnet_core.training import checkpoint, timing
from resnet_core.training.evaluate import evaluate
from resnet_core.training.timing import Answer
from tests import runs_tools
from tests.nets_tools import TINY, write_checkpoint


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """An empty folder of shipped checkpoints, and a home of its own."""
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "shipped"))
    monkeypatch.setenv("RESNET_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    return tmp_path / "shipped"


@pytest.fixture(scope="module")
def images():
    split = data.load(DataConfig()).test
    return split.part(0, 64)


def damage(path, at=-1):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def write_card(path, config):
    """The card of a checkpoint with another ``config``."""
    card = json.loads((path / folder.CARD).read_text())
    (path / folder.CARD).write_text(json.dumps(card | {"config": config}))


def a_run(iteration=7):
    """A run with one checkpoint, as a worker leaves it."""
    store = RunStore()
    run, _ = store.submit(runs_tools.config())
    values = {"iteration": iteration}
    state = checkpoint.TrainingState(build_model(TINY, 3).state_dict(), {"mean": torch.full((3, 32, 32), 0.25)}, values)
    checkpoint.save(run.path / "checkpoints", state)
    return run


def test_the_shipped_mean_image_is_near_the_samples_and_normalised_like_a_training():
    sample = data.load(DataConfig())
    mean, std = NORMALIZATIONS["pixel-mean"].arrays()
    assert (mean.shape, mean.dtype, std) == ((3, 32, 32), np.float32, None)
    # The channel means of the 50,000 training images, known to four digits from many sources.
    assert mean.mean(axis=(1, 2)) == pytest.approx([0.4914, 0.4822, 0.4465], abs=5e-5)
    assert np.abs(mean - data.per_pixel_mean(sample.train).numpy()).max() < 0.05


@pytest.mark.parametrize("key", NORMALIZATIONS)
def test_every_normalization_is_pixel_minus_mean_over_std(shipped, images, key):
    write_checkpoint(shipped, "tiny", normalization=key)
    normalised = load(find("tiny"), "cpu", "fp32").normalize(images.images).numpy()
    mean, std = NORMALIZATIONS[key].arrays()
    expected = (images.images.numpy() / 255 - mean) / (1 if std is None else std)
    assert normalised == pytest.approx(expected, abs=1e-5)


def test_a_checkpoint_comes_back_as_it_was_written(shipped, images):
    write_checkpoint(shipped, "tiny", seed=5, test_error=12.34, train_error=1.5)
    net = find("tiny")
    assert (net.id, net.origin, net.model, net.test_error, net.train_error) == ("tiny", "shipped", TINY, 12.34, 1.5)
    loaded = load(net, "cpu", "fp32")
    assert not loaded.model.training
    original = build_model(TINY, 5).eval()
    for name, tensor in original.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], tensor), name
    with torch.no_grad():
        assert torch.allclose(loaded.logits(images.images), original(loaded.normalize(images.images)), atol=1e-6)


def test_the_weights_file_alone_rebuilds_the_net(shipped, tmp_path, images):
    path = write_checkpoint(shipped, "tiny", seed=5)
    alone = tmp_path / "elsewhere.safetensors"
    alone.write_bytes((path / folder.WEIGHTS).read_bytes())
    net = find(str(alone))
    assert (net.origin, net.model, net.records()) == ("file", TINY, [])
    assert torch.equal(load(net, "cpu", "fp32").logits(images.images), load(find("tiny"), "cpu", "fp32").logits(images.images))


def test_equal_nets_are_equal_files(shipped):
    paths = [write_checkpoint(shipped, name, seed=5, normalization="imagenet") / folder.WEIGHTS for name in ("one", "two", "three")]
    assert len({path.read_bytes() for path in paths}) == 1


def test_every_load_is_a_copy_of_its_own(shipped):
    write_checkpoint(shipped, "tiny")
    one, two = load(find("tiny"), "cpu", "fp32"), load(find("tiny"), "cpu", "fp32")
    with torch.no_grad():
        for parameter in one.model.parameters():
            parameter.zero_()
    one.model.train()
    assert not two.model.training
    assert all(parameter.abs().sum() > 0 for name, parameter in two.model.named_parameters() if "conv" in name)


def test_a_wrong_checksum_is_named_and_left_out(shipped):
    write_checkpoint(shipped, "good")
    bad = write_checkpoint(shipped, "bad")
    damage(bad / folder.WEIGHTS)
    found = catalog()
    assert [net.id for net in found.nets] == ["good"]
    assert len(found.problems) == 1
    assert "Checkpoint bad" in found.problems[0] and "checksum" in found.problems[0]
    with pytest.raises(CheckpointError, match="Checkpoint bad: the checksum"):
        find("bad")


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (lambda path: (path / folder.WEIGHTS).unlink(), "weights.safetensors is missing"),
        (lambda path: (path / folder.CARD).unlink(), "card.json is missing"),
        (lambda path: (path / folder.CARD).write_text("{"), "card.json cannot be read"),
        (lambda path: (path / folder.CARD).write_text("{}"), "card.json cannot be read"),
        (lambda path: (path / folder.CARD).write_text(json.dumps({"model": {"depth": 9}})), "configuration is not valid"),
        (lambda path: (path / folder.CARD).write_text(json.dumps({"model": {"family": "mixer"}})), "'mixer' is not one of"),
        (lambda path: write_card(path, {"recipe": {"milestones": 5}}), "recipe: has a field of the wrong type"),
        (lambda path: write_card(path, {"recipe": {"learning_rate": 10**400}}), "recipe: has a field of the wrong type or size"),
        (lambda path: write_card(path, {"model": {"depth": [20]}}), "depth: [20] is not a whole number"),
    ],
)
def test_a_damaged_checkpoint_does_not_hide_the_others(shipped, harm, what):
    write_checkpoint(shipped, "good")
    harm(write_checkpoint(shipped, "bad"))
    found = catalog()
    assert [net.id for net in found.nets] == ["good"]
    assert what in found.problems[0]


def test_replacing_a_checkpoint_leaves_nothing_behind_and_changes_its_version(shipped):
    write_checkpoint(shipped, "tiny", seed=1)
    before = find("tiny").version
    write_checkpoint(shipped, "tiny", seed=2)
    assert find("tiny").version != before
    assert sorted(path.name for path in shipped.iterdir()) == ["tiny"]


def test_shipped_nets_stand_by_depth_plain_first_then_imported_then_runs(shipped, tmp_path):
    for depth, shortcut, name in [(14, "A", "resnet-14"), (8, "A", "resnet-8"), (8, "none", "plain-8")]:
        write_checkpoint(shipped, name, ResNetConfig(depth, shortcut, 4))
    write_checkpoint(tmp_path / "home" / ".imported", "theirs")
    run = a_run()
    found = catalog()
    assert [net.id for net in found.nets] == ["plain-8", "resnet-8", "resnet-14", "theirs", run.id]
    assert [net.origin for net in found.nets] == ["shipped"] * 3 + ["imported", "run"]
    assert found.get("theirs").model == TINY and found.get("nothing") is None


def test_a_run_is_loaded_from_its_newest_checkpoint_with_its_own_mean(shipped):
    run = a_run(iteration=7)
    net = find(run.id)
    assert (net.origin, net.iteration, net.config) == ("run", 7, run.config)
    loaded = load(net, "cpu", "fp32")
    assert torch.equal(loaded.mean, torch.full((3, 32, 32), 0.25)) and loaded.std is None
    assert torch.equal(loaded.model.conv1.weight, build_model(TINY, 3).conv1.weight)


def test_what_is_loaded_says_which_weights_it_has(shipped):
    """A page looks a run up, waits for its turn, and loads: what it then has may be newer, and must be called so."""
    run = a_run(iteration=7)
    looked_up = find(run.id)
    before = load(looked_up, "cpu", "fp32")
    assert (before.net.iteration, before.net.version) == (7, looked_up.version)
    newer = checkpoint.TrainingState(build_model(TINY, 4).state_dict(), {"mean": torch.zeros(3, 32, 32)}, {"iteration": 9})
    checkpoint.save(run.path / "checkpoints", newer)
    after = load(looked_up, "cpu", "fp32")
    assert torch.equal(after.model.conv1.weight, build_model(TINY, 4).conv1.weight)
    assert after.net.iteration == 9 and after.net.version != before.net.version and after.net.id == looked_up.id
    # What was read keeps its name, and nothing else is given out under it.
    assert ":iter-00000007:" in before.net.version
    with pytest.raises(CheckpointError, match="trained on since"):
        load(before.net, "cpu", "fp32")


def test_a_folder_named_by_its_path_is_that_checkpoint_or_a_file_from_elsewhere(shipped, tmp_path):
    write_checkpoint(shipped, "tiny")
    theirs = write_checkpoint(tmp_path / "elsewhere", "theirs", seed=2)
    assert (find(str(shipped / "tiny")).origin, find(str(shipped / "tiny")).id) == ("shipped", "tiny")
    net = find(str(theirs))
    assert (net.origin, net.path, net.name, net.model) == ("file", (theirs / folder.WEIGHTS).resolve(), "theirs", TINY)
    damage(theirs / folder.WEIGHTS)
    with pytest.raises(CheckpointError, match="Checkpoint theirs: the checksum"):
        find(str(theirs))


def test_a_run_without_a_checkpoint_is_not_there_yet(shipped):
    run, _ = RunStore().submit(runs_tools.config())
    assert catalog().nets == []
    with pytest.raises(CheckpointError, match="no checkpoint yet"):
        find(run.id)


def test_a_loaded_net_has_exactly_the_error_that_training_measures(shipped):
    write_checkpoint(shipped, "tiny", seed=5)
    loaded, test = load(find("tiny"), "cpu", "fp32"), data.load(DataConfig()).test
    error, _ = evaluate(loaded.model, test.images, test.labels, loaded.mean, loaded.plan)
    assert 100.0 * (loaded.logits(test.images).argmax(1) != test.labels).sum().item() / len(test) == error


@pytest.mark.parametrize("spec", ["nothing", "", "../good", ".imported", "no/such/file.pt", "x" * 300, "~nobody-here/net.pt"])
def test_what_is_not_there_is_named_with_what_is(shipped, spec):
    write_checkpoint(shipped, "good")
    with pytest.raises(RunError, match=r"No checkpoint, file or run is called .*Checkpoints: good"):
        find(spec)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 something", b"\x00" * 100, b"\x02\x00\x00\x00\x00\x00\x00\x00{}"])
def test_a_file_of_somebody_else_is_to_be_imported(shipped, tmp_path, content):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"not a safetensors file|Import it first"):
        find(str(path))


def test_a_folder_of_checkpoints_that_is_none_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "file"))
    (problem,) = catalog(tmp_path / "home").problems
    assert str(tmp_path / "file") in problem


def test_a_folder_of_checkpoints_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "mistyped"))
    (problem,) = catalog(tmp_path / "home").problems
    assert problem.startswith(f"RESNET_LAB_CHECKPOINTS names {tmp_path / 'mistyped'}, which is not there.")
    monkeypatch.delenv("RESNET_LAB_CHECKPOINTS")
    assert not catalog(tmp_path / "home").problems


def test_a_checkpoint_is_measured_in_fp32_whatever_the_machine_is_fast_in(shipped, tmp_path, monkeypatch):
    """A published error belongs to the weights: a probe that prefers bf16 decides on trainings only."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(timing, "compare", lambda *_: Answer(10.0, 0.1, "2026-11-30T00:00:00+00:00"))
    write_checkpoint(shipped, "tiny")
    assert load(find("tiny"), "cpu", "auto").plan.precision == "bf16"
    assert load(find("tiny"), "cpu").plan.precision == "fp32"
