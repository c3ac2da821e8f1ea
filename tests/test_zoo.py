"""The nets that ship: their configurations, and the way from a training to a checkpoint, with trainings of a second."""

from __future__ import annotations

import dataclasses
import json

import pytest

from resnet_core import zoo
from resnet_core.architectures import FAMILIES, parse
from resnet_core.architectures.table import complexity
from resnet_core.cli import main
from resnet_core.cli import zoo as cli_zoo
from resnet_core.config import DataConfig
from resnet_core.errors import RunError
from resnet_core.nets import catalog, find, folder
from resnet_core.nets.loading import load
from resnet_core.runs import RunStore
from resnet_core.zoo import plan
from resnet_core.zoo.export import export, measure, readme
from tests import runs_tools
from tests.nets_tools import write_checkpoint

TINY = (runs_tools.config(shortcut="none"), runs_tools.config(shortcut="A"))


@pytest.fixture
def tiny_zoo(tmp_path, monkeypatch):
    """A zoo of two tiny nets, trained on the sample, in folders of its own."""
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(tmp_path / "shipped"))
    monkeypatch.setenv("RESNET_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(plan, "CONFIGS", TINY)
    with runs_tools.workers(RunStore(zoo.training_home())) as store:
        yield store


def told(capsys) -> dict:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_the_zoo_is_the_papers_recipe_at_a_quarter_in_the_order_of_training():
    names = [config.model.name for config in zoo.CONFIGS]
    pairs = [f"{kind}-{depth}" for depth in (20, 56, 110, 32, 44) for kind in ("plain", "ResNet")]
    assert names[:12] == [*pairs, "ResNet-20-B", "ResNet-20-C"] and len(names) == 25
    for config in zoo.CONFIGS:
        recipe = config.recipe
        assert config.data == DataConfig("cifar10", validation=False)
        assert (recipe.iterations, recipe.batch_size, recipe.schedule_fraction) == (16_000, 128, 0.25)
        assert [recipe.iterations * m for m in recipe.milestones] == [8_000, 12_000]
        assert (recipe.learning_rate, recipe.gamma, recipe.momentum, recipe.weight_decay) == (0.1, 0.1, 0.9, 1e-4)
    assert [config.model.depth for config in zoo.CONFIGS if config.recipe.warmup == "error"] == [110, 110]
    # A plain net and its twin differ in the shortcut only.
    for plain, residual in zip(zoo.CONFIGS[:10:2], zoo.CONFIGS[1:10:2], strict=True):
        assert (plain.recipe, plain.data) == (residual.recipe, residual.data)


def test_zoo_trains_what_is_missing_ships_it_and_does_nothing_the_second_time(tiny_zoo, capsys):
    assert main(["zoo", "--json"]) == 0
    nets = told(capsys)["nets"]
    assert [(net["name"], net["state"]) for net in nets] == [("plain-8-w4", "shipped"), ("resnet-8-w4", "shipped")]
    for net, config in zip(nets, TINY, strict=True):
        run = tiny_zoo.find(config)
        shipped = find(net["name"])
        assert (shipped.origin, shipped.config, shipped.model) == ("shipped", config, config.model)
        # The records of the whole training, and its errors as it ended.
        assert shipped.records() == run.records() and len(shipped.records("layers")) == 5
        result = run.state().result
        assert (shipped.train_error, shipped.test_error) == (result["train_error"], result["test_error"])
        assert (net["train_error"], net["test_error"]) == (result["train_error"], result["test_error"])
        card = shipped.card
        assert card["training_weights_sha256"] == result["weights_sha256"]
        assert card["commit"] == run.versions.get("commit") and card["commits"] == run.commits == [card["commit"]]
        assert card["machines"] == [card["machine"]] and card["training_seconds"] == result["elapsed_seconds"]
        # The error measured anew is the one on the card, exactly, in the precision that it names.
        (fp32,) = card["evaluations"]
        assert fp32 == {"data": "sample", "split": "test", "precision": "fp32", **measure(load(shipped, "cpu", "fp32"), "sample")}
        assert fp32["top1_error"] == card["test_error"]
        text = (shipped.path / folder.README).read_text()
        assert f"**{card['test_error']:.2f} %**" in text and config.model.name in text
    assert catalog().problems == []

    before = {path: path.stat().st_mtime_ns for path in (tiny_zoo.home.parent).rglob("*") if path.name == folder.WEIGHTS}
    assert main(["zoo", "--json"]) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before and len(before) == 2


def test_zoo_goes_on_with_a_stopped_training_and_replaces_a_damaged_checkpoint(tiny_zoo, capsys, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    run, _ = tiny_zoo.submit(TINY[1])
    tiny_zoo.stop(run.id)
    monkeypatch.delenv("RESNET_LAB_SLOTS")
    assert main(["zoo", "--only", "resnet-8-w4", "--json"]) == 0
    assert [net["state"] for net in told(capsys)["nets"]] == ["missing", "shipped"]
    assert [found.id for found in tiny_zoo.runs()] == [run.id]

    weights = find("resnet-8-w4").path / folder.WEIGHTS
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert main(["zoo", "--status", "--json"]) == 0
    found = told(capsys)["nets"]
    assert [net["state"] for net in found] == ["missing", "finished"]
    assert found[0]["problem"] == "" and "checksum" in found[1]["problem"]
    assert main(["zoo", "--only", "resnet-8-w4"]) == 0
    output = capsys.readouterr()
    assert "checksum" in output.err and "shipped" in output.out
    assert weights.read_bytes() == content


def test_status_names_what_is_damaged_so_that_nobody_trains_it_again(tiny_zoo, capsys):
    write_checkpoint(zoo.training_home().parent, "plain-8-w4")
    (zoo.training_home().parent / "plain-8-w4" / folder.CARD).write_text("{")
    assert main(["zoo", "--status"]) == 0
    output = capsys.readouterr()
    assert "damaged" in output.out and "Checkpoint plain-8-w4: card.json cannot be read" in output.err


def test_weights_that_are_not_those_of_the_end_are_not_shipped(tiny_zoo, capsys):
    assert main(["zoo", "--only", "resnet-8-w4"]) == 0
    run = tiny_zoo.find(TINY[1])
    with tiny_zoo.locked():
        tiny_zoo.change(run, result=run.state().result | {"weights_sha256": "0" * 64})
    with pytest.raises(RunError, match="not those that its training ended with"):
        export(run, zoo.training_home() / "elsewhere")


def test_ctrl_c_stops_what_the_zoo_has_queued_and_nothing_else(tiny_zoo, monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    mine, _ = tiny_zoo.submit(TINY[0])
    theirs, _ = tiny_zoo.submit(runs_tools.config(seed=5))
    cli_zoo._leave_queue(tiny_zoo, [mine])
    assert (mine.state().state, theirs.state().state) == ("stopped", "queued")


def test_a_checkpoint_of_another_recipe_is_not_taken_for_the_zoos(tiny_zoo, monkeypatch, capsys):
    assert main(["zoo", "--only", "resnet-8-w4"]) == 0
    monkeypatch.setattr(plan, "CONFIGS", (runs_tools.config(learning_rate=0.5),))
    capsys.readouterr()
    (entry,) = zoo.entries(tiny_zoo, plan.CONFIGS)
    assert not entry.shipped and "trained in another way" in entry.problem


def test_only_names_that_are_in_the_zoo(tiny_zoo, capsys):
    assert main(["zoo", "--only", "vgg-16"]) == 2
    assert "'vgg-16' is not one of plain-8-w4, resnet-8-w4" in capsys.readouterr().err


def test_status_says_how_far_everything_is_and_trains_nothing(tiny_zoo, capsys):
    assert main(["zoo", "--status"]) == 0
    assert capsys.readouterr().out.count("missing") == 2
    assert tiny_zoo.runs() == []


def test_the_papers_whole_schedule_comes_seed_by_seed_under_names_of_its_own():
    full, nets = zoo.plan.full(), zoo.plan.NETS
    assert len(full) == zoo.plan.SEEDS * len(nets) and {c.recipe.iterations for c in full} == {64_000}
    assert [zoo.plan.name_of(c) for c in full[:2]] == ["plain-20-full-s0", "resnet-20-full-s0"]
    assert len({zoo.plan.name_of(c) for c in (*full, *zoo.CONFIGS)}) == len(full) + len(zoo.CONFIGS)
    first, last = full[: len(nets)], full[-len(nets) :]
    assert {c.recipe.seed for c in first} == {0} and {c.recipe.seed for c in last} == {zoo.plan.SEEDS - 1}
    assert [c.model for c in first] == [c.model for c in last] == [c.model for c in zoo.CONFIGS[: len(nets)]]


def test_what_a_training_has_of_its_own_is_in_its_name():
    names = {zoo.plan.name_of(config): config for config in zoo.CONFIGS}
    assert {name for name in names if name.endswith(("-s1", "-s2"))} == {
        f"{net}-s{seed}" for net in ("plain-20", "resnet-20", "plain-56", "resnet-56") for seed in (1, 2)
    }
    warm, cold = names["resnet-110"], names["resnet-110-nowarmup"]
    assert (warm.recipe.warmup, cold.recipe.warmup) == ("error", "none") and warm.recipe.learning_rate == cold.recipe.learning_rate == 0.1
    resnet = complexity(names["resnet-56"].model).macs
    for name in ("densenet-bc-58-k12", "resnext-20-4x4d"):
        assert resnet < 1.01 * complexity(names[name].model).macs < 1.01 * 150e6


def test_full_is_told_and_trained_by_its_own_names(cli):
    told = cli.json("zoo", "--full", "--status")
    assert len(told["nets"]) == 60 and told["nets"][2]["name"] == "plain-56-full-s0" and told["nets"][2]["iterations"] == 64_000
    assert "resnet-20-full-s9" in cli("zoo", "--full", "--only", "resnet-20-full-s9").stderr


def test_the_card_of_a_net_of_another_family_says_what_it_is():
    for net in ("Highway-8-w4", "DenseNet-BC-10-k4", "ResNet-8-preact-w4"):
        config = runs_tools.config()
        config = dataclasses.replace(config, model=parse(net))
        known = dict.fromkeys(("training_seconds", "images_per_second", "train_error", "test_error", "params", "macs", "seed"), 1.0)
        known |= dict.fromkeys(("iterations", "batch_size", "threads"), 1) | dict.fromkeys(("data", "precision", "commit"), "")
        told = {"config": config.to_dict(), "name": net, "schedule_fraction": 0.25, "machines": ["m"], "versions": {}, "evaluations": []}
        text = readme(known | told)
        title = FAMILIES[config.model.family].title
        assert f"One of the {title}, by the recipe of section 4.2" in text and f"| weighted layers | {config.model.depth} |" in text
